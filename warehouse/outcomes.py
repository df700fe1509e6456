"""What becomes of an Append, by the keys that were used before: one rule for both engines."""

from collections.abc import Mapping

from warehouse import Append, Outcome


def outcome(append: Append, known: Mapping[str, str], new: dict[str, str]) -> Outcome:
    """The append's outcome. `known` are the fingerprints of the keys that are stored, `new` those of the keys that this
    call stores; a key that is in neither is put into `new`."""
    if append.key is None:
        return Outcome.STORED
    fingerprint = known.get(append.key, new.get(append.key))
    if fingerprint is None:
        new[append.key] = append.fingerprint
        return Outcome.STORED
    return Outcome.REPLAYED if fingerprint == append.fingerprint else Outcome.KEY_REUSED
