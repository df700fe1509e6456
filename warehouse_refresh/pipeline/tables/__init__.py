"""What files say about a table beside its query: its description, columns, storage and checks."""
