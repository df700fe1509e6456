-- One row per category.
CREATE OR REPLACE TABLE raw.categories (
  id INT64,
  category_name STRING
) AS
SELECT 1 AS id, 'Skin Care' AS category_name
UNION ALL SELECT 2, 'Make-up'
UNION ALL SELECT 3, 'Hair'
UNION ALL SELECT 4, 'Fragrance'
UNION ALL SELECT 5, 'Bath & Body'
UNION ALL SELECT 6, 'Tools';
