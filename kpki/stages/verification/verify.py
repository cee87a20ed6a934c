"""Whether a certificate is valid, as `openssl verify` of OpenSSL 3.0 answers.

OpenSSL itself (pyOpenSSL's X509Store) finds and proves the path. This module has the checks that
the store does not offer: purpose, names, depth, the strict rules and the times of version 3.0. It
also finds the errors after the store's first error. The checks are in OpenSSL's order (verify_chain
in x509_vfy.c), so that the last error is openssl's last error.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from .facts import Facts, issues, read_facts
from .hostnames import matches_email, matches_host, matches_ip
from .paths import CertificationPath, build_path
from .purposes import OPENSSL_PURPOSES, check_ca
from .strength import LEVELS, key_bits, signature_bits
from .trust import REJECTED, TRUSTED, Trust, check_trust
from .verdicts import NAME_CONSTRAINTS, TOLERATED, Fault, Verdict, verdict_of
from ..extensions.identifiers import BASIC_CONSTRAINTS, SUBJECT_ALTERNATIVE_NAME
from ..signatures import is_signed_by, public_key
from ...clock import utc_now
from ...errors import InputError
from ...pem import load_certificate

__all__ = ["Verdict", "verify", "verify_strict"]

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from .policies import PolicyQuestion

_DEPTH = 100
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME; pyOpenSSL has no name for it

# `-x509_strict`: an error, and whether a certificate of the path has the error (RFC 5280 §4); *top*
# is true of the path's last. Errors 90 and 91, a critical key identifier, are absent: OpenSSL 3.0
# reports error 34, an unhandled critical extension.
_STRICT: tuple[tuple[int, Callable[[Facts, bool], bool]], ...] = (
    (80, lambda facts, _top: facts.path_length is not None and not facts.ca),
    (81, lambda facts, _top: facts.path_length is not None
        and "keyCertSign" not in (facts.key_usage or ())),
    (89, lambda facts, _top: bool(facts.ca) and BASIC_CONSTRAINTS not in facts.heeded),
    (92, lambda facts, _top: bool(facts.ca) and facts.key_usage is None),
    (82, lambda facts, _top: not facts.ca and "keyCertSign" in (facts.key_usage or ())),
    (83, lambda facts, _top: not facts.issuer),
    (84, lambda facts, _top: not facts.subject and (
        bool(facts.ca) or "cRLSign" in (facts.key_usage or ()) or facts.alternatives is None)),
    (88, lambda facts, _top: not facts.subject and facts.alternatives is not None
        and SUBJECT_ALTERNATIVE_NAME not in facts.heeded),
    (87, lambda facts, _top: facts.alternatives == 0),
    (78, lambda facts, _top: not facts.consistent),
    (85, lambda facts, top: facts.version >= 2 and not top
        and (facts.authority is None or facts.authority.key_identifier is None)),
    (86, lambda facts, _top: facts.version >= 2 and bool(facts.ca)
        and facts.key_identifier is None),
    (93, lambda facts, _top: facts.version < 2 and facts.extensions > 0),
)


def verify(certificate: Certificate, roots: Iterable[Certificate], *,
           untrusted: Iterable[Certificate] = (), purpose: str | None = None,
           hostname: str | None = None, ip: str | None = None, email: str | None = None,
           now: datetime | None = None, strict: bool = False, partial_chain: bool = False,
           check_ss_sig: bool = False, depth: int | None = None, check_time: bool = True,
           auth_level: int = 0, ignore_critical: bool = False, allow_proxy: bool = False,
           policies: PolicyQuestion | None = None,
           trust: Mapping[Certificate, Trust] | None = None) -> Verdict:
    """Verify a certificate against *roots*, with *untrusted* intermediates (openssl verify).

    *purpose* is one of openssl's (`-purpose`). The certificate must be valid for *hostname*, *ip*
    and *email*, if set, and at the moment *now* (`-attime`; UTC, None: the clock). With
    *check_time* false the dates are not checked. *strict* is `-x509_strict`. With *partial_chain* a
    root need not be self-signed. *check_ss_sig* checks a root's own signature. *depth* bounds the
    CAs between leaf and root.

    *auth_level* (0 to 5) asks for strong keys and digests. *ignore_critical* accepts unknown
    critical extensions, *allow_proxy* accepts proxy certificates (RFC 3820). *policies* asks about
    certificate policies (`-policy_check` and its like). *trust* holds the settings of roots in
    TRUSTED CERTIFICATE blocks. A certificate that is not valid raises no error: the Verdict says
    why. Raises InputError for an unknown purpose and for text that is no IP address.

    >>> kpki.verify(certificate, [ca], purpose="sslserver", hostname="worker-1", now=now).ok
    True
    >>> kpki.verify(certificate, [ca], hostname="worker-2", now=now).reason
    'hostname mismatch'
    """
    if purpose is not None and purpose not in OPENSSL_PURPOSES:
        raise InputError(f"invalid purpose {purpose}", hint=f"one of {', '.join(OPENSSL_PURPOSES)}")
    address = None
    if ip is not None:
        from ..extensions.general_names import ip_octets
        address = ip_octets(ip)
    moment = None
    if check_time:
        moment = (now or utc_now()).astimezone(UTC).replace(microsecond=0)
    depth = _DEPTH if depth is None else depth
    trusted, helping, trust = list(roots), list(untrusted), trust or {}

    def ask(moment: datetime | None, *, partial_chain: bool = partial_chain,
            ignore_critical: bool = ignore_critical) -> list[Certificate] | Fault:
        return _ask_store(certificate, trusted, helping, moment, partial_chain=partial_chain,
                          check_ss_sig=check_ss_sig, ignore_critical=ignore_critical,
                          allow_proxy=allow_proxy)

    def trusts(root: Facts, self_signed: bool = True) -> int:
        return check_trust(root, trust.get(root.certificate), purpose, self_signed=self_signed)

    answer = ask(moment, partial_chain=partial_chain or bool(trust))
    path = CertificationPath(_readable(answer) if isinstance(answer, list) else [])
    proven = not trust and isinstance(answer, list) and len(answer) == len(path.chain) <= depth + 1
    if not proven:
        leaf = _readable([certificate])
        if not leaf:
            return verdict_of([Fault(1, 0)], (certificate,))
        path = build_path(leaf[0], _readable(trusted), _readable(helping),
                          partial_chain=partial_chain, depth=depth,
                          is_valid=lambda facts: not _time_fault(facts, moment), trust=trusts)
    level = min(auth_level, len(LEVELS) - 1)
    question = _Question(purpose, strict, moment, partial_chain, check_ss_sig, level,
                         ignore_critical, allow_proxy)
    faults = _until_the_end(_faults(
        path, question, lambda: _identity_faults(certificate, hostname, address, email),
        proven=proven, trusts=lambda root: trusts(root, self_signed=False)))
    if not proven:
        faults += _store_faults(answer, faults, ask)
    policy_answer = None
    if policies is not None and not (faults and faults[-1].code not in TOLERATED):
        from .policies import check_policies
        policy_answer = check_policies(path.chain, policies)
        faults += [Fault(*policy_answer.error)] if policy_answer.error else []
    return verdict_of(faults, tuple(facts.certificate for facts in path.chain), policy_answer)


def verify_strict(certificate: Certificate, root: Certificate, *,
                  untrusted: Iterable[Certificate], now: datetime) -> Verdict:
    """What `openssl verify -x509_strict -partial_chain` says of a path that is proven already.

    Another verifier has proven the signatures and the name constraints from *certificate* to
    *root*. So this function needs no store, which takes longer to load than the rest to run.
    """
    moment = now.astimezone(UTC).replace(microsecond=0)
    leaf = _readable([certificate])
    if not leaf:
        return verdict_of([Fault(1, 0)], (certificate,))
    path = build_path(leaf[0], _readable([root]), _readable(untrusted), partial_chain=True,
                      depth=_DEPTH,
                      is_valid=lambda facts: not _time_fault(facts, moment),
                      trust=lambda facts: check_trust(facts, None, None))
    question = _Question(purpose=None, strict=True, moment=moment, partial_chain=True,
                         check_ss_sig=False, level=0, ignore_critical=False, allow_proxy=False)
    faults = _until_the_end(_faults(path, question, lambda: iter(()), proven=True,
                                    trusts=lambda _: TRUSTED))
    return verdict_of(faults, tuple(facts.certificate for facts in path.chain))


def _until_the_end(found: Iterable[Fault]) -> list[Fault]:
    """The errors up to the first that ends a verification."""
    faults: list[Fault] = []
    for fault in found:
        faults.append(fault)
        if fault.code not in TOLERATED:
            break
    return faults


class _Question(NamedTuple):
    """The options of `verify` that concern each certificate of the path."""

    purpose: str | None
    strict: bool
    moment: datetime | None
    partial_chain: bool
    check_ss_sig: bool
    level: int
    ignore_critical: bool
    allow_proxy: bool


def _readable(certificates: Iterable[Certificate]) -> list[Facts]:
    """The facts of each certificate whose structure can be read."""
    facts = []
    for certificate in certificates:
        with suppress(InputError):
            facts.append(read_facts(certificate))
    return facts


def _store_faults(answer: list[Certificate] | Fault, faults: list[Fault],
                  ask: Callable[..., list[Certificate] | Fault]) -> list[Fault]:
    """The error that only the store finds, if no error so far ends the verification.

    OpenSSL checks name constraints last. Behind another error their error shows only if the store
    is asked to ignore the first error.
    """
    if faults and faults[-1].code not in TOLERATED:
        return []
    if not faults:
        return [answer] if isinstance(answer, Fault) else []
    again = ask(None, ignore_critical=True)
    return [again] if isinstance(again, Fault) and again.code in NAME_CONSTRAINTS else []


def _ask_store(certificate: Certificate, roots: Sequence[Certificate],
               untrusted: Sequence[Certificate], moment: datetime | None, *, partial_chain: bool,
               check_ss_sig: bool, ignore_critical: bool,
               allow_proxy: bool) -> list[Certificate] | Fault:
    """The path that OpenSSL finds and proves, or OpenSSL's first error."""
    from OpenSSL.crypto import (
        FILETYPE_ASN1,
        X509,
        Error,
        X509Store,
        X509StoreContext,
        X509StoreContextError,
        X509StoreFlags,
        dump_certificate,
    )

    def readable(certificates: Iterable[Certificate]) -> Iterator[X509]:
        # A certificate that cryptography loads and OpenSSL refuses does not count.
        for candidate in certificates:
            with suppress(Error):
                yield X509.from_cryptography(candidate)

    leaf = next(readable([certificate]), None)
    if leaf is None:
        return Fault(1, 0)
    store = X509Store()
    for root in readable(roots):
        store.add_cert(root)
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN * partial_chain
                    | X509StoreFlags.CHECK_SS_SIGNATURE * check_ss_sig
                    | X509StoreFlags.IGNORE_CRITICAL * ignore_critical
                    | X509StoreFlags.ALLOW_PROXY_CERTS * allow_proxy
                    | _NO_CHECK_TIME * (moment is None))
    if moment is not None:
        store.set_time(moment)
    context = X509StoreContext(store, leaf, [*readable(untrusted)])
    try:
        return [load_certificate(dump_certificate(FILETYPE_ASN1, verified))
                for verified in context.get_verified_chain()]
    except X509StoreContextError as error:
        code, depth, _ = error.errors
        return Fault(int(code), int(depth))


def _faults(path: CertificationPath, question: _Question,
            identity: Callable[[], Iterator[Fault]], *, proven: bool,
            trusts: Callable[[Facts], int]) -> Iterator[Fault]:
    """Every error in OpenSSL's order; a caller that reads on tolerates the error before."""
    if question.level > 0 and key_bits(path.chain[0].certificate) < LEVELS[question.level]:
        yield Fault(66, 0)
    if path.fault:
        yield path.fault
    yield from _extension_faults(path, question, trusts)
    yield from _strength_faults(path.chain, question.level)
    yield from identity()
    yield from _signature_faults(path.chain, question, proven=proven)


def _strength_faults(chain: Sequence[Facts], level: int) -> Iterator[Fault]:
    """check_auth_level: the keys of all issuers, and each signature but the root's own."""
    for depth, facts in enumerate(chain if level > 0 else ()):
        if depth and key_bits(facts.certificate) < LEVELS[level]:
            yield Fault(67, depth)
        if depth < len(chain) - 1 and signature_bits(facts.certificate) < LEVELS[level]:
            yield Fault(68, depth)


def _extension_faults(path: CertificationPath, question: _Question,
                      trusts: Callable[[Facts], int]) -> Iterator[Fault]:
    """check_extensions: critical extensions, CAs, strict rules, purpose, path length."""
    chain, strict = path.chain, question.strict
    issued = proxies = 0
    below: Facts | None = None
    for depth, facts in enumerate(chain):
        top, above_proxy = depth == len(chain) - 1, below is not None and below.proxy
        if facts.critical != facts.heeded and not question.ignore_critical:
            yield Fault(34, depth)
        if facts.proxy and not question.allow_proxy:
            yield Fault(40, depth)
        answer = check_ca(facts)
        if above_proxy:
            if answer:
                yield Fault(37, depth)
        elif ((strict and answer not in (0, 1)) if depth == 0
              else (not answer or (answer != 1 and (strict or not top)))):
            yield Fault(79, depth)
        if len(chain) > 1 and facts.key_algorithm is None:
            yield Fault(1, depth)
        if len(chain) > 1 and facts.explicit_curve:
            yield Fault(94, depth)
        if strict and len(chain) > 1:
            yield from (Fault(code, depth) for code, is_wrong in _STRICT if is_wrong(facts, top))
        if question.purpose is not None:
            trusted = trusts(facts) if depth >= len(chain) - path.trusted else 0
            purpose = OPENSSL_PURPOSES[question.purpose](facts, depth > 0 and not above_proxy)
            serves = purpose in ((1,) if strict else range(1, 6))
            if trusted == REJECTED or (trusted != TRUSTED and not serves):
                yield Fault(26, depth)
        if depth > 1 and facts.path_length is not None and issued > facts.path_length + proxies:
            yield Fault(25, depth)
        issued += depth > 0 and not facts.self_issued
        if facts.proxy:
            if facts.proxy_length is not None:
                if proxies > facts.proxy_length:
                    yield Fault(38, depth)
                proxies = facts.proxy_length
            proxies += 1
        below = facts


def _identity_faults(certificate: Certificate, hostname: str | None, address: bytes | None,
                     email: str | None) -> Iterator[Fault]:
    """check_id: the names that the leaf must have; an empty host name asks for nothing."""
    if hostname and not matches_host(certificate, hostname):
        yield Fault(62, 0)
    if email is not None and not matches_email(certificate, email):
        yield Fault(63, 0)
    if address is not None and not matches_ip(certificate, address):
        yield Fault(64, 0)


def _signature_faults(chain: Sequence[Facts], question: _Question, *,
                      proven: bool) -> Iterator[Fault]:
    """internal_verify: each signature from the top down, then each time.

    The signatures of a *proven* path are not checked again.
    """
    top = len(chain) - 1
    if not issues(chain[top], chain[top]) and not question.partial_chain:
        # The path ends without a root: its last certificate only checks the certificate below.
        if top == 0:
            yield Fault(21, 0)
        top -= 1
    for depth in range(top, -1, -1):
        facts, issuer = chain[depth], chain[min(depth + 1, len(chain) - 1)]
        own = issuer is facts
        if not own or (question.check_ss_sig and facts.self_signed):
            usage, code = ("digitalSignature", 39) if facts.proxy else ("keyCertSign", 32)
            if not (own and not facts.ca) and usage not in (issuer.key_usage or (usage,)):
                yield Fault(code, depth + (not own))
            if not proven and not (is_signed_by(facts.certificate, public_key(issuer.certificate))
                                   and facts.consistent):
                yield Fault(7, depth)
        if code := _time_fault(facts, question.moment):
            yield Fault(code, depth)


def _time_fault(facts: Facts, moment: datetime | None) -> int:
    """The bounds of 3.0: the first second is valid, the last is not; the dates must be strict."""
    if moment is None:
        return 0
    strict_start, strict_end = facts.strict_dates
    if not strict_start:
        return 13
    if moment < facts.not_before:
        return 9
    if not strict_end:
        return 14
    return 10 if moment >= facts.not_after else 0
