SELECT id, name, category_id FROM `raw.products`
