"""The catalogue of 1,000 tables: writing all of its pages, and the first one as the API answers it."""

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.commands import refresh, run
from benchmarks.generate import generate
from benchmarks.projects import LARGE
from warehouse_refresh.catalogue.pages import Served
from warehouse_refresh.catalogue.project_pages import ProjectPages


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    generate("random", LARGE, tmp_path)
    run(refresh("docs", tmp_path))  # so that the scripts are known
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_writing(benchmark: BenchmarkFixture, project: Path) -> None:
    benchmark.pedantic(run, args=[refresh("docs", project)])
    size = sum(page.stat().st_size for page in (project / "site").rglob("*") if page.is_file())
    benchmark.extra_info |= {"name": "`refresh docs`", "bytes": size}


def test_first_page(benchmark: BenchmarkFixture, project: Path) -> None:
    pages = ProjectPages(Served(needs_token=False))
    assert project.exists()
    pages.file("index.html")  # the first one that asks waits until the files are read
    content = benchmark.pedantic(pages.file, args=["index.html"])
    benchmark.extra_info |= {"name": "the first page, in the API (goal: 100 ms, 100 KB)", "bytes": len(content)}
