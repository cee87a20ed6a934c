"""`kpki rsa`, `ec` and `pkey`: reading, showing, checking and rewriting keys."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from . import explaining, streams
from .ecparam import NAMED_CURVE, POINT_FORMS, validate_curve_words
from .genrsa import dumping, encryption, sealed
from .options import FILE, FORM, TEXT, GivenOptions, Option, begin
from ... import pem
from ...errors import InputError, about

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_COMMON = (
    Option("in", FILE, "read the key from this file (default: standard input)"),
    Option("inform", FORM, "the form of the key; by default kpki recognizes it"),
    Option("passin", TEXT, "the source of the passphrase that opens the key, such as file:PATH"),
    Option("pubin", "", "read a public key as input"),
    Option("out", FILE, "write the key to this file (default: standard output)"),
    Option("outform", FORM, "write the key as PEM or DER"),
    Option("passout", TEXT,
           "the source of the passphrase that encrypts the written key, such as file:PATH"),
    Option("pubout", "", "write the public key"), Option("noout", "", "write no key"),
    Option("text", "", "print the key in words"),
    Option("check", "", "check that the key is consistent"),
)
_PUBLIC_INPUT = ("pubin", "RSAPublicKey_in")
# the object identifier (DER) at the beginning of a key of the verb's kind: rsaEncryption,
# id-ecPublicKey
_ALGORITHMS = {"rsa": bytes.fromhex("06092a864886f70d010101"),
               "ec": bytes.fromhex("06072a8648ce3d0201")}
TABLES: dict[str, tuple[Option, ...]] = {
    "rsa": (
        *_COMMON, Option("modulus", "", "print the modulus of the key"),
        Option("traditional", "", "write PKCS#1 instead of PKCS#8"),
        Option("RSAPublicKey_out", "", "write the public key as PKCS#1"),
        Option("RSAPublicKey_in", "", "read a public key as input, PKCS#1 or any other form"),
        *(Option(name, "", instead="PEM or DER")
          for name in ("pvk-strong", "pvk-weak", "pvk-none"))),
    "ec": (
        *_COMMON, Option("param_out", "", "write the name of the curve, and no key"),
        Option("no_public", "", "leave the public key out of the private key"),
        Option("conv_form", TEXT, POINT_FORMS),
        Option("param_enc", TEXT, NAMED_CURVE)),
    "pkey": (
        *_COMMON, Option("pubcheck", "", "check that the public key is valid"),
        Option("text_pub", "", "print the public key in words"),
        Option("traditional", "", "write PKCS#1 or SEC1 instead of PKCS#8"),
        Option("ec_conv_form", TEXT, POINT_FORMS),
        Option("ec_param_enc", TEXT, NAMED_CURVE)),
}
# the order of each verb's output
_ORDER = {"rsa": ("text", "modulus", "check", "key"), "ec": ("text", "check", "key"),
          "pkey": ("check", "key", "text")}


class _Loaded(NamedTuple):
    """A key: *private* is None for a public key; *public* is its SubjectPublicKeyInfo (DER)."""

    private: PrivateKeyTypes | None
    public: bytes
    reshaped: bool

    def __repr__(self) -> str:
        return "_Loaded(…)"


def run(verb: str, argv: Sequence[str]) -> int:
    """Show, check and rewrite a key."""
    given = begin(verb, TABLES[verb], argv, word="cipher")
    if given is None:
        return 0
    validate_curve_words(given)
    _refuse(given)
    if given.has("explain"):
        _explain(given)
    if given.verb == "ec":
        streams.note("read EC key")
    key = _load(given)
    writes = not given.has("noout")
    if given.word is None or not writes or _public_only(given):
        streams.passphrase(given.get("passout"))    # openssl reads it even without a cipher
    parts = {"text": _text(given, key), "modulus": _modulus(key) if given.has("modulus") else b"",
             "check": _check(given), "key": _written(given, key) if writes else b""}
    if writes and given.verb != "pkey":
        streams.note(f"writing {given.verb.upper()} key")
    secret = key.private is not None and (
        (writes and not _public_only(given)) or (given.has("text") and not _shows_public(given)))
    streams.write(given.get("out"), b"".join(parts[part] for part in _ORDER[given.verb]),
                  private=secret)
    return 0


def _refuse(given: GivenOptions) -> None:
    if given.verb == "rsa" and given.has(*_PUBLIC_INPUT) and given.has("check"):
        raise InputError("rsa: only private keys can be checked")
    to_der, writes = given.form("outform") == "DER", not given.has("noout")
    if given.word is not None and (given.verb == "pkey" and (to_der or not writes)):
        raise InputError("pkey: a cipher is for a key that is written in PEM",
                         hint=f"leave -{given.word} out")
    if given.word is not None and writes and not to_der and _old_public_form(given):
        raise InputError(f"{given.verb}: what is public is not encrypted",
                         hint=f"leave -{given.word} out")
    if given.verb == "pkey" and to_der and writes and given.has("text", "text_pub"):
        raise InputError("pkey: text output cannot be combined with DER output")
    if given.verb == "pkey" and given.has("traditional") and (to_der or not writes):
        streams.note("Warning: The -traditional is ignored since there is no PEM output")
    if given.has("text") and given.has("text_pub"):
        streams.note("Warning: The -text option is ignored with -text_pub")


def _load(given: GivenOptions) -> _Loaded:
    from ...stages.keys import public_key_der
    private: PrivateKeyTypes | None = None
    name, encoding = given.get("in") or "standard input", given.form_or_none("inform")
    if given.has(*_PUBLIC_INPUT):
        streams.passphrase(given.get("passin"))
        data = streams.read(given.get("in"))
        with about(name):
            public = pem.dump_public_key(pem.load_public_key(data, encoding=encoding, pkcs1=True),
                                         encoding="DER")
    else:
        private = streams.read_key(given.get("in"), given.get("passin"), encoding)
        public = public_key_der(private)
    with about(name):
        wanted = "ec" if given.has("ec_conv_form", "ec_param_enc") else given.verb
        if wanted in _ALGORITHMS and _ALGORITHMS[wanted] not in public[:30]:
            _wrong_kind(given, wanted.upper(), public, name)
    form = given.get("conv_form", "ec_conv_form")
    if form is None or _ALGORITHMS["ec"] not in public[:30]:
        return _Loaded(private, public, reshaped=False)
    from ...stages.points import with_point_form
    return _Loaded(private, with_point_form(public, form), reshaped=form != "uncompressed")


def _wrong_kind(given: GivenOptions, wanted: str, public: bytes, name: str) -> None:
    """Raise InputError for a key that is not of the kind *wanted*.

    `ec` accepts any kind, as openssl does, and kpki prints a warning.
    """
    from ...stages.text.key import key_algorithm
    fact, hint = f"not an {wanted} key but {key_algorithm(public)}", "kpki pkey accepts any kind"
    if given.verb != "ec":
        raise InputError(fact, hint=hint if given.verb == "rsa"
                         else "leave -ec_conv_form and -ec_param_enc out")
    if given.has("param_out") and not given.has("noout"):
        raise InputError(f"{fact}, which has no parameters", hint=hint)
    streams.warn(given, [fact], name)


def _public_only(given: GivenOptions) -> bool:
    return given.has(*_PUBLIC_INPUT, "pubout", "RSAPublicKey_out", "param_out")


def _old_public_form(given: GivenOptions) -> str | None:
    """RSAPublicKey_out or param_out, if given: of the forms of an RSA key the last counts."""
    return "param_out" if given.has("param_out") else \
        "RSAPublicKey_out" if given.last("pubout", "RSAPublicKey_out") == "RSAPublicKey_out" \
        else None


def _shows_public(given: GivenOptions) -> bool:
    """Whether the text is that of the public half.

    `pkey -pubout -text` means `-text_pub`; for the other verbs it does not.
    """
    return given.has("text_pub", *_PUBLIC_INPUT) or (given.verb == "pkey" and given.has("pubout"))


def _text(given: GivenOptions, key: _Loaded) -> bytes:
    if not given.has("text", "text_pub"):
        return b""
    from ...stages.text.key import private_key_text, public_key_text
    text = public_key_text(key.public) if _shows_public(given) or key.private is None \
        else private_key_text(key.private, key.public)
    if text is None:
        raise InputError(f"{given.verb}: this kind of key has no text form here")
    return text.encode()


def _modulus(key: _Loaded) -> bytes:
    from ...stages.text.key import modulus
    from ...stages.text.value import hexadecimal
    return f"Modulus={hexadecimal(modulus(key.public) or 0)}\n".encode()


def _check(given: GivenOptions) -> bytes:
    """Check a key: no inconsistent key can be loaded, so this key is right, as `ec` says."""
    if not given.has("check", "pubcheck"):
        return b""
    if given.verb == "ec":
        streams.note("EC Key valid.")
    return {"rsa": b"RSA key ok\n", "ec": b"", "pkey": b"Key is valid\n"}[given.verb]


def _written(given: GivenOptions, key: _Loaded) -> bytes:
    encoding = given.form("outform")
    old_form = _old_public_form(given)
    if old_form is not None:
        from ...stages import der, records
    if old_form == "param_out":
        algorithm = der.items(der.content_of(key.public))[0]
        return _encoded(der.items(der.content_of(algorithm))[1], "EC PARAMETERS", encoding)
    if old_form == "RSAPublicKey_out":
        return _encoded(records.key_bits(key.public), "RSA PUBLIC KEY", encoding)
    if key.private is None or given.has("pubout"):
        return _encoded(key.public, "PUBLIC KEY", encoding)
    return _private(given, key.private, key, encoding)


def _private(given: GivenOptions, private: PrivateKeyTypes, key: _Loaded, encoding: str) -> bytes:
    """A private key in the verb's form: `ec` writes SEC1, the others PKCS#8.

    In DER `pkey` writes SEC1 or PKCS#1.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    traditional = given.verb == "ec" or given.has("traditional")
    if given.verb == "pkey" and encoding == "DER":
        traditional = isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    # openssl writes such a key unencrypted
    if given.word is not None and encoding == "DER" and traditional:
        raise InputError(f"{given.verb}: SEC1 and PKCS#1 in DER cannot be encrypted",
                         hint="-outform PEM")
    if isinstance(private, ec.EllipticCurvePrivateKey) and (key.reshaped or given.has("no_public")):
        from ...stages.points import ec_private_key
        data = ec_private_key(private, key.public, pkcs8=not traditional,
                              without_public=given.has("no_public"))
        label = "EC PRIVATE KEY" if traditional else "PRIVATE KEY"
        secret = None if given.word is None else encryption(given)
        if secret is None:
            return _encoded(data, label, encoding)
        from ...stages.encryption import encrypted_octets
        return encrypted_octets(data, label, *secret)
    return sealed(private, encryption(given), form="traditional" if traditional else "pkcs8",
                  encoding=encoding)


def _encoded(data: bytes, label: str, encoding: str) -> bytes:
    return data if encoding == "DER" else pem.armour(data, label)


def _explain(given: GivenOptions) -> None:
    reads, public = given.get("in"), _public_only(given)
    key = explaining.reading("load_public_key", reads,
                             *["pkcs1=True"] * given.has("RSAPublicKey_in")) \
        if given.has(*_PUBLIC_INPUT) \
        else explaining.key_reading(reads, given.get("passin"))
    form, encoding = "traditional" if given.verb == "ec" or given.has("traditional") \
        else "pkcs8", given.form("outform")
    if not public:
        call = dumping(key, given.word, form, encoding)
    else:
        call = explaining.call_text("dump_public_key", key if given.has(*_PUBLIC_INPUT)
                                    else f"{key}.public_key()",
                                    encoding=explaining.code(given.form_or_none("outform")))
    streams.explain(
        given.verb, reads=[reads or "standard input"], call=call,
        writes=[] if given.has("noout") and not given.has("text")
        else [given.get("out") or "standard output"],
        does="reads a key"
        + (f" and writes {'its public half' if public else 'it'} anew" * (not given.has("noout"))))
