-- One row per variant with pictures; a picture of a variant bears the variant's id as its external_id.
SELECT
  external_id AS variant_id,
  ARRAY_AGG(url ORDER BY id, url) AS image_urls
FROM `raw.pictures`
WHERE type = 'variant'
GROUP BY external_id
