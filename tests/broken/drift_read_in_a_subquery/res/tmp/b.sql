SELECT id
FROM `raw.products`
WHERE id NOT IN (SELECT id FROM tmp.a)
