"""The path from a certificate to a root that vouches for it, built as OpenSSL 3.0 looks for it (build_chain)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .facts import Facts, issues
from .trust import REJECTED, UNTRUSTED
from .verdicts import Fault


@dataclass
class Path:
    """Certificates from the leaf up, the last *trusted* of them from the roots; *fault*: why there is no more."""

    chain: list[Facts]
    trusted: int = 0
    fault: Fault | None = None


def build_path(leaf: Facts, roots: Sequence[Facts], untrusted: Sequence[Facts], *, partial_chain: bool, depth: int,
               is_valid: Callable[[Facts], bool], trust: Callable[[Facts], int]) -> Path:
    """The path that openssl takes, or how far it gets.

    At each step a root that fits wins over an untrusted certificate, one that *is_valid* over one that is not, and then
    the first over the later; no step is gone back on. *depth* bounds what stands between leaf and root. *trust*
    says of a root whether it ends the path, or forbids it (see trust.py).
    """
    path, left = Path([leaf]), list(untrusted)
    while len(path.chain) <= depth + 1:
        current = path.chain[-1]
        root = _best(current, roots, is_valid)
        if root is not None and current.key_algorithm is None:
            return _ended(path, 1)
        if root is not None and current.self_signed:
            # A look-alike of a root is no root: only the very same certificate will do.
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
        above = None if current.self_signed or path.trusted else _best(current, left, is_valid, path.chain)
        if above is None:
            break
        left.remove(above)
        path.chain.append(above)
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


def _ended(path: Path, code: int) -> Path:
    path.fault = Fault(code, len(path.chain) - 1)
    return path


def _best(subject: Facts, candidates: Sequence[Facts], is_valid: Callable[[Facts], bool],
          chain: Sequence[Facts] | None = None) -> Facts | None:
    """The first candidate that may have issued *subject* and is valid, else the one that ended last.

    With *chain* a certificate that is in it already is passed over (but for a self-issued leaf's own copy).
    """
    best = None
    for one in candidates:
        if not issues(one, subject):
            continue
        if chain and not (subject.self_issued and len(chain) == 1) \
                and any(one.certificate == there.certificate for there in chain):
            continue
        if is_valid(one):
            return one
        if best is None or one.not_after > best.not_after:
            best = one
    return best
