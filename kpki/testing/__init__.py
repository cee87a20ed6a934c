"""A cluster's certificates in memory, for tests: whole, or broken on order.

`make_kubernetes_pki` and `make_broken_certificate` need no pytest; the plugin of pytest
(`kpki.testing.plugin`) has them as fixtures. docs/testing.md begins here.
"""
from __future__ import annotations

TYPE_CHECKING = False   # importing typing, and the rooms, costs every start of pytest
if TYPE_CHECKING:
    from .broken import BROKEN_CAUSES, BrokenCertificate, make_broken_certificate
    from .pki import NODE, KubernetesPki, make_kubernetes_pki

__all__ = ["BROKEN_CAUSES", "NODE", "BrokenCertificate", "KubernetesPki",
           "make_broken_certificate", "make_kubernetes_pki"]

if not TYPE_CHECKING:
    def __getattr__(name: str) -> object:
        from importlib import import_module
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        room = "broken" if "roken" in name.lower() else "pki"
        return getattr(import_module(f".{room}", __name__), name)
