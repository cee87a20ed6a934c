"""The policy for a node's request: the names, groups and extensions that a request may ask for."""
from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from ..authority import find_key_fault
from ...errors import InputError, RefusedError
from ...kubernetes import reading
from ...kubernetes.profiles import KUBELET_PROFILE, NODE_PREFIX, NODES_GROUP, Identity
from ...stages import der, objects, records
from ...stages.extensions.identifiers import (
    BASIC_CONSTRAINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    KEY_USAGES,
    SUBJECT_ALTERNATIVE_NAME,
    SUBJECT_KEY_IDENTIFIER,
)
from ...stages.names import load_name
from ...stages.requests import EXTENSION_REQUEST, request_extensions

if TYPE_CHECKING:
    from cryptography.x509 import CertificateSigningRequest

_DNS, _IP = 0x82, 0x87
_HINT = "kpki node request makes a request within the policy"


def validate_request(csr: CertificateSigningRequest, *, node: str, dns: Collection[str],
                     addresses: Collection[str]) -> bytes:
    """The public key (DER) of a request that a CA may sign for *node*.

    The node has these *dns* names and *addresses*. Raises RefusedError for a self-signature that
    fails, another subject or two CNs, or a weak key. Raises RefusedError for a name or address that
    is not the node's, or an extension that the profile lacks.
    """
    data = _proved(csr)
    fields = records.request_fields(data)
    _validate_subject(fields.subject, node)
    _validate_rest(csr, data, node, {node, *dns}, set(addresses))
    return fields.subject_public_key_info


def validate_row_request(csr: CertificateSigningRequest, identity: Identity, host: str) -> bytes:
    """The public key (DER) of a request that a CA may sign for a row with this *identity*.

    *host* is the row's host, for messages. Raises RefusedError as `validate_request`.
    """
    data = _proved(csr)
    fields = records.request_fields(data)
    subject = reading.subject_of(fields.subject)
    users = load_name(fields.subject).attributes(reading.COMMON_NAME)
    if (len(users), subject.user, {*subject.groups}) != (1, identity.user, {*identity.groups}):
        raise RefusedError(f"the request is for {_who(subject.user, subject.groups)}, and the row "
                           f"is {_who(identity.user, identity.groups)}")
    _validate_rest(csr, data, host, {*identity.dns}, {*identity.addresses})
    return fields.subject_public_key_info


def _who(user: str, groups: Sequence[str]) -> str:
    return ", ".join([f"CN={user!r}", *(f"O={group!r}" for group in groups)])


def _proved(csr: CertificateSigningRequest) -> bytes:
    """A request in DER. Raises RefusedError if its self-signature fails."""
    data = csr.public_bytes(Encoding.DER)
    try:
        # a signature is whole octets: a BIT STRING with unused bits was changed
        csr.public_key()
        valid = csr.is_signature_valid and data.endswith(b"\0" + csr.signature)
    except (ValueError, UnsupportedAlgorithm):
        raise RefusedError("the request's key or signature is of a kind that cannot be read",
                           hint=_HINT) from None
    if not valid:
        raise RefusedError("the request's self-signature fails: somebody changed the request, or "
                           "replaced its key")
    return data


def _validate_rest(csr: CertificateSigningRequest, data: bytes, node: str, dns: Collection[str],
                   addresses: Collection[str]) -> None:
    """Raise RefusedError for attributes, extensions, names or a key against the policy."""
    _validate_attributes(data)
    try:
        for extension in request_extensions(data):
            _validate_extension(extension, node, dns, addresses)
    except InputError as error:
        raise RefusedError(f"the request's extensions cannot be read: {error.message}",
                           hint=_HINT) from None
    if fault := find_key_fault(csr.public_key()):
        raise RefusedError(f"the request's {fault}", hint=_HINT)


def _validate_subject(name: bytes, node: str) -> None:
    subject = reading.subject_of(name)
    wanted = f"the subject of this node is CN={NODE_PREFIX}{node}, O={NODES_GROUP}"
    users = [attribute.text for attribute in load_name(name).attributes(reading.COMMON_NAME)]
    if len(users) > 1:      # Go takes the last, others the first
        raise RefusedError(f"the request has {len(users)} CNs, {', '.join(map(repr, users))}, and "
                           "a node has one name", hint=wanted)
    if subject.user != NODE_PREFIX + node:
        raise RefusedError(f"the request is for CN={subject.user!r}, "
                           f"not for {NODE_PREFIX + node!r}", hint=wanted)
    if subject.groups != (NODES_GROUP,):
        groups = ", ".join(subject.groups) or "none"
        raise RefusedError(f"the request asks for the groups (O) {groups}, and a node is in "
                           f"{NODES_GROUP} alone", hint=wanted)


def _validate_attributes(data: bytes) -> None:
    for oid, _ in records.request_attributes(data):
        if oid != EXTENSION_REQUEST:
            raise RefusedError(f"the request carries the attribute {_oid_name(oid)}, which a "
                               "node's request has not", hint=_HINT)


def _validate_extension(extension: records.Extension, node: str, dns: Collection[str],
                        addresses: Collection[str]) -> None:
    if extension.oid == SUBJECT_ALTERNATIVE_NAME:
        _validate_names(extension, node, dns, addresses)
        return
    beyond = _BEYOND_PROFILE.get(extension.oid)
    if beyond is None:
        raise RefusedError(f"the request asks for {_oid_name(extension.oid)}, which a node's "
                           "certificate has not",
                           hint=_HINT)
    if fault := beyond(extension.value):
        raise RefusedError(f"the request asks for {fault}", hint=_HINT)


def _validate_names(extension: records.Extension, node: str, dns: Collection[str],
                    addresses: Collection[str]) -> None:
    for item in der.items(_sequence(extension.value)):
        size = len(der.content_of(item))
        if der.tag_of(item) not in (_DNS, _IP):
            raise RefusedError("the request asks for a name that is neither a DNS name nor an "
                               "address", hint=_HINT)
        if der.tag_of(item) == _IP and size not in (4, 16):
            raise RefusedError(f"the request asks for an address of {size} octets, and an address "
                               "has 4 or 16",
                               hint=_HINT)
    names = reading.names_of((extension,)) or reading.Names()
    for name in names.dns:
        if name not in dns:
            raise RefusedError(f"the request asks for the name {name!r}, which is not {node}'s",
                               hint=f"if {node} has this name: --dns {name}")
    for address in names.addresses:
        if address not in addresses:
            raise RefusedError(f"the request asks for the address {address}, which is not {node}'s",
                               hint=f"if {node} has this address: --address {address}")


def _constraints_beyond(value: bytes) -> str:
    """CA:TRUE, or a path length; "" for CA:FALSE, the default, which a request may state."""
    items = der.items(_sequence(value))
    if all(item == der.boolean(False) for item in items[:1]) and len(items) <= 1:
        return ""
    return "CA:TRUE or a path length: a node signs nothing"


def _usages_beyond(value: bytes) -> str:
    """The key usages of a request that a node's certificate lacks, "" for none."""
    if der.tag_of(value) != der.BIT_STRING:
        raise InputError("keyUsage is no bit string")
    octets = der.content_of(value)[1:]
    bits = {number for number in range(8 * len(octets)) if octets[number // 8] & 0x80 >> number % 8}
    names = dict(enumerate(short for short, _ in KEY_USAGES))
    beyond = [names.get(number, f"bit {number}") for number in sorted(bits)
              if names.get(number) not in _KEY_USAGES]
    return f"keyUsage {', '.join(beyond)}, which a node's certificate has not" if beyond else ""


def _purposes_beyond(value: bytes) -> str:
    """The extended key usages of a request that a node's certificate lacks, "" for none."""
    granted = {reading.USAGE_OIDS[usage] for usage in KUBELET_PROFILE.usages}
    beyond = [_oid_name(oid) for oid in map(der.oid_text, der.items(_sequence(value)))
              if oid not in granted]
    return f"extendedKeyUsage {', '.join(beyond)}, which a node's certificate has not" \
        if beyond else ""


def _sequence(value: bytes) -> bytes:
    if der.tag_of(value) != der.SEQUENCE:
        raise InputError("not a well-formed sequence")
    return der.content_of(value)


# Extension → the function that names what a request asks for beyond the profile. The answer always
# has the profile's own extensions.
_BEYOND_PROFILE: dict[str, Callable[[bytes], str]] = {
    BASIC_CONSTRAINTS: _constraints_beyond, KEY_USAGE: _usages_beyond,
    EXTENDED_KEY_USAGE: _purposes_beyond, SUBJECT_KEY_IDENTIFIER: lambda _: ""}
# most recipes request nonRepudiation, and no TLS peer checks nonRepudiation
_KEY_USAGES = ("digitalSignature", "nonRepudiation", "keyEncipherment")


def _oid_name(oid: str) -> str:
    row = objects.find_object(oid)
    return row.short_name if row else oid
