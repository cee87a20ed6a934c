"""The value language of v3 extensions: `name:value, name, …` or `@section` (X509V3_parse_list)."""
from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

from ..config import Config, Setting, located
from ...errors import InputError

_SPACE = " \t\n\v\f\r"
_TRUE, _FALSE = ("TRUE", "true", "Y", "y", "YES", "yes"), ("FALSE", "false", "N", "n", "NO", "no")
# A sign before the digits and a sign before 0x count once.
_INTEGER = re.compile(
    r"-?(?:0[xX]-?(?P<hexadecimal>[0-9A-Fa-f]{1,4000})|-?(?P<decimal>[0-9]{1,4000}))")


class Value(NamedTuple):
    """One item of a list."""

    name: str
    """The text before the colon."""
    text: str | None
    """The text after the colon, None if there is no colon."""
    setting: Setting | None = None
    """The setting of a section that is this item, None for an inline item."""


def list_values(text: str, config: Config) -> list[Value]:
    """The items of a value: an inline list, or the settings of its `@section` of *config*.

    Raises InputError for an empty list, item or section.
    """
    if not text.startswith("@"):
        return parse_list(text)
    settings = config.settings(text[1:])
    if not settings:
        raise InputError(f"invalid extension string: section [{text[1:]}] is absent or empty")
    return [Value(setting.key, setting.value, setting) for setting in settings]


@contextmanager
def located_value(value: Value) -> Iterator[None]:
    """Give an InputError that is raised inside the block the line of *value*, if it has a line."""
    with located(value.setting) if value.setting is not None else nullcontext():
        yield


def parse_list(text: str) -> list[Value]:
    """The items of an inline list: split at commas, each parted at its first colon.

    Raises InputError for an empty name or text.
    """
    return [_item(item) for item in text.partition("\r")[0].partition("\n")[0].split(",")]


def _item(item: str) -> Value:
    name, colon, text = item.partition(":")
    if not (name := _strip(name)):
        raise InputError("invalid empty name")
    if not colon:
        return Value(name, None)
    if not (text := _strip(text)):
        raise InputError("invalid null value")
    return Value(name, text)


def _strip(text: str) -> str:
    """The text without the blanks around it (OpenSSL's strip_spaces).

    The blanks after a text of one character remain.
    """
    text = text.lstrip(_SPACE)
    stripped = text.rstrip(_SPACE)
    return text if len(stripped) == 1 else stripped


def truth(value: Value) -> bool:
    """A boolean in openssl's words. Raises InputError for any other word."""
    if value.text in _TRUE:
        return True
    if value.text in _FALSE:
        return False
    raise InputError(f"invalid boolean string: {value.name}:{value.text}")


def number(text: str | None) -> int:
    """An integer in decimal or 0x hexadecimal digits, with `-` before either (s2i_ASN1_INTEGER).

    Raises InputError for other text.
    """
    match = _INTEGER.fullmatch(text or "")
    if match is None:
        raise InputError(f"invalid number: {text!r}")
    size = int(match["hexadecimal"] or match["decimal"], 16 if match["hexadecimal"] else 10)
    return -size if "-" in match[0] else size
