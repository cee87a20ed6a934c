"""`kpki script`: the plan as a shell script of plain openssl commands."""
from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator

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
)
from .terminal import put_document
from ..clock import utc_now


def script(folder: FolderArgument = os.curdir, passin: PassinOption = None,
           json: JsonOption = False, explain: ExplainOption = False,
           quiet: QuietOption = False) -> None:
    """Print the plan as a shell script of openssl commands.

    This command changes nothing. The script saves replaced files under backup/.
    """
    from shlex import quote

    from ..cluster.plan.of_workspace import plan_of
    from ..cluster.script.script import script_of
    words = Words(quiet=quiet)
    planned = plan_of(folder, now=utc_now(), passphrase=key_passphrase(passin, ()),
                      host_name=host_name())
    pieces, counts = script_of(planned), Counter[str]()
    if explain:
        pieces = _counted(pieces, counts)
    if json:
        put_json({"script": "".join(pieces)})
    else:
        for piece in pieces:
            put_document(piece)
    if explain:
        words.say(*_EXPLAINED, *(_steps(counts) if counts.total() else _NO_STEPS))
    run = "kpki script > script.sh; sh script.sh"
    if folder != os.curdir:
        place = quote(folder)
        run = (f"kpki script {place} > {quote(os.path.join(folder, 'script.sh'))}; "
               f"cd {place}; sh script.sh")
    words.say(f"kpki: nothing was changed; the script does it, with openssl 3.0 or newer: {run}")


def _counted(pieces: Iterator[str], counts: Counter[str]) -> Iterator[str]:
    """The pieces of a script; *counts* receives what its steps make."""
    from ..cluster.script.shell import STEPS
    steps = False
    for piece in pieces:
        steps = steps or piece == STEPS
        for what, (pattern, _) in _COMMANDS.items() if steps else ():
            counts[what] += len(re.findall(pattern, piece, re.MULTILINE))
        yield piece


def _steps(counts: Counter[str]) -> Iterator[str]:
    """What the steps make, and how."""
    yield "Above each step a comment says the row, the CA that signs, and the cause. They make:"
    yield from (f"- {counts[what]} {what}{'s' * (counts[what] != 1)}: {how}"
                for what, (_, how) in _COMMANDS.items() if counts[what])
    yield "Besides, cp copies CAs and keys that are there. All is as kpki apply makes it, but"
    yield "openssl counts whole days from the signing; keys and serial numbers are random."


# What the steps make → the beginning of its command, and a sentence about the command.
_COMMANDS = {
    "key": (r"^openssl (?:genrsa|ecparam) ", "openssl genrsa, or openssl ecparam -genkey"),
    "CA": (r"^openssl req -x509 ", "openssl req -x509; a CA's own key signs its certificate"),
    "certificate": (r"^sign ", "openssl req -new makes a request, openssl x509 -req signs"),
    "kubeconfig": (r"^ *embed certificate-authority |^cat > (?!\"\$work)",
                   "printf and cat; openssl base64 -A prints what a kubeconfig embeds"),
    "backup": (r"^away ", "mv moves an old file into backup/TIME/ before its step"),
}
_EXPLAINED = (
    "kpki script compares the files that the description asks for with the existing files, as",
    "kpki plan does. Standard output has the openssl commands, and a shell runs them as printed.")
_NO_STEPS = ("The script has no steps.",)
