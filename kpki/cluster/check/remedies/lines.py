"""The lines of a remedy: comments and commands, each one line of printable ASCII.

So a script of them is the same in every locale, and no letter looks like another.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from shlex import quote

INSTALL = ("kpki", "node", "install")
_ODD = re.compile(rb"^-|[^A-Za-z0-9/._-]")
_UNPRINTABLE = re.compile(r"[^ -~]")


def comment(text: str) -> str:
    """A comment; all but printable ASCII is escaped, so that *text* cannot end the line."""
    return "# " + _UNPRINTABLE.sub(lambda odd: odd[0].encode("unicode_escape").decode(), text)


def command(*words: str) -> str:
    """A command of these words, or a comment if no shell can have one of the words on one line."""
    if any("\0" in word or word.endswith("\n") for word in words):
        return comment(f"no shell accepts a name like this in one line: {' '.join(words)}")
    return " ".join(map(_argument, words))


def _argument(word: str) -> str:
    """A word for POSIX sh; words with other characters than printable ASCII have octal escapes."""
    if not _UNPRINTABLE.search(word):
        return quote(word)
    octal = _ODD.sub(lambda odd: b"\\%03o" % odd[0][0], word.encode("utf-8", "surrogateescape"))
    return f"\"$(printf '{octal.decode()}')\""


def each_once(remedies: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of many remedies as one script: each command once, with the comments above it.

    A command stands at its first use; an installation after the last command that makes its files.
    """
    groups = [group for remedy in remedies for group in _groups(remedy)]
    install = command(*INSTALL)
    last = {group[-1]: number for number, group in enumerate(groups)}
    done = set[str]()
    for number, group in enumerate(groups):
        line = group[-1]
        if line not in done and (number == last[line] or not line.startswith(f"{install} ")):
            done.add(line)
            yield from group


def _groups(remedy: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Each command with the comments above it; at the end the comments without a command."""
    group: list[str] = []
    for line in remedy:
        group.append(line)
        if not line.startswith("#"):
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)
