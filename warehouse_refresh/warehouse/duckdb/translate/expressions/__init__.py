"""Expressions: literals, paths, operators, conditions."""
