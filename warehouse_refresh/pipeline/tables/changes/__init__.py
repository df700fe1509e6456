"""Which tables need to be built: what has changed since each was published, and since when in git."""
