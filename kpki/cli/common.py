"""What several commands share: options, words on stderr, and times."""
from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import completion, terminal
from ..clock import utc_now
from ..errors import InputError

if TYPE_CHECKING:
    from ..cluster.plan.host_plan import Waiting

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
ExplainOption = Annotated[bool, typer.Option(
    "--explain", help="Say what happens and why, with the openssl commands.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print only the result and errors.")]
AtOption = Annotated[str | None, typer.Option(
    "--at", metavar="TIME", help="Check at this time (now): 2026-12-31T23:59:59Z.")]
CaOption = Annotated[str | None, typer.Option(
    "--ca", metavar="CERT", help="The cluster's CA certificate, or a bundle.")]
CaKeyOption = Annotated[str | None, typer.Option(
    "--ca-key", metavar="KEY", help="The CA's private key: a file, or a URI pkcs11:… of a token.")]
PassinOption = Annotated[str | None, typer.Option("--passin", metavar="SRC", help=(
    "Passphrase of the CA key, or PIN of its token: pass:TEXT, env:NAME, file:PATH, fd:N or "
    "stdin."))]
AddressOption = Annotated[list[str], typer.Option(
    "--address", metavar="IP", help="An address of the node; repeatable.")]
DnsOption = Annotated[list[str], typer.Option(
    "--dns", metavar="NAME", help="A further DNS name of the node; repeatable.")]
ServerOption = Annotated[str | None, typer.Option(
    "--server", metavar="URL", help="The API server's URL, for the kubeconfig.")]
DaysOption = Annotated[int | None, typer.Option(
    "--days", metavar="N", help="The validity of the certificate (the description's, else 365).")]
AlgorithmOption = Annotated[str | None, typer.Option(
    "--algorithm", metavar="A", autocompletion=completion.algorithms,
    help="The key's algorithm: RSA-2048, RSA-3072, RSA-4096, ECDSA-P256, ECDSA-P384.")]
LayoutOption = Annotated[str | None, typer.Option(
    "--layout", metavar="L", autocompletion=completion.layouts,
    help="The files' layout: kubeadm, ssl or hard-way (the description's, the layout of the "
         "existing files, else ssl).")]
OutOption = Annotated[str, typer.Option(
    "--out", metavar="DIR", help="The folder of the nodes' trees.")]
FolderArgument = Annotated[str, typer.Argument(
    metavar="DIR", help="The workspace: the folder with cluster.yaml.")]
PathArgument = Annotated[str | None, typer.Argument(metavar="PATH", help=(
    "A workspace, a host's root tree, a folder or a file (this folder, if it is a workspace, else "
    "/)."))]
RootOption = Annotated[str, typer.Option("--root", metavar="DIR", help="The node's root folder.")]
OutFileOption = Annotated[str | None, typer.Option("--out", metavar="FILE", help=(
    "Write the answer to this file, whole or not at all."))]
WITHIN = timedelta(days=30)     # what ends in this time has a colour


class Words:
    """The words on stderr; none with `--quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet

    def say(self, *lines: str) -> None:
        """Print sentences and commands."""
        if not self.quiet:
            terminal.say(*lines)

    def warn(self, lines: Sequence[str]) -> None:
        """Print warnings, which stop nothing."""
        if not self.quiet:
            terminal.note(*(f"kpki: warning: {line}" for line in lines))


def put_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout."""
    terminal.put(*json_lines(document))


def put_or_write(lines: Iterable[terminal.TerminalLine], out: str | None, words: Words) -> None:
    """Print the lines of an answer, or write them to the file *out*."""
    if out is None:
        for line in lines:
            terminal.put(line)
        return
    from .. import files
    text = "".join(f"{line if isinstance(line, str) else ''.join(map(str, line))}\n"
                   for line in lines)
    warnings = list[str]()
    files.write_output(out, text.encode(), warnings=warnings)
    words.warn(warnings)


def json_lines(document: dict[str, Any]) -> list[str]:
    """The lines of a JSON document."""
    import json
    return json.dumps(document, indent=2).split("\n")


def place_of(path: str | None) -> str:
    """*path*; without one this folder, if the folder is a workspace, else /."""
    from .. import files
    from ..cluster.workspace import DESCRIPTION
    if path is not None:
        return path
    return os.sep if files.read_entry(os.curdir, DESCRIPTION).kind == "missing" else os.curdir


def place_in(path: str, host: str | None, file: str) -> str:
    """The path of a file of the place *path*: of a host's tree, if a host is named.

    A place inside a kubeconfig (`#users/…`) is left out.
    """
    from .. import files
    from ..cluster.desired.rows import NODES_FOLDER
    file = file.partition("#")[0]
    if files.read_entry_at(path).kind != "folder":      # the place is the file itself
        return path
    return os.path.join(path, NODES_FOLDER, host, file) if host else os.path.join(path, file)


def waiting_document(waiting: Waiting) -> dict[str, object]:
    """What waits for a CA's key, as JSON has it."""
    return {"host": waiting.host, "path": waiting.path, "row": waiting.row,
            "needs": waiting.needs}


def columns(rows: Iterable[Sequence[str]]) -> Iterator[list[str]]:
    """The cells of a table, each as wide as the widest of its column.

    The *rows* are read twice, so that the cells of a long table need not be in memory.
    """
    def shown(row: Sequence[str]) -> list[str]:
        return [terminal.short(cell) for cell in row]

    widths = list[int]()
    for row in map(shown, rows):
        widths = [*map(max, widths or [0] * len(row), map(len, row))]
    return ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            for row in map(shown, rows))


def stamp(moment: datetime) -> str:
    """A moment as JSON and tables have it: 2026-12-31T23:59:59Z."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def moment_of(text: str | None) -> datetime:
    """The time of `--at` in UTC; None is now. Raises InputError for text that is no time."""
    if text is None:
        return utc_now()
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    # OverflowError: the time is in the year 1 or 9999, and in another year in UTC
    except (ValueError, OverflowError):
        raise InputError(f"--at: {text!r} is no time",
                         hint="for example 2026-12-31 or 2026-12-31T23:59:59Z") from None


def span_of(option: str, text: str) -> timedelta:
    """A span of days (`30d`) or hours (`12h`). Raises InputError, which names *option*."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdecimal() and len(number) < 7 and unit in ("d", "h")):
        raise InputError(f"{option}: {text!r} is no time span",
                         hint="days or hours, for example 30d or 12h")
    return timedelta(days=int(number)) if unit == "d" else timedelta(hours=int(number))


def host_name() -> str:
    """This host's name."""
    import socket
    return socket.gethostname()


def owner() -> tuple[int, int]:
    """The user and the group that new files belong to."""
    return os.geteuid(), os.getegid()


def key_passphrase(passin: str | None, keys: Iterable[tuple[str, bytes]]) -> bytes | None:
    """The passphrase of CA keys (path, PEM): the one of `--passin`, else the answer to a question.

    The question is asked on a terminal, if a key is encrypted.
    """
    from .openssl.streams import ask_passphrase, passphrase
    from ..pem import is_encrypted
    secret = passphrase(passin)
    if secret is None and sys.stdin.isatty():
        encrypted = next((path for path, data in keys if is_encrypted(data)), None)
        return ask_passphrase(f"Passphrase of {encrypted}:") if encrypted else None
    return secret
