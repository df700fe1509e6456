SELECT CAST(id AS INTEGR) AS id
FROM `raw.products`
