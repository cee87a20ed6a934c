"""Everything that is not openssl's: the typer application, and what its commands share."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from .. import __version__
from . import check, flags, init, kubeconfig, node, plan, script, show, terminal, uses
from .parameters import take_text_as_it_is

_EPILOG = """openssl's verbs run here too, with openssl's options: genrsa genpkey ecparam rsa ec pkey req x509 verify
(kpki VERB -help lists them). Exit status: 0 done or nothing wrong, 1 the answer is no, 2 kpki could not do it."""

_INTERRUPTED = 130

app = typer.Typer(
    name="kpki", add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, epilog=_EPILOG,
    help="Makes, checks and repairs the certificates of a Kubernetes cluster, one openssl step at a time. "
         "Not for public web certificates, ACME, or running an online CA.")
app.add_typer(node.app, name="node", help="A node's certificate: issue, or request, sign and install it.")
app.command("init")(init.init)
app.command("check")(check.check)
app.command("uses")(uses.uses)
app.command("show")(show.show)
app.command("plan")(plan.plan)
app.command("apply")(plan.apply)
app.command("script")(script.script)
app.command("kubeconfig")(kubeconfig.kubeconfig)
app.command("flags")(flags.flags)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        terminal.put(f"kpki {__version__}")
        raise typer.Exit(0)


def run_app(argv: Sequence[str]) -> int:
    """Run one command; its exit status. A usage error is a message and 2."""
    command = get_command(app)
    take_text_as_it_is(command)
    try:
        status = command(args=list(argv), standalone_mode=False, prog_name="kpki")
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":     # its message is the help page
            terminal.say(*error.format_message().split("\n"))
        else:
            terminal.note(f"kpki: {error.format_message()}")
        return 2
    except typer.Abort:
        status = _INTERRUPTED
    if status == _INTERRUPTED:      # typer turns the interrupt into this status, and says nothing
        terminal.say("kpki: interrupted")
    return int(status or 0)
