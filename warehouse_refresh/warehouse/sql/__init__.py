"""GoogleSQL itself: reading it, and its rules. Nothing here knows an engine."""
