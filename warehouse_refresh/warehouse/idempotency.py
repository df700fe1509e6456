"""Idempotency keys of Appends: the rule of both engines."""

from collections.abc import Mapping

from warehouse_refresh.warehouse import Append, Outcome

DAYS_KEPT = 30
"""A key is forgotten after so many days."""


def outcome_of(append: Append, known: Mapping[str, str], new: dict[str, str]) -> Outcome:
    """The append's outcome. `known` has the fingerprints of stored keys, `new` those of keys that this call stores; a
    key that is in neither is added to `new`."""
    if append.key is None:
        return Outcome.STORED
    fingerprint = known.get(append.key, new.get(append.key))
    if fingerprint is None:
        new[append.key] = append.fingerprint
        return Outcome.STORED
    return Outcome.REPLAYED if fingerprint == append.fingerprint else Outcome.KEY_REUSED
