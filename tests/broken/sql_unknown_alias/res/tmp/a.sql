SELECT q.id
FROM `raw.products` AS p
