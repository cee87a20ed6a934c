"""Requests to certificates and back: `req -x509 -in`, `req -CA`, `x509 -x509toreq`."""
from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from . import der, keys, records
from .certificates import extfile_section, x509_req
from .config import Config, Setting
from .extensions.context import ExtensionContext
from .names import Name, subject_name
from .requests import (
    Form,
    as_config,
    as_name,
    extensions_item,
    fill_form,
    named_extensions,
    req_from,
    sign_request,
    validate_section,
)
from .strings import StringOptions
from ..errors import InputError
from ..pem import load_certificate

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate, CertificateSigningRequest

_VERSION, _EXTENSIONS = 0xA0, 0xA3      # tags of two fields of a certificate
_SECTION = "\0extensions"       # a name that no configuration can write


def req_x509_in(csr: CertificateSigningRequest, ca_cert: Certificate | None,
                ca_key: PrivateKeyTypes, *, config: str | Config | None = None,
                section: str = "req", subject: str | Name | None = None,
                extensions: str | None = None, addext: Sequence[str] = (),
                copy_extensions: str = "none",
                digest: str | None = None, days: int = 30, utf8: bool = False,
                serial_number: int | None = None, now: datetime | None = None) -> Certificate:
    """Certify a request by req's configuration (openssl req -x509 -in CSR -key KEY, or with -CA).

    With *ca_cert* None the issuer is the subject, and *ca_key* is the key of `-key`.
    *copy_extensions* is none, copy or copyall. The other options are those of `req_x509`; *days*
    counts from *now* (UTC). Raises RefusedError if the CA does not match its key or the request's
    self-signature fails, InputError for errors in the configuration.
    """
    form = fill_form(config, section=section, subject=subject or subject_name(csr),
                     certificate_extensions=extensions, addext=addext, digest=digest, utf8=utf8)
    return certify(form, csr, ca_cert, ca_key, copy_extensions=copy_extensions, days=days,
                   serial_number=serial_number, now=now)


def certify(form: Form, csr: CertificateSigningRequest, ca_cert: Certificate | None,
            ca_key: PrivateKeyTypes, *, copy_extensions: str = "none", days: int = 30,
            serial_number: int | None = None, now: datetime | None = None) -> Certificate:
    """The certificate of a request's key, with a form's subject and extensions."""
    settings = _certificate_settings(form)
    extfile = Config({**form.config.sections, _SECTION: settings}) if settings else None
    public_key = records.request_fields(csr).subject_public_key_info
    return x509_req(csr, ca_cert, ca_key, days=days, extfile=extfile, extensions=_SECTION,
                    copy_extensions=copy_extensions, digest=form.digest,
                    serial_number=serial_number, subject=form.subject, public_key=public_key,
                    now=now)


def _certificate_settings(form: Form) -> tuple[Setting, ...]:
    name = form.certificate_extensions
    return (*((form.config.settings(name) if name else None) or ()), *form.added)


def certified_request(form: Form, key: PrivateKeyTypes) -> CertificateSigningRequest:
    """The bare request that `req -new -CA` certifies: only the form's subject and *key*."""
    return sign_request(form._replace(attributes=(), request_extensions=None, added=()),
                        keys.validate_signing_key(key))


def altered(certificate: Certificate, *, issuer: bytes | None = None,
            keep: Container[str] | None = None) -> Certificate:
    """A certificate with another issuer (DER), or with no extension but those named in *keep*.

    The names are openssl's short names (`keyUsage`). The signature is the old one, which does not
    hold any more: openssl shows and signs anew such a certificate.
    """
    data = certificate.public_bytes(Encoding.DER)
    signed, *rest = der.items(der.content_of(data))
    fields = list(der.items(der.content_of(signed)))
    if issuer is not None:
        fields[3 if der.tag_of(fields[0]) == _VERSION else 2] = issuer
    if keep is not None:
        present = records.extensions_of(records.certificate_fields(certificate))
        kept = named_extensions(present, keep)
        fields = [field for field in fields if der.tag_of(field) != _EXTENSIONS]
        fields += [der.tlv(_EXTENSIONS, extensions_item(kept))] if kept else []
    return load_certificate(der.sequence(der.sequence(*fields), *rest), encoding="DER")


def to_request(certificate: Certificate, key: PrivateKeyTypes, *,
               extfile: str | Config | None = None, extensions: str | None = None,
               copy_extensions: bool = False, subject: str | Name | None = None,
               digest: str = "sha256") -> CertificateSigningRequest:
    """A request with a certificate's contents, signed with *key* (openssl x509 -x509toreq).

    *extfile* and *extensions* are those of `x509_req`, the other options those of `req_from`.
    Raises InputError if both the certificate and the extfile have extensions, as openssl does.
    """
    request = req_from(certificate, key, copy_extensions=copy_extensions, subject=subject,
                       digest=digest)
    if extfile is None:
        return request
    config = as_config(extfile)
    section = extfile_section(config, extensions)
    validate_section(ExtensionContext(config, test=True), section, "extension")
    if not config.settings(section):
        return request
    if len(request.attributes):
        raise InputError(
            "duplicate attribute: extensions of the extfile beside those of the certificate",
            hint="leave -copy_extensions or -extfile out")
    name = subject_name(certificate) if subject is None else as_name(subject)
    form = Form(config, name, (), digest, StringOptions(), request_extensions=section,
                certificate_extensions=None, added=())
    return sign_request(form, keys.validate_signing_key(key))
