"""A refresh as it runs: the order of its tables, their states, and the work on each."""
