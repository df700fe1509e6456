"""Many shapes at once. Google's engine takes as long for a query of one expression as for a query of fifty."""

from collections.abc import Mapping, Sequence

from tests.warehouse.googlesql.compare import Outcome, asked, outcome, tried
from tests.warehouse.googlesql.engine import Engine
from tests.warehouse.googlesql.known import recalled
from tests.warehouse.googlesql.oracle import Oracle, Rejected
from tests.warehouse.googlesql.shapes import Shape
from tests.warehouse.googlesql.values import Answer

SIZE = 50


def compare_all(shapes: Sequence[Shape], oracle: Oracle, engine: Engine, said: Mapping[str, str]) -> list[Outcome]:
    """What came of each shape. Google's engine is asked what it has not `said` yet (see known.py)."""
    parts = [shapes[start : start + SIZE] for start in range(0, len(shapes), SIZE)]
    return [outcome for part in parts for outcome in _compare(part, oracle, engine, said)]


def _compare(shapes: Sequence[Shape], oracle: Oracle, engine: Engine, said: Mapping[str, str]) -> list[Outcome]:
    """What came of each of a few shapes. What Google's engine may reject too is asked alone."""
    found = {shape: tried(shape.sql, engine) for shape in shapes}
    expected = {shape: recalled(shape, found[shape], said) for shape in shapes}
    unknown = [shape for shape in shapes if expected[shape] is None and isinstance(found[shape], Answer)]
    expected.update(answers([shape for shape in unknown if shape.is_expression], oracle))
    return [
        outcome(shape.sql, expected[shape] or asked(shape.sql, oracle), found[shape], rough=shape.rough)
        for shape in shapes
    ]


def answers(shapes: Sequence[Shape], oracle: Oracle) -> dict[Shape, Answer | Rejected]:
    """What Google's engine says of each expression, as one column of a query. If it rejects the query, or answers with
    another number of columns, it is asked again in halves."""
    if len(shapes) < 2:
        return {shape: asked(shape.sql, oracle) for shape in shapes}
    answer = asked(f"SELECT {', '.join(shape.text for shape in shapes)} FROM d.one", oracle)
    if isinstance(answer, Answer) and len(answer.columns) == len(shapes):
        return {
            shape: Answer((column,), [(row[place],) for row in answer.rows])
            for place, (shape, column) in enumerate(zip(shapes, answer.columns, strict=True))
        }
    half = len(shapes) // 2
    return answers(shapes[:half], oracle) | answers(shapes[half:], oracle)
