"""Certificates, as `openssl req -x509` and `openssl x509 -req` make them."""
from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from . import keys, records
from .config import Config, Setting
from .extensions.context import ExtensionContext, Issuer
from .extensions.identifiers import SUBJECT_ALTERNATIVE_NAME
from .extensions.table import replace_extensions, settings_extensions
from .names import Name
from .records import Extension
from .requests import Ask, Form, as_config, as_name, fill_form, request_extensions, validate_section
from .serials import serial_or_random
from .signatures import is_self_signed
from .signing import (
    encoded,
    identifier_in,
    issuer_of,
    subject_der,
    validate_pair,
    version_of,
    with_identifiers,
)
from ..clock import utc_now
from ..errors import InputError, RefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from cryptography.x509 import Certificate, CertificateSigningRequest

Issue = Callable[[Sequence[Extension]], Issuer]


def req_x509(key: PrivateKeyTypes, *, config: str | Config | None = None, section: str = "req",
             subject: str | Name | None = None, extensions: str | None = None,
             addext: Sequence[str] = (), digest: str | None = None, days: int = 30,
             utf8: bool = False, ask: Ask | None = None, serial_number: int | None = None,
             now: datetime | None = None, warnings: list[str] | None = None) -> Certificate:
    """Make a self-signed certificate (openssl req -x509 -new -key KEY -days N).

    This is the CA step of the Kubernetes docs. The options are those of `req_new`. *extensions* is
    `-extensions` (None: the configuration's x509_extensions). *days* counts from *now* (UTC, None:
    the clock). *serial_number* is `-set_serial` (None: 159 random bits).

    With *config* None the extensions are SKI, AKI and a critical basicConstraints CA:true. A
    certificate without extensions has version 1. Raises InputError for what openssl refuses.

    >>> kpki.req_x509(ca_key, subject="/CN=kubernetes", days=3650).subject.rfc4514_string()
    'CN=kubernetes'
    """
    form = fill_form(config, section=section, subject=subject, certificate_extensions=extensions,
                     addext=addext, digest=digest, utf8=utf8, ask=ask, warnings=warnings,
                     attributes=False)
    return self_signed(form, keys.validate_signing_key(key), days=days,
                       serial_number=serial_number, now=now)


def self_signed(form: Form, signer: keys.SigningKey, *, days: int = 30,
                serial_number: int | None = None, now: datetime | None = None) -> Certificate:
    """The certificate that *form* describes, signed with its own key: the end of `req_x509`."""
    public_key = keys.public_key_der(signer)
    context = form.context(public_key)
    identifier = keys.key_identifier(public_key)
    serial_number = serial_or_random(serial_number)
    issuer = form.subject.dump()
    section = form.certificate_extensions
    settings = [*(context.section(section) if section else ()), *form.added]
    present = _read_extensions(context, settings, (),
                               _own_issuer(issuer, serial_number, identifier, own=True))
    return encoded(with_identifiers(present, context, self_signed=True), issuer,
                   context.name().dump(), public_key, signer, form.digest, serial_number,
                   *lifetime(now or utc_now(), days), version=version_of(present))


def lifetime(now: datetime, days: int) -> tuple[datetime, datetime]:
    """not_before and not_after of a certificate valid for *days* from *now* (`-days`).

    Raises InputError for a date that a certificate cannot hold.
    """
    try:
        return now, now + timedelta(days=days)
    except OverflowError:
        raise InputError(f"a certificate cannot hold the date {days} days from now") from None


def x509_req(csr: CertificateSigningRequest, ca_cert: Certificate | None, ca_key: PrivateKeyTypes,
             *, days: int = 30, extfile: str | Config | None = None, extensions: str | None = None,
             copy_extensions: str = "none", keep: Container[str] | None = None,
             digest: str = "sha256", serial_number: int | None = None,
             subject: str | Name | None = None, public_key: PublicKeyTypes | bytes | None = None,
             now: datetime | None = None) -> Certificate:
    """Sign a request (openssl x509 -req -in CSR -CA CA -CAkey KEY -days N -extfile FILE).

    With *ca_cert* None, *ca_key* signs and its public half is certified (`-signkey`). *extfile* is
    the text or value of a configuration. *extensions* is the section of *extfile* (None: the
    section that its default section names, else the default section itself). *copy_extensions* is
    none, copy or copyall; *keep* holds the short names of those that may be copied (`-ext`, None:
    all). *subject* is `-subj`. *public_key* is `-force_pubkey`, an object or its DER. *days* counts
    from *now* (UTC, None: the clock). *serial_number* is `-set_serial` (None: 159 random bits).

    The request's extensions are copied only if *copy_extensions* asks. If any extension is set, SKI
    and AKI are added if absent; a certificate without extensions has version 1. Raises RefusedError
    if the CA does not match its key or the request's self-signature fails, InputError for errors in
    *extfile*.

    >>> certificate = kpki.x509_req(csr, ca, ca_key, days=365,
    ...                             extfile="subjectAltName = DNS:worker-1")
    >>> certificate.issuer == ca.subject
    True
    """
    signer = keys.validate_signing_key(ca_key)
    if not is_self_signed(csr):
        raise RefusedError("certificate request self-signature did not match the contents")
    fields = records.request_fields(csr)
    copied = request_extensions(csr, keep) if copy_extensions in ("copy", "copyall") else ()
    return _certified(
        subject=fields.subject if subject is None else as_name(subject).dump(),
        public_key=_der_or(public_key, _key_to_certify(fields, ca_cert, signer)), copied=copied,
        ca_cert=ca_cert, signer=signer, extfile=extfile, extensions=extensions, digest=digest,
        serial_number=serial_number, dates=lifetime(now or utc_now(), days))


def x509_new(subject: str | Name, public_key: PublicKeyTypes | bytes | None,
             ca_cert: Certificate | None, ca_key: PrivateKeyTypes, *, days: int = 30,
             extfile: str | Config | None = None, extensions: str | None = None,
             digest: str = "sha256", serial_number: int | None = None,
             now: datetime | None = None) -> Certificate:
    """Certify a subject and a *public_key* without a request (openssl x509 -new -subj).

    With *public_key* None the public half of *ca_key* is certified. The other options are those of
    `x509_req`.
    """
    signer = keys.validate_signing_key(ca_key)
    return _certified(
        subject=as_name(subject).dump(),
        public_key=_der_or(public_key, keys.public_key_der(signer)), copied=(), ca_cert=ca_cert,
        signer=signer, extfile=extfile, extensions=extensions, digest=digest,
        serial_number=serial_number, dates=lifetime(now or utc_now(), days))


def x509_resign(certificate: Certificate, ca_cert: Certificate | None, ca_key: PrivateKeyTypes, *,
                days: int | None = 30, extfile: str | Config | None = None,
                extensions: str | None = None, clear_extensions: bool = False,
                digest: str = "sha256", serial_number: int | None = None,
                subject: str | Name | None = None, public_key: PublicKeyTypes | bytes | None = None,
                now: datetime | None = None) -> Certificate:
    """Sign a certificate's contents anew (openssl x509 -in CERT -signkey KEY, or with -CA).

    The options are those of `x509_req`. *days* None keeps the dates (`-preserve_dates`).
    *clear_extensions* drops the certificate's extensions (`-clrext`). *serial_number* None keeps
    the serial number without *ca_cert*, and draws a new one with *ca_cert*.
    """
    fields = records.certificate_fields(certificate)
    signer = keys.validate_signing_key(ca_key)
    if serial_number is None and ca_cert is None:
        serial_number = fields.serial_number
    dates = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    return _certified(
        subject=fields.subject if subject is None else as_name(subject).dump(),
        public_key=_der_or(public_key, _key_to_certify(fields, ca_cert, signer)),
        copied=() if clear_extensions else records.extensions_of(fields), ca_cert=ca_cert,
        signer=signer, extfile=extfile, extensions=extensions, digest=digest,
        serial_number=serial_number, version=fields.version,
        dates=dates if days is None else lifetime(now or utc_now(), days))


def _key_to_certify(fields: records.CertificateFields | records.CertificationRequestInfo,
                    ca_cert: Certificate | None, signer: keys.SigningKey) -> bytes:
    """The public key of the input, or without a CA the signer's own (DER)."""
    return keys.public_key_der(signer) if ca_cert is None \
        else fields.subject_public_key_info


def _certified(*, subject: bytes, public_key: bytes, copied: Sequence[Extension],
               ca_cert: Certificate | None, signer: keys.SigningKey, extfile: str | Config | None,
               extensions: str | None, digest: str, serial_number: int | None,
               dates: tuple[datetime, datetime], version: int = 0) -> Certificate:
    """The certificate of a subject and key (DER), by a CA or without one by *signer* itself."""
    signing_key = keys.public_key_der(signer)
    serial_number = serial_or_random(serial_number)
    context, settings = _extension_settings(extfile, extensions)
    own = signing_key == public_key
    if ca_cert is None:
        issuer = subject
        issue = _own_issuer(subject, serial_number, keys.key_identifier(signing_key), own=own)
    else:
        validate_pair(ca_cert, signing_key)
        issuer = subject_der(ca_cert)
        issue = _given_issuer(issuer_of(ca_cert))
    context.subject, context.key_identifier = subject, keys.key_identifier(public_key)
    present = _read_extensions(context, settings, copied, issue)
    return encoded(with_identifiers(present, context, self_signed=own), issuer,
                   _subject_of(context), public_key, signer, digest, serial_number, *dates,
                   version=max(version, version_of(present)))


def _subject_of(context: ExtensionContext) -> bytes:
    """The subject's own octets, unless an extension had to decode the subject."""
    return context.subject if isinstance(context.subject, bytes) else context.name().dump()


def _extension_settings(extfile: str | Config | None,
                        extensions: str | None) -> tuple[ExtensionContext, Sequence[Setting]]:
    """The configuration of an extfile, and the settings of the section that openssl reads.

    Raises ConfigurationError if the section's syntax is wrong.
    """
    if extfile is None:
        return ExtensionContext(), ()
    config = as_config(extfile)
    section = extfile_section(config, extensions)
    validate_section(ExtensionContext(config, test=True), section, "extension")
    return ExtensionContext(config), config.settings(section) or ()


def extfile_section(config: Config, extensions: str | None) -> str:
    """The section of an extfile that openssl reads.

    The section is *extensions*, else what the default section names, else the default section.
    """
    if extensions is not None:
        return extensions
    return config.get("default", "extensions") or "default"


def _der_or(public_key: PublicKeyTypes | bytes | None, own: bytes) -> bytes:
    return own if public_key is None else keys.public_key_der(public_key)


def _own_issuer(name: bytes, serial_number: int, key_identifier: bytes, own: bool) -> Issue:
    """A self-signed certificate, as its own extensions refer to it.

    The extensions that precede in the section decide about the identifier and the names.
    """
    def issue(present: Sequence[Extension]) -> Issuer:
        found = {extension.oid: extension.value for extension in present}
        return Issuer(name, serial_number, identifier_in(found) if own else None,
                      found.get(SUBJECT_ALTERNATIVE_NAME), fallback_identifier=key_identifier,
                      own=own)
    return issue


def _given_issuer(issuer: Issuer) -> Issue:
    """A CA, whatever extensions the leaf has."""
    return lambda _present: issuer


def _read_extensions(context: ExtensionContext, settings: Iterable[Setting],
                     present: Sequence[Extension], issue: Issue) -> tuple[Extension, ...]:
    """*present* and the extensions of *settings*; of two with one OID the later remains."""
    for setting in settings:
        context.issuer = issue(present)
        present = replace_extensions(present, settings_extensions(context, [setting]))
    context.issuer = issue(present)
    return tuple(present)
