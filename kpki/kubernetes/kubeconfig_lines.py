"""The data of a kubeconfig's entries, as sed(1) finds them."""
from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import NamedTuple

from .kubeconfig import embedded_certificates, load_users


class DataLine(NamedTuple):
    """One entry's data on one line of a kubeconfig."""

    number: int
    """The number of the line."""
    pattern: str
    """A basic regular expression; its second group is the data in base64."""
    data: bytes
    """The content."""

    @property
    def expression(self) -> str:
        """The expression for `sed -n` that prints the data in base64."""
        return f"'{self.number}s|.*{self.pattern}.*|\\2|p'"


def find_data(text: bytes, data: bytes, field: str) -> DataLine:
    """The line of a kubeconfig on which *field*-data has the content *data*."""
    before, _, after = text.partition(b64encode(data))
    number = before.count(b"\n") + 1
    if before.endswith(b"-data: ") and after[:1] in b"\n":
        return DataLine(number, r"\(-data: \)\(.*\)", data)
    return DataLine(number, rf"\({field}-data[^A-Za-z0-9+/]*\)\([A-Za-z0-9+/=]*\)", data)


def data_lines(text: bytes) -> Iterator[DataLine]:
    """The certificates and keys that a kubeconfig embeds, each once."""
    found = dict[bytes, str]()
    for entry, data in embedded_certificates(text):
        found[data] = "client-certificate" if entry.startswith("users/") \
            else "certificate-authority"
    found |= {key.data: "client-key" for _, key in load_users(text).values() if key.data}
    yield from (find_data(text, data, field) for data, field in found.items())
