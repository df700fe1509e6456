"""The first look at a database that does not answer for a moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest
import tenacity

from warehouse_refresh.origins import ConnectionLost, OriginError, Snapshot, moment
from warehouse_refresh.origins.moment import Moment


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ([ConnectionLost("restarts"), ConnectionLost("is full")], ""),
        ([ConnectionLost("gone")] * 5, "gone"),
        ([OriginError("wrong password")], "wrong password"),
    ],
)
def test_it_is_waited_for_if_that_may_pass_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, errors: list[OriginError], message: str
) -> None:
    monkeypatch.setattr(moment, "_WAIT", tenacity.wait_none())
    left, there = list(errors), cast("Snapshot", object())

    @contextmanager
    def opened() -> Iterator[Snapshot]:
        if left:
            raise left.pop(0)
        yield there

    if message:
        with pytest.raises(OriginError, match=message):
            Moment(opened)
        assert not left
    else:
        assert Moment(opened).snapshot is there
