"""The catalogue: what a project's tables and columns are, as a document (`catalogue.json`) and as pages."""
