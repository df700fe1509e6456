"""docs/api.md and README: their examples are what happens, the tables are complete."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Served, api_over
from tests.api.prefect_parts import deployed
from tests.conftest import ROOT
from warehouse_refresh.api.problems import KINDS
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.sql.parser import parse_script

PAGE = (ROOT / "docs/api.md").read_text()
EXAMPLE = re.compile(r"^\$ curl (.+?) # (\d+)\n((?:[ \[{].*\n)+)", re.MULTILINE)


@pytest.fixture
def api(tmp_path: Path, prefect_server: str) -> Iterator[Served]:
    """An API over the demonstration's raw tables, and a deployment to ask for."""
    url = f"duckdb:///{tmp_path}/w.duckdb"
    warehouse = connect(url)
    warehouse.create_datasets(["raw"])
    for script in sorted((ROOT / "db_init").glob("*.sql")):
        warehouse.run_script(parse_script(script.read_text()))
    warehouse.close()
    with deployed(prefect_server) as deployment, api_over(url, deployment=deployment.name) as it:
        yield it


@pytest.mark.parametrize(("page", "count"), [("docs/api.md", 12), ("README.md", 4)])
def test_the_examples_are_what_happens(api: Served, page: str, count: int) -> None:
    text = (ROOT / page).read_text()
    examples = EXAMPLE.findall(text)
    assert len(examples) == text.count("$ curl") >= count
    for command, status, shown in examples:
        method, target, headers, body = _request(command)
        answer = api.client.request(method, target, headers=headers, content=body)
        assert answer.status_code == int(status), (command, answer.text)
        assert _same(json.loads(shown), answer.json()), (command, answer.text)


def test_all_codes_are_listed() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.+?) \|", PAGE, re.MULTILINE)
    listed = {(int(status), code) for status, codes in rows for code in re.findall(r"`([a-z-]+)`", codes)}
    assert listed == {(status, code) for code, (status, _) in KINDS.items()}


def test_all_settings_are_listed_with_their_defaults() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*?)\|", PAGE, re.MULTILINE))
    for name, field in ApiSettings.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = rows[str(field.validation_alias or f"API_{name.upper()}")].strip(" `")
        assert shown == ("" if name == "token" else f"{default:g}" if isinstance(default, float) else str(default))


def _request(command: str) -> tuple[str, str, dict[str, str], str]:
    """The method, target, headers and body of a curl command."""
    method, target, headers, body = "GET", "", {}, ""
    words = iter(shlex.split(command))
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = _ansi(next(words))
        else:
            target = word.removeprefix("localhost:8000")
    return method, target, headers, body


def _ansi(word: str) -> str:
    """What a shell makes of $'…' with \\n in it; `shlex` leaves the dollar sign."""
    return word[1:].replace("\\n", "\n") if word.startswith("$") else word


def _same(shown: Any, given: Any) -> bool:
    """Whether the answer is what is shown, where … stands for any text."""
    if isinstance(shown, dict) and isinstance(given, dict):
        return list(shown) == list(given) and all(_same(shown[name], given[name]) for name in shown)
    if isinstance(shown, list) and isinstance(given, list):
        return len(shown) == len(given) and all(map(_same, shown, given))
    return bool(shown == given) or (shown == "…" and isinstance(given, str))
