"""`kpki verify -kubernetes`: Kubernetes' verdict, in Go's words and with verify's exit status."""
from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from . import streams
from .explaining import call_text, code, moment, reading
from .options import GivenOptions
from ..terminal import put
from ...errors import InputError, KpkiError, about

if TYPE_CHECKING:
    from typing import Any

    from ...kubernetes.verdict import KubernetesVerdict

# options that ask Go for nothing: openssl's own that change nothing in kpki either; all others are
# refused
_TAKEN = ("kubernetes", "CAfile", "trusted", "untrusted", "purpose", "verify_hostname", "verify_ip",
          "attime", "json",
          "explain", "quiet", "verbose", "no-CAfile", "no-CApath", "no-CAstore", "trusted_first",
          "issuer_checks")


def run(given: GivenOptions, now: datetime | None) -> int:
    """Verify each file, or standard input.

    The exit status is 0 if all are valid, 2 if one is refused or cannot be read. The first
    certificate of a file is verified; the others help, because a server sends the whole file.
    Raises InputError for an option that Go has no answer to, and if Kubernetes could not load the
    trusted certificates.
    """
    from ...kubernetes.verdict import authorities, validate_purpose
    for name, _ in given.order:
        if name not in _TAKEN:
            raise InputError(f"verify: -{name} says nothing to Kubernetes",
                             hint="leave out that or -kubernetes")
    purpose = given.get("purpose") or "sslserver"
    validate_purpose(purpose)
    trusted = given.all("trusted") or given.all("CAfile")[-1:]
    paths: Sequence[str | None] = given.rest or (None,)
    question: dict[str, Any] = {"purpose": purpose, "hostname": given.get("verify_hostname"),
                                "ip": given.get("verify_ip"), "now": now}
    if given.has("explain"):
        _explain(given, trusted, question, paths)
    roots: list[bytes] = []
    for path in trusted:
        data = streams.read(path)
        with about(path):
            roots += authorities(data, purpose)
    untrusted = [der for path in given.all("untrusted") for der in _certificates(path)]
    if not trusted:
        streams.warn(given, ["nothing is trusted: kpki does not read the system's store"])
    answers = [_answer(path, roots, untrusted, question, given) for path in paths]
    if given.has("json"):
        streams.write(None,
                      json.dumps(answers if len(answers) > 1 else answers[0]).encode() + b"\n")
    return 0 if all(answer["ok"] for answer in answers) else 2


def _certificates(path: str | None) -> list[bytes]:
    """The certificates of a file (DER): those of a PEM file that count, or the whole of a DER file.

    Raises InputError if there is none.
    """
    from ...kubernetes.go.pem import certificates
    data = streams.read(path)
    found = [*certificates(data)] or [data][:data.startswith(b"\x30")]
    if not found:
        with about(path or "standard input"):
            raise InputError("the file has no certificate that Go reads",
                             hint="only -----BEGIN CERTIFICATE----- without headers, or DER")
    return found


def _answer(path: str | None, roots: Sequence[bytes], untrusted: Sequence[bytes],
            question: dict[str, Any], given: GivenOptions) -> dict[str, Any]:
    """Verify one file, print the verdict, and return the document for --json."""
    from ...kubernetes.verdict import KubernetesVerdict, verify_kubernetes
    name = "stdin" if path is None else path
    try:
        leaf, *sent = _certificates(path)
    except KpkiError as error:
        cause = "bad-pem" if isinstance(error, InputError) else None
        verdict, words = KubernetesVerdict(False, error.message, cause), [f"kpki: {error.message}",
                                                                          "Unable to load "
                                                                          "certificate file"]
    else:
        verdict = verify_kubernetes(leaf, roots, untrusted=[*sent, *untrusted], **question)
        words = [] if verdict.ok else [*_words(verdict), f"error {name}: verification failed"]
    streams.note(*words)
    if not given.has("quiet"):
        streams.note(*(f"kpki: note: {line}" for line in verdict.notes))
    if verdict.ok and not given.has("json"):
        put(f"{name}: OK")
    return {"ok": verdict.ok, "code": None, "reason": verdict.reason, "depth": None,
            "cause": verdict.cause, "notes": [*verdict.notes]}


def _words(verdict: KubernetesVerdict) -> Iterator[str]:
    """A refusal: Go's sentence, then the cause and its meaning."""
    from ...kubernetes.causes import CAUSES
    yield verdict.reason
    cause = CAUSES.get(verdict.cause or "")
    yield f"cause {verdict.cause}" + (f": {cause.meaning}" if cause else "")


def _explain(given: GivenOptions, trusted: Sequence[str], question: dict[str, Any],
             paths: Sequence[str | None]) -> None:
    between = given.all("untrusted")
    whole, *helping = (reading("load_certificates", path) for path in (paths[0], *between))
    words = {word: code(value) for word, value in question.items() if word != "now"}
    if question["now"] is not None:
        words["now"] = moment(question["now"])
    roots = " + ".join(reading("load_certificates", path) for path in trusted) or "[]"
    call = call_text("verify_kubernetes", f"{whole}[0]", roots,
                     untrusted=" + ".join([f"{whole}[1:]", *helping]),
                     **words)
    reads = ", ".join([*(path or "standard input" for path in paths), *trusted, *between])
    streams.note(
        "kpki verify: builds the chain as Go's crypto/x509 does, which Kubernetes verifies with",
        f"  reads:   {reads}", "  writes:  nothing", f"  library: {call}",
        "  openssl: none; `openssl verify` goes by other rules")
