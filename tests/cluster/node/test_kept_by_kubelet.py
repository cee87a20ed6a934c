"""node install on a host whose kubelet keeps its client certificate itself, as kubeadm's does."""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kpki import files, pem
from kpki.cluster.authority import Authority, load_authority
from kpki.cluster.node.example import example_authority
from kpki.cluster.node.installation import install, plan_install
from kpki.cluster.node.node import issue_node
from kpki.cluster.observed.hosts import inspect
from kpki.cluster.rules.host import check_node
from kpki.kubernetes.kubeconfig import Material, dump_kubeconfig, load_kubeconfig
from kpki.kubernetes.layouts import KUBEADM

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(days=364)
CURRENT, CONF = "var/lib/kubelet/pki/kubelet-client-current.pem", "etc/kubernetes/kubelet.conf"
NAMED = Material(path=f"/{CURRENT}")
SERVER = "https://10.0.0.10:6443"


@pytest.fixture(scope="module")
def ca() -> Authority:
    return load_authority(*example_authority(NOW), now=NOW)


def issued(ca: Authority, now: datetime, server: str = SERVER) -> tuple[files.File, ...]:
    return issue_node(ca, "w", addresses=["10.0.0.21"], server=server, layout="kubeadm", now=now)


def pair_of(source: Sequence[files.File]) -> bytes:
    config = load_kubeconfig(next(item.data for item in source if item.path == CONF))
    return (config.certificate.data or b"") + (config.key.data or b"")


def put(root: Path, source: Sequence[files.File], now: datetime) -> dict[str, str]:
    """Install, and say what was done with each file."""
    plan = plan_install(source, str(root), "w", layout=KUBEADM, server=None, now=now)
    return {file.path: action for file, action in install(plan, str(root), now=now)}


@pytest.fixture
def root(tmp_path: Path, ca: Authority) -> Path:
    """A host after its bootstrap: kubelet.conf names the link, which leads to the one pair that
    there is."""
    source = issued(ca, NOW)
    folder = tmp_path / "root"
    old = "var/lib/kubelet/pki/kubelet-client-2026-01-02-03-00-00.pem"
    config = load_kubeconfig(next(item.data for item in source if item.path == CONF))
    for path, data in ((old, pair_of(source)), (source[0].path, source[0].data), (
            CONF, dump_kubeconfig(replace(config, certificate=NAMED, key=NAMED)) + b"# mine\n")):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        (folder / path).chmod(0o600)
    (folder / CURRENT).symlink_to(f"/{old}")
    return folder


def healthy(root: Path, now: datetime) -> bool:
    found = check_node(inspect(str(root), node="w"), node="w", now=now, within=timedelta(0))
    return [item for item in found if item.severity == "error"] == []


def test_the_pair_goes_where_the_kubelet_keeps_it(root: Path, ca: Authority) -> None:
    """A new file with certificate and key, the link to it; the old file and kubelet.conf stay to
    the byte, and a second run changes nothing."""
    config, old = (root / CONF).read_bytes(), os.readlink(root / CURRENT)
    source = issued(ca, LATER)
    new = f"var/lib/kubelet/pki/kubelet-client-{LATER:%Y-%m-%d-%H-%M-%S}.pem"
    assert healthy(root, NOW) and not healthy(root, LATER + timedelta(days=2))
    assert put(root, source, LATER) == {"etc/kubernetes/pki/ca.crt": "keep", CONF: "keep",
                                        new: "create", CURRENT: "replace"}
    assert os.readlink(root / CURRENT) == f"/{new}" and (root / new).read_bytes() == pair_of(source)
    assert (root / new).stat().st_mode & 0o777 == 0o600 and (root / CONF).read_bytes() == config
    assert (root / old.lstrip("/")).exists() and healthy(root, LATER + timedelta(days=2))
    kept, = (root / "var/lib/kpki/backup").iterdir()
    assert os.readlink(kept / CURRENT) == old
    assert {*put(root, source, LATER + timedelta(hours=1)).values()} == {"keep"}


@pytest.mark.parametrize("broken", ["dangling", "emptied", "plain", "gone", "folder"])
def test_a_link_that_is_wrong_is_replaced(root: Path, ca: Authority, broken: str) -> None:
    """Whatever lies there, or if nothing does and kubelet.conf names it."""
    link = root / CURRENT
    target = root / os.readlink(link).lstrip("/")
    if broken in ("dangling", "plain", "gone", "folder"):
        data = target.read_bytes()
        target.unlink()
        if broken != "dangling":
            link.unlink()
        if broken == "plain":
            link.write_bytes(data)
        elif broken == "folder":
            link.mkdir()
    else:
        target.write_bytes(b"")
    put(root, issued(ca, LATER), LATER)
    assert (link.is_symlink() and (root / os.readlink(link).lstrip("/")).is_file()
            and healthy(root, LATER))


def test_a_kubeconfig_that_is_wrong_is_made_to_name_the_link(root: Path, ca: Authority) -> None:
    """Another server, no file, or no kubeconfig: the new one leads where the source leads, and
    names the link."""
    for data in ((root / CONF).read_bytes().replace(b"10.0.0.10", b"10.0.0.99"), b"", None):
        (root / CONF).unlink()
        if data is not None:
            (root / CONF).write_bytes(data)
        put(root, issued(ca, LATER), LATER)
        config = load_kubeconfig((root / CONF).read_bytes())
        assert (config.server, config.certificate,
                config.key) == (SERVER, NAMED, NAMED) and healthy(root, LATER)


def test_a_host_without_that_link_gets_its_pair_in_kubelet_conf(tmp_path: Path,
                                                                ca: Authority) -> None:
    """As kubeadm writes it before the kubelet has rotated anything."""
    source = issued(ca, NOW)
    (tmp_path / "etc/kubernetes").mkdir(parents=True)
    assert {*put(tmp_path, source, NOW)} == {"etc/kubernetes/pki/ca.crt", CONF}
    config = load_kubeconfig((tmp_path / CONF).read_bytes())
    assert config.certificate.data and pem.load_certificate(config.certificate.data) and not (
        tmp_path / CURRENT).exists()
