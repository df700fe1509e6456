-- One row per product of raw.products, whether or not it has a category and pictures.
SELECT
  products.id,
  products.name,
  products.type,
  product_categories.category,
  IFNULL(product_images.image_urls, []) AS image_urls
FROM `raw.products` AS products
LEFT JOIN `tmp.product_categories` AS product_categories
  ON product_categories.category_id = products.category_id
LEFT JOIN `tmp.product_images` AS product_images
  ON product_images.external_id = products.external_id
