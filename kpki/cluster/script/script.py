"""The plan as a POSIX shell script of plain openssl commands, for people to read or run.

The script's files differ from apply's in keys, serial numbers and dates only. openssl 3.0 counts
whole days, from the moment of signing.
"""
from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from shlex import quote

from . import shell
from .signers import DAY, ScriptAuthority, whole_days
from .steps import Steps, wait
from ..authority import span
from ..plan.plan import Plan

_USED = re.compile(rf"^ *({'|'.join(shell.FUNCTIONS)}) |\"(\$work)/", re.MULTILINE)


def script_of(plan: Plan) -> Iterator[str]:
    """The plan's steps as a script for sh without secrets, in pieces of whole lines.

    Each host is computed twice: first the checks before the first change, then the steps. Raises
    RefusedError for a CA that expires within openssl's shortest validity, one day. Raises
    InputError for a bundle whose signer only an encrypted key could determine.
    """
    signers = {name: ScriptAuthority(plan, root) for name, root in plan.roots.items()}
    used, needed, signing = set[str](), set[str](), set[str]()
    surveyed = plan.survey()
    hosts = plan.hosts(surveyed)
    # the first item has read every host: a file that nobody may read raises before the head
    workspace = next(hosts)
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
        yield from part.preconditions()
        needed |= part.needed
        signing |= part.signing
    if not begun:
        yield "\n# There is nothing to do.\n"
        yield from (wait(row) for host in plan.hosts(surveyed) for row in host.waiting)
        return
    yield "END\n"
    for path in dict.fromkeys(_ca_files(signers, needed, signing)):
        message = quote(f"{path}: the file is missing, nothing was changed")
        yield f"[ -f {quote(path)} ] || stop {message}\n"
    chosen = [signers[name] for name in signers if name in signing]
    yield from (signer.end_check() for signer in chosen)
    yield from _days_comments(plan, chosen)
    if "$work" in used or any(signer.preparation() for signer in signers.values()):
        yield shell.WORK
    yield shell.functions(used, locked=any(signer.root.encrypted for signer in chosen))
    yield shell.STEPS
    for host in plan.hosts(surveyed):
        yield from Steps(plan, signers, host).pieces()


def _ca_files(signers: Mapping[str, ScriptAuthority], needed: Collection[str],
              signing: Collection[str]) -> Iterator[str]:
    """The CAs' existing files that the steps read."""
    for name in sorted({*needed, *signing}):
        root = signers[name].root
        if root.bundle is not None:
            yield root.certificate_path
            if root.can_sign or name in signing:
                yield root.key_path


def _days_comments(plan: Plan, signers: list[ScriptAuthority]) -> Iterator[str]:
    """The script's comments about the validity of its certificates."""
    validity = plan.cluster.validity
    if not signers:
        return
    days = whole_days(validity, plan.now)
    note = "" if validity == days * DAY \
        else f" (the description says {span(validity)}; openssl counts whole days)"
    yield "\n" + shell.comment(
        f"Certificates are valid for {days} days from the moment they are made{note}.")
    yield from (shell.comment(f"{text}.")
                for text in filter(None, (signer.days_note() for signer in signers)))
