"""The display options of `x509` and `req`, and their output.

`x509` prints in the order of the options on the command line, `req` in a fixed order (openssl 3.0).
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from . import streams
from .options import NUMBER, TEXT, GivenOptions, Option
from ... import pem
from ...clock import utc_now
from ...errors import InputError, UnsupportedError, about

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateSigningRequest

    from ...stages.records import CertificateFields, Extension
    from ...stages.verification.trust import TrustSettings

_COMMON = (
    Option("noout", "", "print what other options ask for, and no PEM"),
    Option("text", "", "print everything in words"),
    Option("subject", "", "print the subject"),
    Option("modulus", "", "print the modulus of an RSA key"),
    Option("pubkey", "", "print the public key as PEM"),
    Option("nameopt", TEXT,
           "how names are printed: RFC2253, oneline, multiline, compat, esc_…, sep_…"),
)
REQUEST_OPTIONS = (
    *_COMMON, Option("verify", "", "check that the request is signed by its own key"),
    Option("reqopt", TEXT, "parts of -text to leave out: no_header, no_pubkey, no_sigdump …"),
)
CERTIFICATE_OPTIONS = (
    *_COMMON, Option("nocert", "", "print what other options ask for, and no PEM, as -noout does"),
    Option("issuer", "", "print the issuer"), Option("serial", "", "print the serial number"),
    Option("next_serial", "", "print the serial number plus one"),
    Option("dates", "", "print notBefore and notAfter"),
    Option("startdate", "", "print notBefore, from when the certificate is valid"),
    Option("enddate", "", "print notAfter, until when the certificate is valid"),
    Option("fingerprint", "",
           "print the digest of the certificate (-sha1 by default, -sha256 and others)"),
    Option("ext", TEXT,
           "print these extensions, such as subjectAltName,keyUsage; -text shows and a "
           "signature keeps no other"),
    Option("purpose", "", "print for which purposes the certificate may be used"),
    Option("checkend", NUMBER,
           "exit with 1 if the certificate expires within this number of seconds"),
    Option("checkhost", TEXT, "print whether the certificate is for this host name"),
    Option("checkip", TEXT, "print whether the certificate is for this IP address"),
    Option("checkemail", TEXT, "print whether the certificate is for this e-mail address"),
    Option("email", "", "print the e-mail addresses of the certificate"),
    Option("hash", "", "print the hash of the subject"),
    Option("subject_hash", "", "print the hash of the subject, as -hash does"),
    Option("issuer_hash", "", "print the hash of the issuer"),
    Option("subject_hash_old", "", "print the old hash of the subject, of OpenSSL before 1.0"),
    Option("issuer_hash_old", "", "print the old hash of the issuer, of OpenSSL before 1.0"),
    Option("ocsp_uri", "", "print the addresses of OCSP responders"),
    Option("ocspid", "", "print the hashes by which OCSP names the certificate"),
    Option("alias", "", "print the alias of a TRUSTED CERTIFICATE"),
    Option("certopt", TEXT, "parts of -text to leave out: no_header, no_pubkey, no_sigdump …"),
    Option("dateopt", TEXT, "how dates are printed: rfc_822 or iso_8601"),
)

SIGNING = ("req", "new", "CA", "signkey", "key")     # with these `x509` signs
_PARTS = ("header", "version", "serial", "signame", "issuer", "validity", "subject", "pubkey",
          "extensions", "sigdump", "attributes", "aux")
_CA_DEFAULT = frozenset(("header", "version", "issuer", "pubkey"))
_PURPOSES = {"sslclient": "SSL client", "sslserver": "SSL server",
             "nssslserver": "Netscape SSL server",
             "smimesign": "S/MIME signing", "smimeencrypt": "S/MIME encryption",
             "crlsign": "CRL signing",
             "any": "Any Purpose", "ocsphelper": "OCSP helper",
             "timestampsign": "Time Stamp signing"}
_EMAIL_ADDRESS, _ALTERNATIVE_NAMES = "1.2.840.113549.1.9.1", "2.5.29.17"
_INFORMATION_ACCESS, _OCSP = "1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.48.1"


class _View(NamedTuple):
    """A certificate, the DER of its parts, and the options of the line."""

    certificate: Certificate
    settings: TrustSettings | None
    given: GivenOptions
    fields: CertificateFields
    issuer: bytes
    subject: bytes
    public_key: bytes
    extensions: tuple[Extension, ...]


def show_certificate(certificate: Certificate, given: GivenOptions, *,
                     settings: TrustSettings | None = None,
                     now: datetime | None = None) -> tuple[str, int]:
    """The text and the exit status of a certificate's display options.

    *now* (None: the clock) is for -checkend. *settings* are the certificate's trust settings. With
    `-x509toreq` the certificate is shown as its own issuer, as in openssl. `req -x509` shows only
    the four options that `req` has, in its order. Raises InputError for a value of an option that
    openssl refuses, UnsupportedError for a value that kpki lacks.
    """
    view = _read(certificate, settings, given)
    if given.verb == "req":
        return "".join(_ITEMS[name](view) for name in _REQUEST_ORDER if given.has(name)), 0
    _name_flags(given), _text_options(given, "certopt")  # wrong values are refused, used or not
    if wrong := set(given.all("dateopt")) - {"rfc_822", "iso_8601"}:
        raise InputError(f"invalid date format: {wrong.pop()}", hint="rfc_822 or iso_8601")
    text = "".join(_ITEMS[name](view) for name in _in_order(given))
    if given.has("checkend"):
        left = certificate.not_valid_after_utc - (now or utc_now())
        ends = left.total_seconds() <= given.number("checkend", 0)
        return text + f"Certificate will {'' if ends else 'not '}expire\n", int(ends)
    return text + _matches(view), 0


def show_request(csr: CertificateSigningRequest, given: GivenOptions) -> tuple[str, int]:
    """The text and the exit status of a request's display options. Raises as `show_certificate`."""
    from ...stages import records
    from ...stages.text.certificate import request_text
    fields = records.request_fields(csr)
    public_key = fields.subject_public_key_info
    flags, (without, unknown) = _name_flags(given), _text_options(given, "reqopt")
    shown = {
        "pubkey": lambda: _pubkey(public_key),
        "text": lambda: request_text(csr, name_option=flags, without=without, unknown=unknown),
        "subject": lambda: _named("subject=", fields.subject, flags),
        "modulus": lambda: _modulus(public_key, "Wrong Algorithm type"),
    }
    return "".join(shown[name]() for name in _REQUEST_ORDER if given.has(name)), 0


def extension_names(given: GivenOptions) -> list[str] | None:
    """The names of extensions in -ext, None without one.

    A space is part of a name, as in openssl.
    """
    text = given.get("ext")
    return None if text is None else text.split(",")


def _read(certificate: Certificate, settings: TrustSettings | None, given: GivenOptions) -> _View:
    from ...stages import records
    fields = records.certificate_fields(certificate)
    issuer = fields.subject if given.has("x509toreq") else fields.issuer
    return _View(certificate, settings, given, fields, issuer, fields.subject,
                 fields.subject_public_key_info, records.extensions_of(fields))


def _in_order(given: GivenOptions) -> Iterable[str]:
    """The parts to show; of a part that is named twice, the last place counts."""
    places: dict[str, None] = {}
    for name, _ in given.order:
        for item in _SPREAD.get(name, (name,)):
            if item in _ITEMS:
                places.pop(item, None)
                places[item] = None
    return places


def _name_flags(given: GivenOptions) -> int:
    from ...stages.text.name import name_flags
    return name_flags(*given.all("nameopt"))


def _text_options(given: GivenOptions, option: str) -> tuple[frozenset[str], str]:
    """The parts that -text leaves out, and the form of unknown extensions (`-certopt`)."""
    from ...stages.text.name import option_words
    without: set[str] = set()
    unknown = "default"
    for word in (word for text in given.all(option) for word in option_words(text)):
        name, taken_back = word.lstrip("-+").lower(), word.startswith("-")
        kind, _, rest = name.partition("_")
        if name == "compatible":
            without, unknown = set(), "default"
        elif name == "ca_default":
            without, unknown = set() if taken_back else set(_CA_DEFAULT), "default"
        elif kind == "no" and rest in _PARTS:
            (without.discard if taken_back else without.add)(rest)
        elif name == "ext_parse":
            raise UnsupportedError(f"openssl's -{option} {word} is not supported",
                                   hint="ext_dump shows the octets")
        elif kind == "ext" and rest in ("default", "error", "dump"):
            unknown = "default" if taken_back else rest
        else:
            raise InputError(f"unknown -{option} {word!r}", hint=", ".join((
                "compatible", "ca_default", "ext_default", "ext_error", "ext_dump",
                *map("no_{}".format, _PARTS))))
    return frozenset(without), unknown


def _named(title: str, name: bytes, flags: int) -> str:
    from ...stages.names import load_name
    from ...stages.text.name import COMPAT, flagged_name_text, lined, slashed_name_text
    value = load_name(name)
    if flags == COMPAT:
        return f"{title}{slashed_name_text(value)}\n"
    return f"{title}\n{flagged_name_text(value, flags, 4)}\n" if lined(flags) else \
        f"{title}{flagged_name_text(value, flags)}\n"


def _text(view: _View) -> str:
    from ...stages.text.certificate import certificate_text, trust_text
    certificate = view.certificate
    if view.given.has("x509toreq") or (view.given.has("ext") and not view.given.has(*SIGNING)):
        from ...stages.conversion import altered
        certificate = altered(certificate, issuer=view.issuer, keep=extension_names(view.given))
    without, unknown = _text_options(view.given, "reqopt" if view.given.verb == "req"
                                     else "certopt")
    text = certificate_text(certificate, name_option=_name_flags(view.given), without=without,
                            unknown=unknown)
    return text + ("" if view.settings is None or "aux" in without else trust_text(view.settings))


def _date(title: str, place: int) -> Callable[[_View], str]:
    def shown(view: _View) -> str:
        from ...stages import der
        from ...stages.text.value import time_text
        dates = der.items(der.content_of(view.fields.validity))
        return f"{title}={time_text(dates[place], iso=view.given.get('dateopt') == 'iso_8601')}\n"
    return shown


def _serial(view: _View, following: int = 0) -> str:
    from ...stages.text.certificate import serial_text
    return serial_text(view.fields.serial_number + following) + "\n"


def _fingerprint(view: _View) -> str:
    from .fingerprints import hashes_of
    name = view.given.word or "SHA1"
    octets = b"".join(map(view.certificate.fingerprint, hashes_of(name)))
    return f"{name} Fingerprint={octets.hex(':').upper()}\n"


def _pubkey(public_key: bytes) -> str:
    return pem.armour(public_key, "PUBLIC KEY").decode()


def _modulus(public_key: bytes, otherwise: str) -> str:
    from ...stages.text.key import modulus
    from ...stages.text.value import hexadecimal
    with about("the public key"):
        number = modulus(public_key)
    return f"Modulus={otherwise if number is None else hexadecimal(number)}\n"


def _hash(name: bytes) -> str:
    from ...stages.verification.canonical import name_hash
    return name_hash(name) + "\n"


def _old_hash(name: bytes) -> str:
    import hashlib
    return hashlib.md5(name, usedforsecurity=False).digest()[3::-1].hex() + "\n"


def _ocsp_hashes(view: _View) -> str:
    import hashlib

    from ...stages.records import key_bits
    subject, key = (hashlib.sha1(data, usedforsecurity=False).hexdigest().upper()
                    for data in (view.subject, key_bits(view.public_key)))
    return f"        Subject OCSP hash: {subject}\n        Public key OCSP hash: {key}\n"


def _extensions(view: _View) -> str:
    from ...stages.requests import named_extensions
    from ...stages.text.extension import extensions_text
    names = extension_names(view.given) or ()
    found = [named for extension in view.extensions for name in names
             for named in named_extensions([extension], [name])]
    if not found:
        streams.note("No extensions matched in certificate" if view.extensions
                     else "No extensions in certificate")
    return extensions_text(found)


def _alias(view: _View) -> str:
    alias = None if view.settings is None else view.settings.alias
    return "<No Alias>\n" if alias is None else alias.decode("utf-8", "surrogateescape") + "\n"


def _purposes(view: _View) -> str:
    from ...stages.verification.facts import read_facts
    from ...stages.verification.purposes import OPENSSL_PURPOSES
    facts = read_facts(view.certificate)
    lines = []
    for name, title in _PURPOSES.items():
        for as_ca in (False, True):
            answer = -1 if facts.broken else OPENSSL_PURPOSES[name](facts, as_ca)
            words = {0: "No", 1: "Yes"}.get(answer, f"Yes (WARNING code={answer})")
            lines.append(f"{title}{' CA' * as_ca} : {words}\n")
    return "Certificate purposes:\n" + "".join(lines)


def _emails(view: _View) -> str:
    """The addresses of the subject, then of the subjectAltName."""
    from ...stages import der
    from ...stages.names import load_name
    entries = [attribute.octets for attribute in load_name(view.subject).attributes(_EMAIL_ADDRESS)
               if attribute.tag == der.IA5]
    return _texts([*entries, *(der.content_of(item) for item in _items(view, _ALTERNATIVE_NAMES)
                               if der.tag_of(item) == 0x81)])


def _responders(view: _View) -> str:
    from ...stages import der
    try:
        pairs = [der.items(der.content_of(item)) for item in _items(view, _INFORMATION_ACCESS)]
        return _texts([der.content_of(name) for method, name in pairs
                       if der.oid_text(method) == _OCSP and der.tag_of(name) == 0x86])
    except ValueError:  # an entry that is no pair, or no list at all: the extension does not count
        return ""


def _items(view: _View, oid: str) -> Sequence[bytes]:
    """The items of an extension; none if it is absent, double or broken (X509_get_ext_d2i)."""
    from ...stages import der
    values = [extension.value for extension in view.extensions if extension.oid == oid]
    try:
        return der.items(der.content_of(values[0])) if len(values) == 1 else ()
    except InputError:
        return ()


def _texts(entries: Iterable[bytes]) -> str:
    """A line for each text, each once.

    OpenSSL sorts the texts before each search, and so the output is sorted.
    """
    lines: list[bytes] = []
    for entry in entries:
        if entry and b"\0" not in entry:
            lines.sort()
            if entry not in lines:
                lines.append(entry)
    return b"".join(line + b"\n" for line in lines).decode("utf-8", "surrogateescape")


def _matches(view: _View) -> str:
    """The text of -checkhost, -checkemail and -checkip, which never change the exit status."""
    if not view.given.has("checkhost", "checkemail", "checkip"):
        return ""
    from ...stages.extensions.general_names import ip_octets
    from ...stages.verification.hostnames import matches_email, matches_host, matches_ip

    def matches_address(certificate: Certificate, wanted: str) -> bool:
        return matches_ip(certificate, ip_octets(wanted))

    text = ""
    for option, noun, matches in (("checkhost", "Hostname", matches_host),
                                  ("checkemail", "Email", matches_email),
                                  ("checkip", "IP", matches_address)):
        wanted = view.given.get(option)
        if wanted is not None:
            negation = "" if matches(view.certificate, wanted) else "NOT "
            text += f"{noun} {wanted} does {negation}match certificate\n"
    return text


# option → its parts, if they are not the part of its own name
_SPREAD = {"dates": ("startdate", "enddate"), "hash": ("subject_hash",)}
_REQUEST_ORDER = ("pubkey", "text", "subject", "modulus")
# part → the function that makes its lines
_ITEMS: dict[str, Callable[[_View], str]] = {
    "text": _text,
    "subject": lambda view: _named("subject=", view.subject, _name_flags(view.given)),
    "issuer": lambda view: _named("issuer=", view.issuer, _name_flags(view.given)),
    "serial": lambda view: f"serial={_serial(view)}",
    "next_serial": lambda view: _serial(view, 1),
    "startdate": _date("notBefore", 0), "enddate": _date("notAfter", 1),
    "fingerprint": _fingerprint, "pubkey": lambda view: _pubkey(view.public_key),
    "modulus": lambda view: _modulus(view.public_key, "No modulus for this public key type"),
    "ext": _extensions, "purpose": _purposes, "email": _emails, "ocsp_uri": _responders,
    "ocspid": _ocsp_hashes, "alias": _alias,
    "subject_hash": lambda view: _hash(view.subject),
    "issuer_hash": lambda view: _hash(view.issuer),
    "subject_hash_old": lambda view: _old_hash(view.subject),
    "issuer_hash_old": lambda view: _old_hash(view.issuer),
}
