"""Queries and statements, clause by clause."""
