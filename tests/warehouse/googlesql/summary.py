"""The count of each outcome, printed at the end of the tests."""

from collections import Counter

import pytest


def report(terminal: pytest.TerminalReporter) -> None:
    """Print how many shapes have which outcome, if any were asked."""
    counts: Counter[object] = Counter(
        kind
        for reports in terminal.stats.values()
        for found in reports
        if isinstance(found, pytest.TestReport) and found.when == "call"
        for name, kinds in found.user_properties
        if name == "outcomes" and isinstance(kinds, list)
        for kind in kinds
    )
    if counts:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items(), key=str))
        terminal.write_sep("-", "GoogleSQL on DuckDB, held to Google's engine")
        terminal.write_line(f"{sum(counts.values())} shapes: {told}")
