"""New files put in their places by commands: what the `--explain` of the node commands prints.

The commands overwrite nothing, and end with the modes and owners that kpki's own files have.
"""
from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from shlex import quote
from typing import NamedTuple

from ... import files
from ...errors import InputError
from ...files import File
from ...kubernetes.kubeconfig_lines import data_lines

Written = Sequence[tuple[File, str]]
BY_HAND = "by-hand"    # the folder for all that is temporary
_END = " \\"


class Part(NamedTuple):
    """A part of new files: a file, a member of an archive, a block, data of a kubeconfig."""

    data: bytes
    command: str
    """The command that prints the part."""
    path: str = ""
    """A file in which openssl reads the part, "" if there is none."""
    whole: bool = False
    """Whether the part is that file, byte for byte."""

    def through(self, command: str, *, whole: bool = False) -> str:
        """A command of openssl that reads the part; *whole*: every byte of it."""
        if self.whole or (self.path and not whole):
            return f"{command} -in {quote(self.path)}"
        return f"{self.command} | {command}"


def file_part(data: bytes, path: str) -> Part:
    """A file as a part."""
    return Part(data, f"cat {quote(path)}", path, whole=True)


def with_data(part: Part) -> Iterator[Part]:
    """A file, and what the file embeds if it is a kubeconfig."""
    yield part
    with suppress(InputError):      # a certificate or a key
        for line in data_lines(part.data):
            read = f"sed -n {line.expression}"
            command = f"{read} {quote(part.path)}" if part.whole else f"{part.command} | {read}"
            yield Part(line.data, f"{command} | openssl base64 -d -A")


def group(commands: Iterable[str]) -> Iterator[str]:
    """Commands in a shell of their own, with a folder for what is temporary.

    The shell stops at the first command that fails.
    """
    yield f"( set -eu; umask 077; mkdir {BY_HAND}; trap 'rm -r {BY_HAND}' EXIT"
    yield from commands
    yield ")"


def free_places(root: str, written: Written) -> Iterator[str]:
    """The command that stops if one of the new files is there already."""
    new = [quote(os.path.join(root, file.path)) for file, action in written if action == "create"]
    if new:
        yield f"for new in {new[0]}{_END * (len(new) > 1)}"
        yield from (f"    {word}{_END}" for word in new[1:-1])
        yield from (f"    {word}" for word in new[1:][-1:])
        yield 'do [ ! -e "$new" ] || { echo "$new: the file is there already" >&2; exit 1; }; done'


def backup_folder(root: str, backup: str) -> Iterator[str]:
    """The commands that make a new folder of *backup* in *root*; $backup is its path."""
    place = os.path.normpath(os.path.join(root, backup))
    if "/" in backup:
        yield f"install -d {quote(os.path.dirname(place))}"
    yield f"mkdir -p {quote(place)}"
    yield f"backup=$(mktemp -d {quote(place)}/by-hand.XXXXXX)"


def away(root: str, written: Written, backup: str) -> Iterator[str]:
    """The commands that move the replaced files into a new folder of *backup* in *root*."""
    paths = [file.path for file, action in written if action == "replace"]
    if not paths:
        return
    yield from backup_folder(root, backup)
    for path in paths:
        folder = os.path.dirname(path)
        if folder:
            yield f'mkdir -p "$backup"/{quote(folder)}'
        yield f'mv {quote(os.path.join(root, path))} "$backup"/{quote(path)}'


def placed(file: File, target: str, parts: Sequence[Part], *,
           user: tuple[int, int]) -> Iterator[str]:
    """The commands that write one new file, which kpki has written to *target*.

    *user* is the user and the group that run the commands.
    """
    word = quote(target)
    if file.link:
        yield f"ln -sn {quote(file.data.decode())} {word}"
        return
    install = _install(file, target, user)
    same = next((part for part in parts if part.data == file.data), None)
    if same and same.whole:
        yield f"{install} {quote(same.path)} {word}"
        return
    both = [(first, second) for first in parts for second in parts
            if first.data + second.data == file.data]
    if same or both:
        command = same.command if same \
            else f"{{ {both[0][0].command}; {both[0][1].command}; }}"
        yield f"{command} | {install} /dev/stdin {word}"
        return
    lines = [*printed(file.data, parts)]
    if lines[0].startswith("#"):
        yield from lines
        return
    yield from lines[:-1]
    yield f"{lines[-1]}{_END}"
    yield f"    | {install} /dev/stdin {word}"


def printed(document: bytes, parts: Sequence[Part]) -> Iterator[str]:
    """The command that prints a kubeconfig; commands in it print what it embeds."""
    words = [_line(line, parts) for line in document.decode().splitlines()]
    if any("PRIVATE KEY" in word or ("client-key-data" in word and "$(" not in word)
           for word in words):      # no secret is printed
        yield "# only kpki puts the parts of the next file together"
        return
    yield "printf '%s\\n' \\"
    yield from (f"    {word}{_END}" for word in words[:-1])
    yield f"    {words[-1]}"


def _install(file: File, target: str, user: tuple[int, int]) -> str:
    """The beginning of the command that gives a file the mode and the owner of *target*."""
    found = files.read_entry_at(target)
    if found.kind == "missing":     # kpki has only said what it would write
        return f"install -D -m {file.mode:04o}"
    owner = "" if (found.owner, found.group) == user else f" -o {found.owner} -g {found.group}"
    return f"install -D -m {found.mode:04o}{owner}"


def _line(line: str, parts: Sequence[Part]) -> str:
    """A line of a kubeconfig as a word for the shell; a command prints its data."""
    for part in parts:
        if part.data and (text := b64encode(part.data).decode()) in line:
            before, _, after = line.partition(text)
            encoded = part.through("openssl base64 -A", whole=True)
            return f'{quote(before)}"$({encoded})"' + (quote(after) if after else "")
    return quote(line)
