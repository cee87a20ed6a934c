"""The path from a certificate to a trusted root, as OpenSSL 3.0 builds it (build_chain)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .facts import Facts, issues
from .trust import REJECTED, UNTRUSTED
from .verdicts import Fault


@dataclass
class CertificationPath:
    """A path from a certificate towards a root."""

    chain: list[Facts]
    """The certificates from the leaf up."""
    trusted: int = 0
    """How many certificates at the end of *chain* are roots."""
    fault: Fault | None = None
    """Why the path is not complete, None if it is complete."""


def build_path(leaf: Facts, roots: Sequence[Facts], untrusted: Sequence[Facts], *,
               partial_chain: bool, depth: int, is_valid: Callable[[Facts], bool],
               trust: Callable[[Facts], int]) -> CertificationPath:
    """The path that openssl finds, or the part that openssl finds.

    At each step a root wins over an untrusted certificate. Then a certificate that *is_valid* wins
    over one that is not, and at last the first over the later. No step is undone. *depth* bounds
    the certificates between leaf and root. *trust* says of a root whether it ends the path, or
    forbids the path (see trust.py).
    """
    path, left = CertificationPath([leaf]), list(untrusted)
    while len(path.chain) <= depth + 1:
        current = path.chain[-1]
        root = _best(current, roots, is_valid)
        if root is not None and current.key_algorithm is None:
            return _ended(path, 1)
        if root is not None and current.self_signed:
            # Only the same certificate is a root; another one with the same names is none.
            root = root if root.certificate == current.certificate else None
            path.trusted += root is not None
        elif root is not None:
            path.chain.append(root)
            path.trusted += 1
        if root is not None:
            answer = trust(root)
            if answer == REJECTED:
                return _ended(path, 28)
            if answer != UNTRUSTED or partial_chain:
                return path
            left = []
            continue
        issuer = None
        if not (current.self_signed or path.trusted):
            issuer = _best(current, left, is_valid, path.chain)
        if issuer is None:
            break
        left.remove(issuer)
        path.chain.append(issuer)
    too_long = len(path.chain) > depth + 1
    same = next((root for root in roots if leaf.certificate == root.certificate), None)
    if partial_chain and not too_long and same is not None:
        path.trusted = len(path.chain)
        if trust(same) == REJECTED:
            path.fault = Fault(28, 0)
        return path
    if too_long:
        return _ended(path, 22)
    if path.chain[-1].self_signed:
        return _ended(path, 18 if len(path.chain) == 1 else 19)
    return _ended(path, 2 if path.trusted else 20)


def _ended(path: CertificationPath, code: int) -> CertificationPath:
    path.fault = Fault(code, len(path.chain) - 1)
    return path


def _best(subject: Facts, candidates: Sequence[Facts], is_valid: Callable[[Facts], bool],
          chain: Sequence[Facts] | None = None) -> Facts | None:
    """The first valid candidate that may have issued *subject*, else the one that ended last.

    A certificate of *chain* is not considered again, but for a self-issued leaf's own copy.
    """
    best = None
    for candidate in candidates:
        if not issues(candidate, subject):
            continue
        if chain and not (subject.self_issued and len(chain) == 1) \
                and any(candidate.certificate == member.certificate for member in chain):
            continue
        if is_valid(candidate):
            return candidate
        if best is None or candidate.not_after > best.not_after:
            best = candidate
    return best
