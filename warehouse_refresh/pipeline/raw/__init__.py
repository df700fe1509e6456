"""Tables that no script builds: their columns, and what fills them."""
