SELECT a.id, a.naem
FROM `tmp.a` AS a
