"""Where a person's CA is: in two files, or a certificate in a file and a key in a token (HSM)."""
from __future__ import annotations

from datetime import datetime

from .authority import (
    PASSPHRASE_HINT,
    Authority,
    Passphrase,
    authority_in,
    load_authority,
    load_bundle,
)
from .. import files
from ..errors import InputError, about
from ..pem.keys import PASSIN_HINT

_URI = "pkcs11:"
# what a key in a token is to a function that asks for passphrases: a key that needs one
_LOCKED = b"ENCRYPTED"


def read_authority(ca: str | None, ca_key: str | None, *, passphrase: Passphrase,
                   now: datetime) -> Authority:
    """The CA of a certificate's file, and of a key: a file, or a PKCS#11 URI (RFC 7512).

    *passphrase* also gives the PIN of a token. Raises InputError if one of them is not named, and
    the errors of `load_authority` and `hsm.open_key`.
    """
    if not ca or not ca_key:
        raise InputError("no CA: a CA certificate and its key are needed",
                         hint="--ca CERT --ca-key KEY (or --example, for a throw-away CA)")
    if is_in_token(ca_key):
        return _in_token(ca, ca_key, passphrase=passphrase, now=now)
    key = files.read(ca_key)
    secret = passphrase([(ca_key, key)])
    try:
        return load_authority(files.read(ca), key, passphrase=secret, now=now, names=(ca, ca_key))
    except InputError as error:
        if error.hint != PASSIN_HINT:     # openssl's option; kpki's own has two dashes
            raise
        raise type(error)(error.message, hint=PASSPHRASE_HINT) from None


def is_in_token(key: str) -> bool:
    """Whether the text that names a CA's key is a PKCS#11 URI, and no path."""
    return key.lower().startswith(_URI)


def _in_token(ca: str, text: str, *, passphrase: Passphrase, now: datetime) -> Authority:
    """The CA whose key signs in a token."""
    from ..hsm import open_key, parse_uri
    uri = parse_uri(text)

    def pin() -> bytes | None:
        if uri.pin_file:
            return files.read(uri.pin_file, pipes=True).partition(b"\n")[0].rstrip(b"\r")
        return passphrase([(text, _LOCKED)])

    with about(ca):
        bundle = load_bundle(files.read(ca))
    key = open_key(uri, pin, [certificate.public_key() for certificate in bundle])
    return authority_in(bundle, key, now=now, names=(ca, text))
