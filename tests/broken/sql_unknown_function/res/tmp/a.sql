SELECT id, UPER(name) AS name
FROM `raw.products`
