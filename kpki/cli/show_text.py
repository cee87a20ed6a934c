"""What `kpki show` says to a person: a few aligned lines for each thing in the file."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from .terminal import short

if TYPE_CHECKING:
    from ..kubernetes.showing.shown import Shown, ShownContext, Signer, UseVerdict

_WIDTH = 11
_JUDGES = {"openssl": "openssl verify", "strict": "strict (Python >= 3.13)",
           "kubernetes": "Kubernetes (Go 1.26)"}
_USES: dict[str, str] = {"client": "client", "server": "server", "sign": "signing others (a CA)"}
_SPANS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)),
          ("minute", timedelta(minutes=1)), ("second", timedelta(seconds=1)))
Row = tuple[str, str]


def lines_of(shown: Sequence[Shown], *, ca: str | None, now: datetime) -> Iterator[str]:
    """Everything in a file, a blank line between two things; *ca* is the name of the CA's file,
    *now* the moment.
    """
    for number, one in enumerate(shown):
        if number:
            yield ""
        yield one.kind
        if one.kind == "kubeconfig":
            yield from _kubeconfig(one, ca, now)
        else:
            yield from _aligned(_rows(one, ca, now))


def _aligned(rows: Iterable[Row], indent: str = "  ") -> Iterator[str]:
    for label, text in rows:
        yield f"{indent}{label:<{_WIDTH}} {short(text)}".rstrip()


def _kubeconfig(one: Shown, ca: str | None, now: datetime) -> Iterator[str]:
    if one.problem:
        yield from _aligned([("problem", one.problem)])
    for context in one.contexts:
        yield from _aligned([("context", context.name + (" (current)" if context.current else ""))])
        yield from _aligned(_context(context, ca, now), "    ")


def _context(context: ShownContext, ca: str | None, now: datetime) -> Iterator[Row]:
    if context.problem:
        yield "problem", context.problem
    if context.cluster or context.server:
        yield "cluster", ", ".join(filter(None, (context.cluster, context.server)))
    for authority in context.authorities:
        ends = f", {_end(authority.not_after, now)}" if authority.not_after else ""
        yield "CA", f"{authority.subject or authority.problem} ({context.authority_source or 'embedded'}){ends}"
    if context.namespace:
        yield "namespace", context.namespace
    if context.certificate is None:
        yield "user", f"{context.user_name}, by {context.login}" if context.user_name else "(none)"
    else:
        yield "user", f"{context.user_name}, by the certificate {context.source or 'embedded'}"
        yield from _rows(context.certificate, ca, now)
    yield from (("note", note) for note in context.notes)


def _rows(one: Shown, ca: str | None, now: datetime) -> Iterator[Row]:
    if one.problem:
        yield "problem", one.problem
    if one.subject:
        yield _owner(one)
    if one.kind in ("certificate", "kubeconfig", "request") and one.subject:
        yield "use", _use(one)
        if one.named or (one.kind != "request" and "server" in one.uses):
            yield "names", ", ".join(one.names) or "none"
    if one.issuer:
        yield "signed by", _signed_by(one.issuer, one.signer, ca)
    if one.not_before and one.not_after:
        yield "valid", f"{_stamp(one.not_before)} to {_stamp(one.not_after)}: {_time(one, now)}"
    if one.key:
        yield "key", one.key
    if one.public_key:
        yield "public key", f"sha256:{one.public_key}"
    if one.serial:
        yield "serial", one.serial
    if one.rows:
        yield "could be", ", ".join(one.rows)
    elif one.kind in ("certificate", "request") and one.subject and not one.problem:
        yield "could be", "none of a cluster's own"
    yield from _verdicts(one.verdicts)
    yield from (("note", note) for note in dict.fromkeys((
        *one.notes, *(note for verdict in one.verdicts for note in verdict.notes))))


def _owner(one: Shown) -> Row:
    """Whom Kubernetes takes a client for; anything else has no more than a name."""
    if "client" not in one.uses or one.user is None:
        return "subject", one.subject
    groups = f", group{'s' * (len(one.groups) > 1)} {', '.join(one.groups)}" if one.groups else ""
    user = f"user {one.user}{groups}"
    return "asks for" if one.kind == "request" else "you are", f"node {one.node} ({user})" \
        if one.node else user


def _use(one: Shown) -> str:
    said = ", ".join((*one.key_usages, *one.usages))
    if not one.usages and "sign" not in one.uses:
        words = f"{'what the CA says' if one.kind == 'request' else 'anything'}: it has no extendedKeyUsage"
    else:
        words = " and ".join(_USES[use] for use in one.uses) or "neither client nor server"
    return f"{words} ({said})" if said else words


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
        return f"{issuer}, but not by {where[signer.where]}: that CA has the same name and another key"
    return f"{issuer}, not by {where[signer.where]}"


def _verdicts(verdicts: Sequence[UseVerdict]) -> Iterator[Row]:
    """Where the judges differ, one line each; else Kubernetes' word alone.

    What is said of every use is said once.
    """
    by_use = [(use, [*group]) for use, group in groupby(verdicts, lambda one: one.use)]
    same = len({tuple((one.verifier, one.ok, one.reason) for one in group) for _,
                group in by_use}) == 1
    for use, group in by_use[:1] if same else by_use:
        label = "verdict" if use is None or same else f"as {use}"
        if len({one.ok for one in group}) == 1:
            group = [one for one in group if one.verifier == "kubernetes"]
            words = ["Kubernetes takes it" if one.ok else f"Kubernetes refuses it: {one.reason}"
                     for one in group]
        else:
            words = [f"{_JUDGES[one.verifier]}: {'OK' if one.ok else one.reason}" for one in group]
        for number, text in enumerate(words):
            yield "" if number else label, text


def _time(one: Shown, now: datetime) -> str:
    assert one.not_before and one.not_after
    if now < one.not_before:
        return f"begins in {_span(one.not_before - now)}"
    return _end(one.not_after, now)


def _end(moment: datetime, now: datetime) -> str:
    return f"ends in {_span(moment - now)}" if now <= moment else f"ended {_span(now - moment)} ago"


def _span(span: timedelta) -> str:
    for noun, unit in _SPANS:
        if count := span // unit:
            return f"{count} {noun}{'s' * (count != 1)}"
    return "less than a second"


def _stamp(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
