SELECT id, name FROM `raw.products`
UNION ALL
SELECT id FROM `raw.categories`
