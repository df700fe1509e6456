"""Where columns come from, what follows from a change, and the picture of the graph."""
