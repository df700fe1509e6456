"""Tables of rows that were loaded: how much memory they get, and how their texts are compressed."""
