"""Files of buckets, from a stand-in that speaks the protocols of S3 and Google: see buckets.py."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.conftest import Write
from tests.origins.buckets import Buckets, serving
from tests.origins.test_files import read_file
from tests.origins.test_postgres import read
from warehouse_refresh.commands.main import main
from warehouse_refresh.origins import OriginError, Relation, open_files
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName


@pytest.fixture
def buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    """A bucket, `shop`."""
    with serving(tmp_path, monkeypatch) as found:
        yield found


@pytest.mark.parametrize("scheme", ["gs", "s3"])
def test_files_of_a_bucket_are_read_as_others_are(scheme: str, buckets: Buckets, tmp_path: Path) -> None:
    duckdb.execute(f"COPY (SELECT 7 AS id) TO '{tmp_path}/x.parquet' (FORMAT parquet)")
    for key in ("out/a 1.csv", "out/b.csv", "out/deep/c.csv", "outside.csv"):
        buckets.objects[key] = f"id,name\n{len(key)},ä\n".encode()
    buckets.objects["x.parquet"] = (tmp_path / "x.parquet").read_bytes()
    described, rows = read_file(tmp_path, f"{scheme}://shop/out/*.csv")
    assert sorted(rows) == [(9, "ä"), (11, "ä")]
    assert described.bytes == sum(len(buckets.objects[key]) for key in ("out/a 1.csv", "out/b.csv"))
    assert sorted(buckets.read) == ["out/a 1.csv", "out/b.csv"]
    assert read_file(tmp_path, f"{scheme}://shop/*/*/c.csv")[1] == [(14, "ä")]
    assert sorted(read_file(tmp_path, f"{scheme}://shop/**/*.csv")[1]) == [(9, "ä"), (11, "ä"), (11, "ä"), (14, "ä")]
    assert sorted(read_file(tmp_path, f"{scheme}://shop/out/**/c.csv")[1]) == [(14, "ä")]
    assert read_file(tmp_path, f"{scheme}://shop/x.parquet")[1] == [(7,)]


@pytest.mark.parametrize("scheme", ["gs", "s3"])
def test_what_is_missing_denied_or_changed_is_an_error(scheme: str, buckets: Buckets, tmp_path: Path) -> None:
    buckets.objects |= {"a.csv": b"id\nx\n", "b.csv": b"id\n1\n", "c.csv": b"id\n1\n"}
    buckets.denied.add("b.csv")
    buckets.changed.add("c.csv")
    for where, reason in {
        "nope.csv": "there is no file {}://shop/nope.csv",
        "out/*.csv": "no file matches {}://shop/out/*.csv",
        "[ab].csv": "{}://shop/b.csv cannot be read",
        "[c].csv": "{}://shop/c.csv has changed while it was read",
    }.items():
        with pytest.raises(OriginError) as found:
            read_file(tmp_path, f"{scheme}://shop/{where}")
        assert reason.format(scheme) in str(found.value)
        assert "secret-key" not in str(found.value)
    with pytest.raises(OriginError, match=f"write {scheme}://bucket/path"):
        read_file(tmp_path, f"{scheme}://shop")


@pytest.mark.parametrize("scheme", ["gs", "s3"])
def test_credentials_that_are_given_are_taken(
    scheme: str, buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets.objects["a.csv"] = b"id\n7\n"
    where = f"{scheme}://shop/a.csv"
    for name in ("GOOGLE_SERVICE_ACCOUNT", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with open_files(tmp_path, {where: buckets.credentials[scheme]}) as files:
        assert read(files, tmp_path, Relation(file=where))[1] == [(7,)]
        assert "secret-key" not in repr(files)
    for wrong in ("hidden", '["hidden"]', '{"allow_http": "hidden"}', '{"region": 1, "private_key": "hidden"}'):
        with open_files(tmp_path, {where: wrong}) as files, pytest.raises(OriginError) as found:
            read(files, tmp_path, Relation(file=where))
        assert "has no credentials that this bucket takes: save " in str(found.value)
        assert "hidden" not in str(found.value)


def test_a_table_from_a_bucket_reads_each_file_once(
    buckets: Buckets, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    buckets.objects |= {"out/a.csv": b"id,name\n1,a\n", "out/b.csv": b"id,name\n2,b\n"}
    folder = write({"res/tmp/x.sql": "SELECT 1 AS x", "res/dependencies.toml": ""})
    assert main(["source", "add", "s3://shop/out/*.csv"]) == 0
    settings = folder / "res/raw/out.toml"
    assert 'file = "s3://shop/out/*.csv"' in settings.read_text()
    append = 'mode = "append"\nfile_column = "file"\n\n[columns]'
    settings.write_text(settings.read_text().replace("[columns]", append))
    assert main(["load"]) == 0
    buckets.objects["out/c.csv"] = b"id,name\n3,c\n"
    buckets.read.clear()
    assert main(["load"]) == 0
    assert buckets.read == ["out/c.csv"]
    with connect(DEFAULT_URL) as warehouse:
        assert sorted(warehouse.first_rows(TableName("raw", "out"), 9))[-1] == (3, "c", "s3://shop/out/c.csv")
    buckets.objects["out/d.csv"] = b"id,name\nx,c\n"
    assert main(["load"]) == 1
    assert "s3://shop/out/d.csv:2: id: 'x' is not INT64" in capsys.readouterr().out
