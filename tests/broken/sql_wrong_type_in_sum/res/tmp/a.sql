SELECT id, name + 1 AS next
FROM `raw.products`
