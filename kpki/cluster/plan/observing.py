"""How a plan looks at files: what is missing, what may not be read."""
from __future__ import annotations

from collections.abc import Mapping

from ..observed.inventory import ObservedFile, refusal
from ..rules.checked_row import Observe
from ...errors import InputError


def nothing_there(path: str) -> ObservedFile:
    """An *observe* function for a workspace without files: every file is missing."""
    return ObservedFile(path, missing=True)


def unread_authority(path: str) -> bytes:
    """Raise InputError: the caller gave no function to read the CAs that a description names."""
    raise InputError(f"{path}: the description names this CA, and make_plan has no function to "
                     "read the CA", hint="pass read= to make_plan")


def recording(observe: Observe, unread: dict[str, None]) -> Observe:
    """*observe*, but the paths that the caller may not read are added to *unread*."""
    def observe_path(path: str) -> ObservedFile:
        found = observe(path)
        if found.unread:
            unread[found.unread] = None
        return found
    return observe_path


def require_read(unread: Mapping[str, None]) -> None:
    """Raise AccessError if the caller may not read a path: the file may be right."""
    for path in unread:
        raise refusal("", path)
