SELECT id, tag
FROM `raw.products`, UNNEST(name) AS tag
