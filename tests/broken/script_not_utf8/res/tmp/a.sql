SELECT id
FROM `raw.products` -- café
