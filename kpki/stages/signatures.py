"""Whether a key made the signature of a certificate or a request (X509_verify(3))."""
from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

from ..errors import UnsupportedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import (
        CertificatePublicKeyTypes,
        PublicKeyTypes,
    )
    from cryptography.x509 import Certificate, CertificateSigningRequest

_PUBLIC_KEYS = (rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
                | ed448.Ed448PublicKey)
_EC_SCHEMES, _RSA_SCHEMES = ec.ECDSA | None, padding.PKCS1v15 | padding.PSS | None


def public_key(certificate: Certificate) -> CertificatePublicKeyTypes | None:
    """The certificate's key, None if cryptography cannot read the key."""
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def digest_of(certificate: Certificate) -> str | None:
    """The digest of the certificate's signature, by cryptography's name.

    None if the signature has no digest, or cryptography does not know the digest.
    """
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return digest.name if digest else None


def is_signed_by(signed: Certificate | CertificateSigningRequest, key: PublicKeyTypes | None,
                 octets: bytes = b"") -> bool:
    """Whether *key* made the signature, by any digest; False for an unknown key or algorithm.

    *octets* are the signed octets, if the caller has them: cryptography would encode them again.
    """
    data = signed.signature, octets or _octets(signed)
    try:
        scheme, digest = signed.signature_algorithm_parameters, signed.signature_hash_algorithm
        if isinstance(key, ec.EllipticCurvePublicKey) and digest \
                and isinstance(scheme, _EC_SCHEMES):
            key.verify(*data, scheme or ec.ECDSA(digest))   # None: ECDSA over SHA-1
        elif isinstance(key, rsa.RSAPublicKey) and digest and isinstance(scheme, _RSA_SCHEMES):
            key.verify(*data, scheme or padding.PKCS1v15(), digest)   # None: PKCS1v15 over MD5
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(*data)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _octets(signed: Certificate | CertificateSigningRequest) -> bytes:
    from cryptography.x509 import Certificate
    return signed.tbs_certificate_bytes if isinstance(signed, Certificate) \
        else signed.tbs_certrequest_bytes


def is_self_signed(csr: CertificateSigningRequest) -> bool:
    """Whether the key that a request holds made its signature (openssl req -verify).

    Raises UnsupportedError if the key or the algorithm is unknown: an unknown signature is no
    forgery.
    """
    try:
        key, _ = csr.public_key(), csr.signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        raise _unchecked("the key or the algorithm is unknown") from None
    if not isinstance(key, _PUBLIC_KEYS):
        kind = type(key).__name__.lstrip("_").removesuffix("PublicKey")
        raise _unchecked(f"the key is a {kind} key")
    return is_signed_by(csr, key)


def _unchecked(why: str) -> UnsupportedError:
    return UnsupportedError(f"the request's signature cannot be checked: {why}",
                            hint="kpki checks signatures by RSA, common EC curves, Ed25519, Ed448")
