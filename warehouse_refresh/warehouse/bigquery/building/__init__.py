"""Build and replace tables, and keep what people have set on them."""
