"""GeneralNames as openssl prints them: in a list (subjectAltName), or on lines of their own."""
from __future__ import annotations

from collections.abc import Callable

from .name import flagged_name_text, name_flags, slashed_name_text
from .value import address_text, object_text, printable, raw_text
from .. import der
from ..names import load_name
from ...errors import InputError

_OTHER, _X400, _DIRECTORY, _EDI, _IP, _REGISTERED = 0xA0, 0xA3, 0xA4, 0xA5, 0x87, 0x88
_TEXTS = {0x81: "email", 0x82: "DNS", 0x86: "URI"}
_UNSUPPORTED = {_X400: "X400Name", _EDI: "EdiPartyName"}
# otherName types that have a name: OID → the name, and the string type of the value.
_OTHER_NAMES = {
    "1.3.6.1.5.5.7.8.9": ("SmtpUTF8Mailbox", der.UTF8), "1.3.6.1.5.5.7.8.5": ("XmppAddr", der.UTF8),
    "1.3.6.1.5.5.7.8.7": ("SRVName", der.IA5), "1.3.6.1.4.1.311.20.2.3": ("UPN", der.UTF8),
    "1.3.6.1.5.5.7.8.8": ("NAIRealm", der.UTF8),
}
_NAMED = {label for label, _ in _OTHER_NAMES.values()}
_LONGEST_NAME = 255


def general_name_text(item: bytes) -> str:
    """One GeneralName (DER) as in a list: `DNS:x`, `DirName:/CN=x` (i2v_GENERAL_NAME).

    Raises InputError if *item* is not a GeneralName.
    """
    if der.tag_of(item) == _OTHER:
        label, value = _other(der.content_of(item))
        if value is None and label in _NAMED:
            raise InputError(f"the value of {label} has the wrong type of string")
        return f"othername: {label}::{'<unsupported>' if value is None else value}"
    return _text(item, lambda name: slashed_name_text(load_name(name), _LONGEST_NAME))


def printed_general_name(item: bytes) -> str:
    """One GeneralName (DER) as on a line of its own: `DirName:CN = x` (GENERAL_NAME_print).

    Octets that are not printable become dots. Raises InputError if *item* is not a GeneralName.
    """
    tag = der.tag_of(item)
    if tag in _TEXTS:
        return f"{_TEXTS[tag]}:{printable(der.content_of(item))}"
    if tag == _OTHER:
        label, value = _other(der.content_of(item))
        supported = label in _NAMED and value is not None
        return "othername:" + (f"{label}:{value}" if supported else "<unsupported>")
    return _text(item, lambda name: flagged_name_text(load_name(name), name_flags()))


def _text(item: bytes, directory_text: Callable[[bytes], str]) -> str:
    tag, content = der.tag_of(item), der.content_of(item)
    if tag in _TEXTS:
        return f"{_TEXTS[tag]}:{raw_text(content)}"
    if tag in _UNSUPPORTED:
        return f"{_UNSUPPORTED[tag]}:<unsupported>"
    if tag == _DIRECTORY:
        return f"DirName:{directory_text(content)}"
    if tag == _IP:
        return f"IP Address:{address_text(content)}"
    if tag == _REGISTERED:
        return f"Registered ID:{object_text(der.oid_text(der.tlv(der.OBJECT, content)))}"
    raise InputError("unknown kind of general name")


def _other(content: bytes) -> tuple[str, str | None]:
    """The type of an otherName, and its value if the value is text."""
    kind, explicit = der.items(content)
    oid, value = der.oid_text(kind), der.content_of(explicit)
    label, wanted = _OTHER_NAMES.get(oid, (object_text(oid), None))
    shown = der.tag_of(value) in ((der.UTF8, der.IA5) if wanted is None else (wanted,))
    return label, raw_text(der.content_of(value)) if shown else None
