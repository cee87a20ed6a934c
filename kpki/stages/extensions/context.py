"""What the value of an extension may refer to: configuration, subject, key and issuer."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..config import Config, Setting
from ..names import Name, load_name
from ..records import Extension
from ..strings import StringOptions
from ...errors import InputError

_PLAIN = StringOptions()


class Issuer(NamedTuple):
    """The certificate that signs, as the extensions of the signed certificate refer to it."""

    issuer: bytes
    """The name of the signing certificate's own issuer (DER)."""
    serial_number: int
    """The serial number of the signing certificate."""
    key_identifier: bytes | None
    """The content of its subjectKeyIdentifier, None without."""
    alternative_names: bytes | None
    """The value of its subjectAltName (DER), None without."""
    fallback_identifier: bytes | None = None
    """The key identifier that counts if *key_identifier* is None."""
    own: bool = False
    """Whether the certificate is signed with its own key."""


@dataclass
class ExtensionContext:
    """What the extensions of a section are read for.

    A context is not frozen: `email:move` removes the addresses from *subject*.
    """

    config: Config = field(default_factory=Config)
    """The configuration that holds the sections."""
    subject: Name | bytes | None = None
    """The subject of the certificate or request: a name, or its DER."""
    key_identifier: bytes | None = None
    """The SHA-1 of the public key's bits."""
    issuer: Issuer | None = None
    """The certificate that signs, None if nothing is signed yet."""
    strings: StringOptions = _PLAIN
    """How text becomes strings of names."""
    test: bool = False
    """Only the syntax is checked, as `req` checks each of its sections (X509V3_CTX_TEST)."""
    depends: bool = False
    """Whether the last value that was read depends on subject, key or issuer."""
    lists: Config | None = None
    """The sections that a whole value may name (`@section`); None: those of *config*."""

    def settled(self, setting: Setting) -> Extension | None:
        """The extension that a setting is known to make for every subject, key and issuer."""
        found = self.config.settled.get(setting) if self.strings == _PLAIN else None
        return found if isinstance(found, Extension) else None

    def settle(self, setting: Setting, made: Extension) -> None:
        """Remember the extension of a setting, if a check found that it depends on nothing else."""
        if self.test and not self.depends and self.strings == _PLAIN and setting.line:
            self.config.settled[setting] = made

    def only_tests(self) -> bool:
        """Whether only the syntax is checked; notes that the value depends on the context."""
        self.depends = True
        return self.test

    def name(self) -> Name:
        """The subject. Raises InputError if there is none."""
        if self.subject is None:
            raise InputError("no subject details")
        if isinstance(self.subject, bytes):
            self.subject = load_name(self.subject)
        return self.subject

    def object_oid(self, text: str) -> str:
        """The OID of *text*, by OpenSSL's names or the configuration's.

        Raises InputError if unknown.
        """
        dotted = self.strings.find_oid(text)
        if dotted is None:
            raise InputError(f"invalid object identifier: {text}")
        return dotted

    def section(self, name: str) -> Sequence[Setting]:
        """The settings of the section *name*. Raises InputError if the section is absent."""
        settings = self.config.settings(name)
        if settings is None:
            raise InputError(f"section not found: section={name}")
        return settings
