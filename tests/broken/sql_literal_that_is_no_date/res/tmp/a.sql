SELECT id
FROM `raw.products`
WHERE created = 'no date'
