"""The Time of a certificate as OpenSSL and Go read it: more forms than RFC 5280 allows."""
from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
_PATTERN = re.compile(
    rb"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:(\.\d+))?(?:Z|([+-])(0\d|1[0-2])([0-5]\d))")


def read_time(tag: int, content: bytes) -> tuple[datetime, bytes]:
    """The moment (UTC) of a UTCTime or GeneralizedTime, and the fraction of its second as written.

    The seconds may be absent, and the zone may be other than Z, as ASN1_TIME_to_tm accepts. Raises
    ValueError if *content* is no time.
    """
    century, text = (content[:2], content[2:]) if tag == GENERALIZED_TIME else (b"", content)
    match = _PATTERN.fullmatch(text)
    if match is None or tag not in (UTC_TIME, GENERALIZED_TIME):
        raise ValueError("not a time")
    if match[7] and not (century and match[6]):
        raise ValueError("not a time")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if century:
        if not century.isdigit():
            raise ValueError("not a time")
        year += int(century) * 100
    else:
        year += 1900 if year >= 50 else 2000
    ahead = timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0))
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return (moment + ahead if match[8] == b"-" else moment - ahead), match[7] or b""
    except (ValueError, OverflowError):
        raise ValueError("not a time") from None
