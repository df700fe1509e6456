"""GoogleSQL's text as sqlglot's syntax tree, with what sqlglot reads otherwise put right or refused."""
