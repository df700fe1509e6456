"""Scripts as BigQuery runs them."""
