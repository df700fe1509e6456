SELECT a.id, b.category_name
FROM `tmp.a` AS a
LEFT JOIN `tmp.b` AS b
  ON b.id = a.category_id
