"""The typer application: every command but openssl's verbs."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from inspect import getdoc
from typing import Annotated

import typer
from typer.exceptions import TyperException
from typer.main import get_command
from typer.models import CommandInfo, TyperInfo

from . import (
    check,
    diagnose,
    doctor,
    expiry,
    flags,
    graph,
    help,
    init,
    kubeconfig,
    learn,
    node,
    plan,
    probe,
    renew,
    rotate,
    script,
    show,
    sign,
    terminal,
    uses,
)
from .command import HELP, Group, add, example
from .. import __version__
from ..errors import KpkiError

_EPILOG = """Exit status: 0 done or nothing wrong, 1 the answer is no, 2 kpki could not do it.
`kpki help COMMAND` shows the page of a command.

"""

_INTERRUPTED = 130

app = typer.Typer(
    name="kpki", cls=Group, context_settings=HELP, no_args_is_help=True, rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=_EPILOG + example("kpki check /", "kpki node issue worker-1 --example"),
    help="Makes, checks and repairs the certificates of a Kubernetes cluster, one openssl step at "
         "a time. Not for public web certificates, ACME, or running an online CA.")
add(app, init.init, "kpki init --from / cluster")
add(app, check.check, "kpki check / --node worker-1")
add(app, doctor.doctor, "kpki doctor", "kpki doctor --root /mnt --json")
add(app, uses.uses, "kpki uses /")
add(app, diagnose.diagnose, "journalctl -u kubelet | kpki diagnose")
add(app, expiry.expiry, "kpki expiry /", "kpki expiry / --format prometheus --out kpki.prom")
add(app, probe.probe, "kpki probe 10.0.0.10:6443 --ca ca.crt", "kpki probe --root /")
add(app, show.show, "kpki show worker.pem --ca ca.pem")
add(app, graph.graph, "kpki graph /", "kpki graph cluster --format svg --out cluster.svg")
add(app, plan.plan, "kpki plan cluster")
add(app, plan.apply, "kpki apply cluster")
add(app, renew.renew, "kpki renew --within 30d", "kpki renew --all --root /")
add(app, rotate.rotate, "kpki rotate ca --status", "kpki rotate ca --to trust")
add(app, sign.sign, "kpki sign requests --workspace ca",
    "kpki sign requests --ca ca.pem --ca-key ca-key.pem")
add(app, script.script, "kpki script cluster > script.sh")
add(app, kubeconfig.kubeconfig, "kpki kubeconfig alice --group developers --out alice.conf")
add(app, flags.flags, "kpki flags kubelet --node worker-1")
app.add_typer(node.app, name="node")
add(app, learn.learn, "kpki learn certificate", "kpki learn worker --tool kpki")
add(app, learn.explain, "kpki explain csr", "kpki explain system:node")
add(app, help.help, "kpki help node issue")


def _show_version(asked: bool) -> None:
    if asked:
        terminal.put(f"kpki {__version__}")
        raise typer.Exit


@app.callback()
def _options(version: Annotated[bool, typer.Option(
        "--version", callback=_show_version, is_eager=True,
        help="Show the version.")] = False) -> None:
    """The options of kpki itself."""


def _asked(app: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """An application with what a line needs: typer builds each command anew, which is slow.

    A line that names a command needs that command; a page that lists the commands needs no options
    of theirs. For `help`, and for a line that names no command, the application has all commands.
    """
    name, asked = words[0] if words else "", copy(app)
    if name in HELP["help_option_names"]:
        asked.registered_commands = [*map(_listed, app.registered_commands)]
        asked.registered_groups = [_asked_of(group, words) for group in app.registered_groups]
        return asked
    asked.registered_commands = [command for command in app.registered_commands
                                 if command.name == name != "help"]
    asked.registered_groups = [_asked_of(group, words[1:]) for group in app.registered_groups
                               if group.name == name]
    return asked if asked.registered_commands or asked.registered_groups else app


def _asked_of(group: TyperInfo, words: Sequence[str]) -> TyperInfo:
    """A group with what the words after its name need."""
    asked = copy(group)
    if group.typer_instance:
        asked.typer_instance = _asked(group.typer_instance, words)
    return asked


def _listed(command: CommandInfo) -> CommandInfo:
    """A command with its name and its help, without arguments and options."""
    listed = copy(command)
    listed.help, listed.callback = getdoc(command.callback), _never_run
    return listed


def _never_run() -> None:
    """The function of a command that is only listed."""


def run_app(argv: Sequence[str]) -> int:
    """Run one command and return its exit status; 2 for a usage error, with a message.

    Without a command the help page is printed. A shell that completes a line names no command
    either: the line is in the environment.
    """
    try:
        command = get_command(_asked(app, argv))
        status = command(args=list(argv or ["--help"]), standalone_mode=False, prog_name="kpki")
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":     # its message is the help page
            terminal.say(*error.format_message().split("\n"))
        else:
            terminal.say_error(KpkiError(error.format_message()))
        return 2
    except typer.Abort:
        status = _INTERRUPTED
    if status == _INTERRUPTED:      # typer turns the interrupt into this status, and says nothing
        terminal.say("kpki: interrupted")
    return int(status or 0)


def pages() -> Iterator[tuple[str, str]]:
    """The manual pages and the shells' scripts of a package, by their paths below its prefix."""
    from .man import manuals
    from .shells import PLACES, script_of
    root = typer.main.get_command(app)
    assert isinstance(root, Group)
    yield from ((f"share/man/man1/{name}", text) for name, text in manuals(root).items())
    yield from ((place, script_of(shell)) for shell, place in PLACES.items())
