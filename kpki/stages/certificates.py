"""Certificates: what `openssl req -x509`, `openssl x509 -req` and a CA with values of its own make."""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding

from ..clock import utc_now
from ..errors import InputError, RefusedError
from ..pem import load_certificate
from . import der, keys
from .config import Config, Setting
from .der import Extension
from .extensions.context import Context, Issuer
from .extensions.identifiers import (AUTHORITY_KEY_IDENTIFIER, SUBJECT_ALTERNATIVE_NAME, SUBJECT_KEY_IDENTIFIER)
from .extensions.table import extension, replace_extensions, settings_extensions
from .names import Name
from .requests import Ask, Form, as_config, as_name, fill_form, request_extensions, tested_section
from .signatures import is_self_signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from cryptography.x509 import Certificate, CertificateSigningRequest

_SERIAL_BITS = 159
_LEADING_DIGITS = re.compile(r"[0-9A-Fa-f]+")
Issue = Callable[[Sequence[Extension]], Issuer]
_NO_IDENTIFIER = 2      # an empty SEQUENCE or OCTET STRING: what `none` writes


@dataclass(frozen=True)
class Values:
    """What a certificate says besides its key, signer, serial number and dates: the *subject* and the *extensions*."""

    subject: Name
    extensions: tuple[Extension, ...] = ()


def req_x509(key: PrivateKeyTypes, *, config: str | Config | None = None, section: str = "req",
             subject: str | Name | None = None, extensions: str | None = None, addext: Sequence[str] = (),
             digest: str | None = None, days: int = 30, utf8: bool = False, ask: Ask | None = None,
             serial_number: int | None = None, now: datetime | None = None,
             warnings: list[str] | None = None) -> Certificate:
    """Make a self-signed certificate (openssl req -x509 -new -key KEY -days N): the CA step of the Kubernetes docs.

    The options are `req_new`'s; *extensions* is `-extensions` (None: the configuration's x509_extensions), *days*
    counts from *now* (UTC, None: the clock), *serial_number* is `-set_serial` (None: 159 random bits).
    Without `-config` the extensions are SKI, AKI and basicConstraints critical CA:true; with none at all the
    certificate is version 1. Raises InputError for what openssl refuses.

    >>> kpki.req_x509(ca_key, subject="/CN=kubernetes", days=3650).subject.rfc4514_string()
    'CN=kubernetes'
    """
    form = fill_form(config, section=section, subject=subject, certificate_extensions=extensions, addext=addext,
                     digest=digest, utf8=utf8, ask=ask, warnings=warnings, attributes=False)
    return self_signed(form, keys.signing_key(key), days=days, serial_number=serial_number, now=now)


def self_signed(form: Form, signer: keys.SigningKey, *, days: int = 30, serial_number: int | None = None,
                now: datetime | None = None) -> Certificate:
    """The certificate that a form stands for, signed with its own key: the second half of `req_x509`."""
    public_key = keys.public_key_der(signer)
    context = form.context(public_key)
    identifier = keys.key_identifier(public_key)
    serial_number = serial_or_random(serial_number)
    issuer = form.subject.dump()
    settings = [*(context.section(form.certificate_extensions) if form.certificate_extensions else ()), *form.added]
    present = _read_extensions(context, settings, (), _own_issuer(issuer, serial_number, identifier, own=True))
    return encoded(_with_identifiers(present, context, self_signed=True), issuer, context.name().dump(),
                   public_key, signer, form.digest, serial_number, *lifetime(now or utc_now(), days),
                   version=_version(present))


def lifetime(now: datetime, days: int) -> tuple[datetime, datetime]:
    """not_before and not_after of a certificate valid for *days* from *now* (`-days`).

    Raises InputError for a date that a certificate cannot hold.
    """
    try:
        return now, now + timedelta(days=days)
    except OverflowError:
        raise InputError(f"{days} days from now is no date that a certificate can hold") from None


def x509_req(csr: CertificateSigningRequest, ca_cert: Certificate | None, ca_key: PrivateKeyTypes, *, days: int = 30,
             extfile: str | Config | None = None, extensions: str | None = None, copy_extensions: str = "none",
             digest: str = "sha256", serial_number: int | None = None, subject: str | Name | None = None,
             public_key: PublicKeyTypes | bytes | None = None, now: datetime | None = None) -> Certificate:
    """Sign a request (openssl x509 -req -in CSR -CA CA -CAkey KEY -days N -extfile FILE -extensions SECTION).

    *ca_cert* None self-signs with *ca_key*, whose public half is then certified (`-signkey`). *extfile* is the text or
    value of a configuration, *extensions* its section (None: what its default section names, else that section itself).
    *copy_extensions* is none, copy or copyall, *subject* `-subj`, *public_key* `-force_pubkey` (an object or
    its DER). *days* counts
    from *now* (UTC, None: the clock), *serial_number* is `-set_serial` (None: 159 random bits).
    The request's extensions are not copied unless asked; with any extension set, SKI and AKI are added where absent;
    with none the certificate is version 1. Raises RefusedError for a CA that does not match its key or a request whose
    self-signature fails, InputError for what the extfile gets wrong.

    >>> certificate = kpki.x509_req(csr, ca, ca_key, days=365, extfile="subjectAltName = DNS:worker-1")
    >>> certificate.issuer == ca.subject
    True
    """
    signer = keys.signing_key(ca_key)
    request = csr.public_bytes(Encoding.DER)
    if not is_self_signed(csr):
        raise RefusedError("certificate request self-signature did not match the contents")
    fields = der.request_fields(request)
    copied = request_extensions(request) if copy_extensions in ("copy", "copyall") else ()
    own = keys.public_key_der(signer) if ca_cert is None else der.whole(fields.subject_public_key_info)
    return _certified(
        subject=der.whole(fields.subject) if subject is None else as_name(subject).dump(),
        public_key=_der_or(public_key, own), copied=copied, ca_cert=ca_cert, signer=signer, extfile=extfile,
        extensions=extensions, digest=digest, serial_number=serial_number, dates=lifetime(now or utc_now(), days))


def x509_new(subject: str | Name, public_key: PublicKeyTypes | bytes | None,
             ca_cert: Certificate | None, ca_key: PrivateKeyTypes, *, days: int = 30,
             extfile: str | Config | None = None, extensions: str | None = None,
             digest: str = "sha256", serial_number: int | None = None,
             now: datetime | None = None) -> Certificate:
    """Certify a subject and a *public_key* (None: that of *ca_key*) without a request (openssl x509 -new -subj).

    The options are `x509_req`'s.
    """
    signer = keys.signing_key(ca_key)
    return _certified(
        subject=as_name(subject).dump(), public_key=_der_or(public_key, keys.public_key_der(signer)),
        copied=(), ca_cert=ca_cert, signer=signer, extfile=extfile, extensions=extensions,
        digest=digest, serial_number=serial_number, dates=lifetime(now or utc_now(), days))


def x509_resign(certificate: Certificate, ca_cert: Certificate | None, ca_key: PrivateKeyTypes, *,
                days: int | None = 30, extfile: str | Config | None = None, extensions: str | None = None,
                clear_extensions: bool = False, digest: str = "sha256", serial_number: int | None = None,
                subject: str | Name | None = None, public_key: PublicKeyTypes | bytes | None = None,
                now: datetime | None = None) -> Certificate:
    """Sign a certificate's contents anew (openssl x509 -in CERT -signkey KEY, or with -CA CA -CAkey KEY).

    The options are `x509_req`'s; *days* None keeps the dates (`-preserve_dates`), *clear_extensions* drops the
    certificate's extensions (`-clrext`), *serial_number* None keeps its serial number, with a CA draws a new one.
    """
    data = certificate.public_bytes(Encoding.DER)
    fields = der.certificate_fields(data)
    signer = keys.signing_key(ca_key)
    if serial_number is None and ca_cert is None:
        serial_number = fields.serial_number
    own = keys.public_key_der(signer) if ca_cert is None else der.whole(fields.subject_public_key_info)
    return _certified(
        subject=der.whole(fields.subject) if subject is None else as_name(subject).dump(),
        public_key=_der_or(public_key, own), copied=() if clear_extensions else der.certificate_extensions(data),
        ca_cert=ca_cert, signer=signer, extfile=extfile, extensions=extensions, digest=digest,
        serial_number=serial_number, version=fields.version,
        dates=(certificate.not_valid_before_utc, certificate.not_valid_after_utc) if days is None
        else lifetime(now or utc_now(), days))


def _certified(*, subject: bytes, public_key: bytes, copied: Sequence[Extension], ca_cert: Certificate | None,
               signer: keys.SigningKey, extfile: str | Config | None, extensions: str | None, digest: str,
               serial_number: int | None, dates: tuple[datetime, datetime], version: int = 0) -> Certificate:
    """The certificate of a subject and key (DER) by a CA, or without one by *signer* itself."""
    signing_key = keys.public_key_der(signer)
    serial_number = serial_or_random(serial_number)
    context, settings = _extension_settings(extfile, extensions)
    own = signing_key == public_key
    if ca_cert is None:
        issuer = subject
        issue = _own_issuer(subject, serial_number, keys.key_identifier(signing_key), own=own)
    else:
        check_pair(ca_cert, signer)
        issuer = subject_der(ca_cert)
        issue = _given_issuer(issuer_of(ca_cert))
    context.subject, context.key_identifier = subject, keys.key_identifier(public_key)
    present = _read_extensions(context, settings, copied, issue)
    return encoded(_with_identifiers(present, context, self_signed=own), issuer, _subject_of(context),
                   public_key, signer, digest, serial_number, *dates, version=max(version, _version(present)))


def next_serial(text: str) -> tuple[int, str]:
    """The serial number that follows the one in a `.srl` file's *text*, and the file's new text (-CAserial).

    Raises InputError where the text is no hexadecimal number of whole bytes.
    """
    digits = _LEADING_DIGITS.match(text)
    if digits is None or len(digits[0]) % 2:
        raise InputError("unable to load number: a serial file holds hexadecimal digits, two a byte")
    number = int(digits[0], 16) + 1
    return number, serial_text(number)


def serial_text(number: int) -> str:
    """The text of a `.srl` file: upper-case hexadecimal digits, two a byte, and a line end."""
    digits = f"{abs(number):X}"
    return ("-" if number < 0 else "") + digits.zfill(len(digits) + len(digits) % 2) + "\n"


def serial_or_random(serial_number: int | None = None) -> int:
    """The serial number given, or for None one as openssl draws it: 159 random bits (rand_serial)."""
    return int.from_bytes(os.urandom(20)) >> 160 - _SERIAL_BITS if serial_number is None else serial_number


def _subject_of(context: Context) -> bytes:
    """The subject byte for byte as it was, unless an extension had to look into it."""
    return context.subject if isinstance(context.subject, bytes) else context.name().dump()


def _extension_settings(extfile: str | Config | None, extensions: str | None) -> tuple[Context, Sequence[Setting]]:
    """The configuration of an extfile, and the settings of the section that counts, tested first."""
    if extfile is None:
        return Context(), ()
    config = as_config(extfile)
    section = extfile_section(config, extensions)
    tested_section(Context(config, test=True), section, "extension")
    return Context(config), config.settings(section) or ()


def extfile_section(config: Config, extensions: str | None) -> str:
    """The section of an extfile that counts: the one named, else what its default section names, else that itself."""
    return extensions or config.get("default", "extensions") or "default"


def _der_or(public_key: PublicKeyTypes | bytes | None, own: bytes) -> bytes:
    return own if public_key is None else keys.public_key_der(public_key)


def sign_certificate(values: Values, public_key: PublicKeyTypes | bytes, ca_cert: Certificate, ca_key: PrivateKeyTypes,
                     *, not_before: datetime, not_after: datetime, digest: str = "sha256",
                     serial_number: int | None = None) -> Certificate:
    """Certify *public_key* (an object or its DER) with *values*, without a request.

    The result is what `x509_req` gives for a request that says the same. The function is for a key
    that was made a moment ago: a request would prove nothing of the key. *not_before* and
    *not_after* are the dates. SKI and AKI are added where *values* have none. Raises RefusedError
    if the CA and its key do not match.

    >>> values = kpki.Values(kpki.parse_subject("/CN=worker-1"))
    >>> certificate = kpki.sign_certificate(values, key.public_key(), ca, ca_key, not_before=now,
    ...                                     not_after=now + timedelta(days=365))
    >>> certificate.subject.rfc4514_string()
    'CN=worker-1'
    """
    signer, public_key = keys.signing_key(ca_key), keys.public_key_der(public_key)
    check_pair(ca_cert, signer)
    context = Context(subject=values.subject, key_identifier=keys.key_identifier(public_key),
                      issuer=issuer_of(ca_cert))
    present = _with_identifiers(values.extensions, context, self_signed=_signer(ca_cert).public_key == public_key)
    return encoded(present, subject_der(ca_cert), values.subject.dump(), public_key, signer, digest,
                   serial_or_random(serial_number), not_before, not_after, version=_version(present))


def self_sign(values: Values, key: PrivateKeyTypes, *, not_before: datetime, not_after: datetime,
              digest: str = "sha256", serial_number: int | None = None) -> Certificate:
    """Certify a key with itself and *values*: what `req_x509` gives for a configuration that says the same.

    Dates are UTC. SKI is added where *values* have none, and no AKI, which a root needs not (RFC 5280, 4.2.1.1).
    """
    signer = keys.signing_key(key)
    public_key, name = keys.public_key_der(signer), values.subject.dump()
    context = Context(subject=values.subject, key_identifier=keys.key_identifier(public_key))
    present = _with_identifiers(values.extensions, context, self_signed=True)
    return encoded(present, name, name, public_key, signer, digest, serial_or_random(serial_number), not_before,
                   not_after, version=_version(present))


def check_pair(ca_cert: Certificate, ca_key: PrivateKeyTypes) -> None:
    """Raise RefusedError unless the certificate is that key's."""
    if _signer(ca_cert).public_key != keys.public_key_der(ca_key):
        raise RefusedError("CA certificate and CA private key do not match")


def subject_der(certificate: Certificate) -> bytes:
    """The subject of a certificate, byte for byte."""
    return _signer(certificate).subject


def issuer_of(certificate: Certificate) -> Issuer:
    """A CA certificate as the extensions of what it signs see it."""
    return _signer(certificate).issuer


class _Signer(NamedTuple):
    subject: bytes
    public_key: bytes
    issuer: Issuer


@lru_cache(maxsize=16)
def _signer(certificate: Certificate) -> _Signer:
    """What signing reads of a CA certificate; one CA mostly signs many times."""
    data = certificate.public_bytes(Encoding.DER)
    fields = der.certificate_fields(data)
    found = {one.oid: one.value for one in der.certificate_extensions(data)}
    issuer = Issuer(der.whole(fields.issuer), fields.serial_number, _identifier(found),
                    found.get(SUBJECT_ALTERNATIVE_NAME))
    return _Signer(der.whole(fields.subject), der.whole(fields.subject_public_key_info), issuer)


def _own_issuer(name: bytes, serial_number: int, key_identifier: bytes, own: bool) -> Issue:
    """A certificate that signs itself as its own extensions see it: with those that came before them."""
    def seen(present: Sequence[Extension]) -> Issuer:
        found = {one.oid: one.value for one in present}
        return Issuer(name, serial_number, _identifier(found) if own else None, found.get(SUBJECT_ALTERNATIVE_NAME),
                      fallback_identifier=key_identifier, own=own)
    return seen


def _given_issuer(issuer: Issuer) -> Issue:
    """A CA stays as it is, whatever the leaf says."""
    return lambda present: issuer


def _read_extensions(context: Context, settings: Iterable[Setting], present: Sequence[Extension],
                     issue: Issue) -> tuple[Extension, ...]:
    """*present* and the extensions of *settings*, one that comes again in the place of the later."""
    for setting in settings:
        context.issuer = issue(present)
        present = replace_extensions(present, settings_extensions(context, [setting]))
    context.issuer = issue(present)
    return tuple(present)


def _with_identifiers(extensions: Sequence[Extension], context: Context, *,
                      self_signed: bool) -> tuple[Extension, ...]:
    """With the SKI and AKI that openssl adds to a certificate that has any extension; `none` takes one away.

    A certificate signed with its own key gets no AKI it does not ask for.
    """
    if not extensions:
        return ()
    result = list(extensions)
    for name, oid, text, adds in (("subjectKeyIdentifier", SUBJECT_KEY_IDENTIFIER, "hash", True),
                                  ("authorityKeyIdentifier", AUTHORITY_KEY_IDENTIFIER, "keyid, issuer",
                                   not self_signed)):
        there = [one for one in result if one.oid == oid]
        if there and len(there[0].value) <= _NO_IDENTIFIER:
            result.remove(there[0])
        elif not there and adds:
            result.append(extension(name, text, context))
    return tuple(result)


def _identifier(found: dict[str, bytes]) -> bytes | None:
    value = found.get(SUBJECT_KEY_IDENTIFIER)
    return None if value is None else der.content_of(value)


def _version(extensions: Sequence[Extension]) -> int:
    """The version (from 0) of a certificate that was given these extensions, even if an identifier took itself away."""
    return 2 if extensions else 0


def encoded(extensions: Sequence[Extension], issuer: bytes, subject: bytes, public_key: bytes, signer: keys.SigningKey,
            digest: str, serial_number: int, not_before: datetime, not_after: datetime, *,
            version: int | None = None) -> Certificate:
    """The certificate of these fields, signed: names and key in DER, *version* from 0, None: by the extensions."""
    algorithm = keys.signature_algorithm(signer, digest)
    info = der.certificate_info(version=_version(extensions) if version is None else version,
                                serial_number=serial_number, algorithm=algorithm, issuer=issuer,
                                not_before=not_before, not_after=not_after, subject=subject, public_key=public_key,
                                extensions=extensions)
    signature = keys.sign_bytes(signer, digest, info)
    return load_certificate(der.signed(info, algorithm, signature), encoding="DER")
