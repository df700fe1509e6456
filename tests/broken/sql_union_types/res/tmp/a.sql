SELECT id FROM `raw.products`
UNION ALL
SELECT category_name FROM `raw.categories`
