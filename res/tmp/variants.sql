-- One row per variant of raw.variants, however many pictures it has and batches it was bought in.
SELECT
  variants.id AS sku,
  variants.product_id,
  variants.name,
  IFNULL(variant_images.image_urls, []) AS image_urls,
  IFNULL(inventory_items.stock, 0) AS stock,
  item_purchase_prices.purchase_prices
FROM `raw.variants` AS variants
LEFT JOIN `tmp.variant_images` AS variant_images
  ON variant_images.variant_id = variants.id
LEFT JOIN `tmp.inventory_items` AS inventory_items
  ON inventory_items.sku_id = variants.id
LEFT JOIN `tmp.item_purchase_prices` AS item_purchase_prices
  ON item_purchase_prices.sku_id = variants.id
