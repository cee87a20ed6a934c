"""Bytes of PEM or DER → every certificate, request and key in them."""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from .shown import Shown, ShownKind
from .signers import Authorities, VerificationContext, by_subject, with_verdicts
from .things import (
    BROKEN,
    is_encrypted_der,
    show_certificate,
    show_private_key,
    show_public_key,
    show_request,
)
from ... import pem
from ...errors import InputError
from ...stages import der

_BEGIN = re.compile(rb"^-----BEGIN ([^\r\n-]+)-----", re.MULTILINE)
_KINDS: dict[str, ShownKind] = {
    **dict.fromkeys(pem.CERTIFICATE_LABELS, "certificate"),
    **dict.fromkeys(pem.CSR_LABELS, "request"),
    **dict.fromkeys(pem.KEY_LABELS, "private key"),
    **dict.fromkeys(("PUBLIC KEY", "RSA PUBLIC KEY"), "public key")}
# openssl ecparam -genkey writes this block before the key; every reader ignores it.
_KEY_PARAMETERS = "EC PARAMETERS"
_CERTIFICATE = "CERTIFICATE"
_PEM_ONLY = "the file is DER, and Kubernetes reads PEM only"


class _Piece(NamedTuple):
    """A PEM block of a file."""

    label: str
    block: pem.Block | None
    """The block; None if it cannot be read."""
    problem: str = ""
    """Why the block cannot be read."""


def is_pem(data: bytes) -> bool:
    """Whether a line of *data* begins a PEM block."""
    return _BEGIN.search(data) is not None


def show_pem(data: bytes, *, authorities: Authorities | None = None,
             now: datetime) -> tuple[Shown, ...]:
    """The content of a file's PEM blocks: certificates first, then the others in the file's order.

    Text between blocks is ignored. A broken block is shown with its problem. A file with too many
    blocks is shown as that one problem.
    """
    if (count := sum(1 for _ in _BEGIN.finditer(data))) > pem.MOST:
        return (Shown(kind="unknown",
                      problem=f"{count} PEM blocks, but kpki shows at most {pem.MOST}"),)
    pieces = [piece for piece in _pieces(data) if piece.label != _KEY_PARAMETERS]
    certificates = [piece.block.der for piece in pieces if piece.block
                    and piece.label in pem.CERTIFICATE_LABELS]
    try:
        pem.validate_bundle(certificates)
    except InputError as error:
        return (Shown(kind="unknown", problem=error.message),)
    context = VerificationContext(now=now, authorities=authorities,
                                  by_subject=by_subject(certificates))
    found = [_shown(piece, context) for piece in pieces]
    # stable: the others keep their order
    found.sort(key=lambda shown: shown.kind != "certificate")
    return tuple(_with_pair_notes(found))


def show_der(data: bytes, *, authorities: Authorities | None = None, now: datetime) -> Shown | None:
    """The content of a DER file; None if it is no certificate, request or key."""
    if len(data) > pem.LARGEST:
        return Shown(kind="unknown",
                     problem=f"DER of {len(data)} octets, but kpki reads at most {pem.LARGEST}")
    try:
        parts = der.items(der.content_of(data))
    except BROKEN:
        return None
    tags = [der.tag_of(part) for part in parts]
    if tags == [der.SEQUENCE, der.SEQUENCE, der.BIT_STRING]:
        request = show_request(data)
        shown = request if not request.problem else with_verdicts(
            show_certificate(data), data, VerificationContext(now=now, authorities=authorities))
    elif tags in ([der.SEQUENCE, der.BIT_STRING], [der.INTEGER, der.INTEGER]):
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
            yield _Piece(label, None, "the base64 of the PEM block is broken")
        else:
            if block and len(block.der) > pem.LARGEST:
                yield _Piece(label, None, f"the PEM block has {len(block.der)} octets, "
                                          f"but kpki reads at most {pem.LARGEST}")
            else:
                yield _Piece(label, block, "" if block else "the PEM block is cut off")


def _shown(piece: _Piece, context: VerificationContext) -> Shown:
    label, block, problem = piece
    kind = _KINDS.get(label, "unknown")
    if block is None or kind == "unknown":
        return Shown(kind=kind, problem=problem or f"a PEM block {label}, which kpki does not show")
    if kind == "private key":
        return show_private_key(block.armour)
    if kind != "certificate":
        return (show_request if kind == "request" else show_public_key)(block.der)
    shown = with_verdicts(show_certificate(block.der), block.der, context)
    if label == _CERTIFICATE and not block.headers:
        return shown
    why = "headers in the PEM block" if block.headers else f"the PEM label {label}"
    return replace(shown, notes=(
        *shown.notes, f"Kubernetes ignores this certificate because of {why}"))


def _with_pair_notes(found: Sequence[Shown]) -> Iterator[Shown]:
    """*found* with a note on each private key: whether a certificate of the file has the key."""
    certificates = {shown.public_key for shown in found if shown.kind == "certificate"}
    for shown in found:
        if shown.kind == "private key" and shown.public_key and certificates:
            words = ("the key of the certificate" if shown.public_key in certificates
                     else "not the key of a certificate")
            yield replace(shown, notes=(*shown.notes, f"{words} in this file"))
        else:
            yield shown
