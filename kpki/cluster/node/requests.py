"""A node's request, made on the node, and the CA's answer."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .node import host_row, request_key, validate_addressed
from .policy import validate_request
from ..authority import Authority, find_sound_key, issue, key_algorithm, make_key
from ..observed.inventory import inspect_layout, require
from ... import files, pem
from ...errors import InputError
from ...kubernetes.layouts import KEY_MODE, get_layout
from ...kubernetes.profiles import Node, sans_text
from ...kubernetes.values import subject_name
from ...stages.requests import req_new

if TYPE_CHECKING:
    from cryptography.x509 import CertificateSigningRequest

REQUEST_ALGORITHM = "ECDSA-P256"    # of a key that a node makes for itself, without its CA


def request_node(root: str, node: Node, *, algorithm: str | None, layout: str,
                 present: bytes | None) -> tuple[files.File, bytes]:
    """The key of a node's tree, and a request (PEM) for the node's names and addresses only.

    A sound key in the tree stays. *present* is the present request; it stays if its key and fields
    are the same.
    """
    inventory = require(inspect_layout(root, layout, also=[request_key(get_layout(layout))]))
    path = request_key(inventory.layout)
    data = inventory.file(path).data
    key = find_sound_key(data) if data else None
    if key is None or (algorithm is not None and key_algorithm(key) != algorithm):
        key = make_key(algorithm or REQUEST_ALGORITHM)
        data = pem.dump_key(key, form="traditional")
    csr = req_new(key, config="", subject=subject_name(node.identity),
                  addext=[f"subjectAltName={sans_text(node.identity)}"])
    answer = present if present is not None and same_request(present, csr) else pem.dump_csr(csr)
    return files.File(path, data or b"", KEY_MODE), answer


def same_request(present: bytes, csr: CertificateSigningRequest) -> bool:
    """Whether the *present* request (PEM) asks for the same as *csr*, with the same key."""
    try:
        old = pem.load_csr(present)
    except InputError:
        return False
    return old.is_signature_valid and old.tbs_certrequest_bytes == csr.tbs_certrequest_bytes


def sign_node(csr: CertificateSigningRequest, ca: Authority, node: Node, *, layout: str = "ssl",
              validity: timedelta, now: datetime, warnings: list[str]) -> bytes:
    """The answer to a node's request (PEM): the node's certificate, then the CA's.

    The certificate has the profile of the *layout*'s kubelet, whatever the request asks for. Raises
    RefusedError for a request against policy (`policy.validate_request`), InputError for a node
    without an address.
    """
    row = host_row(get_layout(layout), node)
    validate_addressed(node, row)
    public_key = validate_request(csr, node=node.name, dns=node.dns, addresses=node.addresses)
    certificate = issue(ca, row.profile, row.identity, public_key, validity=validity, now=now,
                        warnings=warnings)
    return pem.dump_certificate(certificate) + ca.bundle
