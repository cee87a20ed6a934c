"""kpki renew in every layout and at every moment: what stays, what readers see, and what goes
wrong."""
from __future__ import annotations

import base64
import os
import re
import shutil
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from kpki import pem
from kpki.cluster.check.check import check
from kpki.cluster.lifecycle.renew import Order, Renewal, renew_workspace
from kpki.cluster.lifecycle.renew_authorities import renew_workspace_authorities
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.workspace import locked
from kpki.errors import FileError, RefusedError
from kpki.stages import records

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TEXT = """apiVersion: kpki/v1
kind: Cluster
layout: {layout}
encryptionAlgorithm: ECDSA-P256
certificateValidityPeriod: 2400h
kubeletServing: true
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: worker-1, addresses: [10.0.0.21]}}
"""
DATA = re.compile(rb"(?:client-certificate|certificate-authority)-data: (\S+)")
LAYOUTS = ("kubeadm", "ssl", "hard-way")
pytestmark = pytest.mark.usefixtures("syncs_at_once")


def made(folder: Path, layout: str) -> Path:
    """A workspace as apply makes it; leaves last 100 days, CAs ten years."""
    (folder / "cluster.yaml").write_text(TEXT.format(layout=layout))
    with locked(str(folder), NOW):
        for _ in apply(plan_of(str(folder), now=NOW), str(folder), now=NOW):
            pass
    return folder


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The workspace of a layout, which no test changes."""
    return cache(lambda layout: made(tmp_path_factory.mktemp(layout), layout))


@pytest.fixture
def workspace(begun: Callable[[str], Path], tmp_path: Path) -> Callable[..., Path]:
    """A copy of the workspace of a layout."""
    def copied(layout: str = "kubeadm", place: Path = tmp_path) -> Path:
        return Path(shutil.copytree(begun(layout), place / "w", symlinks=True))
    return copied


def renew(folder: Path, now: datetime, *names: str, everything: bool = False) -> Renewal:
    return renew_workspace(str(folder), Order(names, everything), passphrase=lambda _: None,
                           now=now, host_name="", warnings=[], processes=1)


def renew_ca(folder: Path, now: datetime) -> Renewal:
    return renew_workspace_authorities(str(folder), Order(everything=True),
                                       passphrase=lambda _: None, now=now, host_name="",
                                       warnings=[], processes=1)


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Each file but copies, with its content and its time."""
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in folder.rglob("*") if path.is_file() and path.name != ".kpki.lock"
            and "backup" not in path.parts}


def certificates(folder: Path) -> dict[tuple[str, int], x509.Certificate]:
    """Each certificate of hosts and users, by its file and its place there."""
    found = dict[tuple[str, int], x509.Certificate]()
    for path, (data, _) in content(folder).items():
        text = b"".join(map(base64.b64decode, DATA.findall(data))) or data
        if path.startswith(("nodes/", "users/")) and b"BEGIN CERTIFICATE" in text:
            found |= {(path, number): certificate for number, certificate
                      in enumerate(pem.load_certificates(text))}
    return found


def parts(certificate: x509.Certificate) -> list[object]:
    """What a renewal keeps: version, names, key, and the extensions in their order."""
    fields = records.certificate_fields(certificate.public_bytes(Encoding.DER))
    return [fields.version, fields.subject, fields.issuer, fields.subject_public_key_info,
            *fields.extensions]


@pytest.mark.parametrize("now", [NOW + 50 * DAY, NOW + 200 * DAY, NOW + 3620 * DAY,
                                 NOW - timedelta(minutes=3)],
                         ids=["in time", "ended", "near the CA's end", "a clock that is slow"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_row_keeps_all_but_serial_number_dates_and_signature(
        workspace: Callable[..., Path], layout: str, now: datetime) -> None:
    """Every leaf of hosts and users is new, with the same names, key, usages and order of
    extensions; none outlives its CA; CAs and keys stay; a second run changes no byte."""
    folder = workspace(layout)
    old, files = certificates(folder), content(folder)
    done = renew(folder, now, everything=True)
    new, cas = certificates(folder), 0
    assert new.keys() == old.keys() and done.waiting == ()
    for place, certificate in new.items():
        if certificate.issuer == certificate.subject:
            assert certificate == old[place], place
            cas += 1
            continue
        assert parts(certificate) == parts(old[place]), place
        assert certificate.serial_number != old[place].serial_number, place
        assert certificate.not_valid_before_utc == now - timedelta(minutes=5)
        assert certificate.not_valid_after_utc == min(now + 100 * DAY,
                                                      NOW + 3650 * DAY), place
    assert done.renewed == len(new) - cas > 8
    there = content(folder)
    assert {path for path in there if there[path] != files[path]} <= {path for path, _ in new}
    assert renew(folder, now) == Renewal() or now > NOW + 3600 * DAY
    if now < NOW + 3600 * DAY:
        assert content(folder) == there


def test_a_clock_before_the_cas_begin_is_refused(workspace: Callable[..., Path]) -> None:
    """A CA that is not valid yet signs nothing; every file stays."""
    folder = workspace()
    before = content(folder)
    with pytest.raises(RefusedError, match="not valid"):
        renew(folder, NOW - 30 * DAY, everything=True)
    assert content(folder) == before


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_reader_never_sees_a_mixed_pair(workspace: Callable[..., Path], layout: str) -> None:
    """A process that reads certificate and key again and again finds a whole pair each time, while
    all are renewed three times."""
    folder = workspace(layout)
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            read_until_told(folder, told)
            code = 0
        finally:
            os._exit(code)
    os.close(told)
    assert os.read(ready, 1) == b"1"
    for number in range(3):
        assert renew(folder, NOW + number * DAY, everything=True).renewed
    os.kill(child, signal.SIGTERM)
    assert os.waitpid(child, 0)[1] == 0


def read_until_told(folder: Path, told: int) -> None:
    """Read each pair of the control plane until SIGTERM, twice at least."""
    ended = list[int]()
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    keys = [path for path in (folder / "nodes/cp-1").rglob("*key*") if path.is_file()] \
        + [*(folder / "nodes/cp-1").rglob("*.key")]
    pairs = [(certificate, key) for key in keys for certificate in (
        key.with_suffix(".crt"), key.with_name(key.name.replace("-key", "")))
        if certificate != key and certificate.exists()
        and b"BEGIN CERTIFICATE" in certificate.read_bytes()]
    assert len(pairs) > 4
    rounds = 0
    while not ended or rounds < 2:
        for certificate, key in pairs:
            found = pem.load_certificates(certificate.read_bytes())
            assert found[0].public_key() == pem.load_key(key.read_bytes()).public_key()
        rounds += 1
        if rounds == 1:
            os.write(told, b"1")


@pytest.mark.parametrize("work", [partial(renew, everything=True), renew_ca])
def test_two_at_once_do_one_after_the_other(workspace: Callable[..., Path],
                                            work: Callable[..., Renewal]) -> None:
    """The second run waits for the lock; both end well, and each file fits."""
    folder, children = workspace(), list[int]()
    for _ in range(2):
        children.append(os.fork())
        if children[-1] == 0:
            code = 1
            try:
                code = not work(folder, NOW + DAY).steps
            finally:
                os._exit(code)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert check(str(folder), now=NOW + DAY).findings == []
    assert len([*(folder / "backup").iterdir()]) == 2


def given_to_nobody(folder: Path) -> Path:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    return folder


@pytest.mark.parametrize("work", [partial(renew, everything=True), renew_ca])
@pytest.mark.parametrize(("path", "mode"), [
    ("nodes/worker-1/etc/kubernetes/kubelet.conf", 0), ("nodes/worker-1/etc/kubernetes/pki", 0),
    ("nodes/worker-1/etc/kubernetes", 0o555)])
def test_what_cannot_be_read_or_written_is_named(
        workspace: Callable[..., Path], shared_path: Path,
        as_nobody: Callable[[], AbstractContextManager[None]], work: Callable[..., Renewal],
        path: str, mode: int) -> None:
    """A file or folder of a host that is closed, or a folder that may not be written: the error
    names the path, and the hosts of that batch are as before; the next run mends all."""
    folder = given_to_nobody(workspace(place=shared_path))
    before = {name: data for name, data in content(folder).items() if name.startswith("nodes/")}
    (folder / path).chmod(mode)
    with as_nobody(), pytest.raises(FileError, match=f"w/{path}"):
        work(folder, NOW + DAY)
    (folder / path).chmod(0o755 if (folder / path).is_dir() else 0o600)
    assert {name: data for name, data in content(folder).items()
            if name.startswith("nodes/")} == before
    with as_nobody():
        assert work(folder, NOW + DAY).steps
    assert check(str(folder), now=NOW + DAY).findings == []


@pytest.mark.parametrize("work", [partial(renew, everything=True), renew_ca])
def test_read_only_files_and_links_stay_so(workspace: Callable[..., Path], shared_path: Path,
                                           as_nobody: Callable[[], AbstractContextManager[None]],
                                           work: Callable[..., Renewal]) -> None:
    """A file of mode 0400 gets its new content and keeps the mode; a CA file and a leaf that are
    links stay links, and the files behind them change."""
    folder = workspace(place=shared_path)
    pki = folder / "nodes/cp-1/etc/kubernetes/pki"
    for name in ("ca.crt", "apiserver.crt"):
        (pki / name).rename(pki / f"real-{name}")
        (pki / name).symlink_to(f"real-{name}")
    given_to_nobody(folder)
    leaf = "apiserver.crt" if work is not renew_ca else "ca.crt"
    (pki / f"real-{leaf}").chmod(0o400)
    before = (pki / leaf).read_bytes()
    with as_nobody():
        work(folder, NOW + DAY)
    assert (pki / leaf).is_symlink() and (pki / leaf).read_bytes() != before
    assert (pki / f"real-{leaf}").stat().st_mode & 0o777 == 0o400
    assert check(str(folder), now=NOW + DAY).findings == []
