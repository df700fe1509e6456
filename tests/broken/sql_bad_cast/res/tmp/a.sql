SELECT id, CAST(created AS INT64) AS day
FROM `raw.products`
