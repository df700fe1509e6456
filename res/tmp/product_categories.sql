-- One row per category; where an id was stored twice, its name is the first one in the alphabet.
SELECT
  id AS category_id,
  MIN(category_name) AS category
FROM `raw.categories`
GROUP BY id
