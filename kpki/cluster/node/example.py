"""The throw-away CA of `node issue --example`."""
from __future__ import annotations

import os
from datetime import datetime, timedelta

from ..authority import CA_DAYS, make_authority, make_key
from ..desired.rows import NODES_FOLDER
from ..workspace import locked, write
from ... import files, pem
from ...kubernetes.layouts import CERTIFICATE_MODE, KEY_MODE
from ...kubernetes.profiles import CA

EXAMPLE_CA = ("pki/ca.crt", "pki/ca.key")


def has_example(folder: str) -> bool:
    """Whether the throw-away CA has its certificate and its key under *folder*."""
    return all(files.read_entry(folder, path).kind != "missing" for path in EXAMPLE_CA)


def ensure_example(folder: str, now: datetime,
                   warnings: list[str] | None = None) -> tuple[str, str]:
    """The paths of the throw-away CA's certificate and key under *folder*.

    Makes the CA if a file is missing.
    """
    certificate_path, key_path = EXAMPLE_CA
    with locked(folder, now):
        if not has_example(folder):
            certificate, key = example_authority(now)
            write(folder, [files.File(certificate_path, certificate, CERTIFICATE_MODE),
                           files.File(key_path, key, KEY_MODE)], trees=NODES_FOLDER, now=now,
                  warnings=warnings)
    return os.path.join(folder, certificate_path), os.path.join(folder, key_path)


def example_authority(now: datetime) -> tuple[bytes, bytes]:
    """A throw-away CA (P-256, ten years): its certificate and its key, in PEM."""
    ca = make_authority(CA, make_key("ECDSA-P256"), validity=timedelta(days=CA_DAYS), now=now)
    return ca.bundle, pem.dump_key(ca.key, form="traditional")
