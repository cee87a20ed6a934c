"""`kpki rsa`, `ec` and `pkey`: reading keys, showing, checking and rewriting them; `ecparam`: a curve and its keys."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ... import pem
from ...errors import InputError, about
from . import explaining, streams
from .genrsa import check_cipher, encryption
from .options import FILE, FORM, RANDOM, TEXT, Given, Option, begin

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_COMMON = (
    Option("in", FILE, "the key (standard input)"), Option("inform", FORM, "its form (found out by itself)"),
    Option("passin", TEXT, "passphrase source of the key"), Option("pubin", "", "the input is a public key"),
    Option("out", FILE, "where the key goes (standard output)"), Option("outform", FORM, "its form"),
    Option("passout", TEXT, "passphrase source of the key that is written"),
    Option("pubout", "", "write the public key"), Option("noout", "", "write no key"),
    Option("text", "", "the key in words"), Option("check", "", "check that the key is consistent"),
)
_NAMED_CURVE, _POINT_FORMS = "named_curve, the only one there is here", "the point: uncompressed, compressed or hybrid"
TABLES: dict[str, tuple[Option, ...]] = {
    "rsa": (
        *_COMMON, Option("modulus", "", "the modulus"), Option("traditional", "", "PKCS#1 instead of PKCS#8"),
        Option("RSAPublicKey_out", "", "write the public key as PKCS#1"),
        Option("RSAPublicKey_in", "", instead="-pubin, for a key that -pubout wrote"),
        *(Option(name, "", instead="PEM or DER") for name in ("pvk-strong", "pvk-weak", "pvk-none"))),
    "ec": (
        *_COMMON, Option("param_out", "", "write the curve's name alone"),
        Option("no_public", "", "leave the public half out of the private key"),
        Option("conv_form", TEXT, _POINT_FORMS),
        Option("param_enc", TEXT, _NAMED_CURVE)),
    "pkey": (
        *_COMMON, Option("pubcheck", "", "check the public half"), Option("text_pub", "", "the public half in words"),
        Option("traditional", "", "PKCS#1 or SEC1 instead of PKCS#8"),
        Option("ec_conv_form", TEXT, _POINT_FORMS),
        Option("ec_param_enc", TEXT, _NAMED_CURVE)),
    "ecparam": (
        Option("name", TEXT, "the curve: prime256v1, secp384r1, P-256 …"), Option("genkey", "", "make a key on it"),
        Option("out", FILE, "where both go (standard output)"), Option("outform", FORM, "their form"),
        Option("noout", "", "do not write the parameters"), Option("text", "", "the curve in words"),
        Option("check", "", "check the curve, which is a named one"), Option("check_named", "", "the same"),
        Option("param_enc", TEXT, _NAMED_CURVE), Option("conv_form", TEXT, _POINT_FORMS),
        Option("no_seed", "", "nothing: a named curve shows none"),
        Option("in", FILE, instead="-name CURVE"), Option("inform", FORM, instead="-name CURVE"),
        Option("list_curves", "", instead="kpki genpkey -algorithm EC, whose error for an unknown curve lists them"),
        *RANDOM),
}
# The order in which each verb puts out what it is asked for.
_ORDER = {"rsa": ("text", "modulus", "check", "key"), "ec": ("text", "check", "key"), "pkey": ("check", "key", "text")}


class _Loaded(NamedTuple):
    """A key that was read: *private* None where it is a public one; *public* its SubjectPublicKeyInfo in DER."""

    private: PrivateKeyTypes | None
    public: bytes
    reshaped: bool

    def __repr__(self) -> str:
        return "_Loaded(…)"


def run(verb: str, argv: Sequence[str]) -> int:
    """Show, check and rewrite a key; make a key on a curve."""
    given = begin(verb, TABLES[verb], argv, word=None if verb == "ecparam" else "cipher")
    if given is None:
        return 0
    if given.get("param_enc", "ec_param_enc") not in (None, "named_curve"):
        raise InputError(f"{verb}: a curve is written by its name alone", hint="named_curve")
    return _ecparam(given) if verb == "ecparam" else _key(given)


def _key(given: Given) -> int:
    _refuse(given)
    if given.has("explain"):
        _explain(given)
    if given.verb == "ec":
        streams.note("read EC key")
    key = _load(given)
    writes = not given.has("noout")
    parts = {"text": _text(given, key), "modulus": _modulus(key) if given.has("modulus") else b"",
             "check": _check(given), "key": _written(given, key) if writes else b""}
    if writes and given.verb != "pkey":
        streams.note(f"writing {given.verb.upper()} key")
    secret = key.private is not None and (
        writes and not _public_only(given) or given.has("text") and not _shows_public(given))
    streams.write(given.get("out"), b"".join(parts[part] for part in _ORDER[given.verb]), private=secret)
    return 0


def _refuse(given: Given) -> None:
    if given.word is not None and (given.has("noout") or _public_only(given)):
        check_cipher(given.word, quiet=True)
    if given.verb == "rsa" and given.has("pubin") and given.has("check"):
        raise InputError("rsa: only private keys can be checked")
    to_der, writes = given.form("outform") == "DER", not given.has("noout")
    if given.verb == "pkey" and to_der and writes and given.has("text", "text_pub"):
        raise InputError("pkey: text output cannot be combined with DER output")
    if given.verb == "pkey" and given.has("traditional") and (to_der or not writes):
        streams.note("Warning: The -traditional is ignored since there is no PEM output")
    if given.has("text") and given.has("text_pub"):
        streams.note("Warning: The -text option is ignored with -text_pub")


def _load(given: Given) -> _Loaded:
    from ...stages.keys import public_key_der
    from ...stages.points import with_point_form
    private: PrivateKeyTypes | None = None
    encoding = given.form_or_none("inform")
    if given.has("pubin"):
        data = streams.read(given.get("in"))
        with about(given.get("in") or "standard input"):
            public = pem.dump_public_key(pem.load_public_key(data, encoding=encoding), encoding="DER")
    else:
        private = streams.read_key(given.get("in"), given.get("passin"), encoding)
        public = public_key_der(private)
    with about(given.get("in") or "standard input"):
        _right_kind(given.verb, public)
    form = given.get("conv_form", "ec_conv_form")
    return _Loaded(private, with_point_form(public, form) if form else public, form not in (None, "uncompressed"))


def _right_kind(verb: str, public: bytes) -> None:
    from ...stages.text.key import key_algorithm
    wanted = {"rsa": "rsaEncryption", "ec": "id-ecPublicKey"}.get(verb)
    if wanted is not None and key_algorithm(public) != wanted:
        raise InputError(f"not an {verb.upper()} key but {key_algorithm(public)}", hint="kpki pkey takes any kind")


def _public_only(given: Given) -> bool:
    return given.has("pubin", "pubout", "RSAPublicKey_out", "param_out")


def _shows_public(given: Given) -> bool:
    """Whether the text is of the public half; `pkey -pubout -text` is `-text_pub`, with the other verbs it is not."""
    return given.has("text_pub", "pubin") or given.verb == "pkey" and given.has("pubout")


def _text(given: Given, key: _Loaded) -> bytes:
    from ...stages.text.key import private_key_text, public_key_text
    if not given.has("text", "text_pub"):
        return b""
    text = public_key_text(key.public) if _shows_public(given) or key.private is None \
        else private_key_text(key.private, key.public)
    if text is None:
        raise InputError(f"{given.verb}: this kind of key has no text form here")
    return text.encode()


def _modulus(key: _Loaded) -> bytes:
    from ...stages.text.key import modulus
    from ...stages.text.value import hexadecimal
    return f"Modulus={hexadecimal(modulus(key.public) or 0)}\n".encode()


def _check(given: Given) -> bytes:
    """A key that is not consistent does not load, so what comes here is; `ec` says so on stderr."""
    if not given.has("check", "pubcheck"):
        return b""
    if given.verb == "ec":
        streams.note("EC Key valid.")
    return {"rsa": b"RSA key ok\n", "ec": b"", "pkey": b"Key is valid\n"}[given.verb]


def _written(given: Given, key: _Loaded) -> bytes:
    from ...stages import der
    encoding = given.form("outform")
    if given.has("param_out"):
        algorithm = der.items(der.content_of(key.public))[0]
        return _encoded(der.items(der.content_of(algorithm))[1], "EC PARAMETERS", encoding)
    if given.has("RSAPublicKey_out"):
        return _encoded(der.key_bits(key.public), "RSA PUBLIC KEY", encoding)
    if key.private is None or given.has("pubout"):
        return _encoded(key.public, "PUBLIC KEY", encoding)
    return _private(given, key.private, key, encoding)


def _private(given: Given, private: PrivateKeyTypes, key: _Loaded, encoding: str) -> bytes:
    """A private key as the verb writes it: `ec` in SEC1, the others in PKCS#8, but `pkey` in DER in SEC1 or PKCS#1."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    from ...stages.points import ec_private_key
    traditional = given.verb == "ec" or given.has("traditional")
    if given.verb == "pkey" and encoding == "DER":
        traditional = isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        if given.word is not None:
            raise InputError("pkey: cipher options are supported only for PEM output")
    if given.word is not None and encoding == "DER" and traditional:
        raise InputError(f"{given.verb}: SEC1 and PKCS#1 in DER cannot be encrypted", hint="-outform PEM")
    if isinstance(private, ec.EllipticCurvePrivateKey) and (key.reshaped or given.has("no_public")):
        if given.word is not None:
            raise InputError(f"{given.verb}: an encrypted key keeps its public half, in uncompressed form")
        data = ec_private_key(private, key.public, pkcs8=not traditional, without_public=given.has("no_public"))
        return _encoded(data, "EC PRIVATE KEY" if traditional else "PRIVATE KEY", encoding)
    return pem.dump_key(private, form="traditional" if traditional else "pkcs8", passphrase=encryption(given),
                        encoding=encoding)


def _encoded(data: bytes, label: str, encoding: str) -> bytes:
    return data if encoding == "DER" else pem.armour(data, label)


def _ecparam(given: Given) -> int:
    from cryptography.hazmat.primitives.asymmetric import ec

    from ...stages import der, keys, objects, points
    from ...stages.text.key import curve_name, curve_text
    name = given.get("name")
    if name is None:
        raise InputError("ecparam: no curve", hint="-name prime256v1")
    short, encoding, point_form = curve_name(name), given.form("outform"), given.get("conv_form") or "uncompressed"
    if point_form not in points.FORMS:
        raise InputError(f"ecparam: {point_form!r} is no form of a point", hint=", ".join(points.FORMS))
    if name == "secp256r1":
        streams.note(f"using curve name {short} instead of {name}")
    if given.has("explain"):
        streams.explain("ecparam", reads=[], writes=[given.get("out") or "standard output"],
                        does=f"makes a key on the curve {short}" if given.has("genkey") else f"names the curve {short}",
                        call=explaining.call_text(
                            "dump_key", explaining.call_text("genpkey", repr("EC"), curve=repr(name)),
                            form=repr("traditional")))
    if given.has("check", "check_named"):
        streams.note("checking elliptic curve parameters: ok")
    data = curve_text(name).encode() if given.has("text") else b""
    if not given.has("noout"):
        data += _encoded(der.oid(objects.by_short_name()[short]), "EC PARAMETERS", encoding)
    if given.has("genkey"):
        key = ec.generate_private_key(keys.find_curve(name)())
        public = points.with_point_form(keys.public_key_der(key), point_form)
        data += _encoded(points.ec_private_key(key, public), "EC PRIVATE KEY", encoding)
    streams.write(given.get("out"), data, private=given.has("genkey"))
    return 0


def _explain(given: Given) -> None:
    reads, public = given.get("in"), _public_only(given)
    key = explaining.reading("load_public_key", reads) if given.has("pubin") \
        else explaining.key_reading(reads, given.get("passin"))
    form = repr("traditional") if given.verb == "ec" or given.has("traditional") else None
    encoding = repr("DER") if given.form("outform") == "DER" else None
    if not public:
        call = explaining.call_text("dump_key", key, form=form, encoding=encoding)
    else:
        call = explaining.call_text("dump_public_key", key if given.has("pubin") else f"{key}.public_key()",
                                    encoding=encoding)
    streams.explain(
        given.verb, reads=[reads or "standard input"], call=call,
        writes=[] if given.has("noout") and not given.has("text") else [given.get("out") or "standard output"],
        does="reads a key" + (f" and writes {'its public half' if public else 'it'} anew" * (not given.has("noout"))))
