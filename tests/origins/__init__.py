"""Databases that raw tables come from: real servers, started in a folder of their own."""
