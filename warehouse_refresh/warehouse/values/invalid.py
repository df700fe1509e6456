"""Why a value is refused."""


class InvalidValue(ValueError):
    """A value that a column cannot hold: `code` is stable, `detail` is for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def shown(text: str, limit: int = 40) -> str:
    """A text as it may be quoted in a message: one line of printable characters, cut at `limit`."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return (
        "'" + "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in cut) + "'"
    )
