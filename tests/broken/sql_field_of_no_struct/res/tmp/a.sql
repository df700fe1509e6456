SELECT id, name.first AS first
FROM `raw.products`
