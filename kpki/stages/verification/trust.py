"""Trust settings of TRUSTED CERTIFICATE blocks: what a root may be trusted for (X509_check_trust).

Go, and so Kubernetes, ignores such blocks.
"""
from __future__ import annotations

from typing import NamedTuple

from .facts import Facts
from .. import der
from ...errors import InputError

TRUSTED, UNTRUSTED, REJECTED = 1, 0, -1
_ANY = "2.5.29.37.0"
_SERVER, _CLIENT, _EMAIL, _TIME = (f"1.3.6.1.5.5.7.3.{number}" for number in (1, 2, 4, 8))
# Purpose → the extended key usage that must be trusted; "" for the two that read no settings.
_USES = {"sslclient": _CLIENT, "sslserver": _SERVER, "nssslserver": _SERVER, "smimesign": _EMAIL,
         "smimeencrypt": _EMAIL, "timestampsign": _TIME, "crlsign": "", "ocsphelper": ""}
_REJECT, _OTHER = 0xA0, 0xA1
_ORDER = (der.SEQUENCE, _REJECT, der.UTF8, der.OCTET_STRING, _OTHER)


class TrustSettings(NamedTuple):
    """The trust settings of a certificate as they are written; an absent field is None."""

    uses: tuple[str, ...] | None = None
    """The extended key usages (OIDs) that the certificate is trusted for."""
    rejected: tuple[str, ...] | None = None
    """The extended key usages (OIDs) that the certificate is never trusted for."""
    alias: bytes | None = None
    """A name for people, in UTF-8."""
    key_id: bytes | None = None
    """An identifier of the key."""
    other: bytes | None = None
    """Further algorithms: the content in DER."""

    def dump(self) -> bytes:
        """The DER of the settings, which follows the certificate in a TRUSTED CERTIFICATE block."""
        lists = (None if oids is None else b"".join(map(der.oid, oids))
                 for oids in (self.uses, self.rejected))
        contents = (*lists, self.alias, self.key_id, self.other)
        return der.sequence(*(der.tlv(tag, content) for tag, content in zip(
            _ORDER, contents, strict=True) if content is not None))


class Trust(NamedTuple):
    """What the trust settings of a certificate say (X509_CERT_AUX); an absent list is None.

    >>> trust = {ca: kpki.Trust(rejected=frozenset({"1.3.6.1.5.5.7.3.1"}))}     # serverAuth
    >>> kpki.verify(certificate, [ca], purpose="sslserver", now=now, trust=trust).reason
    'certificate rejected'
    """

    uses: frozenset[str] | None = None
    """The extended key usages that the certificate is trusted for."""
    rejected: frozenset[str] | None = None
    """The extended key usages that the certificate is never trusted for."""


def read_settings(settings: bytes) -> TrustSettings:
    """Trust settings from their DER, as OpenSSL reads them. Raises InputError for other DER."""
    if der.tag_of(settings) != der.SEQUENCE:
        raise InputError("not trust settings")
    found = {der.tag_of(item): der.content_of(item) for item in der.items(der.content_of(settings))}
    if [*found] != [tag for tag in _ORDER if tag in found]:
        raise InputError("not trust settings")
    uses, rejected = (tuple(map(der.oid_text, der.items(found[tag]))) if tag in found else None
                      for tag in (der.SEQUENCE, _REJECT))
    return TrustSettings(uses, rejected, *map(found.get, _ORDER[2:]))


def read_trust(settings: bytes) -> Trust:
    """What a certificate is trusted for, from the DER of its settings (see `read_settings`)."""
    read = read_settings(settings)
    return Trust(*(None if oids is None else frozenset(oids)
                   for oids in (read.uses, read.rejected)))


def check_trust(facts: Facts, trust: Trust | None, purpose: str | None, *,
                self_signed: bool = True) -> int:
    """TRUSTED, REJECTED, or UNTRUSTED if the settings say neither.

    *purpose* is one of openssl's; None and `any` stand for no particular purpose. Without settings
    a self-signed certificate is trusted if *self_signed* is set.
    """
    use = _USES.get(purpose or "any", _ANY)
    if trust is not None and use:
        for answer, oids in ((REJECTED, trust.rejected), (TRUSTED, trust.uses)):
            if oids is not None and oids & {use, _ANY}:
                return answer
        if trust.uses is not None:
            return REJECTED
    return TRUSTED if self_signed and facts.self_signed else UNTRUSTED
