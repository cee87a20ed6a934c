"""`kpki rotate`: exchange a CA, or the key of the service accounts, in phases."""
from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import (
    ExplainOption,
    JsonOption,
    PassinOption,
    QuietOption,
    Words,
    columns,
    host_name,
    key_passphrase,
    put_json,
)
from .renew import WorkspaceOption
from .terminal import put
from ..clock import utc_now
from ..errors import InputError

if TYPE_CHECKING:
    from ..cluster.lifecycle.exchange_status import ExchangeStatus, Fleet, HostExchange
    from ..cluster.lifecycle.following import Following
    from ..cluster.lifecycle.holding import Anchor
    from ..cluster.lifecycle.host_exchange import PhaseTarget
    from ..cluster.lifecycle.rotate import Rotation

_AUTHORITIES = ("ca", "etcd-ca", "front-proxy-ca", "service-accounts")
PHASES = ("trust", "switch", "forget", "publish", "sign", "retire")
AuthorityArgument = Annotated[str, typer.Argument(
    metavar="AUTHORITY", autocompletion=lambda: _AUTHORITIES,
    help="What is exchanged: ca, etcd-ca, front-proxy-ca or service-accounts.")]
ToOption = Annotated[str | None, typer.Option(
    "--to", metavar="PHASE", autocompletion=lambda: PHASES,
    help="Do this phase: trust, switch or forget; of service-accounts publish, sign or retire.")]
StatusOption = Annotated[bool, typer.Option("--status", help=(
    "Say what each host trusts and presents, its phase, and the next step; change nothing."))]
BackOption = Annotated[bool, typer.Option("--back", help="Go one phase back.")]
DryRunOption = Annotated[bool, typer.Option(
    "--dry-run", help="Say what would change; change nothing.")]
_MOST_HOSTS = 40    # lines of a table, or names in a line; more hosts are counted


def rotate(authority: AuthorityArgument, to: ToOption = None, status: StatusOption = False,
           back: BackOption = False, dry_run: DryRunOption = False,
           workspace: WorkspaceOption = os.curdir, passin: PassinOption = None,
           json: JsonOption = False, explain: ExplainOption = False,
           quiet: QuietOption = False) -> None:
    """Exchange a CA, or the service accounts' key, in phases.

    The present phase is finished, or the next is begun: first all hosts trust the new CA beside the
    old, then the new CA signs, then the old is forgotten. The state is read from the files. Exit
    status 0: done, or nothing to do; 1: a host would be cut off, so nothing was changed.
    """
    from .node_steps import block
    from ..cluster.desired.rows import tree_prefix
    from ..cluster.lifecycle.exchange_by_hand import phase_commands
    from ..cluster.lifecycle.exchange_status import read_exchange
    from ..cluster.lifecycle.rotate import carry_out
    from ..cluster.lifecycle.tree_by_hand import saved
    from ..cluster.workspace import BACKUP
    words, warnings = Words(quiet=quiet), list[str]()
    if status:
        if to is not None or back or dry_run:
            raise InputError("--status changes nothing", hint="leave out the other options")
        found = read_exchange(workspace, authority, now=utc_now(), host_name=host_name())
        _show(found, workspace, words, json=json)
        if found.cut_off:
            raise typer.Exit(1)
        return
    commands = list[str]()

    def tell(fleet: Fleet, target: PhaseTarget, phase: int) -> None:
        commands.extend(phase_commands(fleet, target, phase, passin))

    done = carry_out(workspace, authority, to=to, back=back, dry_run=dry_run,
                     passphrase=partial(key_passphrase, passin), now=utc_now(),
                     host_name=host_name(), warnings=warnings, tell=tell if explain else None)
    words.warn(warnings)
    if json:
        put_json({**_document(done.status, workspace, done.blocked, done.following),
                  "written": [{"host": step.host, "path": step.path, "row": step.row,
                               "action": step.action} for step in done.steps]})
    else:
        put(*(f"{f'{step.host}: ' if step.host else ''}{step.path}"
              f"{' removed' if step.action == 'remove' else ''}" for step in done.steps))
    if explain:
        words.say(*_EXPLAINED)
        if commands:
            old = [tree_prefix(step.host) + step.path for step in done.steps
                   if step.action != "create"]
            words.say(*block([*saved(workspace, old, BACKUP), *commands]))
    words.say(*_closing(done, workspace, dry_run=dry_run))
    if done.blocked:
        raise typer.Exit(1)


def _show(found: ExchangeStatus, workspace: str, words: Words, *, json: bool) -> None:
    """The state of an exchange."""
    from ..cluster.lifecycle.exchange_status import phase_number
    from ..cluster.lifecycle.following import looks
    following = [] if found.behind else [*looks(found.authority, phase_number(found))]
    if json:
        put_json(_document(found, workspace, (), following))
        return
    put(*_table(found))
    words.say(*_state(found), *_lines(following), *_next(found, workspace))


def _document(found: ExchangeStatus, workspace: str, blocked: Sequence[str],
              following: Sequence[Following]) -> dict[str, Any]:
    def anchors(several: Sequence[Anchor]) -> list[dict[str, str | None]]:
        return [{"subject": anchor.subject or None, "key": anchor.key} for anchor in several]
    return {"authority": found.authority, "phase": found.phase,
            "old": anchors([found.old])[0], "new": anchors([found.new])[0] if found.new else None,
            "hosts": [{"host": host.host, "phase": host.phase, "trusts": anchors(host.trusts),
                       "presents": anchors(host.presents), "strange": [*host.strange]}
                      for host in found.hosts],
            "behind": [name or None for name in found.behind],
            "late": [name or None for name in found.late],
            "cut_off": [name or None for name in found.cut_off],
            "next": [{"what": step.what, "hosts": [*step.hosts], "commands": [*step.commands]}
                     for step in following] + [{"what": line, "hosts": [], "commands": []}
                                               for line in _next(found, workspace)],
            "blocked": [*blocked]}


def _table(found: ExchangeStatus) -> Iterator[str]:
    """A line for each host, or for all hosts of one state."""
    def called(anchors: Sequence[Anchor]) -> str:
        names = {found.old: "old", **({found.new: "new"} if found.new else {})}
        return " ".join(sorted(names.get(anchor, "other") for anchor in anchors)) or "-"

    def cells(host: HostExchange, name: str) -> tuple[str, ...]:
        return name, host.phase, called(host.trusts), called(host.presents)

    yield f"old  {_anchor(found.old)}"
    if found.new:
        yield f"new  {_anchor(found.new)}"
    rows = [cells(host, host.host or "(workspace)") for host in found.hosts]
    if len(rows) > _MOST_HOSTS:
        count = Counter(cells(host, "")[1:] for host in found.hosts if host.host)
        rows = [rows[0], *((f"{number} host{'s' * (number != 1)}", *state)
                           for state, number in count.items())]
    yield from ("  ".join(line).rstrip()
                for line in columns([("HOST", "PHASE", "TRUSTS", "PRESENTS"), *rows]))
    for host in found.hosts:
        yield from (f"{host.host or '(workspace)'}: {line}" for line in host.strange)


def _anchor(anchor: Anchor) -> str:
    return f"{anchor.subject}  {anchor.key}".strip()


def _state(found: ExchangeStatus) -> Iterator[str]:
    """The phase, and the hosts that are not in it."""
    count = len(found.hosts) - 1
    yield (f"kpki: {found.authority}: phase {found.phase}, "
           f"{count} host{'s' * (count != 1)}")
    for names, what in ((found.cut_off, "cut off, for they refuse what others present"),
                        (found.late, "late, for they have missed a phase"),
                        (found.behind, "not done in this phase")):
        if names:
            yield f"kpki: {_listed(names)}: {what}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_HOSTS
    text = ", ".join(name or "(workspace)" for name in names[:_MOST_HOSTS])
    return f"{text} and {more} more" if more > 0 else text


def _next(found: ExchangeStatus, workspace: str) -> Iterator[str]:
    """The command for the next step."""
    from shlex import quote
    place = "" if workspace == os.curdir else f" --workspace {quote(workspace)}"
    if not found.next:
        yield f"next: nothing; the exchange of {found.authority} is done"
    else:
        option = "--back" if found.next == "before" else f"--to {found.next}"
        yield f"next: kpki rotate {found.authority} {option}{place}"


def _closing(done: Rotation, workspace: str, *, dry_run: bool) -> Iterator[str]:
    """What was done or refused, and what people do now."""
    found = done.status
    if done.blocked:
        yield from (f"kpki: {line}" for line in done.blocked)
        yield "kpki: nothing was changed"
    elif not done.steps:
        yield f"kpki: {found.authority}: nothing to do in phase {found.phase}"
    elif dry_run:
        yield (f"kpki: {len(done.steps)} file{'s' * (len(done.steps) != 1)} would change; "
               "nothing was changed")
    else:
        yield from _state(found)
    yield from _lines(done.following)
    if not dry_run or done.blocked:
        yield from _next(found, workspace)


def _lines(following: Sequence[Following]) -> Iterator[str]:
    for number, step in enumerate(following, 1):
        where = f"{len(step.hosts)} hosts" if len(step.hosts) > _MOST_HOSTS \
            else ", ".join(step.hosts)
        yield f"{number:>2}. {step.what}" + (f", on {where}" if where else "")
        yield from (f"      {command}" for command in step.commands)


_EXPLAINED = (
    "kpki rotate makes a second CA, with a name and a key of its own, or a second key of the",
    "service accounts. First all hosts trust both. Then the new one signs: each leaf is signed",
    "anew, for its own key. Then the old one leaves every file. A phase begins only if each host",
    "trusts what any host presents, before the phase and after the phase.")
