"""For `--explain`: the library call that gives the same bytes as a verb, as an expression that
runs.

What it takes: `import kpki`, and the room, `os` and `getpass` where it names them.
"""
from __future__ import annotations

ASKED = "getpass.getpass().encode()"    # a passphrase is asked for, never shown


def call_text(function: str, *arguments: str, **words: str | None) -> str:
    """A call of kpki's *function* with arguments that are code; a word that is None is left out."""
    given = [*arguments, *(f"{name}={code}" for name, code in words.items() if code is not None)]
    return f"kpki.{function}({', '.join(given)})"


def code(value: object) -> str | None:
    """A plain value as code, None for None and for what is empty."""
    return repr(value) if value else None


def reading(function: str, path: str | None, *more: str) -> str:
    """The code that loads what a file holds."""
    return call_text(function, f"open({path or '/dev/stdin'!r}, 'rb').read()", *more)


def key_reading(path: str | None, passin: str | None) -> str:
    """The code that loads a private key."""
    return reading("load_key", path, *([ASKED] if passin else []))


def config_reading(path: str | None) -> str | None:
    """The code for a configuration file; None where there is none."""
    if path is None:
        return None
    return call_text("parse_config", f"open({path!r}).read()", environment="os.environ")
