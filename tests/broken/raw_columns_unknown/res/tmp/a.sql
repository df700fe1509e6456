SELECT id
FROM `raw.stock`
