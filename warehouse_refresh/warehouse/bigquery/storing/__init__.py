"""Storing rows: one job for each request, with its rows as one parameter."""
