CREATE OR REPLACE TABLE raw.products (
  id INT64,
  name STRING,
  category_id INT64,
  price NUMERIC,
  created DATE,
  tags ARRAY<STRING>,
  maker STRUCT<name STRING, country STRING>
);

CREATE OR REPLACE TABLE raw.categories (id INT64, category_name STRING);
