"""`kpki plan` and `kpki apply`: the steps for the cluster of a workspace."""
from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from .common import (
    ExplainOption,
    FolderArgument,
    JsonOption,
    PassinOption,
    QuietOption,
    Words,
    host_name,
    key_passphrase,
    put_json,
    span_of,
    waiting_document,
)
from .terminal import put
from ..clock import utc_now

if TYPE_CHECKING:
    from ..cluster.leaf_files import Step
    from ..cluster.offline.asking import Asked
    from ..cluster.plan.plan import HostPlan, Plan, Waiting

ExampleOption = Annotated[bool, typer.Option(
    "--example", help="First write the built-in cluster.yaml with three hosts.")]
RenewBeforeOption = Annotated[str | None, typer.Option(
    "--renew-before", metavar="SPAN",
    help="Renew also certificates that expire within this time (30d) or have a warning.")]

_DONE = {"create": "made", "replace": "replaced", "remove": "removed"}
Made = dict[str | None, Counter[str]]       # host → number of files made, replaced, removed
ChangedPaths = dict[str | None, set[str]]        # host → paths of these files
_MOST_HOSTS = 40        # lines of the closing table; more hosts have one line together


def plan(folder: FolderArgument = os.curdir, json: JsonOption = False,
         explain: ExplainOption = False, quiet: QuietOption = False) -> None:
    """Show the steps that apply would do, with their causes.

    Exit status 0: nothing to do; 1: a step to do, or a file waits for a CA's key.
    """
    from ..cluster.plan.of_workspace import plan_of
    words = Words(quiet=quiet)
    planned = plan_of(folder, now=utc_now(), host_name=host_name())
    found = planned.hosts(processes=None)
    hosts = list(found) if json else found
    if json:
        put_json({"steps": [_step(step) for host in hosts for step in host.steps],
                  "waiting": [waiting_document(file) for host in hosts for file in host.waiting]})
    todo = Counter[str]()
    for host in hosts:
        todo.update(step.action for step in host.steps)
        todo["wait"] += len(host.waiting)
        if not json:
            put(*_lines(host))
    if explain:
        _explain(planned, words)
    words.say(_summary(todo, folder))
    if any(todo.values()):
        raise typer.Exit(1)


def apply(folder: FolderArgument = os.curdir, example: ExampleOption = False,
          passin: PassinOption = None, renew_before: RenewBeforeOption = None,
          json: JsonOption = False, explain: ExplainOption = False,
          quiet: QuietOption = False) -> None:
    """Make missing files, repair faulty files, and leave right files in place.

    Replaced files stay under backup/. For a CA without its key, requests/ has the requests for
    `kpki sign`, and takes the answers. Exit status 0: done; 1: a file waits for a CA's key, or an
    answer is refused.
    """
    from ..cluster.leaf_files import Step
    from ..cluster.offline.asking import exchange
    from ..cluster.plan.apply import apply as carry_out
    from ..cluster.plan.of_workspace import held_plan
    from ..cluster.plan.plan import Waiting
    words, now, waiting, warnings = Words(quiet=quiet), utc_now(), list[Waiting](), list[str]()
    before = None if renew_before is None else span_of("--renew-before", renew_before)
    with held_plan(folder, example=example, renew_before=before,
                   passphrase=partial(key_passphrase, passin), now=now,
                   host_name=host_name(), warnings=warnings) as planned:
        if explain:
            _explain(planned, words)
        with _progress(len(planned.cluster.hosts), quiet=quiet) as done:
            steps = carry_out(planned, folder, now=now, done=done, waiting=waiting,
                              warnings=warnings)
            written, made, changed = list[Step](), Made(), ChangedPaths()
            for step in steps:
                made.setdefault(step.host, Counter())[step.action] += 1
                changed.setdefault(step.host, set()).add(step.path)
                if json:
                    written.append(step)
        asked = exchange(planned, folder, waiting, now=now, warnings=warnings)
        for step in asked.steps:
            made.setdefault(step.host, Counter())[step.action] += 1
            changed.setdefault(step.host, set()).add(step.path)
            written += [step] * json
        waiting = [*asked.waiting]
    words.warn(warnings)
    if json:
        put_json({"written": [
            {"host": step.host, "path": step.path, "row": step.row, "action": step.action}
            for step in written], "waiting": [waiting_document(file) for file in waiting]})
    else:
        put(*_made(made))
        words.say(*_next(made, waiting, folder), *asked_lines(asked, folder),
                  *_restarts(changed, planned))
    if waiting or asked.refused:
        raise typer.Exit(1)


def asked_lines(asked: Asked, folder: str) -> Iterator[str]:
    """The answers that gave nothing, and the requests for a CA elsewhere."""
    yield from (f"kpki: {sentence}" for sentence in asked.refused)
    if asked.requests:
        bundle = os.path.normpath(os.path.join(folder, "requests"))
        plural = "s" * (asked.requests != 1)
        yield f"kpki: {asked.requests} request{plural} in {bundle}, sha256 {asked.digest}"
        yield f"next: copy {bundle} to the CA, and there: kpki sign requests"


def _step(step: Step) -> dict[str, object]:
    return {"action": step.action, "host": step.host, "path": step.path, "row": step.row,
            "causes": list(step.causes)}


def _lines(host: HostPlan) -> Iterator[str]:
    """A host's steps, under its name."""
    steps = host.steps
    if not steps and not host.waiting:
        return
    yield host.host or "(workspace)"
    paths = [*(step.path for step in steps), *(file.path for file in host.waiting)]
    width = max(map(len, paths))
    for step in steps:
        yield f"  {step.action:<8} {step.path:<{width}}  {', '.join(step.causes)}"
    for file in host.waiting:
        yield f"  {'wait':<8} {file.path:<{width}}  needs {file.needs}"


def _summary(todo: Counter[str], folder: str) -> str:
    counts = ", ".join(f"{count} to {action}" for action, count in todo.items() if count
                       and action != "wait")
    waits = f"{todo['wait']} waiting for a CA's key" if todo["wait"] else ""
    summary = ", ".join(filter(None, (counts, waits))) or "nothing to do"
    next_step = f"; {_command('apply', folder)} does it" if counts else ""
    return f"kpki: {folder}: {summary}{next_step}"


def _command(name: str, folder: str) -> str:
    """The command line of a command for this workspace."""
    from shlex import quote
    return f"kpki {name}" if folder == os.curdir else f"kpki {name} {quote(folder)}"


def _explain(planned: Plan, words: Words) -> None:
    from ..cluster.script.script import script_of
    words.say(
        "kpki compares the files that the description asks for with the existing files. The same "
        "steps by hand, as kpki script prints them:",
        *(line for piece in script_of(planned) for line in piece.removesuffix("\n").split("\n")))


def _restarts(changed: ChangedPaths, planned: Plan) -> Iterator[str]:
    """The restarts that follow when the files are installed."""
    from ..cluster.plan.of_workspace import restarts
    from ..kubernetes.restarts import of_layout
    static = planned.wanted.layout.static_pods
    for components, names in restarts(planned, changed).items():
        where = f"{len(names)} hosts" if len(names) > _MOST_HOSTS else ", ".join(names)
        yield f"      then, on {where}:"
        yield from (f"        {line}" for line in of_layout(components, lambda _: static))


def _made(made: Made) -> Iterator[str]:
    """The closing table: a line per host, or one line for the hosts of a fleet."""
    if not made:
        return
    rows = [(host or "(workspace)", counts) for host, counts in made.items()]
    if len(rows) > _MOST_HOSTS:
        fleet = [counts for host, counts in rows[1:]]
        rows = [rows[0], (f"{len(fleet)} hosts", sum(fleet, Counter()))]
    width = max(len(name) for name, _ in rows)
    actions = [action for action in _DONE if any(counts[action] for _, counts in rows)]
    yield f"{'host':<{width}}" + "".join(f"  {_DONE[action]:>8}" for action in actions)
    for name, counts in rows:
        yield f"{name:<{width}}" + "".join(f"  {counts[action] or '-':>8}" for action in actions)


def _waits(waiting: list[Waiting]) -> dict[tuple[str, str], list[str | None]]:
    """The hosts of each waiting file (path, and the key that the file needs)."""
    waits: dict[tuple[str, str], list[str | None]] = {}
    for file in waiting:
        waits.setdefault((file.path, file.needs), []).append(file.host)
    return waits


def _next(made: Made, waiting: list[Waiting], folder: str) -> Iterator[str]:
    for (path, needs), hosts in _waits(waiting).items():
        names = [f"{len(hosts)} hosts"] if len(hosts) > _MOST_HOSTS \
            else [host or "workspace" for host in hosts]
        yield from (f"kpki: {name}: {path} waits for {needs}" for name in names)
    if not made:
        yield f"kpki: {folder}: everything was right already" if not waiting \
            else f"kpki: {folder}: nothing else to do"
        return
    from shlex import quote
    host = next((host for host in made if host), None)
    if host:
        tree = os.path.normpath(os.path.join(folder, "nodes", host))
        where = "" if folder == os.curdir else f" --workspace {quote(folder)}"
        yield (f"next: kpki flags kubelet --node {host}{where}   "
               "# and so for each component and host")
        yield f"      copy {tree} to {host}, and there: kpki node install {host} --node {host}"


@contextmanager
def _progress(hosts: int, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar with rate and time left, on a terminal, for more than one host."""
    if quiet or not sys.stderr.isatty() or hosts < 2:
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    stream: TextIO = sys.stderr
    # auto_refresh starts a thread, and kpki forks processes while the bar is shown
    with Progress(TextColumn("hosts"), BarColumn(), MofNCompleteColumn(),
                  TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
                  console=Console(file=stream), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("hosts", total=hosts, rate="")

        def done(count: int, total: int) -> None:
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(task, completed=count, total=total, rate=f"{speed:.0f}/s" if speed else "")
            bar.refresh()
        yield done
