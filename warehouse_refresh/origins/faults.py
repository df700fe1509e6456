"""What a database says in the errors of its driver."""


def reason_of(text: str) -> str:
    """PostgreSQL's own words in an error of the driver's, or of whoever read its stream."""
    found = text.partition("ERROR:")[2] or text.partition("FATAL:")[2] or text.rpartition("[libpq] ")[2]
    return " ".join((found or text).split("\nQuery")[0].split())
