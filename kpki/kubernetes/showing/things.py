"""DER → the facts of a certificate, a request or a key; a broken part hides no other part."""
from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm

from .rows import rows_of
from .shown import Shown, ShownKind, ShownUse
from ..private_key import verify_private_key
from ..profiles import NODE_PREFIX, NODES_GROUP
from ..reading import Names, Subject, names_of, subject_of
from ... import pem
from ...errors import KpkiError, UnsupportedError
from ...pem.times import read_time
from ...stages import der, objects, records
from ...stages.extensions.identifiers import (
    BASIC_CONSTRAINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    KEY_USAGES,
    SUBJECT_ALTERNATIVE_NAME,
)
from ...stages.keys import public_key_der
from ...stages.names import load_name
from ...stages.requests import request_extensions
from ...stages.signatures import is_self_signed
from ...stages.text.certificate import serial_text
from ...stages.text.general_name import general_name_text
from ...stages.text.name import name_text

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

ShownFacts = dict[str, Any]
Extensions = tuple[records.Extension, ...]
# The errors of readers for unreadable bytes.
BROKEN = (ValueError, TypeError, IndexError, UnsupportedAlgorithm, UnsupportedError)
_CURVES = {"secp224r1": "P224", "secp256r1": "P256", "secp384r1": "P384", "secp521r1": "P521"}
_IP_OR_DNS = (0x82, 0x87)
_ANY_USE: dict[str, tuple[ShownUse, ...]] = {"serverAuth": ("server",), "clientAuth": ("client",),
                                        "anyExtendedKeyUsage": ("client", "server")}


def show_certificate(data: bytes) -> Shown:
    """The facts of a certificate (DER)."""
    try:
        fields = records.certificate_fields(data)
        extensions = records.extensions_of(fields)
    except BROKEN:
        return Shown(kind="certificate", problem="not a well-formed certificate")
    issuer = fields.issuer
    # a CA of version 1 is not marked as a CA
    root = not extensions and issuer == fields.subject
    return _shown("certificate", fields.subject, fields.subject_public_key_info, extensions,
                  root=root, more={
        "serial number": lambda: {"serial": serial_text(fields.serial_number).replace("\\\n", "")},
        "issuer": lambda: {"issuer": _name(issuer)},
        "dates": lambda: dict(zip(("not_before", "not_after"),
                                  _validity(fields.validity), strict=True))})


def show_request(data: bytes) -> Shown:
    """The facts of a certificate signing request (DER)."""
    try:
        fields = records.request_fields(data)
        extensions = request_extensions(data)
    except BROKEN:
        return Shown(kind="request", problem="not a well-formed certificate request")
    return _shown("request", fields.subject, fields.subject_public_key_info, extensions,
                  more={"signature": lambda: _self_signature(data)})


def show_private_key(block: bytes, *, encoding: str | None = None) -> Shown:
    """The public half of a private key (PEM, or DER as *encoding*); a note if it is encrypted."""
    if pem.is_encrypted(block[:200]) or (encoding == "DER" and is_encrypted_der(block)):
        return Shown(kind="private key", notes=(
            "an encrypted private key: no component of Kubernetes can load it",))
    try:
        shown = _key("private key", public_key_der(pem.load_key(block, encoding=encoding)))
    except KpkiError as error:
        return Shown(kind="private key", problem=error.message)
    reason = None if encoding == "DER" else verify_private_key(block).reason
    if not reason:
        return shown
    return replace(shown, notes=(f"no component of Kubernetes can use the key: {reason}",))


def show_public_key(data: bytes) -> Shown:
    """A public key (DER)."""
    try:
        return _key("public key", public_key_der(pem.load_public_key(data, encoding="DER")))
    except KpkiError as error:
        return Shown(kind="public key", problem=error.message)


def is_encrypted_der(data: bytes) -> bool:
    """Whether DER is an EncryptedPrivateKeyInfo: algorithm and encrypted octets (RFC 5958 §3)."""
    try:
        return [der.tag_of(item)
                for item in der.items(der.content_of(data))] == [der.SEQUENCE, der.OCTET_STRING]
    except BROKEN:
        return False


def _key(kind: ShownKind, public_key: bytes) -> Shown:
    return Shown(kind=kind, key=key_name(public_key),
                 public_key=hashlib.sha256(public_key).hexdigest())


def key_name(public_key: bytes) -> str:
    """Kind and size of a SubjectPublicKeyInfo (DER): `RSA-2048`, `ECDSA-P256`, `Ed25519`.

    Raises InputError for other octets.
    """
    try:
        key: PublicKeyTypes = pem.load_public_key(public_key, encoding="DER")
    except UnsupportedError:
        return "RSA-PSS"
    kind = type(key).__name__.lstrip("_").removesuffix("PublicKey")
    curve = getattr(key, "curve", None)
    if curve is not None:
        return f"ECDSA-{_CURVES.get(curve.name, curve.name)}"
    return f"{kind}-{key.key_size}" if hasattr(key, "key_size") else kind


def _shown(kind: ShownKind, subject: bytes, public_key: bytes, extensions: Extensions, *,
           root: bool = False, more: Mapping[str, Callable[[], ShownFacts]] | None = None) -> Shown:
    """The readable facts of a certificate or request; the problem names the unreadable parts."""
    values, unreadable, notes = ShownFacts(), list[str](), list[str]()
    readers: dict[str, Callable[[], ShownFacts]] = {
        "subject": lambda: _identity(subject), **(more or {}),
        "public key": lambda: {"key": key_name(public_key)},
        "subjectAltName": lambda: _names(extensions),
        "keyUsage": lambda: {"key_usages": _key_usages(extensions)},
        "extendedKeyUsage": lambda: {"usages": _usages(extensions)},
        "basicConstraints": lambda: {"uses": _uses(extensions, root)}}
    for part, read in readers.items():
        try:
            found = read()
            notes += found.pop("notes", ())
            values |= found
        except BROKEN:
            unreadable.append(part)
    problem = f"{' and '.join(unreadable)} cannot be read" if unreadable else ""
    return Shown(kind=kind, problem=problem, public_key=hashlib.sha256(public_key).hexdigest(),
                 notes=tuple(notes),
                 rows=_rows(values, extensions, unreadable), **values)


def _identity(name: bytes) -> ShownFacts:
    """The owner to the API server; a node has the prefix and the group (Node authorizer)."""
    subject = subject_of(name)
    prefix, group = subject.user.startswith(NODE_PREFIX), NODES_GROUP in subject.groups
    lack = f"O lacks {NODES_GROUP}" if prefix else f"CN does not begin with {NODE_PREFIX}"
    notes = (f"no node to Kubernetes: {lack}",) if prefix != group else ()
    return {"subject": _name(name), "user": subject.user or None, "groups": subject.groups,
            "notes": notes,
            "node": subject.user.removeprefix(NODE_PREFIX) if prefix and group else None}


def _name(name: bytes) -> str:
    return name_text(load_name(name), "RFC2253")


def _rows(values: ShownFacts, extensions: Extensions, unreadable: list[str]) -> tuple[str, ...]:
    if {"subject", "subjectAltName", "extendedKeyUsage", "basicConstraints"} & {*unreadable}:
        return ()
    return rows_of(Subject(values["user"] or "", values["groups"]), names_of(extensions) or Names(),
                   values["uses"])


def _names(extensions: Extensions) -> ShownFacts:
    value = _value(extensions, SUBJECT_ALTERNATIVE_NAME)
    if value is None:
        return {}
    found = names_of(extensions) or Names()
    others = (general_name_text(item) for item in der.items(der.content_of(value))
              if der.tag_of(item) not in _IP_OR_DNS)
    return {"named": True, "names": (*found.dns, *found.addresses, *others)}


def _key_usages(extensions: Extensions) -> tuple[str, ...]:
    value = _value(extensions, KEY_USAGE)
    if value is None:
        return ()
    octets = der.content_of(value)[1:]
    return tuple(name for number, (name, _) in enumerate(KEY_USAGES)
                 if number < 8 * len(octets) and octets[number // 8] & 0x80 >> number % 8)


def _usages(extensions: Extensions) -> tuple[str, ...]:
    value = _value(extensions, EXTENDED_KEY_USAGE)
    oids = () if value is None else tuple(der.oid_text(item)
                                          for item in der.items(der.content_of(value)))
    return tuple(known.short_name if (known := objects.find_object(oid)) else oid for oid in oids)


def _uses(extensions: Extensions, root: bool) -> tuple[ShownUse, ...]:
    """The uses that Go permits; of a CA, signing and the uses that extendedKeyUsage names."""
    constraints, usages = _value(extensions, BASIC_CONSTRAINTS), _usages(extensions)
    authority = root or (constraints is not None
                         and der.boolean(True) in der.items(der.content_of(constraints))
                         and "keyCertSign" in (_key_usages(extensions) or ("keyCertSign",)))
    wide = () if authority else ("anyExtendedKeyUsage",)
    named = {use for usage in usages or wide for use in _ANY_USE.get(usage, ())}
    order: tuple[ShownUse, ...] = ("client", "server")
    return (*(("sign",) if authority else ()), *(use for use in order if use in named))


def _self_signature(request: bytes) -> ShownFacts:
    """A note if the request is not signed by its own key, which proves possession (RFC 2986 §3)."""
    proven = is_self_signed(pem.load_csr(request, encoding="DER"))
    if proven:
        return {}
    return {"notes": ("the request is not signed by its own key: no CA may sign it",)}


def _value(extensions: Extensions, oid: str) -> bytes | None:
    return next((extension.value for extension in extensions if extension.oid == oid), None)


def _validity(item: bytes) -> tuple[datetime, ...]:
    """The two dates; anything after them is ignored, as in Go."""
    dates = der.items(der.content_of(item))[:2]
    return tuple(read_time(der.tag_of(date), der.content_of(date))[0] for date in dates)
