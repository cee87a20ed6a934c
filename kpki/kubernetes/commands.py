"""Which component a command line starts, behind whatever wrapper, and what that component is then given.

Wrappers: a shell's -c, docker and podman run, hyperkube, and every program that runs the words behind its own options
(kubelet-wrapper, kubenswrapper, env, nice). Sources: docker-run(1), podman-run(1).
"""
from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .words import Word, is_variable

PROGRAMS = frozenset({
    "kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd",
    "cloud-controller-manager", "konnectivity-server", "konnectivity-agent", "k3s", "rke2", "k0s"})
_ALIASES = {"proxy-server": "konnectivity-server", "proxy-agent": "konnectivity-agent"}
_HYPERKUBE = {"apiserver": "kube-apiserver", "controller-manager": "kube-controller-manager",
              "scheduler": "kube-scheduler", "proxy": "kube-proxy"}
# What runs the word behind it; of another program the words behind it count if flags follow.
_RUNNERS = frozenset({"exec", "env", "nice", "sudo", "hyperkube", "kubenswrapper", "--"})
_PROGRAM = re.compile(r"(?:[\w-]+-(?=cloud-controller-manager))?(.+?)"
                      r"(?:-wrapper|-(?:amd|arm)64|[-_]v?[0-9][\w.+-]*)?(?::[\w.-]+)?(?:@sha256.*)?")
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
_ENGINES = frozenset({"docker", "podman", "nerdctl"})
# Their options of `run` that stand alone; every other takes the next word where it has no `=`.
_ALONE = frozenset("""detach interactive tty rm privileged init read-only no-healthcheck publish-all sig-proxy
    oom-kill-disable disable-content-trust quiet replace rmi tls-verify no-hosts env-host http-proxy no-hostname
    systemd-always""".split())
_ALONE_LETTERS = frozenset("ditPq")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_OPERATOR = re.compile(r"[;&|()<>]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A *component* as it is started: its own *words*, the *environment* that it finds, and where its files are.

    *mounts* are (path as the component sees it, path on the host; "" for what is no file of the host).
    *environment_files* are those of a container (paths of the host), *folder* is the working directory.
    """

    component: str
    words: tuple[Word, ...]
    environment: Mapping[str, Word] = field(default_factory=dict)
    environment_files: tuple[str, ...] = ()
    mounts: tuple[tuple[str, str], ...] = ()
    folder: str = "/"

    def on_host(self, path: str) -> str:
        """Where a path that the component is told lies on the host, absolute; "" for no file of the host, and for a
        path with a control character, which names none."""
        if not path.isprintable():
            return ""
        whole = posixpath.normpath(posixpath.join(self.folder, path))
        for inside, outside in sorted(self.mounts, key=lambda mount: -len(mount[0])):
            inside = posixpath.normpath(inside)
            if whole == inside or whole.startswith(inside.rstrip("/") + "/"):
                return posixpath.normpath(f"{outside}/{whole[len(inside):]}") if outside else ""
        return "/" + whole.lstrip("/")


def component_named(word: str, before: str = "") -> str:
    """The component whose program (or image) a word names; *before* is the program in front of it. "" for none."""
    found = _PROGRAM.fullmatch(posixpath.basename(word))
    name = found[1] if found else ""
    if before == "hyperkube":
        name = _HYPERKUBE.get(name, name)
    name = _ALIASES.get(name, name)
    return name if name in PROGRAMS else ""


def find_start(words: Sequence[Word], environment: Mapping[str, Word], folder: str = "/") -> Start | None:
    """The component that a command line starts; None where it starts none."""
    before = ""
    for number, word in enumerate(words):
        program, rest = posixpath.basename(word.text), words[number + 1:]
        sure = number == 0 or before in _RUNNERS or any(one.text.startswith("--") for one in rest[:1])
        if sure and (component := component_named(word.text, before)):
            return Start(component=component, words=tuple(rest), environment=environment, folder=folder)
        if program in _ENGINES:
            run = next((place for place, one in enumerate(rest) if one.text == "run"), None)
            return None if run is None else _container(rest[run + 1:], environment)
        if program in _SHELLS:
            for place, option in enumerate(rest[:-1]):
                if re.fullmatch(r"-\w*c\w*", option.text):
                    return read_script(rest[place + 1], rest[place + 2:], environment, folder)
        before = program
    return None


def _container(words: Sequence[Word], outside: Mapping[str, Word]) -> Start | None:
    """What `docker run` with these words starts in a container."""
    environment: dict[str, Word] = {}
    files: list[str] = []
    mounts: list[tuple[str, str]] = []
    folder, entry, place = "/", "", 0
    while place < len(words) and words[place].text.startswith("-"):
        option, equals, value = words[place].text.partition("=")
        place += 1
        letters = not option.startswith("--")
        if letters and option[1:2] in "vew" and len(option) > 2:
            option, value, equals = option[:2], option[2:] + equals + value, "="
        if not equals and not (option[2:] in _ALONE or letters and set(option[1:]) <= _ALONE_LETTERS):
            value, place = words[place].text if place < len(words) else "", place + 1
        if option in ("-v", "--volume"):
            host, _, rest = value.partition(":")
            mounts.append((rest.partition(":")[0] or host, host if host.startswith("/") else ""))
        elif option == "--mount":
            said = dict(part.partition("=")[::2] for part in value.split(","))
            source = said.get("source", said.get("src", ""))
            target = said.get("target", said.get("destination", said.get("dst", "")))
            mounts.append((target, source if source.startswith("/") else ""))
        elif option in ("-e", "--env"):
            name, equals, text = value.partition("=")
            environment[name] = Word(text, words[place - 1].source) if equals else outside.get(name, Word("", ""))
        elif option == "--env-file":
            files.append(value)
        elif option in ("-w", "--workdir"):
            folder = value
        elif option == "--entrypoint":
            entry = value
    image, arguments = words[place:place + 1], words[place + 1:]
    if not image:
        return None
    first = Word(entry, image[0].source)
    inner = find_start([first, *arguments] if entry else arguments, environment, folder)
    component = inner.component if inner else component_named(image[0].text)
    if not component:
        return None
    return Start(component=component, words=inner.words if inner else tuple(arguments), environment=environment,
                 environment_files=tuple(files), mounts=tuple(mounts), folder=folder)


def read_script(script: Word, arguments: Sequence[Word], environment: Mapping[str, Word],
                folder: str = "/") -> Start | None:
    """The component that a shell script starts: its last command that names one; *arguments* are what `$@` stands for.

    Assignments before it count; what a script decides while it runs is not known.
    """
    known, found = dict(environment), None
    for words in _script_commands(script.text):
        while words and is_variable(words[0]):
            name, _, value = words.pop(0).partition("=")
            known[name] = Word(_filled(value, known), script.source)
        expanded: list[Word] = []
        for word in words:
            whole = _VARIABLE.fullmatch(word)
            if word in ("$@", "$*"):
                expanded += arguments
            elif whole:
                said = known.get(whole[1] or whole[2], Word("", script.source))
                expanded += [Word(part, said.source) for part in said.text.split()]
            else:
                expanded.append(Word(_filled(word, known), script.source))
        found = find_start(expanded, known, folder) or found
    return found


def _filled(text: str, environment: Mapping[str, Word]) -> str:
    """A word of a script with its variables in place."""
    return _VARIABLE.sub(lambda name: environment.get(name[1] or name[2], Word("", "")).text, text)


def _script_commands(text: str) -> Iterator[list[str]]:
    """The words of each simple command of a shell script; what cannot be read as one is left out."""
    lines = (line for line in text.replace("\\\n", " ").split("\n") if not line.lstrip().startswith("#"))
    lexer = shlex.shlex("\n;\n".join(lines), posix=True, punctuation_chars=";&|()<>")
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    comment = False
    try:
        for word in lexer:
            if _OPERATOR.fullmatch(word):
                yield words
                words, comment = [], False
            elif not (comment := comment or word.startswith("#")):
                words.append(word)
    except ValueError:      # a quote that is never closed
        return
    yield words
