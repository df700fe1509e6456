"""The scripts of res/ over the demonstration data: the reference engine's rows."""

import re
from pathlib import Path
from typing import Any

from tests.warehouse.googlesql.compare import difference
from tests.warehouse.googlesql.engine import Engine
from warehouse_refresh.warehouse.names import TableName

ROOT = Path(__file__).parents[3]
ORDER = ["inventory_items", "item_purchase_prices", "product_categories", "product_images", "variant_images"]
ORDER += ["products", "variants"]


def test_every_script_gives_the_reference_engine_s_rows(pair: Any) -> None:
    from tests.warehouse.googlesql.oracle import Oracle

    tables = {TableName("raw", path.stem): _query(path) for path in sorted((ROOT / "db_init").glob("*.sql"))}
    scripts = {TableName("tmp", name): ROOT / "res" / "tmp" / f"{name}.sql" for name in ORDER}
    scripts[TableName("final", "products")] = ROOT / "res" / "final" / "products.sql"
    assert {path for path in (ROOT / "res").rglob("*.sql") if path.parent.name != "raw"} == set(scripts.values())
    texts = {name: path.read_text(encoding="utf-8") for name, path in scripts.items()}
    answers = Oracle().load({**tables, **texts})
    engine = Engine(answers)
    for name, text in texts.items():
        outcome = difference(text, answers[name], engine.answer(text))
        assert outcome.kind == "same", f"{name}: {outcome.detail}"
    del pair


def _query(path: Path) -> str:
    """The SELECT of a CREATE TABLE … AS SELECT."""
    return re.sub(r"\A.*?\) AS\s", "", path.read_text(encoding="utf-8"), flags=re.DOTALL).rstrip().rstrip(";")
