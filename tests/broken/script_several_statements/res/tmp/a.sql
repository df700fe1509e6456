SELECT id, name, category_id FROM `raw.products`;
SELECT 2 AS id
