SELECT id, UPPER(id) AS name
FROM `raw.products`
