SELECT id,
  name
FORM `raw.products`
