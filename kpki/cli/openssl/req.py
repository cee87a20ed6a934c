"""`kpki req`: requests and self-signed certificates, as `openssl req` makes them, and a look at a request."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ... import pem
from ...errors import InputError, RefusedError, UnsupportedError
from . import explaining, looking, streams
from .genpkey import key_options, make_key
from .options import COUNT, FILE, FORM, RANDOM, TEXT, Given, Option, help_page, read_options

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

    from ...stages.config import Config

TABLE = (
    Option("new", "", "write a request"), Option("x509", "", "write a self-signed certificate instead"),
    Option("in", FILE, "the request to look at (standard input)"), Option("inform", FORM, "its form"),
    Option("out", FILE, "where the result goes (standard output)"), Option("outform", FORM, "its form"),
    Option("key", FILE, "the key that signs and is certified"),
    Option("keyform", FORM, "its form (found out by itself)"),
    Option("passin", TEXT, "passphrase source of the key"),
    Option("newkey", TEXT, "make a key: rsa:2048, rsa, ec (with -pkeyopt), ec:PARAMETERS, ed25519"),
    Option("pkeyopt", TEXT, "an option of the new key: ec_paramgen_curve:P-256"),
    Option("keyout", FILE, "where the new key goes (default_keyfile, else standard output)"),
    Option("passout", TEXT, "passphrase source of the new key"),
    Option("noenc", "", "do not encrypt the new key"), Option("nodes", "", "the same, in the words of older posts"),
    Option("config", FILE, "the configuration (else $OPENSSL_CONF, else openssl's own defaults)"),
    Option("section", TEXT, "the section that stands for [req]"),
    Option("subj", TEXT, "the subject, /CN=…/O=…"), Option("multivalue-rdn", "", "nothing: + always joins"),
    Option("utf8", "", "the configuration and -subj are UTF-8"),
    Option("reqexts", TEXT, "the section of a request's extensions"),
    Option("extensions", TEXT, "the section of a certificate's extensions"),
    Option("addext", TEXT, "one more extension, name=value"),
    Option("days", COUNT, "how long the certificate is valid (30)"),
    Option("set_serial", TEXT, "the certificate's serial number, decimal or 0x…"),
    Option("batch", "", "ask nothing, take every default"), Option("verbose", "", "say more"),
    Option("newhdr", "", "write NEW CERTIFICATE REQUEST"),
    *looking.REQUEST_OPTIONS,
    Option("CA", FILE, instead="kpki x509 -req -CA on the request"),
    Option("CAkey", FILE, instead="kpki x509 -req -CAkey on the request"),
    Option("copy_extensions", TEXT, instead="kpki x509 -req -copy_extensions"),
    Option("precert", "", instead="nothing: kpki makes no precertificates"),
    Option("keygen_engine", TEXT, instead="a key in a file"),
    Option("sigopt", TEXT, instead="RSA PKCS#1 v1.5, ECDSA and EdDSA signatures"),
    Option("vfyopt", TEXT, instead="nothing: a signature has no options here"),
    *RANDOM,
)


def run(verb: str, argv: Sequence[str]) -> int:
    """Make a request or a certificate, or look at a request."""
    given = read_options(verb, TABLE, argv, word="digest")
    if given.has("help"):
        print(help_page(verb, TABLE))
        return 0
    if given.rest:
        raise InputError(f"req: extra arguments given: {' '.join(given.rest)}")
    if given.has("new", "x509", "newkey"):
        return _make(given)
    return _look(given)


def _make(given: Given) -> int:
    from ...stages.certificates import self_signed
    from ...stages.keys import signing_key
    from ...stages.requests import default_config, fill_form, sign_request
    certificate, section = given.has("x509"), given.get("section") or "req"
    if certificate and given.has("in"):
        raise UnsupportedError("openssl's req -x509 -in is not supported", hint="kpki x509 -req -in FILE -signkey KEY")
    path = given.get("config")
    path = os.environ.get("OPENSSL_CONF") if path is None else path
    config = default_config() if path is None else streams.read_config(path)
    if given.has("explain"):
        _explain(given, path)
    if given.has("days") and not certificate:
        streams.note("Ignoring -days without -x509; not generating a certificate")
    if path is not None:
        _warn(given, config, section, path)
    warnings: list[str] = []
    with streams.blaming(path):
        key, key_file = _key(given, config)
        form = fill_form(config, section=section, subject=given.get("subj"), request_extensions=given.get("reqexts"),
                         certificate_extensions=given.get("extensions"), addext=given.all("addext"), digest=given.word,
                         utf8=given.has("utf8"), ask=None if given.has("batch") else streams.ask, warnings=warnings)
        streams.note(*(f"req warning: {line}" for line in warnings))
        if certificate:
            made = self_signed(form, signing_key(key), days=given.number("days", 30),
                               serial_number=serial_number(given))
            shown, status = looking.show_certificate(made, given) if _looks(given) else ("", 0)
            data = pem.dump_certificate(made, encoding=given.form("outform"))
            _warn_bare(given, made)
        else:
            csr = sign_request(form, signing_key(key))
            shown, status = looking.show_request(csr, given) if _looks(given) else ("", 0)
            data = pem.dump_csr(csr, encoding=given.form("outform"), new_header=given.has("newhdr"))
    if key_file is not None:
        streams.write(key_file[0] or None, key_file[1], private=True)
    streams.write(given.get("out"), shown.encode("utf-8", "surrogateescape") + (b"" if given.has("noout") else data))
    return status


def _looks(given: Given) -> bool:
    """Whether anything is to be shown: what shows it takes its time to load."""
    return given.has(*(option.name for option in looking.REQUEST_OPTIONS))


def _key(given: Given, config: Config) -> tuple[PrivateKeyTypes, tuple[str, bytes] | None]:
    """The key that signs; of a new one also the file it belongs in ("" is standard output) and its bytes."""
    def setting(name: str) -> str | None:
        return config.get(given.get("section") or "req", name)

    if given.has("key"):
        source = given.get("passin") or _source(setting("input_password"))
        return streams.read_key(given.get("key"), source, given.form_or_none("keyform")), None
    kind, colon, size = (given.get("newkey") or "rsa").partition(":")
    options = key_options(given.all("pkeyopt"))
    if kind == "rsa":
        bits = size or options.get("bits") or setting("default_bits") or "2048"
        if not bits.isdecimal() or len(bits) > 6:
            raise InputError(f"req: {bits!r} is no number of bits")
        options["bits"] = bits
    elif kind == "ec" and colon:
        options["curve"] = _curve(size)
    elif colon:
        raise InputError(f"req: -newkey {kind}:{size} names no key", hint="rsa:2048, ec, ec:PARAMETERS or ed25519")
    secret = None
    if not given.has("noenc", "nodes") and setting("encrypt_key") != "no" and setting("encrypt_rsa_key") != "no":
        secret = streams.new_passphrase(given.get("passout") or _source(setting("output_password")), "the new key")
    key = make_key(kind, options)
    return key, (given.get("keyout") or setting("default_keyfile") or "", pem.dump_key(key, passphrase=secret))


def _source(text: str | None) -> str | None:
    return None if text is None else f"pass:{text}"


def _curve(path: str) -> str:
    """The name of the curve in an EC PARAMETERS file."""
    from ...stages import der, objects
    for block in pem.blocks(streams.read(path)):
        if block.label == "EC PARAMETERS":
            known = objects.by_oid().get(der.oid_text(block.der))
            if known:
                return known.short_name
    raise InputError(f"{path}: no EC PARAMETERS with a named curve in it")


def _look(given: Given) -> int:
    csr = streams.read_csr(given.get("in"), given.form("inform"))
    if given.has("explain"):
        streams.explain("req", reads=[given.get("in") or "standard input"], does="shows what a request says",
                        writes=[given.get("out") or "standard output"], call=_loaded(given))
    shown, status = looking.show_request(csr, given)
    if given.has("verify"):
        if not csr.is_signature_valid:
            raise RefusedError("certificate request self-signature verify failure")
        streams.note("Certificate request self-signature verify OK")
    out = pem.dump_csr(csr, encoding=given.form("outform"), new_header=given.has("newhdr"))
    streams.write(given.get("out"), shown.encode("utf-8", "surrogateescape") + (b"" if given.has("noout") else out))
    return status


def serial_number(given: Given) -> int | None:
    """The `-set_serial` value: decimal, or hexadecimal after 0x, a minus sign before either; None without one."""
    from ...stages.values import number
    texts = given.all("set_serial")
    if len(texts) > 1:
        raise InputError("serial number supplied twice")
    try:
        return number(texts[0]) if texts else None
    except InputError:
        raise InputError(f"{texts[0]!r} is no serial number",
                         hint="decimal digits, or 0x and hexadecimal ones") from None


def _warn(given: Given, config: Config, section: str, path: str | None) -> None:
    from ...stages.traps import request_traps
    certificate = given.has("x509")
    extensions = given.get("extensions" if certificate else "reqexts")
    streams.warn(given, request_traps(config, section, subject=given.has("subj"), certificate=certificate,
                                      extensions=extensions), path)


def _warn_bare(given: Given, made: Certificate) -> None:
    from ...stages.traps import no_extension
    streams.warn(given, no_extension(made))


def _explain(given: Given, path: str | None) -> None:
    certificate, shown = given.has("x509"), explaining.shown
    key = explaining.key_reading(given.get("key"), given.get("passin")) if given.has("key") else "kpki.genrsa()"
    made = explaining.call_text(
        "req_x509" if certificate else "req_new", key, config=explaining.config_reading(path),
        section=shown(given.get("section")), subject=shown(given.get("subj")),
        extensions=shown(given.get("extensions" if certificate else "reqexts")), addext=shown(given.all("addext")),
        digest=shown(given.word), days=given.get("days") and str(given.number("days", 30)) if certificate else None,
        serial_number=shown(serial_number(given)) if certificate else None,
        utf8=shown(given.has("utf8")), ask="input" if not given.has("subj", "batch") else None)
    streams.explain(
        "req", reads=[given.get("key") or "no key: a new one is made", path or "openssl's own defaults (built in)"],
        call=explaining.call_text("dump_certificate" if certificate else "dump_csr", made,
                                  encoding=shown(given.form_or_none("outform"))),
        does="writes a certificate for the key, signed with the key itself" if certificate else
        "writes a request: who wants a certificate, for which key and names, signed with that key",
        writes=[given.get("out") or "standard output", *given.all("keyout")])


def _loaded(given: Given) -> str:
    return explaining.reading("load_csr", given.get("in"))
