"""Where a person's CA is: in two files, or a certificate in a file and a key in a token (HSM)."""
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from .authority import (
    PASSPHRASE_HINT,
    Authority,
    Passphrase,
    authority_in,
    load_authority,
    load_bundle,
)
from .desired.token import is_in_token
from .. import files, pem
from ..errors import InputError, RefusedError, about
from ..kubernetes import reading
from ..pem.keys import PASSIN_HINT
from ..stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

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


def _in_token(ca: str, text: str, *, passphrase: Passphrase, now: datetime) -> Authority:
    """The CA whose key signs in a token."""
    with about(ca):
        bundle = load_bundle(files.read(ca))
    return authority_in(bundle, _open_key(text, bundle, passphrase), now=now, names=(ca, text))


def _open_key(text: str, known: Sequence[Certificate], passphrase: Passphrase) -> PrivateKeyTypes:
    """The key in a token that belongs to one of the CAs."""
    from ..hsm import open_key, parse_uri
    uri = parse_uri(text)

    def pin() -> bytes | None:
        if uri.pin_file:
            return files.read(uri.pin_file, pipes=True).partition(b"\n")[0].rstrip(b"\r")
        return passphrase([(text, _LOCKED)])

    return open_key(uri, pin, [certificate.public_key() for certificate in known])


def authority_with(ca_key: str, known: Sequence[Certificate],
                   passphrase: Passphrase) -> Authority:
    """The CA among the *known* to which a person's key belongs: a file, or a PKCS#11 URI.

    Raises RefusedError for a key of none of them, and the errors of `pem.load_key` and
    `hsm.open_key`.
    """
    if is_in_token(ca_key):
        key = _open_key(ca_key, known, passphrase)
    else:
        data = files.read(ca_key)
        with about(ca_key):
            key = pem.load_key(data, passphrase([(ca_key, data)]))
    public_key = public_key_der(key)
    for certificate in known:
        if reading.has_public_key(certificate, public_key):
            return Authority(certificate, key, pem.dump_certificates(dict.fromkeys(known)))
    raise RefusedError(f"{ca_key}: the key belongs to none of the CAs here",
                       hint="kpki show prints the public key of a file")
