-- One row per external_id of a product with pictures.
SELECT
  external_id,
  ARRAY_AGG(url ORDER BY id, url) AS image_urls
FROM `raw.pictures`
WHERE type = 'product'
GROUP BY external_id
