"""Results of tests as JUnit XML, which CI systems show: https://github.com/testmoapp/junitxml"""

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from warehouse_refresh.pipeline.testing.running import Result

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Sequence[Result]) -> str:
    """The results as a document. What XML cannot hold becomes U+FFFD."""
    failed = sum(not result.passed for result in results)
    seconds = sum(result.seconds for result in results)
    counts = {"tests": str(len(results)), "failures": str(failed), "errors": "0", "time": f"{seconds:.3f}"}
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", {"name": "refresh test", **counts})
    for result in results:
        case = result.case
        place = {"file": str(case.path), "line": str(case.place.line if case.place else 1)}
        names = {"classname": str(case.table), "name": _text(case.name), "time": f"{result.seconds:.3f}"}
        found = ET.SubElement(suite, "testcase", {**names, **place})
        if not result.passed:
            failure = ET.SubElement(found, "failure", {"message": _text(result.failure)})
            failure.text = _text("\n".join([case.where, result.failure, *_lines(result)]))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def write_junit(path: Path, results: Sequence[Result]) -> None:
    """Write the document to a file. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(junit_xml(results), encoding="utf-8")


def _lines(result: Result) -> list[str]:
    names = [column.name for column in result.columns]
    return [
        f"expected {dict(zip(names, one.expected, strict=True)) if one.expected else None}, "
        f"got {dict(zip(names, one.got, strict=True)) if one.got else None}"
        for one in result.differences
    ]


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
