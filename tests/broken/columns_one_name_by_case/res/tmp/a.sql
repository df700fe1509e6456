SELECT id, name AS ID
FROM `raw.products`
