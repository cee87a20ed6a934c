"""Warnings about what openssl accepts and people regret: functions from values to lines of text.

A warning begins with the place of its line, if the setting has a line. The caller adds the name of
the file.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from . import records
from .config import Config, Setting
from .extensions.general_names import ip_octets
from .extensions.identifiers import SUBJECT_ALTERNATIVE_NAME
from .extensions.table import EXTENSION_MAKERS
from .extensions.values import Value, parse_list
from .requests import request_extensions
from ..errors import InputError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateSigningRequest

_LEFT_OVER = re.compile(r"<[A-Za-z][\w .-]*>|\$\{\w+\}|\$\(\w+\)|\$[A-Za-z_]\w*", re.ASCII)
_DIALOGUE = ("_default", "_min", "_max", "_value")


def request_traps(config: Config, section: str, *, subject: bool, certificate: bool,
                  extensions: str | None = None) -> list[str]:
    """The warnings for a configuration that `req` reads, and its *section*.

    *certificate* is set under -x509, *subject* beside -subj. *extensions* is the section that the
    command line names.
    """
    key = "x509_extensions" if certificate else "req_extensions"
    names = config.settings(config.get(section, "distinguished_name") or "") or ()
    used = extensions or config.get(section, key)
    found = [*repeated_keys(config)]
    if not subject:
        found += [*_unasked(config, section, names), *find_placeholders(names)]
    if certificate and used is None and (other := config.find(section, "req_extensions")):
        found.append(
            f"{other.place}req_extensions is for requests: nothing of [{other.value}] goes into "
            "the certificate, which has those of x509_extensions or -extensions")
    return found + extension_traps(config, used)


def extension_traps(config: Config, section: str | None) -> list[str]:
    """The warnings for a section of extensions, and for the `@section`s that the section names."""
    settings = (section is not None and config.settings(section)) or ()
    entries = [entry for setting in settings if setting.key in ("subjectAltName", "issuerAltName")
               for entry in _entries(config, setting)]
    sections = {setting.value for setting in settings if "@" in setting.value}
    lists = (config.settings(section.partition("@")[2]) or () for section in sorted(sections))
    return [*find_placeholders(settings),
            *(text for entry in lists for text in find_placeholders(entry)),
            *address_names(entries)]


def unused_section(config: Config, section: str | None) -> list[str]:
    """The sections of an extfile with extensions, if the signing step reads none of them."""
    if section is not None and config.settings(section):
        return []
    names = [
        name for name, settings in config.sections.items()
        if any(setting.key in EXTENSION_MAKERS for setting in settings)]
    sections = ", ".join(f"[{name}]" for name in names)
    return [f"the extensions in {sections} are not used: name the section with -extensions"
            ] if names else []


def dropped_names(csr: CertificateSigningRequest, certificate: Certificate) -> list[str]:
    """A warning if a request asks for a subjectAltName and the certificate has none."""
    asked = {extension.oid for extension in request_extensions(csr)}
    present = {extension.oid
               for extension in records.extensions_of(records.certificate_fields(certificate))}
    return ["the request's subjectAltName is not in the certificate: "
            "use -copy_extensions copy, or an -extfile with the names"
            ] if SUBJECT_ALTERNATIVE_NAME in asked - present else []


def no_extension(certificate: Certificate) -> list[str]:
    """A warning if a certificate has no extension."""
    fields = records.certificate_fields(certificate)
    if fields.extensions:
        return []
    # A root of version 1 may be a CA.
    own = fields.subject == fields.issuer
    no_ca = "" if own else "the certificate is no CA, and "
    return [f"the certificate has no extension (version {certificate.version.value + 1}): {no_ca}"
            "no host name or address matches the certificate"]


def repeated_keys(config: Config) -> Iterator[str]:
    """A warning for each value that a later line with the same key and section replaces."""
    for section, lost in config.overridden:
        later = next(setting for setting in config.sections[section] if setting.key == lost.key)
        if later.value != lost.value:
            yield (f"{lost.place}{lost.key} = {lost.value} is lost: "
                   f"line {later.line} sets {lost.key} again")


def find_placeholders(settings: Iterable[Setting]) -> Iterator[str]:
    """A warning for each value with a placeholder: `<IP>`, or a quoted `${IP}`."""
    for setting in settings:
        if match := _LEFT_OVER.search(setting.value):
            yield (f"{setting.place}{setting.key} = {setting.value}: "
                   f"{match[0]} goes into the certificate as written")


def address_names(entries: Iterable[tuple[Setting, Value]]) -> Iterator[str]:
    """A warning for each DNS entry that is an address, for no client compares the two."""
    for setting, value in entries:
        if value.name.partition(".")[0] == "DNS" and _is_address(value.text or ""):
            yield (f"{setting.place}{value.name}:{value.text} is an address: "
                   "no client looks for an address under DNS, write IP")


def _unasked(config: Config, section: str, names: Sequence[Setting]) -> Iterator[str]:
    """A warning if the values of a subject are questions but look like values."""
    prompt = config.find(section, "prompt")
    if prompt is not None and prompt.value != "no":
        if prompt.value.lower() in ("no", "n", "false", "off", "0"):
            yield (f"{prompt.place}prompt = {prompt.value} does not turn the questions off, "
                   "only 'no' does")
    elif prompt is None and names and not any(setting.key.endswith(_DIALOGUE) for setting in names):
        first = names[0]
        yield (f"{first.place}{first.key} = {first.value} is a question, not the value: "
               "prompt = no is not set")


def _entries(config: Config, setting: Setting) -> list[tuple[Setting, Value]]:
    text = setting.value.removeprefix("critical,").lstrip()
    if text.startswith("@"):
        return [(setting, Value(setting.key, setting.value))
                for setting in config.settings(text[1:]) or ()]
    try:
        return [(setting, value) for value in parse_list(text)]
    except InputError:
        return []


def _is_address(text: str) -> bool:
    try:
        return bool(ip_octets(text))
    except InputError:
        return False
