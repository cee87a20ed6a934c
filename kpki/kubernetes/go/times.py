"""The times of a certificate as Go reads (x509/parser.go, parseTime) and prints them (RFC 3339)."""
from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

from .der import GoError, Reader

UTC_TIME, GENERALIZED_TIME = 23, 24
# a zone that Go writes back unchanged; +0000 is refused below
_ZONE = r"(?:Z|([+-])([01]\d|2[0-4])([0-5]\d))"
_FORMS = {
    UTC_TIME: ("UTCTime", re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?" + _ZONE, re.ASCII)),
    GENERALIZED_TIME: ("GeneralizedTime",
                       re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)" + _ZONE, re.ASCII)),
}
_DAY_ONE, _DAYS_OF_400_YEARS = date(1970, 1, 1).toordinal(), 146097
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class Moment(NamedTuple):
    """A point in time."""

    micros: int
    """Microseconds since 1970 (UTC)."""
    text: str
    """The time as Go prints it."""


@lru_cache(maxsize=4)       # one moment judges all certificates of a run
def moment_of(now: datetime) -> Moment:
    """A datetime as a Moment in UTC; a datetime without a zone is local time."""
    utc = now.astimezone(UTC)
    return Moment((utc - _EPOCH) // _MICROSECOND, utc.strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20))


@lru_cache(maxsize=256)     # many certificates of a batch have equal dates
def read_validity(content: bytes) -> tuple[Moment, Moment]:
    """The two times of a Validity."""
    validity = Reader(content)
    return read_time(validity), read_time(validity)


def read_time(reader: Reader) -> Moment:
    """The next item as a time; an offset is legal, and UTCTime (1950 to 2049) may lack seconds."""
    kind = reader.peek()
    if kind not in _FORMS:
        raise GoError("x509: unsupported time format")
    name, form = _FORMS[kind]
    match = form.fullmatch(reader.content(kind, f"x509: malformed {name}").decode("latin-1"))
    if match is None or (match[7] and match[8] == match[9] == "00"):
        raise GoError(f"x509: malformed {name}")
    year, month, day, hour, minute, second = (int(group or 0) for group in match.groups()[:6])
    if kind == UTC_TIME:
        year += 1900 if year >= 50 else 2000
    try:        # Python has no year 0; the year 400 has as many days
        days = date(year or 400, month,
                    day).toordinal() - _DAY_ONE - (0 if year else _DAYS_OF_400_YEARS)
        time(hour, minute, second)
    except ValueError:
        raise GoError(f"x509: malformed {name}") from None
    offset = (int(match[8]) * 60 + int(match[9])) * (-60 if match[7] == "-"
                                                     else 60) if match[7] else 0
    zone = f"{match[7]}{match[8]}:{match[9]}" if match[7] else "Z"
    return Moment((days * 86400 + hour * 3600 + minute * 60 + second - offset) * 1_000_000,
                  f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}")
