"""The exception tree of kpki.

- KpkiError: the base of all, never raised itself
  - InputError: unusable bytes, text or argument (also a ValueError)
    - ConfigurationError: a faulty line of a configuration or description
  - FileError: a missing, unreadable, unwritable or locked file, or a full disk
    - AccessError: a file or folder that this user may not read, list or write
  - RefusedError: a well-formed request that policy forbids, as for another node's files
  - UnsupportedError: a feature of openssl that kpki lacks

A message names the file, if known, then the fact, in lower case and without a full stop.
The hint is the reader's next step, and `str(error)` has both.
A caller that knows the file's name adds the name with `about`.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class KpkiError(Exception):
    """Base of every exception that kpki raises on purpose; *hint* is the next step, or None."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message


class InputError(KpkiError, ValueError):
    """Bytes, text or an argument do not have the form that the function needs."""


class ConfigurationError(InputError):
    """A configuration cannot be read; *line* counts from 1, and is 0 if no line is at fault."""

    def __init__(self, message: str, *, line: int = 0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.line = line


class FileError(KpkiError):
    """A file or folder could not be read or written."""


class AccessError(FileError):
    """This user may not read, list or write the file or folder *path* (EACCES, EPERM)."""

    def __init__(self, message: str, *, hint: str | None = None, path: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


class RefusedError(KpkiError):
    """The input is well-formed, and kpki refuses the request."""


class UnsupportedError(KpkiError):
    """openssl has this feature, kpki does not; the hint names the alternative."""


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Put `subject: `, usually a file's name, before the message of a KpkiError of the block."""
    try:
        yield
    except KpkiError as error:
        error.message = f"{subject}: {error.message}"
        raise
