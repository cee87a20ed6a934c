"""EC keys in other forms: compressed and hybrid points, no public half (`-conv_form`)."""
from __future__ import annotations

from typing import TYPE_CHECKING

from . import der, records
from ..errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

_EC = "1.2.840.10045.2.1"
FORMS = {"compressed": 2, "uncompressed": 4, "hybrid": 6}


def with_point_form(public_key: bytes, form: str) -> bytes:
    """A SubjectPublicKeyInfo (DER) of an EC key, with its point in another form (SEC 1 §2.3.3).

    *form* is compressed, uncompressed or hybrid. Raises InputError for another form, for a key of
    another kind, and for a point that is not uncompressed.
    """
    if form not in FORMS:
        raise InputError(f"unknown form of a point: {form!r}", hint=f"one of {', '.join(FORMS)}")
    algorithm, _ = der.items(der.content_of(public_key))
    if der.oid_text(der.items(der.content_of(algorithm))[0]) != _EC:
        raise InputError("the key is not an EC key and has no point")
    point = records.key_bits(public_key)
    if point[0] != FORMS["uncompressed"]:
        raise InputError("the point is not in uncompressed form")
    x, odd = point[1:len(point) // 2 + 1], point[-1] & 1
    shapes = {"compressed": bytes((2 | odd,)) + x, "uncompressed": point,
              "hybrid": bytes((6 | odd,)) + point[1:]}
    return der.sequence(algorithm, der.bit_string(shapes[form]))


def ec_private_key(key: ec.EllipticCurvePrivateKey, public_key: bytes, *, pkcs8: bool = False,
                   without_public: bool = False) -> bytes:
    """An EC private key as ECPrivateKey (RFC 5915 §3), or in PKCS#8, in DER.

    *public_key* is the key's SubjectPublicKeyInfo. The result holds its point in the same form,
    unless *without_public*.
    """
    algorithm, bits = der.items(der.content_of(public_key))
    curve = der.items(der.content_of(algorithm))[1]
    secret = key.private_numbers().private_value.to_bytes((key.curve.key_size + 7) // 8, "big")
    inner = der.sequence(der.integer(1), der.octet_string(secret),
                         b"" if pkcs8 else der.tlv(0xA0, curve),
                         b"" if without_public else der.tlv(0xA1, bits))
    return der.sequence(der.integer(0), algorithm, der.octet_string(inner)) if pkcs8 else inner
