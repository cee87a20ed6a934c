"""From symptoms back to causes: what a log says, what a server presents, what a host does."""
from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .host import HostReport


class _Doctor(ModuleType):
    """This package, which is a function too: `kpki.doctor(root)` is `kpki.examine_host(root)`."""

    def __call__(self, *arguments: Any, **options: Any) -> HostReport:
        from .host import doctor
        return doctor(*arguments, **options)


sys.modules[__name__].__class__ = _Doctor
