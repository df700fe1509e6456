SELECT category_id
FROM `raw.products`
WHERE COUNT(*) > 1
GROUP BY category_id
