"""`kpki genpkey -algorithm A`: a key of any kind, as `openssl genpkey` makes one."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...errors import InputError, UnsupportedError
from . import streams
from .explaining import ASKED, call_text, code
from .genrsa import encryption, interruptible
from .options import FILE, FORM, TEXT, Option, begin

if TYPE_CHECKING:
    from ...stages.keys import SigningKey

TABLE = (
    Option("algorithm", TEXT, "RSA, EC, ED25519 or ED448"),
    Option("pkeyopt", TEXT, "rsa_keygen_bits:N, ec_paramgen_curve:NAME"),
    Option("out", FILE, "where the key goes (standard output)"), Option("outform", FORM, "the key's form"),
    Option("pass", TEXT, "passphrase source of an encrypted key"),
    Option("quiet", "", "print no progress; kpki never does"),
    Option("paramfile", FILE, instead="-algorithm EC -pkeyopt ec_paramgen_curve:NAME"),
    Option("config", FILE, instead="nothing: kpki loads no module"),
    Option("genparam", "", instead="-pkeyopt, which names the parameters"),
    Option("text", "", instead="kpki pkey -text on the key it writes"),
)
TABLES = {"genpkey": TABLE}


def run(verb: str, argv: Sequence[str]) -> int:
    """Make the key and write it."""
    from ...pem import dump_key
    given = begin(verb, TABLE, argv, word="cipher")
    if given is None:
        return 0
    algorithm = given.get("algorithm")
    if algorithm is None:
        raise InputError("genpkey: no -algorithm given",
                         hint="for example: -algorithm EC -pkeyopt ec_paramgen_curve:P-256")
    options = key_options(given.all("pkeyopt"))
    if given.has("explain"):
        streams.explain(verb, reads=[], does=f"makes a key: {algorithm}",
                        writes=[given.get("out") or "standard output"],
                        call=call_text(
                            "dump_key", call_text("genpkey", repr(algorithm), bits=options.get("bits"),
                                                  curve=code(options.get("curve"))),
                            passphrase=ASKED if given.word else None,
                            encoding=code(given.form_or_none("outform"))))
    secret = encryption(given, "pass")
    key = make_key(algorithm, options)
    data = dump_key(key, passphrase=secret, encoding=given.form("outform"))
    streams.write(given.get("out"), data, private=True)
    return 0


def make_key(algorithm: str, options: Mapping[str, str]) -> SigningKey:
    """A key of *algorithm* with the options that `key_options` read."""
    from ...stages.keys import genpkey
    if algorithm.upper() == "EC" and "curve" not in options:
        raise InputError("no curve: an EC key needs one", hint="-pkeyopt ec_paramgen_curve:P-256")
    with interruptible():
        return genpkey(algorithm, bits=int(options.get("bits", "2048")), curve=options.get("curve", "P-256"))


def key_options(texts: Sequence[str]) -> dict[str, str]:
    """`-pkeyopt`s as the words of kpki.genpkey: bits, curve."""
    options: dict[str, str] = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if name == "rsa_keygen_bits" and value.isdecimal() and len(value) < 7:
            options["bits"] = value
        elif name == "ec_paramgen_curve" and value:
            options["curve"] = value
        elif name == "ec_param_enc" and value == "named_curve" or name == "rsa_keygen_pubexp" and value == "65537":
            continue
        elif name in ("ec_param_enc", "rsa_keygen_pubexp", "rsa_keygen_primes"):
            raise UnsupportedError(f"openssl's -pkeyopt {text} is not supported",
                                   hint="rsa_keygen_bits:N, ec_paramgen_curve:NAME")
        else:
            raise InputError(f"parameter setting error: -pkeyopt {text}",
                             hint="rsa_keygen_bits:N, ec_paramgen_curve:NAME")
    return options
