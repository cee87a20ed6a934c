"""A kubeconfig in the form in which kpki writes it → its value, without PyYAML.

The import of PyYAML takes a twentieth of the check of a host.
"""
from __future__ import annotations

import re
from typing import Any

# Values that YAML reads as they stand: ASCII in quotes without an escape, and the base64 of PEM.
_VALUE = '("[ !#-\\[\\]-~]*"|LS0tLS1[A-Za-z0-9+/]*={0,2})\n'
_FIELD = f"    [a-z][a-z-]{{0,30}}: {_VALUE}".replace("(", "(?:")
_FORM = f"""apiVersion: v1
kind: Config
clusters:
- name: {_VALUE}  cluster:
((?:{_FIELD}){{1,16}})users:
- name: {_VALUE}  user:
((?:{_FIELD}){{1,16}})contexts:
- name: {_VALUE}  context:
((?:{_FIELD}){{1,16}})current-context: {_VALUE}"""


def read_form(data: bytes) -> dict[str, Any] | None:
    """The value of a kubeconfig in kpki's own form, as PyYAML reads it; None for another form."""
    match = re.fullmatch(_FORM, data.decode("ascii", "replace"))
    if match is None:
        return None
    *lists, current = match.groups()
    document: dict[str, Any] = {"apiVersion": "v1", "kind": "Config",
                                "current-context": current.strip('"')}
    for rows, name, entry in zip(("clusters", "users", "contexts"), lists[::2], lists[1::2],
                                 strict=True):
        lines = [line.strip().partition(": ") for line in entry.splitlines()]
        fields = {field: value.strip('"') for field, _, value in lines}
        if len(fields) < len(lines):    # PyYAML refuses a field that is given twice
            return None
        document[rows] = [{"name": name.strip('"'), rows[:-1]: fields}]
    return document
