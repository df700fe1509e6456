SELECT ARRAY(SELECT AS VALUE id FROM `raw.products`) AS ids,
  ARRAY(SELECT id, name FROM `raw.products`) AS both
