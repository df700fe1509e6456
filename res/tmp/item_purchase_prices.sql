-- One row per sku that was bought: what was paid for it, batch by batch.
SELECT
  line_items.sku_id,
  ARRAY_AGG(
    STRUCT(
      items.batch_id,
      line_items.distribution_center,
      items.purchase_price AS price,
      items.currency
    )
    ORDER BY items.batch_id, line_items.id, items.id
  ) AS purchase_prices
FROM `raw.purchase_line_items` AS line_items
INNER JOIN `raw.purchase_items` AS items
  ON items.batch_id = line_items.batch_purchase_id
GROUP BY line_items.sku_id
