"""`kpki script`: the plan as a shell script of plain openssl commands."""
from __future__ import annotations

import os

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
    if json:
        put_json({"script": "".join(script_of(planned))})
    else:
        for piece in script_of(planned):
            put_document(piece)
    if explain:
        words.say(*_EXPLAINED)
    run = "kpki script > script.sh; sh script.sh"
    if folder != os.curdir:
        place = quote(folder)
        run = (f"kpki script {place} > {quote(os.path.join(folder, 'script.sh'))}; "
               f"cd {place}; sh script.sh")
    words.say(f"kpki: nothing was changed; the script does it, with openssl 3.0 or newer: {run}")


_EXPLAINED = (
    "kpki compares the files that the description asks for with the existing files, as kpki plan",
    "does, and writes each step with the commands of the Kubernetes documentation:",
    "  openssl genrsa, openssl ecparam -genkey      a key",
    "  openssl req -new -config CONF -key KEY       a request: the names and the public key",
    "  openssl x509 -req -CA CA -CAkey CA-KEY ...   the certificate, with the extensions of CONF",
    "  openssl base64 -A -in FILE                   a file's bytes inside a kubeconfig",
    "Only the dates differ from kpki apply: openssl counts whole days from the signing.",
)
