"""What a node's request may ask for, before a CA answers it."""
from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from ..authority import key_fault
from ...errors import InputError, RefusedError
from ...kubernetes import reading
from ...kubernetes.profiles import NODE_PREFIX, NODES_GROUP
from ...stages import der, objects
from ...stages.extensions.table import BASIC_CONSTRAINTS, SUBJECT_ALTERNATIVE_NAME
from ...stages.requests import EXTENSION_REQUEST, request_extensions

if TYPE_CHECKING:
    from cryptography.x509 import CertificateSigningRequest

_DNS, _IP = 0x82, 0x87
_HINT = "kpki node request makes one that asks for nothing else"


def check_request(csr: CertificateSigningRequest, *, node: str, dns: Collection[str],
                  addresses: Collection[str]) -> bytes:
    """The public key (DER) of a request that a CA may answer for *node*, whose *dns* names and *addresses* are these.

    Raises RefusedError for any other: a self-signature that fails, another subject, more than a subjectAltName of the
    node's own names and addresses, a weak key.
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
    wanted = f"CN={NODE_PREFIX}{node}, O={NODES_GROUP}"
    if subject.user != NODE_PREFIX + node:
        raise RefusedError(f"the request is for CN={subject.user!r}, not for {NODE_PREFIX + node!r}",
                           hint=f"the subject of this node is {wanted}")
    if subject.groups != (NODES_GROUP,):
        groups = ", ".join(subject.groups) or "none"
        raise RefusedError(f"the request asks for the groups (O) {groups}, and a node is in {NODES_GROUP} alone",
                           hint=f"the subject of this node is {wanted}")


def _check_attributes(data: bytes) -> None:
    for oid, _ in der.request_attributes(data):
        if oid != EXTENSION_REQUEST:
            raise RefusedError(f"the request carries the attribute {_known(oid)}, which a node's has not", hint=_HINT)


def _check_extension(extension: der.Extension, node: str, dns: Collection[str], addresses: Collection[str]) -> None:
    if extension.oid == BASIC_CONSTRAINTS and der.boolean(True) in extension.value:
        raise RefusedError("the request asks for CA:TRUE: a node signs nothing", hint=_HINT)
    if extension.oid != SUBJECT_ALTERNATIVE_NAME:
        raise RefusedError(f"the request asks for {_known(extension.oid)}: what a node's certificate is for is not its "
                           "to choose", hint=_HINT)
    for item in der.items(der.content_of(extension.value)):
        if der.tag_of(item) not in (_DNS, _IP):
            raise RefusedError("the request asks for a name that is neither a DNS name nor an address", hint=_HINT)
    names = reading.names_of((extension,)) or reading.Names()
    for name in names.dns:
        if name not in dns:
            raise RefusedError(f"the request asks for the name {name!r}, which is not {node}'s",
                               hint=f"if it is: --dns {name}")
    for address in names.addresses:
        if address not in addresses:
            raise RefusedError(f"the request asks for the address {address}, which is not {node}'s",
                               hint=f"if it is: --address {address}")


def _known(oid: str) -> str:
    row = objects.by_oid().get(oid)
    return row.short_name if row else oid
