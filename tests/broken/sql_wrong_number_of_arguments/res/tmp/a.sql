SELECT id, UPPER(name, 1) AS name
FROM `raw.products`
