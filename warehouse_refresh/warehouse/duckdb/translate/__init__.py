"""GoogleSQL as DuckDB's SQL: a query gives GoogleSQL's answer or is refused; what is not known to be equal is refused.

A query is read by sqlglot and written anew, expression by expression, with GoogleSQL's types and names resolved here:
nothing of the text reaches DuckDB that has not been understood.
"""
