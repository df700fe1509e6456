-- One row per product. external_id is the shop's number of it; the pictures bear it.
CREATE OR REPLACE TABLE raw.products (
  id INT64,
  name STRING,
  category_id INT64,
  external_id INT64,
  type STRING
) AS
SELECT 1 AS id, 'Rosé Water Toner' AS name, 1 AS category_id, 1001 AS external_id, 'product' AS type
UNION ALL SELECT 2, 'Crème de Nuit', 1, 1008, 'product'
UNION ALL SELECT 3, 'Snail Mucin Essence', 1, 1015, 'product'
UNION ALL SELECT 4, 'Vitamin C Serum', 1, 1022, 'product'
UNION ALL SELECT 5, 'Bright Eyes "10 pm" Cream', 1, 1029, 'product'
UNION ALL SELECT 6, 'Matte Lipstick', 2, 1036, 'product'
UNION ALL SELECT 7, 'Banana Lip Balm 🍌', 2, 1043, 'product'
UNION ALL SELECT 8, "L'Éclat Highlighter", 2, 1050, 'product'
UNION ALL SELECT 9, 'Cushion Foundation', 2, 1057, 'product'
UNION ALL SELECT 10, 'Waterproof Mascara', 2, 1064, 'product'
UNION ALL SELECT 11, 'Eyebrow Pencil', 2, 1071, 'product'
UNION ALL SELECT 12, 'Argan Hair Oil', 3, 1078, 'product'
UNION ALL SELECT 13, 'Keratin Shampoo', 3, 1085, 'product'
UNION ALL SELECT 14, 'Dry Shampoo', 3, 1092, 'product'
UNION ALL SELECT 15, "Don't Frizz! Balm", 3, 1099, 'product'
UNION ALL SELECT 16, 'Señorita Eau de Parfum', 4, 1106, 'product'
UNION ALL SELECT 17, 'Oud & Amber', 4, 1113, 'product'
UNION ALL SELECT 18, "Fleur d'Oranger", 4, 1120, 'product'
UNION ALL SELECT 19, 'Yuzu Bath Salts ✨', 5, 1127, 'product'
UNION ALL SELECT 20, 'Shea Body Butter', 5, 1134, 'product'
UNION ALL SELECT 21, 'Hand Cream Trio', 5, 1141, 'product'
UNION ALL SELECT 22, 'Konjac Sponge', 6, 1148, 'product'
UNION ALL SELECT 23, 'Brush Set, 12 pieces', 6, 1155, 'product'
UNION ALL SELECT 24, 'Gift Wrapping', 6, 1162, 'product'
UNION ALL SELECT 25, 'Serum Sachet (not for sale)', 1, 1169, 'sample';
