SELECT id
FROM `raw.products`
