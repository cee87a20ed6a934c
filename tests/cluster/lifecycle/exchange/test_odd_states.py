"""Bundles that other people made, CAs that end, foreign leaves and keys: recognised, kept,
explained."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kpki import pem
from kpki.cluster.authority import Authority
from kpki.cluster.lifecycle.exchange_status import Fleet, read_fleet
from kpki.cluster.lifecycle.renew import Order, renew_workspace
from kpki.cluster.node.node import issue_node
from kpki.cluster.workspace import write
from kpki.errors import InputError, RefusedError
from tests.cluster.lifecycle.exchange.conftest import NOW, SMALL, content, do, made, reach, state
from tests.cluster.lifecycle.exchange.oracle import BLOCK, Oracle

DAY = timedelta(days=1)
SSL = "etc/kubernetes/ssl"
Workspace = Callable[..., Path]


def new_ca(
    name: str = "kubernetes", *, start: datetime = NOW - DAY, days: int = 900
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A CA that kpki has not made."""
    key = ec.generate_private_key(ec.SECP256R1())
    return ca_of(key, name, start=start, days=days), key


def ca_of(
    key: ec.EllipticCurvePrivateKey, name: str, *, start: datetime, days: int
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder(
            subject,
            subject,
            key.public_key(),
            x509.random_serial_number(),
            start,
            start + days * DAY,
        )
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, True, False, False),
            True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA256())
    )


def put_next(folder: Path, ca: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    """A new CA of one's own, in the place that the page names."""
    (folder / "pki/ca-next.crt").write_bytes(pem.dump_certificate(ca))
    (folder / "pki/ca-next.key").write_bytes(pem.dump_key(key))
    (folder / "pki/ca-next.key").chmod(0o600)


def without_identifier(path: Path, ca: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    """The leaf of a file, signed anew without an authority key identifier, as openssl before 3.0
    did."""
    leaf = x509.load_pem_x509_certificate(path.read_bytes())
    builder = x509.CertificateBuilder(
        ca.subject,
        leaf.subject,
        leaf.public_key(),
        x509.random_serial_number(),
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
    )
    for extension in leaf.extensions:
        if not isinstance(extension.value, x509.AuthorityKeyIdentifier):
            builder = builder.add_extension(extension.value, extension.critical)
    path.write_bytes(pem.dump_certificate(builder.sign(key, hashes.SHA256())))


def own_ca(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = serialization.load_pem_private_key((folder / "pki/ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return x509.load_pem_x509_certificate((folder / "pki/ca.crt").read_bytes()), key


def test_one_name_for_both_cas(workspace: Workspace, oracle: Oracle) -> None:
    """If the new CA has the old subject, and the old CA no key identifier, Go and openssl accept
    each leaf in every phase; the status distinguishes the CAs by their keys."""
    folder = workspace(text=SMALL)
    ca, key = own_ca(folder)
    for path in (folder / "nodes").rglob("*.pem"):
        if path.name in (
            "apiserver.pem",
            "apiserver-kubelet-client.pem",
            "worker.pem",
            "kube-proxy.pem",
            "admin.pem",
        ):
            without_identifier(path, ca, key)
    put_next(folder, *new_ca())
    for phase in ("trust", "switch", "forget"):
        reach(folder, phase)
        assert oracle.refusals(folder, "ca", NOW) == []
    found = state(folder)
    assert (
        found.new is not None
        and found.old.subject == found.new.subject
        and found.old.key != found.new.key
    )
    for _ in range(2):
        assert not do(folder, back=True).blocked and oracle.refusals(folder, "ca", NOW) == []


def test_a_new_ca_that_nothing_tells_from_the_old_is_refused(workspace: Workspace) -> None:
    """The same subject without a subject key identifier: openssl would try one of the two alone."""
    folder = workspace(text=SMALL)
    ca, key = new_ca()
    builder = x509.CertificateBuilder(
        ca.subject, ca.subject, key.public_key(), 7, NOW - DAY, NOW + 99 * DAY
    )
    put_next(
        folder,
        builder.add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256()),
        key,
    )
    with pytest.raises(RefusedError, match="no subject key identifier"):
        do(folder)


def test_a_bundle_counts_as_a_set(workspace: Workspace, oracle: Oracle) -> None:
    """A third CA, duplicates, CRLF, words between blocks, a leaf and an ended member change no
    state; a second run changes no byte; the third CA and the words are there after forget."""
    folder = workspace(text=SMALL)
    third, ended = new_ca("third")[0], new_ca("ended", start=NOW - 99 * DAY, days=1)[0]
    renewed = ca_of(own_ca(folder)[1], "kubernetes", start=NOW - DAY, days=99)
    leaf = (folder / "nodes/w-1" / SSL / "worker.pem").read_bytes()
    path = folder / "nodes/w-1" / SSL / "ca.pem"
    old = path.read_bytes()
    extra = (
        b"# for people\n"
        + pem.dump_certificate(third)
        + leaf
        + pem.dump_certificate(ended)
        + pem.dump_certificate(renewed)
    )
    path.write_bytes(extra + old.replace(b"\n", b"\r\n") + b"and again:\n" + old)
    assert {host.phase for host in state(folder).hosts} == {"before"}
    for phase, states in (("trust", {"trusted"}), ("switch", {"switched"}), ("forget", {"done"})):
        reach(folder, phase)
        assert {host.phase for host in state(folder).hosts} == states
        there = path.read_bytes()
        assert do(folder, to=phase).steps == () and path.read_bytes() == there
        assert oracle.refusals(folder, "ca", NOW) == []
    for kept in (
        b"# for people\n",
        pem.dump_certificate(third),
        leaf,
        pem.dump_certificate(ended),
        b"and again:\n",
    ):
        assert kept in path.read_bytes()
    assert (
        old.strip() not in path.read_bytes()
        and pem.dump_certificate(renewed).strip() not in path.read_bytes()
    )


def ending(folder: Path, days: int) -> Path:
    """A workspace whose CA ends after some days, and whose next CA does not."""
    text = SMALL.format(layout="ssl")
    made(folder, text.replace("nodes:", f"caCertificateValidityPeriod: {24 * days}h\nnodes:"))
    (folder / "cluster.yaml").write_text(text)
    return folder


@pytest.mark.parametrize("phase", ["trust", "switch"])
def test_the_old_ca_ends_in_the_middle(oracle: Oracle, tmp_path: Path, phase: str) -> None:
    """No phase waits for what is dead: the exchange goes on and ends well; there is no way back to
    what has ended."""
    folder = reach(ending(tmp_path, 10), phase)
    later = NOW + 20 * DAY
    if phase == "switch":  # one host still has leaves by the CA that ends
        for name in ("worker.pem", "kube-proxy.pem"):
            kept = next(tmp_path.glob(f"backup/*/nodes/w-1/{SSL}/{name}"))
            (folder / "nodes/w-1" / SSL / name).write_bytes(kept.read_bytes())
        assert state(folder, now=later).behind == ("w-1",)
        (stopped,) = do(folder, now=later, back=True).blocked
        assert "has ended, so nobody accepts what it signs" in stopped
    reach(folder, "forget", now=later)
    assert oracle.refusals(folder, "ca", later) == []
    assert not do(folder, now=later, back=True).blocked
    (stopped,) = do(folder, now=later, back=True).blocked
    assert "CN=kubernetes (sha256:" in stopped and "has ended" in stopped


def test_a_new_ca_of_the_future_is_refused(workspace: Workspace) -> None:
    """A CA that is not valid for ten minutes yet cannot be trusted or switched to; nothing is
    changed."""
    folder = workspace(text=SMALL)
    put_next(folder, *new_ca("next", start=NOW + timedelta(minutes=10)))
    before = content(folder)
    with pytest.raises(RefusedError, match=r"not valid before 2030-01-01T00:10:00Z"):
        do(folder)
    assert content(folder) == before
    reach(folder, "trust", now=NOW + DAY)
    with pytest.raises(RefusedError, match="not valid before"):
        do(folder, to="switch")


def test_a_foreign_leaf_is_named_and_stays(workspace: Workspace) -> None:
    """The name and the key identifier of the old CA, but another key's signature: neither old nor
    new, and not overwritten."""
    folder = workspace(text=SMALL)
    path = folder / "nodes/w-1" / SSL / "kube-proxy.pem"
    leaf = x509.load_pem_x509_certificate(path.read_bytes())
    builder = x509.CertificateBuilder(
        leaf.issuer,
        leaf.subject,
        leaf.public_key(),
        5,
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
    )
    for extension in leaf.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    foreign = pem.dump_certificate(
        builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    path.write_bytes(foreign)
    (host,) = [host for host in state(folder).hosts if host.host == "w-1"]
    assert host.strange == (f"{SSL}/kube-proxy.pem: signed by another CA, CN=kubernetes",)
    for phase in ("trust", "switch", "forget"):
        reach(folder, phase)
        assert path.read_bytes() == foreign


# What another program does to a host's pair between the gate and the check of `trust`, and what
# the check then says of the host.
MEANWHILE: dict[str, tuple[Callable[[Path, Path], object], str, str]] = {
    "nothing": (lambda _folder, _pair: None, "trusted", ""),
    "a leaf of the new CA": (
        lambda folder, pair: pair.write_bytes(signed_anew(pair, folder / "pki/ca-next")),
        "switching", ""),
    "a leaf of a third CA": (
        lambda folder, pair: pair.write_bytes(signed_anew(pair, folder / "pki/etcd/ca")),
        "trusted", "kube-proxy.pem: signed by another CA, CN=etcd-ca"),
    "another key": (
        lambda folder, pair: pair.with_name("kube-proxy-key.pem").write_bytes(
            pair.with_name("worker-key.pem").read_bytes()),
        "trusted", "kube-proxy.pem: the key is another certificate's")}


def signed_anew(pair: Path, ca: Path) -> bytes:
    """The leaf of a file, signed by another CA of the workspace."""
    leaf = x509.load_pem_x509_certificate(pair.read_bytes())
    authority = x509.load_pem_x509_certificate(ca.with_suffix(".crt").read_bytes())
    key = serialization.load_pem_private_key(ca.with_suffix(".key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    builder = x509.CertificateBuilder(
        authority.subject,
        leaf.subject,
        leaf.public_key(),
        5,
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
    )
    return pem.dump_certificate(builder.sign(key, hashes.SHA256()))


@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_the_check_after_a_phase_sees_what_changed_after_the_gate(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """A pair that has other octets than at the gate is checked anew, certificate and key."""
    folder, (change, phase, strange) = workspace(text=SMALL), MEANWHILE[meanwhile]
    do(folder)  # the signer's own file, which leaves the pairs as they are

    def then_change(*args: Any, **named: Any) -> Any:
        done = write(*args, **named)
        if any(file.path.startswith("nodes/w-1/") for file, _ in done):
            change(folder, folder / "nodes/w-1" / SSL / "kube-proxy.pem")
        return done

    monkeypatch.setattr("kpki.cluster.lifecycle.rotate.write", then_change)
    status = do(folder).status
    assert status == state(folder)
    (host,) = [host for host in status.hosts if host.host == "w-1"]
    assert (host.phase, host.strange) == (phase, (f"{SSL}/{strange}",) if strange else ())


@pytest.mark.parametrize("meanwhile", [name for name in MEANWHILE if "new CA" not in name])
def test_a_phase_signs_what_is_there_and_not_what_the_gate_saw(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """A pair that has changed since the gate is checked anew, before the new CA signs the pair."""
    folder, (change, _, strange) = reach(workspace(text=SMALL), "trust"), MEANWHILE[meanwhile]
    pair = folder / "nodes/w-1" / SSL / "kube-proxy.pem"

    def then_change(*args: Any) -> Fleet:
        fleet = read_fleet(*args)
        change(folder, pair)
        monkeypatch.setattr("kpki.cluster.lifecycle.rotate.read_fleet", read_fleet)
        changed.append(pair.read_bytes())
        return fleet

    changed = list[bytes]()
    monkeypatch.setattr("kpki.cluster.lifecycle.rotate.read_fleet", then_change)
    status = do(folder).status
    assert status == state(folder) and status.phase == "switch"
    (host,) = [host for host in status.hosts if host.host == "w-1"]
    assert host.strange == ((f"{SSL}/{strange}",) if strange else ())
    assert (pair.read_bytes() == changed[0]) == bool(strange)


def test_a_key_that_is_not_its_certificates_signs_nothing(workspace: Workspace) -> None:
    """The new CA's key under the old one's name in the workspace is of no state: refused with both
    files' names."""
    folder = workspace(text=SMALL)
    do(folder)
    before = content(folder)
    (folder / "pki/ca.key").write_bytes((folder / "pki/ca-next.key").read_bytes())
    for way in ({}, {"to": "trust"}, {"back": True}):
        with pytest.raises(
            InputError, match=r"pki/ca\.crt: the file lacks the public half of pki/ca\.key"
        ):
            do(folder, **way)
    assert {path for path, data in content(folder).items() if before[path] != data} == {
        "pki/ca.key"
    }
    (folder / "pki/ca.key").write_bytes(before["pki/ca.key"])
    key = folder / "nodes/cp-1" / SSL / "ca-key.pem"
    key.write_bytes(pem.dump_key(new_ca()[1]))
    assert [host.strange for host in state(folder).hosts if host.host == "cp-1"] == [
        (f"{SSL}/ca-key.pem: the key of another CA",)
    ]


def test_the_next_ca_without_its_key_can_be_trusted_alone(workspace: Workspace) -> None:
    """An offline CA's certificate is enough for trust; switch says which key is missing."""
    folder = workspace(text=SMALL)
    put_next(folder, *new_ca("offline"))
    (folder / "pki/ca-next.key").unlink()
    reach(folder, "trust")
    (stopped,) = do(folder, to="switch").blocked
    assert "CN=offline" in stopped and "pki/ca-next.key" in stopped


def test_a_ca_of_the_description_is_never_replaced(tmp_path: Path, workspace: Workspace) -> None:
    """The description's own files are refused with a word on what to do."""
    folder = workspace(text=SMALL)
    (folder / "cluster.yaml").write_text(
        (folder / "cluster.yaml").read_text()
        + "certificateAuthorities: {kubernetes: {certificate: pki/ca.crt, key: pki/ca.key}}\n"
    )
    with pytest.raises(RefusedError, match="the description names this CA"):
        do(folder)


@pytest.mark.parametrize(
    ("phase", "signer"), [("trust", "old"), ("switch", "new"), ("forget", "new")]
)
def test_what_is_signed_in_the_middle_is_by_the_phases_ca(
    workspace: Workspace, oracle: Oracle, phase: str, signer: str
) -> None:
    """`renew --all` and `node issue` sign with the CA of the phase, give all CAs of the bundle, and
    undo nothing."""
    folder = reach(workspace(text=SMALL), phase)
    found = state(folder)
    renew_workspace(
        str(folder),
        Order(everything=True),
        passphrase=lambda _: None,
        now=NOW,
        host_name="",
        warnings=[],
        processes=1,
    )
    assert state(folder) == found and oracle.refusals(folder, "ca", NOW) == []
    wanted = {"old": found.old, "new": found.new}[signer]
    assert wanted is not None
    bundle = (folder / "pki/ca.crt").read_bytes()
    ca = next(
        ca
        for ca in map(pem.load_certificate, BLOCK.findall(bundle))
        if ca.subject.rfc4514_string() == wanted.subject
    )
    authority = Authority(ca, pem.load_key((folder / "pki/ca.key").read_bytes()), bundle)
    files = {
        file.path: file.data
        for file in issue_node(
            authority, "w-9", addresses=["10.0.0.29"], server="https://10.0.0.10:6443", now=NOW
        )
    }
    assert (
        len(BLOCK.findall(files[f"{SSL}/ca.pem"])) == {"trust": 2, "switch": 2, "forget": 1}[phase]
    )


def test_renew_moves_a_late_leaf_to_the_phases_ca(workspace: Workspace, tmp_path: Path) -> None:
    """In switch a leaf by the old CA is renewed by the new CA, for its own key."""
    folder = reach(workspace(text=SMALL), "trust")
    path = folder / "nodes/w-1" / SSL / "worker.pem"
    late = path.read_bytes()
    reach(folder, "switch")
    path.write_bytes(late)
    assert state(folder).behind == ("w-1",)
    done = renew_workspace(
        str(folder),
        Order(("w-1",)),
        passphrase=lambda _: None,
        now=NOW,
        host_name="",
        warnings=[],
        processes=1,
    )
    assert done.waiting == () and state(folder).behind == ()


def test_an_encrypted_key_stays_encrypted(workspace: Workspace, oracle: Oracle) -> None:
    """The new CA's key has the passphrase of the old; the status needs none; a wrong one is
    refused."""
    from kpki.cluster.lifecycle.rotate import rotate

    folder = workspace(text=SMALL)
    key = pem.load_key((folder / "pki/ca.key").read_bytes())
    (folder / "pki/ca.key").write_bytes(pem.dump_key(key, passphrase=b"word"))
    for path in (folder / "nodes").rglob("ca-key.pem"):
        path.unlink()
    with pytest.raises(InputError, match="does not decrypt"):
        rotate(folder, "ca", passphrase=b"other", now=NOW)
    for phase in ("trust", "switch", "forget"):
        assert rotate(folder, "ca", to=phase, passphrase=b"word", now=NOW).status.phase == phase
        assert oracle.refusals(folder, "ca", NOW) == []
    for name in ("ca.key", "ca-previous.key"):
        assert b"ENCRYPTED" in (folder / "pki" / name).read_bytes()


def test_one_file_for_two_cas_is_an_obstacle(workspace: Workspace) -> None:
    """An etcd that reads the cluster's CA file would be broken by an exchange of that CA: refused
    with the file's name."""
    folder = workspace("kubeadm", SMALL)
    manifest = folder / "nodes/cp-1/etc/kubernetes/manifests/etcd.yaml"
    manifest.parent.mkdir()
    manifest.write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: etcd, namespace: kube-system}\n"
        "spec:\n  containers:\n"
        "  - name: etcd\n    command: [etcd, --trusted-ca-file=/etc/kubernetes/pki/ca.crt, "
        "--cert-file=/etc/kubernetes/pki/etcd/server.crt, "
        "--key-file=/etc/kubernetes/pki/etcd/server.key]\n"
    )
    before = content(folder)
    (stopped,) = do(folder).blocked
    assert (
        stopped == "cp-1: etc/kubernetes/pki/ca.crt: the file of etcd-ca too"
        and content(folder) == before
    )
