"""The components that a host starts, with arguments: by units, static pods and programs."""
from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .services import environment_of, services
from .tree import Tree, inner
from ...kubernetes.commands import PROGRAMS, ScriptReader, Start, find_start, read_script
from ...kubernetes.distributions import (
    ARGUMENTS,
    CHILDREN,
    EMBEDDED_ETCD,
    OPENRC,
    SCRIPTS,
    STANDARDS,
)
from ...kubernetes.manifests import read_containers
from ...kubernetes.settings import effective_values, flags_of, values_of
from ...kubernetes.units import Service, read_service
from ...kubernetes.words import Word, read_plain_environment

_WORTH = re.compile("kube|etcd|k3s|rke2|k0s|konnectivity")
_PARENTS = {program for program, _ in CHILDREN}


class Started(NamedTuple):
    """A component's *start*, and the file *source* of the start.

    *default* says whether the flags are a program's own. *user* runs the component: a name or a
    number, "" if no file tells. *unit* is the systemd unit without `.service`, "" without a unit.
    """

    start: Start
    source: str
    default: bool = False
    user: str = ""
    static: bool = False    # whether a static pod starts the component
    unit: str = ""

    @property
    def key(self) -> str:
        """The mark of this start, in the groups of its uses."""
        return f"{self.source} {self.unit} {self.start.component}"


def starts(tree: Tree) -> list[Started]:
    """Every start by something else than a static pod."""
    found: list[Started] = []
    for source, service, environment in services(tree, _WORTH):
        if start := _started(tree, service, environment):
            started = Started(start, source, user=service.user, unit=service.unit)
            found += _children(tree, started) if start.component in _PARENTS else [started]
    found += _scripts(tree)
    for standard in STANDARDS:
        if any(running.start.component == standard.component for running in found):
            continue
        marks = ([*filter(tree.there, tree.matching(mark))] for mark in standard.marks)
        if all(len(paths) == 1 for paths in marks):
            source = next(filter(tree.there, tree.matching(standard.marks[0])))
            unit = standard.unit.replace("{stem}", source.removesuffix("-key.pem"))
            service = read_service([(source, unit)], {})
            start = _started(tree, service, environment_of(tree, service))
            found += [Started(start, source)] if start else []
    return found


def _started(tree: Tree, service: Service, environment: Mapping[str, Word]) -> Start | None:
    """The component that a service starts, with the service's variables."""
    for command in service.commands:
        words = service.words(command, environment)
        start = find_start(words, environment, service.folder, _reader(tree))
        program = words[0].text
        if script := tree.script(inner(program)) if program.startswith("/") else "":
            start = read_script(Word(script, inner(program)), words[1:], environment,
                                service.folder, _reader(tree)) or start
        if start:
            return start._replace(environment={**_contained(tree, start), **start.environment})
    return None


def _reader(tree: Tree, outside: Start | None = None) -> ScriptReader:
    """What reads the files that a script takes in, as *outside*, a container, sees them."""
    def read(path: str) -> Word | None:
        place = inner(outside.on_host(path) if outside else path) if path.isprintable() else ""
        text = tree.text(place, place) if place else None
        return None if text is None else Word(text, place)
    return read


def _contained(tree: Tree, start: Start) -> dict[str, Word]:
    """The variables of a container's own files."""
    texts = ((path, tree.text(path, path) or "") for path in map(inner, start.environment_files))
    return {name: Word(value, path) for path, text in texts
            for name, value in read_plain_environment(text).items()}


def _children(tree: Tree, parent: Started) -> Iterator[Started]:
    """The components that a program starts, with its own flags and with configured flags."""
    start, source = parent.start, parent.source
    verb = next((word.text for word in start.words if not word.text.startswith("-")), "server")
    folder, lines = CHILDREN.get((start.component, verb), ("", ()))
    effective = effective_values([*flags_of(start.component, start.words)])
    own = {name: values_of(name, values) for name, values in effective.items()}
    # k0s has another, and kpki does not read it
    path = f"etc/rancher/{start.component}/config.yaml"
    configured: dict[str, Any] = {}
    for file in (path,
                 *(f"{path}.d/{name}" for name in tree.names(f"{path}.d")
                   if name.endswith(".yaml"))):
        document = tree.document(file, source)
        configured |= document if isinstance(document, dict) else {}
    folder = str(configured.get("data-dir") or next(iter(own.get("data-dir", ())), folder))
    for line in lines:
        component, *words = line.format(data=folder).split()
        if start.component == "k3s" and not tree.there(inner(f"{folder}/{EMBEDDED_ETCD}")):
            words = [word for word in words if not word.startswith("--etcd-")]
        further = [word for name, value in configured.items() if name == f"{component}-arg"
                   for word in (value if isinstance(value, list) else [value])]
        if component == "kubelet" \
            and (node := configured.get("node-name") or "".join(own.get("node-name", ()))):
            further.append(f"hostname-override={node}")
        child = Start(component=component, words=(
            *(Word(word, source) for word in words), *(Word(f"--{word}", path) for word in further),
            *(Word(f"--{word.text.partition('=')[2]}", word.source) for word in start.words
              if word.text.startswith(f"--{component}-arg="))))
        if any(tree.there(inner(word.partition("=")[2])) for word in words
               if f"={folder}/" in word):
            yield Started(child, source, default=True, unit=parent.unit)


def _scripts(tree: Tree) -> Iterator[Started]:
    """The components whose flags lie in own files, and those that a script starts."""
    for pattern, variables in ARGUMENTS.items():
        for name, path in _of_components(tree, pattern):
            lines = [line for line in (tree.text(path, path) or "").splitlines()
                     if not line.lstrip().startswith("#")]
            if any(map(str.strip, lines)):
                yield from _by_script(tree, " ".join((name, *lines)), path, variables)
    for before, pattern in SCRIPTS:
        for name, path in _of_components(tree, pattern):
            sources = [source for source in (before.format(component=name), path) if source
                       and tree.there(source)]
            texts = [tree.text(source, path) or "" for source in sources]
            yield from _by_script(tree, "\n".join((*texts, OPENRC)), sources[0], {})


def _of_components(tree: Tree, pattern: str) -> Iterator[tuple[str, str]]:
    """The components whose file matches a pattern, and the file."""
    if tree.there(pattern.partition("/{")[0]):
        yield from ((name, path) for name in sorted(PROGRAMS)
                    if tree.there(path := pattern.format(component=name)))


def _by_script(tree: Tree, text: str, path: str,
               variables: Mapping[str, str]) -> Iterator[Started]:
    start = read_script(Word(text, path), (),
                        {name: Word(value, path) for name, value in variables.items()},
                        read=_reader(tree))
    if start:
        yield Started(start, path)


def pods(tree: Tree, folder: str) -> Iterator[Started]:
    """The components of the static pods in a folder; a file in its place is read itself."""
    paths = [posixpath.join(folder, name) for name in tree.names(folder)
             if not name.startswith(".")]
    for path in [folder] if tree.kind(folder) == "file" else paths:
        for container in read_containers(tree.read(path, path) or b""):
            environment = {name: Word(value, path) for name, value in container.environment.items()}
            outside = Start(component="", words=(), mounts=container.mounts)
            start = find_start([Word(word, path) for word in container.words], environment,
                               container.folder, _reader(tree, outside))
            if start:
                yield Started(start._replace(mounts=container.mounts), path, user=container.user,
                              static=True)
