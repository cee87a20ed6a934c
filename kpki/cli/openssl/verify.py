"""`kpki verify`: the verdicts, the words and the exit status of `openssl verify`.

Unlike openssl, which falls back on the system's store, kpki trusts only what its options name.
"""
from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from . import streams
from .explaining import call_text, code, moment, reading
from .options import FILE, NUMBER, TEXT, GivenOptions, Option, begin, to_number
from ..terminal import put, short
from ... import files, pem
from ...errors import InputError, KpkiError, UnsupportedError, about

if TYPE_CHECKING:
    from typing import Any

    from cryptography.x509 import Certificate

    from ...stages.verification.verdicts import PolicyAnswer, Verdict

    Trusted = tuple[Certificate, bytes]

_NO_LISTS = "openssl verify: kpki reads no revocation lists"
_NO_SUITE_B = "-auth_level: Suite B is historic (RFC 8423)"

TABLE = (
    Option("verbose", "", "accepted, and changes nothing: kpki always prints every error"),
    Option("nameopt", TEXT,
           "how names are printed: RFC2253, oneline, multiline, compat, esc_…, sep_…"),
    Option("trusted", FILE,
           "trusted certificates (repeatable; not together with -CAfile, -CApath or -CAstore)"),
    Option("CAfile", FILE, "a file of trusted certificates, PEM"),
    Option("CApath", "DIR",
           "a folder of trusted certificates, each file named after its subject's hash (HASH.0)"),
    Option("untrusted", FILE,
           "certificates that may stand between the leaf and a trusted certificate (repeatable)"),
    Option("show_chain", "", "print the chain of a valid certificate"),
    Option("no-CAfile", "",
           "accepted, and changes nothing: kpki never reads the system's file of trusted "
           "certificates"),
    Option("no-CApath", "",
           "accepted, and changes nothing: kpki never reads the system's folder of trusted "
           "certificates"),
    Option("no-CAstore", "",
           "accepted, and changes nothing: kpki never reads the system's store of trusted "
           "certificates"),
    Option("purpose", TEXT,
           "the purpose that the certificate must allow: sslclient, sslserver, smimesign, "
           "crlsign, any …"),
    Option("verify_depth", NUMBER, "the most CAs between leaf and root (default: 100)"),
    Option("attime", NUMBER,
           "the moment at which the certificate must be valid, in seconds since 1970"),
    Option("verify_hostname", TEXT, "the host name that the certificate must have"),
    Option("verify_email", TEXT, "the e-mail address that the certificate must have"),
    Option("verify_ip", TEXT, "the IP address that the certificate must have"),
    Option("x509_strict", "", "refuse certificates that break rules of RFC 5280"),
    Option("check_ss_sig", "", "also verify the root's signature of itself"),
    Option("partial_chain", "",
           "accept a chain that ends at any trusted certificate, self-signed or not"),
    Option("no_check_time", "", "do not check the dates of certificates"),
    Option("trusted_first", "",
           "accepted, and changes nothing: kpki always looks among trusted certificates first"),
    Option("issuer_checks", "", "accepted, and changes nothing, as in openssl"),
    Option("no_alt_chains", "", "accepted, and changes nothing, as in openssl"),
    Option("auth_level", NUMBER,
           "the required strength of keys and digests, from 0 (the default) to 5"),
    Option("ignore_critical", "", "accept critical extensions that kpki does not know"),
    Option("CAstore", TEXT,
           "trusted certificates: a file, PEM or DER, or a folder like that of -CApath"),
    Option("CRLfile", FILE, instead=_NO_LISTS), Option("crl_download", "", instead=_NO_LISTS),
    Option("crl_check", "", instead=_NO_LISTS), Option("crl_check_all", "", instead=_NO_LISTS),
    Option("extended_crl", "", instead=_NO_LISTS), Option("use_deltas", "", instead=_NO_LISTS),
    Option("allow_proxy_certs", "", "accept proxy certificates (RFC 3820) below a leaf"),
    Option("verify_name", TEXT,
           "a purpose by OpenSSL's names: default, pkcs7, smime_sign, ssl_client or ssl_server"),
    Option("policy_check", "", "verify the chain by RFC 5280's rules for certificate policies"),
    Option("policy", TEXT, "an acceptable policy: an OID or its name (repeatable)"),
    Option("explicit_policy", "", "require an acceptable policy for the whole chain"),
    Option("inhibit_any", "", "do not let anyPolicy stand for other policies"),
    Option("inhibit_map", "", "do not map a policy to another"),
    Option("policy_print", "", "print the valid policies, if policies are checked"),
    Option("kubernetes", "",
           "verify as Kubernetes does, which is built with Go; -purpose is sslserver by default"),
    Option("json", "", 'print {"ok", "code", "reason", "depth"}, for several files a list'),
    Option("suiteB_128_only", "", instead=_NO_SUITE_B),
    Option("suiteB_128", "", instead=_NO_SUITE_B),
    Option("suiteB_192", "", instead=_NO_SUITE_B),
    Option("vfyopt", TEXT, instead="nothing: the signatures that kpki verifies take no options"),
)
TABLES = {"verify": TABLE}

_STORES = ("CAfile", "CApath", "CAstore")
_WORDS = {"verify_hostname": "hostname", "verify_ip": "ip", "verify_email": "email"}
_FLAGS = {"x509_strict": "strict", "partial_chain": "partial_chain", "check_ss_sig": "check_ss_sig",
          "ignore_critical": "ignore_critical", "allow_proxy_certs": "allow_proxy"}
_POLICIES = ("explicit_policy", "inhibit_any", "inhibit_map")
_NAMES = {"default": None, "pkcs7": "smimesign", "smime_sign": "smimesign",
          "ssl_client": "sslclient", "ssl_server": "sslserver"}
NO_EXPLICIT_POLICY = 43
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run(verb: str, argv: Sequence[str]) -> int:
    """Verify each file, or standard input.

    The exit status is 0 if all are valid, 2 if one is refused or cannot be read.
    """
    given = begin(verb, TABLE, argv)
    if given is None:
        return 0
    if given.has("trusted") and given.has(*_STORES):
        raise InputError("verify: cannot use -trusted with -CAfile, -CApath or -CAstore")
    if given.has("kubernetes"):
        from .verify_kubernetes import run as run_kubernetes
        return run_kubernetes(given, _moment(given))
    from ...stages.text.name import name_flags
    question, flags = _question(given), name_flags(*given.all("nameopt"))
    trusted = _roots(given)
    roots, trust = [certificate for certificate, _ in trusted], _trust(trusted)
    untrusted = [certificate for path in given.all("untrusted") for certificate, _ in _bundle(path)]
    if trust:
        _refuse_two_uses(given, question.get("purpose"))
        question["trust"] = trust
    paths: Sequence[str | None] = given.rest or (None,)
    if given.has("explain"):
        _explain(given, question, paths)
    if not given.has("trusted", *_STORES, "quiet"):
        streams.note("kpki: warning: nothing is trusted: kpki does not read the system's store",
                     "kpki: hint: name the CA with -CAfile FILE")
    answers = [_answer(path, roots, untrusted, question, flags, given) for path in paths]
    if given.has("json"):
        streams.write(None,
                      json.dumps(answers if len(answers) > 1 else answers[0]).encode() + b"\n")
    return 0 if all(answer["ok"] for answer in answers) else 2


def _question(given: GivenOptions) -> dict[str, Any]:
    """The options as arguments of verify(). Raises InputError if openssl refuses the line."""
    from ...stages.extensions.general_names import ip_octets
    from ...stages.verification.purposes import OPENSSL_PURPOSES
    question: dict[str, Any] = {word: given.get(name) for name, word in _WORDS.items()
                                if given.has(name)}
    question |= {word: True for name, word in _FLAGS.items() if given.has(name)}
    if (purpose := _purpose(given)) is not None:
        question["purpose"] = purpose
    if (level := given.number("auth_level", 0)) > 0:
        question["auth_level"] = level
    wanted = _policies(given)
    if given.has("policy_check", "policy", *_POLICIES):
        from ...stages.verification.policies import PolicyQuestion
        question["policies"] = PolicyQuestion(wanted, *(given.has(name) for name in _POLICIES))
    for purpose in given.all("purpose"):
        if purpose not in OPENSSL_PURPOSES:
            raise InputError(f"verify: invalid purpose {purpose}",
                             hint=f"one of {', '.join(OPENSSL_PURPOSES)}")
    for address in given.all("verify_ip"):
        ip_octets(address)
    if (depth := given.number("verify_depth", -1)) >= 0:
        question["depth"] = depth
    moment = _moment(given)
    if moment is not None:
        question["now"] = moment
    elif given.has("no_check_time"):  # which -attime overrides
        question["check_time"] = False
    return question


def _purpose(given: GivenOptions) -> str | None:
    """The purpose: of -purpose and -verify_name the later counts."""
    purpose = None
    for name, value in given.order:
        if name == "purpose":
            purpose = value
        elif name == "verify_name":
            if value not in _NAMES:
                raise InputError(f"verify: invalid verify name {value}",
                                 hint=f"one of {', '.join(_NAMES)}")
            purpose = _NAMES[value] or purpose
    return purpose


def _refuse_two_uses(given: GivenOptions, purpose: str | None) -> None:
    """Refuse a -purpose that is not that of -verify_name.

    openssl asks the trust settings about the one, the certificates about the other.
    """
    named = [_NAMES[name] for name in given.all("verify_name") if _NAMES[name] is not None]
    if named and named[-1] != purpose:
        raise UnsupportedError(
            "verify: -verify_name with another -purpose is not supported with trust settings",
            hint="leave one of the two out")


def _policies(given: GivenOptions) -> tuple[str, ...]:
    """The OIDs of -policy, also if no policy is checked."""
    from ...stages import objects
    oids = []
    for text in given.all("policy"):
        oid = objects.find_oid(text)
        if oid is None:
            raise InputError(f"verify: invalid policy {text}",
                             hint="an OID, or the name of a known object")
        oids.append(oid)
    return tuple(oids)


def _moment(given: GivenOptions) -> datetime | None:
    """The moment of -attime, None without it."""
    text = given.get("attime")
    try:
        return None if text is None else _EPOCH + timedelta(seconds=to_number(text))
    except OverflowError:
        raise InputError(f"verify: -attime {text} is beyond any certificate's time") from None


def _answer(path: str | None, roots: Sequence[Certificate], untrusted: Sequence[Certificate],
            question: dict[str, Any], flags: int, given: GivenOptions) -> dict[str, Any]:
    """Verify one file, print the verdict, and return the document for --json.

    Code and depth are null for a file that cannot be read.
    """
    from ...stages.verification.verify import verify
    name = "stdin" if path is None else path
    try:
        certificate = streams.read_certificate(path)
    except KpkiError as error:
        streams.note(f"kpki: {error.message}", "Unable to load certificate file")
        return {"ok": False, "code": None, "reason": error.message, "depth": None}
    verdict = verify(certificate, roots, untrusted=untrusted, **question)
    if verdict.ok and verdict.policies is not None and given.has("policy_print"):
        streams.note(*_policy_lines(verdict.policies))
    if not verdict.ok:
        streams.note(*_errors(verdict, flags), f"error {name}: verification failed")
    elif not given.has("json"):
        put(f"{name}: OK",
            *map(short, _chain(verdict, roots, flags) if given.has("show_chain") else ()))
    return {"ok": verdict.ok, "code": verdict.code, "reason": verdict.reason,
            "depth": verdict.depth}


def _errors(verdict: Verdict, flags: int) -> Iterator[str]:
    for fault in verdict.faults:
        # the fault of a whole path: no subject stands before it
        lacks_policy = fault.code == NO_EXPLICIT_POLICY
        for certificate in verdict.chain[fault.depth:fault.depth + (not lacks_policy)]:
            yield from _subject(certificate, flags).split("\n")
        yield f"error {fault.code} at {fault.depth} depth lookup: {fault.reason}"
        if lacks_policy and verdict.policies is not None:
            yield from _policy_lines(verdict.policies)


def _policy_lines(answer: PolicyAnswer) -> Iterator[str]:
    """openssl's text of a path's policies, for -policy_print or after error 43."""
    from ...stages.text.extension import qualifiers_text
    from ...stages.text.value import object_text
    yield f"Require explicit Policy: {answer.explicit}"
    for title, policies in (("Authority", answer.authority), ("User", answer.user)):
        yield f"{title} Policies:" + " <empty>" * (not policies)
        for policy in policies or ():
            yield f"  Policy: {object_text(policy.oid)}"
            yield f"    {'Critical' if policy.critical else 'Non Critical'}"
            yield from (["    No Qualifiers"] if policy.qualifiers is None
                        else qualifiers_text(policy.qualifiers, 4).split("\n"))


def _chain(verdict: Verdict, roots: Sequence[Certificate], flags: int) -> Iterator[str]:
    """The path from the leaf up; certificates below the first trusted one are marked."""
    known = set(roots)
    untrusted = next((depth for depth, certificate in enumerate(verdict.chain)
                      if depth and certificate in known), 0)
    yield "Chain:"
    for depth, certificate in enumerate(verdict.chain):
        yield from (f"depth={depth}: {_subject(certificate, flags)}"
                    + " (untrusted)" * (depth < untrusted)).split("\n")


def _subject(certificate: Certificate, flags: int) -> str:
    """The subject; on several lines only if the display format has a line for each RDN."""
    from ...stages.names import subject_name
    from ...stages.text.name import NAME_OPTIONS, flagged_name_text, lined
    if lined(flags):
        return flagged_name_text(subject_name(certificate), flags | NAME_OPTIONS["esc_ctrl"][0])
    return flagged_name_text(subject_name(certificate), flags).replace("\n", "\\n")


def _trust(trusted: Sequence[Trusted]) -> dict[Certificate, Any]:
    """The trust settings of the certificates that have some.

    If a certificate stands there twice, the first counts, as in a store.
    """
    from ...stages.verification.trust import Trust, read_trust
    found: dict[Certificate, bytes] = {}
    for certificate, settings in trusted:
        found.setdefault(certificate, settings)
    read = {certificate: read_trust(settings) for certificate, settings in found.items()
            if settings}
    return {certificate: trust for certificate, trust in read.items() if trust != Trust()}


def _roots(given: GivenOptions) -> list[Trusted]:
    roots = [trusted for path in given.all("trusted") for trusted in _bundle(path)]
    path, folder = given.get("CAfile"), given.get("CApath")
    if path is not None:
        roots += _bundle(path, only_pem=True)
    if folder is not None:
        roots += _folder(folder)
    if (store := given.get("CAstore")) is not None:
        roots += _store(store)
    return roots


def _store(uri: str) -> Iterable[Trusted]:
    """The certificates of -CAstore, a path or file:/PATH; none if there are none."""
    path = re.sub("^file:(//)?(?=/)", "", uri)
    if files.read_entry_at(path).kind == "folder":
        return _folder(path)
    data = streams.read(path)
    with contextlib.suppress(InputError):
        return pem.load_trusted_certificates(data)
    return ()


def _bundle(path: str, *, only_pem: bool = False) -> list[Trusted]:
    """The certificates of a file, each with the DER of its trust settings."""
    data = streams.read(path)
    with about(path):
        if only_pem and b"-----BEGIN " not in data:
            raise InputError("the file has no PEM block",
                             hint="-trusted FILE accepts a certificate in DER")
        return pem.load_trusted_certificates(data)


def _folder(folder: str) -> Iterator[Trusted]:
    """The certificates of a folder as openssl finds them: HASH.N, numbered from 0 without a gap."""
    from ...stages.names import subject_name
    from ...stages.verification.canonical import name_hash
    found = files.walk(folder, skip=lambda path: not re.fullmatch(r"[0-9a-f]{8}\.\d+", path))
    names = {path for path, _ in found}
    for start in sorted({name.partition(".")[0] for name in names}):
        number = 0
        while (name := f"{start}.{number}") in names:
            yield from ((certificate, settings)
                        for certificate, settings in _bundle(f"{folder}/{name}")
                        if name_hash(subject_name(certificate).dump()) == start)
            number += 1


def _explain(given: GivenOptions, question: dict[str, Any], paths: Sequence[str | None]) -> None:
    trusted = given.all("trusted") or [path for path in (given.get("CAfile"),) if path]
    between = given.all("untrusted")
    words = {word: code(value) for word, value in question.items()
             if word not in ("now", "check_time", "policies", "trust")}
    if "now" in question:
        words["now"] = moment(question["now"])
    if "policies" in question:
        module = "__import__('kpki.stages.verification.policies', fromlist=[''])"
        words["policies"] = f"{module}.{question['policies']!r}"
    if "check_time" in question:
        words["check_time"] = "False"
    does = ("builds the path from each certificate to a trusted one, "
            "then checks extensions, names, signatures and times")
    call = call_text("verify", reading("load_certificate", paths[0]), _reading_all(trusted) or "[]",
                     untrusted=_reading_all(between), **words)
    streams.explain("verify",
                    reads=[*(path or "standard input" for path in paths), *trusted, *between,
                           *given.all("CApath")[-1:], *given.all("CAstore")[-1:]],
                    does=does, writes=[], call=call)


def _reading_all(paths: Sequence[str]) -> str | None:
    return " + ".join(reading("load_certificates", path) for path in paths) or None
