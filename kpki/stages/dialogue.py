"""The prompting dialogue of `openssl req`: the fields of a configuration, asked in order."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import objects
from .config import Config, Setting
from .names import Name, attribute, attribute_type, grouped
from .strings import StringOptions
from ..errors import InputError

_INTRODUCTION = """\
You are about to be asked to enter information that will be incorporated
into your certificate request.
What you are about to enter is what is called a Distinguished Name or a DN.
There are quite a few fields but you can leave some blank
For some fields there will be a default value,
If you enter '.', the field will be left blank.
-----
"""
_EXTRA = """
Please enter the following 'extra' attributes
to be sent with your certificate request
"""
_SUFFIXES = ("_min", "_max", "_default", "_value")

Ask = Callable[[str], str | None]


class _Field(NamedTuple):
    kind: str
    joins: bool
    question: str
    default: str
    forced: str | None
    least: int
    most: int


def ask_name(settings: Sequence[Setting], config: Config, section: str, options: StringOptions,
             ask: Ask | None) -> Name:
    """The name that the answers give (prompt_info in req).

    Without *ask* the fields get their defaults, as with `-batch`. Raises InputError at the end of
    the answers, and for a wrong answer that nobody can correct.
    """
    introduction = _INTRODUCTION
    joined = []
    for setting in settings:
        if setting.key.endswith(_SUFFIXES):
            continue
        joins, kind = attribute_type(setting.key)
        oid = options.names.get(kind) or objects.find_known_oid(kind)
        if oid is None:
            continue
        field = _field(setting, kind, joins, config, section)
        answer = _answer(field, introduction, ask)
        introduction = _introduction(field, introduction)
        if answer is not None:
            joined.append((joins, attribute(oid, answer, options)))
    return grouped(joined)


def ask_attributes(settings: Sequence[Setting], config: Config, section: str,
                   options: StringOptions, ask: Ask | None) -> tuple[tuple[str, str], ...]:
    """The attributes that the answers give, as (type, text)."""
    introduction = _EXTRA
    pairs = []
    for setting in settings:
        if setting.key.endswith(_SUFFIXES) or (options.names.get(setting.key)
                                               or objects.find_known_oid(setting.key)) is None:
            continue
        field = _field(setting, setting.key, False, config, section)
        answer = _answer(field, introduction, ask)
        introduction = _introduction(field, introduction)
        if answer is not None:
            pairs.append((setting.key, answer))
    return tuple(pairs)


def _field(setting: Setting, kind: str, joins: bool, config: Config, section: str) -> _Field:
    def beside(suffix: str) -> str | None:
        return config.get(section, setting.key + suffix)

    return _Field(kind, joins, setting.value, beside("_default") or "", beside("_value"),
                  _limit(beside("_min")), _limit(beside("_max")))


def _limit(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else -1


def _introduction(field: _Field, introduction: str) -> str:
    """The text before the next question.

    A field with a fixed value (`_value`) is not asked: the text holds its question and its value.
    """
    return "" if field.forced is None else f"{introduction}{_question(field)}{field.forced}\n"


def _question(field: _Field) -> str:
    # A question is one line.
    return f"{field.question} [{field.default}]:".replace("\n", "\\n")


def _answer(field: _Field, introduction: str, ask: Ask | None) -> str | None:
    """The text of one field, None if the field is left out."""
    before = introduction
    while (reply := _reply(field, before + _question(field), ask)) is not None:
        if reply == ".":
            return None
        reply = reply or field.default
        if not reply:
            return None
        wrong = _misfit(field, reply)
        if not wrong:
            return reply
        if ask is None or field.forced is not None:
            raise InputError(f"{field.kind}: {wrong[0].lower()}{wrong[1:]}")
        before = f"{wrong}\n"
    raise InputError(f"{field.kind}: no answer before the end of the input",
                     hint="give the subject with -subj, or take the defaults with -batch")


def _reply(field: _Field, question: str, ask: Ask | None) -> str | None:
    if field.forced is not None:
        return field.forced
    return "" if ask is None else ask(question)


def _misfit(field: _Field, text: str) -> str:
    """The words of openssl for a text that is too short or too long (req_check_len), else ""."""
    size = len(text.encode("utf-8", "surrogateescape"))
    if field.least > 0 and size < field.least:
        return f"String too short, must be at least {field.least} bytes long"
    if 0 <= field.most < size:
        return f"String too long, must be at most {field.most} bytes long"
    return ""
