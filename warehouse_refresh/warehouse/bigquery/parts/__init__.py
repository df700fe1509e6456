"""Tables that are built by date: their partitions, built in a clone of the table, and the record of them."""
