SELECT category_id, name, COUNT(*) AS products
FROM `raw.products`
GROUP BY category_id
