"""Build tables beside the published ones, and publish them together."""
