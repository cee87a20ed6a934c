"""`kpki help`: the page of a command, on the terminal or as a manual page."""
from __future__ import annotations

from typing import Annotated

import typer

from . import completion
from .command import find
from .common import ExplainOption
from .terminal import put, put_document, say

CommandArgument = Annotated[list[str], typer.Argument(
    metavar="COMMAND", autocompletion=completion.commands,
    help="A command of kpki or a verb of openssl.")]
ManOption = Annotated[bool, typer.Option(
    "--man", help="Print the manual page, in roff, for `man -l -`.")]


def help(ctx: typer.Context, command: CommandArgument = [], man: ManOption = False,
         explain: ExplainOption = False) -> None:
    """Show the help page of a command."""
    if explain:
        say("kpki help stands for no openssl command: it makes the page from the command's own",
            "options. openssl's own page of a verb is `man openssl-x509`.")
    page = find(ctx.parent, command)
    if man:
        from .man import manual
        put_document(manual(page))
    else:
        put(*page.command.get_help(page).split("\n"))
