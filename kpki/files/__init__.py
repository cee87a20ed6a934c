"""The only room that touches the disk: files, whole trees, locks and archives.

Every name loads its module on first use (PEP 562), so that a command loads only what it needs. An
OSError never leaves this room: it becomes a FileError that names the path, or an AccessError if
permission is missing.
"""
from __future__ import annotations

TYPE_CHECKING = False  # type checkers know this name; `typing` takes longer than this whole module
if TYPE_CHECKING:
    from kpki.files.archive import members, pack, unpack
    from kpki.files.disk import staged_for
    from kpki.files.entries import (
        Entry,
        list_names,
        plain_paths,
        read_entry,
        read_entry_at,
        resolve,
        walk,
    )
    from kpki.files.locking import lock
    from kpki.files.output import stand_in_streams, write_output
    from kpki.files.reading import LIMIT, read, read_blocks, read_end, read_if_file
    from kpki.files.sweeping import sweep
    from kpki.files.tree import File, free_run, replace_tree

__all__ = [
    "LIMIT", "Entry", "File", "free_run", "list_names", "lock", "members", "pack",
    "plain_paths", "read", "read_blocks", "read_end", "read_entry", "read_entry_at",
    "read_if_file", "replace_tree", "resolve", "staged_for", "stand_in_streams", "sweep", "unpack",
    "walk", "write_output"]

_ROOMS = {
    "LIMIT": "reading", "read": "reading", "read_blocks": "reading", "read_end": "reading",
    "read_if_file": "reading",
    "stand_in_streams": "output", "write_output": "output",
    "File": "tree", "free_run": "tree", "replace_tree": "tree",
    "sweep": "sweeping",
    "Entry": "entries", "list_names": "entries", "plain_paths": "entries", "read_entry": "entries",
    "read_entry_at": "entries", "resolve": "entries", "walk": "entries",
    "lock": "locking",
    "staged_for": "disk",
    "members": "archive", "pack": "archive", "unpack": "archive",
}


if not TYPE_CHECKING:       # with __getattr__ a type checker would accept every name
    def __getattr__(name: str) -> object:
        """Load the module that defines *name*; raises AttributeError for any other name."""
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module
        value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
