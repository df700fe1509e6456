"""GoogleSQL's functions, by topic. `calls` names all of them."""
