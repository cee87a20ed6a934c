"""The readers of a description's fields.

A reader turns a value from YAML into the value that kpki uses.

A reader raises InputError with the fact alone. `each` and `shape` put the field's path in front, so
that the message becomes `nodes[2].addresses[0]: '10.0.0.256' is not an IP address`.
"""
from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from ...documents import Document, FieldPath, path_text
from ...errors import ConfigurationError, InputError
from ...kubernetes.profiles import validate_address, validate_dns_name, validate_node_name

T = TypeVar("T")
FieldReader = Callable[[Any], T]

ALGORITHM_NAMES = ("RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384")
LONGEST_TEXT = 4096
SMALLEST_SUBNET = 10            # addresses; kubeadm: constants.MinimumAddressesInServiceSubnet
LONGEST_DURATION = timedelta(hours=2_562_047)       # Go's longest time.Duration: 2^63 ns
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_DOTTED = re.compile(r"[0-9]+(\.[0-9]+){3}")
_BRACKETED = re.compile(r"\[([^]]*)\](?::(.*))?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_SUBNET = re.compile(r"[0-9A-Fa-f.:]+/[0-9]{1,3}")
_HIGHEST_PORT = 65535


class FieldError(InputError):
    """A value that its field refuses; *path* leads from the reader's value to the refused one."""

    def __init__(self, message: str, *, path: FieldPath = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


@contextmanager
def located(document: Document) -> Iterator[None]:
    """Turn a FieldError of the block into a ConfigurationError with line and path of the field."""
    try:
        yield
    except FieldError as error:
        line = document.line_of(error.path)
        field = f"{path_text(error.path)}: " if error.path else ""
        raise ConfigurationError(f"line {line}: {field}{error.message}", line=line,
                                 hint=error.hint) from None


def _below(step: str | int, error: InputError) -> FieldError:
    return FieldError(error.message, path=(step, *getattr(error, "path", ())), hint=error.hint)


def _mistaken(value: Any, wanted: str) -> FieldError:
    """The error for a value of another type than the field's."""
    shown = f"{str(value).lower()} is a truth value" if isinstance(value, bool) \
        else f"{value} is a number" if isinstance(value, int | float) \
        else f"{shorten(value)} is text" if isinstance(value, str) \
        else "this is empty" if value is None \
        else "this is a list" if isinstance(value, list) else "this is a mapping"
    quotes = "put the value in quotes" if wanted == "text" and value is not None else None
    return FieldError(f"{shown}, not {wanted}", hint=quotes)


def shorten(value: str) -> str:
    """A user's text in quotes, cut for a message."""
    return repr(value) if len(value) <= 60 else f"{value[:60]!r}…"


def text(value: Any) -> str:
    """Text of one line that is not empty."""
    if value.__class__ is not str:
        raise _mistaken(value, "text")
    if not value:
        raise FieldError("this is empty")
    if len(value) > LONGEST_TEXT:
        raise FieldError(f"{shorten(value)} has {len(value)} characters, over {LONGEST_TEXT}")
    if not value.isprintable():
        raise FieldError(f"{shorten(value)} has characters that cannot be printed")
    return str(value)


def boolean(value: Any) -> bool:
    """A truth value: true or false."""
    if not isinstance(value, bool):
        raise _mistaken(value, "true or false")
    return value


def port(value: Any) -> int | None:
    """A TCP port; None for 0, which kubeadm reads as no port."""
    if value.__class__ is not int:
        raise _mistaken(value, "a port number")
    if not 0 <= value <= _HIGHEST_PORT:
        raise FieldError(f"{value} is not a port: 1 to {_HIGHEST_PORT}")
    return value or None


def address(value: Any) -> str:
    """An IP address in its shortest form. Refuses a zone, which a certificate cannot carry."""
    given = text(value)
    if "%" in given:
        raise FieldError(f"{shorten(given)} has a zone, and a certificate holds no zone",
                         hint="an address like fd00::21, reachable from other hosts")
    return validate_address(given)


def advertised(value: Any) -> str:
    """An address at which clients find an API server (kubeadm: VerifyAPIServerBindAddress)."""
    given = address(value)
    found = ipaddress.ip_address(given)
    if found.is_unspecified or found.is_multicast or found.is_link_local:
        raise FieldError(f"{given} is no address at which other hosts find this host",
                         hint="the host's own address, like 10.0.0.10 or fd00::10")
    return given


def dns_name(value: Any) -> str:
    """A DNS name, with or without `*.` in front."""
    given = text(value)
    if _DOTTED.fullmatch(given):
        # RFC 1123, section 2.1: four numbers are an address, never a host's name.
        return validate_address(given)
    return validate_dns_name(given)


def plain_name(value: Any) -> str:
    """A DNS name without `*.`."""
    if text(value).startswith("*"):
        raise FieldError(f"{shorten(value)} is a wildcard, not a name")
    return dns_name(value)


def other_name(value: Any) -> str:
    """A further DNS name of a host, with or without `*.` in front. Refuses an address."""
    if _DOTTED.fullmatch(text(value)):
        raise FieldError(f"{shorten(value)} is an address, not a name",
                         hint="the field addresses holds addresses")
    return dns_name(value)


def node_name(value: Any) -> str:
    """A node's name."""
    return validate_node_name(text(value))


def san(value: Any) -> str:
    """A name or an address for a certificate (kubeadm: ValidateCertSANs).

    Unlike kubeadm, kpki refuses four numbers that are no address.
    """
    return address(value) if ":" in text(value) else dns_name(value)


def endpoint(value: Any) -> tuple[str, int | None]:
    """The host (without brackets) and the port of an endpoint, None for no port (ParseHostPort).

    The forms are `host`, `host:port`, `[address]:port` and a bare address.
    """
    given = text(value)
    if "://" in given or "/" in given:
        raise FieldError(f"{shorten(given)} is not a host and a port",
                         hint="no https:// and no path, like api.example.internal:6443")
    if bracketed := _BRACKETED.fullmatch(given):
        host, number = bracketed[1], bracketed[2]
        if ":" not in host:
            raise FieldError(f"{shorten(host)} is not an IPv6 address, and brackets hold IPv6 "
                             "addresses only")
    elif given.count(":") > 1:
        host, number = given, None
    else:
        host, _, number = given.partition(":")
    if number and not (_PORT.fullmatch(number) and int(number) <= _HIGHEST_PORT):
        raise FieldError(f"{shorten(number)} is not a port: 1 to {_HIGHEST_PORT}")
    return address(host) if ":" in host else plain_name(host), int(number) if number else None


def subnets(value: Any) -> tuple[str, ...]:
    """One subnet, or an IPv4 and an IPv6 subnet with a comma between (ValidateIPNetFromString)."""
    found: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for part in text(value).split(","):
        try:
            # ip_network accepts more than kubeadm, and refuses ""
            known = part if _SUBNET.fullmatch(part) else ""
            found.append(ipaddress.ip_network(known, strict=False))
        except ValueError:
            raise FieldError(f"{shorten(part)} is not a subnet",
                             hint="a subnet like 10.96.0.0/12 or fd00:10:96::/112; two subnets "
                                  "have a comma between and no blank") from None
        if found[-1].num_addresses < SMALLEST_SUBNET:
            raise FieldError(f"{part} is too small: a service subnet holds {SMALLEST_SUBNET} "
                             "addresses "
                             "or more")
    if len(found) != len({network.version for network in found}):
        raise FieldError(f"{shorten(value)} has more than one subnet of a family",
                         hint="one subnet, or an IPv4 and an IPv6 subnet")
    return tuple(map(str, found))


def duration(value: Any) -> timedelta:
    """A duration in Go's notation, like `8760h` or `1h30m` (time.ParseDuration); 1s or more."""
    if value.__class__ is not str:
        raise _mistaken(value, "a duration like 8760h")
    given = text(value)
    spans = list(_SPAN.finditer(given))
    if "".join(span[0] for span in spans) != given:
        raise FieldError(f"{shorten(given)} is not a duration",
                         hint="hours, minutes and seconds, like 8760h or 1h30m; "
                         "a year is 8760h")
    seconds = sum(float(span[1]) * _UNITS[span[2]] for span in spans)
    if not 1 <= seconds <= LONGEST_DURATION.total_seconds():
        raise FieldError(f"{shorten(given)} is not between 1s and "
                         f"{LONGEST_DURATION.total_seconds() / 3600:.0f}h")
    return timedelta(seconds=seconds)


def absolute_path(value: Any) -> str:
    """An absolute path without `..`, in its shortest form."""
    given = text(value)
    if not given.startswith("/"):
        raise FieldError(f"{shorten(given)} is not an absolute path")
    if ".." in given.split("/"):
        raise FieldError(f"{shorten(given)} has '..' in it")
    return "/" + posixpath.normpath(given).lstrip("/")


def one_of(names: Sequence[str]) -> FieldReader[str]:
    """A reader of one of these *names*."""
    def read(value: Any) -> str:
        if value.__class__ is not str or value not in names:
            near = nearest(value, names) if isinstance(value, str) else None
            shown = shorten(value) if isinstance(value, str) else "this"
            raise FieldError(f"{shown} is none of {', '.join(names)}",
                             hint=f"did you mean {near}?" if near else None)
        return str(value)
    return read


def each(reader: FieldReader[T]) -> FieldReader[tuple[T, ...]]:
    """A reader of a list, whose items *reader* reads."""
    def read(value: Any) -> tuple[T, ...]:
        if value.__class__ is not list:
            raise _mistaken(value, "a list")
        found: list[T] = []
        try:
            for item in value:
                found.append(reader(item))      # noqa: PERF401 - its length is the index of a fault
        except InputError as error:
            raise _below(len(found), error) from None
        return tuple(found)
    return read


def shape(fields: Mapping[str, FieldReader[Any]], *, required: Sequence[str] = (),
          accepted: Collection[str] = (), strict: bool = True) -> FieldReader[dict[str, Any]]:
    """A reader of a mapping with these *fields*.

    The result has no field that is absent, null or `""`. *required* fields must be present;
    *accepted* fields may hold any value. Any other field is refused, with the name of the most
    similar field. With *strict* off, a field is refused only if a known field is similar.
    """
    known = (*fields, *accepted)

    def read(value: Any) -> dict[str, Any]:
        if value.__class__ is not dict:
            raise _mistaken(value, "a mapping")
        found: dict[str, Any] = {}
        for name, given in value.items():
            reader = fields.get(name)
            if reader is not None and given is not None and given != "":
                try:
                    found[name] = reader(given)
                except InputError as error:
                    raise _below(name, error) from None
            elif reader is None and name not in accepted:
                refuse_slip(name, known, strict=strict)
        for name in required:
            if name not in found:
                raise FieldError("missing", path=(name,))
        return found
    return read


def refuse_slip(name: str, known: Sequence[str], *, strict: bool) -> None:
    """Raise FieldError for an unknown field *name*; without *strict* only for a likely slip."""
    near = nearest(name, known)
    if near or strict:
        raise FieldError("no such field" + (f": did you mean {near}?" if near else ""),
                         path=(name,),
                         hint=f"the known fields: {', '.join(known)}")


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known word that is most similar to *name*, None if no word is similar."""
    import difflib
    lower = {word.lower(): word for word in known}
    found = difflib.get_close_matches(name[:LONGEST_TEXT].lower(), lower, n=1, cutoff=0.75)
    return lower[found[0]] if found else None
