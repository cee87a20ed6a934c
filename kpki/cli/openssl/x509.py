"""`kpki x509`: showing and signing certificates and requests, as with `openssl x509`."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import display, explaining, streams, trust
from .certifying import COPY, serial_number
from .options import FILE, FORM, NUMBER, RANDOM, TEXT, GivenOptions, Option, begin
from .sigopt import SIGOPT, signing_digest
from ... import pem
from ...errors import FileError, InputError, RefusedError, UnsupportedError, about

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate, CertificateSigningRequest

    from ...stages.config import Config
    from ...stages.names import Name

TABLE = (
    Option("in", FILE,
           "read this certificate, or with -req this request (default: standard input)"),
    Option("inform", FORM,
           "the form of the input; by default PEM for a request, and recognized for a "
           "certificate"),
    Option("req", "", "read a request as input, and sign it"),
    Option("out", FILE, "write the result to this file (default: standard output)"),
    Option("outform", FORM, "write the result as PEM or DER"),
    Option("CA", FILE, "the CA certificate that signs"),
    Option("CAkey", FILE, "the private key of the CA (default: in the file of -CA)"),
    Option("CAform", FORM, "the form of the file of -CA; by default kpki recognizes it"),
    Option("CAkeyform", FORM, "the form of the file of -CAkey; by default kpki recognizes it"),
    Option("CAserial", FILE, "the file that holds the next serial number"),
    Option("CAcreateserial", "", "make the serial file if it is missing"),
    Option("signkey", FILE, "sign with this private key, so that the certificate is self-signed"),
    Option("key", FILE, "sign with this private key, as -signkey does"),
    Option("keyform", FORM, "the form of the key; by default kpki recognizes it"),
    Option("passin", TEXT, "the source of the passphrase that opens the key, such as file:PATH"),
    Option("days", NUMBER, "the number of days for which the certificate is valid (default: 30)"),
    Option("preserve_dates", "", "keep the dates of a certificate that is signed again"),
    Option("set_serial", TEXT, "the serial number of the certificate, decimal or 0x1F"),
    Option("extfile", FILE, "the configuration file with the extensions"),
    Option("extensions", TEXT,
           "the section of -extfile to use (default: the one that its extensions= names, else "
           "the default section)"),
    Option("copy_extensions", TEXT,
           "which extensions to copy from the request: none, copy or copyall"),
    Option("clrext", "", "drop the extensions of the input"),
    Option("subj", TEXT, "use this subject in place of the old one"),
    Option("force_pubkey", FILE, "certify the public key of this file in place of the old one"),
    Option("x509toreq", "", "write a request from a certificate"),
    Option("new", "", "read no input, and make a certificate from -subj and the keys"),
    *display.CERTIFICATE_OPTIONS,
    *trust.TRUST_OPTIONS,
    Option("badsig", "", instead="another CA's signature"),
    SIGOPT,
    Option("vfyopt", TEXT, instead="nothing: a signature has no options here"),
    *RANDOM,
)
TABLES = {"x509": TABLE}


_SELF_SIGNED = 18   # the error of a self-signed certificate that is not trusted
# options without effect beside a missing option: openssl prints a warning and goes on
_IDLE = (("CA", ("CAkey", "CAkeyform", "CAform", "CAserial", "CAcreateserial"),
          "since -CA option is not given"),
         ("extfile", ("extensions",), "without -extfile"))


def run(verb: str, argv: Sequence[str]) -> int:
    """Sign, or show."""
    given = begin(verb, TABLE, argv, word="digest")
    if given is None:
        return 0
    _refuse(given)
    if given.has("explain"):
        _explain(given)
    for needed, options, why in _IDLE:
        if not given.has(needed):
            streams.note(*(f"Warning: ignoring -{name} option {why}" for name in options
                           if given.has(name)))
    if not _signs(given):
        streams.passphrase(given.get("passin"))     # openssl reads it even if no key is read
    if given.has("x509toreq"):
        return _to_request(given)
    old, data = (None, b"") if given.has("req", "new") else _read(given)
    settings = trust.changed_settings(given, data)
    made, counted = (old, None) if old is not None and not _signs(given) else _signed(given, old)
    shows = given.has(*(option.name for option in display.CERTIFICATE_OPTIONS))
    shown, status = display.show_certificate(made, given, settings=settings) if shows else ("", 0)
    if given.has("noout", "nocert", "checkend"):
        data = b""
    elif trust.writes_settings(given):
        data = trust.trusted_block(made, settings)
        streams.warn(given, [trust.WARNING], given.get("out"))
    else:
        data = pem.dump_certificate(made, encoding=given.form("outform"))
    if counted is not None:
        streams.write(counted[0], counted[1].encode())
    streams.write(given.get("out"), shown.encode("utf-8", "surrogateescape") + data)
    return status


def _signs(given: GivenOptions) -> bool:
    return given.has(*display.SIGNING)


def _refuse(given: GivenOptions) -> None:
    own, toreq = given.has("signkey", "key"), given.has("x509toreq")
    copy = given.get("copy_extensions")
    wrong = next((value for value in given.all("copy_extensions") if value not in COPY), None)
    for refused, words in (
            (given.number("days", 30) < -1, "-days parameter arg must be >= -1"),
            (given.has("days") and given.has("preserve_dates"),
             "cannot use -preserve_dates with -days option"),
            (given.has("new") and given.has("in"), "the -in option cannot be used with -new"),
            (given.has("new") and given.has("req"), "the -req option cannot be used with -new"),
            (given.has("new") and not given.has("subj"),
             "the -new option requires a subject to be set using -subj"),
            (given.has("new") and not (own or given.has("force_pubkey")),
             "the -new option requires using the -key or -force_pubkey option"),
            (own and given.has("CA"), "cannot use both -key/-signkey and -CA option"),
            (given.has("req", "new") and not (own or given.has("CA")),
             "we need a private key to sign with, use -key or -CA with a private key"),
            (toreq and not own, "must specify request signing key using -key"),
            (wrong is not None, f"invalid extension copy option: {wrong}"),
            (given.has("clrext") and (copy in ("copy", "copyall") or (toreq and copy is None)),
             "must not use -clrext together with -copy_extensions")):
        if refused:
            raise InputError(f"x509: {words}", hint="kpki x509 -help lists the options")
    idle = [name for name in ("extfile", "subj", "force_pubkey", "clrext", "set_serial")
            if given.has(name)]
    if idle and not (_signs(given) or toreq):
        raise UnsupportedError(f"x509: -{idle[0]} changes a certificate, and nothing signs it",
                               hint="add -CA FILE -CAkey FILE, or -signkey FILE")
    if toreq and given.has("force_pubkey"):
        # the request would contain another key than the signing key: openssl refuses it
        raise UnsupportedError("openssl's x509 -x509toreq with -force_pubkey is not supported",
                               hint="-key FILE names the key that the request is for")


def _read(given: GivenOptions) -> tuple[Certificate, bytes]:
    """The certificate of -in, and its trust settings in DER."""
    return streams.read_trusted_certificate(given.get("in"), given.form_or_none("inform"))


def _signed(given: GivenOptions,
            old: Certificate | None) -> tuple[Certificate, tuple[str, str] | None]:
    """Sign a request, *old* or a subject; the serial file too, with its new text."""
    from ...stages import certificates
    serial, counted = _serial(given)
    path, days = given.get("extfile"), given.number("days", 30)
    extfile = None if path is None else streams.read_config(path)
    subject, extensions = _subject(given), given.get("extensions")
    if given.has("req"):
        csr = _request(given)
        ca_cert, ca_key = _signer(given)
        with streams.blaming(path):
            made = certificates.x509_req(
                csr, ca_cert, ca_key, days=days, extfile=extfile, extensions=extensions,
                copy_extensions=given.get("copy_extensions") or "none",
                keep=display.extension_names(given), digest=_digest(given, ca_key),
                serial_number=serial,
                subject=subject, public_key=_forced_key(given))
        _warn(given, csr, made)
    elif old is None:
        ca_cert, ca_key = _signer(given)
        with streams.blaming(path):
            made = certificates.x509_new(
                subject or "/", _forced_key(given), ca_cert, ca_key, days=days, extfile=extfile,
                extensions=extensions, digest=_digest(given, ca_key), serial_number=serial)
    else:
        if given.has("CA"):
            _refuse_issued(old, given)
        old = _kept(given, old)
        ca_cert, ca_key = _signer(given)
        with streams.blaming(path):
            made = certificates.x509_resign(
                old, ca_cert, ca_key, extfile=extfile, extensions=extensions,
                days=None if given.has("preserve_dates") else days,
                clear_extensions=given.has("clrext"), digest=_digest(given, ca_key),
                serial_number=serial, subject=subject, public_key=_forced_key(given))
    if extfile is not None:
        _warn_extfile(given, extfile, path)
    return made, counted


def _digest(given: GivenOptions, key: PrivateKeyTypes) -> str:
    return signing_digest(given, given.word or "sha256", key)


def _kept(given: GivenOptions, certificate: Certificate) -> Certificate:
    """A certificate with the extensions that -ext names, or with all."""
    if not given.has("ext") or given.has("clrext"):
        return certificate
    from ...stages.conversion import altered
    return altered(certificate, keep=display.extension_names(given))


def _subject(given: GivenOptions) -> Name | None:
    """The value of -subj; as in openssl, an unknown attribute is left out, with a warning."""
    from ...stages.names import parse_subject
    warnings = list[str]()
    text = given.get("subj")
    subject = None if text is None else parse_subject(text, warnings=warnings)
    streams.note(*(f"x509 warning: {line}" for line in warnings))
    return subject


def _refuse_issued(certificate: Certificate, given: GivenOptions) -> None:
    """Refuse a certificate that is not self-signed or not valid, as openssl does."""
    from ...stages.verification.verify import verify
    faults = verify(certificate, ()).faults
    if [fault.code for fault in faults] != [_SELF_SIGNED]:
        with about(given.get("in") or "standard input"):
            raise RefusedError(
                f"the certificate to be certified should be self-signed: {faults[-1].reason}",
                hint="-x509toreq makes a request of it, and -req signs that")


def _request(given: GivenOptions) -> CertificateSigningRequest:
    """The request to sign, after a check of its signature."""
    from ...stages.names import subject_name
    from ...stages.signatures import is_self_signed
    from ...stages.text.name import name_text
    csr = streams.read_csr(given.get("in"), given.form("inform"))
    with about(given.get("in") or "standard input"):
        if not is_self_signed(csr):
            raise RefusedError("certificate request self-signature did not match the contents")
    streams.note("Certificate request self-signature ok",
                 f"subject={name_text(subject_name(csr))}")
    if given.has("preserve_dates"):
        streams.note("Warning: ignoring -preserve_dates option with -req or -new")
    return csr


def _warn(given: GivenOptions, csr: CertificateSigningRequest, made: Certificate) -> None:
    from ...stages.traps import dropped_names, no_extension
    streams.warn(given, dropped_names(csr, made), given.get("in"))
    streams.warn(given, no_extension(made))


def _warn_extfile(given: GivenOptions, extfile: Config, path: str | None) -> None:
    from ...stages.certificates import extfile_section
    from ...stages.traps import extension_traps, repeated_keys, unused_section
    section = extfile_section(extfile, given.get("extensions"))
    streams.warn(given, [*repeated_keys(extfile), *extension_traps(extfile, section),
                         *unused_section(extfile, section)], path)


def _to_request(given: GivenOptions) -> int:
    from ...stages.conversion import to_request
    key = streams.read_key(given.get("signkey", "key"), given.get("passin"),
                           given.form_or_none("keyform"))
    path = given.get("extfile")
    extfile = None if path is None else streams.read_config(path)
    subject = _subject(given)
    certificate, settings = _to_turn(given, key, subject)
    with streams.blaming(path):
        csr = to_request(_kept(given, certificate), key, extfile=extfile,
                         extensions=given.get("extensions"),
                         copy_extensions=given.get("copy_extensions") in ("copy", "copyall"),
                         subject=subject, digest=_digest(given, key))
    if extfile is not None:
        _warn_extfile(given, extfile, path)
    shown, status = display.show_certificate(certificate, given,
                                             settings=trust.changed_settings(given, settings))
    data = b"" if given.has("noout") else pem.dump_csr(csr, encoding=given.form("outform"))
    streams.write(given.get("out"), data + shown.encode("utf-8", "surrogateescape"))
    return status


def _to_turn(given: GivenOptions, key: PrivateKeyTypes,
             subject: Name | None) -> tuple[Certificate, bytes]:
    """The certificate of -x509toreq, with its trust settings: the input, or a new certificate."""
    from ...stages.certificates import x509_new, x509_req
    if given.has("req"):
        return x509_req(_request(given), None, key,
                        copy_extensions=given.get("copy_extensions") or "none",
                        keep=display.extension_names(given)), b""
    return (x509_new(subject or "/", None, None, key), b"") if given.has("new") else _read(given)


def _signer(given: GivenOptions) -> tuple[Certificate | None, PrivateKeyTypes]:
    if not given.has("CA"):
        own = given.get("signkey", "key")
        return None, streams.read_key(own, given.get("passin"), given.form_or_none("keyform"))
    ca_cert = streams.read_certificate(given.get("CA"), given.form_or_none("CAform"))
    path = given.get("CAkey") or given.get("CA")
    return ca_cert, streams.read_key(path, given.get("passin"), given.form_or_none("CAkeyform"))


def _forced_key(given: GivenOptions) -> bytes | None:
    path = given.get("force_pubkey")
    if path is None:
        return None
    data = streams.read(path)
    with about(path):
        return pem.dump_public_key(pem.load_public_key(data), encoding="DER")


def _serial(given: GivenOptions) -> tuple[int | None, tuple[str, str] | None]:
    """The number of -set_serial; with a CA, the next of its serial file and the file's new text.

    None is a random number. The file is written last, so that a refusal uses no number.
    """
    ca = given.get("CA")
    if given.has("set_serial") or ca is None:
        return serial_number(given), None
    from ...stages.serials import next_serial, serial_file_text, serial_or_random
    named = given.get("CAserial")
    path = named or (ca[:ca.rindex(".")] if "." in ca else ca) + ".srl"
    try:
        text = streams.read(path).decode("latin-1")
    except FileError:
        if given.has("CAcreateserial"):
            number = serial_or_random()
            return number, (path, serial_file_text(number))
        if named is None:
            return None, None
        raise
    with about(path):
        number, text = next_serial(text)
    return number, (path, text)


def _explain(given: GivenOptions) -> None:
    code = explaining.code
    signs = _signs(given) and not given.has("x509toreq")
    call = explaining.reading("load_certificate", given.get("in"))
    if signs and given.has("req"):
        ca = explaining.reading("load_certificate", given.get("CA")) if given.has("CA") else "None"
        key = explaining.key_reading(given.get("signkey", "key", "CAkey") or given.get("CA"),
                                     given.get("passin"))
        call = explaining.call_text("dump_certificate", explaining.call_text(
            "x509_req", explaining.reading("load_csr", given.get("in")), ca, key,
            days=given.get("days") and str(given.number("days", 30)),
            extfile=explaining.config_reading(given.get("extfile")),
            extensions=code(given.get("extensions")),
            copy_extensions=code(given.get("copy_extensions")), digest=code(given.word),
            serial_number=code(serial_number(given)), subject=code(given.get("subj"))),
            encoding=code(given.form_or_none("outform")))
    reads = [given.get("in") or "standard input", *(value for name, value in given.order
                                                    if name in ("CA", "CAkey", "signkey", "key",
                                                                "extfile"))]
    streams.explain(
        "x509", reads=reads, call=call, writes=[given.get("out") or "standard output"],
        does="checks that the request is signed by its own key, and certifies that key and its "
             "subject with the CA's "
        "key; of the request's extensions none is taken over unless -copy_extensions asks" if signs
        else
        "shows what a certificate says")
