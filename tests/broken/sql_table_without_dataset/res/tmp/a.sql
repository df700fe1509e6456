SELECT id
FROM products
