-- One row per order that was paid, with its amount in euros.
SELECT
  id,
  customer_id,
  ordered_at,
  CAST(cents AS NUMERIC) / 100 AS euros
FROM `raw.orders`
WHERE status = 'paid'
