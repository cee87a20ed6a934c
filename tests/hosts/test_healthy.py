"""Healthy hosts of many distributions and years: `check` finds no fault with them."""
from __future__ import annotations

import ipaddress
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import kpki
from tests.hosts.catalogue import HOSTS
from tests.hosts.making import Host
from tests.hosts.pki import openssl

Lay = Callable[[Host], Path]


@pytest.mark.parametrize("name", HOSTS)
def test_a_healthy_host_has_no_fault(name: str, lay: Lay) -> None:
    """What a distribution's own recipe leaves is no error, and no warning but those that are known of it."""
    host = HOSTS[name]
    found = kpki.check(str(lay(host)), node=host.node).findings
    assert [(one.severity, one.cause, one.path, one.message) for one in found
            if one.severity == "error" or one.cause not in host.warnings] == []


@pytest.mark.parametrize("name", HOSTS)
def test_openssl_agrees_that_the_host_is_healthy(name: str, lay: Lay, tmp_path: Path) -> None:
    """Each leaf of a host is what its verifier asks: a chain to the CA file that it is told, the usage, the names."""
    host = HOSTS[name]
    root = lay(host)
    assert host.seen.strip(), "nobody has looked at this host"
    for line in filter(None, host.seen.splitlines()):
        leaf, authority, purpose, *names = line.split()
        (tmp_path / "leaf").write_bytes(read(root, leaf))
        (tmp_path / "ca").write_bytes(read(root, authority))
        for name in names or [""]:
            words = [f"-verify_{'ip' if is_address(name) else 'hostname'}", name] if name else []
            openssl("verify", "-CAfile", f"{tmp_path}/ca", "-untrusted", f"{tmp_path}/leaf", "-purpose",
                    f"ssl{purpose}",
                    *words, f"{tmp_path}/leaf")


@pytest.mark.parametrize("name", HOSTS)
def test_what_a_host_names_is_there(name: str) -> None:
    """Each certificate, key and kubeconfig that a text of the host names lies there, or is known to be elsewhere."""
    host = HOSTS[name]
    told = {path for made in host.files.values() if isinstance(made, str)
            for path in re.findall(r"(?<![\w.-])/[\w./-]+\.(?:pem|crt|key|pub|conf|kubeconfig)\b(?!\.)", outside(host,
                                                                                                                 made))}
    absent = {path for path in told if path.lstrip("/") not in host.files and "/bootstrap-kubelet." not in path}
    assert absent == {*host.absent.split()}


def outside(host: Host, made: str) -> str:
    """A text of a host, with the paths that a container sees as the host has them."""
    for inner, outer in host.mounts.items():
        made = made.replace(f"{inner}/", f"{outer}/")
    return made


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
                str(told.relative_to("/")) if told.is_absolute() else str((place.parent / told).relative_to(root)))


def follow(root: Path, path: Path) -> Path:
    """Where a path leads, absolute links taken under the root."""
    place = root
    for part in path.relative_to(root).parts:
        place = place / part
        while place.is_symlink():
            target = place.readlink()
            place = follow(root, root / target.relative_to("/") if target.is_absolute() else place.parent / target)
    return place


def is_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False
