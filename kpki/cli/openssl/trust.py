"""Trust settings of a TRUSTED CERTIFICATE: options of `x509` that read, change and write them."""
from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .options import TEXT, GivenOptions, Option
from ... import pem
from ...errors import InputError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from ...stages.verification.trust import TrustSettings

TRUST_OPTIONS = (
    Option("trustout", "",
           "write a TRUSTED CERTIFICATE, with its trust settings; Kubernetes reads no such "
           "block"),
    Option("setalias", TEXT, "give the certificate this alias, and write it as -trustout does"),
    Option("addtrust", TEXT,
           "trust the certificate for this use, such as serverAuth (repeatable); write it as "
           "-trustout does"),
    Option("addreject", TEXT,
           "reject the certificate for this use (repeatable); write it as -trustout does"),
    Option("clrtrust", "", "remove the uses for which the certificate is trusted"),
    Option("clrreject", "", "remove the uses for which the certificate is rejected"),
)
_WRITE = ("trustout", "setalias", "addtrust", "addreject")
WARNING = "Go passes over a TRUSTED CERTIFICATE: in a file of CAs this one is none for Kubernetes"


def writes_settings(given: GivenOptions) -> bool:
    """Whether a TRUSTED CERTIFICATE is written: only in PEM."""
    return given.has(*_WRITE) and given.form("outform") == "PEM"


def changed_settings(given: GivenOptions, data: bytes) -> TrustSettings | None:
    """The settings in *data* (DER, b"" for none) as the options change them; None if none are left.

    Broken settings count as none, as in openssl. Raises InputError for an unknown use.
    """
    if not data and not given.has(*_WRITE):
        return None
    from ...stages.verification.trust import TrustSettings, read_settings
    settings = None
    with contextlib.suppress(InputError):
        settings = read_settings(data) if data else None
    if given.has("setalias"):
        alias = (given.get("setalias") or "").encode("utf-8", "surrogateescape")
        settings = (settings or TrustSettings())._replace(alias=alias)
    if settings is not None and given.has("clrtrust"):
        settings = settings._replace(uses=None)
    if settings is not None and given.has("clrreject"):
        settings = settings._replace(rejected=None)
    if uses := _uses(given, "addtrust"):
        settings = settings or TrustSettings()
        settings = settings._replace(uses=(*(settings.uses or ()), *uses))
    if rejected := _uses(given, "addreject"):
        settings = settings or TrustSettings()
        settings = settings._replace(rejected=(*(settings.rejected or ()), *rejected))
    return settings


def _uses(given: GivenOptions, option: str) -> list[str]:
    from ...stages import objects
    oids = []
    for text in given.all(option):
        oid = objects.find_oid(text)
        if oid is None:
            raise InputError(f"x509: invalid trust object value {text} of -{option}",
                             hint="serverAuth, or an OID")
        oids.append(oid)
    return oids


def trusted_block(certificate: Certificate, settings: TrustSettings | None) -> bytes:
    """A certificate and its trust settings as a block TRUSTED CERTIFICATE."""
    data = pem.dump_certificate(certificate, encoding="DER")
    return pem.armour(data + (b"" if settings is None else settings.dump()), "TRUSTED CERTIFICATE")
