"""A graph as boxes and arrows: certificates of one row and CA are one box, whatever their number.

Each form of a picture (SVG, Mermaid, DOT) draws these boxes and arrows.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from .graph import Graph, GraphCertificate

BoxKind = Literal["authority", "certificate", "component"]
State = Literal["good", "soon", "ended"]
Relation = Literal["signs", "held by", "calls"]
TIMES = "\N{MULTIPLICATION SIGN}"
_DAY = timedelta(days=1)
_MOST_NAMES = 3     # of certificates of one box


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Certificates of one row and one CA, or a component."""

    number: int
    """The number of the box in the picture, from 0."""
    kind: BoxKind
    title: str
    """The first line."""
    lines: tuple[str, ...] = ()
    """The further lines; the last line of certificates is their end."""
    state: State = "good"
    """Whether a certificate has ended, or ends soon."""
    family: int = 0
    """The number of the root among the roots of the picture, which gives the colour."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """A relation of two boxes, by their numbers."""

    source: int
    target: int
    relation: Relation
    family: int
    """The number of the root of the certificate."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes and arrows; the boxes of certificates come before those of components."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def picture_of(graph: Graph, *, now: datetime, within: timedelta) -> Picture:
    """The picture of a graph; at *now*, what ends before *within* has passed ends soon."""
    groups = _groups(graph)
    group_of = {number: place for place, group in enumerate(groups) for number in group}
    families = [_family(graph, group[0]) for group in groups]
    colours = {root: place for place, root in enumerate(dict.fromkeys(families))}
    family = [colours[root] for root in families]
    boxes = [_box(graph, group, place, family[place], now, within)
             for place, group in enumerate(groups)]
    arrows = [Arrow(group_of[signer], place, "signs", family[place])
              for place, group in enumerate(groups)
              if (signer := graph.certificates[group[0]].signer) is not None]
    names = dict.fromkeys(holder.component for certificate in graph.certificates
                          if not certificate.authority for holder in certificate.holders
                          if holder.component)
    names |= dict.fromkeys(call.server for call in graph.calls)
    place_of = {name: len(groups) + place for place, name in enumerate(names)}
    boxes += (Box(number=place, kind="component", title=name, lines=_hosts(graph, name))
              for name, place in place_of.items())
    arrows += dict.fromkeys(
        Arrow(group_of[number], place_of[holder.component], "held by", family[group_of[number]])
        for number, certificate in enumerate(graph.certificates) if not certificate.authority
        for holder in certificate.holders if holder.component)
    arrows += dict.fromkeys(
        Arrow(place_of[call.client], place_of[call.server], "calls",
              family[group_of[call.certificates[0]]])
        for call in graph.calls if call.client in place_of)
    return Picture(tuple(boxes), tuple(arrows))


def _groups(graph: Graph) -> list[list[int]]:
    """The numbers of the certificates of each box: a CA, then what it signed."""
    groups = dict[tuple[object, ...], list[int]]()
    order = [number for number, certificate in enumerate(graph.certificates)
             if certificate.signer is None]
    below = dict[int, list[int]]()
    for number, certificate in enumerate(graph.certificates):
        if certificate.signer is not None:
            below.setdefault(certificate.signer, []).append(number)
    while order:
        number = order.pop(0)
        certificate = graph.certificates[number]
        alone = number if certificate.authority or not certificate.row else None
        groups.setdefault((certificate.row, certificate.signer, certificate.issuer, alone),
                          []).append(number)
        order[:0] = below.get(number, ())
    return [*groups.values()]


def _family(graph: Graph, number: int) -> int | str:
    """The root above a certificate; its issuer's name if the graph has no signer."""
    certificate = graph.certificates[number]
    while certificate.signer is not None:
        number = certificate.signer
        certificate = graph.certificates[number]
    return number if certificate.self_signed else certificate.issuer


def _box(graph: Graph, group: Sequence[int], place: int, family: int, now: datetime,
         within: timedelta) -> Box:
    members = [graph.certificates[number] for number in group]
    first = min(members, key=lambda certificate: certificate.not_after)
    return Box(number=place, kind="authority" if first.authority else "certificate",
               title=first.name + (f" {TIMES}{len(members)}" if len(members) > 1 else ""),
               lines=(*_lines(members), end_text(first, now)),
               state=state_of(first, now, within), family=family)


def _lines(members: Sequence[GraphCertificate]) -> Iterator[str]:
    """The subject of the certificates, unless the title is the subject, and an absent signer."""
    users = [*dict.fromkeys(certificate.user or certificate.subject for certificate in members)]
    if users != [members[0].name]:
        yield ", ".join(users[:_MOST_NAMES]) + ", …" * (len(users) > _MOST_NAMES)
    if members[0].signer is None and not members[0].self_signed:
        yield f"signed by {members[0].issuer}"
    keys = {(holder.host, holder.key) for certificate in members if certificate.authority
            for holder in certificate.holders if holder.key}
    if keys:
        hosts = [*dict.fromkeys(host or "" for host, _ in sorted(keys, key=str))]
        named = ", ".join(filter(None, hosts[:_MOST_NAMES])) + ", …" * (len(hosts) > _MOST_NAMES)
        yield f"key on {named}" if named else "with its key"


def _hosts(graph: Graph, component: str) -> tuple[str, ...]:
    """The hosts on which a component holds a certificate, as one line."""
    hosts = [*dict.fromkeys(holder.host for certificate in graph.certificates
                            if not certificate.authority for holder in certificate.holders
                            if holder.component == component and holder.host)]
    if not hosts:
        return ()
    return (", ".join(hosts[:_MOST_NAMES])
            + (f" and {len(hosts) - _MOST_NAMES} more" if len(hosts) > _MOST_NAMES else ""),)


def state_of(certificate: GraphCertificate, now: datetime, within: timedelta) -> State:
    """Whether a certificate has ended at *now*, or ends before *within* has passed."""
    if certificate.not_after < now:
        return "ended"
    return "soon" if certificate.not_after - now < within else "good"


def end_text(certificate: GraphCertificate, now: datetime) -> str:
    """The end of a certificate in words: `ends 2036-11-27 (3649 days)`."""
    date, days = certificate.not_after.date().isoformat(), (certificate.not_after - now) // _DAY
    if certificate.not_after < now:
        return f"ended {date} ({-days} day{'s' * (days != -1)} ago)"
    return f"ends {date} ({days} day{'s' * (days != 1)})"
