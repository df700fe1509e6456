-- One row per product, with its variants (an empty array where it has none).
WITH variants_of_product AS (
  SELECT
    product_id,
    ARRAY_AGG(
      STRUCT(sku, name, image_urls, stock, purchase_prices)
      ORDER BY sku
    ) AS variants
  FROM `tmp.variants`
  GROUP BY product_id
)

SELECT
  products.id,
  products.name,
  products.type,
  products.category,
  products.image_urls,
  IFNULL(variants_of_product.variants, []) AS variants
FROM `tmp.products` AS products
LEFT JOIN variants_of_product
  ON variants_of_product.product_id = products.id
