"""The text of `kpki show`: a few aligned lines for each certificate, request or key in a file."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from .common import stamp
from .terminal import short

if TYPE_CHECKING:
    from ..kubernetes.showing.shown import Shown, ShownContext, Signer, UseVerdict

_WIDTH = 11
_VERIFIERS = {"openssl": "openssl verify", "strict": "strict (Python >= 3.13)",
              "kubernetes": "Kubernetes (Go 1.26)"}
_USES: dict[str, str] = {"client": "client", "server": "server", "sign": "signing others (a CA)"}
_SPANS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)),
          ("minute", timedelta(minutes=1)), ("second", timedelta(seconds=1)))
LabelledText = tuple[str, str]


def lines_of(shown: Sequence[Shown], *, ca: str | None, now: datetime) -> Iterator[str]:
    """The lines for a whole file; *ca* is the name of the CA's file, *now* the moment."""
    for number, item in enumerate(shown):
        if number:
            yield ""
        yield item.kind
        if item.kind == "kubeconfig":
            yield from _kubeconfig(item, ca, now)
        else:
            yield from _aligned(_rows(item, ca, now))


def _aligned(rows: Iterable[LabelledText], indent: str = "  ") -> Iterator[str]:
    for label, text in rows:
        yield f"{indent}{label:<{_WIDTH}} {short(text)}".rstrip()


def _kubeconfig(item: Shown, ca: str | None, now: datetime) -> Iterator[str]:
    if item.problem:
        yield from _aligned([("problem", item.problem)])
    for context in item.contexts:
        yield from _aligned([("context", context.name + (" (current)" if context.current else ""))])
        yield from _aligned(_context(context, ca, now), "    ")


def _context(context: ShownContext, ca: str | None, now: datetime) -> Iterator[LabelledText]:
    if context.problem:
        yield "problem", context.problem
    if context.cluster or context.server:
        yield "cluster", ", ".join(filter(None, (context.cluster, context.server)))
    for authority in context.authorities:
        ends = f", {_end(authority.not_after, now)}" if authority.not_after else ""
        source = context.authority_source or "embedded"
        yield "CA", f"{authority.subject or authority.problem} ({source}){ends}"
    if context.namespace:
        yield "namespace", context.namespace
    if context.certificate is None:
        yield "user", f"{context.user_name}, by {context.login}" if context.user_name else "(none)"
    else:
        yield "user", f"{context.user_name}, by the certificate {context.source or 'embedded'}"
        yield from _rows(context.certificate, ca, now)
    yield from (("note", note) for note in context.notes)


def _rows(item: Shown, ca: str | None, now: datetime) -> Iterator[LabelledText]:
    if item.problem:
        yield "problem", item.problem
    if item.subject:
        yield _owner(item)
    if item.kind in ("certificate", "kubeconfig", "request") and item.subject:
        yield "use", _use(item)
        if item.named or (item.kind != "request" and "server" in item.uses):
            yield "names", ", ".join(item.names) or "none"
    if item.issuer:
        yield "signed by", _signed_by(item.issuer, item.signer, ca)
    if item.not_before and item.not_after:
        yield "valid", f"{stamp(item.not_before)} to {stamp(item.not_after)}: {_time(item, now)}"
    if item.key:
        yield "key", item.key
    if item.public_key:
        yield "public key", f"sha256:{item.public_key}"
    if item.serial:
        yield "serial", item.serial
    if item.rows:
        yield "could be", ", ".join(item.rows)
    elif item.kind in ("certificate", "request") and item.subject and not item.problem:
        yield "could be", "none of a cluster's own"
    yield from _verdicts(item.verdicts)
    yield from (("note", note) for note in dict.fromkeys((
        *item.notes, *(note for verdict in item.verdicts for note in verdict.notes))))


def _owner(item: Shown) -> LabelledText:
    """The user that Kubernetes authenticates a client as; the subject of any other certificate."""
    if "client" not in item.uses or item.user is None:
        return "subject", item.subject
    groups = f", group{'s' * (len(item.groups) > 1)} {', '.join(item.groups)}" * bool(item.groups)
    user = f"user {item.user}{groups}"
    return "asks for" if item.kind == "request" else "you are", f"node {item.node} ({user})" \
        if item.node else user


def _use(item: Shown) -> str:
    usages = ", ".join((*item.key_usages, *item.usages))
    if not item.usages and "sign" not in item.uses:
        words = "what the CA allows" if item.kind == "request" else "anything"
        words += f": the {item.kind} has no extendedKeyUsage"
    else:
        words = " and ".join(_USES[use] for use in item.uses) or "neither client nor server"
    return f"{words} ({usages})" if usages else words


def _signed_by(issuer: str, signer: Signer | None, ca: str | None) -> str:
    where = {"ca": ca or "the CA", "file": "the next certificate here",
             "kubeconfig": "the kubeconfig's CA"}
    if signer is None:
        return f"{issuer} (unproven{'' if ca else ': say --ca CERT'})"
    if signer.where == "itself":
        return "itself" if signer.proven \
            else f"{issuer}: it says itself, but its key did not make the signature"
    if signer.proven:
        return f"{issuer}: proven with {where[signer.where]}"
    if signer.subject:
        return (f"{issuer}, but not by {where[signer.where]}: "
                "that CA has the same name and another key")
    return f"{issuer}, not by {where[signer.where]}"


def _verdicts(verdicts: Sequence[UseVerdict]) -> Iterator[LabelledText]:
    """If the verifiers differ, a line for each; else only Kubernetes' verdict.

    If the verdicts are the same for each use, they stand once.
    """
    by_use = [(use, [*group]) for use, group in groupby(verdicts, lambda verdict: verdict.use)]
    answers = {tuple((verdict.verifier, verdict.ok, verdict.reason) for verdict in group)
               for _, group in by_use}
    same = len(answers) == 1
    for use, group in by_use[:1] if same else by_use:
        label = "verdict" if use is None or same else f"as {use}"
        if len({verdict.ok for verdict in group}) == 1:
            lines = ["Kubernetes accepts the certificate" if verdict.ok
                     else f"Kubernetes refuses the certificate: {verdict.reason}"
                     for verdict in group if verdict.verifier == "kubernetes"]
        else:
            lines = [f"{_VERIFIERS[verdict.verifier]}: {'OK' if verdict.ok else verdict.reason}"
                     for verdict in group]
        for number, text in enumerate(lines):
            yield "" if number else label, text


def _time(item: Shown, now: datetime) -> str:
    assert item.not_before and item.not_after
    if now < item.not_before:
        return f"begins in {_span(item.not_before - now)}"
    return _end(item.not_after, now)


def _end(moment: datetime, now: datetime) -> str:
    return f"ends in {_span(moment - now)}" if now <= moment else f"ended {_span(now - moment)} ago"


def _span(span: timedelta) -> str:
    for noun, unit in _SPANS:
        if count := span // unit:
            return f"{count} {noun}{'s' * (count != 1)}"
    return "less than a second"
