"""Whether a certificate holds: what `openssl verify` of OpenSSL 3.0 says, as a value.

OpenSSL itself, by pyOpenSSL's X509Store, finds and proves the path. What the store cannot be asked (purpose, names,
depth, the strict rules and the times as 3.0 has them), and how a refusal goes on after the store's first error, is
here: the checks stand in OpenSSL's own order (verify_chain in its x509_vfy.c), so the last is the one it ends with.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ...clock import utc_now
from ...errors import InputError
from ...pem import load_certificate
from ..extensions.identifiers import BASIC_CONSTRAINTS, SUBJECT_ALTERNATIVE_NAME
from ..signatures import is_signed_by, public_key
from .facts import Facts, facts_of, issues
from .hostnames import matches_email, matches_host, matches_ip
from .paths import Path, build_path
from .purposes import PURPOSES, Purpose, check_ca
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
           depth: int | None = None, check_time: bool = True) -> Verdict:
    """Verify a certificate against *roots*, with *untrusted* certificates to help (openssl verify -CAfile -untrusted).

    *purpose* is one of openssl's (`-purpose`), *hostname*, *ip* and *email* who the certificate must be for, *now* the
    moment it must hold at (UTC, None: the clock; `-attime`; without *check_time* none), *strict* is `-x509_strict`,
    *partial_chain* takes a root that did not sign itself, *check_ss_sig* checks a root's own signature, *depth* bounds
    the CAs between leaf and root.
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
    trusted, helping = list(roots), list(untrusted)

    def ask(moment: datetime | None, ignore_critical: bool = False) -> list[Certificate] | Fault:
        return _ask_store(certificate, trusted, helping, moment, partial_chain, check_ss_sig, ignore_critical)

    answer = ask(moment)
    path = Path(_readable(answer) if isinstance(answer, list) else [])
    proven = isinstance(answer, list) and len(answer) == len(path.chain) <= depth + 1
    if not proven:
        leaf = _readable([certificate])
        if not leaf:
            return verdict_of([Fault(1, 0)], (certificate,))
        path = build_path(leaf[0], _readable(trusted), _readable(helping), partial_chain=partial_chain, depth=depth,
                          is_valid=lambda one: not _time_fault(one, moment))
    faults: list[Fault] = []
    for fault in _faults(path, PURPOSES.get(purpose or ""), strict,
                         lambda: _identity_faults(certificate, hostname, address, email), moment,
                         partial_chain=partial_chain, check_ss_sig=check_ss_sig, proven=proven):
        faults.append(fault)
        if fault.code not in TOLERATED:
            break
    if not proven:
        faults += _store_faults(answer, faults, ask)
    return verdict_of(faults, tuple(one.certificate for one in path.chain))


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
               moment: datetime | None, partial_chain: bool, check_ss_sig: bool,
               ignore_critical: bool) -> list[Certificate] | Fault:
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
                    | X509StoreFlags.IGNORE_CRITICAL * ignore_critical | _NO_CHECK_TIME * (moment is None))
    if moment is not None:
        store.set_time(moment)
    context = X509StoreContext(store, leaf, [*readable(untrusted)])
    try:
        return [load_certificate(dump_certificate(FILETYPE_ASN1, one)) for one in context.get_verified_chain()]
    except X509StoreContextError as error:
        code, depth, _ = error.errors
        return Fault(int(code), int(depth))


def _faults(path: Path, purpose: Purpose | None, strict: bool, identity: Callable[[], Iterator[Fault]],
            moment: datetime | None, *, partial_chain: bool, check_ss_sig: bool, proven: bool) -> Iterator[Fault]:
    """Every error in OpenSSL's order; whoever reads on takes the one before as tolerated."""
    if path.fault:
        yield path.fault
    yield from _extension_faults(path.chain, purpose, strict)
    yield from identity()
    yield from _signature_faults(path.chain, moment, partial_chain=partial_chain, check_ss_sig=check_ss_sig,
                                 proven=proven)


def _extension_faults(chain: Sequence[Facts], purpose: Purpose | None, strict: bool) -> Iterator[Fault]:
    """check_extensions: critical extensions, CAs, the strict rules, the purpose, the length of the path."""
    issued = 0
    for depth, one in enumerate(chain):
        top = depth == len(chain) - 1
        if one.critical != one.heeded:
            yield Fault(34, depth)
        if one.proxy:
            yield Fault(40, depth)
        answer = check_ca(one)
        if (strict and answer not in (0, 1)) if depth == 0 else (not answer or answer != 1 and (strict or not top)):
            yield Fault(79, depth)
        if len(chain) > 1 and one.key_algorithm is None:
            yield Fault(1, depth)
        if len(chain) > 1 and one.explicit_curve:
            yield Fault(94, depth)
        if strict and len(chain) > 1:
            yield from (Fault(code, depth) for code, is_wrong in _STRICT if is_wrong(one, top))
        if purpose is not None and purpose(one, depth > 0) not in ((1,) if strict else range(1, 6)):
            yield Fault(26, depth)
        if depth > 1 and one.path_length is not None and issued > one.path_length:
            yield Fault(25, depth)
        issued += depth > 0 and not one.self_issued


def _identity_faults(certificate: Certificate, hostname: str | None, address: bytes | None,
                     email: str | None) -> Iterator[Fault]:
    """check_id: whom the leaf must be for; an empty host name asks for nothing."""
    if hostname and not matches_host(certificate, hostname):
        yield Fault(62, 0)
    if email is not None and not matches_email(certificate, email):
        yield Fault(63, 0)
    if address is not None and not matches_ip(certificate, address):
        yield Fault(64, 0)


def _signature_faults(chain: Sequence[Facts], moment: datetime | None, *, partial_chain: bool, check_ss_sig: bool,
                      proven: bool) -> Iterator[Fault]:
    """internal_verify: from the top down each signature, then each time; *proven* ones are not checked again."""
    top = len(chain) - 1
    if not issues(chain[top], chain[top]) and not partial_chain:
        # A top that is nobody's root: it serves only to check the one below it.
        if top == 0:
            yield Fault(21, 0)
        top -= 1
    for depth in range(top, -1, -1):
        one, issuer = chain[depth], chain[min(depth + 1, len(chain) - 1)]
        own = issuer is one
        if not own or check_ss_sig and one.self_signed:
            if not (own and not one.ca) and "keyCertSign" not in (issuer.key_usage or ("keyCertSign",)):
                yield Fault(32, depth + (not own))
            if not proven and not (is_signed_by(one.certificate, public_key(issuer.certificate)) and one.consistent):
                yield Fault(7, depth)
        if code := _time_fault(one, moment):
            yield Fault(code, depth)


def _time_fault(facts: Facts, moment: datetime | None) -> int:
    """3.0's bounds: valid from the first second on, no longer in the last; dates that are strictly written."""
    if moment is None:
        return 0
    strict_start, strict_end = facts.strict_dates
    return 13 if not strict_start else 9 if moment < facts.not_before else 14 if not strict_end \
        else 10 if moment >= facts.not_after else 0
