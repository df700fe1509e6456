CREATE OR REPLACE TABLE raw.products (
  id INT64,
  name STRNG
);
