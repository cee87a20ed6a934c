"""The script's steps for one host, or for the workspace itself, in openssl's commands."""
from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from shlex import quote
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa

from . import shell
from .extraction import CERTIFICATE_FIELD, KEY_FIELD, copy_command, dump, extract_command
from .signers import ScriptAuthority
from ..desired.rows import Row, tree_prefix
from ..leaf_files import Task, path_kubeconfig
from ..observed.inventory import ObservedFile, named_path
from ..plan.plan import HostPlan, Plan, Waiting
from ..workspace import PRIVATE_FOLDER
from ...kubernetes.causes import CAUSES
from ...kubernetes.kubeconfig import load_kubeconfig
from ...kubernetes.layouts import FOLDER_MODE, KEY_MODE, SIGNER
from ...kubernetes.profiles import SERVICE_ACCOUNTS, ca_extensions, ca_identity, leaf_extensions

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from .extraction import Content

_USER_KEY, _USER_CERTIFICATE = '"$work/user.key"', '"$work/user.crt"'
_CONFIGURATION = '"$work/csr.conf"'
_PREPARED = "\n# Temporary files with the certificates of a CA alone, from files with more text.\n"
_PURPOSES = {
    "ca": "the cluster's CA: every component trusts its certificates",
    "etcd-ca": "etcd's own CA: no other certificate of the cluster opens etcd",
    "front-proxy-ca": "the CA of the client pair with which the API server calls aggregated API "
                      "servers for a user",
    SERVICE_ACCOUNTS: "the pair that signs the service accounts' tokens; it has no certificate",
    "apiserver": "the API server's certificate for all clients, with its names and addresses",
    "apiserver-kubelet-client": "the API server, a client of kubelets, for logs and exec",
    "apiserver-etcd-client": "the API server, a client of etcd",
    "front-proxy-client": "the API server, a client of aggregated API servers",
    "etcd-server": "etcd's certificate for its clients; etcd is its own client as well",
    "etcd-peer": "an etcd member, server and client of the other members",
    "etcd-healthcheck-client": "the health probe, a client of etcd",
    "admin": "the administrator",
    "super-admin": "the administrator whom no missing binding locks out",
    "kube-controller-manager": "the controller-manager, a client of the API server",
    "kube-scheduler": "the scheduler, a client of the API server",
    "kubelet": "the kubelet: a client of the API server as this node, and a server",
    "kubelet-client": "the kubelet, a client of the API server as this node",
    "kubelet-serving": "the kubelet, a server for the API server",
    "kube-proxy": "kube-proxy, a client of the API server",
}


def wait(waiting: Waiting) -> str:
    """The comment for a row that waits for a missing file."""
    path = tree_prefix(waiting.host) + waiting.path
    return shell.comment(f"{path} ({waiting.row}) waits for {waiting.needs}")


@dataclass
class Steps:
    """The script's commands for one host, or for the workspace itself."""

    plan: Plan
    """The plan."""
    signers: dict[str, ScriptAuthority]
    """The CAs, by their rows."""
    host: HostPlan
    """The tasks of the host."""
    reads: list[str] = field(default_factory=list)
    """The files that the commands read and do not replace; complete after `pieces`."""
    needed: set[str] = field(default_factory=set)
    """The CAs whose files the commands read; complete after `pieces`."""
    signing: set[str] = field(default_factory=set)
    """The CAs that sign; complete after `pieces`."""

    # The paths of the host's files

    @property
    def tree(self) -> str:
        """The prefix of the host's paths in the workspace."""
        return tree_prefix(self.host.host)

    def file(self, path: str) -> ObservedFile:
        """A file of the host's tree, by its path in the tree."""
        return self.plan.observe(self.tree + path)

    def word(self, path: str) -> str:
        """The word for a file of the host's tree."""
        return quote(self.tree + path)

    def old_word(self, task: Task, path: str) -> str:
        """The word for the old file of a path: in the backup, if the task replaces the file."""
        return f'"$backup"/{self.word(path)}' if task.changes(path) else self.word(path)

    def mode(self, task: Task, path: str) -> int:
        """The mode of a new file: the layout's, without the bits that the replaced file lacks."""
        mode, found = self.plan.wanted.layout.mode(task.row.place, path), self.file(path)
        return mode & found.mode if found.data is not None else mode

    # The checks before the first change

    def preconditions(self) -> Iterator[str]:
        """The lines for the checks before the first change: new, old or used, and a path."""
        old = dict.fromkeys(self.tree + step.path for step in self.host.steps
                            if step.action != "create")
        new = dict.fromkeys(self.tree + step.path for step in self.host.steps
                            if step.action == "create")
        yield from (f"new {path}\n" for path in new)
        yield from (f"old {path}\n" for path in old if path not in new)
        yield from (f"use {path}\n" for path in dict.fromkeys(self.reads) if path not in new
                    and path not in old)

    # The commands

    def pieces(self) -> Iterator[str]:
        """The commands, step by step."""
        prepared = "" if self.host.host \
            else "".join(signer.preparation() for signer in self.signers.values())
        if not self.host.tasks and not self.host.waiting and not prepared:
            return
        yield f"\n# ---- {self._title()} ----\n"
        yield self._folders()
        for task in self.host.tasks:
            if prepared and task.row.profile.kind == "leaf":
                yield _PREPARED + prepared
                prepared = ""
            yield from self._about(task)
            yield from (f"away {self.word(step.path)}\n" for step in task.steps
                        if step.action != "create")
            match task.row.profile.kind:
                case "leaf":
                    yield from self._leaf(task)
                case "key":
                    yield from self._service_accounts(task)
                case _:
                    yield from self._own_authority(task) if self.host.host is None \
                        else self._authority(task)
        if prepared:
            yield _PREPARED + prepared
        if self.host.waiting:
            yield "\n"
            yield from map(wait, self.host.waiting)

    def _title(self) -> str:
        if self.host.host is None:
            return "The workspace itself: the CAs, the service accounts' keys, people's kubeconfigs"
        host = self.plan.cluster.host(self.host.host)
        roles = ", ".join(sorted(host.roles)) or "worker"
        return f"{host.name}: {roles}, {', '.join(host.addresses)}"

    def _folders(self) -> str:
        """The commands that make new files' folders: a host's mode in its tree, else 0700."""
        folders = dict[str, int]()
        for step in self.host.steps:
            folder = posixpath.dirname(self.tree + step.path) if step.action == "create" else ""
            parts = folder.split("/") if folder else []
            for number in range(1, len(parts) + 1):
                mode = FOLDER_MODE if self.tree and number > 2 else PRIVATE_FOLDER
                folders["/".join(parts[:number])] = mode
        return "".join(f"folders {mode:o} "
                       f"{' '.join(quote(name) for name, own in folders.items() if own == mode)}\n"
                       for mode in dict.fromkeys(folders.values()))

    def _about(self, task: Task) -> Iterator[str]:
        row = task.row
        signed = f", signed by {row.profile.signer}" \
            if row.profile.signer and not task.chain else ""
        purpose = f": {_PURPOSES[row.name]}" if row.name in _PURPOSES else ""
        yield "\n" + shell.comment(f"{row.name}{signed}{purpose}")
        for cause in dict.fromkeys(cause for step in task.steps for cause in step.causes
                                   if cause != "file-missing"):
            yield shell.comment(f"{cause}: {CAUSES[cause].meaning}")

    def _chmod(self, task: Task, *paths: str) -> Iterator[str]:
        """The command that sets a file's mode, if it differs from the umask's."""
        for path in paths:
            if (mode := self.mode(task, path)) != KEY_MODE:
                yield f"chmod {mode:o} {self.word(path)}\n"

    # The CAs and the service accounts' pair

    def _own_authority(self, task: Task) -> Iterator[str]:
        signer, place = self.signers[task.row.name], task.row.place
        root, key, certificate = signer.root, self.word(place.key), self.word(place.certificate)
        if task.changes(place.key):
            if signer.made and root.existing_key is None:
                yield shell.make_key(self.plan.algorithm, key)
            else:
                own = signer.made or root.key_path == place.key
                source = self.old_word(task, place.key) if own else quote(root.key_path)
                yield f"cp {source} {key}\n"
                yield f"chmod {self.mode(task, place.key):o} {key}\n"
        elif signer.made:
            self.reads.append(place.key)
        if not signer.made:
            self.needed.add(task.row.name)
        if not task.changes(place.certificate):
            return
        if signer.made:
            extensions = [*ca_extensions(task.row.profile), ("subjectKeyIdentifier", "hash")]
            yield shell.here_document(f"cat > {_CONFIGURATION}",
                                      shell.configuration(ca_identity(task.row.profile), extensions,
                                                          section="v3_ca"))
            yield (f"openssl req -x509 -new -config {_CONFIGURATION} -key {key} -days "
                   f"{signer.own_days} -{signer.hash} -out {certificate}\n")
        else:
            data = b"" if root.given else self.plan.observe(root.certificate_path).data
            yield copy_command(data or b"", [*root.certificates], signer.source, certificate)
        yield from self._chmod(task, place.certificate)

    def _authority(self, task: Task) -> Iterator[str]:
        """A CA on a host: its certificates, and its key if the host signs."""
        signer, place = self.signers[task.row.name], task.row.place
        if task.changes(place.certificate):
            self.needed.add(task.row.name)
            alone = place.only == SIGNER and signer.root.signer is not None
            yield (f"{signer.alone()} > " if alone
                   else f"cp {signer.bundle} ") + f"{self.word(place.certificate)}\n"
            yield from self._chmod(task, place.certificate)
        if place.key and task.changes(place.key):
            self.needed.add(task.row.name)
            yield signer.copy_key(self.word(place.key))
            yield f"chmod {self.mode(task, place.key):o} {self.word(place.key)}\n"

    def _service_accounts(self, task: Task) -> Iterator[str]:
        """The service accounts' pair: the workspace's own, or a host's copy."""
        place, pair = task.row.place, self.plan.service_accounts
        assert pair is not None
        own, key, public = pair.row.place, self.word(place.key), self.word(place.certificate)
        if task.changes(place.key):
            if pair.public_pem is None and task.row.host is None:
                yield shell.make_key(self.plan.algorithm, key)
            else:
                path = own.key if task.row.host \
                    else self._pair_path(own.key, pair.key_pem, task.row.name)
                yield f"cp {self._source(task, path)} {key}\n"
                yield f"chmod {self.mode(task, place.key):o} {key}\n"
        if not task.changes(place.certificate):
            return
        if task.row.host is None and (pair.public_pem is None or pair.derived):
            if not task.changes(place.key):
                self.reads.append(place.key)
            yield f"openssl pkey -in {key} -pubout -out {public}\n"
        elif task.row.host is None:
            path = self._pair_path(own.certificate, pair.public_pem, task.row.name)
            yield f"cp {self._source(task, path)} {public}\n"
        else:
            yield f"cp {self._source(task, own.certificate)} {public}\n"
        yield f"chmod {self.mode(task, place.certificate):o} {public}\n"

    def _source(self, task: Task, path: str) -> str:
        """The word for a file of the workspace; an existing file is checked at the start."""
        if self.host.host is None and task.changes(path):
            return self.old_word(task, path)
        if not self.plan.observe(path).missing:
            self.reads.append(path)
        return quote(path)

    def _pair_path(self, path: str, data: bytes | None, row: str) -> str:
        """The file with the service accounts' key or public half: in the workspace or a tree."""
        if self.plan.observe(path).data == data:
            return path
        for host in self.plan.cluster.hosts:
            for own in self.plan.wanted.of_host(host) if host.roles else ():
                for name in own.paths() if own.name == row else ():
                    if self.plan.observe(copy := tree_prefix(host.name) + name).data == data:
                        return copy
        raise AssertionError(f"{path}: no file holds the key")

    # Leaves

    def _leaf(self, task: Task) -> Iterator[str]:
        """The new files among key, certificate and kubeconfig of a row; the other files stay."""
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
            yield shell.here_document(f"cat > {target}", document)
        else:
            if place.certificate:
                yield from self._plain_copies(task, words)
            self.needed.add("ca")
            assert task.row.kubeconfig is not None
            yield shell.kubeconfig(task.row.kubeconfig, [self.signers["ca"].bundle, *words], target)
        yield from self._chmod(task, place.kubeconfig)

    def _pair(self, task: Task) -> Iterator[str]:
        place = task.row.place
        key, certificate = self.word(place.key), self.word(place.certificate)
        if task.key is None:
            yield shell.make_key(self._algorithm(task.row), key)
            yield from self._chmod(task, place.key)
        elif task.changes(place.key):
            yield copy_command(self.file(place.key).data or b"", task.key,
                               self.old_word(task, place.key), key)
            yield f"chmod {self.mode(task, place.key):o} {key}\n"
        elif not task.chain:
            self.reads.append(self.tree + place.key)
        if not task.chain:
            yield from self._signed(task.row, key, certificate, task.key)
            yield from self._chmod(task, place.certificate)

    def _plain_copies(self, task: Task, words: list[str]) -> Iterator[str]:
        """Copies of a pair that stays, for a kubeconfig, if its files hold other text."""
        kept = ((task.row.place.certificate, [*task.chain], _USER_CERTIFICATE),
                (task.row.place.key, task.key, _USER_KEY))
        for number, (path, content, target) in enumerate(kept):
            if not content or task.changes(path):
                continue
            self.reads.append(self.tree + path)
            if (data := self.file(path).data or b"") != dump(content):
                yield copy_command(data, content, words[number], target)
                words[number] = target

    def _embedded(self, task: Task) -> Iterator[str]:
        """A pair that only its kubeconfig holds."""
        key = self._extract(task, KEY_FIELD, task.key, _USER_KEY) if task.key else None
        chain = self._extract(task, CERTIFICATE_FIELD, [*task.chain],
                              _USER_CERTIFICATE) if key and task.chain else None
        if task.key and key is None:
            yield shell.comment("sed cannot read the notation of the old key: the next command "
                                "makes a new key.")
        yield key or shell.make_key(self._algorithm(task.row), _USER_KEY)
        if chain:
            yield chain
        else:
            yield from self._signed(task.row, _USER_KEY, _USER_CERTIFICATE,
                                    task.key if key else None)

    def _extract(self, task: Task, field: str, content: Content, target: str) -> str | None:
        """The command that extracts a field's data, embedded or named; None if no command can."""
        path = task.row.place.kubeconfig
        data = self.file(path).data or b""
        read = load_kubeconfig(data)
        material = read.key if field == KEY_FIELD else read.certificate
        if material.data is not None:
            return extract_command(data, field, material, content, self.old_word(task, path),
                                   target)
        named = named_path(path, material.path or "")
        self.reads.append(self.tree + named)
        return copy_command(self.file(named).data or b"", content, self.word(named), target)

    def _algorithm(self, row: Row) -> str:
        return self.plan.cluster.algorithm or self.signers[row.profile.signer or ""].algorithm

    def _signed(self, row: Row, key: str, certificate: str,
                kept: PrivateKeyTypes | None) -> Iterator[str]:
        """The commands that sign a certificate for a key."""
        signer = self.signers[row.profile.signer or ""]
        self.signing.add(signer.root.row.name)
        of_rsa = isinstance(kept, rsa.RSAPrivateKey) if kept \
            else self._algorithm(row).startswith("RSA")
        extensions = [*leaf_extensions(row.profile, row.identity, rsa=of_rsa),
                      ("subjectKeyIdentifier", "hash"), ("authorityKeyIdentifier", "keyid,issuer")]
        yield shell.here_document(f"cat > {_CONFIGURATION}",
                                  shell.configuration(row.identity, extensions, section="v3_ext"))
        yield (f"sign {key} {certificate} {signer.certificate} {signer.key} {signer.days} "
               f"{signer.hash}\n")
