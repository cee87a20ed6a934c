"""The picture of a graph as text for other programs: Mermaid's flowchart and Graphviz's DOT."""
from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from .graph import Graph
from .picture import TIMES, Arrow, Box, picture_of
from ...clock import utc_now

_MONTH = timedelta(days=30)
_LINKS = {"signs": "-->", "held by": "---", "calls": "-.->"}
_SHAPES = {"authority": ("[[", "]]"), "certificate": ("[", "]"), "component": ("([", "])")}
_STYLES = {"signs": "", "held by": "dir=none, color=gray", "calls": "style=dashed"}
_BOXES = {"authority": "shape=box, style=bold", "certificate": "shape=box",
          "component": "shape=box, style=rounded"}
_ENDS = {"good": "", "soon": "#b45309", "ended": "#b91c1c"}


def mermaid_text(graph: Graph, *, now: datetime | None = None,
                 within: timedelta = _MONTH) -> str:
    """A graph as Mermaid's flowchart, which pages of GitHub, GitLab and wikis draw.

    A certificate that ends before *within* has passed at *now* (None: the clock) is amber, an
    ended one red.

    >>> print(kpki.mermaid_text(kpki.read_graph(host), now=now).splitlines()[0])
    flowchart LR
    """
    picture = picture_of(graph, now=now or utc_now(), within=within)
    lines = ["flowchart LR"]
    for box in picture.boxes:
        opening, closing = _SHAPES[box.kind]
        text = "<br>".join(_mermaid(line) for line in (box.title, *box.lines))
        lines.append(f'  n{box.number}{opening}"{text}"{closing}')
        if box.kind == "certificate" and _ENDS[box.state]:
            lines.append(f"  style n{box.number} stroke:{_ENDS[box.state]}")
    lines += (f"  n{arrow.source} {_LINKS[arrow.relation]} n{arrow.target}"
              for arrow in picture.arrows)
    return "\n".join(lines) + "\n"


def dot_text(graph: Graph, *, now: datetime | None = None,
             within: timedelta = _MONTH) -> str:
    """A graph in DOT, the language of Graphviz.

    A certificate that ends before *within* has passed at *now* (None: the clock) is amber, an
    ended one red.

    >>> print(kpki.dot_text(kpki.read_graph(host), now=now).splitlines()[0])
    digraph certificates {
    """
    picture = picture_of(graph, now=now or utc_now(), within=within)
    return "\n".join(("digraph certificates {", "  rankdir=LR;", '  node [fontname="sans-serif"];',
                      *map(_dot_box, picture.boxes), *_dot_arrows(picture.arrows), "}")) + "\n"


def _mermaid(text: str) -> str:
    """Text inside the quotes of Mermaid, which reads `#code;` as a character."""
    return "".join(character if character.isalnum() or character in f" -.,:=()…/@+_*{TIMES}"
                   else f"#{ord(character)};" for character in text)


def _dot_box(box: Box) -> str:
    colour = _ENDS[box.state]
    text = "\\n".join(_dot(line) for line in (box.title, *box.lines))
    return f'  n{box.number} [label="{text}", {_BOXES[box.kind]}' + (
        f', color="{colour}"' if colour else "") + "];"


def _dot(text: str) -> str:
    printable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
                        for character in text)
    return printable.replace("\\", "\\\\").replace('"', '\\"')


def _dot_arrows(arrows: tuple[Arrow, ...]) -> Iterator[str]:
    for arrow in arrows:
        style = _STYLES[arrow.relation]
        yield f"  n{arrow.source} -> n{arrow.target}" + (f" [{style}]" if style else "") + ";"
