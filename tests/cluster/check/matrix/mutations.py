"""What can be done to a healthy host's tree, and what a row of the table of faults says."""
from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from kpki import pem
from kpki.cluster.authority import Authority
from kpki.kubernetes.kubeconfig import Material
from kpki.stages.certificates import req_x509, x509_new
from kpki.stages.keys import genpkey, genrsa, public_key_der
from tests.cluster.check.matrix.trees import CONTROL, CURRENT, NEIGHBOUR, WORKER, Tree

Mutation = Callable[[Tree], object]
DAY = timedelta(days=1)
NODE = "/O=system:nodes/CN=system:node:"
# Where a tree is looked at: in a workspace; a worker's alone, with the CA named on the command
# line; a control-plane host's, which holds its CAs' keys; a worker's alone, without any CA's key.
SITUATIONS = ("workspace", "given", "ca-host", "alone")


@dataclass(frozen=True)
class Fault:
    """One row: *mutate* makes of a healthy tree one with *cause*, at the places *at* (`Tree.at`).

    *on* says which trees are broken so: LAYOUT-KEYS-SITUATION; *host* whose it is in a workspace.
    *single* says that any one of the places will do, *told* that there may be no command that mends
    it, only words.
    """

    cause: str
    name: str
    mutate: Mutation
    at: str
    on: str
    host: str = WORKER
    severity: str = "error"
    single: bool = False
    told: bool = False


@dataclass(frozen=True)
class Trial:
    """A fault on one tree."""

    fault: Fault
    layout: str
    keys: str
    situation: str

    @property
    def host(self) -> str:
        return {"workspace": self.fault.host, "ca-host": CONTROL}.get(self.situation, WORKER)

    @property
    def id(self) -> str:
        name = f"{self.layout}-{self.keys}-{self.host}-{self.situation}-{self.fault.cause}"
        return f"{name}-{self.fault.name}".replace(" ", "_")


def trials(faults: tuple[Fault, ...]) -> list[Trial]:
    """Every row on each of its trees."""
    def each() -> Iterator[Trial]:
        for fault in faults:
            for words in fault.on.split():
                head, situation = words.split(".")
                layout, _, keys = head.rpartition("-")
                yield Trial(fault, layout, keys, situation)
    return list(each())


# Files

def gone(*places: str) -> Mutation:
    def mutate(tree: Tree) -> None:
        for place in places:
            tree.file(place).unlink()
    return mutate


def holding(place: str, change: Callable[[bytes], bytes]) -> Mutation:
    """The file of a place with its bytes changed."""
    return lambda tree: tree.file(place).write_bytes(change(tree.file(place).read_bytes()))


def emptied(place: str) -> Mutation:
    return holding(place, lambda data: b"")


def copied(source: str, place: str) -> Mutation:
    """A file over another."""
    return lambda tree: tree.file(place).write_bytes(tree.file(source).read_bytes())


def each(*mutations: Mutation) -> Mutation:
    """One after the other."""
    def mutate(tree: Tree) -> None:
        for mutation in mutations:
            mutation(tree)
    return mutate


def replaced(place: str, old: bytes, new: bytes) -> Mutation:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new)
    return holding(place, change)


def mode(place: str, bits: int) -> Mutation:
    return lambda tree: tree.file(place).chmod(bits)


def instead(place: str, make: Callable[[Path], None]) -> Mutation:
    """Something that is no file at a file's place."""
    def mutate(tree: Tree) -> None:
        path = tree.file(place)
        path.unlink()
        make(path)
    return mutate


folder, fifo = partial(instead, make=Path.mkdir), partial(instead, make=os.mkfifo)


def link(place: str, target: str) -> Mutation:
    """A link to a neighbouring file in a file's place."""
    return instead(place, lambda path: path.symlink_to(target))


def der(data: bytes) -> bytes:
    return next(pem.blocks(data)).der


def cut(data: bytes) -> bytes:
    return data[:len(data) // 2]


def cut_der(data: bytes) -> bytes:
    """Whole PEM round half a certificate."""
    return pem.armour(cut(der(data)), "CERTIFICATE")


def garbled_der(data: bytes) -> bytes:
    """Whole PEM round a certificate whose version is no number any more."""
    inner = der(data)
    place = inner.index(b"\xa0\x03\x02\x01\x02")
    return pem.armour(inner[:place] + b"\xa0\x03\x05\x01\x02" + inner[place + 5:], "CERTIFICATE")


# Pairs

def put(name: str, certificate: Callable[[bytes], bytes] | None = None,
        key: Callable[[bytes], bytes] | None = None) -> Mutation:
    """A row's own pair, certificate or key changed, wherever they lie."""
    def mutate(tree: Tree) -> None:
        own = tree.pair(name)
        tree.put(name, certificate and certificate(own[0]), key and key(own[1]))
    return mutate


def taken(name: str, source: str, host: str | None = None) -> Mutation:
    """Another row's, or host's, whole pair."""
    return lambda tree: tree.put(name, *tree.pair(source, host))


def swapped(name: str) -> Mutation:
    return lambda tree: tree.put(name, *reversed(tree.pair(name)))


def another_key(name: str, part: str = "key") -> Mutation:
    """A sound key that is not the certificate's."""
    def mutate(tree: Tree) -> None:
        data = pem.dump_key(tree.cluster.spare(), form="traditional")
        if name.endswith("ca"):
            tree.file(f"{name}:{part}").write_bytes(data)
        else:
            tree.put(name, key=data)
    return mutate


def encrypted(form: str) -> Callable[[bytes], bytes]:
    return lambda data: pem.dump_key(pem.load_key(data), form=form, passphrase=b"secret")


def certified(name: str, *, signer: str = "", stray: str = "",
              key: Callable[[], PrivateKeyTypes] | None = None, **wishes: Any) -> Mutation:
    """Another certificate for a row's key, or for *key*, by its CA, or by *signer*, or by the
    *stray* CA of a row."""
    def mutate(tree: Tree) -> None:
        other = key and key()
        ca = tree.cluster.roots[signer] if signer else tree.stray[stray] if stray else None
        made = tree.certified(name, key=other, signer=ca, **wishes)
        tree.put(name, pem.dump_certificate(made),
                 pem.dump_key(other, form="traditional") if other else None)
    return mutate


@cache
def weak_rsa() -> PrivateKeyTypes:
    """An RSA key so short that nothing but openssl makes one any more."""
    made = subprocess.run(["openssl", "genrsa", "768"], check=True, capture_output=True, timeout=60)
    return pem.load_key(made.stdout)


@cache
def short_rsa() -> PrivateKeyTypes:
    return genrsa(1024)


def curve(name: str) -> Callable[[], PrivateKeyTypes]:
    return lambda: genpkey("EC", curve=name)


def served_self_signed(tree: Tree) -> None:
    """What a kubelet makes for itself where nothing names a pair (pkg/kubelet/certificate)."""
    epoch, key, ca_key = int(tree.cluster.now.timestamp()), *(genpkey("EC", curve="P-256")
                                                              for _ in range(2))
    config = ("[req]\nx509_extensions = v3\n[v3]\nbasicConstraints = critical,CA:TRUE\n"
              "keyUsage = critical,keyCertSign\n")
    ca = req_x509(ca_key, subject=f"/CN={tree.host}-ca@{epoch}", config=config, days=365,
                  now=tree.cluster.now - DAY)
    leaf = x509_new(f"/CN={tree.host}@{epoch}", public_key_der(key), ca, ca_key,
                    days=365, now=tree.cluster.now - DAY,
                    extfile=f"extendedKeyUsage = serverAuth\nsubjectAltName = DNS:{tree.host}\n")
    tree.put("kubelet", pem.dump_certificates([leaf, ca]), pem.dump_key(key, form="traditional"))


def below_an_intermediate(name: str) -> Mutation:
    """The CA says pathlen:0 now, and the row's certificate is two below it."""
    def mutate(tree: Tree) -> None:
        signer = tree.row(name).profile.signer or ""
        root = tree.authority(signer, basicConstraints="critical,CA:TRUE,pathlen:0")
        tree.file(signer).write_bytes(root.bundle)
        key = genpkey("EC", curve="P-256")
        between = x509_new("/CN=intermediate", public_key_der(key), root.certificate, root.key,
                           days=1000, extfile="basicConstraints = critical,CA:TRUE\n"
                           "keyUsage = critical,keyCertSign\n", now=tree.cluster.now - DAY)
        leaf = tree.certified(name, signer=Authority(between, key, pem.dump_certificate(between)))
        tree.put(name, pem.dump_certificates([leaf, between]))
    return mutate


def same_serial(name: str, other: str, host: str | None = None) -> Mutation:
    def mutate(tree: Tree) -> None:
        serial = pem.load_certificate(tree.pair(other, host)[0]).serial_number
        tree.put(name, pem.dump_certificate(tree.certified(name, serial=serial)))
    return mutate


def neighbours_key(tree: Tree) -> None:
    """The neighbour's key, with a certificate of this host's own."""
    key = tree.pair("kubelet", NEIGHBOUR)[1]
    tree.put("kubelet", pem.dump_certificate(tree.certified("kubelet", key=pem.load_key(key))), key)


# CAs, kubeconfigs, the service accounts' key, the kubelet's flags and link

def resigned(name: str, **wishes: Any) -> Mutation:
    return lambda tree: tree.file(name).write_bytes(tree.authority(name, **wishes).bundle)


def bundled(name: str, other: str) -> Mutation:
    """A CA's file with another CA's certificate after its own."""
    return lambda tree: tree.file(name).write_bytes(tree.file(name).read_bytes()
                                                    + tree.stray[other].bundle)


def strays(name: str) -> Mutation:
    return lambda tree: tree.file(name).write_bytes(tree.stray[name].bundle)


def trusting(name: str, authority: Callable[[Tree], bytes]) -> Mutation:
    return lambda tree: tree.embed(name, authority=Material(data=authority(tree)))


def resigned_for_all(name: str, **wishes: Any) -> Mutation:
    """A CA under another certificate, which every kubeconfig that embeds one knows too: the cluster
    was made so."""
    def mutate(tree: Tree) -> None:
        bundle = tree.authority(name, **wishes).bundle
        tree.file(name).write_bytes(bundle)
        for row in tree.cluster.rows(tree.host):
            if row.place.kubeconfig and not row.place.by_path:
                tree.embed(row.name, authority=Material(data=bundle))
    return mutate


def renamed(name: str, head: str, name_there: str, new: str) -> Mutation:
    """A name in a kubeconfig, where it stands after *head*."""
    return replaced(f"{name}:kubeconfig", f'{head}"{name_there}"'.encode(),
                    f'{head}"{new}"'.encode())


def ca_key_there(name: str) -> Mutation:
    def mutate(tree: Tree) -> None:
        path = tree.file(f"{name}:key")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pem.dump_key(tree.cluster.roots[name].key, form="traditional"))
        path.chmod(0o600)
    return mutate


def another_token_key(part: str) -> Mutation:
    def mutate(tree: Tree) -> None:
        key = tree.cluster.spare()
        tree.file(f"service-accounts{part}").write_bytes(
            pem.dump_key(key, form="traditional") if part
            else pem.dump_public_key(key.public_key()))
    return mutate


def rotated(tree: Tree) -> None:
    """As a kubelet leaves it that has exchanged its certificate once: no fault."""
    certificate, key = tree.pair("kubelet")
    link = tree.root / CURRENT
    link.parent.mkdir(parents=True, exist_ok=True)
    target = link.with_name("kubelet-client-2026-01-02-03-04-05.pem")
    target.write_bytes(certificate + key)
    target.chmod(0o600)
    link.symlink_to(f"/{target.relative_to(tree.root)}")
    named = Material(path=f"/{CURRENT}")
    tree.embed("kubelet", certificate=named, key=named)


def dangling(tree: Tree) -> None:
    rotated(tree)
    (tree.root / CURRENT).with_name("kubelet-client-2026-01-02-03-04-05.pem").unlink()


def plain_current(tree: Tree) -> None:
    rotated(tree)
    link = tree.root / CURRENT
    link.with_name("kubelet-client-2026-01-02-03-04-05.pem").replace(link)
