"""Pictures of what is read by what: boxes in columns from left to right, and a line from each box to its readers.

A picture of some tables around one needs no layout program: each box stands as many columns from the middle as there
are steps from it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup, escape

_ROW, _HEIGHT, _GAP, _CHARACTER, _PADDING = 34, 24, 56, 7.2, 20
_MOST_IN_A_COLUMN = 12
_MOST_CHARACTERS = 40

Edges = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its text, what it is (the class of its style), and the address that it leads to ("": nowhere)."""

    text: str
    kind: str
    link: str = ""


def around(name: str, reads: Edges, readers: Edges, steps: int) -> list[list[str]]:
    """The names up to so many steps before and after `name`, in columns from left to right."""
    before, after = _levels(name, reads, steps), _levels(name, readers, steps)
    return [*reversed(before), [name], *after]


def _levels(name: str, edges: Edges, steps: int) -> list[list[str]]:
    """What is one step away, two steps away, … ; each name at its shortest distance."""
    seen, last, levels = {name}, [name], list[list[str]]()
    for _ in range(steps):
        last = sorted({one for each in last for one in edges.get(each, ())} - seen)
        if not last:
            break
        seen.update(last)
        levels.append(last)
    return levels


def drawn(columns: Sequence[Sequence[str]], reads: Edges, box: Callable[[str], Box], label: str) -> Markup:
    """The picture as an SVG element. `reads` has for each name what it reads; `label` says what the picture shows, for
    those who cannot see it."""
    shown = [list(names[:_MOST_IN_A_COLUMN]) for names in columns]
    left_out = [len(names) - len(kept) for names, kept in zip(columns, shown, strict=True)]
    boxes = {name: box(name) for names in shown for name in names}
    widths = [_width([boxes[name].text for name in names], more) for names, more in zip(shown, left_out, strict=True)]
    height = max(len(names) + bool(more) for names, more in zip(shown, left_out, strict=True)) * _ROW + 8
    places = _places(shown, left_out, widths, height)
    pieces = [_line(places[read], places[name]) for name in boxes for read in reads.get(name, ()) if read in places]
    pieces += [_box(boxes[name], place) for name, place in places.items()]
    pieces += _notes(left_out, shown, widths, height)
    width = sum(widths) + _GAP * (len(widths) - 1) + _GAP / 2 + 4  # lines may go round the last boxes
    return Markup(  # noqa: S704 (each piece is escaped)
        f'<svg class="picture" role="group" aria-label="{escape(label)}" width="{width:.0f}" height="{height}"'
        f' viewBox="0 0 {width:.0f} {height}">{"".join(pieces)}</svg>'
    )


_Place = tuple[float, float, float]
"""Left, top and width of a box."""


def _width(texts: Iterable[str], left_out: int) -> float:
    longest = max((len(_short(text)) for text in texts), default=0)
    return max(longest, len(_more(left_out)) if left_out else 0) * _CHARACTER + _PADDING


def _places(
    columns: Sequence[Sequence[str]], left_out: Sequence[int], widths: Sequence[float], height: float
) -> dict[str, _Place]:
    places: dict[str, _Place] = {}
    left = 2.0
    for names, more, width in zip(columns, left_out, widths, strict=True):
        top = (height - (len(names) + bool(more)) * _ROW) / 2
        places |= {name: (left, top + number * _ROW + (_ROW - _HEIGHT) / 2, width) for number, name in enumerate(names)}
        left += width + _GAP
    return places


def _box(box: Box, place: _Place) -> str:
    left, top, width = place
    kind, shown, title, link = _escaped(box)
    inside = (
        f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_HEIGHT}" rx="5"/>'
        f'<text x="{left + width / 2:.1f}" y="{top + 16:.1f}" text-anchor="middle">{shown}</text>'
        f"<title>{title}</title>"
    )
    return f'<a href="{link}">{inside}</a>' if link else f"<g>{inside}</g>"


@lru_cache(maxsize=16_384)  # each box is in many pictures
def _escaped(box: Box) -> tuple[str, ...]:
    return tuple(str(escape(text)) for text in (box.kind, _short(box.text), box.text, box.link))


def _line(start: _Place, end: _Place) -> str:
    """A curve from the right edge of a box to the left edge of its reader. A reader that stands in the same column, or
    before it, is reached at its right edge, so that the curve does not cross both boxes."""
    from_x, from_y = start[0] + start[2], start[1] + _HEIGHT / 2
    is_forward = end[0] > from_x
    to_x, to_y = end[0] + (0 if is_forward else end[2]), end[1] + _HEIGHT / 2
    middle = (from_x + to_x) / 2 if is_forward else max(from_x, to_x) + _GAP / 2
    curve = f"M{from_x:.1f} {from_y:.1f}C{middle:.1f} {from_y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    return f'<path d="{curve}"/>'


def _notes(
    left_out: Sequence[int], columns: Sequence[Sequence[str]], widths: Sequence[float], height: float
) -> Iterable[str]:
    """How many names each column leaves out, below its last box."""
    left = 2.0
    for more, names, width in zip(left_out, columns, widths, strict=True):
        if more:
            top = (height - (len(names) + 1) * _ROW) / 2 + len(names) * _ROW
            place = f'x="{left + width / 2:.1f}" y="{top + 21:.1f}" text-anchor="middle"'
            yield f'<text class="more" {place}>{_more(more)}</text>'
        left += width + _GAP


def _more(count: int) -> str:
    return f"and {count:,} more"


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
