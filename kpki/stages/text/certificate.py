"""Certificates and requests as text: what `openssl x509 -text` and `openssl req -text` print."""
from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING

from .extension import extensions_text
from .key import public_key_text
from .name import COMPAT, flagged_name_text, lined, name_flags
from .value import hexadecimal, object_text, raw_text, time_text
from .. import der, records
from ..names import load_name
from ..requests import EXTENSION_REQUEST
from ...errors import InputError
from ...pem import load_public_key

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateSigningRequest

    from ..verification.trust import TrustSettings

_MICROSOFT_EXTENSION_REQUEST = "1.3.6.1.4.1.311.2.1.14"
_EC, _RSA_PSS = "1.2.840.10045.2.1", "1.2.840.113549.1.1.10"
_LONG = 1 << 63
_ROW = 18  # octets of a signature a line
_ATTRIBUTE_STRINGS = (der.UTF8, der.NUMERIC, der.PRINTABLE, der.T61, der.IA5)
_NAME_INDENT, _COMPAT_INDENT = 12, 16


def certificate_text(certificate: Certificate, *, name_option: int | None = None,
                     without: Container[str] = (), unknown: str = "default") -> str:
    """A certificate as `openssl x509 -text -noout` prints it (X509_print_ex).

    *name_option* is the result of `name_flags` for `-nameopt`. *without* holds the parts to leave
    out, by their names in `-certopt no_…`: header, version, serial, signame, issuer, validity,
    subject, pubkey, extensions, sigdump. *unknown* says how an extension without a known form is
    shown: default, error or dump.

    >>> kpki.certificate_text(ca).splitlines()[0]
    'Certificate:'
    """
    data = _der(certificate)
    fields = records.certificate_fields(data)
    not_before, not_after = (time_text(item)
                             for item in der.items(der.content_of(fields.validity)))
    inner, (_, outer, signature) = fields.signature, der.items(der.content_of(data))
    flags = name_flags() if name_option is None else name_option
    parts = {
        "header": "Certificate:\n    Data:\n",
        "version": f"        Version: {_version(fields.version, highest=2)}\n",
        "serial": f"        Serial Number:{_serial(fields.serial_number)}\n",
        "signame": f"        Signature Algorithm: {_algorithm(inner)}{_parameters(inner)}",
        "issuer": f"        Issuer:{_name(fields.issuer, flags)}\n",
        "validity": f"        Validity\n            Not Before: {not_before}\n"
                    f"            Not After : {not_after}\n",
        "subject": f"        Subject:{_name(fields.subject, flags)}\n",
        "pubkey": _public_key(fields.subject_public_key_info),
        "ids": (_unique_id("Issuer", fields.issuer_unique_id)
                + _unique_id("Subject", fields.subject_unique_id)),
        "extensions": extensions_text(records.extensions_of(fields), title="X509v3 extensions",
                                      indent=8, unknown=unknown),
        "sigdump": _signature(outer, signature),
    }
    return "".join(text for part, text in parts.items() if part not in without)


def request_text(csr: CertificateSigningRequest, *, name_option: int | None = None,
                 without: Container[str] = (), unknown: str = "default") -> str:
    """A request as `openssl req -text -noout` prints it (X509_REQ_print_ex).

    The options are those of `certificate_text`; *without* may also hold `attributes`.

    >>> kpki.request_text(csr).splitlines()[0]
    'Certificate Request:'
    """
    data = _der(csr)
    fields = records.request_fields(data)
    _, outer, signature = der.items(der.content_of(data))
    flags = name_flags() if name_option is None else name_option
    attributes = records.request_attributes(data)
    parts = {
        "header": "Certificate Request:\n    Data:\n",
        "version": f"        Version: {_version(fields.version, highest=0)}\n",
        "subject": f"        Subject:{_name(fields.subject, flags)}\n",
        "pubkey": _public_key(fields.subject_public_key_info),
        "attributes": "        Attributes:\n" + ("".join(
            _attribute(oid, values) for oid, values in attributes if oid not in _EXTENSIONS)
            if attributes else "            (none)\n"),
        "extensions": _requested_extensions(attributes, unknown),
        "sigdump": _signature(outer, signature),
    }
    return "".join(text for part, text in parts.items() if part not in without)


def trust_text(settings: TrustSettings) -> str:
    """Trust settings as `openssl x509 -text` prints them behind a certificate (X509_aux_print)."""
    lines = ""
    for title, oids in (("Trusted", settings.uses), ("Rejected", settings.rejected)):
        lines += f"No {title} Uses.\n" if oids is None else \
            f"{title} Uses:\n  {', '.join(map(object_text, oids))}\n"
    if settings.alias is not None:
        lines += f"Alias: {raw_text(settings.alias)}\n"
    return lines + (f"Key Id: {settings.key_id.hex(':').upper()}\n" if settings.key_id else "")


_EXTENSIONS = (EXTENSION_REQUEST, _MICROSOFT_EXTENSION_REQUEST)


def serial_text(number: int) -> str:
    """A serial number as `x509 -serial` prints it: upper-case hexadecimal, 35 octets a line."""
    digits = hexadecimal(abs(number))
    lines = (digits[at:at + 70] for at in range(0, len(digits), 70))
    return ("-" if number < 0 else "") + "\\\n".join(lines)


def _der(value: Certificate | CertificateSigningRequest) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding
    return value.public_bytes(Encoding.DER)


def _version(number: int, *, highest: int) -> str:
    return f"{number + 1} (0x{number:x})" if 0 <= number <= highest else f"Unknown ({number})"


def _serial(number: int) -> str:
    """Decimal and hexadecimal if the number fits a C long; OpenSSL treats -1 as a larger number."""
    sign, size = ("-" if number < 0 else ""), abs(number)
    if -_LONG <= number < _LONG and number != -1:
        return f" {sign}{size} ({sign}0x{size:x})"
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return f"\n            {' (Negative)' if sign else ''}{octets.hex(':')}"


def _name(name: bytes, flags: int) -> str:
    if flags == COMPAT:
        return " " + flagged_name_text(load_name(name), flags)
    before, indent = ("\n", _NAME_INDENT) if lined(flags) else (" ", 0)
    return before + flagged_name_text(load_name(name), flags, indent)


def _public_key(public_key: bytes) -> str:
    algorithm = der.items(der.content_of(public_key))[0]
    oid = der.oid_text(der.items(der.content_of(algorithm))[0])
    try:
        if oid == _EC:
            load_public_key(public_key)  # a point that is off its curve is no key
        text = public_key_text(public_key, 16)
    except (ValueError, LookupError):
        text = None
    return ("        Subject Public Key Info:\n"
            f"            Public Key Algorithm: {object_text(oid)}\n"
            f"{text or '            Unable to load Public Key' + chr(10)}")


def _algorithm(item: bytes) -> str:
    """The name of a signature algorithm."""
    return object_text(der.oid_text(der.items(der.content_of(item))[0]))


def _parameters(item: bytes) -> str:
    """The text after the name: the end of the line, and of RSASSA-PSS a line for each parameter."""
    kind, *parameters = der.items(der.content_of(item))
    if der.oid_text(kind) != _RSA_PSS or not parameters:
        return "\n"
    try:
        lines = ["", *_pss_lines(parameters[0])]
    except (ValueError, LookupError):
        lines = ["(INVALID PSS PARAMETERS)"]
    return "".join(f"        {line}\n" for line in lines)


def _pss_lines(parameters: bytes) -> tuple[str, ...]:
    """RSASSA-PSS-params (RFC 4055 §3.1)."""
    items = der.items(der.content_of(parameters))
    fields = {der.tag_of(item): der.content_of(item) for item in items}

    def first_oid(algorithm: bytes) -> str:
        return object_text(der.oid_text(der.items(der.content_of(algorithm))[0]))

    mask = "mgf1 with sha1 (default)"
    if 0xA1 in fields:
        generator, inner = der.items(der.content_of(fields[0xA1]))
        mask = f"{object_text(der.oid_text(generator))} with {first_oid(inner)}"
    return (f"Hash Algorithm: {first_oid(fields[0xA0]) if 0xA0 in fields else 'sha1 (default)'}",
            f"Mask Algorithm: {mask}", f" Salt Length: 0x{_digits(fields, 0xA2, '14 (default)')}",
            f"Trailer Field: 0x{_digits(fields, 0xA3, '01 (default)')}")


def _digits(fields: Mapping[int, bytes], tag: int, default: str) -> str:
    if tag not in fields:
        return default
    return hexadecimal(int.from_bytes(der.content_of(fields[tag]), "big"))


def _signature(algorithm: bytes, signature: bytes) -> str:
    return (f"    Signature Algorithm: {_algorithm(algorithm)}\n"
            f"    Signature Value:{_parameters(algorithm)}"
            f"{_octets(der.content_of(signature)[1:], 8)}")


def _unique_id(whose: str, bits: bytes | None) -> str:
    return "" if bits is None else f"        {whose} Unique ID: {_octets(bits, 12)}"


def _octets(octets: bytes, indent: int) -> str:
    rows = [octets[at:at + _ROW].hex(":") for at in range(0, len(octets), _ROW)]
    return ":\n".join(" " * indent + row for row in rows) + "\n"


def _attribute(oid: str, values: Sequence[bytes]) -> str:
    name = object_text(oid)
    lines = [raw_text(der.content_of(value)) if der.tag_of(value) in _ATTRIBUTE_STRINGS
             else "unable to print attribute" for value in values]
    return f"            {name:<25}" + "".join(f":{line}\n" for line in lines)


def _requested_extensions(attributes: Sequence[tuple[str, Sequence[bytes]]], unknown: str) -> str:
    """The extensions that a request asks for, under their title.

    The title stands above an empty list too, but not above a value that is no list of extensions.
    """
    values = next((values for oid, values in attributes if oid in _EXTENSIONS and values),
                  (der.sequence(),))
    try:
        extensions = [records.read_extension(item) for item in der.items(der.content_of(values[0]))]
    except InputError:
        return ""
    text = extensions_text(extensions, indent=16, unknown=unknown)
    return "            Requested Extensions:\n" + text
