"""What the value of an extension may speak of: the configuration around it, the subject, the key, the issuer."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...errors import InputError
from ..config import Config, Setting
from ..der import Extension
from ..names import Name, load_name
from ..strings import StringOptions

_PLAIN = StringOptions()


@dataclass(frozen=True)
class Issuer:
    """The certificate that signs, as its leaves' extensions see it (all DER; *key_identifier* is its SKI, "" without).

    *own* is true where the certificate is signed with its own key.
    """

    issuer: bytes
    serial_number: int
    key_identifier: bytes | None
    alternative_names: bytes | None
    fallback_identifier: bytes | None = None
    own: bool = False


@dataclass
class Context:
    """What a section is read for. Not frozen: `email:move` takes the addresses out of *subject* (a name, or its DER).

    *test* asks for the check of syntax alone that `req` makes of every section it is given (X509V3_CTX_TEST). What such
    a check has read and found to depend on no subject, key or issuer is settled, for the readings that follow.
    *lists* has the sections that a whole value may name (`@section`); None: *config*. Those of `-addext` are its own.
    """

    config: Config = field(default_factory=Config)
    subject: Name | bytes | None = None
    key_identifier: bytes | None = None
    issuer: Issuer | None = None
    strings: StringOptions = StringOptions()
    test: bool = False
    depends: bool = False
    lists: Config | None = None

    def settled(self, setting: Setting) -> Extension | None:
        """What a setting was found to come to, whatever it is read for."""
        found = self.config.settled.get(setting) if self.strings == _PLAIN else None
        return found if isinstance(found, Extension) else None

    def settle(self, setting: Setting, made: Extension) -> None:
        """Remember it, where a check found no dependence."""
        if self.test and not self.depends and self.strings == _PLAIN and setting.line:
            self.config.settled[setting] = made

    def only_tests(self) -> bool:
        """Whether a value that depends on subject, key or issuer may be left out, since this is but a check."""
        self.depends = True
        return self.test

    def name(self) -> Name:
        """The subject; InputError where there is none."""
        if self.subject is None:
            raise InputError("no subject details")
        if isinstance(self.subject, bytes):
            self.subject = load_name(self.subject)
        return self.subject

    def object_oid(self, text: str) -> str:
        """The OID that *text* names, in the words of OpenSSL or the configuration's own; InputError where none does."""
        dotted = self.strings.find_oid(text)
        if dotted is None:
            raise InputError(f"invalid object identifier: {text}")
        return dotted

    def section(self, name: str) -> Sequence[Setting]:
        """The settings of a section that a value names; InputError where it is not there."""
        settings = self.config.settings(name)
        if settings is None:
            raise InputError(f"section not found: section={name}")
        return settings
