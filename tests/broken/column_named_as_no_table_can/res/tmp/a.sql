SELECT
  id,
  name AS `name (long)`,
  1 AS _PARTITIONTIME
FROM `raw.products`
