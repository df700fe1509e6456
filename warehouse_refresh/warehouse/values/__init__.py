"""Values that people write, as text, CSV, JSON or Parquet: read strictly, by the type of their column."""
