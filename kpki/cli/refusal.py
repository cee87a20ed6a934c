"""The message and the exit status of a command that an error stops."""
from __future__ import annotations

import io
import sys
from contextlib import suppress

from . import terminal
from ..errors import KpkiError, RefusedError


def refused(error: KpkiError | OSError, *, status: int) -> int:
    """Print an error on stderr, and return the exit status: 1 for RefusedError, else *status*."""
    if isinstance(error, KpkiError):
        terminal.say_error(error)
        return 1 if isinstance(error, RefusedError) else status
    # the room files raises FileError; only the search for the current folder raises this error
    if isinstance(error, FileNotFoundError):
        terminal.say_error(KpkiError("the current folder does not exist any more",
                                     hint="go to another folder: cd /"))
        return status
    # At its end Python would write the rest again, fail, and exit with another status. Python 3.13
    # also reports the failure of a stream that is dropped without being closed.
    with suppress(OSError):
        sys.stdout.close()
    sys.stdout = io.StringIO()
    if isinstance(error, BrokenPipeError):      # the reader has closed the pipe
        return 1
    terminal.say(f"kpki: standard output: {error.strerror}")
    return status
