"""Command lines → the component that each starts, with its arguments, environment and mounts.

Known wrappers: a shell's -c, docker and podman run, hyperkube, and programs that run the words
after their own options (kubelet-wrapper, kubenswrapper, env, nice).
Sources: docker-run(1), podman-run(1).
"""
from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .words import UNKNOWN, Word, is_variable

PROGRAMS = frozenset({
    "kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd",
    "cloud-controller-manager", "konnectivity-server", "konnectivity-agent", "k3s", "rke2", "k0s"})
_ALIASES = {"proxy-server": "konnectivity-server", "proxy-agent": "konnectivity-agent"}
_HYPERKUBE = {"apiserver": "kube-apiserver", "controller-manager": "kube-controller-manager",
              "scheduler": "kube-scheduler", "proxy": "kube-proxy"}
# Programs that run the word after them; after another program, a component's name counts if flags
# follow the name.
_RUNNERS = frozenset({"exec", "env", "nice", "sudo", "hyperkube", "kubenswrapper", "--"})
_PROGRAM = re.compile(
    r"(?:[\w-]+-(?=cloud-controller-manager))?(.+?)"
    r"(?:-wrapper|-(?:amd|arm)64|[-_]v?[0-9][\w.+-]*)?(?::[\w.-]+)?(?:@sha256.*)?")
# Wrapper that runs a container → the folder that the container has from the host, and the variable
# with its place there (Container Linux, Flatcar: app-admin/etcd-wrapper).
_WRAPPERS = {"etcd-wrapper": ("/etc/ssl/certs", "ETCD_SSL_DIR")}
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
_ENGINES = frozenset({"docker", "podman", "nerdctl"})
# The engines' options of `run` without a value; any other option has the next word as its value,
# unless the option has a `=`.
_ALONE = frozenset("""
    detach interactive tty rm privileged init read-only no-healthcheck publish-all sig-proxy
    oom-kill-disable disable-content-trust quiet replace rmi tls-verify no-hosts env-host
    http-proxy no-hostname systemd-always""".split())
_ALONE_LETTERS = frozenset("ditPq")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^{}]*))?\}|(\w+)|\{[^{}]*\})")
_OPERATOR = re.compile(r"[;&|()<>]+")
# What a shell puts in place of a command: the output, which no file tells.
_OUTPUT = re.compile(r"\$\((?!\()[^()]*\)|`[^`\n]*`")
# Words of a shell before a command.
_BEFORE = frozenset({"then", "else", "elif", "if", "do", "while", "!", "{", "export", "readonly",
                     "declare", "local", "typeset"})
# An absolute path as the script sees the file → the file's text, with its path on the host.
ScriptReader = Callable[[str], Word | None]


class Start(NamedTuple):
    """The start of a component."""

    component: str
    words: tuple[Word, ...]
    """The component's arguments."""
    environment: Mapping[str, Word] = {}
    """The variables that the component finds."""
    environment_files: tuple[str, ...] = ()
    """The environment files of a container, as paths of the host."""
    mounts: tuple[tuple[str, str], ...] = ()
    """(path that the component sees, path on the host); "" for a volume that is not on the host."""
    folder: str = "/"
    """The working directory."""

    def on_host(self, path: str) -> str:
        """The absolute path on the host of a path that the component sees.

        Returns "" for a path that is not on the host, and for a path with a control character.
        """
        if not path.isprintable():
            return ""
        whole = posixpath.normpath(posixpath.join(self.folder, path))
        if found := self._mount(whole):
            inside, outside = found
            return posixpath.normpath(f"{outside}/{whole[len(inside):]}") if outside else ""
        return "/" + whole.lstrip("/")

    def has_mounted(self, path: str) -> bool:
        """Whether a path that the component sees lies in a folder or file of the host."""
        found = self._mount(posixpath.normpath(posixpath.join(self.folder, path)))
        return found is not None and found[1] != ""

    def _mount(self, whole: str) -> tuple[str, str] | None:
        """The mount that an absolute path lies in."""
        for mount, outside in sorted(self.mounts, key=lambda mount: -len(mount[0])):
            inside = posixpath.normpath(mount)
            if whole == inside or whole.startswith(inside.rstrip("/") + "/"):
                return inside, outside
        return None


def component_named(word: str, before: str = "") -> str:
    """The component whose program or image *word* names, or ""; *before* is the word before."""
    found = _PROGRAM.fullmatch(posixpath.basename(word))
    name = found[1] if found else ""
    if before == "hyperkube":
        name = _HYPERKUBE.get(name, name)
    name = _ALIASES.get(name, name)
    return name if name in PROGRAMS else ""


def _unread(_: str) -> Word | None:
    return None


def find_start(words: Sequence[Word], environment: Mapping[str, Word], folder: str = "/",
               read: ScriptReader = _unread) -> Start | None:
    """The component that a command line starts; None if there is none.

    *read* gives the files that a shell's script takes in.
    """
    before = ""
    for number, word in enumerate(words):
        program, rest = posixpath.basename(word.text), words[number + 1:]
        sure = (number == 0 or before in _RUNNERS
                or any(following.text.startswith("--") for following in rest[:1]))
        if sure and (component := component_named(word.text, before)):
            inside, variable = _WRAPPERS.get(program, ("", ""))
            place = environment.get(variable)
            return Start(component=component, words=tuple(rest), environment=environment,
                         folder=folder, mounts=((inside, place.text),) if place else ())
        if program in _ENGINES:
            run = next((at for at, argument in enumerate(rest) if argument.text == "run"), None)
            return None if run is None else _container(rest[run + 1:], environment)
        if program in _SHELLS:
            for at, option in enumerate(rest[:-1]):
                if re.fullmatch(r"-\w*c\w*", option.text):
                    return read_script(rest[at + 1], rest[at + 2:], environment, folder, read)
        before = program
    return None


def _container(words: Sequence[Word], outside: Mapping[str, Word]) -> Start | None:
    """The component that `docker run` with these arguments starts in a container."""
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
        if not equals and not (option[2:] in _ALONE
                               or (letters and set(option[1:]) <= _ALONE_LETTERS)):
            value, place = words[place].text if place < len(words) else "", place + 1
        if option in ("-v", "--volume"):
            host, _, rest = value.partition(":")
            mounts.append((rest.partition(":")[0] or host, host if host.startswith("/") else ""))
        elif option == "--mount":
            fields = dict(part.partition("=")[::2] for part in value.split(","))
            source = fields.get("source", fields.get("src", ""))
            target = fields.get("target", fields.get("destination", fields.get("dst", "")))
            mounts.append((target, source if source.startswith("/") else ""))
        elif option in ("-e", "--env"):
            name, equals, text = value.partition("=")
            source = words[place - 1].source
            environment[name] = Word(text, source) if equals else outside.get(name, Word("", ""))
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
    return Start(component=component, words=inner.words if inner else tuple(arguments),
                 environment=environment,
                 environment_files=tuple(files), mounts=tuple(mounts), folder=folder)


def read_script(script: Word, arguments: Sequence[Word], environment: Mapping[str, Word],
                folder: str = "/", read: ScriptReader = _unread) -> Start | None:
    """The component that the last matching command of a shell script starts; None if there is none.

    *arguments* are the values of `$@`. Assignments before the command count, also those of files
    that the script takes in by `source`; conditions do not.
    """
    known, found = dict(environment), None
    for words in _script_commands(script.text):
        while words and words[0] in _BEFORE:
            del words[0]
        _assign(words, known, script.source)
        if words[:1] in (["."], ["source"]) and len(words) > 1:
            taken = read(posixpath.join(folder, _filled(words[1], known)))
            for inner in _script_commands(taken.text) if taken else ():
                _assign(inner[inner[:1] == ["export"]:], known, taken.source if taken else "")
            continue
        expanded: list[Word] = []
        for word in words:
            whole = _VARIABLE.fullmatch(word)
            if word in ("$@", "$*"):
                expanded += arguments
            elif whole and (name := whole[1] or whole[3]) and (name in known or not whole[2]):
                filled = known.get(name, Word("", script.source))
                expanded += [Word(part, filled.source) for part in filled.text.split()]
            else:
                expanded.append(Word(_filled(word, known), script.source))
        found = find_start(expanded, known, folder, read) or found
    return found


def _assign(words: list[str], known: dict[str, Word], source: str) -> None:
    """Take the assignments off the beginning of a command, and note them."""
    while words and is_variable(words[0]):
        name, _, value = words.pop(0).partition("=")
        known[name] = Word(_filled(value, known), source)


def _filled(text: str, environment: Mapping[str, Word]) -> str:
    """A word of a script with its variables in place.

    What nobody has assigned, and a shell's other substitutions, are unknown.
    """
    def value(found: re.Match[str]) -> str:
        word = environment.get(found[1] or found[3] or "")
        if word is None:
            return UNKNOWN if found[2] is None else found[2]
        return word.text or found[2] or ""

    return _VARIABLE.sub(value, text)


def _script_commands(text: str) -> Iterator[list[str]]:
    """The words of each simple command of a shell script; other syntax is left out."""
    text = "\n".join(line for line in text.replace("\\\n", " ").split("\n")
                     if not line.lstrip().startswith("#"))
    while _OUTPUT.search(text):
        text = _OUTPUT.sub(UNKNOWN, text)
    lexer = shlex.shlex(text.replace("\n", "\n;\n"), posix=True, punctuation_chars=";&|()<>")
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
