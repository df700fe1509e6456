SELECT id, category_name
FROM `raw.products` AS p
INNER JOIN `raw.categories` AS c
  ON c.id = p.category_id
