"""What a field of a description may hold: one reader each, from a plain value to the value that kpki works with.

A reader takes what YAML gave and raises InputError with the fact alone; `each` and `shape` put the way to the field
before it, so that the whole says `nodes[2].addresses[0]: '10.0.0.256' is not an IP address`.
"""
from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from ...documents import Document, Path, path_text
from ...errors import ConfigurationError, InputError
from ...kubernetes.profiles import check_address, check_dns_name, check_node_name

T = TypeVar("T")
Reader = Callable[[Any], T]

ALGORITHM_NAMES = ("RSA-2048", "RSA-3072", "RSA-4096", "ECDSA-P256", "ECDSA-P384")
LONGEST_TEXT = 4096
SMALLEST_SUBNET = 10            # addresses; kubeadm: constants.MinimumAddressesInServiceSubnet
LONGEST_DURATION = timedelta(hours=2_562_047)       # what Go's time.Duration holds: 2^63 ns, some 292 years
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_DOTTED = re.compile(r"[0-9]+(\.[0-9]+){3}")
_BRACKETED = re.compile(r"\[([^]]*)\](?::(.*))?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_SUBNET = re.compile(r"[0-9A-Fa-f.:]+/[0-9]{1,3}")
_HIGHEST_PORT = 65535


class Misfit(InputError):
    """A value that is not what its field wants; *path* leads to it from the reader that raises."""

    def __init__(self, message: str, *, path: Path = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


@contextmanager
def blamed(document: Document) -> Iterator[None]:
    """Turn a Misfit raised inside the block into a ConfigurationError with the line and the path of the field."""
    try:
        yield
    except Misfit as error:
        line = document.line_of(error.path)
        where = f"{path_text(error.path)}: " if error.path else ""
        raise ConfigurationError(f"line {line}: {where}{error.message}", line=line, hint=error.hint) from None


def _below(step: str | int, error: InputError) -> Misfit:
    return Misfit(error.message, path=(step, *getattr(error, "path", ())), hint=error.hint)


def _mistaken(value: Any, wanted: str) -> Misfit:
    """A value of another type than the one wanted."""
    shown = {True: "true is a truth value", False: "false is a truth value"}[value] if isinstance(value, bool) \
        else f"{value} is a number" if isinstance(value, int | float) \
        else f"{shorten(value)} is text" if isinstance(value, str) \
        else "this is nothing" if value is None \
        else "this is a list" if isinstance(value, list) else "this is a mapping"
    quotes = "put it in quotes" if wanted == "text" and value is not None else None
    return Misfit(f"{shown}, not {wanted}", hint=quotes)


def shorten(value: str) -> str:
    """A text from outside in quotes, short enough for a message."""
    return repr(value) if len(value) <= 60 else f"{value[:60]!r}…"


def text(value: Any) -> str:
    """Text that fits on a line and is not empty."""
    if value.__class__ is not str:
        raise _mistaken(value, "text")
    if not value:
        raise Misfit("this is empty")
    if len(value) > LONGEST_TEXT:
        raise Misfit(f"{shorten(value)} has {len(value)} characters, over {LONGEST_TEXT}")
    if not value.isprintable():
        raise Misfit(f"{shorten(value)} has characters in it that cannot be printed")
    return str(value)


def boolean(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise _mistaken(value, "true or false")
    return value


def port(value: Any) -> int | None:
    """A TCP port; 0 is none, as kubeadm has it."""
    if value.__class__ is not int:
        raise _mistaken(value, "a port number")
    if not 0 <= value <= _HIGHEST_PORT:
        raise Misfit(f"{value} is not a port: 1 to {_HIGHEST_PORT}")
    return value or None


def address(value: Any) -> str:
    """An IP address in its shortest form; without a zone, which no certificate can carry."""
    given = text(value)
    if "%" in given:
        raise Misfit(f"{shorten(given)} has a zone, and a certificate holds none",
                     hint="an address like fd00::21, reachable from other hosts")
    return check_address(given)


def advertised(value: Any) -> str:
    """An address that an API server can be found at (kubeadm: VerifyAPIServerBindAddress)."""
    given = address(value)
    found = ipaddress.ip_address(given)
    if found.is_unspecified or found.is_multicast or found.is_link_local:
        raise Misfit(f"{given} is no address that other hosts find this one at",
                     hint="the host's own address, like 10.0.0.10 or fd00::10")
    return given


def dns_name(value: Any) -> str:
    """A DNS name, `*.` before it or not."""
    given = text(value)
    if _DOTTED.fullmatch(given):
        # RFC 1123, section 2.1: four numbers are an address or nothing, never a host's name.
        return check_address(given)
    return check_dns_name(given)


def plain_name(value: Any) -> str:
    """A DNS name without `*.`."""
    if text(value).startswith("*"):
        raise Misfit(f"{shorten(value)} is a wildcard, not a name")
    return dns_name(value)


def other_name(value: Any) -> str:
    """A DNS name of a host beside its own, `*.` before it or not; its addresses have a field of their own."""
    if _DOTTED.fullmatch(text(value)):
        raise Misfit(f"{shorten(value)} is an address, not a name", hint="it stands under addresses")
    return dns_name(value)


def node_name(value: Any) -> str:
    """A node's name."""
    return check_node_name(text(value))


def san(value: Any) -> str:
    """A name or an address for a certificate, as kubeadm's ValidateCertSANs takes it, but for four numbers that are
    no address."""
    return address(value) if ":" in text(value) else dns_name(value)


def endpoint(value: Any) -> tuple[str, int | None]:
    """`host`, `host:port`, `[address]:port` or a bare address: the host (no brackets) and the port, None where none is
    said (kubeadm: ParseHostPort)."""
    given = text(value)
    if "://" in given or "/" in given:
        raise Misfit(f"{shorten(given)} is not a host and a port",
                     hint="no https:// and no path, like api.example.internal:6443")
    if bracketed := _BRACKETED.fullmatch(given):
        host, said = bracketed[1], bracketed[2]
        if ":" not in host:
            raise Misfit(f"{shorten(host)} is not an IPv6 address, and stands in brackets")
    elif given.count(":") > 1:
        host, said = given, None
    else:
        host, _, said = given.partition(":")
    if said and not (_PORT.fullmatch(said) and int(said) <= _HIGHEST_PORT):
        raise Misfit(f"{shorten(said)} is not a port: 1 to {_HIGHEST_PORT}")
    return address(host) if ":" in host else plain_name(host), int(said) if said else None


def subnets(value: Any) -> tuple[str, ...]:
    """One subnet, or an IPv4 and an IPv6 one with a comma between (kubeadm: ValidateIPNetFromString)."""
    found: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for part in text(value).split(","):
        try:
            if not _SUBNET.fullmatch(part):
                raise ValueError
            found.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            raise Misfit(f"{shorten(part)} is not a subnet", hint="a subnet like 10.96.0.0/12 or fd00:10:96::/112; two "
                         "have a comma between and no blank") from None
        if found[-1].num_addresses < SMALLEST_SUBNET:
            raise Misfit(f"{part} is too small: a service subnet holds {SMALLEST_SUBNET} addresses or more")
    if len(found) != len({network.version for network in found}):
        raise Misfit(f"{shorten(value)} has more than one subnet of a family",
                     hint="one subnet, or an IPv4 and an IPv6 one")
    return tuple(map(str, found))


def duration(value: Any) -> timedelta:
    """A time span in Go's words (time.ParseDuration): `8760h`, `1h30m`; a second or more."""
    if value.__class__ is not str:
        raise _mistaken(value, "a duration like 8760h")
    given = text(value)
    spans = list(_SPAN.finditer(given))
    if "".join(span[0] for span in spans) != given:
        raise Misfit(f"{shorten(given)} is not a duration", hint="hours, minutes and seconds, like 8760h or 1h30m; "
                     "a year is 8760h")
    seconds = sum(float(span[1]) * _UNITS[span[2]] for span in spans)
    if not 1 <= seconds <= LONGEST_DURATION.total_seconds():
        raise Misfit(f"{shorten(given)} is not between 1s and {LONGEST_DURATION.total_seconds() / 3600:.0f}h")
    return timedelta(seconds=seconds)


def absolute_path(value: Any) -> str:
    """An absolute path without `..`, in its shortest form."""
    given = text(value)
    if not given.startswith("/"):
        raise Misfit(f"{shorten(given)} is not an absolute path")
    if ".." in given.split("/"):
        raise Misfit(f"{shorten(given)} has '..' in it")
    return "/" + posixpath.normpath(given).lstrip("/")


def one_of(names: Sequence[str]) -> Reader[str]:
    """One of these words."""
    def read(value: Any) -> str:
        if value.__class__ is not str or value not in names:
            near = nearest(value, names) if isinstance(value, str) else None
            shown = shorten(value) if isinstance(value, str) else "this"
            raise Misfit(f"{shown} is none of {', '.join(names)}", hint=f"did you mean {near}?" if near else None)
        return str(value)
    return read


def each(reader: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list of such values."""
    def read(value: Any) -> tuple[T, ...]:
        if value.__class__ is not list:
            raise _mistaken(value, "a list")
        found: list[T] = []
        try:
            for item in value:
                found.append(reader(item))
        except InputError as error:
            raise _below(len(found), error) from None
        return tuple(found)
    return read


def shape(fields: Mapping[str, Reader[Any]], *, required: Sequence[str] = (), accepted: Collection[str] = (),
          strict: bool = True) -> Reader[dict[str, Any]]:
    """A mapping with these *fields*; those that are absent, null or `""` are absent from what is read.

    *required* ones must be there; *accepted* ones may be, whatever they hold. Any other is refused with the name of the
    nearest one; with *strict* off only where there is a near one, which it may be a slip for.
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
                raise Misfit("missing", path=(name,))
        return found
    return read


def refuse_slip(name: str, known: Sequence[str], *, strict: bool) -> None:
    """Raise Misfit for a field *name* that is not *known*: without *strict* only where a known one is near."""
    near = nearest(name, known)
    if near or strict:
        raise Misfit("no such field" + (f": did you mean {near}?" if near else ""), path=(name,),
                     hint=f"the fields here: {', '.join(known)}")


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known word that *name* is most likely a slip for, None where none is near."""
    import difflib
    lower = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name[:LONGEST_TEXT].lower(), lower, n=1, cutoff=0.75)
    return lower[found[0]] if found else None
