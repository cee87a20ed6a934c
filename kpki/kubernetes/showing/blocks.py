"""Bytes of PEM or DER → everything that they hold."""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from ... import pem
from ...errors import InputError
from ...stages import der
from .shown import Kind, Shown
from .signers import Authorities, Surroundings, by_subject, judged
from .things import BROKEN, is_encrypted_der, show_certificate, show_private_key, show_public_key, show_request

_BEGIN = re.compile(rb"^-----BEGIN ([^\r\n-]+)-----", re.MULTILINE)
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(pem.CERTIFICATE_LABELS, "certificate"), **dict.fromkeys(pem.CSR_LABELS, "request"),
    **dict.fromkeys(pem.KEY_LABELS, "private key"), **dict.fromkeys(("PUBLIC KEY", "RSA PUBLIC KEY"), "public key")}
_KEY_PARAMETERS = "EC PARAMETERS"       # openssl ecparam -genkey writes them before the key, and everybody passes over
_CERTIFICATE = "CERTIFICATE"
_PEM_ONLY = "in DER, and Kubernetes reads PEM only"


class _Piece(NamedTuple):
    """A PEM block, or the whole of a DER file (*label* ""); *block* is None where it is no whole one."""

    label: str
    block: pem.Block | None
    problem: str = ""


def is_pem(data: bytes) -> bool:
    """Whether there is a line that begins a PEM block."""
    return _BEGIN.search(data) is not None


def show_pem(data: bytes, *, authorities: Authorities | None = None, now: datetime) -> tuple[Shown, ...]:
    """What the PEM blocks of a file say, certificates first, all else in the file's order; text between does not count.

    A block that is cut off or broken is one that says so; a file of more blocks than anybody looks at says that alone.
    """
    if (count := sum(1 for _ in _BEGIN.finditer(data))) > pem.MOST:
        return (Shown(kind="unknown", problem=f"{count} PEM blocks, and kpki shows no more than {pem.MOST}"),)
    pieces = [piece for piece in _pieces(data) if piece.label != _KEY_PARAMETERS]
    certificates = [one.block.der for one in pieces if one.block and one.label in pem.CERTIFICATE_LABELS]
    try:
        pem.check_bundle(certificates)
    except InputError as error:
        return (Shown(kind="unknown", problem=error.message),)
    around = Surroundings(now=now, authorities=authorities, by_subject=by_subject(certificates))
    found = [_shown(piece, around) for piece in pieces]
    found.sort(key=lambda one: one.kind != "certificate")       # a stable order: all else as it stands
    return tuple(_paired(found))


def show_der(data: bytes, *, authorities: Authorities | None = None, now: datetime) -> Shown | None:
    """What a file in DER says; None where it is no certificate, request or key."""
    if len(data) > pem.LARGEST:
        return Shown(kind="unknown", problem=f"DER of {len(data)} octets, and kpki reads no more than {pem.LARGEST}")
    try:
        parts = der.items(der.content_of(data))
    except BROKEN:
        return None
    tags = [der.tag_of(one) for one in parts]
    if tags == [der.SEQUENCE, der.SEQUENCE, der.BIT_STRING]:
        asked = show_request(data)
        shown = asked if not asked.problem else judged(
            show_certificate(data), data, Surroundings(now=now, authorities=authorities))
    elif tags == [der.SEQUENCE, der.BIT_STRING] or tags == [der.INTEGER, der.INTEGER]:
        shown = show_public_key(data)
    elif tags[:1] == [der.INTEGER] or is_encrypted_der(data):
        shown = show_private_key(data, encoding="DER")
    else:
        return None
    return replace(shown, notes=(*shown.notes, _PEM_ONLY))


def _pieces(data: bytes) -> Iterator[_Piece]:
    starts = [match.start() for match in _BEGIN.finditer(data)]
    for start, end in pairwise((*starts, len(data))):
        text = data[start:end]
        label = text.partition(b"-----BEGIN ")[2].partition(b"-----")[0].decode("latin-1")
        try:
            block = next(pem.blocks(text), None)
        except InputError:
            yield _Piece(label, None, "its base64 is broken")
        else:
            if block and len(block.der) > pem.LARGEST:
                yield _Piece(label, None, f"it has {len(block.der)} octets, and kpki reads no more than {pem.LARGEST}")
            else:
                yield _Piece(label, block, "" if block else "the PEM block is cut off")


def _shown(piece: _Piece, around: Surroundings) -> Shown:
    label, block, problem = piece
    kind = _KINDS.get(label, "unknown")
    if block is None or kind == "unknown":
        return Shown(kind=kind, problem=problem or f"a PEM block {label}, which is nothing that kpki shows")
    if kind == "private key":
        return show_private_key(block.armour)
    if kind != "certificate":
        return (show_request if kind == "request" else show_public_key)(block.der)
    shown = judged(show_certificate(block.der), block.der, around)
    if label == _CERTIFICATE and not block.headers:
        return shown
    why = "headers in the PEM block" if block.headers else f"the PEM label {label}"
    return replace(shown, notes=(*shown.notes, f"Kubernetes passes over it, for {why}"))


def _paired(found: Sequence[Shown]) -> Iterator[Shown]:
    """The same, each private key with whether it is the certificate's."""
    certificates = {one.public_key for one in found if one.kind == "certificate"}
    for one in found:
        if one.kind == "private key" and one.public_key and certificates:
            word = "the key of the certificate" if one.public_key in certificates else "not the key of a certificate"
            one = replace(one, notes=(*one.notes, f"{word} in this file"))
        yield one
