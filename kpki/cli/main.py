"""The entry: a first word that is openssl's goes to that verb's own module, everything else to the
typer application.

Typer costs more to import than most verbs take, so nothing here imports it.
"""
from __future__ import annotations

import gc
import io
import sys
from collections.abc import Sequence

from . import terminal
from .openssl.absent import ABSENT
from .openssl.verbs import VERBS, run_verb
from .refusal import refused
from ..errors import KpkiError, UnsupportedError

# New objects between two looks for garbage: what imports and a description make stays, and looking
# takes a fifth of a short run.
_RARELY = 100_000


def run() -> None:
    """Run the command line of this process and end it with the exit status."""
    gc.set_threshold(_RARELY)
    # Python's way to say that one was closed before the start
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from ..files import stand_in_streams
        sys.stdin, sys.stdout, sys.stderr = stand_in_streams(sys.stdin, sys.stdout, sys.stderr)
    try:
        status = main(sys.argv[1:])
    except OSError:             # standard error cannot be written: there is nobody left to tell
        sys.stderr = io.StringIO()
        status = 2
    except Exception as error:  # noqa: BLE001  The last door before a traceback: what comes here is a fault of kpki's own.
        terminal.note(
            f"kpki: this is a fault in kpki, please report it: {type(error).__name__}: {error}")
        status = 2
    gc.freeze()     # the process ends: Python's last look for garbage takes a tenth of a short run
    sys.exit(status)


def main(argv: Sequence[str]) -> int:
    """Run one command line (without the program's name); the exit status.

    Never raises for what a user can do.
    """
    first = argv[0] if argv else ""
    try:
        status = _dispatch(argv)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        terminal.say("kpki: interrupted")
        return 130
    except (KpkiError, OSError) as error:
        if first in VERBS and isinstance(error, KpkiError):
            from .openssl.options import typographic
            error.hint = typographic(argv) or error.hint
        return refused(error, status=1 if first in VERBS or first in ABSENT else 2)


def _dispatch(argv: Sequence[str]) -> int:
    first = argv[0] if argv else "--help"
    if first in VERBS:
        return run_verb(first, argv[1:])
    if first in ABSENT:
        raise UnsupportedError(f"openssl's {first} is not supported", hint=ABSENT[first])
    from .app import run_app
    return run_app(argv or ["--help"])
