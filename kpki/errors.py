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
    """Base of every exception that kpki raises on purpose; *hint* is the next step, or None.

    >>> try:
    ...     cluster.host("worker-2")
    ... except kpki.KpkiError as error:
    ...     print(error.message, error.hint, sep="; ")
    there is no node 'worker-2' in the description; did you mean worker-1?
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} (hint: {self.hint})" if self.hint else self.message


class InputError(KpkiError, ValueError):
    """Bytes, text or an argument do not have the form that the function needs.

    >>> try:
    ...     kpki.load_key(b"no key")
    ... except kpki.InputError as error:
    ...     print(error)
    no private key found: the file is neither PEM nor DER
    """


class ConfigurationError(InputError):
    """A configuration cannot be read; *line* counts from 1, and is 0 if no line is at fault.

    >>> try:
    ...     kpki.parse_config("[req")
    ... except kpki.ConfigurationError as error:
    ...     print(error.line, error.message)
    1 line 1: [req: missing close square bracket
    """

    def __init__(self, message: str, *, line: int = 0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.line = line


class FileError(KpkiError):
    """A file or folder could not be read or written.

    >>> try:
    ...     kpki.read_certificates("pki/none.crt")
    ... except kpki.FileError as error:
    ...     print(error)
    pki/none.crt: no such file or folder
    """


class AccessError(FileError):
    """This user may not read, list or write the file or folder *path* (EACCES, EPERM).

    >>> closed = kpki.ObservedFile("pki/ca.crt", unread="pki")
    >>> try:
    ...     next(kpki.make_plan(cluster, observe=lambda _: closed).steps())
    ... except kpki.AccessError as error:
    ...     print(error.path, error.hint, sep=": ")
    pki: run the command as root or as the file's owner
    """

    def __init__(self, message: str, *, hint: str | None = None, path: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


class RefusedError(KpkiError):
    """The input is well-formed, and kpki refuses the request.

    >>> try:
    ...     kpki.Authority(ca, key)
    ... except kpki.RefusedError as error:
    ...     print(error)
    CA certificate and CA private key do not match
    """


class UnsupportedError(KpkiError):
    """openssl has this feature, kpki does not; the hint names the alternative.

    >>> try:
    ...     kpki.genpkey("DSA")
    ... except kpki.UnsupportedError as error:
    ...     print(error.hint)
    RSA, EC, ED25519, ED448
    """


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Put `subject: `, usually a file's name, before the message of a KpkiError of the block."""
    try:
        yield
    except KpkiError as error:
        error.message = f"{subject}: {error.message}"
        raise
