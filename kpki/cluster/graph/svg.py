"""The picture of a graph as SVG: one file, with no font, script or host of another.

Columns from left to right: the CAs by their depth, the leaves, the components. The calls run on the
right of the components.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import NamedTuple

from .graph import Graph
from .picture import Arrow, Box, Picture, picture_of
from ...clock import utc_now

_MONTH = timedelta(days=30)
_WIDTH, _GAP, _COLUMN_GAP, _MARGIN = 226, 12, 70, 16     # pixels, as all numbers here
_LINE, _TITLE, _PADDING = 15, 17, 7
_PORT, _LANE, _RADIUS, _LEGEND = 10, 11, 6, 34
_LETTER, _BOLD_LETTER = 6.1, 7.2    # the width of a letter on average
_FAMILIES = ("#1d4ed8", "#7c3aed", "#0f766e", "#be185d", "#4d7c0f", "#c2410c")
_ENDS = {"good": "#475569", "soon": "#b45309", "ended": "#b91c1c"}
_COMPONENT, _TEXT = "#475569", "#0f172a"


class _Place(NamedTuple):
    """Where a box stands: its left, its top, its height."""

    x: float
    y: float
    height: float

    @property
    def right(self) -> float:
        return self.x + _WIDTH

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def svg_text(graph: Graph, *, now: datetime | None = None, within: timedelta = _MONTH,
             title: str = "Certificates") -> str:
    """A graph as an SVG picture, for a file or for a place in an HTML page.

    The date of a certificate that ends before *within* has passed at *now* (None: the clock) is
    amber, of an ended one red. *title* is read to those who do not see the picture.

    >>> print(kpki.svg_text(kpki.read_graph(host), now=now)[:4])
    <svg
    """
    picture = picture_of(graph, now=now or utc_now(), within=within)
    calls = [arrow for arrow in picture.arrows if arrow.relation == "calls"]
    places = _places(picture, calls)
    lanes = _lanes(calls, places)
    right = max((place.right for place in places.values()), default=0)
    width = right + (len(lanes) + 2) * _LANE * bool(lanes) + _MARGIN
    height = max((place.y + place.height for place in places.values()), default=0) + _LEGEND
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11">',
        f"<title>{_text(title)}</title>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        *(_curve(arrow, places) for arrow in picture.arrows if arrow.relation != "calls"),
        *_calls(lanes, picture, places, right),
        *(part for box in picture.boxes for part in _box(box, places[box.number])),
        *_legend(height - _LEGEND / 2 + 4, {arrow.relation for arrow in picture.arrows}), "</svg>"]
    return "\n".join(lines) + "\n"


def _height(box: Box, ports: int = 0) -> float:
    text = _TITLE + _LINE * len(box.lines) + 2 * _PADDING - 4
    return max(text, _PORT * (ports + 1))


def _places(picture: Picture, calls: Sequence[Arrow]) -> dict[int, _Place]:
    """The place of each box by its number."""
    signers = {arrow.target: arrow.source for arrow in picture.arrows
               if arrow.relation == "signs"}
    depths = dict[int, int]()
    for box in picture.boxes:       # a CA comes before what it signed
        depths[box.number] = depths[signers[box.number]] + 1 if box.number in signers else 0
    authorities = [depths[box.number] for box in picture.boxes if box.kind == "authority"]
    leaves = max(authorities) + 1 if authorities else 0
    places = dict[int, _Place]()
    tops = dict[int, float]()
    for box in reversed(picture.boxes):     # a CA stands beside what it signed
        if box.kind == "component":
            continue
        column = depths[box.number] if box.kind == "authority" else leaves
        places[box.number] = _Place(_column(column), 0, _height(box))
    y: float = _MARGIN
    below = _below(signers)
    for box in picture.boxes:
        if box.number not in signers and box.kind != "component":
            y = _stack(box.number, below, places, y, tops) + _GAP
    left = _column(leaves + 1)
    _stack_components(picture, calls, places, left)
    return places


def _column(number: int) -> float:
    return _MARGIN + number * (_WIDTH + _COLUMN_GAP)


def _below(signers: Mapping[int, int]) -> dict[int, list[int]]:
    below = dict[int, list[int]]()
    for number, signer in signers.items():
        below.setdefault(signer, []).append(number)
    return below


def _stack(number: int, below: Mapping[int, Sequence[int]], places: dict[int, _Place], y: float,
           tops: dict[int, float]) -> float:
    """Place a box and all below it from *y* down; return where the next box may begin."""
    end, place = y, places[number]
    for child in below.get(number, ()):
        end = _stack(child, below, places, end, tops)
    children = [places[child] for child in below.get(number, ())]
    top = (children[0].middle + children[-1].middle - place.height) / 2 if children else y
    places[number] = place._replace(y=max(top, y))
    return max(end, places[number].y + place.height + _GAP)


def _stack_components(picture: Picture, calls: Sequence[Arrow], places: dict[int, _Place],
                      left: float) -> None:
    """Place the components, each as near as possible to what it holds."""
    held = dict[int, list[float]]()
    for arrow in picture.arrows:
        if arrow.relation == "held by":
            held.setdefault(arrow.target, []).append(places[arrow.source].middle)
    bottom = max((place.y + place.height for place in places.values()), default=_MARGIN)
    components = sorted((box for box in picture.boxes if box.kind == "component"),
                        key=lambda box: _mean(held.get(box.number, [bottom])))
    ports = {box.number: sum((arrow.source == box.number) + (arrow.target == box.number)
                             for arrow in calls) for box in components}
    heights = [_height(box, ports[box.number]) for box in components]
    total = sum(heights) + _GAP * 2 * max(len(heights) - 1, 0)
    y = float(_MARGIN)
    for box, height in zip(components, heights, strict=True):
        wanted = _mean(held.get(box.number, [bottom])) - height / 2
        y = max(y, min(wanted, max(bottom, _MARGIN + total) - total))
        places[box.number] = _Place(left, y, height)
        y += height + 2 * _GAP
        total -= height + 2 * _GAP


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _lanes(calls: Sequence[Arrow], places: Mapping[int, _Place]) -> list[Arrow]:
    """The calls, the shortest first: each has a lane of its own, the longest the outermost."""
    return sorted(calls, key=lambda arrow: abs(places[arrow.source].middle
                                               - places[arrow.target].middle))


def _calls(lanes: Sequence[Arrow], picture: Picture, places: Mapping[int, _Place],
           right: float) -> Iterator[str]:
    """The path of each call: out of the client, along its lane, into the server."""
    ports = {number: _ports(number, lanes, places) for number in places}
    titles = {box.number: box.title for box in picture.boxes}
    for lane, arrow in enumerate(lanes):
        y, to = ports[arrow.source][lane, "out"], ports[arrow.target][lane, "in"]
        start, end, x = (places[arrow.source].right, places[arrow.target].right,
                         right + (lane + 2) * _LANE)
        turn = _RADIUS if to > y else -_RADIUS
        colour = _FAMILIES[arrow.family % len(_FAMILIES)]
        yield (f'<g fill="none" stroke="{colour}"><title>{_text(titles[arrow.source])} calls '
               f"{_text(titles[arrow.target])}</title>"
               f'<path d="M{start:.0f} {y:.1f}H{x - _RADIUS:.0f}q{_RADIUS} 0 {_RADIUS} {turn}'
               f'V{to - turn:.1f}q0 {turn} {-_RADIUS} {turn}H{end + 7:.0f}"/>'
               f'<path d="M{end + 1:.0f} {to:.1f}l8 -4v8z" fill="{colour}" stroke="none"/></g>')


def _ports(number: int, lanes: Sequence[Arrow],
           places: Mapping[int, _Place]) -> dict[tuple[int, str], float]:
    """The ends of a component's calls at its box, in an order in which no two calls cross."""
    place = places[number]
    used = list[tuple[tuple[int, int, str], int, str]]()
    for lane, arrow in enumerate(lanes):
        for side, own, other in (("in", arrow.target, arrow.source),
                                 ("out", arrow.source, arrow.target)):
            if own == number:
                above = (places[other].y > place.y) - (places[other].y < place.y)
                used.append(((above, -lane if above > 0 else lane, side), lane, side))
    step = place.height / (len(used) + 1)
    return {(lane, side): place.y + step * (count + 1)
            for count, (_, lane, side) in enumerate(sorted(used))}


def _curve(arrow: Arrow, places: Mapping[int, _Place]) -> str:
    source, target = places[arrow.source], places[arrow.target]
    x, y, to_x, to_y = source.right, source.middle, target.x, target.middle
    bend = (to_x - x) / 2
    colour = _FAMILIES[arrow.family % len(_FAMILIES)]
    style = 'stroke-width="1.5"' if arrow.relation == "signs" else 'stroke-dasharray="2 3"'
    return (f'<path d="M{x:.0f} {y:.1f}C{x + bend:.0f} {y:.1f} {to_x - bend:.0f} {to_y:.1f} '
            f'{to_x:.0f} {to_y:.1f}" fill="none" stroke="{colour}" {style}/>')


def _box(box: Box, place: _Place) -> Iterator[str]:
    colour = _COMPONENT if box.kind == "component" else _FAMILIES[box.family % len(_FAMILIES)]
    fill = {"authority": colour, "certificate": "#f8fafc", "component": "#f1f5f9"}[box.kind]
    rounded = 14 if box.kind == "component" else 4
    text, end = ("#ffffff", "#ffffff") if box.kind == "authority" else (_TEXT, _ENDS[box.state])
    yield (f'<g><title>{_text(" · ".join((box.title, *box.lines)))}</title>'
           f'<rect x="{place.x:.0f}" y="{place.y:.1f}" width="{_WIDTH}" '
           f'height="{place.height:.1f}" rx="{rounded}" fill="{fill}" stroke="{colour}"/>')
    y = place.y + (place.height - (_TITLE + _LINE * len(box.lines))) / 2 + 13
    yield (f'<text x="{place.x + 10:.0f}" y="{y:.1f}" font-size="13" font-weight="600" '
           f'fill="{text}">{_cut(box.title, _BOLD_LETTER)}</text>')
    for number, line in enumerate(box.lines):
        y += _LINE if number else _TITLE
        last = number == len(box.lines) - 1 and box.kind != "component"
        weight = ' font-weight="600"' if last and box.state != "good" else ""
        yield (f'<text x="{place.x + 10:.0f}" y="{y:.1f}" fill="{end if last else text}"{weight}>'
               f"{_cut(line, _LETTER)}</text>")
    yield "</g>"


def _legend(y: float, relations: set[str]) -> Iterator[str]:
    x = float(_MARGIN)
    for relation, words, style in (("signs", "signs", 'stroke-width="1.5"'),
                                   ("held by", "is held by", 'stroke-dasharray="2 3"'),
                                   ("calls", "calls", "")):
        if relation in relations:
            head = f'<path d="M{x + 32:.0f} {y - 4:.1f}l-8 -4v8z" fill="{_COMPONENT}"/>'
            yield (f'<path d="M{x:.0f} {y - 4:.1f}h30" stroke="{_COMPONENT}" {style}/>'
                   f'{head if relation == "calls" else ""}'
                   f'<text x="{x + 38:.0f}" y="{y:.1f}" fill="{_COMPONENT}">{words}</text>')
            x += 120


def _cut(text: str, letter: float) -> str:
    """Text that fits into a box."""
    most = int((_WIDTH - 20) / letter)
    return _text(text if len(text) <= most else f"{text[:most - 1]}…")


def _text(text: str) -> str:
    """Text for XML, without characters that XML forbids."""
    return escape("".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
                          for character in text))
