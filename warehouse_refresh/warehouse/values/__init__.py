"""Values that people write, as text or JSON: read strictly, by the type of their column."""
