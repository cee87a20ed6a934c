"""`kpki genpkey`: a key of any kind, or the parameters of a curve, as with `openssl genpkey`."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from . import streams
from .curves import named_curve, parameters
from .explaining import call_text, code
from .genrsa import dumping, encryption, interruptible, sealed
from .options import FILE, FORM, TEXT, GivenOptions, Option, begin, is_number, to_number
from ...errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from ...stages.keys import SigningKey

TABLE = (
    Option("algorithm", TEXT,
           "the algorithm of the key: RSA, EC, ED25519 or ED448; X25519 and X448 cannot sign"),
    Option("pkeyopt", TEXT,
           "an option of the key: rsa_keygen_bits:N, ec_paramgen_curve:NAME or group:NAME"),
    Option("paramfile", FILE,
           "read the curve from this file (EC PARAMETERS), in place of -algorithm"),
    Option("genparam", "", "write the parameters of the curve, and make no key"),
    Option("out", FILE, "write the key to this file (default: standard output)"),
    Option("outform", FORM, "write the key as PEM or DER"),
    Option("pass", TEXT, "the source of the passphrase that encrypts the key, such as file:PATH"),
    Option("text", "", "print the key in words too"),
    Option("quiet", "", "print no progress; kpki never prints any"),
    Option("config", FILE, instead="nothing: kpki loads no module"),
)
TABLES = {"genpkey": TABLE}
# name of a -pkeyopt → the argument of kpki.genpkey, and the kind of key
_OPTIONS = {
    "rsa_keygen_bits": ("bits", "RSA"), "bits": ("bits", "RSA"),
    "rsa_keygen_pubexp": ("exponent", "RSA"), "e": ("exponent", "RSA"),
    "rsa_keygen_primes": ("primes", "RSA"), "primes": ("primes", "RSA"),
    "ec_paramgen_curve": ("curve", "EC"), "group": ("curve", "EC"),
    "ec_param_enc": ("encoding", "EC"), "encoding": ("encoding", "EC"),
    "point-format": ("point", "EC")}
# -pkeyopts that are no argument of kpki.genpkey → their accepted values, all of them openssl's
# defaults
_USUAL = {"exponent": "65537", "primes": "2", "encoding": "named_curve", "point": "uncompressed"}
_HINT = "rsa_keygen_bits:N, ec_paramgen_curve:NAME"


def run(verb: str, argv: Sequence[str]) -> int:
    """Make the key, or the parameters, and write them."""
    given = begin(verb, TABLE, argv, word="cipher")
    if given is None:
        return 0
    algorithm, options = _wanted(given)
    if given.has("genparam"):
        return _parameters(given, algorithm, options)
    der = given.form("outform") == "DER"
    if der and given.word is not None:
        raise InputError("genpkey: a key in DER is not encrypted", hint="-outform PEM")
    form = "traditional" if der and algorithm.upper() in ("RSA", "EC") else "pkcs8"
    if given.has("explain"):
        made = call_text("genpkey", repr(algorithm), bits=options.get("bits"),
                         curve=code(options.get("curve")))
        streams.explain(verb, reads=given.all("paramfile"), does=f"makes a key: {algorithm}",
                        writes=[given.get("out") or "standard output"],
                        call=dumping(made, given.word, form, given.form("outform")))
    secret = encryption(given, "pass")
    key = _exchange_key(algorithm) or make_key(algorithm, options)
    data = sealed(key, secret, form=form, encoding=given.form("outform"))
    if given.has("text"):
        from ...stages.text.key import private_key_text
        data += (private_key_text(key) or "").encode()
    streams.write(given.get("out"), data, private=True)
    return 0


def _wanted(given: GivenOptions) -> tuple[str, dict[str, str]]:
    """The kind of key, and the options of kpki.genpkey for it."""
    algorithm, path = given.get("algorithm"), given.get("paramfile")
    options = key_options(given.all("pkeyopt"), "EC" if path is not None else algorithm or "RSA")
    if path is None:
        if algorithm is None:
            raise InputError("genpkey: no -algorithm given",
                             hint="for example: -algorithm EC -pkeyopt ec_paramgen_curve:P-256")
        return algorithm, options
    if algorithm is not None:
        raise InputError("genpkey: algorithm already set",
                         hint="-paramfile FILE, or -algorithm A with -pkeyopt")
    return "EC", {"curve": named_curve(path)}


def _parameters(given: GivenOptions, algorithm: str, options: Mapping[str, str]) -> int:
    if algorithm.upper() != "EC" or given.has("paramfile"):
        raise InputError(f"genpkey: keys of the kind {algorithm} have no parameters to make",
                         hint="-algorithm EC")
    if given.word is not None:
        raise InputError("genpkey: parameters are not encrypted", hint=f"leave -{given.word} out")
    if "curve" not in options:
        raise _no_curve()
    from ...stages.text.key import curve_text
    data = parameters(options["curve"])     # in PEM whatever -outform says, as openssl has it
    streams.write(given.get("out"),
                  data + (curve_text(options["curve"]).encode() if given.has("text") else b""))
    return 0


def make_key(algorithm: str, options: Mapping[str, str]) -> SigningKey:
    """A key of *algorithm* with the options that `key_options` read."""
    from ...stages.keys import genpkey, genrsa
    if algorithm.upper() == "EC" and "curve" not in options:
        raise _no_curve()
    with interruptible():
        if options.get("exponent") == "3":
            return genrsa(int(options.get("bits", "2048")), exponent=3)
        return genpkey(algorithm, bits=int(options.get("bits", "2048")),
                       curve=options.get("curve", "P-256"))


def _exchange_key(algorithm: str) -> X25519PrivateKey | X448PrivateKey | None:
    """A key that two parties agree on a secret with, None if *algorithm* makes none."""
    match algorithm.upper():
        case "X25519":
            from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
            return X25519PrivateKey.generate()
        case "X448":
            from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey
            return X448PrivateKey.generate()
    return None


def _no_curve() -> InputError:
    return InputError("no curve: an EC key needs one", hint="-pkeyopt ec_paramgen_curve:P-256")


def key_options(texts: Sequence[str], algorithm: str) -> dict[str, str]:
    """`-pkeyopt`s of *algorithm* as the words of kpki.genpkey: bits, curve; and exponent, if 3."""
    options: dict[str, str] = {}
    for text in texts:
        name, _, value = text.partition(":")
        word, kind = _OPTIONS.get(name, ("", ""))
        if not value or kind != algorithm.upper():
            raise InputError(f"parameter setting error: -pkeyopt {text}", hint=_HINT)
        if kind == "RSA":
            if not is_number(value) or len(value) > 7:
                raise InputError(f"parameter setting error: -pkeyopt {text} is no number",
                                 hint=_HINT)
            value = str(to_number(value))
        if word in ("bits", "curve") or (word == "exponent" and value == "3"):
            options[word] = value
        elif value != _USUAL[word]:
            raise UnsupportedError(f"openssl's -pkeyopt {text} is not supported",
                                   hint=f"{name}:{_USUAL[word]}")
    return options
