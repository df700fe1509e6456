SELECT id
FROM `raw.products`
WHERE name
