SELECT
  id,
  ST_GEOGPOINT(1, 2) AS place
FROM `raw.products`
