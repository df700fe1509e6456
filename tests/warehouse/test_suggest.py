"""The name that is meant: found for people's mistakes, in work that does not grow with what somebody else sends."""

from collections.abc import Iterator

import pytest

from warehouse_refresh.warehouse import suggest
from warehouse_refresh.warehouse.suggest import Suggestions, did_you_mean


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("pric", "price"),
        ("PRICE", "price"),
        ("prcie", "price"),
        ("Stok", "Stock"),
        ("category", "category_id"),
        ("tmp.product", "tmp.products"),
    ],
)
def test_the_name_that_is_most_like_it_is_found(name: str, meant: str) -> None:
    known = ["id", "price", "Stock", "category_id", "tmp.products", "tmp.product_images"]
    assert did_you_mean(name, known) == f"did you mean {meant}?"


@pytest.mark.parametrize("name", ["xylophone", "", "p", "price" * 21])
def test_no_name_is_made_up_where_none_is_like_it(name: str) -> None:
    assert not did_you_mean(name, ["id", "price", "stock"])


def test_nothing_is_like_a_name_where_none_is_known() -> None:
    assert not did_you_mean("price", [])


def test_of_a_thousand_like_names_the_one_that_differs_in_a_letter_is_found() -> None:
    known = [f"tmp.table_{number:04}" for number in range(1000)]
    assert Suggestions(known).closest("tmp.tabel_0815") == "tmp.table_0815"


def test_only_so_many_names_are_sought_and_the_known_are_read_once() -> None:
    read = []

    def known() -> Iterator[str]:
        for name in ("id", "price"):
            read.append(name)
            yield name

    suggestions = Suggestions(known())
    found = [suggestions.closest("pric") for _ in range(1000)]
    assert found == ["price"] * suggest.MOST_SOUGHT + [None] * (1000 - suggest.MOST_SOUGHT)
    assert read == ["id", "price"]


def test_however_many_names_are_known_few_are_compared_in_earnest(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def ratio(_name: str, names: list[str], **_: object) -> list[str]:
        compared.append(len(names))
        return []

    monkeypatch.setattr("difflib.get_close_matches", ratio)
    suggestions = Suggestions([f"tmp.table_{number:04}" for number in range(5000)])
    for number in range(100):
        suggestions.closest(f"tmp.tabel_{number:04}")
    assert sum(compared) == suggest.MOST_SOUGHT * suggest.SHORTLIST
