"""Write a test from real rows: choose rows that join, put fakes in place of what is personal, write the test."""
