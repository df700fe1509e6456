-- One row per sku that was counted: how many are in stock, all places together.
SELECT
  sku_id,
  SUM(inventory_count) AS stock
FROM `raw.inventory_items`
GROUP BY sku_id
