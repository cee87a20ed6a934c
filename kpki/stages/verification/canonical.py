"""The form in which OpenSSL compares names, and the hash of it by which it finds a CA's file.

Two names are equal when they differ only in letter case, string type and blanks (RFC 5280 §7.1, X509_NAME_cmp).
"""
from __future__ import annotations

import hashlib
import re

from .. import der
from ..names import Attribute, load_name

_TEXT_TAGS = {der.UTF8, der.PRINTABLE, der.T61, der.IA5, der.VISIBLE, der.UNIVERSAL, der.BMP}
_SPACES = b" \t\n\v\f\r"


def canonical_name(name: bytes) -> bytes:
    """The RDNs of a Name (DER) in canonical form, one after the other; InputError where it is no Name."""
    return b"".join(der.set_of(der.sequence(der.oid(one.oid), _canonical_value(one)) for one in rdn)
                    for rdn in load_name(name).rdns)


def name_hash(name: bytes) -> str:
    """Eight hexadecimal digits of a Name (DER): what `x509 -hash` prints and a `-CApath` file is called."""
    return hashlib.sha1(canonical_name(name), usedforsecurity=False).digest()[3::-1].hex()


def _canonical_value(attribute: Attribute) -> bytes:
    if attribute.tag not in _TEXT_TAGS:
        return der.tlv(attribute.tag, attribute.octets)
    text = attribute.text.encode("utf-8", "surrogatepass").strip(_SPACES).lower()
    return der.tlv(der.UTF8, re.sub(rb"[ \t\n\v\f\r]+", b" ", text))
