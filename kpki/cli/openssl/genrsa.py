"""`kpki genrsa [numbits]`: an RSA key, as `openssl genrsa` makes one."""
from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from . import streams
from .explaining import ASKED, call_text, code
from .options import (
    COUNT,
    FILE,
    RANDOM,
    TEXT,
    GivenOptions,
    Option,
    begin,
    is_number,
    to_number,
    typographic,
)
from ...errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

TABLE = (
    Option("3", "", "make a key with the public exponent 3"),
    Option("F4", "", "make a key with the public exponent 65537 (the default)"),
    Option("f4", "", "make a key with the public exponent 65537, as -F4 does"),
    Option("out", FILE, "write the key to this file (default: standard output)"),
    Option("passout", TEXT,
           "the source of the passphrase that encrypts the key, such as file:PATH"),
    Option("primes", COUNT, "the number of primes in the key; kpki accepts only 2"),
    Option("verbose", "", "say on stderr what is made"),
    Option("traditional", "", "write PKCS#1 instead of PKCS#8"),
    *RANDOM,
)
TABLES = {"genrsa": TABLE}


def run(verb: str, argv: Sequence[str]) -> int:
    """Make the key and write it."""
    given = begin(verb, TABLE, argv, word="cipher")
    if given is None:
        return 0
    bits, exponent = _bits(given.rest), 3 if given.last("3", "F4", "f4") == "3" else 65537
    form = "traditional" if given.has("traditional") else "pkcs8"
    if (primes := given.number("primes", 2)) != 2:
        raise UnsupportedError(f"openssl's -primes {primes} is not supported",
                               hint="an RSA key has two primes here")
    if given.has("explain"):
        made = call_text("genrsa", str(bits), exponent="3" if exponent == 3 else None)
        streams.explain(verb, reads=[],
                        does=f"makes an RSA key of {bits} bits: two random primes and their "
                             "product",
                        writes=[given.get("out") or "standard output"],
                        call=dumping(made, given.word, form))
    if given.has("verbose"):
        streams.note(f"Generating RSA key with {bits} bits")
    write_key(given, bits, exponent, form)
    return 0


def write_key(given: GivenOptions, bits: int, exponent: int, form: str) -> None:
    """Make and write an RSA key."""
    from ...stages.keys import genrsa
    secret = encryption(given)
    with interruptible():
        key = genrsa(bits, exponent=exponent)
    if given.has("verbose"):
        streams.note(f"e is {exponent} (0x{exponent:06x})")
    streams.write(given.get("out"), sealed(key, secret, form=form), private=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Control-C end the process at once: Python would react only after the key is made."""
    handler = signal.getsignal(signal.SIGINT)
    # the caller of the command ignores the signal, or handles it
    if handler is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def encryption(given: GivenOptions, source: str = "passout") -> tuple[bytes, str] | None:
    """The passphrase and the cipher for a key's encryption; None if no cipher was named."""
    if given.word is None:
        streams.passphrase(given.get(source))   # openssl reads it even without a cipher
        return None
    from ...stages.encryption import get_cipher
    get_cipher(given.word)
    return streams.new_passphrase(given.get(source), "the key"), given.word


def sealed(key: PrivateKeyTypes, secret: tuple[bytes, str] | None, *, form: str = "pkcs8",
           encoding: str = "PEM") -> bytes:
    """A private key in PEM or DER, encrypted if `encryption` gave a *secret*."""
    if secret is None:
        from ...pem import dump_key
        return dump_key(key, form=form, encoding=encoding)
    from ...stages.encryption import encrypted_key
    return encrypted_key(key, *secret, form=form, encoding=encoding)


def dumping(key: str, cipher: str | None, form: str = "pkcs8", encoding: str = "PEM") -> str:
    """For --explain, the call that `sealed` is; *key* is code."""
    words = {"form": code(form) if form != "pkcs8" else None, "encoding": code(encoding)
             if encoding != "PEM" else None}
    if cipher is None:
        return call_text("dump_key", key, **words)
    return call_text("stages.encryption.encrypted_key", key, ASKED, repr(cipher), **words)


def _bits(rest: Sequence[str]) -> int:
    if len(rest) > 1:
        raise InputError(f"genrsa: extra arguments given: {' '.join(rest[1:])}",
                         hint=typographic(rest))
    if not rest:
        return 2048
    if not is_number(rest[0]) or len(rest[0]) > 6:
        raise InputError(f"genrsa: {rest[0]!r} is no number of bits")
    return to_number(rest[0])
