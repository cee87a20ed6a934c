"""The script's commands that extract keys and certificates from existing files and kubeconfigs.

The commands write the same bytes as apply: PEM without other text, keys in their traditional form.
"""
from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING

from ... import pem
from ...kubernetes.kubeconfig import Material

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

    Content = PrivateKeyTypes | Sequence[Certificate]

KEY_FIELD, CERTIFICATE_FIELD = "client-key", "client-certificate"
_BLOCKS = "'/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p'"
# A line with a kubeconfig's field, as kubeadm and kubectl write the line; then a line with quotes
# and other blanks.
_LINES = (
    (r"(?m)^ *{}-data: (.*)$", "'s/^ *{}-data: //p'"),
    (r'(?m)^[ -]*{}-data: *"?([A-Za-z0-9+/=]*).*$',
     r"""'s|^[ -]*{}-data: *"\{{0,1\}}\([A-Za-z0-9+/=]*\).*|\1|p'"""))


def dump(content: Content) -> bytes:
    """The bytes that kpki writes for a key, or for the certificates of a chain or a bundle."""
    if isinstance(content, Sequence):
        return pem.dump_certificates(content)
    return pem.dump_key(content, form="traditional")


def copy_command(data: bytes, content: Content, source: str, target: str) -> str:
    """The command that writes the *content* of *source* to *target* (both words).

    *data* are the bytes of *source*.
    """
    if data == dump(content):
        return f"cp {source} {target}\n"
    if isinstance(content, Sequence) and len(content) > 1:
        return f"sed -n {_BLOCKS} {source} > {target}\n"
    return f"{_rewrite(content)} -in {source} -out {target}\n"


def _rewrite(content: Content) -> str:
    return "openssl x509" if isinstance(content, Sequence) else "openssl pkey -traditional"


def extract_command(kubeconfig: bytes, field: str, material: Material, content: Content,
                    source: str, target: str) -> str | None:
    """The command that writes the embedded data of a kubeconfig's *field* to *target*.

    None if the data is not on one line. *source* is the word for the kubeconfig, *material* the
    field's data, *content* the key or certificates in the data.
    """
    assert material.data is not None
    for pattern, expression in _LINES:
        found = re.findall(pattern.format(field).encode(), kubeconfig)
        place = next((number for number, text in enumerate(found, 1)
                      if _decoded(text) == material.data), None)
        if place is None:
            continue
        nth = f" | sed -n {place}p" if len(found) > 1 else ""
        command = f"sed -n {expression.format(field)} {source}{nth} | openssl base64 -d -A"
        if material.data == dump(content):
            command += f" > {target}"
        elif isinstance(content, Sequence) and len(content) > 1:
            command += f" | sed -n {_BLOCKS} > {target}"
        else:
            command += f" | {_rewrite(content)} -out {target}"
        return f"{command}\n[ -s {target} ] || stop {quote(f'no {field}-data found')}\n"
    return None


def _decoded(text: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return None
