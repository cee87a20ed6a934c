"""The contents of a file of a tree, or the finding that says why they cannot be used."""
from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from .inventory import ObservedFile
from ..finding import Finding
from ... import pem
from ...errors import InputError, UnsupportedError
from ...kubernetes import reading
from ...kubernetes.go.certificate import parse
from ...kubernetes.go.der import GoError
from ...kubernetes.go.keys import UNSUPPORTED_CURVE
from ...kubernetes.private_key import find_canonical_key, verify_private_key
from ...kubernetes.profiles import SERVICE_ACCOUNTS
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate


def read_certificates(found: ObservedFile, row: str) -> tuple[list[Certificate], Finding | None]:
    """The certificates of a file, or the finding for the file."""
    data, finding = readable(found, row)
    if data is None:
        return [], finding
    certificates, fault = _certificates(data)
    return [*certificates], fault and replace(fault, path=found.path, row=row)


def first_certificate(found: ObservedFile) -> Certificate:
    """The first certificate of a file of which `read_certificates` has found no fault."""
    der = next(block.der for block in _blocks(found.data or b"")[0] if block.label == "CERTIFICATE")
    return pem.load_certificate(der, encoding="DER")


def other_block(found: ObservedFile, row: str) -> Finding | None:
    """The finding for a CA file of etcd's with a block that is no certificate.

    etcd, and its clients, parse each block as one (etcd, client/pkg/tlsutil: NewCertPool).
    """
    label = next((label for label in _blocks(found.data or b"")[1] if label != "CERTIFICATE"), "")
    return Finding("bad-pem", found.path, row,
                   f"file holds a {label} beside certificates, and etcd reads certificates alone",
                   got=label, expected="CERTIFICATE") if label else None


@lru_cache(maxsize=8)       # every host has the CA's certificates: parse them once
def _certificates(data: bytes) -> tuple[Sequence[Certificate], Finding | None]:
    blocks, labels = _blocks(data)
    if "CERTIFICATE" not in labels:
        if any(label.endswith("PRIVATE KEY") for label in labels):
            return (), Finding("key-cert-mismatch", "", "",
                               "the file holds a private key, not a certificate",
                               got=labels[0], expected="CERTIFICATE")
        return (), _no_pem("", "", data, "certificate")
    found = [block.der for block in blocks if block.label == "CERTIFICATE"]
    try:
        pem.validate_bundle(found)
        for der in found:
            parse(der)
        certificates = [pem.load_certificate(der, encoding="DER") for der in found]
    except GoError as error:
        cause = "weak-signature-or-key" if error.sentence == UNSUPPORTED_CURVE else "malformed-x509"
        return (), Finding(cause, "", "",
                           f"no component can read a certificate of this file: {error.sentence}",
                           got=error.sentence)
    except InputError as error:
        return (), Finding("malformed-x509", "", "", error.message)
    part = next(filter(None, map(reading.find_unreadable_part, certificates)), None)
    if part == reading.PUBLIC_KEY:
        return (), Finding("weak-signature-or-key", "", "",
                           "no component can use the public key of a certificate of "
                           "this file: an unknown kind, or numbers that are no RSA key's", got=part)
    if part:
        return (), Finding("malformed-x509", "", "",
                           f"the {part} of a certificate in it cannot be read", got=part)
    return certificates, None


def readable(found: ObservedFile, row: str) -> tuple[bytes | None, Finding | None]:
    """The bytes of a file, or the finding for the file; neither if the caller may not read it."""
    if found.unread:
        return None, None
    if found.missing:
        return None, Finding("file-missing", found.path, row, "file is missing")
    if found.data is None:
        return None, Finding("key-unreadable", found.path, row,
                             f"the file cannot be read: {found.problem}")
    return found.data, None


def _blocks(data: bytes) -> tuple[list[pem.Block], list[str]]:
    try:
        blocks = list(pem.blocks(data))
    except InputError:
        blocks = []
    return blocks, [block.label for block in blocks]


def _no_pem(path: str, row: str, data: bytes, noun: str) -> Finding:
    if not data.strip():
        what = "the file is empty"
    elif data[:1] == b"\x30":
        what = "the file looks like DER, and Kubernetes reads PEM only"
    elif b"-----BEGIN " in data:
        what = "the PEM block is cut off, broken or of another kind"
    else:
        what = "there is no PEM block"
    return Finding("bad-pem", path, row, f"the file has no {noun}: {what}",
                   got=f"{len(data)} bytes", expected=f"a {noun} in PEM")


def read_public_keys(found: ObservedFile, row: str) -> tuple[list[bytes], Finding | None]:
    """The public keys (DER) of a file, or the finding for the file.

    Certificates and private keys count, and other blocks are ignored, as in kube-apiserver
    (client-go, util/keyutil: ParsePublicKeysPEM).
    """
    data, finding = readable(found, row)
    if data is None:
        return [], finding
    public_keys = list[bytes]()
    for block in _blocks(data)[0]:
        with suppress(InputError):
            if block.label == "CERTIFICATE":
                public_keys.append(
                    public_key_der(pem.load_certificate(block.der, encoding="DER").public_key()))
            elif block.label in pem.KEY_LABELS:
                public_keys.append(public_key_der(pem.load_key(block.armour)))
            elif block.label == "PUBLIC KEY":
                public_keys.append(public_key_der(pem.load_public_key(block.der, encoding="DER")))
    return public_keys, None if public_keys else _no_pem(found.path, row, data, "public key")


def read_key(found: ObservedFile, row: str) -> tuple[PrivateKeyTypes | None, Finding | None]:
    """The private key of a file as a component loads it, or the finding.

    No component can use an encrypted key.
    """
    data, finding = readable(found, row)
    if data is None:
        return None, finding
    if (key := find_canonical_key(data)) is not None:
        return key, None
    blocks, labels = _blocks(data)
    if not any(label in pem.KEY_LABELS for label in labels):
        if "CERTIFICATE" in labels:
            return None, Finding("key-cert-mismatch", found.path, row,
                                 "the file holds a certificate, not a private key",
                                 got="CERTIFICATE", expected="PRIVATE KEY")
        return None, _no_pem(found.path, row, data, "private key")
    if any(pem.is_encrypted(block.armour[:200]) for block in blocks
           if block.label in pem.KEY_LABELS):
        return None, Finding("encrypted-key", found.path, row,
                             "the private key is encrypted: no component can load it")
    verdict = verify_private_key(data, tokens=row == SERVICE_ACCOUNTS)
    if verdict.cause:
        return None, Finding(verdict.cause, found.path, row,
                             f"no component can use the private key: {verdict.reason}",
                             got=verdict.reason)
    if verdict.key is None:
        return None, Finding("weak-signature-or-key", found.path, row,
                             "the RSA key has more than two primes: Go uses "
                             "it, and kpki can neither compare it nor sign with it", mild=True)
    return verdict.key, None


def private_key_in(found: ObservedFile) -> PrivateKeyTypes | None:
    """The private key of a file, even if no component can use it; None if it needs a passphrase."""
    data = found.data or b""
    try:
        return verify_private_key(data).key or pem.load_key(data)
    except (InputError, UnsupportedError):
        return None
