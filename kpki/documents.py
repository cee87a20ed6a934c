"""YAML text → plain documents, which know the line of each field.

The reader builds values from libyaml's events, without recursion. Nodes with marks would use ten
times the memory. So deep nesting and aliases of aliases cost no more than their own text. Line
numbers are computed only for an error: the reader then reads the text again.
"""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import ConfigurationError

FieldPath = tuple[str | int, ...]
# (id of a container, key or index in it) → line
LineNumbers = dict[tuple[int, str | int | None], int]

DEEPEST = 64
# The most values that aliases may stand for: "a billion laughs" is a text of a few hundred bytes.
MOST_ALIASED = 100_000
# The most events of libyaml: a description of 100,000 nodes needs half of them.
MOST_EVENTS = 2_000_000
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{form: value for word, value in (("true", True), ("yes", True), ("on", True),
                                       ("false", False), ("no", False), ("off", False))
       for form in (word, word.capitalize(), word.upper())}}
_NUMERIC = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_PLAIN_KEY = re.compile(r"[\w./-]+")
_TEXT_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str"})
_CONTAINER_TAGS = frozenset({None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a YAML text."""

    value: Any
    """Plain data: dict, list, str, int, float, bool or None."""
    number: int
    """The document's index in the text, from 0; empty documents count."""
    source: bytes = field(repr=False)
    """The whole text."""

    def line_of(self, path: Sequence[str | int]) -> int:
        """The line, from 1, of the field at *path*, or of the nearest existing field around it."""
        lines: LineNumbers = {}
        values = _values(self.source, lines)
        for _ in range(self.number):
            next(values)
            lines.clear()
        value = next(values)
        line = lines[id(None), None]
        for step in path:
            if (id(value), step) not in lines:
                break
            line, value = lines[id(value), step], value[step]
        return line


def load_documents(text: str | bytes) -> list[Document]:
    """The documents of a YAML text (UTF-8) without the empty documents.

    Plain scalars are read by YAML 1.1, as in kubeadm, except that dates and sexagesimals stay text.
    Raises ConfigurationError, with line and column, for text that is no YAML, and for a key that is
    given twice. Raises ConfigurationError for a tag of other types than plain data, and for a text
    over a bound: DEEPEST, MOST_ALIASED or MOST_EVENTS.
    """
    try:
        source = text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        line = error.object.count("\n", 0, error.start) + 1
        raise ConfigurationError(
            f"line {line}: not a YAML document: the text holds half a surrogate pair",
            line=line) from None
    return [Document(value, number, source)
            for number, value in enumerate(_values(source)) if value is not None]


def load_first(data: bytes) -> Any:
    """The value of the first document of YAML or JSON; None for other text and an empty text."""
    if data.lstrip().startswith(b"{"):      # JSON may hold tabs, which YAML forbids
        import json
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            pass
    try:
        return next(iter(load_documents(data))).value
    except (ConfigurationError, StopIteration):
        return None


def path_text(path: Sequence[str | int]) -> str:
    """A path as messages write it: `nodes[2].addresses[0]`."""
    parts = (f"[{step}]" if isinstance(step, int) else
             f".{step if _PLAIN_KEY.fullmatch(step) else repr(step[:60])}" for step in path)
    return "".join(parts).removeprefix(".")


def _parser(source: bytes) -> Any:
    import yaml
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)(source)


def _events(source: bytes) -> Iterator[Any]:
    import yaml
    try:
        parser = _parser(source)
        while not isinstance(event := parser.get_event(), yaml.StreamEndEvent):
            yield event
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise _not_yaml(error.problem or error.context or "unreadable text", line, column) from None
    except yaml.reader.ReaderError as error:
        before = source[:error.position]
        raise _not_yaml(error.reason, before.count(b"\n") + 1,
                        len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1,
                        hint="a description is plain text in UTF-8") from None
    except (ValueError, OverflowError):
        # PyYAML's own parser, without libyaml, lets chr() complain about "\U7fffffff".
        raise ConfigurationError("not a YAML document: an escape stands for no character") from None


def _not_yaml(problem: str, line: int, column: int, *,
              hint: str | None = None) -> ConfigurationError:
    place = f"line {line}, column {column}: " if line else ""
    return ConfigurationError(f"{place}not a YAML document: {problem}", line=line, hint=hint or (
        "indent lines with blanks, not tabs; "
        "put text with brackets, braces, ': ' or ' #' in quotes"))


def _values(source: bytes, lines: LineNumbers | None = None) -> Iterator[Any]:
    """Each document's plain value; *lines*, if given, receives the line of each field and item.

    The stack holds open containers: (value, key that waits for its value, anchor, count of values
    so far).
    """
    import yaml
    scalar, alias = yaml.ScalarEvent, yaml.AliasEvent
    mapping, sequence = yaml.MappingStartEvent, yaml.SequenceStartEvent
    end = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
    stack: list[tuple[Any, str | None, str | None, int]] = []
    anchors: dict[str, tuple[Any, int]] = {}
    container: Any = None
    key: str | None = None
    anchor: str | None = None
    count = start = aliased = 0
    for number, event in enumerate(_events(source)):
        if number > MOST_EVENTS:
            raise _fault(event, (), None, None, f"more than {MOST_EVENTS} keys and values")
        kind = type(event)
        if lines is not None and kind in (scalar, alias, mapping, sequence):
            step = len(container) if container.__class__ is list else key
            if container.__class__ is dict and key is None:
                step = getattr(event, "value", None)
            lines.setdefault((id(container), step), event.start_mark.line + 1)
        if kind is scalar:
            if container.__class__ is dict and key is None:
                key = str(event.value)
                if key in container:
                    raise _fault(event, stack, container, key, "given twice")
                continue
            value, weight = _scalar(event), 1
            if event.anchor:
                anchors[event.anchor] = value, 1
        elif kind is mapping or kind is sequence:
            if container.__class__ is dict and key is None:
                raise _fault(event, stack, container, None,
                             "a key must be text, not a mapping or a list")
            if len(stack) == DEEPEST:
                raise _fault(event, (), None, None, f"nested more than {DEEPEST} deep")
            if event.tag not in _CONTAINER_TAGS:
                raise _fault(event, stack, container, key,
                             f"the tag {event.tag[:60]} is not plain data")
            stack.append((container, key, anchor, start))
            container, key, anchor, start = {} if kind is mapping else [], None, event.anchor, count
            continue
        elif kind in end:
            value, weight = container, count - start + 1
            if anchor:
                anchors[anchor] = value, weight
            container, key, anchor, start = stack.pop()
            count -= weight - 1
        elif kind is alias:
            if event.anchor not in anchors:
                raise _fault(event, stack, container, key,
                             f"no anchor {event.anchor[:60]} before this alias")
            if container.__class__ is dict and key is None:
                raise _fault(event, stack, container, None, "a key must be text, not an alias")
            value, weight = anchors[event.anchor]
            aliased += weight
            if aliased > MOST_ALIASED:
                raise _fault(event, stack, container, key,
                             f"aliases stand for more than {MOST_ALIASED} values")
        else:
            if kind is yaml.DocumentStartEvent:
                anchors.clear()
            continue
        count += weight
        if container is None:
            yield value
        elif container.__class__ is dict:
            container[key], key = value, None
        else:
            container.append(value)


def _scalar(event: Any) -> str | int | float | bool | None:
    text: str = event.value
    if event.tag not in _TEXT_TAGS:
        raise _fault(event, (), None, None, f"the tag {event.tag[:60]} is not plain data")
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMERIC:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _fault(event: Any, stack: Sequence[tuple[Any, str | None, str | None, int]], container: Any,
           key: str | None, fact: str) -> ConfigurationError:
    """An error at an event, with the path to it: each open container's current key or index."""
    line = event.start_mark.line + 1
    path: FieldPath = tuple(len(inner) if isinstance(inner, list) else str(waiting)
                       for inner, waiting in [*(entry[:2] for entry in stack), (container, key)]
                       if isinstance(inner, list) or waiting is not None)
    where = f"{path_text(path)}: " if path else ""
    return ConfigurationError(f"line {line}, column {event.start_mark.column + 1}: {where}{fact}",
                              line=line)
