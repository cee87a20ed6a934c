"""The typer application, with the commands that a line needs, and the run of a line."""
from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from importlib import import_module
from inspect import getdoc
from typing import Annotated

import typer
from typer.exceptions import TyperException
from typer.main import get_command
from typer.models import CommandInfo, TyperInfo

from . import terminal
from .command import HELP, Group, add, example
from .. import __version__
from ..errors import KpkiError

_EPILOG = """Exit status: 0 done or nothing wrong, 1 the answer is no, 2 kpki could not do it.
`kpki help COMMAND` shows the page of a command.

"""

_INTERRUPTED = 130

# Command → its examples. The command is the function of that name in the module of that name.
_COMMANDS: dict[str, tuple[str, ...]] = {
    "init": ("kpki init --from / cluster",),
    "check": ("kpki check / --node worker-1",),
    "doctor": ("kpki doctor", "kpki doctor --root /mnt --json"),
    "uses": ("kpki uses /",),
    "diagnose": ("journalctl -u kubelet | kpki diagnose",),
    "expiry": ("kpki expiry /", "kpki expiry / --format prometheus --out kpki.prom"),
    "probe": ("kpki probe 10.0.0.10:6443 --ca ca.crt", "kpki probe --root /"),
    "show": ("kpki show worker.pem --ca ca.pem",),
    "graph": ("kpki graph /", "kpki graph cluster --format svg --out cluster.svg"),
    "plan": ("kpki plan cluster",),
    "apply": ("kpki apply cluster",),
    "renew": ("kpki renew --within 30d", "kpki renew --all --root /"),
    "rotate": ("kpki rotate ca --status", "kpki rotate ca --to trust"),
    "sign": ("kpki sign requests --workspace ca",
             "kpki sign requests --ca ca.pem --ca-key ca-key.pem"),
    "script": ("kpki script cluster > script.sh",),
    "kubeconfig": ("kpki kubeconfig alice --group developers --out alice.conf",),
    "flags": ("kpki flags kubelet --node worker-1",),
    "node": (),
    "learn": ("kpki learn certificate", "kpki learn worker --tool kpki"),
    "explain": ("kpki explain csr", "kpki explain system:node"),
    "help": ("kpki help node issue",),
}
_MODULES = {"apply": "plan", "explain": "learn"}    # command → its module, if the names differ
_GROUP = "node"     # the application of its module, with commands of its own


def _show_version(asked: bool) -> None:
    if asked:
        terminal.put(f"kpki {__version__}")
        raise typer.Exit


def _options(version: Annotated[bool, typer.Option(
        "--version", callback=_show_version, is_eager=True,
        help="Show the version.")] = False) -> None:
    """The options of kpki itself."""


def application(name: str = "") -> typer.Typer:
    """The application: with the command *name* alone, or with all if no command has the name.

    A module of a command is imported if the application has the command. `help` needs all.
    """
    app = typer.Typer(
        name="kpki", cls=Group, context_settings=HELP, no_args_is_help=True, rich_markup_mode=None,
        pretty_exceptions_enable=False, callback=_options,
        epilog=_EPILOG + example("kpki check /", "kpki node issue worker-1 --example"),
        help="Makes, checks and repairs the certificates of a Kubernetes cluster, one openssl step "
             "at a time. Not for public web certificates, ACME, or running an online CA.")
    for command in [name] if name in _COMMANDS and name != "help" else _COMMANDS:
        module = import_module(f".{_MODULES.get(command, command)}", __package__)
        if command == _GROUP:
            app.add_typer(module.app, name=command)
        else:
            add(app, getattr(module, command), *_COMMANDS[command])
    return app


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
        command = get_command(_asked(application(argv[0] if argv else ""), argv))
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
