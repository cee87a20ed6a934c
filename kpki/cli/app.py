"""The typer application with all commands, for a program that mounts it, and the files about it."""
from __future__ import annotations

from collections.abc import Iterator

from typer.main import get_command

from .application import application
from .command import Group

app = application()


def pages() -> Iterator[tuple[str, str]]:
    """The manual pages and the shells' scripts of a package, by their paths below its prefix."""
    from .man import manuals
    from .shells import PLACES, script_of
    root = get_command(app)
    assert isinstance(root, Group)
    yield from ((f"share/man/man1/{name}", text) for name, text in manuals(root).items())
    yield from ((place, script_of(shell)) for shell, place in PLACES.items())
