"""Random graphs."""

from hypothesis import strategies as st

from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.warehouse.names import TableName


def table(name: str) -> TableName:
    """A table of tmp."""
    return TableName("tmp", name)


@st.composite
def graphs(draw: st.DrawFn, most: int = 12) -> Graph:
    """A graph of 1 to `most` tables, in which a table depends on any of those drawn before it."""
    names = draw(st.permutations([table(f"t{index:02}") for index in range(draw(st.integers(1, most)))]))
    return Graph(
        {
            name: frozenset(draw(st.sets(st.sampled_from(names[:index]), max_size=4)) if index else ())
            for index, name in enumerate(names)
        }
    )
