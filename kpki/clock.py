"""The only module that reads the clock, for callers that give no `now`."""
from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

read = partial(datetime.now, UTC)     # kpki.testing stands in for it


def utc_now() -> datetime:
    """The present moment, in UTC."""
    return read()
