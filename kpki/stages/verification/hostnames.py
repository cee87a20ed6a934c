"""Whether a certificate is valid for a host name, IP address or e-mail address, as in OpenSSL.

`verify -verify_hostname -verify_ip -verify_email` and `x509 -checkhost -checkip -checkemail` use
these three functions (X509_check_host(3) and the like, without flags). The subject counts only if
the subjectAltName has no entry of the kind. An IP address in the subject never counts.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .. import der, records
from ..names import load_name
from ...errors import InputError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    Equal = Callable[[bytes, bytes], bool]

_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
_COMMON_NAME, _EMAIL_ADDRESS = "2.5.4.3", "1.2.840.113549.1.9.1"
_SMTP_UTF8_MAILBOX = "1.3.6.1.5.5.7.8.9"
_OTHER, _EMAIL, _DNS, _IP = 0xA0, 0x81, 0x82, 0x87
_GENERAL_NAME_TAGS = {_OTHER, _EMAIL, _DNS, 0xA3, 0xA4, 0xA5, 0x86, _IP, 0x88}

_LABEL = rb"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
# One star at the start or the end of the first label, which is no IDNA label. At least two labels
# must follow.
_STAR = re.compile(
    rb"(?:(?!xn--)(?P<head>%b))?\*(?P<tail>(?(head)|(?:[a-z0-9-]*[a-z0-9])?)(?:\.%b){2,})"
    % (_LABEL, _LABEL), re.IGNORECASE)


def matches_host(certificate: Certificate, host: str) -> bool:
    """Whether the certificate is valid for *host* (`-verify_hostname`, `-checkhost`).

    A *host* `.example.com` stands for any host below it. DNS entries count, with one `*` in the
    first label (RFC 6125 §6.4.3 as OpenSSL reads it). Without DNS entries the subject's common
    names count.
    """
    wanted = host.encode("utf-8", "surrogateescape")
    return b"\0" not in wanted and _matches(certificate, _DNS, _COMMON_NAME, wanted, _same_host)


def matches_ip(certificate: Certificate, octets: bytes) -> bool:
    """Whether an IP entry has exactly these 4 or 16 *octets* (`-verify_ip`, `-checkip`)."""
    return _matches(certificate, _IP, None, octets, bytes.__eq__)


def matches_email(certificate: Certificate, text: str) -> bool:
    """Whether the certificate is valid for an e-mail address (`-verify_email`, `-checkemail`).

    The case of the domain does not matter. E-mail entries count, internationalised ones included
    (RFC 8398). Without such entries the subject's emailAddress attributes count.
    """
    wanted = text.encode("utf-8", "surrogateescape")
    return b"\0" not in wanted and _matches(certificate, _EMAIL, _EMAIL_ADDRESS, wanted,
                                            _same_email)


def read_general_names(value: bytes) -> tuple[bytes, ...]:
    """Each GeneralName of GeneralNames (DER), in DER (RFC 5280 §4.2.1.6).

    Raises InputError if one is of an unknown kind.
    """
    names = der.items(der.content_of(value))
    if der.tag_of(value) != der.SEQUENCE \
            or any(der.tag_of(name) not in _GENERAL_NAME_TAGS for name in names):
        raise InputError("not a GeneralNames")
    return names


def _matches(certificate: Certificate, tag: int, fallback: str | None, wanted: bytes,
             same: Equal) -> bool:
    fields = records.certificate_fields(certificate)
    entries = list(_alternatives(fields, tag))
    if not entries and fallback is not None:
        subject = load_name(fields.subject)
        entries = [attribute.text.encode("utf-8", "replace")
                   for attribute in subject.attributes(fallback)]
    return any(entry and same(entry, wanted) for entry in entries)


def _alternatives(fields: records.CertificateFields, tag: int) -> Iterator[bytes]:
    """The entries of one kind in the subjectAltName.

    There are no entries if the extension is broken or occurs twice, as in X509_get_ext_d2i.
    """
    try:
        values = [extension.value for extension in records.extensions_of(fields)
                  if extension.oid == _SUBJECT_ALTERNATIVE_NAME]
        names = read_general_names(values[0]) if len(values) == 1 else ()
    except InputError:
        return
    for name in names:
        if der.tag_of(name) == tag:
            yield der.content_of(name)
        elif der.tag_of(name) == _OTHER and tag == _EMAIL:
            yield from _mailbox(name)


def _mailbox(name: bytes) -> Iterator[bytes]:
    """The address of an SmtpUTF8Mailbox, the only otherName that is an e-mail address."""
    try:
        kind, value = der.items(der.content_of(name))
        address = der.content_of(value)
        if der.oid_text(kind) == _SMTP_UTF8_MAILBOX and der.tag_of(address) == der.UTF8:
            yield der.content_of(address)
    except (InputError, ValueError):
        return


def _same_host(entry: bytes, host: bytes) -> bool:
    if b"\0" in entry:
        return False
    if len(host) > 1 and host.startswith(b"."):
        return entry.lower().endswith(host.lower())
    star = _STAR.fullmatch(entry)
    if star is None:
        return entry.lower() == host.lower()
    head, tail = (star["head"] or b"").lower(), star["tail"].lower()
    middle = host[len(head):len(host) - len(tail)]
    if len(host) < len(head) + len(tail) \
            or not host.lower().startswith(head) or not host.lower().endswith(tail):
        return False
    whole_label = not head and tail.startswith(b".")
    if not whole_label and host.lower().startswith(b"xn--"):
        return False
    characters = rb"[A-Za-z0-9-]+" if whole_label else rb"[A-Za-z0-9-]*"
    return middle == b"*" or re.fullmatch(characters, middle) is not None


def _same_email(entry: bytes, address: bytes) -> bool:
    """The part before the last `@` must be the same, the rest in any letter case."""
    at = max(entry.rfind(b"@"), address.rfind(b"@"), 0) or len(entry)
    return (len(entry) == len(address) and entry[:at] == address[:at]
            and entry[at:].lower() == address[at:].lower() and b"\0" not in entry[at:])
