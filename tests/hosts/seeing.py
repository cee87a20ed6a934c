"""What a verifier sees of a host, and what the real openssl says of it."""
from __future__ import annotations

import ipaddress
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import yaml


def verified(root: Path, line: str) -> Iterator[str]:
    """What `openssl verify` refuses of what a line says: the leaf, the CA file, `client` or
    `server`, names."""
    leaf, authority, purpose, *names = line.split()
    work = root.parent
    (work / "leaf").write_bytes(read(root, leaf))
    (work / "ca").write_bytes(read(root, authority))
    for name in names or [""]:
        words = [f"-verify_{'ip' if is_address(name) else 'hostname'}", name] if name else []
        done = subprocess.run(["openssl", "verify", "-CAfile", "ca", "-untrusted",
                               "leaf", "-purpose", f"ssl{purpose}", *words, "leaf"], cwd=work,
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            yield f"{line}: {name}: {done.stderr}"


def read(root: Path, where: str) -> bytes:
    """A file of a host, or what is embedded in a kubeconfig: `#ca` or `#user`."""
    path, _, part = where.partition("#")
    place = follow(root, root / path)
    data = place.read_bytes()
    if not part:
        return data
    document = yaml.safe_load(data)
    entry, name = {"ca": (document["clusters"][0]["cluster"], "certificate-authority"),
                   "user": (document["users"][0]["user"], "client-certificate")}[part]
    if f"{name}-data" in entry:
        return b64decode(entry[f"{name}-data"])
    told = Path(entry[name])
    return read(root,
                str(told.relative_to("/")) if told.is_absolute()
                else str((place.parent / told).relative_to(root)))


def follow(root: Path, path: Path) -> Path:
    """Where a path leads, absolute links taken under the root."""
    place = root
    for part in path.relative_to(root).parts:
        place = place / part
        while place.is_symlink():
            target = place.readlink()
            place = follow(root, root / target.relative_to("/") if target.is_absolute()
                           else place.parent / target)
    return place


def is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False
