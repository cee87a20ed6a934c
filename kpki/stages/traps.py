"""What openssl takes without a word and people regret: functions from values to warnings, each a line of text.

A warning begins with the place of the line that it is about, where there is one; the file's name is the caller's to
add.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from ..errors import InputError
from . import der
from .config import Config, Setting
from .extensions.general_names import ip_octets
from .extensions.identifiers import SUBJECT_ALTERNATIVE_NAME
from .extensions.table import KINDS
from .extensions.values import Value, parse_list
from .requests import request_extensions

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateSigningRequest

_LEFT_OVER = re.compile(r"<[A-Za-z][\w .-]*>|\$\{\w+\}|\$\(\w+\)|\$[A-Za-z_]\w*", re.ASCII)
_DIALOGUE = ("_default", "_min", "_max", "_value")


def request_traps(config: Config, section: str, *, subject: bool, certificate: bool,
                  extensions: str | None = None) -> list[str]:
    """What surprises in a configuration read by `req`: with *certificate* under -x509, with *subject* beside -subj.

    *extensions* is the section that the command line names.
    """
    key = "x509_extensions" if certificate else "req_extensions"
    names = config.settings(config.get(section, "distinguished_name") or "") or ()
    used = extensions or config.get(section, key)
    found = [*repeated_keys(config)]
    if not subject:
        found += [*_unasked(config, section, names), *left_overs(names)]
    if certificate and used is None and (other := config.find(section, "req_extensions")):
        found.append(f"{other.place}req_extensions is for requests, a certificate takes x509_extensions or "
                     f"-extensions: nothing of [{other.value}] goes into it")
    return found + extension_traps(config, used)


def extension_traps(config: Config, section: str | None) -> list[str]:
    """What surprises in a section of extensions and in the `@section`s that it names."""
    settings = (section is not None and config.settings(section)) or ()
    entries = [entry for setting in settings if setting.key in ("subjectAltName", "issuerAltName")
               for entry in _entries(config, setting)]
    sections = {setting.value for setting in settings if "@" in setting.value}
    lists = (config.settings(one.partition("@")[2]) or () for one in sorted(sections))
    return [*left_overs(settings), *(text for one in lists for text in left_overs(one)), *address_names(entries)]


def unused_section(config: Config, section: str | None) -> list[str]:
    """Where a signing step takes no extension from an extfile: the sections of it that have some."""
    if section is not None and config.settings(section):
        return []
    names = [name for name, settings in config.sections.items() if any(one.key in KINDS for one in settings)]
    return [f"its extensions in {', '.join(f'[{name}]' for name in names)} are not used: -extensions names a section"
            ] if names else []


def dropped_names(csr: CertificateSigningRequest, certificate: Certificate) -> list[str]:
    """Where a request asks for a subjectAltName and its certificate has none."""
    asked = {one.oid for one in request_extensions(csr.public_bytes(Encoding.DER))}
    given = {one.oid for one in der.certificate_extensions(certificate.public_bytes(Encoding.DER))}
    return ["the request's subjectAltName is not in the certificate: "
            "-copy_extensions copy, or an -extfile, puts it there"] if SUBJECT_ALTERNATIVE_NAME in asked - given else []


def no_extension(certificate: Certificate) -> list[str]:
    """Where a certificate has no extension."""
    if der.certificate_extensions(certificate.public_bytes(Encoding.DER)):
        return []
    # A root of version 1 may well be a CA.
    no_ca = "" if certificate.subject == certificate.issuer else "it is no CA, and "
    return [f"the certificate has no extension (version {certificate.version.value + 1}): {no_ca}no host name or "
            "address matches it"]


def repeated_keys(config: Config) -> Iterator[str]:
    """Each value that a later line of the same key and section replaces."""
    for section, lost in config.overridden:
        later = next(one for one in config.sections[section] if one.key == lost.key)
        if later.value != lost.value:
            yield f"{lost.place}{lost.key} = {lost.value} is lost: line {later.line} sets {lost.key} again"


def left_overs(settings: Iterable[Setting]) -> Iterator[str]:
    """Each value in which something to fill in is left: `<IP>`, or `${IP}` where quotes kept it as it is."""
    for setting in settings:
        if match := _LEFT_OVER.search(setting.value):
            yield f"{setting.place}{setting.key} = {setting.value}: {match[0]} is taken as it stands"


def address_names(entries: Iterable[tuple[Setting, Value]]) -> Iterator[str]:
    """Each DNS entry that is an address, which no client takes for one."""
    for setting, value in entries:
        if value.name.partition(".")[0] == "DNS" and _is_address(value.text or ""):
            yield f"{setting.place}{value.name}:{value.text} is an address: no client looks for it under DNS, write IP"


def _unasked(config: Config, section: str, names: Sequence[Setting]) -> Iterator[str]:
    """Where the values of a subject are questions, and look as if they were meant."""
    prompt = config.find(section, "prompt")
    if prompt is not None and prompt.value != "no":
        if prompt.value.lower() in ("no", "n", "false", "off", "0"):
            yield f"{prompt.place}prompt = {prompt.value} does not turn the questions off, only 'no' does"
    elif prompt is None and names and not any(one.key.endswith(_DIALOGUE) for one in names):
        yield f"{names[0].place}{names[0].key} = {names[0].value} is a question, not the value: prompt = no is not set"


def _entries(config: Config, setting: Setting) -> list[tuple[Setting, Value]]:
    text = setting.value.removeprefix("critical,").lstrip()
    if text.startswith("@"):
        return [(one, Value(one.key, one.value)) for one in config.settings(text[1:]) or ()]
    try:
        return [(setting, value) for value in parse_list(text)]
    except InputError:
        return []


def _is_address(text: str) -> bool:
    try:
        return bool(ip_octets(text))
    except InputError:
        return False
