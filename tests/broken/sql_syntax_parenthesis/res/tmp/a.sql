SELECT
  COALESCE(name, 'none' AS name
FROM `raw.products`
