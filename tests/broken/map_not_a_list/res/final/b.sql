SELECT a.id, a.name
FROM `tmp.a` AS a
