"""What a line names, whatever its cause: hosts, users, files, dates."""
from __future__ import annotations

import re

_FACTS = tuple(re.compile(pattern) for pattern in (
    r"current time (?P<now>[^\s\"',\])]+) is (?:after (?P<not_after>[^\s\"',\])]+)"
    r"|before (?P<not_before>[^\s\"',\])]+))",
    r"\b[Uu]ser \"(?P<user>[^\"]{1,300})\"",
    r"\bUser \"system:node:(?P<other>[^\"]{1,300})\"",
    r"\b(?:nodes?|leases\.coordination\.k8s\.io) \"(?P<node>[^\"]{1,300})\"",
    r"\bnode=\"(?P<node>[^\"]{1,300})\"",
    r"https?://(?P<server>[^\s/\"'?\\]{1,300})",
    r"failed to connect to \{(?:Addr: \")?(?:https?://)?(?P<server>[^\s\"]{1,300})",
    r"candidate authority certificate \"(?P<ca>[^\"]{1,300})\"",
    r"\bSN=(?P<serial>\d+)",
    r"handshake error from (?P<peer>\[?[\w.:]+\]?:\d+)",
    r"\"remote-addr\":\"(?P<peer>[^\"]+)\"|rejected connection from \"(?P<peer2>[^\"]+)\"",
))


def facts_in(text: str, given: dict[str, str | None]) -> dict[str, str]:
    """The facts, by name: what the rule found (*given*), then what the line names.

    A group's name may end with a digit (`node2`), since a pattern names a group once.
    """
    named = {name.rstrip("0123456789"): value for name, value in given.items() if value}
    for pattern in _FACTS:
        if found := pattern.search(text):
            for name, value in found.groupdict().items():
                if value:
                    named.setdefault(name.rstrip("0123456789"), value)
    return named
