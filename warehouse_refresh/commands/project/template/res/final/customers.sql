-- One row per customer, with what they have ordered.
SELECT
  customers.id,
  customers.name,
  COUNT(orders.id) AS orders,
  IFNULL(SUM(orders.euros), 0) AS euros,
  MAX(DATE(orders.ordered_at)) AS last_ordered_on
FROM `raw.customers` AS customers
LEFT JOIN `tmp.orders` AS orders
  ON orders.customer_id = customers.id
GROUP BY customers.id, customers.name
