SELECT id, category_name FROM `raw.categories`
