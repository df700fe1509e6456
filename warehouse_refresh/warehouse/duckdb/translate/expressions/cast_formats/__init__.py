"""CAST(… AS type FORMAT '…'): dates and times, BYTES, and numbers."""
