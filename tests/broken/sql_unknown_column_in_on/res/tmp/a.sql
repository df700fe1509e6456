SELECT p.id, c.category_name
FROM `raw.products` AS p
INNER JOIN `raw.categories` AS c
  ON c.category_id = p.category_id
