"""What a node's request may ask for, before a CA answers it."""
from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from ..authority import key_fault
from ...errors import InputError, RefusedError
from ...kubernetes import reading
from ...kubernetes.profiles import KUBELET, NODE_PREFIX, NODES_GROUP
from ...stages import der, objects
from ...stages.extensions.identifiers import (BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_USAGE, KEY_USAGES,
                                              SUBJECT_ALTERNATIVE_NAME, SUBJECT_KEY_IDENTIFIER)
from ...stages.names import load_name
from ...stages.requests import EXTENSION_REQUEST, request_extensions

if TYPE_CHECKING:
    from cryptography.x509 import CertificateSigningRequest

_DNS, _IP = 0x82, 0x87
_HINT = "kpki node request makes one that asks for nothing else"


def check_request(csr: CertificateSigningRequest, *, node: str, dns: Collection[str],
                  addresses: Collection[str]) -> bytes:
    """The public key (DER) of a request that a CA may answer for *node*, whose *dns* names and *addresses* are these.

    Raises RefusedError for any other: a self-signature that fails, another subject or two CNs, a name or address that
    is not the node's, an extension beyond the profile's, a weak key. The profile's own extensions may be asked for.
    """
    data = csr.public_bytes(Encoding.DER)
    try:
        # the signature is whole octets: a BIT STRING that says otherwise was changed, though its octets are the same
        key, valid = csr.public_key(), csr.is_signature_valid and data.endswith(b"\0" + csr.signature)
    except (ValueError, UnsupportedAlgorithm):
        raise RefusedError("the request's key or signature is of a kind that cannot be read", hint=_HINT) from None
    if not valid:
        raise RefusedError("the request's self-signature does not hold: it was changed, or its key is not its sender's")
    fields = der.request_fields(data)
    _check_subject(der.whole(fields.subject), node)
    _check_attributes(data)
    try:
        for extension in request_extensions(data):
            _check_extension(extension, node, {node, *dns}, set(addresses))
    except InputError as error:
        raise RefusedError(f"the request's extensions cannot be read: {error.message}", hint=_HINT) from None
    if fault := key_fault(key):
        raise RefusedError(f"the request's {fault}", hint=_HINT)
    return der.whole(fields.subject_public_key_info)


def _check_subject(name: bytes, node: str) -> None:
    subject = reading.subject_of(name)
    wanted = f"the subject of this node is CN={NODE_PREFIX}{node}, O={NODES_GROUP}"
    users = [one.text for one in load_name(name).attributes(reading.COMMON_NAME)]
    if len(users) > 1:      # Go takes the last, others the first
        raise RefusedError(f"the request has {len(users)} CNs, {', '.join(map(repr, users))}, and a node has one name",
                           hint=wanted)
    if subject.user != NODE_PREFIX + node:
        raise RefusedError(f"the request is for CN={subject.user!r}, not for {NODE_PREFIX + node!r}", hint=wanted)
    if subject.groups != (NODES_GROUP,):
        groups = ", ".join(subject.groups) or "none"
        raise RefusedError(f"the request asks for the groups (O) {groups}, and a node is in {NODES_GROUP} alone",
                           hint=wanted)


def _check_attributes(data: bytes) -> None:
    for oid, _ in der.request_attributes(data):
        if oid != EXTENSION_REQUEST:
            raise RefusedError(f"the request carries the attribute {_known(oid)}, which a node's has not", hint=_HINT)


def _check_extension(extension: der.Extension, node: str, dns: Collection[str], addresses: Collection[str]) -> None:
    if extension.oid == SUBJECT_ALTERNATIVE_NAME:
        _check_names(extension, node, dns, addresses)
        return
    beyond = _BEYOND_PROFILE.get(extension.oid)
    if beyond is None:
        raise RefusedError(f"the request asks for {_known(extension.oid)}, which a node's certificate has not",
                           hint=_HINT)
    if fault := beyond(extension.value):
        raise RefusedError(f"the request asks for {fault}", hint=_HINT)


def _check_names(extension: der.Extension, node: str, dns: Collection[str], addresses: Collection[str]) -> None:
    for item in der.items(_sequence(extension.value)):
        size = len(der.content_of(item))
        if der.tag_of(item) not in (_DNS, _IP):
            raise RefusedError("the request asks for a name that is neither a DNS name nor an address", hint=_HINT)
        if der.tag_of(item) == _IP and size not in (4, 16):
            raise RefusedError(f"the request asks for an address of {size} octets, and an address has 4 or 16",
                               hint=_HINT)
    names = reading.names_of((extension,)) or reading.Names()
    for name in names.dns:
        if name not in dns:
            raise RefusedError(f"the request asks for the name {name!r}, which is not {node}'s",
                               hint=f"if it is: --dns {name}")
    for address in names.addresses:
        if address not in addresses:
            raise RefusedError(f"the request asks for the address {address}, which is not {node}'s",
                               hint=f"if it is: --address {address}")


def _constraints_beyond(value: bytes) -> str:
    """CA:TRUE, or a limit that only a CA has; FALSE is the default, and may be written."""
    said = der.items(_sequence(value))
    if all(one == der.boolean(False) for one in said[:1]) and len(said) <= 1:
        return ""
    return "CA:TRUE or a path length: a node signs nothing"


def _usages_beyond(value: bytes) -> str:
    """The uses of the key that a node's certificate never has."""
    if der.tag_of(value) != der.BIT_STRING:
        raise InputError("keyUsage is no bit string")
    octets = der.content_of(value)[1:]
    bits = {number for number in range(8 * len(octets)) if octets[number // 8] & 0x80 >> number % 8}
    names = dict(enumerate(short for short, _ in KEY_USAGES))
    beyond = [names.get(number, f"bit {number}") for number in sorted(bits) if names.get(number) not in _KEY_USAGES]
    return f"keyUsage {', '.join(beyond)}, which a node's certificate has not" if beyond else ""


def _purposes_beyond(value: bytes) -> str:
    """The purposes (extendedKeyUsage) that a node's certificate has not."""
    granted = {reading.USAGE_OIDS[one] for one in KUBELET.usages}
    beyond = [_known(oid) for oid in map(der.oid_text, der.items(_sequence(value))) if oid not in granted]
    return f"extendedKeyUsage {', '.join(beyond)}, which a node's certificate has not" if beyond else ""


def _sequence(value: bytes) -> bytes:
    if der.tag_of(value) != der.SEQUENCE:
        raise InputError("not a well-formed sequence")
    return der.content_of(value)


# Of the profile's extensions, what a request asks for beyond them: the answer has the profile's own, whatever it says.
_BEYOND_PROFILE: dict[str, Callable[[bytes], str]] = {
    BASIC_CONSTRAINTS: _constraints_beyond, KEY_USAGE: _usages_beyond, EXTENDED_KEY_USAGE: _purposes_beyond,
    SUBJECT_KEY_IDENTIFIER: lambda value: ""}
# nonRepudiation is in most recipes' request sections, and no TLS peer looks for it
_KEY_USAGES = ("digitalSignature", "nonRepudiation", "keyEncipherment")


def _known(oid: str) -> str:
    row = objects.by_oid().get(oid)
    return row.short_name if row else oid
