"""The plan as a POSIX shell script of plain openssl commands, for those who want to see each step, or take it.

What it makes differs from what apply makes in keys, serial numbers and dates alone: openssl 3.0 counts whole days, from
the moment at which it signs.
"""
from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from shlex import quote

from . import shell
from .signers import DAY, Signer, whole_days
from .steps import Steps, wait
from ..authority import span
from ..plan.plan import Plan

_USED = re.compile(rf"^ *({'|'.join(shell.FUNCTIONS)}) |\"(\$work)/", re.MULTILINE)


def script_of(plan: Plan) -> Iterator[str]:
    """The plan's steps as a script for sh, in pieces that each end with a line end; no secret is in it.

    Host after host is worked out, twice: first what the script is to look at before its first change, then the steps.
    Raises RefusedError where a CA ends before openssl's shortest certificate, InputError where only the key of a CA
    tells which certificate signs, and is encrypted.
    """
    signers = {name: Signer(plan, root) for name, root in plan.roots.items()}
    used, needed, signing = set[str](), set[str](), set[str]()
    shared = plan.shared()
    hosts = plan.hosts(shared)
    workspace = next(hosts)     # every host has been looked at now: a file that may not be read ends the script unbegun
    yield shell.HEAD
    begun = False
    for host in chain((workspace,), hosts):
        if not host.steps:
            continue
        if not begun:
            yield shell.START
            begun = True
        part = Steps(plan, signers, host)
        for piece in part.pieces():
            used.update(name for match in _USED.finditer(piece) for name in match.groups() if name)
        yield from part.looked_at()
        needed |= part.needed
        signing |= part.signing
    if not begun:
        yield "\n# There is nothing to do.\n"
        yield from (wait(one) for host in plan.hosts(shared) for one in host.waiting)
        return
    yield "END\n"
    for path in dict.fromkeys(_outside(signers, needed, signing)):
        yield f"[ -f {quote(path)} ] || stop {quote(f'{path}: is not there any more, nothing was changed')}\n"
    chosen = [signers[name] for name in signers if name in signing]
    yield from (one.checked() for one in chosen)
    yield from _about_days(plan, chosen)
    if "$work" in used or any(one.prepared() for one in signers.values()):
        yield shell.WORK
    yield shell.functions(used, locked=any(one.root.encrypted for one in chosen))
    yield shell.STEPS
    for host in plan.hosts(shared):
        yield from Steps(plan, signers, host).pieces()


def _outside(signers: Mapping[str, Signer], needed: Collection[str], signing: Collection[str]) -> Iterator[str]:
    """The files of the CAs that the steps read and do not make themselves."""
    for name in sorted({*needed, *signing}):
        root = signers[name].root
        if root.bundle is not None:
            yield root.certificate_path
            if root.can_sign or name in signing:
                yield root.key_path


def _about_days(plan: Plan, signers: list[Signer]) -> Iterator[str]:
    """What the script says of its dates."""
    validity = plan.cluster.validity
    if not signers:
        return
    days = whole_days(validity, plan.now)
    told = "" if validity == days * DAY else f" (the description says {span(validity)}; openssl counts whole days)"
    yield "\n" + shell.comment(f"Certificates are valid for {days} days from the moment they are made{told}.")
    yield from (shell.comment(f"{text}.") for text in filter(None, (one.told() for one in signers)))
