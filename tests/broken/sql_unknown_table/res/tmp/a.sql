SELECT id
FROM `raw.produkts`
