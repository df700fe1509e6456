"""Translate GoogleSQL to DuckDB's SQL. The result gives GoogleSQL's answer; a query is refused unless it is known to.

sqlglot parses a query, and this package writes it again, expression by expression, after it has resolved GoogleSQL's
types and names. No part of the text reaches DuckDB unless this package knows its meaning.
"""
