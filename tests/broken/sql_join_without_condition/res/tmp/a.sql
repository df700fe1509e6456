SELECT p.id
FROM `raw.products` AS p
LEFT JOIN `raw.categories` AS c
