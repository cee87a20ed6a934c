"""Subject and extensions of a certificate, from its profile and its identity."""
from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from .profiles import Identity, Profile, ca_extensions, ca_identity, leaf_extensions
from ..stages import der
from ..stages.config import Setting
from ..stages.extensions.context import ExtensionContext
from ..stages.extensions.general_names import ip_octets
from ..stages.extensions.identifiers import SUBJECT_ALTERNATIVE_NAME
from ..stages.extensions.table import settings_extensions
from ..stages.names import Name, name_of
from ..stages.records import Extension
from ..stages.signing import Values
from ..stages.strings import StringOptions

_DNS, _IP = 0x82, 0x87      # of a GeneralName (RFC 5280 §4.2.1.6)
_UTF8 = StringOptions(utf8=True)


def leaf_values(profile: Profile, identity: Identity, *, rsa: bool) -> Values:
    """Subject and extensions of a leaf."""
    return _values(identity, leaf_extensions(profile, identity, rsa=rsa))


def ca_values(profile: Profile) -> Values:
    """Subject and extensions of a CA."""
    return _values(ca_identity(profile), ca_extensions(profile))


def subject_name(identity: Identity) -> Name:
    """The subject of a certificate: O before CN, as Kubernetes' own tools write it."""
    return _subject(tuple(identity.groups), identity.user)


@lru_cache(maxsize=16)      # a node has several certificates under its name
def _subject(groups: tuple[str, ...], user: str) -> Name:
    return name_of([*(("O", group) for group in groups), ("CN", user)], _UTF8)


def _values(identity: Identity, extensions: Sequence[tuple[str, str]]) -> Values:
    return Values(subject_name(identity), tuple([
        _alternatives(identity) if name == "subjectAltName" else _extension(name, text)
        for name, text in extensions]))


def _alternatives(identity: Identity) -> Extension:
    """The extension of `sans_text`, built directly: to parse that text for each host is slow."""
    names = [der.tlv(_DNS, name.encode()) for name in identity.dns]
    addresses = [der.tlv(_IP, ip_octets(address)) for address in identity.addresses]
    return Extension(SUBJECT_ALTERNATIVE_NAME, False, der.sequence(*names, *addresses))


@lru_cache(maxsize=64)
def _extension(name: str, text: str) -> Extension:
    return settings_extensions(ExtensionContext(), [Setting(name, text)])[0]
