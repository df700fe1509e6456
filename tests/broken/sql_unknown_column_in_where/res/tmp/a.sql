SELECT id
FROM `raw.products`
WHERE prize > 1
