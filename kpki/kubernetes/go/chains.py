"""Chains from a certificate to a trusted one (x509/verify.go, Verify)."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from .certificate import Certificate, parse
from .constraints import validate_names
from .der import About, GoError, oid
from .keys import Key, validate_signature
from .names import validate_host
from .policies import policies_hold
from .text import quoted
from .times import Moment

# openssl's name of a purpose → the extended key usage for it.
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
        self.notes: list[str] = []
        for certificate in certificates:
            if certificate.raw not in self._known:
                self._known.add(certificate.raw)
                self._by_subject.setdefault(certificate.subject, []).append(certificate)
                if certificate.note is not None:
                    self.notes.append(certificate.note)

    def __contains__(self, certificate: Certificate) -> bool:
        return certificate.raw in self._known

    def parents(self, child: Certificate) -> list[Certificate]:
        """The certificates with *child*'s issuer as subject; key identifiers give their order."""
        found = self._by_subject.get(child.issuer, [])
        return found if len(found) < 2 else sorted(found, key=lambda parent: (
            0 if parent.subject_key == child.authority_key
            else 1 if not parent.subject_key or not child.authority_key else 2))


@lru_cache(maxsize=16)      # one CA file judges many certificates
def pool_of(certificates: tuple[bytes, ...]) -> Pool:
    """The pool of certificates in DER; raises GoError for a malformed one."""
    return Pool(map(parse, certificates))


def verify(leaf: Certificate, roots: Pool, untrusted: Pool, usage: bytes | None,
           hosts: Iterable[str], now: Moment) -> None:
    """Raise GoError unless *leaf* is valid *now*, for *usage* (None: any) and each of *hosts*.

    A valid leaf has a chain to one of *roots*.
    """
    _validate_itself(leaf, [], now)
    for host in hosts:
        validate_host(leaf.subject_name.common_name, leaf.alternatives, host)
    chains = [[leaf]] if leaf in roots else _chains([leaf], roots, untrusted, now, [])
    without_policy = without_usage = 0
    first: GoError | None = None
    for chain in chains:
        if not policies_hold(chain):
            without_policy += 1
        elif usage is not None and not _is_for(chain, usage):
            without_usage += 1
        else:
            try:
                validate_names([(certificate.alternatives, certificate.limits)
                                for certificate in chain])
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


def _chains(chain: list[Certificate], roots: Pool, untrusted: Pool, now: Moment,
            tried: list[None]) -> list[list[Certificate]]:
    """Every chain to a root that begins with *chain*; raises GoError if there is none.

    *tried* gets an item for each signature that the search checks.
    The error is the fault of the last candidate with a valid signature. Without such a candidate
    the error is an unknown authority, with the first candidate's fault as a hint.
    """
    found: list[list[Certificate]] = []
    last: GoError | None = None
    hint: tuple[GoError, Certificate] | None = None
    for candidate, trusted in _candidates(chain[-1], roots, untrusted):
        tried.append(None)
        if len(tried) > _MOST_SIGNATURES:
            last = GoError(_TOO_MANY, about="ca")
        if last is not None and last.sentence == _TOO_MANY:
            break
        if candidate.key is None or _is_in(chain, candidate):
            continue
        try:
            _validate_signature_from(chain[-1], candidate, candidate.key)
        except GoError as error:
            hint = hint or (error, candidate)
            continue
        try:
            _validate_itself(candidate, chain, now, intermediate=not trusted)
        except GoError as error:
            last, hint = error, hint or (error, candidate)
            continue
        last = None
        longer = [*chain, candidate]
        try:
            found += [longer] if trusted else _chains(longer, roots, untrusted, now, tried)
        except GoError as error:
            last = error
    if not found:
        raise last or _unknown_authority(hint)
    return found


def _candidates(child: Certificate, roots: Pool,
                untrusted: Pool) -> Iterator[tuple[Certificate, bool]]:
    for parent in roots.parents(child):
        yield parent, True
    for parent in untrusted.parents(child):
        yield parent, False


def _unknown_authority(hint: tuple[GoError, Certificate] | None) -> GoError:
    sentence = "x509: certificate signed by unknown authority"
    if hint is not None:
        error, candidate = hint
        name = candidate.subject_name.common_name or candidate.subject_name.organization
        if name is None:
            name = f"serial:{candidate.serial}"
        sentence += (
            f" (possibly because of {quoted(error.sentence)} while trying to verify candidate "
            f"authority "
                     f"certificate {quoted(name)})")
    return GoError(sentence, about="ca")


def _is_in(chain: Sequence[Certificate], candidate: Certificate) -> bool:
    """Whether the chain has *candidate*'s subject, key and alternative names (alreadyInChain)."""
    for certificate in chain:
        if certificate.subject == candidate.subject and certificate.spki == candidate.spki:
            if certificate.alternatives_item == candidate.alternatives_item:
                return True
            if certificate.alternatives_item is None or candidate.alternatives_item is None:
                return False    # Go, too, stops the search with this certificate
    return False


def _validate_signature_from(child: Certificate, parent: Certificate, key: Key) -> None:
    """Raise GoError unless *parent* may sign, and its *key* signed *child* (CheckSignatureFrom)."""
    if (parent.ca is False or (parent.ca is None and parent.version == 3)
            or (parent.key_usage and not parent.key_usage & _CERT_SIGN)):
        raise GoError(_CANNOT_SIGN)
    validate_signature(child.algorithm, child.signed, child.signature, key)


def _validate_itself(certificate: Certificate, chain: Sequence[Certificate], now: Moment, *,
                  intermediate: bool = False) -> None:
    """Raise GoError if a certificate is invalid *now*, by itself or above *chain* (isValid)."""
    about: About = "ca" if chain else "leaf"
    if certificate.unhandled:
        raise GoError("x509: unhandled critical extension", about=about)
    if now.micros < certificate.not_before.micros:
        raise _outside(now, "before", certificate.not_before, about)
    if now.micros > certificate.not_after.micros:
        raise _outside(now, "after", certificate.not_after, about)
    if intermediate and not certificate.ca:
        raise GoError("x509: certificate is not authorized to sign other certificates", about=about)
    if certificate.path_length is not None and len(chain) - 1 > certificate.path_length:
        raise GoError("x509: too many intermediates for path length constraint", about=about)


def _outside(now: Moment, word: str, bound: Moment, about: About) -> GoError:
    return GoError("x509: certificate has expired or is not yet valid: "
                   f"current time {now.text} is {word} {bound.text}", about=about)


def _is_for(chain: Sequence[Certificate], usage: bytes) -> bool:
    """Whether each list of extended key usages has *usage* or any (checkChainForKeyUsage)."""
    for certificate in chain:
        if certificate.usages and certificate.usages.isdisjoint((usage, _ANY_USAGE)):
            return False
    return True
