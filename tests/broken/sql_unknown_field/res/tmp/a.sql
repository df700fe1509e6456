SELECT id, maker.city AS city
FROM `raw.products`
