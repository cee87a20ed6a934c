"""What a command that cannot go on says, and the status that it ends with."""
from __future__ import annotations

import io
import sys

from . import terminal
from ..errors import KpkiError, RefusedError


def refused(error: KpkiError | OSError, *, status: int) -> int:
    """Say on stderr what stopped a command; its exit status: 1 for an answer, *status* for the
    rest.
    """
    if isinstance(error, KpkiError):
        terminal.say_error(error)
        return 1 if isinstance(error, RefusedError) else status
    # the files room names a path; the current folder alone is asked for
    if isinstance(error, FileNotFoundError):
        terminal.say_error(KpkiError("the current folder does not exist any more",
                                     hint="go to another folder: cd /"))
        return status
    # Python would try to write the rest once more at its end, and end with a status of its own.
    sys.stdout = io.StringIO()
    if isinstance(error, BrokenPipeError):      # whoever read the output has seen enough
        return 1
    terminal.say(f"kpki: standard output: {error.strerror}")
    return status
