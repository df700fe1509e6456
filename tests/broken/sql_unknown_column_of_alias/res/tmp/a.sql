SELECT p.id, p.categoryid
FROM `raw.products` AS p
