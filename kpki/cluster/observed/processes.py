"""The components that run on a host, with their arguments, from the folder /proc (proc(5))."""
from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ... import files
from ...errors import KpkiError
from ...kubernetes.commands import Start, component_named, find_start
from ...kubernetes.settings import SETTINGS
from ...kubernetes.words import Word

_TICKS = 100            # a second, for every process that reads /proc (USER_HZ)
_STARTED = 19           # the field starttime, counted from the state, which follows the name
_BOOTED = re.compile(r"^btime (\d+)$", re.MULTILINE)
_ESCAPE = re.compile(r"\\([0-7]{3})")
_HYPERKUBE = "hyperkube"


class Process(NamedTuple):
    """A component that runs."""

    pid: int
    start: Start
    """The component, with the arguments and variables that it was started with."""
    since: datetime
    """The moment of the start (UTC), early by up to a second."""
    whole: bool = True
    """Whether the caller may read all arguments, variables and mounts."""

    @property
    def component(self) -> str:
        """The name of the component."""
        return self.start.component


def read_processes(proc: str) -> list[Process]:
    """The components that run, from the folder *proc*, the first started first.

    A process that ends meanwhile is left out, and so is a process in another network: it is a
    component of a host in a container, for components of a host share the host's network. Raises
    FileError if *proc* cannot be listed.
    """
    booted = _BOOTED.search(_text(proc, "stat") or "")
    boot = datetime.fromtimestamp(int(booted[1]) if booted else 0, UTC)
    host = [*_mounts(_text(proc, "self/mountinfo") or "")]
    network = _link(proc, "self/ns/net")
    found = [process for name in files.list_names(proc) if name.isdecimal()
             and _link(proc, f"{name}/ns/net") in (network, None)
             and (process := _process(proc, name, boot, host))]
    return sorted(found, key=lambda process: (process.since, process.pid))


def _process(proc: str, pid: str, boot: datetime, host: Sequence[_Mount]) -> Process | None:
    """The component that a process is; None for any other program."""
    source = f"proc/{pid}/cmdline"
    words = [Word(text, source) for text in (_text(proc, f"{pid}/cmdline") or "").split("\0")[:-1]]
    if not words or not (component_named(words[0].text)
                         or posixpath.basename(words[0].text) == _HYPERKUBE):
        return None
    variables, mounts = _text(proc, f"{pid}/environ"), _text(proc, f"{pid}/mountinfo")
    environment = {name: Word(value, f"proc/{pid}/environ") for name, _, value in (
        line.partition("=") for line in (variables or "").split("\0"))}
    start = find_start(words, environment, _link(proc, f"{pid}/cwd") or "/")
    fields = (_text(proc, f"{pid}/stat") or "").rpartition(")")[2].split()
    if start is None or start.component not in SETTINGS or len(fields) <= _STARTED:
        return None
    return Process(int(pid), start._replace(mounts=tuple(_translated(mounts or "", host))),
                   boot + timedelta(seconds=int(fields[_STARTED]) / _TICKS),
                   variables is not None and mounts is not None)


def _link(proc: str, path: str) -> str | None:
    """The target of a link of /proc; None if the caller may not read the link."""
    try:
        return files.read_entry(proc, path).target
    except KpkiError:
        return None


def _text(proc: str, path: str) -> str | None:
    """A file of /proc; None if the caller may not read the file, or if the process has ended."""
    try:
        return files.read(f"{proc}/{path}").decode("utf-8", "replace")
    except KpkiError:
        return None


class _Mount(NamedTuple):
    device: str
    root: str
    """The folder of the file system."""
    place: str
    """The place of that folder."""


def _mounts(text: str) -> Iterator[_Mount]:
    """The mounts of a file mountinfo (proc_pid_mountinfo(5))."""
    for line in text.splitlines():
        fields = [_ESCAPE.sub(lambda found: chr(int(found[1], 8)), field)
                  for field in line.split()]
        if len(fields) > 4:
            yield _Mount(*fields[2:5])


def _translated(text: str, host: Sequence[_Mount]) -> Iterator[tuple[str, str]]:
    """The mounts of a process: (place for the process, place on the host); "" if there is none.

    Without an own file system of the process there is nothing to translate.
    """
    own = [*_mounts(text)]
    if {*own} <= {*host}:
        return
    for mount in own:
        above = max((other for other in host if other.device == mount.device
                     and f"{mount.root}/".startswith(f"{other.root.rstrip('/')}/")),
                    key=lambda other: len(other.root), default=None)
        inside = mount.root[len(above.root.rstrip("/")):] if above else ""
        yield mount.place, posixpath.join(above.place, inside.lstrip("/")) if above else ""
