"""'Did you mean …?': for a name that does not exist, find the most similar known name in bounded time."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from operator import itemgetter

CUTOFF = 0.7  # difflib's ratio: a name that differs in one letter of three is not meant
LONGEST = 100  # characters of a name that somebody mistyped
MOST_KNOWN = 10_000
MOST_SOUGHT = 20  # names in one report or request: whoever gets twenty hints sees what is wrong with the others
SHORTLIST = 10


class Suggestions:
    """Finds the known name that is most like a given one, ignoring case; for the first `MOST_SOUGHT` names only.

    A full comparison of two names takes 50 µs. So only a few of the `known` names are compared: those that share most
    pairs of letters with the given one. To find them takes about 1 µs for each name.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = known
        self._pairs: dict[str, tuple[str, frozenset[str]]] | None = None
        self._left = MOST_SOUGHT

    def closest(self, name: str) -> str | None:
        """The known name that is most like `name`; None if none is like it."""
        if not self._left or len(name) > LONGEST:
            return None
        self._left -= 1
        from difflib import get_close_matches  # slow to import, and only needed when something is wrong

        folded = name.casefold()
        found = get_close_matches(folded, self._shortlist(folded), n=1, cutoff=CUTOFF)
        return self._indexed[found[0]][0] if found else None

    def did_you_mean(self, name: str) -> str:
        """`did you mean price?`; "" if no name is like it."""
        found = self.closest(name)
        return f"did you mean {found}?" if found else ""

    @property
    def _indexed(self) -> dict[str, tuple[str, frozenset[str]]]:
        """Each known name with its pairs of letters, by the name without regard to case."""
        if self._pairs is None:
            first = (name for name in islice(self._known, MOST_KNOWN) if len(name) <= LONGEST)
            self._pairs = {name.casefold(): (name, _pairs_of(name.casefold())) for name in first}
        return self._pairs

    def _shortlist(self, folded: str) -> list[str]:
        if folded in self._indexed:
            return [folded]
        wanted = _pairs_of(folded)
        likeness = [
            (len(wanted & pairs) / (len(wanted) + len(pairs)), known) for known, (_, pairs) in self._indexed.items()
        ]
        likeness.sort(key=itemgetter(0), reverse=True)
        return [known for _, known in likeness[:SHORTLIST]]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean price?`, for the one of the `known` names that is most like `name`; "" if none is."""
    return Suggestions(known).did_you_mean(name)


@lru_cache(2_000)  # the functions' names are asked for again with each unknown one
def _pairs_of(folded: str) -> frozenset[str]:
    """The pairs of letters that follow each other, the first and the last letter being pairs too."""
    padded = f" {folded} "
    return frozenset(padded[at : at + 2] for at in range(len(padded) - 1))
