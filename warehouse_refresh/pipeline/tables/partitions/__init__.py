"""Tables that are built by date: which partitions a table has, and which of them a refresh builds."""
