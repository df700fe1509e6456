SELECT id
FROM `raw.products`
WHERE id = 'one'
  OR name = 1
