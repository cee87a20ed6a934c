"""The systemd services of a host that may start a component: their unit files, merged in order."""
from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from .tree import Tree, inner
from ...kubernetes.units import FOLDERS, Service, read_service
from ...kubernetes.words import UNKNOWN, Word, read_environment, split_words

_NAME = re.compile(r"[\w.@\\:-]+\.service")
_DROP_IN = re.compile(r"([^/]+\.service)\.d/[^/]+")
# An instance of a template is there if something wants it.
_INSTANCE = re.compile(r".*\.(?:wants|requires)/([\w.\\:-]+@[\w.@\\:-]+\.service)")
_SETTING = re.compile(r"^[ \t]*DefaultEnvironment=(.*)$", re.MULTILINE)
_MANAGER = ("etc/systemd/system.conf", "usr/lib/systemd/system.conf")
_NOTHING, _RUN = "/dev/null", "run"


def services(tree: Tree,
             worth: re.Pattern[str]) -> Iterator[tuple[str, Service, Mapping[str, Word]]]:
    """The services whose name or files match *worth*: main file, settings and environment."""
    listed = {folder: tree.names(folder, deep=True) for folder in _folders(tree)}
    units: dict[str, str] = {}      # name of a unit → the file that counts
    names: dict[str, list[str]] = {}
    for folder, paths in listed.items():
        for path in paths:
            if _NAME.fullmatch(path):
                units.setdefault(path, f"{folder}/{path}")
            elif found := _DROP_IN.fullmatch(path) or _INSTANCE.fullmatch(path):
                names.setdefault(found[1], [])
    for name, unit in units.items():
        names.setdefault(_aliased(tree, name, unit, units), []).append(name)
    specifiers = _specifiers(tree)
    for name in sorted(names):
        unit = units.get(name) or units.get(_template(name), "")
        if (unit and _is_masked(tree, unit)) or name.endswith("@.service"):
            continue
        sources = [*([unit] if unit else []), *_drop_ins(tree, [name, *names[name]], listed)]
        texts = [(source, text) for source in sources
                 if (text := tree.text(source, source)) is not None]
        if texts and worth.search("\n".join((name, *(text for _, text in texts)))):
            stem, _, instance = name.removesuffix(".service").partition("@")
            service = read_service(texts,
                                   {**specifiers, "n": name, "N": name.removesuffix(".service"),
                                    "p": stem,
                                    "i": instance, "I": instance, "j": stem.rpartition("-")[2]})
            yield texts[0][0], service, environment_of(tree, service)


def _folders(tree: Tree) -> list[str]:
    """The folders of units; if /lib is a link to /usr/lib, they are one folder."""
    return [folder for folder in FOLDERS if folder != "lib/systemd/system"
            or not tree.target("lib")]


def _aliased(tree: Tree, name: str, unit: str, units: Mapping[str, str]) -> str:
    """The name of the unit that a unit links to."""
    target = posixpath.basename(tree.target(unit))
    return target if target not in (name, _template(name)) and target in units else name


def _template(name: str) -> str:
    """The name of the template whose instance a unit's name is; "" for any other."""
    stem, at, _ = name.partition("@")
    return f"{stem}@.service" if at else ""


def _is_masked(tree: Tree, unit: str) -> bool:
    return tree.target(unit) == _NOTHING or tree.read(unit, unit) == b""


def _drop_ins(tree: Tree, names: list[str], listed: Mapping[str, list[str]]) -> list[str]:
    """The drop-ins of a unit in systemd's order.

    The order is that of the file names, whatever the folder. Of equal names the first found counts.
    """
    tops = {top: {path.partition("/")[0] for path in paths} for top, paths in listed.items()}
    folders = [(top, folder) for name in dict.fromkeys(names) for top in tops
               for folder in _own_folders(name)]
    found: dict[str, str] = {}
    for top, folder in (*folders, *((top, "service.d") for top in tops)):
        for file in tree.names(f"{top}/{folder}") if folder in tops[top] else ():
            if file.endswith(".conf") and "/" not in file:
                found.setdefault(file, f"{top}/{folder}/{file}")
    return [found[file] for file in sorted(found)]


def _own_folders(name: str) -> Iterator[str]:
    """The folder NAME.service.d, then those of its parts up to each dash, then its template's."""
    yield f"{name}.d"
    stem, at, _ = name.removesuffix(".service").partition("@")
    parts = stem.split("-")
    for length in range(len(parts) - 1, 0, -1):
        yield f"{'-'.join(parts[:length])}-.service.d"
    if at:
        yield f"{stem}@.service.d"


def _specifiers(tree: Tree) -> dict[str, str]:
    host = (tree.text("etc/hostname", "etc/hostname") or "").strip()
    machine = (tree.text("etc/machine-id", "etc/machine-id") or "").strip()
    values = (("H", host), ("l", host.partition(".")[0]), ("m", machine))
    return {name: value for name, value in values if value}


def environment_of(tree: Tree, service: Service) -> dict[str, Word]:
    """The variables of a service: the manager's defaults, then its own, then those of its files.

    If a file is written at boot, and is not in the tree, variables without a value are unknown.
    """
    found: dict[str, Word] = {}
    manager = next((path for path in _MANAGER if tree.there(path)), "")
    for line in _SETTING.findall(tree.text(manager, manager) or "" if manager else ""):
        found |= {name: Word(value, manager) for name, _,
                  value in (word.partition("=") for word in split_words(line))}
    found |= service.environment
    for pattern, optional, source in service.environment_files:
        for path in tree.matching(inner(pattern)):
            if not tree.there(path) and not (optional and (tree.there(_RUN)
                                                           or not path.startswith(f"{_RUN}/"))):
                found[""] = Word(UNKNOWN, source)
            found |= {name: Word(value, path)
                      for name, value in read_environment(tree.text(path, source) or "").items()}
    return found
