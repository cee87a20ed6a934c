"""What a caller of the library may give: values of the types that a signature says, and times with a zone.

The rooms trust each other; the library's front door and the methods of its nouns do not trust their callers.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, wraps
from inspect import signature, unwrap
from types import UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import InputError

Given = ParamSpec("Given")
Result = TypeVar("Result")


def checked(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """*function*, with every argument checked before the call (see `check_arguments`)."""
    parameters = signature(function)

    @wraps(function)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        check_arguments(function, parameters.bind(*args, **kwargs).arguments)
        return function(*args, **kwargs)

    return call


def check_arguments(annotated: Callable[..., object], values: Mapping[str, object]) -> None:
    """Hold *values* against the annotations of a function or a class.

    Raises TypeError with the name of a value of another type, InputError for a datetime without a zone.
    """
    hints = resolved(annotated)
    for name, value in values.items():
        if name in hints and not _is_a(value, hints[name]):
            raise TypeError(f"{name} is {_article(type(value).__name__)}, expected {described(hints[name])}")
        if isinstance(value, datetime) and value.utcoffset() is None:
            raise InputError(f"{name} is a time without a zone: {value}",
                             hint="datetime(2026, 1, 31, tzinfo=timezone.utc), or datetime.now(timezone.utc)")


@cache
def resolved(annotated: Callable[..., object]) -> dict[str, Any]:
    """The annotations of a function or class as types.

    Of the names that a module imports for type checkers alone, cryptography's and the library's public ones are known.
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
    """Whether a value is of a type; of lists and tuples also the items. What cannot be told passes."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_is_a(value, one) for one in inner)
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if origin is Literal:
        return value in inner
    if hint is None or hint is type(None):
        return value is None
    kind = origin or hint
    if kind is int and isinstance(value, bool) or not isinstance(value, kind):
        return False
    if isinstance(value, str | bytes):      # a text is a sequence of texts, and never meant as such
        return kind in (str, bytes)
    if isinstance(value, list | tuple) and inner and kind is not tuple:
        return all(_is_a(item, inner[0]) for item in value)
    return True


def described(hint: Any) -> str:
    """A type as people write it: `str | None`, `Sequence[str]`, `Certificate`; a key of any kind is one word."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " | ".join(_once(_key_words(inner)))
    if origin is Literal:
        return " | ".join(repr(one) for one in inner)
    if isinstance(hint, list):
        return f"[{', '.join(map(described, hint))}]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join('...' if one is ... else described(one) for one in inner)}]"
    return "None" if hint in (None, type(None)) else getattr(hint, "__name__", str(hint))


def _key_words(kinds: Sequence[Any]) -> list[str]:
    """The names of types, with cryptography's unions of key classes as the names that cryptography gives them."""
    words = []
    for kind in kinds:
        name = getattr(kind, "__name__", "")
        half = next((half for half in ("Private", "Public") if name.endswith(f"{half}Key")), "")
        words.append(f"{half}KeyTypes" if half and kind.__module__.startswith("cryptography") else described(kind))
    return words


def _once(words: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _article(noun: str) -> str:
    return noun if noun == "NoneType" else f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
