"""`kpki ecparam`: the parameters of a curve, and a key on it, as `openssl ecparam` writes them."""
from __future__ import annotations

from collections.abc import Sequence

from . import explaining, streams
from .curves import named_curve, parameters
from .options import FILE, FORM, RANDOM, TEXT, GivenOptions, Option, begin
from ... import pem
from ...errors import InputError

NAMED_CURVE = "how the curve is written: named_curve is the only form"
POINT_FORMS = "how the public point is written: uncompressed, compressed or hybrid"
TABLE = (
    Option("name", TEXT, "the name of the curve, for example prime256v1"),
    Option("in", FILE, "read the curve from this file (EC PARAMETERS; default: standard input)"),
    Option("inform", FORM, "the form of the file of -in, PEM or DER"),
    Option("genkey", "", "make a key on the curve"),
    Option("out", FILE, "write the result to this file (default: standard output)"),
    Option("outform", FORM, "write the result as PEM or DER"),
    Option("noout", "", "do not write the parameters"),
    Option("text", "", "print the curve in words"),
    Option("check", "", "check that the curve is valid"),
    Option("check_named", "", "check that the curve is one with a name"),
    Option("param_enc", TEXT, NAMED_CURVE), Option("conv_form", TEXT, POINT_FORMS),
    Option("no_seed", "", "leave out the seed of the curve; a curve with a name shows none"),
    Option("list_curves", "",
           instead="kpki genpkey -algorithm EC, whose error for an unknown curve lists them"),
    *RANDOM,
)
TABLES = {"ecparam": TABLE}


def run(verb: str, argv: Sequence[str]) -> int:
    """Write the parameters of a curve, and a key on it."""
    from cryptography.hazmat.primitives.asymmetric import ec

    from ...stages import keys, points
    from ...stages.text.key import curve_name, curve_text
    given = begin(verb, TABLE, argv)
    if given is None:
        return 0
    validate_curve_words(given)
    name = given.get("name")
    if name is None:
        name = named_curve(given.get("in"), given.form("inform"))
    short, encoding, point_form = curve_name(name), given.form("outform"), given.get("conv_form") \
        or "uncompressed"
    if name.lower() in ("secp192r1", "secp256r1"):
        streams.note(f"using curve name {short} instead of {name}")
    if given.has("explain"):
        streams.explain("ecparam", reads=given.all("in"),
                        writes=[given.get("out") or "standard output"],
                        does=f"makes a key on the curve {short}" if given.has("genkey")
                        else f"names the curve {short}", call=explaining.call_text(
                            "dump_key",
                            explaining.call_text("genpkey", repr("EC"), curve=repr(name)),
                            form=repr("traditional")))
    if given.has("check", "check_named"):
        streams.note("checking elliptic curve parameters: ok")
    data = curve_text(name).encode() if given.has("text") else b""
    if not given.has("noout") and not (encoding == "DER" and given.has("genkey")):
        data += parameters(short, encoding)
    if given.has("genkey"):
        key = ec.generate_private_key(keys.get_curve(name)())
        public = points.with_point_form(keys.public_key_der(key), point_form)
        secret = points.ec_private_key(key, public)
        data += secret if encoding == "DER" else pem.armour(secret, "EC PRIVATE KEY")
    streams.write(given.get("out"), data, private=given.has("genkey"))
    return 0


def validate_curve_words(given: GivenOptions) -> None:
    """Raise InputError for an unknown form of the point, and for a curve written by its numbers.

    RFC 5480 §2.1.1 forbids the numbers, and Go does not read them.
    """
    if {*given.all("param_enc"), *given.all("ec_param_enc")} - {"named_curve"}:
        raise InputError(f"{given.verb}: a curve is written by its name alone", hint="named_curve")
    for form in (*given.all("conv_form"), *given.all("ec_conv_form")):
        from ...stages.points import FORMS
        if form not in FORMS:
            raise InputError(f"{given.verb}: {form!r} is no form of a point", hint=", ".join(FORMS))
