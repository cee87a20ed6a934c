"""The exception tree of kpki.

KpkiError                  the one base, never raised itself
├── InputError             bytes, text or an argument that cannot be taken (also a ValueError)
│   └── ConfigurationError a line of an openssl configuration file
├── FileError              the disk said no: missing, unreadable, unwritable, full, locked
│   └── AccessError        this user may not read, list or write the file or folder; that is no fault of the file
├── RefusedError           understood, and the answer is no: another node's files, a request against policy
└── UnsupportedError       openssl can do it, kpki does not

A message names the file where one is known, then the fact, in lower case and without a full stop; *hint* is the next
step for the person who reads it, and `str(error)` has both. A caller that knows more (the file's name) adds it with
`about`.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class KpkiError(Exception):
    """Base of everything that kpki raises on purpose; *hint* says what to do next, or is None."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message


class InputError(KpkiError, ValueError):
    """The bytes, text or argument given cannot be read as what they should be."""


class ConfigurationError(InputError):
    """A line of a configuration cannot be read; *line* counts from 1, 0 where no line is to blame."""

    def __init__(self, message: str, *, line: int = 0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.line = line


class FileError(KpkiError):
    """A file or folder could not be read or written."""


class AccessError(FileError):
    """The caller may not read, list or write the file or folder *path* (EACCES, EPERM); root or its owner may."""

    def __init__(self, message: str, *, hint: str | None = None, path: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


class RefusedError(KpkiError):
    """The input is well-formed, and kpki says no to it."""


class UnsupportedError(KpkiError):
    """openssl has this, kpki does not; the hint names what to use instead."""


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Put `subject: ` before the message of any KpkiError raised inside the block (usually a file's name)."""
    try:
        yield
    except KpkiError as error:
        error.message = f"{subject}: {error.message}"
        raise
