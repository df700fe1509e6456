-- one row per product
SELECT
  id,
  nmae
FROM `raw.products`
