"""The form in which OpenSSL compares names, and the hash that names a CA's file in a `-CApath`.

Two names are equal if they differ only in letter case, string type and blanks (RFC 5280 §7.1,
X509_NAME_cmp).
"""
from __future__ import annotations

import hashlib
import re

from .. import der
from ..names import Attribute, load_name

_TEXT_TAGS = {der.UTF8, der.PRINTABLE, der.T61, der.IA5, der.VISIBLE, der.UNIVERSAL, der.BMP}
_SPACES = b" \t\n\v\f\r"


def canonical_name(name: bytes) -> bytes:
    """The RDNs of a Name (DER) in canonical form, joined.

    Raises InputError if *name* is not a Name.
    """
    return b"".join(der.set_of(der.sequence(der.oid(attribute.oid), _canonical_value(attribute))
                               for attribute in rdn) for rdn in load_name(name).rdns)


def name_hash(name: bytes) -> str:
    """Eight hexadecimal digits of a Name (DER), as `x509 -hash` prints them.

    A file in a `-CApath` has these digits as its name.
    """
    return hashlib.sha1(canonical_name(name), usedforsecurity=False).digest()[3::-1].hex()


def _canonical_value(attribute: Attribute) -> bytes:
    if attribute.tag not in _TEXT_TAGS:
        return der.tlv(attribute.tag, attribute.octets)
    text = attribute.text.encode("utf-8", "surrogatepass").strip(_SPACES).lower()
    return der.tlv(der.UTF8, re.sub(rb"[ \t\n\v\f\r]+", b" ", text))
