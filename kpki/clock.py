"""The only room that reads the clock, for callers that give no `now`."""
from __future__ import annotations

from datetime import datetime, timezone


def utc_now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(timezone.utc)
