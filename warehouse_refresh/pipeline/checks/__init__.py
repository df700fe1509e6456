"""What must be true of a table's rows: the checks that people declare, and the one query that answers all of a table's.

Nothing here knows where the table stands: the caller says how a query is answered.
"""
