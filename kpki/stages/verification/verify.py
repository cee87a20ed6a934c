"""Whether a certificate holds: what `openssl verify` of OpenSSL 3.0 says, as a value.

OpenSSL itself, by pyOpenSSL's X509Store, finds and proves the path. What the store cannot be asked (purpose, names,
depth, the strict rules and the times as 3.0 has them), and how a refusal goes on after the store's first error, is
here: the checks stand in OpenSSL's own order (verify_chain in its x509_vfy.c), so the last is the one it ends with.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from ...clock import utc_now
from ...errors import InputError
from ...pem import load_certificate
from ..extensions.identifiers import BASIC_CONSTRAINTS, SUBJECT_ALTERNATIVE_NAME
from ..signatures import is_signed_by, public_key
from .facts import Facts, facts_of, issues
from .hostnames import matches_email, matches_host, matches_ip
from .paths import Path, build_path
from .policies import PolicyQuestion, check_policies
from .purposes import PURPOSES, check_ca
from .strength import LEVELS, key_bits, signature_bits
from .trust import REJECTED, TRUSTED, Trust, check_trust
from .verdicts import NAME_CONSTRAINTS, TOLERATED, Fault, Verdict, verdict_of

__all__ = ["Verdict", "verify"]

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_DEPTH = 100
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME; pyOpenSSL has no name for it

# `-x509_strict`: the error and when it is one, of a certificate and whether it stands at the top (RFC 5280 §4). A key
# identifier that is critical (90, 91) is not here: OpenSSL 3.0 calls it an unhandled critical extension (34) instead.
_STRICT: tuple[tuple[int, Callable[[Facts, bool], bool]], ...] = (
    (80, lambda one, top: one.path_length is not None and not one.ca),
    (81, lambda one, top: one.path_length is not None and "keyCertSign" not in (one.key_usage or ())),
    (89, lambda one, top: bool(one.ca) and BASIC_CONSTRAINTS not in one.heeded),
    (92, lambda one, top: bool(one.ca) and one.key_usage is None),
    (82, lambda one, top: not one.ca and "keyCertSign" in (one.key_usage or ())),
    (83, lambda one, top: not one.issuer),
    (84, lambda one, top: not one.subject and (bool(one.ca) or "cRLSign" in (one.key_usage or ())
                                               or one.alternatives is None)),
    (88, lambda one, top: (not one.subject and one.alternatives is not None
                           and SUBJECT_ALTERNATIVE_NAME not in one.heeded)),
    (87, lambda one, top: one.alternatives == 0),
    (78, lambda one, top: not one.consistent),
    (85, lambda one, top: one.version >= 2 and not top and (one.authority is None
                                                            or one.authority.key_identifier is None)),
    (86, lambda one, top: one.version >= 2 and bool(one.ca) and one.key_identifier is None),
    (93, lambda one, top: one.version < 2 and one.extensions > 0),
)


def verify(certificate: Certificate, roots: Iterable[Certificate], *, untrusted: Iterable[Certificate] = (),
           purpose: str | None = None, hostname: str | None = None, ip: str | None = None, email: str | None = None,
           now: datetime | None = None, strict: bool = False, partial_chain: bool = False, check_ss_sig: bool = False,
           depth: int | None = None, check_time: bool = True, auth_level: int = 0, ignore_critical: bool = False,
           allow_proxy: bool = False, policies: PolicyQuestion | None = None,
           trust: Mapping[Certificate, Trust] | None = None) -> Verdict:
    """Verify a certificate against *roots*, with *untrusted* certificates to help (openssl verify -CAfile -untrusted).

    *purpose* is one of openssl's (`-purpose`), *hostname*, *ip* and *email* who the certificate must be for, *now* the
    moment it must hold at (UTC, None: the clock; `-attime`; without *check_time* none), *strict* is `-x509_strict`,
    *partial_chain* takes a root that did not sign itself, *check_ss_sig* checks a root's own signature, *depth* bounds
    the CAs between leaf and root, *auth_level* (0 to 5) asks for strong keys and digests, *ignore_critical* lets
    unknown critical extensions pass, *allow_proxy* takes proxy certificates (RFC 3820), *policies* asks for certificate
    policies (`-policy_check` and its like). *trust* holds the settings of roots out of blocks TRUSTED CERTIFICATE.
    A certificate that is wrong is a Verdict; InputError is raised for an unknown purpose or an unreadable address.

    >>> kpki.verify(certificate, [ca], purpose="sslserver", hostname="worker-1", now=now).ok
    True
    >>> kpki.verify(certificate, [ca], hostname="worker-2", now=now).reason
    'hostname mismatch'
    """
    if purpose is not None and purpose not in PURPOSES:
        raise InputError(f"invalid purpose {purpose}", hint=f"one of {', '.join(PURPOSES)}")
    address = None
    if ip is not None:
        from ..extensions.general_names import ip_octets
        address = ip_octets(ip)
    moment = (now or utc_now()).astimezone(timezone.utc).replace(microsecond=0) if check_time else None
    depth = _DEPTH if depth is None else depth
    trusted, helping, trust = list(roots), list(untrusted), trust or {}

    def ask(moment: datetime | None, *, partial_chain: bool = partial_chain,
            ignore_critical: bool = ignore_critical) -> list[Certificate] | Fault:
        return _ask_store(certificate, trusted, helping, moment, partial_chain=partial_chain, check_ss_sig=check_ss_sig,
                          ignore_critical=ignore_critical, allow_proxy=allow_proxy)

    def trusts(root: Facts, self_signed: bool = True) -> int:
        return check_trust(root, trust.get(root.certificate), purpose, self_signed=self_signed)

    answer = ask(moment, partial_chain=partial_chain or bool(trust))
    path = Path(_readable(answer) if isinstance(answer, list) else [])
    proven = not trust and isinstance(answer, list) and len(answer) == len(path.chain) <= depth + 1
    if not proven:
        leaf = _readable([certificate])
        if not leaf:
            return verdict_of([Fault(1, 0)], (certificate,))
        path = build_path(leaf[0], _readable(trusted), _readable(helping), partial_chain=partial_chain, depth=depth,
                          is_valid=lambda one: not _time_fault(one, moment), trust=trusts)
    question = _Question(purpose, strict, moment, partial_chain, check_ss_sig, min(auth_level, len(LEVELS) - 1),
                         ignore_critical, allow_proxy)
    faults: list[Fault] = []
    for fault in _faults(path, question, lambda: _identity_faults(certificate, hostname, address, email), proven=proven,
                         trusts=lambda one: trusts(one, self_signed=False)):
        faults.append(fault)
        if fault.code not in TOLERATED:
            break
    if not proven:
        faults += _store_faults(answer, faults, ask)
    said = None
    if policies is not None and not (faults and faults[-1].code not in TOLERATED):
        said = check_policies(path.chain, policies)
        faults += [Fault(*said.error)] if said.error else []
    return verdict_of(faults, tuple(one.certificate for one in path.chain), said)


class _Question(NamedTuple):
    """What `verify` was asked, as far as it is asked of each certificate."""

    purpose: str | None
    strict: bool
    moment: datetime | None
    partial_chain: bool
    check_ss_sig: bool
    level: int
    ignore_critical: bool
    allow_proxy: bool


def _readable(certificates: Iterable[Certificate]) -> list[Facts]:
    """The facts of each certificate; one whose structure cannot be read is as good as none."""
    facts = []
    for one in certificates:
        with suppress(InputError):
            facts.append(facts_of(one))
    return facts


def _store_faults(answer: list[Certificate] | Fault, faults: list[Fault],
                  ask: Callable[..., list[Certificate] | Fault]) -> list[Fault]:
    """What the store alone can say, where the checks here found nothing that ends the verification.

    Name constraints come last in OpenSSL; behind another error they show once the store is told to look away from it.
    """
    if faults and faults[-1].code not in TOLERATED:
        return []
    if not faults:
        return [answer] if isinstance(answer, Fault) else []
    again = ask(None, ignore_critical=True)
    return [again] if isinstance(again, Fault) and again.code in NAME_CONSTRAINTS else []


def _ask_store(certificate: Certificate, roots: Sequence[Certificate], untrusted: Sequence[Certificate],
               moment: datetime | None, *, partial_chain: bool, check_ss_sig: bool, ignore_critical: bool,
               allow_proxy: bool) -> list[Certificate] | Fault:
    """The path that OpenSSL finds and proves, or the first error it meets."""
    from OpenSSL.crypto import (FILETYPE_ASN1, X509, Error, X509Store, X509StoreContext, X509StoreContextError,
                                X509StoreFlags, dump_certificate)

    def readable(certificates: Iterable[Certificate]) -> Iterator[X509]:
        # A certificate that cryptography loads and OpenSSL does not is as good as none.
        for one in certificates:
            with suppress(Error):
                yield X509.from_cryptography(one)

    leaf = next(readable([certificate]), None)
    if leaf is None:
        return Fault(1, 0)
    store = X509Store()
    for one in readable(roots):
        store.add_cert(one)
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN * partial_chain | X509StoreFlags.CHECK_SS_SIGNATURE * check_ss_sig
                    | X509StoreFlags.IGNORE_CRITICAL * ignore_critical
                    | X509StoreFlags.ALLOW_PROXY_CERTS * allow_proxy | _NO_CHECK_TIME * (moment is None))
    if moment is not None:
        store.set_time(moment)
    context = X509StoreContext(store, leaf, [*readable(untrusted)])
    try:
        return [load_certificate(dump_certificate(FILETYPE_ASN1, one)) for one in context.get_verified_chain()]
    except X509StoreContextError as error:
        code, depth, _ = error.errors
        return Fault(int(code), int(depth))


def _faults(path: Path, question: _Question, identity: Callable[[], Iterator[Fault]], *, proven: bool,
            trusts: Callable[[Facts], int]) -> Iterator[Fault]:
    """Every error in OpenSSL's order; whoever reads on takes the one before as tolerated."""
    if question.level > 0 and key_bits(path.chain[0].certificate) < LEVELS[question.level]:
        yield Fault(66, 0)
    if path.fault:
        yield path.fault
    yield from _extension_faults(path, question, trusts)
    yield from _strength_faults(path.chain, question.level)
    yield from identity()
    yield from _signature_faults(path.chain, question, proven=proven)


def _strength_faults(chain: Sequence[Facts], level: int) -> Iterator[Fault]:
    """check_auth_level: the keys of all issuers, and each signature but the trusted certificate's own."""
    for depth, one in enumerate(chain if level > 0 else ()):
        if depth and key_bits(one.certificate) < LEVELS[level]:
            yield Fault(67, depth)
        if depth < len(chain) - 1 and signature_bits(one.certificate) < LEVELS[level]:
            yield Fault(68, depth)


def _extension_faults(path: Path, question: _Question, trusts: Callable[[Facts], int]) -> Iterator[Fault]:
    """check_extensions: critical extensions, CAs, the strict rules, the purpose, the length of the path."""
    chain, strict = path.chain, question.strict
    issued = proxies = 0
    below: Facts | None = None
    for depth, one in enumerate(chain):
        top, above_proxy = depth == len(chain) - 1, below is not None and below.proxy
        if one.critical != one.heeded and not question.ignore_critical:
            yield Fault(34, depth)
        if one.proxy and not question.allow_proxy:
            yield Fault(40, depth)
        answer = check_ca(one)
        if above_proxy:
            if answer:
                yield Fault(37, depth)
        elif (strict and answer not in (0, 1)) if depth == 0 else (not answer or answer != 1 and (strict or not top)):
            yield Fault(79, depth)
        if len(chain) > 1 and one.key_algorithm is None:
            yield Fault(1, depth)
        if len(chain) > 1 and one.explicit_curve:
            yield Fault(94, depth)
        if strict and len(chain) > 1:
            yield from (Fault(code, depth) for code, is_wrong in _STRICT if is_wrong(one, top))
        if question.purpose is not None:
            trusted = trusts(one) if depth >= len(chain) - path.trusted else 0
            serves = PURPOSES[question.purpose](one, depth > 0 and not above_proxy) in ((1,) if strict else range(1, 6))
            if trusted == REJECTED or trusted != TRUSTED and not serves:
                yield Fault(26, depth)
        if depth > 1 and one.path_length is not None and issued > one.path_length + proxies:
            yield Fault(25, depth)
        issued += depth > 0 and not one.self_issued
        if one.proxy:
            if one.proxy_length is not None:
                if proxies > one.proxy_length:
                    yield Fault(38, depth)
                proxies = one.proxy_length
            proxies += 1
        below = one


def _identity_faults(certificate: Certificate, hostname: str | None, address: bytes | None,
                     email: str | None) -> Iterator[Fault]:
    """check_id: whom the leaf must be for; an empty host name asks for nothing."""
    if hostname and not matches_host(certificate, hostname):
        yield Fault(62, 0)
    if email is not None and not matches_email(certificate, email):
        yield Fault(63, 0)
    if address is not None and not matches_ip(certificate, address):
        yield Fault(64, 0)


def _signature_faults(chain: Sequence[Facts], question: _Question, *, proven: bool) -> Iterator[Fault]:
    """internal_verify: from the top down each signature, then each time; *proven* ones are not checked again."""
    top = len(chain) - 1
    if not issues(chain[top], chain[top]) and not question.partial_chain:
        # A top that is nobody's root: it serves only to check the one below it.
        if top == 0:
            yield Fault(21, 0)
        top -= 1
    for depth in range(top, -1, -1):
        one, issuer = chain[depth], chain[min(depth + 1, len(chain) - 1)]
        own = issuer is one
        if not own or question.check_ss_sig and one.self_signed:
            usage, code = ("digitalSignature", 39) if one.proxy else ("keyCertSign", 32)
            if not (own and not one.ca) and usage not in (issuer.key_usage or (usage,)):
                yield Fault(code, depth + (not own))
            if not proven and not (is_signed_by(one.certificate, public_key(issuer.certificate)) and one.consistent):
                yield Fault(7, depth)
        if code := _time_fault(one, question.moment):
            yield Fault(code, depth)


def _time_fault(facts: Facts, moment: datetime | None) -> int:
    """3.0's bounds: valid from the first second on, no longer in the last; dates that are strictly written."""
    if moment is None:
        return 0
    strict_start, strict_end = facts.strict_dates
    return 13 if not strict_start else 9 if moment < facts.not_before else 14 if not strict_end \
        else 10 if moment >= facts.not_after else 0
