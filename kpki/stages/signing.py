"""Certificates from values and a public key, without a request or a configuration."""
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from . import der, keys, records
from .extensions.context import ExtensionContext, Issuer
from .extensions.identifiers import (
    AUTHORITY_KEY_IDENTIFIER,
    SUBJECT_ALTERNATIVE_NAME,
    SUBJECT_KEY_IDENTIFIER,
)
from .extensions.table import authority_key_identifier_item, key_identifier_item
from .extensions.values import Value
from .names import Name
from .records import Extension
from .serials import serial_or_random
from ..errors import RefusedError
from ..pem import load_certificate

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from cryptography.x509 import Certificate

_KEYID_ELSE_ISSUER = (Value("keyid", None), Value("issuer", None))
_NO_IDENTIFIER = 2      # octets of the empty SEQUENCE or OCTET STRING that `none` writes


class Values(NamedTuple):
    """What a certificate says besides its key, its issuer, its serial number and its dates.

    >>> values = kpki.Values(kpki.parse_subject("/CN=worker-1"))
    >>> values.subject, values.extensions
    (Name('CN=worker-1'), ())
    """

    subject: Name
    """The distinguished name of the certificate's owner."""
    extensions: tuple[Extension, ...] = ()
    """The extensions, in order; the identifiers of the keys may be absent."""


def sign_certificate(values: Values, public_key: PublicKeyTypes | bytes, ca_cert: Certificate,
                     ca_key: PrivateKeyTypes, *, not_before: datetime, not_after: datetime,
                     digest: str = "sha256", serial_number: int | None = None) -> Certificate:
    """Certify *public_key* (an object or its DER) with *values*, without a request.

    The result is that of `x509_req` for a request with the same contents. The function is for a key
    that the caller made a moment ago: a request would prove nothing about the key. *not_before* and
    *not_after* are the dates. SKI and AKI are added if *values* have none. Raises RefusedError if
    the CA and its key do not match.

    >>> values = kpki.Values(kpki.parse_subject("/CN=worker-1"))
    >>> certificate = kpki.sign_certificate(values, key.public_key(), ca, ca_key, not_before=now,
    ...                                     not_after=now + timedelta(days=365))
    >>> certificate.subject.rfc4514_string()
    'CN=worker-1'
    """
    validate_pair(ca_cert, keys.validate_signing_key(ca_key))
    return certify(values, public_key, ca_cert, ca_key, not_before=not_before, not_after=not_after,
                   digest=digest, serial_number=serial_number)


def certify(values: Values, public_key: PublicKeyTypes | bytes, ca_cert: Certificate,
            ca_key: PrivateKeyTypes, *, not_before: datetime, not_after: datetime,
            digest: str = "sha256", serial_number: int | None = None) -> Certificate:
    """The certificate of `sign_certificate`, by a CA whose certificate is known to fit its key."""
    signer, public_key = keys.validate_signing_key(ca_key), keys.public_key_der(public_key)
    context = ExtensionContext(subject=values.subject,
                               key_identifier=keys.key_identifier(public_key),
                               issuer=issuer_of(ca_cert))
    present = with_identifiers(values.extensions, context,
                               self_signed=_signer(ca_cert).public_key == public_key)
    return encoded(present, subject_der(ca_cert), values.subject.dump(), public_key, signer, digest,
                   serial_or_random(serial_number), not_before, not_after,
                   version=version_of(present))


def self_sign(values: Values, key: PrivateKeyTypes, *, not_before: datetime, not_after: datetime,
              digest: str = "sha256", serial_number: int | None = None) -> Certificate:
    """Certify a key with itself and *values*, as `req_x509` does for a configuration.

    Dates are UTC. SKI is added if *values* have none. AKI is not added: a root needs none (RFC 5280
    §4.2.1.1).
    """
    signer = keys.validate_signing_key(key)
    public_key, name = keys.public_key_der(signer), values.subject.dump()
    context = ExtensionContext(subject=values.subject,
                               key_identifier=keys.key_identifier(public_key))
    present = with_identifiers(values.extensions, context, self_signed=True)
    return encoded(present, name, name, public_key, signer, digest, serial_or_random(serial_number),
                   not_before, not_after, version=version_of(present))


def validate_pair(ca_cert: Certificate, ca_key: PrivateKeyTypes | bytes) -> None:
    """Raise RefusedError unless the certificate holds the public half of *ca_key*.

    *ca_key* may be that half already (DER).
    """
    if _signer(ca_cert).public_key != keys.public_key_der(ca_key):
        raise RefusedError("CA certificate and CA private key do not match")


def subject_der(certificate: Certificate) -> bytes:
    """The subject of a certificate, byte for byte."""
    return _signer(certificate).subject


def issuer_of(certificate: Certificate) -> Issuer:
    """A CA certificate, as the extensions of the certificates that it signs refer to it."""
    return _signer(certificate).issuer


class _Signer(NamedTuple):
    subject: bytes
    public_key: bytes
    issuer: Issuer


@lru_cache(maxsize=16)
def _signer(certificate: Certificate) -> _Signer:
    """What signing needs of a CA certificate; most CAs sign many times."""
    fields = records.certificate_fields(certificate)
    found = {extension.oid: extension.value for extension in records.extensions_of(fields)}
    issuer = Issuer(fields.issuer, fields.serial_number, identifier_in(found),
                    found.get(SUBJECT_ALTERNATIVE_NAME))
    return _Signer(fields.subject, fields.subject_public_key_info, issuer)


def with_identifiers(extensions: Sequence[Extension], context: ExtensionContext, *,
                     self_signed: bool) -> tuple[Extension, ...]:
    """*extensions* with the SKI and AKI that openssl adds to any other extension.

    A setting `none` removes an identifier. A certificate signed with its own key has an AKI only if
    the settings ask for an AKI.
    """
    if not extensions:
        return ()
    result = list(extensions)
    for oid, item_of, adds in ((SUBJECT_KEY_IDENTIFIER, _own_identifier, True),
                               (AUTHORITY_KEY_IDENTIFIER, _issuer_identifier, not self_signed)):
        present = next((extension for extension in result if extension.oid == oid), None)
        if present is not None and len(present.value) <= _NO_IDENTIFIER:
            result.remove(present)
        elif present is None and adds:
            result.append(Extension(oid, False, item_of(context)))
    return tuple(result)


def _own_identifier(context: ExtensionContext) -> bytes:
    return key_identifier_item(context, "hash")


def _issuer_identifier(context: ExtensionContext) -> bytes:
    return authority_key_identifier_item(context, _KEYID_ELSE_ISSUER)


def identifier_in(found: dict[str, bytes]) -> bytes | None:
    """The key identifier among the values of extensions by OID; None if it is absent."""
    value = found.get(SUBJECT_KEY_IDENTIFIER)
    return None if value is None else der.content_of(value)


def version_of(extensions: Sequence[Extension]) -> int:
    """The version, from 0: 2 if any extension was set, even if `none` removed an identifier."""
    return 2 if extensions else 0


def encoded(extensions: Sequence[Extension], issuer: bytes, subject: bytes, public_key: bytes,
            signer: keys.SigningKey, digest: str, serial_number: int, not_before: datetime,
            not_after: datetime, *, version: int | None = None) -> Certificate:
    """The signed certificate of these fields; *issuer*, *subject* and *public_key* are DER.

    *version* counts from 0; None: the extensions decide.
    """
    algorithm = keys.signature_algorithm(signer, digest)
    info = records.certificate_info(version=version_of(extensions) if version is None else version,
                                serial_number=serial_number, algorithm=algorithm, issuer=issuer,
                                not_before=not_before, not_after=not_after, subject=subject,
                                public_key=public_key, extensions=extensions)
    signature = keys.sign_bytes(signer, digest, info)
    return load_certificate(records.signed(info, algorithm, signature), encoding="DER")
