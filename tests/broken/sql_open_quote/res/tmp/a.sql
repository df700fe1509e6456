SELECT id, 'none AS name
FROM `raw.products`
