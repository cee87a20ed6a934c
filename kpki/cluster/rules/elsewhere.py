"""The rule for settings that name other files than the description, or kpki, has put in place."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from .host import missing_files
from ..finding import Finding
from ..observed.inventory import Inventory
from ..observed.use import Use
from ...kubernetes.layouts import Layout, get_layout
from ...kubernetes.purposes import PURPOSES


def settings_elsewhere(inventory: Inventory, known: Sequence[Finding]) -> Iterator[Finding]:
    """The settings of a described host that name other files than the layout's, or missing files.

    *known* findings are left out. If an unread file may change a component's settings, the
    component has no finding.
    """
    layout, done = get_layout(inventory.layout.name), {(finding.cause, finding.path)
                                                       for finding in known}
    configured = {use.file for use in inventory.uses if use.source and not use.default}
    findings = [finding for use in inventory.uses for finding in _mismatch(use, inventory, layout)]
    findings += (finding for finding in missing_files(inventory) if finding.path in configured)
    yield from {(finding.cause, finding.path): finding for finding in reversed(findings)
                if (finding.cause, finding.path) not in done}.values()


def _mismatch(use: Use, inventory: Inventory, layout: Layout) -> Iterator[Finding]:
    """The finding for a setting that names another existing file than the layout's."""
    row = PURPOSES[use.purpose].row
    rows = (row, "kubelet") if row in ("kubelet-client", "kubelet-serving") else (row,)
    part = _PARTS.get(use.part, use.part)
    own = [path for place in layout.places if place.row in rows and (path := getattr(place, part))]
    if not use.source or use.default or "/" in use.setting or use.path in own \
        or use.component in inventory.uncertain:
        return
    there = [path for path in own if inventory.file(path).there]
    if there and all(inventory.file(path).data != inventory.file(use.path).data for path in there):
        yield Finding("flags-mismatch", use.source, row,
                      f"{use.setting} of {use.component} names /{use.path}, and the "
                      f"description has the file at /{there[0]}", got=f"/{use.path}",
                      expected=f"/{there[0]}")


_PARTS = {"authority": "certificate", "public-key": "certificate"}
