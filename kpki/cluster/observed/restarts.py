"""What a host must restart so that its components read changed files."""
from __future__ import annotations

from collections.abc import Iterator, Set as AbstractSet

from .inventory import Inventory
from .use import Running
from ...kubernetes.components import COMPONENTS
from ...kubernetes.restarts import in_order, restart_lines


def restart_commands(inventory: Inventory, changed: AbstractSet[str]) -> Iterator[str]:
    """The commands that restart the components which read one of the *changed* files.

    Each restarts the unit, or the static pod, that starts the component; of a component that
    nothing here starts, the unit of its name. A host whose units start other components, and no
    pods, is without that component.
    """
    readers = {use.component for use in inventory.uses if changed & {use.file, use.source}}
    names = in_order(component.name for component in COMPONENTS if component.name in readers)
    starts = sorted((running for running in inventory.running if running.component in names),
                    key=lambda running: names.index(running.component))
    pods = dict.fromkeys(start.source for start in starts if start.static)
    units = [start.unit or start.component for start in starts if not start.static]
    if not inventory.running or any(running.static for running in inventory.running):
        units += [name for name in names if name not in inventory.started]
    yield from restart_lines(units, pods)


def restart_of(running: Running) -> Iterator[str]:
    """The commands that restart one started component; none for a process that no file starts."""
    if running.source.startswith("proc/"):
        return
    yield from restart_lines(() if running.static else [running.unit or running.component],
                             [running.source] if running.static else ())
