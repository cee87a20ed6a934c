"""`--explain`: the library call that gives the same bytes as a verb, as code that runs.

The code needs `import kpki`, and `os` or `getpass` if it names them.
"""
from __future__ import annotations

from datetime import datetime

ASKED = "getpass.getpass().encode()"    # the code asks for a passphrase, and never shows one


def call_text(function: str, *arguments: str, **words: str | None) -> str:
    """A call of kpki's *function*; the arguments are code, and those that are None are left out."""
    given = [*arguments, *(f"{name}={code}" for name, code in words.items() if code is not None)]
    return f"kpki.{function}({', '.join(given)})"


def code(value: object) -> str | None:
    """A plain value as code; None for None and for an empty value."""
    return repr(value) if value else None


def moment(now: datetime) -> str:
    """The code for a moment."""
    return f"__import__('datetime').datetime.fromisoformat({now.isoformat()!r})"


def reading(function: str, path: str | None, *more: str) -> str:
    """The code that loads the content of a file."""
    return call_text(function, f"open({path or '/dev/stdin'!r}, 'rb').read()", *more)


def key_reading(path: str | None, passin: str | None) -> str:
    """The code that loads a private key."""
    return reading("load_key", path, *([ASKED] if passin else []))


def config_reading(path: str | None) -> str | None:
    """The code for a configuration file; None if there is none."""
    if path is None:
        return None
    return call_text("parse_config", f"open({path!r}).read()", environment="os.environ")
