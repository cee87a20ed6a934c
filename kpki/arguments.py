"""Checks of arguments: each value has the type of its annotation, and each time has a zone.

Public functions and methods check their arguments; the package's own modules trust each other.
"""
from __future__ import annotations

import reprlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, wraps
from inspect import signature, unwrap
from itertools import chain
from types import UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import InputError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Test = Callable[[object], bool]


def validated(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """*function*, which now checks every argument before the call (see `validate_arguments`)."""
    names = tuple(signature(function).parameters)

    @wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        # not signature.bind, which takes longer than all tests; the call refuses a wrong number
        validate_arguments(function, chain(zip(names, args, strict=False), kwargs.items()))
        return function(*args, **kwargs)

    return call


def renamed(function: Callable[Parameters, Result],
            names: Mapping[str, str]) -> Callable[Parameters, Result]:
    """*function*, which accepts the old names of parameters too (old → present), with a warning."""
    @wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        for old, present in names.items():
            if old in kwargs:
                warnings.warn(f"{old} is called {present} now", DeprecationWarning, stacklevel=2)
                kwargs[present] = kwargs.pop(old)
        return function(*args, **kwargs)

    return call


def validate_arguments(annotated: Callable[..., object],
                       values: Iterable[tuple[str, object]]) -> None:
    """Compare *values*, each with its name, with the annotations of a function or a class.

    Raises TypeError, which names the parameter, for a value of another type. Raises InputError for
    a datetime without a zone.
    """
    tests = _tests(annotated)
    for name, value in values:
        test = tests.get(name)
        if test and not test(value):
            field, wrong, hint = _wrong_part(name, value, resolved(annotated)[name])
            raise TypeError(
                f"{field} is {_article(type(wrong).__name__)}, expected {described(hint)}")
        if isinstance(value, datetime) and value.utcoffset() is None:
            raise InputError(
                f"{name} is a time without a zone: {value}",
                hint="datetime(2026, 1, 31, tzinfo=timezone.utc), or datetime.now(timezone.utc)")


def _wrong_part(name: str, value: object, hint: Any) -> tuple[str, object, Any]:
    """The part of *value* with the fault: its name, its value and the expected type.

    A part is the field of a record or an item: `config.sections`, `addresses[0]`.
    """
    for kind in (hint, *get_args(hint)):
        for part, item, expected in _parts(value, kind):
            if not _test_of(expected)(item):
                return _wrong_part(f"{name}{part}", item, expected)
    return name, value, hint


def _parts(value: object, hint: Any) -> Iterator[tuple[str, Any, Any]]:
    """The parts of a value that has the outer type of *hint*, with their types."""
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if not isinstance(origin, type) or isinstance(value, str) or not isinstance(value, origin):
        return
    if _is_record(origin):
        for field, _ in _field_tests(origin):
            yield f".{field}", getattr(value, field), resolved(origin)[field]
    elif isinstance(value, Mapping) and len(inner) == 2:
        for key, item in value.items():
            yield f"'s key {reprlib.repr(key)}", key, inner[0]
            yield f"[{reprlib.repr(key)}]", item, inner[1]
    elif isinstance(value, list | tuple) and inner and (origin is not tuple or inner[-1] is ...):
        for number, item in enumerate(value):
            yield f"[{number}]", item, inner[0]


@cache
def _tests(annotated: Callable[..., object]) -> dict[str, Test]:
    """The tests of a function's or class's arguments: typing's own questions are slow to ask."""
    return {name: _test_of(hint) for name, hint in resolved(annotated).items()}


@cache
def resolved(annotated: Callable[..., object]) -> dict[str, Any]:
    """The annotations of a function or class as types.

    Names that only type checkers load are known if they are cryptography's or public in kpki.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import types
    known = {"x509": x509, "Certificate": x509.Certificate, "Loaded": x509.Certificate,
             "CertificateSigningRequest": x509.CertificateSigningRequest,
             "PrivateKeyTypes": types.PrivateKeyTypes, "PublicKeyTypes": types.PublicKeyTypes}
    inner = unwrap(annotated)
    names = {**known, **vars(sys.modules[inner.__module__])}
    while True:
        try:
            return get_type_hints(inner, names)
        except NameError as error:
            name = str(error.name)
            names[name] = getattr(sys.modules["kpki"], name)


def _test_of(hint: Any) -> Test:
    """Whether a value, each item of a list and each field of a record has a type.

    Types that cannot be checked pass.
    """
    origin, inner = get_origin(hint), get_args(hint)
    kind = origin or hint
    if origin in (Union, UnionType):
        classes = tuple(member for member in inner if _is_plain(member))
        others = [_test_of(member) for member in inner if member not in classes]
        return lambda value: isinstance(value, classes) or any(test(value) for test in others)
    if hint is Any or isinstance(hint, TypeVar):
        return lambda _: True
    if origin is Literal:
        return lambda value: value in inner
    if hint is None or hint is type(None):
        return lambda value: value is None
    if _is_record(kind):
        return lambda value: (isinstance(value, kind)
                              and all(test(getattr(value, name))
                                      for name, test in _field_tests(kind)))
    if kind is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if kind is float:       # PEP 484: an int is a float to a reader
        return lambda value: isinstance(value, float) or type(value) is int
    # a str is a sequence of str, and no caller means that
    if not inner or (kind is tuple and inner[-1] is not ...):
        return lambda value: (isinstance(value, kind)
                              and (kind in (str, bytes) or not isinstance(value, str | bytes)))
    item_test = _test_of(inner[0])
    if isinstance(kind, type) and issubclass(kind, Mapping):
        value_test = _test_of(inner[1])
        return lambda value: (isinstance(value, kind) and all(map(item_test, value))
                              and all(map(value_test, value.values())))
    lists = tuple(known for known in (list, tuple) if issubclass(known, kind))
    return lambda value: (all(map(item_test, value)) if isinstance(value, lists) else
                          isinstance(value, kind) and not isinstance(value, (str, bytes)))


def _is_plain(hint: Any) -> bool:
    """Whether isinstance() answers for a type alone."""
    return (isinstance(hint, type) and not get_args(hint) and hint not in (int, float)
            and not _is_record(hint))


def _is_record(hint: Any) -> bool:
    """Whether a type is a data class or a named tuple."""
    return isinstance(hint, type) and (hasattr(hint, "__dataclass_fields__")
                                       or hasattr(hint, "_field_defaults"))


@cache
def _field_tests(record: Any) -> tuple[tuple[str, Test], ...]:
    """The fields of a record and their tests."""
    tests = _tests(record)
    return tuple((name, tests[name])
                 for name in getattr(record, "__dataclass_fields__", None) or record._fields)


def described(hint: Any) -> str:
    """A type as people write it: `str | None`, `Sequence[str]`, `Certificate`."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " | ".join(_once(_key_words(inner)))
    if origin is Literal:
        return " | ".join(map(repr, inner))
    if isinstance(hint, list):
        return f"[{', '.join(map(described, hint))}]"
    if origin is not None:
        members = ("..." if member is ... else described(member) for member in inner)
        return f"{origin.__name__}[{', '.join(members)}]"
    return "None" if hint in (None, type(None)) else getattr(hint, "__name__", str(hint))


def _key_words(kinds: Sequence[Any]) -> list[str]:
    """The names of types; a union of cryptography's key classes has cryptography's own name."""
    words = []
    for kind in kinds:
        name = getattr(kind, "__name__", "")
        half = next((half for half in ("Private", "Public") if name.endswith(f"{half}Key")), "")
        is_key = half and kind.__module__.startswith("cryptography")
        words.append(f"{half}KeyTypes" if is_key else described(kind))
    return words


def _once(words: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _article(noun: str) -> str:
    return noun if noun == "NoneType" else f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
