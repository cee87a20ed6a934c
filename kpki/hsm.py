"""Private keys in a hardware security module (HSM), which sign there through PKCS#11.

A key is named by a URI (RFC 7512). The package python-pkcs11 is loaded only if one is used.
"""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import new as new_hash
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from .errors import InputError, RefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

SCHEME = "pkcs11:"
_PATH = ("token", "serial", "object", "id", "type")
_QUERY = ("module-path", "pin-source")
_PROBE = b"kpki: does this key sign for this certificate?"
_INSTALL = "pip install 'kpki[hsm]' installs python-pkcs11"
_NO_RETRY = ("kpki does not try again: most tokens lock after a few wrong PINs; look at the PIN, "
             "then run the command once more")


@dataclass(frozen=True, slots=True)
class TokenUri:
    """What a PKCS#11 URI names."""

    module: str
    """The path of the PKCS#11 library."""
    token: str = ""
    """The token's label, "" for any."""
    serial: str = ""
    """The token's serial number, "" for any."""
    label: str = ""
    """The key's label, "" for any."""
    identifier: bytes | None = None
    """The key's id, None for any."""
    pin_file: str = ""
    """The file with the PIN, "" if the PIN comes from elsewhere."""


def parse_uri(text: str) -> TokenUri:
    """A private key's URI (RFC 7512). Raises InputError, also for a PIN in the URI itself."""
    path, _, query = text[len(SCHEME):].partition("?")
    found = {name: value for part, separator, known in ((path, ";", _PATH), (query, "&", _QUERY))
             for name, value in _attributes(part, separator, known)}
    if found.get("type", b"private") != b"private":
        raise InputError("the URI names no private key: type is not private")
    if not found.get("module-path"):
        raise InputError("the URI does not say which PKCS#11 library leads to the token",
                         hint="the URI ends with ?module-path=/usr/lib/softhsm/libsofthsm2.so, say")
    words = {name: value.decode("utf-8", "surrogateescape") for name, value in found.items()}
    if not (words.get("object") or words.get("id")):
        raise InputError("the URI does not say which key of the token it means",
                         hint="object=LABEL or id=%01")
    source = words.get("pin-source", "")
    if source.startswith("|") or (":" in source and not source.startswith("file:")):
        raise InputError("pin-source names a file alone", hint="pin-source=file:/path/of/the/pin")
    return TokenUri(words["module-path"], words.get("token", ""), words.get("serial", ""),
                    words.get("object", ""), found.get("id"),
                    source.removeprefix("file:").removeprefix("//"))


def _attributes(text: str, separator: str,
                known: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The attributes of one part of a URI, decoded."""
    seen = set[str]()
    for item in filter(None, text.split(separator)):
        name, equals, value = item.partition("=")
        if name == "pin-value":
            raise InputError("a PIN in the URI shows in process lists and in the shell's history",
                             hint="--passin file:PATH, or pin-source=file:PATH in the URI")
        if name not in known or not equals or name in seen:
            raise InputError(f"the URI has {name!r}, which kpki cannot use there",
                             hint=f"known: {', '.join((*_PATH, *_QUERY))}")
        seen.add(name)
        yield name, unquote_to_bytes(value)


def open_key(uri: TokenUri, pin: Callable[[], bytes | None],
             public_keys: Sequence[PublicKeyTypes]) -> TokenRsaKey | TokenEcKey:
    """The private key of one of *public_keys*, which signs in the token.

    *pin* is called once, and its PIN is tried once. One signature proves which public key the key
    belongs to. Raises InputError for a token or key that cannot be used, RefusedError if the key
    belongs to none of *public_keys*.
    """
    try:
        import pkcs11
    except ImportError:
        raise InputError("a key in a token needs the package python-pkcs11",
                         hint=_INSTALL) from None
    try:
        library = pkcs11.lib(uri.module)
    except (pkcs11.PKCS11Error, RuntimeError, OSError):
        raise InputError(f"{uri.module}: no PKCS#11 library that can be loaded",
                         hint="module-path= in the URI is the path of the token's library"
                         ) from None
    with _told(uri):
        token = library.get_token(
            **{name: value for name, value in (("token_label", uri.token or None),
                                               ("token_serial", uri.serial.encode() or None))
               if value is not None})
    secret = pin()
    if not secret:
        raise InputError("the token wants its PIN, and none was given",
                         hint="--passin file:PATH, env:NAME, fd:N or stdin")
    with _told(uri):
        session = token.open(user_pin=secret.decode("utf-8", "replace"))
        wanted: dict[Any, Any] = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
        if uri.label:
            wanted[pkcs11.Attribute.LABEL] = uri.label
        if uri.identifier is not None:
            wanted[pkcs11.Attribute.ID] = uri.identifier
        found = [*session.get_objects(wanted)]
    if len(found) != 1:
        raise InputError(f"the token has {len(found) or 'no'} private keys that the URI fits",
                         hint="object=LABEL;id=%01 names one key")
    handle = _Handle(uri, session, found[0])
    for public_key in public_keys:
        key = _key_for(handle, public_key)
        if key is not None and _is_pair(key):
            return key
    raise RefusedError("the token's key belongs to none of the CA's certificates",
                       hint="name the CA's own key, or the certificate of this key")


def _key_for(handle: _Handle, public_key: PublicKeyTypes) -> TokenRsaKey | TokenEcKey | None:
    kind = getattr(handle.key, "key_type", None)
    name = getattr(kind, "name", "")
    if isinstance(public_key, rsa.RSAPublicKey) and name == "RSA":
        return TokenRsaKey(handle, public_key)
    if isinstance(public_key, ec.EllipticCurvePublicKey) and name == "EC":
        return TokenEcKey(handle, public_key)
    return None


@contextmanager
def _told(uri: TokenUri) -> Iterator[None]:
    """Turn the errors of the library into InputError; no message has the PIN."""
    from pkcs11 import exceptions
    where = f"token {uri.token or uri.serial or 'of ' + uri.module}"
    try:
        yield
    except (exceptions.PinIncorrect, exceptions.PinInvalid, exceptions.PinLenRange):
        raise InputError(f"{where}: the token refuses the PIN", hint=_NO_RETRY) from None
    except exceptions.PinLocked:
        raise InputError(f"{where}: the PIN is locked, after too many wrong ones",
                         hint="the token's security officer unlocks it") from None
    except (exceptions.NoSuchToken, exceptions.TokenNotPresent):
        raise InputError(f"{where}: no such token is there") from None
    except exceptions.MultipleTokensReturned:
        raise InputError(f"{where}: several tokens fit the URI",
                         hint="token=LABEL or serial=NUMBER names one") from None
    except exceptions.PKCS11Error as error:
        raise InputError(f"{where}: the token answers {type(error).__name__}") from None


class _Handle:
    """A private key in an open session; one thread of one process signs at a time."""

    def __init__(self, uri: TokenUri, session: Any, key: Any) -> None:
        self.uri, self.session, self.key = uri, session, key
        self._lock, self._process = Lock(), os.getpid()

    def sign(self, data: bytes, mechanism: str) -> bytes:
        """The token's signature by a mechanism of PKCS#11."""
        import pkcs11
        if os.getpid() != self._process:
            raise InputError("a token's key signs in the process that opened the token")
        with self._lock, _told(self.uri):
            return bytes(self.key.sign(data, mechanism=getattr(pkcs11.Mechanism, mechanism)))


def _not_there(*_: object, **__: object) -> NoReturn:
    raise InputError("the private key stays in its token")


class _InToken:
    """What both kinds of keys share: the private half never leaves the token."""

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: object) -> Any:
        return self


class TokenEcKey(_InToken, ec.EllipticCurvePrivateKey):
    """An EC key in a token."""

    def __init__(self, handle: _Handle, public_key: ec.EllipticCurvePublicKey) -> None:
        self._handle, self._public_key = handle, public_key

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """The signature in DER: the token gives r and s side by side (PKCS#11 §6.3.1)."""
        algorithm = signature_algorithm.algorithm
        if not isinstance(algorithm, hashes.HashAlgorithm):
            raise InputError("a token signs what kpki has hashed itself")
        raw = self._handle.sign(_hashed(data, algorithm), "ECDSA")
        half = len(raw) // 2
        return encode_dss_signature(*(int.from_bytes(part) for part in (raw[:half], raw[half:])))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public key of the CA's certificate."""
        return self._public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve of the key."""
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        """The bits of the curve."""
        return self._public_key.curve.key_size

    exchange = private_numbers = private_bytes = _not_there


class TokenRsaKey(_InToken, rsa.RSAPrivateKey):
    """An RSA key in a token."""

    def __init__(self, handle: _Handle, public_key: rsa.RSAPublicKey) -> None:
        self._handle, self._public_key = handle, public_key

    def sign(self, data: Any, padding: Any, algorithm: Any) -> bytes:
        """The signature of PKCS #1 v1.5, for which the token hashes and pads."""
        name = algorithm.name.upper()
        if not isinstance(padding, _PADDING) or name not in ("SHA256", "SHA384", "SHA512"):
            raise InputError("a token's RSA key signs PKCS #1 v1.5 with SHA-256, SHA-384 or "
                             "SHA-512 alone")
        return self._handle.sign(bytes(data), f"{name}_RSA_PKCS")

    def public_key(self) -> rsa.RSAPublicKey:
        """The public key of the CA's certificate."""
        return self._public_key

    @property
    def key_size(self) -> int:
        """The bits of the modulus."""
        return self._public_key.key_size

    decrypt = private_numbers = private_bytes = _not_there


def _is_pair(key: TokenRsaKey | TokenEcKey) -> bool:
    """Whether the token's key is the private half of its public key."""
    sign: Any = key.sign
    verify: Any = key.public_key().verify
    scheme = (_PADDING(), hashes.SHA256()) if isinstance(key, TokenRsaKey) \
        else (ec.ECDSA(hashes.SHA256()),)
    try:
        verify(sign(_PROBE, *scheme), _PROBE, *scheme)
    except InvalidSignature:
        return False
    return True


_PADDING = padding.PKCS1v15


def _hashed(data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    return new_hash(algorithm.name, bytes(data), usedforsecurity=True).digest()
