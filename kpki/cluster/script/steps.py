"""The script's steps for one host, or for the workspace itself: its part of the plan in openssl's commands."""
from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from shlex import quote
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa

from . import shell
from .kept import CERTIFICATE, KEY, copied, dumped, taken_out
from .signers import Signer
from ..authority import ALGORITHMS
from ..desired.rows import NODES_FOLDER, Row
from ..leaf_files import Task, path_kubeconfig
from ..observed.inventory import Found, named_path
from ..plan.plan import HostPlan, Plan, Waiting
from ..workspace import PRIVATE_FOLDER
from ...kubernetes.causes import CAUSES
from ...kubernetes.kubeconfig import load_kubeconfig
from ...kubernetes.layouts import FOLDER_MODE, KEY_MODE, SIGNER
from ...kubernetes.profiles import SERVICE_ACCOUNTS, ca_extensions, ca_identity, leaf_extensions

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from .kept import Content

_USER_KEY, _USER_CERTIFICATE, _CONFIGURATION = '"$work/user.key"', '"$work/user.crt"', '"$work/csr.conf"'
_PREPARED = "\n# The certificates of a CA alone, out of files that hold more.\n"
_PURPOSES = {
    "ca": "the cluster's CA: everybody trusts what it has signed",
    "etcd-ca": "etcd's own CA, so that no other certificate of the cluster opens etcd",
    "front-proxy-ca": "the CA by which aggregated API servers know the API server when it speaks for a user",
    SERVICE_ACCOUNTS: "the pair that signs the service accounts' tokens; no certificate, the public key alone",
    "apiserver": "what the API server shows to everyone who calls it, under each of its names and addresses",
    "apiserver-kubelet-client": "what the API server shows to a kubelet, for logs and exec",
    "apiserver-etcd-client": "what the API server shows to etcd",
    "front-proxy-client": "what the API server shows to aggregated API servers",
    "etcd-server": "what etcd shows to its clients; etcd is its own client as well",
    "etcd-peer": "what the members of etcd show to each other, calling and called",
    "etcd-healthcheck-client": "what the health probe shows to etcd",
    "admin": "the administrator",
    "super-admin": "the administrator whom no missing binding locks out",
    "kube-controller-manager": "the controller-manager, a client of the API server",
    "kube-scheduler": "the scheduler, a client of the API server",
    "kubelet": "the kubelet: a client of the API server, as this very node, and itself a server",
    "kubelet-client": "the kubelet, a client of the API server as this very node",
    "kubelet-serving": "what the kubelet shows to the API server when it is called",
    "kube-proxy": "kube-proxy, a client of the API server",
}


def wait(one: Waiting) -> str:
    place = f"{NODES_FOLDER}/{one.host}/{one.path}" if one.host else one.path
    return shell.comment(f"{place} ({one.row}) waits for {one.needs}")


@dataclass
class Steps:
    """The script's part for one host, or for the workspace itself.

    Once its pieces have been taken, *reads* are the files that they need beside those that they replace, *needed* the
    CAs whose files they read, *signing* those that they sign with.
    """

    plan: Plan
    signers: dict[str, Signer]
    host: HostPlan
    reads: list[str] = field(default_factory=list)
    needed: set[str] = field(default_factory=set)
    signing: set[str] = field(default_factory=set)

    # What the host's files are called

    @property
    def tree(self) -> str:
        return f"{NODES_FOLDER}/{self.host.host}/" if self.host.host else ""

    def look(self, path: str) -> Found:
        return self.plan.look(self.tree + path)

    def word(self, path: str) -> str:
        return quote(self.tree + path)

    def was(self, task: Task, path: str) -> str:
        """The word for what was at a path before the task's own steps."""
        return f'"$backup"/{self.word(path)}' if task.changes(path) else self.word(path)

    def mode(self, task: Task, path: str) -> int:
        """The mode that a file is to have: the layout's, or what is left of it where a stricter one is replaced."""
        mode, found = self.plan.wanted.layout.mode(task.row.place, path), self.look(path)
        return mode & found.mode if found.data is not None else mode

    # What is looked at before the first change

    def looked_at(self) -> Iterator[str]:
        old = dict.fromkeys(self.tree + one.path for one in self.host.steps if one.action != "create")
        new = dict.fromkeys(self.tree + one.path for one in self.host.steps if one.action == "create")
        yield from (f"new {path}\n" for path in new)
        yield from (f"old {path}\n" for path in old if path not in new)
        yield from (f"use {path}\n" for path in dict.fromkeys(self.reads) if path not in new and path not in old)

    # The steps

    def pieces(self) -> Iterator[str]:
        """The commands, step by step."""
        prepared = "" if self.host.host else "".join(one.prepared() for one in self.signers.values())
        if not self.host.tasks and not self.host.waiting and not prepared:
            return
        yield f"\n# ---- {self._title()} ----\n"
        yield self._folders()
        for task in self.host.tasks:
            if prepared and task.row.profile.kind == "leaf":
                yield _PREPARED + prepared
                prepared = ""
            yield from self._about(task)
            yield from (f"away {self.word(step.path)}\n" for step in task.steps if step.action != "create")
            match task.row.profile.kind:
                case "leaf":
                    yield from self._leaf(task)
                case "key":
                    yield from self._service_accounts(task)
                case _:
                    yield from self._own_authority(task) if self.host.host is None else self._authority(task)
        if prepared:
            yield _PREPARED + prepared
        if self.host.waiting:
            yield "\n"
            yield from map(wait, self.host.waiting)

    def _title(self) -> str:
        if self.host.host is None:
            return "The workspace itself: the CAs, the service accounts' keys, people's kubeconfigs"
        host = self.plan.cluster.host(self.host.host)
        return f"{host.name}: {', '.join(sorted(host.roles)) or 'worker'}, {', '.join(host.addresses)}"

    def _folders(self) -> str:
        """The commands that make the folders of what is new: as a host has them in its tree, closed elsewhere."""
        folders = dict[str, int]()
        for step in self.host.steps:
            parts = posixpath.dirname(self.tree + step.path).split("/") if step.action == "create" else []
            for number in range(1, len(parts) + 1):
                folders["/".join(parts[:number])] = FOLDER_MODE if self.tree and number > 2 else PRIVATE_FOLDER
        return "".join(f"folders {mode:o} {' '.join(quote(name) for name, one in folders.items() if one == mode)}\n"
                       for mode in dict.fromkeys(folders.values()))

    def _about(self, task: Task) -> Iterator[str]:
        row = task.row
        signed = f", signed by {row.profile.signer}" if row.profile.signer and not task.chain else ""
        purpose = f": {_PURPOSES[row.name]}" if row.name in _PURPOSES else ""
        yield "\n" + shell.comment(f"{row.name}{signed}{purpose}")
        for cause in dict.fromkeys(cause for step in task.steps for cause in step.causes if cause != "file-missing"):
            yield shell.comment(f"{cause}: {CAUSES[cause].meaning}")

    def _chmod(self, task: Task, *paths: str) -> Iterator[str]:
        """The command that gives a file its mode, where the umask has not."""
        for path in paths:
            if (mode := self.mode(task, path)) != KEY_MODE:
                yield f"chmod {mode:o} {self.word(path)}\n"

    def _key(self, algorithm: str, target: str) -> str:
        words = ALGORITHMS[algorithm]
        return shell.make_key(str(words["algorithm"]), int(words.get("bits", 0)), str(words.get("curve", "")), target)

    # The CAs and the service accounts' pair

    def _own_authority(self, task: Task) -> Iterator[str]:
        signer, place = self.signers[task.row.name], task.row.place
        root, key, certificate = signer.root, self.word(place.key), self.word(place.certificate)
        if task.changes(place.key):
            if signer.made and root.kept is None:
                yield self._key(self.plan.algorithm, key)
            else:
                here = signer.made or root.key_path == place.key
                yield f"cp {self.was(task, place.key) if here else quote(root.key_path)} {key}\n"
                yield f"chmod {self.mode(task, place.key):o} {key}\n"
        elif signer.made:
            self.reads.append(place.key)
        if not signer.made:
            self.needed.add(task.row.name)
        if not task.changes(place.certificate):
            return
        if signer.made:
            extensions = [*ca_extensions(task.row.profile), ("subjectKeyIdentifier", "hash")]
            yield shell.here(f"cat > {_CONFIGURATION}", shell.configuration(ca_identity(task.row.profile), extensions,
                                                                            section="v3_ca"))
            yield (f"openssl req -x509 -new -config {_CONFIGURATION} -key {key} -days {signer.own_days} "
                   f"-{signer.hash} -out {certificate}\n")
        else:
            data = b"" if root.given else self.plan.look(root.certificate_path).data
            yield copied(data or b"", [*root.certificates], signer.source, certificate)
        yield from self._chmod(task, place.certificate)

    def _authority(self, task: Task) -> Iterator[str]:
        """A CA on a host: its certificates, and where the host is to sign, its key."""
        signer, place = self.signers[task.row.name], task.row.place
        if task.changes(place.certificate):
            self.needed.add(task.row.name)
            alone = place.only == SIGNER and signer.root.signer is not None
            yield (f"{signer.alone()} > " if alone else f"cp {signer.bundle} ") + f"{self.word(place.certificate)}\n"
            yield from self._chmod(task, place.certificate)
        if place.key and task.changes(place.key):
            self.needed.add(task.row.name)
            yield signer.copied_key(self.word(place.key))
            yield f"chmod {self.mode(task, place.key):o} {self.word(place.key)}\n"

    def _service_accounts(self, task: Task) -> Iterator[str]:
        """The workspace's pair, or on a host a copy of it."""
        place, pair = task.row.place, self.plan.service_accounts
        assert pair is not None
        own, key, public = pair.row.place, self.word(place.key), self.word(place.certificate)
        if task.changes(place.key):
            if pair.public_pem is None and task.row.host is None:
                yield self._key(self.plan.algorithm, key)
            else:
                there = own.key if task.row.host else self._kept_pair(own.key, pair.key_pem, task.row.name)
                yield f"cp {self._source(task, there)} {key}\nchmod {self.mode(task, place.key):o} {key}\n"
        if not task.changes(place.certificate):
            return
        if task.row.host is None and (pair.public_pem is None or pair.derived):
            if not task.changes(place.key):
                self.reads.append(place.key)
            yield f"openssl pkey -in {key} -pubout -out {public}\n"
        elif task.row.host is None:
            there = self._kept_pair(own.certificate, pair.public_pem, task.row.name)
            yield f"cp {self._source(task, there)} {public}\n"
        else:
            yield f"cp {self._source(task, own.certificate)} {public}\n"
        yield f"chmod {self.mode(task, place.certificate):o} {public}\n"

    def _source(self, task: Task, path: str) -> str:
        """The word for a file of the workspace; one that is there already is looked at before the first change."""
        if self.host.host is None and task.changes(path):
            return self.was(task, path)
        if not self.plan.look(path).missing:
            self.reads.append(path)
        return quote(path)

    def _kept_pair(self, path: str, data: bytes | None, row: str) -> str:
        """Where the service accounts' key, or its public half, was read: in the workspace, else in a host's tree."""
        if self.plan.look(path).data == data:
            return path
        for host in self.plan.cluster.hosts:
            for one in self.plan.wanted.of_host(host) if host.roles else ():
                for name in one.paths() if one.name == row else ():
                    if self.plan.look(there := f"{NODES_FOLDER}/{host.name}/{name}").data == data:
                        return there
        raise AssertionError(f"{path}: read from nowhere")

    # Leaves

    def _leaf(self, task: Task) -> Iterator[str]:
        """Key, certificate and kubeconfig of a row: what is to be made of them, beside what is kept."""
        place = task.row.place
        if place.certificate:
            yield from self._pair(task)
            words = [self.word(place.certificate), self.word(place.key)]
        else:
            yield from self._embedded(task)
            words = [_USER_CERTIFICATE, _USER_KEY]
        if not place.kubeconfig or not task.changes(place.kubeconfig):
            return
        target = self.word(place.kubeconfig)
        if place.by_path:
            document = path_kubeconfig(task.row, self.plan.wanted.layout).data.decode()
            yield shell.here(f"cat > {target}", document)
        else:
            if place.certificate:
                yield from self._plain(task, words)
            self.needed.add("ca")
            assert task.row.kubeconfig is not None
            yield shell.kubeconfig(task.row.kubeconfig, [self.signers["ca"].bundle, *words], target)
        yield from self._chmod(task, place.kubeconfig)

    def _pair(self, task: Task) -> Iterator[str]:
        place = task.row.place
        key, certificate = self.word(place.key), self.word(place.certificate)
        if task.key is None:
            yield self._key(self._algorithm(task.row), key)
            yield from self._chmod(task, place.key)
        elif task.changes(place.key):
            yield copied(self.look(place.key).data or b"", task.key, self.was(task, place.key), key)
            yield f"chmod {self.mode(task, place.key):o} {key}\n"
        elif not task.chain:
            self.reads.append(self.tree + place.key)
        if not task.chain:
            yield from self._signed(task.row, key, certificate, task.key)
            yield from self._chmod(task, place.certificate)

    def _plain(self, task: Task, words: list[str]) -> Iterator[str]:
        """Copies of what is kept of a pair, for a kubeconfig, where its files hold more than that."""
        kept = ((task.row.place.certificate, [*task.chain], _USER_CERTIFICATE),
                (task.row.place.key, task.key, _USER_KEY))
        for number, (path, content, target) in enumerate(kept):
            if not content or task.changes(path):
                continue
            self.reads.append(self.tree + path)
            if (data := self.look(path).data or b"") != dumped(content):
                yield copied(data, content, words[number], target)
                words[number] = target

    def _embedded(self, task: Task) -> Iterator[str]:
        """A pair that lies in its kubeconfig alone."""
        key = self._taken(task, KEY, task.key, _USER_KEY) if task.key else None
        chain = self._taken(task, CERTIFICATE, [*task.chain], _USER_CERTIFICATE) if key and task.chain else None
        if task.key and key is None:
            yield shell.comment("The old key is written in a way that sed does not read: here comes another one.")
        yield key or self._key(self._algorithm(task.row), _USER_KEY)
        if chain:
            yield chain
        else:
            yield from self._signed(task.row, _USER_KEY, _USER_CERTIFICATE, task.key if key else None)

    def _taken(self, task: Task, field: str, content: Content, target: str) -> str | None:
        """The command that takes out what a kubeconfig embeds or names; None where there is none."""
        path = task.row.place.kubeconfig
        data = self.look(path).data or b""
        read = load_kubeconfig(data)
        material = read.key if field == KEY else read.certificate
        if material.data is not None:
            return taken_out(data, field, material, content, self.was(task, path), target)
        named = named_path(path, material.path or "")
        self.reads.append(self.tree + named)
        return copied(self.look(named).data or b"", content, self.word(named), target)

    def _algorithm(self, row: Row) -> str:
        return self.plan.cluster.algorithm or self.signers[row.profile.signer or ""].algorithm

    def _signed(self, row: Row, key: str, certificate: str, kept: PrivateKeyTypes | None) -> Iterator[str]:
        """The commands that sign a certificate for a key."""
        signer = self.signers[row.profile.signer or ""]
        self.signing.add(signer.root.row.name)
        of_rsa = isinstance(kept, rsa.RSAPrivateKey) if kept else self._algorithm(row).startswith("RSA")
        extensions = [*leaf_extensions(row.profile, row.identity, rsa=of_rsa), ("subjectKeyIdentifier", "hash"),
                      ("authorityKeyIdentifier", "keyid,issuer")]
        yield shell.here(f"cat > {_CONFIGURATION}", shell.configuration(row.identity, extensions, section="v3_ext"))
        yield f"sign {key} {certificate} {signer.certificate} {signer.key} {signer.days} {signer.hash}\n"
