"""A distinguished name as the value of openssl's `-subj`."""
from __future__ import annotations

import re

from ....stages.names import Name
from ....stages.objects import find_object


def subject_option(name: Name) -> str:
    """The value of `-subj` that gives *name*: `/O=system:nodes/CN=system:node:worker-1`."""
    return "".join("/"
                   + "+".join(f"{_short(attribute.oid)}={_escaped(attribute.text)}"
                              for attribute in rdn)
                   for rdn in name.rdns)


def _short(oid: str) -> str:
    """The name of an attribute in `-subj`."""
    known = find_object(oid)
    return known.short_name if known else oid


def _escaped(text: str) -> str:
    """A value, with the escapes of `-subj`."""
    return re.sub(r"([\\/+])", r"\\\g<1>", text)
