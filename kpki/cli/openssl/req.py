"""`kpki req`: requests and self-signed certificates, as with `openssl req`."""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from . import display, explaining, streams
from .certifying import COPY, serial_number
from .curves import named_curve
from .genpkey import key_options, make_key
from .options import COUNT, FILE, FORM, RANDOM, TEXT, GivenOptions, Option, begin
from .sigopt import SIGOPT, signing_digest
from ... import pem
from ...errors import InputError, RefusedError, UnsupportedError, about

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate, CertificateSigningRequest

    from ...stages.config import Config
    from ...stages.names import Name
    from ...stages.requests import Form

TABLE = (
    Option("new", "", "write a new request"),
    Option("x509", "", "write a self-signed certificate in place of a request"),
    Option("in", FILE,
           "read this request (default: standard input), to show it or, with -x509, to certify "
           "it"),
    Option("inform", FORM, "the form of the request of -in, PEM or DER"),
    Option("out", FILE, "write the result to this file (default: standard output)"),
    Option("outform", FORM, "write the result as PEM or DER"),
    Option("key", FILE, "the private key that signs, and whose public key is certified"),
    Option("keyform", FORM, "the form of the key; by default kpki recognizes it"),
    Option("passin", TEXT, "the source of the passphrase that opens the key, such as file:PATH"),
    Option("newkey", TEXT,
           "make a new key: rsa:2048, rsa, ec (with -pkeyopt), ec:PARAMETERS or ed25519"),
    Option("pkeyopt", TEXT, "an option of the new key, such as ec_paramgen_curve:P-256"),
    Option("keyout", FILE,
           "write the key to this file (default for a new key: default_keyfile, else standard "
           "output)"),
    Option("passout", TEXT,
           "the source of the passphrase that encrypts the new key, such as file:PATH"),
    Option("noenc", "", "do not encrypt the new key"),
    Option("nodes", "", "do not encrypt the new key; the old name of -noenc"),
    Option("config", FILE,
           "the configuration file (default: $OPENSSL_CONF, else openssl's own defaults)"),
    Option("section", TEXT, "the section of the configuration to read in place of [req]"),
    Option("subj", TEXT, "the subject, such as /O=system:nodes/CN=system:node:worker-1"),
    Option("multivalue-rdn", "", "accepted, and changes nothing: + always joins attributes"),
    Option("utf8", "", "read the configuration and -subj as UTF-8"),
    Option("reqexts", TEXT, "the section with the extensions of a request"),
    Option("extensions", TEXT, "the section with the extensions of a certificate"),
    Option("addext", TEXT, "add one more extension, written name=value"),
    Option("days", COUNT, "the number of days for which the certificate is valid (default: 30)"),
    Option("set_serial", TEXT, "the serial number of the certificate, decimal or 0x1F"),
    Option("CA", FILE, "the CA certificate that signs; implies -x509"),
    Option("CAkey", FILE, "the private key of the CA (default: in the file of -CA)"),
    Option("copy_extensions", TEXT,
           "which extensions to copy from the request of -in: none, copy or copyall"),
    Option("batch", "", "ask no question, and use every default"),
    Option("verbose", "", "accepted, and changes nothing"),
    Option("newhdr", "", "write NEW CERTIFICATE REQUEST in the PEM header"),
    *display.REQUEST_OPTIONS,
    Option("precert", "", instead="nothing: kpki makes no precertificates"),
    Option("keygen_engine", TEXT, instead="a key in a file"),
    SIGOPT,
    Option("vfyopt", TEXT, instead="nothing: a signature has no options here"),
    *RANDOM,
)
TABLES = {"req": TABLE}
_SMALLEST_RSA = 512     # openssl uses the number of these even if a -pkeyopt gives another


def run(verb: str, argv: Sequence[str]) -> int:
    """Make a request or a certificate, or show a request."""
    given = begin(verb, TABLE, argv, word="digest")
    if given is None:
        return 0
    for copy in given.all("copy_extensions"):
        if copy not in COPY:
            raise InputError(f"req: invalid extension copy option: {copy}", hint=", ".join(COPY))
    # openssl also reads what the line does not need, and refuses a value that is wrong.
    serial_number(given)
    makes = given.has("new", "x509", "newkey", "CA")
    if not given.has("key", "CA"):
        streams.passphrase(given.get("passin"))
    if not makes or (given.has("key") and not given.has("keyout")):
        streams.passphrase(given.get("passout"))
    if makes:
        return _make(given)
    return _display(given)


def _config(given: GivenOptions) -> tuple[str | None, Config]:
    """The configuration's file, None for openssl's own defaults, and its content."""
    from ...stages.requests import default_config
    path = given.get("config")
    path = os.environ.get("OPENSSL_CONF") if path is None else path
    return path, default_config() if path is None else streams.read_config(path)


def _section(given: GivenOptions) -> str:
    name = given.get("section")
    return "req" if name is None else name


def _make(given: GivenOptions) -> int:
    from ...stages.keys import validate_signing_key
    from ...stages.requests import fill_form, request_der
    certificate, section = given.has("x509", "CA"), _section(given)
    csr = _certified(given) if _certifies(given) else None
    if given.has("verify") and certificate and csr is None:
        raise InputError("req: -verify is for a request, and -x509 writes a certificate",
                         hint="leave -verify out")
    path, config = _config(given)
    if given.has("explain"):
        _explain(given, path)
    if given.has("days") and not certificate:
        streams.note("Ignoring -days without -x509; not generating a certificate")
    if path is not None:
        _warn(given, config, section, path)
    authority = _authority(given)
    warnings: list[str] = []
    with streams.blaming(path):
        key, key_file = (authority[1], None) if csr is not None and authority \
            else _key(given, config)
        form = fill_form(config, section=section, subject=_subject(given, csr),
                         request_extensions=given.get("reqexts"),
                         certificate_extensions=given.get("extensions"), addext=given.all("addext"),
                         digest=given.word,
                         utf8=given.has("utf8"), ask=None if given.has("batch") else streams.ask,
                         warnings=warnings, attributes=not certificate)
        if given.has("sigopt"):
            signer = authority[1] if authority else key
            form = form._replace(digest=signing_digest(given, form.digest, signer))
        streams.note(*(f"req warning: {line}" for line in warnings))
        if given.has("verify") and csr is not None:
            _verify(given, csr, None if authority else key)
        if certificate:
            made = _certificate(given, form, key, csr, authority)
            shown, status = display.show_certificate(made, given) if _displays(given) else ("", 0)
            data = pem.dump_certificate(made, encoding=given.form("outform"))
            _warn_bare(given, csr, made)
        else:
            data = request_der(form, validate_signing_key(key))
            shown, status = display.show_request(pem.load_csr(data), given) if _displays(given) \
                else ("", 0)
            if given.form("outform") == "PEM":
                data = pem.armour(data, pem.CSR_LABELS[given.has("newhdr")])
            if given.has("verify"):
                streams.note("Certificate request self-signature verify OK")
    _write(given, shown, data, key_file)
    return status


def _write(given: GivenOptions, shown: str, data: bytes,
           key_file: tuple[str, bytes] | None = None) -> None:
    """Write the key, the shown text, and the PEM or DER unless -noout; no empty file."""
    out = shown.encode("utf-8", "surrogateescape") + (b"" if given.has("noout") else data)
    path, key_path = given.get("out"), key_file[0] if key_file else ""
    if key_file is not None and path and os.path.normpath(path) == os.path.normpath(key_path):
        streams.write(path, key_file[1] + out, private=True)
        return
    if key_file is not None:
        streams.write(key_path or None, key_file[1], private=True)
    if out:
        streams.write(path, out)


def _certifies(given: GivenOptions) -> bool:
    """Whether the request that is certified comes from -in, and is not made first."""
    return given.has("x509", "CA") and given.has("in") and not given.has("new", "newkey")


def _certified(given: GivenOptions) -> CertificateSigningRequest:
    """The request of -in, if it is certified."""
    if not given.has("key", "CA"):
        raise InputError("req: no key to sign the certificate with",
                         hint="-key FILE, or -CA FILE -CAkey FILE")
    if given.has("subj") and not given.has("CA"):
        # openssl keeps the old subject as the certificate's issuer
        raise UnsupportedError("openssl's req -x509 -in with -subj is not supported",
                               hint="kpki x509 -req -in FILE -signkey KEY -subj SUBJECT")
    return streams.read_csr(given.get("in"), given.form("inform"))


def _authority(given: GivenOptions) -> tuple[Certificate, PrivateKeyTypes] | None:
    """The CA of -CA and its key."""
    if not given.has("CA"):
        if given.has("CAkey"):
            streams.note("Warning: Ignoring -CAkey option since no -CA option is given")
        return None
    ca_cert = streams.read_certificate(given.get("CA"))
    return ca_cert, streams.read_key(given.get("CAkey") or given.get("CA"), given.get("passin"))


def _subject(given: GivenOptions, csr: CertificateSigningRequest | None) -> str | Name | None:
    from ...stages.names import subject_name
    return subject_name(csr) if csr is not None and not given.has("subj") else given.get("subj")


def _certificate(given: GivenOptions, form: Form, key: PrivateKeyTypes,
                 csr: CertificateSigningRequest | None,
                 authority: tuple[Certificate, PrivateKeyTypes] | None) -> Certificate:
    """The certificate of -x509 for *csr*, else for *key*; signed by a CA or by *key* itself."""
    days, serial = given.number("days", 30), serial_number(given)
    if given.has("in") and not given.has("copy_extensions"):
        streams.note("Warning: No -copy_extensions given; ignoring any extensions in the request")
    if csr is None and authority is None:
        from ...stages.certificates import self_signed
        from ...stages.keys import validate_signing_key
        return self_signed(form, validate_signing_key(key), days=days, serial_number=serial)
    from ...stages.conversion import certified_request, certify
    ca_cert, ca_key = authority or (None, key)
    return certify(form, csr or certified_request(form, key), ca_cert, ca_key, days=days,
                   serial_number=serial, copy_extensions=given.get("copy_extensions") or "none")


def _displays(given: GivenOptions) -> bool:
    """Whether a part is shown: the module that shows parts is slow to import."""
    return given.has(*(option.name for option in display.REQUEST_OPTIONS))


def _key(given: GivenOptions, config: Config) -> tuple[PrivateKeyTypes, tuple[str, bytes] | None]:
    """The key that signs; of a new key, or with -keyout, also its file and bytes."""
    def setting(name: str) -> str | None:
        return config.get(_section(given), name)

    if given.has("key"):
        source = given.get("passin") or _source(setting("input_password"))
        key = streams.read_key(given.get("key"), source, given.form_or_none("keyform"))
        return key, _key_file(given, setting, key, given.get("keyout")) if given.has("keyout") \
            else None
    made = make_key(*_new_key(given.get("newkey") or "rsa", setting("default_bits"),
                              given.all("pkeyopt")))
    return made, _key_file(given, setting, made, given.get("keyout") or setting("default_keyfile"))


def _key_file(given: GivenOptions, setting: Callable[[str], str | None], key: PrivateKeyTypes,
              path: str | None) -> tuple[str, bytes]:
    """The file of a key, and its bytes: encrypted, unless the line says otherwise."""
    secret = None
    if not given.has("noenc", "nodes") and setting("encrypt_key") != "no" \
        and setting("encrypt_rsa_key") != "no":
        secret = streams.new_passphrase(given.get("passout") or _source(setting("output_password")),
                                        "the key")
    else:
        streams.passphrase(given.get("passout"))
    return path or "", pem.dump_key(key, passphrase=secret)


def _source(text: str | None) -> str | None:
    return None if text is None else f"pass:{text}"


def _new_key(text: str, default_bits: str | None, texts: Sequence[str]) -> tuple[str,
                                                                                 dict[str, str]]:
    """The kind of -newkey's key and the options for it: [rsa:]BITS, KIND, ec:FILE or param:FILE."""
    kind, colon, size = f"rsa:{text}".partition(":") if text[:1].isdecimal() \
        else text.partition(":")
    if kind in ("param", "ec") and colon:
        return "ec", key_options(texts, "ec") | {"curve": named_curve(size)}
    options = key_options(texts, kind)
    if kind.lower() == "rsa":
        digits = re.match(r"[0-9]{1,6}(?![0-9])", size if colon else options.get("bits")
                          or default_bits or "2048")
        if digits is None or ("bits" in options and int(digits[0]) < _SMALLEST_RSA):
            raise InputError(f"req: {size or default_bits!r} is no number of bits")
        options.setdefault("bits", digits[0])       # a -pkeyopt counts more
    elif colon:
        raise InputError(f"req: -newkey {text} names no key",
                         hint="rsa:2048, ec, ec:PARAMETERS or ed25519")
    return kind, options


def _display(given: GivenOptions) -> int:
    if given.has("subj"):
        raise UnsupportedError("req: -subj changes a request, and nothing signs it",
                               hint="kpki req -new -key FILE -subj SUBJECT")
    if given.has("config", "section", "reqexts", "extensions", "addext"):
        _test_config(given)
    key = streams.read_key(given.get("key"), given.get("passin"), given.form_or_none("keyform")) \
        if given.has("key") \
        else None
    csr = streams.read_csr(given.get("in"), given.form("inform"))
    if given.has("explain"):
        streams.explain("req", reads=[given.get("in") or "standard input"],
                        does="shows what a request says",
                        writes=[given.get("out") or "standard output"], call=_loaded(given))
    shown, status = display.show_request(csr, given)
    if given.has("verify"):
        _verify(given, csr, key)
    out = pem.dump_csr(csr, encoding=given.form("outform"), new_header=given.has("newhdr"))
    _write(given, shown, out)
    return status


def _verify(given: GivenOptions, csr: CertificateSigningRequest,
            key: PrivateKeyTypes | None) -> None:
    """Refuse a request whose signature is not its own key's, or not that of *key*, if given."""
    from ...stages.signatures import is_self_signed, is_signed_by
    with about(given.get("in") or "standard input"):
        if not (is_self_signed(csr) if key is None else is_signed_by(csr, key.public_key())):
            raise RefusedError("certificate request self-signature verify failure")
    streams.note("Certificate request self-signature verify OK")


def _test_config(given: GivenOptions) -> None:
    """Refuse a configuration that cannot make a request: openssl reads it even with -in."""
    from ...stages.names import Name
    from ...stages.requests import fill_form
    path, config = _config(given)
    with streams.blaming(path):
        fill_form(config, section=_section(given), subject=Name(),
                  addext=given.all("addext"),
                  request_extensions=given.get("reqexts"),
                  certificate_extensions=given.get("extensions"))


def _warn(given: GivenOptions, config: Config, section: str, path: str) -> None:
    from ...stages.traps import request_traps
    certificate = given.has("x509", "CA")
    extensions = given.get("extensions" if certificate else "reqexts")
    streams.warn(given,
                 request_traps(config, section, subject=given.has("subj") or _certifies(given),
                               certificate=certificate, extensions=extensions), path)


def _warn_bare(given: GivenOptions, csr: CertificateSigningRequest | None,
               made: Certificate) -> None:
    from ...stages.traps import dropped_names, no_extension
    if csr is not None:
        streams.warn(given, dropped_names(csr, made), given.get("in"))
    streams.warn(given, no_extension(made))


def _explain(given: GivenOptions, path: str | None) -> None:
    certificate, code = given.has("x509", "CA"), explaining.code
    key = explaining.key_reading(given.get("key"), given.get("passin")) if given.has("key") \
        else "kpki.genrsa()"
    words = {"config": explaining.config_reading(path), "section": code(given.get("section")),
             "subject": code(given.get("subj")), "digest": code(given.word),
             "utf8": code(given.has("utf8"))}
    asks = "input" if not given.has("subj", "batch") else None
    added = {"extensions": code(given.get("extensions" if certificate else "reqexts")),
             "addext": code(given.all("addext"))}
    dates = {"days": given.get("days") and str(given.number("days", 30)),
             "serial_number": code(serial_number(given))} if certificate else {}
    if given.has("CA") or _certifies(given):
        csr = explaining.reading("load_csr", given.get("in")) if _certifies(given) \
            else explaining.call_text(
            "req_new", key, **{**words, "digest": None}, ask=asks)
        signer = (explaining.reading("load_certificate", given.get("CA")),
                  explaining.key_reading(given.get("CAkey") or given.get("CA"), given.get("passin"))
                  ) if given.has("CA") else ("None", key)
        made = explaining.call_text("stages.conversion.req_x509_in", csr, *signer, **words, **added,
                                    **dates, copy_extensions=code(given.get("copy_extensions")))
    else:
        made = explaining.call_text("req_x509" if certificate else "req_new", key, **words, **added,
                                    **dates, ask=asks)
    new_key = None if _certifies(given) else "no key: a new one is made"
    reads = [given.get("in") if _certifies(given) else None, given.get("CA"), given.get("CAkey"),
             given.get("key") or new_key, path or "openssl's own defaults (built in)"]
    subject, key_name = ("request", "the key of -key") if _certifies(given) \
        else ("key", "the key itself")
    key_name = "the key of the CA" if given.has("CA") else key_name
    does = f"writes a certificate for the {subject}, signed with {key_name}" if certificate else \
        "writes a request: who wants a certificate, for which key and names, signed with that key"
    streams.explain(
        "req", reads=[source for source in reads if source],
        call=explaining.call_text("dump_certificate" if certificate else "dump_csr", made,
                                  encoding=code(given.form_or_none("outform"))),
        does=does, writes=[given.get("out") or "standard output", *given.all("keyout")])


def _loaded(given: GivenOptions) -> str:
    return explaining.reading("load_csr", given.get("in"))
