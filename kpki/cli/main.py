"""The entry of the command: openssl's verbs go to their modules, all else to the typer application.

No module that this module imports imports typer: the import takes longer than most verbs.
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

# New objects between two collections of garbage: the objects of imports and of a description stay,
# and collecting takes a fifth of a short run.
_RARELY = 100_000
_EXPLAIN = "--explain"


def run() -> None:
    """Run the command line of this process and end it with the exit status."""
    gc.set_threshold(_RARELY)
    # None: the stream was closed before the start
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from ..files import stand_in_streams
        sys.stdin, sys.stdout, sys.stderr = stand_in_streams(sys.stdin, sys.stdout, sys.stderr)
    try:
        status = main(sys.argv[1:])
    except OSError:             # standard error cannot be written, so no message is possible
        sys.stderr = io.StringIO()
        status = 2
    except Exception as error:  # noqa: BLE001  a fault of kpki itself: a message, no traceback
        terminal.note(
            f"kpki: this is a fault in kpki, please report it: {type(error).__name__}: {error}")
        status = 2
    gc.freeze()     # the process ends: Python's last collection takes a tenth of a short run
    sys.exit(status)


def main(argv: Sequence[str]) -> int:
    """Run one command line (without the program's name), and return the exit status.

    No input of a user raises an exception.
    """
    argv = _explain_last(argv)
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


def _explain_last(argv: Sequence[str]) -> Sequence[str]:
    """A line in which `--explain` may stand anywhere, as the line that typer reads."""
    before, dashes, after = ([*argv], [], []) if "--" not in argv else (
        [*argv[:argv.index("--")]], ["--"], argv[argv.index("--") + 1:])
    words = [word for word in before if word != _EXPLAIN]
    first = words[0] if words else "-"
    if len(words) == len(before) or first.startswith("-") or before[0] in VERBS:
        return argv     # openssl's verbs read the word themselves
    return [*words, _EXPLAIN, *dashes, *after]


def _dispatch(argv: Sequence[str]) -> int:
    first = argv[0] if argv else "--help"
    if first in VERBS:
        return run_verb(first, argv[1:])
    if first in ABSENT:
        raise UnsupportedError(f"openssl's {first} is not supported", hint=ABSENT[first])
    from .application import run_app
    return run_app(argv)
