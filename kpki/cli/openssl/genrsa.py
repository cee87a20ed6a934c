"""`kpki genrsa [numbits]`: an RSA key, as `openssl genrsa` makes one."""
from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ...errors import InputError
from . import streams
from .explaining import ASKED, call_text
from .options import COUNT, FILE, RANDOM, TEXT, Given, Option, begin

TABLE = (
    Option("3", "", "exponent 3"), Option("F4", "", "exponent 65537, the default"), Option("f4", "", "the same"),
    Option("out", FILE, "where the key goes (standard output)"),
    Option("passout", TEXT, "passphrase source of an encrypted key"),
    Option("primes", COUNT, instead="keys of two primes"),
    Option("verbose", "", "say more"), Option("traditional", "", "PKCS#1 instead of PKCS#8"),
    *RANDOM,
)
TABLES = {"genrsa": TABLE}
_CIPHERS = frozenset("aes256 aes192 aes128 des des3 desede3 camellia256 camellia192 camellia128 aria256 aria192 "
                     "aria128 seed idea bf cast cast5 rc2 sm4".split())


def run(verb: str, argv: Sequence[str]) -> int:
    """Make the key and write it."""
    given = begin(verb, TABLE, argv, word="cipher")
    if given is None:
        return 0
    bits = _bits(given.rest)
    form = "traditional" if given.has("traditional") else "pkcs8"
    if given.has("explain"):
        streams.explain(verb, reads=[], does=f"makes an RSA key of {bits} bits: two random primes and their product",
                        writes=[given.get("out") or "standard output"],
                        call=call_text(
                            "dump_key", call_text("genrsa", str(bits), exponent="3" if given.has("3") else None),
                            form="'traditional'" if form != "pkcs8" else None,
                            passphrase=ASKED if given.word else None))
    write_key(given, bits, form)
    return 0


def write_key(given: Given, bits: int, form: str) -> None:
    """Make and write an RSA key."""
    from ...pem import dump_key
    from ...stages.keys import genrsa
    secret = encryption(given)
    with interruptible():
        key = genrsa(bits, exponent=3 if given.has("3") else 65537)
    streams.write(given.get("out"), dump_key(key, form=form, passphrase=secret), private=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Control-C end the process at once, by the signal itself: Python would hear of it once the key is made."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.default_int_handler:   # whoever started the command ignores it, or has plans of its own
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def encryption(given: Given, source: str = "passout") -> bytes | None:
    """The passphrase that a key is to be encrypted with, None where no cipher was named."""
    if given.word is None:
        return None
    check_cipher(given.word, quiet=given.has("quiet"))
    return streams.new_passphrase(given.get(source), "the key")


def check_cipher(name: str, *, quiet: bool) -> None:
    """Refuse what is no cipher's name; say so where the name is not what will be used."""
    lower = name.lower().replace("-cbc", "").replace("-", "")
    if lower not in _CIPHERS:
        raise InputError(f"unknown option or cipher: {name}")
    if lower != "aes256" and not quiet:
        streams.note(f"kpki: warning: the key is encrypted with AES-256, not with {name}")


def _bits(rest: Sequence[str]) -> int:
    if len(rest) > 1:
        raise InputError(f"genrsa: extra arguments given: {' '.join(rest[1:])}")
    if not rest:
        return 2048
    if not rest[0].isdecimal() or len(rest[0]) > 6:
        raise InputError(f"genrsa: {rest[0]!r} is no number of bits")
    return int(rest[0])
