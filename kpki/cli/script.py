"""`kpki script`: the plan as a shell script of plain openssl commands."""
from __future__ import annotations

import os

from .common import Explain, Folder, Json, Passin, Quiet, Words, host_name, key_passphrase, put_json
from .terminal import put_document
from ..clock import utc_now


def script(folder: Folder = os.curdir, passin: Passin = None, json: Json = False,
           explain: Explain = False, quiet: Quiet = False) -> None:
    """Print the plan as a shell script of openssl commands.

    Nothing is changed before somebody runs it. What it replaces it keeps under backup/.
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
    there = "" if folder == os.curdir else quote(folder)
    run = f"kpki script {there} > {quote(os.path.join(folder, 'script.sh'))}; cd {there}; sh script.sh" if there else \
        "kpki script > script.sh; sh script.sh"
    words.say(f"kpki: nothing was changed; the script does it, with openssl 3.0 or newer: {run}")


_EXPLAINED = (
    "kpki compares what the description wants with what is there, as kpki plan does, and writes "
    "each step as the",
    "commands that the Kubernetes documentation makes certificates with:",
    "  openssl genrsa, openssl ecparam -genkey      a key",
    "  openssl req -new -config CONF -key KEY       a request: the owner's names and the public key",
    "  openssl x509 -req -CA CA -CAkey CA-KEY ...   the CA's answer, with the extensions of CONF",
    "  openssl base64 -A -in FILE                   a file's bytes inside a kubeconfig",
    "Dates are the one difference from kpki apply: openssl counts whole days from the moment at "
    "which it signs.",
)
