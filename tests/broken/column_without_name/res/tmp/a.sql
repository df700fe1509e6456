SELECT
  category_id,
  COUNT(*)
FROM `raw.products`
GROUP BY category_id
