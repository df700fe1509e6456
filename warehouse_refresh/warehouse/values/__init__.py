"""Values that people write, as text, CSV or JSON: read strictly, by the type of their column."""
