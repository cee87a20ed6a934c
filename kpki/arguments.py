"""Checks of arguments: each value has the type of its annotation, and each time has a zone.

Public functions and methods check their arguments; the package's own modules trust each other.
"""
from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, wraps
from inspect import signature, unwrap
from types import UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import InputError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def validated(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """*function*, which now checks every argument before the call (see `validate_arguments`)."""
    parameters = signature(function)

    @wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        validate_arguments(function, parameters.bind(*args, **kwargs).arguments)
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


def validate_arguments(annotated: Callable[..., object], values: Mapping[str, object]) -> None:
    """Compare *values* with the annotations of a function or a class.

    Raises TypeError, which names the parameter, for a value of another type. Raises InputError for
    a datetime without a zone.
    """
    hints = resolved(annotated)
    for name, value in values.items():
        if name in hints and not _is_a(value, hints[name]):
            raise TypeError(
                f"{name} is {_article(type(value).__name__)}, expected {described(hints[name])}")
        if isinstance(value, datetime) and value.utcoffset() is None:
            raise InputError(
                f"{name} is a time without a zone: {value}",
                hint="datetime(2026, 1, 31, tzinfo=timezone.utc), or datetime.now(timezone.utc)")


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


def _is_a(value: object, hint: Any) -> bool:
    """Whether a value, or each item of a list, has a type; types that cannot be checked pass."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_is_a(value, member) for member in inner)
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if origin is Literal:
        return value in inner
    if hint is None or hint is type(None):
        return value is None
    kind = origin or hint
    if kind is float and type(value) is int:    # PEP 484: an int is a float to a reader
        return True
    if (kind is int and isinstance(value, bool)) or not isinstance(value, kind):
        return False
    if isinstance(value, str | bytes):      # a str is a sequence of str, and no caller means that
        return kind in (str, bytes)
    if isinstance(value, list | tuple) and inner and kind is not tuple:
        return all(_is_a(item, inner[0]) for item in value)
    return True


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
