"""Whether a key made the signature of a certificate or a request (X509_verify(3), X509_REQ_verify(3))."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UnsupportedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes
    from cryptography.x509 import Certificate, CertificateSigningRequest


def public_key(certificate: Certificate) -> CertificatePublicKeyTypes | None:
    """The certificate's key, None where it cannot be read."""
    from cryptography.exceptions import UnsupportedAlgorithm
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def digest_of(certificate: Certificate) -> str | None:
    """The digest of the certificate's signature as cryptography calls it; None where it has none, or one unknown here.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return digest.name if digest else None


def is_signed_by(signed: Certificate | CertificateSigningRequest, key: PublicKeyTypes | None) -> bool:
    """Whether *key* made the signature, by any digest; False for a key or an algorithm that is not known here."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
    from cryptography.x509 import Certificate
    data = signed.signature, (signed.tbs_certificate_bytes if isinstance(signed, Certificate)
                              else signed.tbs_certrequest_bytes)
    try:
        scheme, digest = signed.signature_algorithm_parameters, signed.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey) and isinstance(scheme, padding.PKCS1v15 | padding.PSS | None) and digest:
            key.verify(*data, scheme or padding.PKCS1v15(), digest)   # None: PKCS1v15 over MD5
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(scheme, ec.ECDSA | None) and digest:
            key.verify(*data, scheme or ec.ECDSA(digest))   # None: ECDSA over SHA-1
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(*data)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def is_self_signed(csr: CertificateSigningRequest) -> bool:
    """Whether a request is signed by the key it asks for (openssl req -verify).

    Raises UnsupportedError where the key or the algorithm is not known here, so that nobody takes it for a forgery.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
    known = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
    try:
        key, _ = csr.public_key(), csr.signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        raise _unchecked("its key or algorithm is not known here") from None
    if not isinstance(key, known):
        raise _unchecked(f"its key is a {type(key).__name__.lstrip('_').removesuffix('PublicKey')} key")
    return is_signed_by(csr, key)


def _unchecked(why: str) -> UnsupportedError:
    return UnsupportedError(f"the request's signature cannot be checked: {why}",
                            hint="RSA, EC on the usual curves, Ed25519 and Ed448 are known")
