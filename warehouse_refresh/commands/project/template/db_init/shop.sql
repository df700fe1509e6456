-- The raw tables. `refresh init` creates them; a table that has rows is left alone.
CREATE TABLE raw.customers (id INT64 NOT NULL, name STRING) AS
SELECT 1, 'Ada' UNION ALL SELECT 2, 'Grace' UNION ALL SELECT 3, 'Edsger';

CREATE TABLE raw.orders (id INT64 NOT NULL, customer_id INT64, ordered_at TIMESTAMP, cents INT64, status STRING) AS
SELECT 10, 1, TIMESTAMP '2026-11-02 09:30:00+00', 1250, 'paid' UNION ALL
SELECT 11, 1, TIMESTAMP '2026-11-09 18:05:00+00', 999, 'paid' UNION ALL
SELECT 12, 2, TIMESTAMP '2026-11-10 12:00:00+00', 4900, 'cancelled' UNION ALL
SELECT 13, 2, TIMESTAMP '2026-11-11 07:45:00+00', 4900, 'paid';
