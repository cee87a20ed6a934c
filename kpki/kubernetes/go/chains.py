"""Chains from a certificate to a trusted one (x509/verify.go, Verify)."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .certificate import Certificate
from .constraints import Alternatives, check_names
from .der import About, GoError, oid
from .keys import Key, check_signature
from .names import Names, check_host
from .policies import policies_hold
from .text import quoted
from .times import Moment

# How openssl calls a purpose → the extended key usage that it wants.
USAGES = {"sslserver": oid("1.3.6.1.5.5.7.3.1"), "sslclient": oid("1.3.6.1.5.5.7.3.2"), "any": None}
_ANY_USAGE = oid("2.5.29.37.0")
_CERT_SIGN = 0x0400     # bit 5 of keyUsage, counted from the first of sixteen
_MOST_SIGNATURES = 100
_CANNOT_SIGN = "x509: invalid signature: parent certificate cannot sign this kind of certificate"
_TOO_MANY = "x509: signature check attempts limit reached while verifying certificate chain"


class Pool:
    """Certificates by the octets of their subject, each once (x509/cert_pool.go)."""

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        self._by_subject: dict[bytes, list[Certificate]] = {}
        self._known: set[bytes] = set()
        for one in certificates:
            if one.raw not in self._known:
                self._known.add(one.raw)
                self._by_subject.setdefault(one.subject, []).append(one)

    def __contains__(self, certificate: Certificate) -> bool:
        return certificate.raw in self._known

    def parents(self, child: Certificate) -> list[Certificate]:
        """Those that may have signed *child*: key identifiers decide which are tried first, never which are tried."""
        return sorted(self._by_subject.get(child.issuer, ()), key=lambda one: (
            0 if one.subject_key == child.authority_key
            else 1 if not one.subject_key or not child.authority_key else 2))


class _Search(NamedTuple):
    """What a search for chains is given, and how many signatures it has *tried*."""

    roots: Pool
    untrusted: Pool
    now: Moment
    tried: list[None]


def verify(leaf: Certificate, roots: Pool, untrusted: Pool, usage: bytes | None, hosts: Iterable[str],
           now: Moment) -> None:
    """GoError unless *leaf* is good for *usage* (None: any) and each of *hosts* now, by a chain to one of *roots*."""
    _check_itself(leaf, [], now)
    alternatives = leaf.alternatives or Alternatives()
    names = Names(leaf.subject_name.common_name, leaf.alternatives is not None, alternatives.dns, alternatives.ips)
    for host in hosts:
        check_host(names, host)
    chains = [[leaf]] if leaf in roots else _chains([leaf], _Search(roots, untrusted, now, []))
    without_policy = without_usage = 0
    first: GoError | None = None
    for chain in chains:
        if not policies_hold(chain):
            without_policy += 1
        elif usage is not None and not _is_for(chain, usage):
            without_usage += 1
        else:
            try:
                check_names([(one.alternatives, one.limits) for one in chain])
            except GoError as error:
                first = first or error
            else:
                return
    if first is not None:
        raise first
    if without_usage and not without_policy:
        raise GoError("x509: certificate specifies an incompatible key usage", about="ca")
    counts = [f"{count} candidate chains with {what}" for count, what in (
        (without_usage, "incompatible key usage"), (without_policy, "invalid policies")) if count]
    raise GoError(f"x509: no valid chains built: {', '.join(counts)}", about="ca")


def _chains(chain: list[Certificate], search: _Search) -> list[list[Certificate]]:
    """Every chain that goes on from the last of *chain*; where there is none, GoError with what Go makes of it.

    That is what the last candidate that was rightly signed lacks, else that nobody is known, with the first failure of
    a candidate as a hint.
    """
    found: list[list[Certificate]] = []
    last: GoError | None = None
    hint: tuple[GoError, Certificate] | None = None
    for candidate, trusted in _candidates(chain[-1], search):
        search.tried.append(None)
        if len(search.tried) > _MOST_SIGNATURES:
            last = GoError(_TOO_MANY, about="ca")
        if last is not None and last.sentence == _TOO_MANY:
            break
        if candidate.key is None or _is_in(chain, candidate):
            continue
        try:
            _check_signed_by(chain[-1], candidate, candidate.key)
        except GoError as error:
            hint = hint or (error, candidate)
            continue
        try:
            _check_itself(candidate, chain, search.now, intermediate=not trusted)
        except GoError as error:
            last, hint = error, hint or (error, candidate)
            continue
        last = None
        longer = [*chain, candidate]
        try:
            found += [longer] if trusted else _chains(longer, search)
        except GoError as error:
            last = error
    if not found:
        raise last or _unknown_authority(hint)
    return found


def _candidates(child: Certificate, search: _Search) -> Iterator[tuple[Certificate, bool]]:
    yield from ((one, True) for one in search.roots.parents(child))
    yield from ((one, False) for one in search.untrusted.parents(child))


def _unknown_authority(hint: tuple[GoError, Certificate] | None) -> GoError:
    sentence = "x509: certificate signed by unknown authority"
    if hint is not None:
        error, candidate = hint
        name = candidate.subject_name.common_name or candidate.subject_name.organization
        if name is None:
            name = f"serial:{candidate.serial}"
        sentence += (f" (possibly because of {quoted(error.sentence)} while trying to verify candidate authority "
                     f"certificate {quoted(name)})")
    return GoError(sentence, about="ca")


def _is_in(chain: Sequence[Certificate], candidate: Certificate) -> bool:
    """Whether the chain has a certificate of the same subject, key and alternative names (alreadyInChain)."""
    for one in chain:
        if (one.subject, one.spki) == (candidate.subject, candidate.spki):
            if one.alternatives_item == candidate.alternatives_item:
                return True
            if one.alternatives_item is None or candidate.alternatives_item is None:
                return False    # as Go has it: it looks no further
    return False


def _check_signed_by(child: Certificate, parent: Certificate, key: Key) -> None:
    """GoError unless *parent* may sign certificates and has signed *child* with its *key* (CheckSignatureFrom)."""
    if (parent.ca is False or parent.ca is None and parent.version == 3
            or parent.key_usage and not parent.key_usage & _CERT_SIGN):
        raise GoError(_CANNOT_SIGN)
    check_signature(child.algorithm, child.signed, child.signature, key)


def _check_itself(one: Certificate, chain: Sequence[Certificate], now: Moment, *, intermediate: bool = False) -> None:
    """GoError where a certificate, for itself or on top of *chain*, is no good now (isValid)."""
    about: About = "ca" if chain else "leaf"
    if one.unhandled:
        raise GoError("x509: unhandled critical extension", about=about)
    for is_outside, word, bound in ((now[:2] < one.not_before[:2], "before", one.not_before),
                                    (now[:2] > one.not_after[:2], "after", one.not_after)):
        if is_outside:
            raise GoError("x509: certificate has expired or is not yet valid: "
                          f"current time {now.text} is {word} {bound.text}", about=about)
    if intermediate and not one.ca:
        raise GoError("x509: certificate is not authorized to sign other certificates", about=about)
    if one.path_length is not None and len(chain) - 1 > one.path_length:
        raise GoError("x509: too many intermediates for path length constraint", about=about)


def _is_for(chain: Sequence[Certificate], usage: bytes) -> bool:
    """Whether every certificate that names usages names this one, or any (checkChainForKeyUsage)."""
    return all(not one.usages or not one.usages.isdisjoint((usage, _ANY_USAGE)) for one in chain)
