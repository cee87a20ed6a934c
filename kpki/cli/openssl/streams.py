"""The verbs' inputs and outputs: files or standard streams, passphrases, configurations."""
from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .. import terminal
from ..terminal import note as note
from ... import files, pem
from ...errors import ConfigurationError, FileError, InputError, about

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate, CertificateSigningRequest

    from .options import GivenOptions
    from ...stages.config import Config

_CONFIGURATION = re.compile(r".+\.(cnf|conf)", re.IGNORECASE | re.DOTALL)
STANDARD_INPUT = "/dev/stdin"
_MARK = b"\xef\xbb\xbf"


def read(path: str | None) -> bytes:
    """The bytes of a file, or of standard input for None, without a byte order mark before PEM."""
    data = files.read(STANDARD_INPUT if path is None else path, pipes=True)
    return data.removeprefix(_MARK) if data.startswith(_MARK + b"-----BEGIN ") else data


def write(path: str | None, data: bytes, *, private: bool = False) -> None:
    """Write a file, or standard output for None and `-`; a private file always has mode 0600.

    If a copy of the old file cannot be removed, a warning says so, also with --quiet: it may be a
    key.
    """
    if path in (None, "-"):
        terminal.put_document(data)
    else:
        warnings: list[str] = []
        try:
            files.write_output(path, data, private=private, warnings=warnings)
        finally:
            note(*(f"kpki: warning: {line}" for line in warnings))


def read_key(path: str | None, passin: str | None = None,
             encoding: str | None = None) -> PrivateKeyTypes:
    """A private key from a file.

    The passphrase is that of a `-passin` source, or is asked for on a terminal.
    """
    data = read(path)
    with about(path or "standard input"):
        source = passphrase(passin)
        if source is None and sys.stdin.isatty() and pem.is_encrypted(data):
            source = ask_passphrase(f"Enter pass phrase for {path}:")
        return pem.load_key(data, source, encoding=encoding)


def read_certificate(path: str | None, encoding: str | None = None) -> Certificate:
    """The first certificate of a file."""
    data = read(path)
    with about(path or "standard input"):
        return pem.load_certificate(data, encoding=encoding)


def read_trusted_certificate(path: str | None,
                             encoding: str | None = None) -> tuple[Certificate, bytes]:
    """The first certificate of a file, and its trust settings in DER (b"" if there are none)."""
    data = read(path)
    with about(path or "standard input"):
        return pem.load_trusted_certificate(data, encoding=encoding)


def read_csr(path: str | None, encoding: str | None = None) -> CertificateSigningRequest:
    """The first request of a file; `-` is standard input, as in openssl."""
    data = read(None if path == "-" else path)
    with about(path or "standard input"):
        return pem.load_csr(data, encoding=encoding)


def read_config(path: str) -> Config:
    """A configuration file; `$ENV::` reads the environment, `.include` reads the disk."""
    from ...stages.config import parse_config
    text = read(None if path == "-" else path).decode("utf-8", "surrogateescape") if path else ""
    with about(path):
        return parse_config(text, environment=os.environ, read=_included)


@contextmanager
def blaming(path: str | None) -> Iterator[None]:
    """Put the configuration's name before its errors."""
    try:
        yield
    except ConfigurationError as error:
        error.message = f"{path or 'the default configuration'}: {error.message}"
        raise


def warn(given: GivenOptions, lines: Iterable[str], path: str | None = None) -> None:
    """Print warnings of kpki's, each on a line with the name of its file; none with --quiet."""
    if not given.has("quiet"):
        note(*(f"kpki: warning: {path + ': ' if path else ''}{line}" for line in lines))


def _included(name: str) -> Iterator[tuple[str, str]]:
    """The files of an `.include`: the file itself, or the *.cnf and *.conf files of a folder.

    No file is no error. The order is the file system's own, as in openssl.
    """
    paths = [name]
    if name and files.read_entry_at(name).kind == "folder":
        paths = [f"{name}/{path}" for path in files.list_names(name)
                 if _CONFIGURATION.fullmatch(path)]
    for path in paths:
        try:
            yield path, files.read(path, pipes=True).decode("utf-8", "surrogateescape")
        except FileError:
            continue


def ask(question: str) -> str | None:
    """Print a question on stderr, and return the line of standard input; None at its end."""
    terminal.prompt(question)
    line = sys.stdin.readline()
    return line[:-1] if line.endswith("\n") else None


def ask_passphrase(prompt: str) -> bytes:
    """A passphrase from the terminal, without echo."""
    from getpass import getpass
    try:
        return getpass(terminal.printable(prompt) + " ").encode()
    except EOFError:
        raise InputError("no passphrase: the input is at its end") from None


def new_passphrase(source: str | None, what: str) -> bytes:
    """The passphrase for a new key: a `-passout` source's, else the answer to two questions."""
    given = passphrase(source)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise InputError(f"{what} is to be encrypted, and no passphrase was given",
                         hint="give it with -passout, or leave the key unencrypted with -noenc")
    first = ask_passphrase("Enter PEM pass phrase:")
    if len(first) < 4:
        raise InputError("a passphrase has at least 4 characters")
    if ask_passphrase("Verifying - Enter PEM pass phrase:") != first:
        raise InputError("the two passphrases differ")
    return first


def passphrase(source: str | None) -> bytes | None:
    """The passphrase of a source: pass:TEXT, env:NAME, file:PATH, fd:N or stdin.

    Only the first line counts (openssl-passphrase-options(1)). Raises InputError or FileError if
    the source has no passphrase. The passphrase is never shown.
    """
    if source is None:
        return None
    kind, _, rest = source.partition(":")
    if kind == "pass" and source.startswith("pass:"):
        return rest.encode("utf-8", "surrogateescape")
    if kind == "env" and rest:
        if rest not in os.environ:
            raise InputError(f"the environment has no variable {rest} to take the passphrase from")
        return os.environ[rest].encode("utf-8", "surrogateescape")
    if kind == "file" and rest:
        return _first_line(files.read(rest, pipes=True))
    if kind == "fd" and rest.isdigit():
        return _first_line(files.read(f"/dev/fd/{rest}", pipes=True))
    if source == "stdin":
        return sys.stdin.readline().rstrip("\r\n").encode("utf-8", "surrogateescape")
    raise InputError("a passphrase source is pass:TEXT, env:NAME, file:PATH, fd:N or stdin")


def _first_line(data: bytes) -> bytes:
    return data.partition(b"\n")[0].rstrip(b"\r")


def explain(verb: str, *, reads: Iterable[str], does: str, writes: Iterable[str],
            call: str) -> None:
    """Print the lines of `--explain`; *call* is code that runs, see explaining.py."""
    terminal.say(f"kpki {verb}: {does}", f"  reads:   {', '.join(reads) or 'nothing'}",
                 f"  writes:  {', '.join(writes) or 'nothing'}", f"  library: {call}",
                 f"  openssl: the same words after `openssl {verb}`")
