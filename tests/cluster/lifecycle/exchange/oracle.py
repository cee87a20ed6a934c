"""Whether an exchange is safe, as Go and openssl see it: every host accepts what any host presents.

Nothing of kpki is asked. A table of paths names the files, which PyYAML and cryptography read.
Every pair of a certificate and a file of CAs goes to both verifiers, once for all copies of a
workspace."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.kubernetes.verdict.peer import Judge
from tests.kubernetes.verdict.writer import Chain

BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


class Files(NamedTuple):
    """Of one CA: the files that verify, and the certificates that are shown, with what for."""

    verify: tuple[str, ...]
    show: tuple[tuple[str, str], ...]


CLIENT, SERVER = "sslclient", "sslserver"
SSL, PKI, WAY = "etc/kubernetes/ssl", "etc/kubernetes/pki", "var/lib/kubernetes"
# layout → CA → files; a kubeconfig is read for both its CA and its pair
TABLE: dict[str, dict[str, Files]] = {
    "ssl": {
        "ca": Files(
            (f"{SSL}/ca.pem",),
            (
                (f"{SSL}/apiserver.pem", SERVER),
                (f"{SSL}/apiserver-kubelet-client.pem", CLIENT),
                (f"{SSL}/kube-controller-manager.pem", CLIENT),
                (f"{SSL}/kube-scheduler.pem", CLIENT),
                (f"{SSL}/admin.pem", CLIENT),
                (f"{SSL}/kube-proxy.pem", CLIENT),
                (f"{SSL}/worker.pem", CLIENT),
                (f"{SSL}/worker.pem", SERVER),
            ),
        ),
        "etcd-ca": Files(
            (f"{SSL}/etcd-ca.pem",),
            (
                (f"{SSL}/etcd-server.pem", SERVER),
                (f"{SSL}/etcd-peer.pem", SERVER),
                (f"{SSL}/etcd-peer.pem", CLIENT),
                (f"{SSL}/etcd-healthcheck-client.pem", CLIENT),
                (f"{SSL}/apiserver-etcd-client.pem", CLIENT),
            ),
        ),
        "front-proxy-ca": Files(
            (f"{SSL}/front-proxy-ca.pem",), ((f"{SSL}/front-proxy-client.pem", CLIENT),)
        ),
    },
    "kubeadm": {
        "ca": Files(
            (
                f"{PKI}/ca.crt",
                *(
                    f"etc/kubernetes/{name}.conf"
                    for name in (
                        "admin",
                        "super-admin",
                        "controller-manager",
                        "scheduler",
                        "kubelet",
                    )
                ),
            ),
            (
                (f"{PKI}/apiserver.crt", SERVER),
                (f"{PKI}/apiserver-kubelet-client.crt", CLIENT),
                *(
                    (f"etc/kubernetes/{name}.conf", CLIENT)
                    for name in (
                        "admin",
                        "super-admin",
                        "controller-manager",
                        "scheduler",
                        "kubelet",
                    )
                ),
            ),
        ),
        "etcd-ca": Files(
            (f"{PKI}/etcd/ca.crt",),
            (
                (f"{PKI}/etcd/server.crt", SERVER),
                (f"{PKI}/etcd/peer.crt", SERVER),
                (f"{PKI}/etcd/peer.crt", CLIENT),
                (f"{PKI}/etcd/healthcheck-client.crt", CLIENT),
                (f"{PKI}/apiserver-etcd-client.crt", CLIENT),
            ),
        ),
        "front-proxy-ca": Files(
            (f"{PKI}/front-proxy-ca.crt",), ((f"{PKI}/front-proxy-client.crt", CLIENT),)
        ),
    },
    "hard-way": {
        "ca": Files(
            (
                f"{WAY}/ca.crt",
                "var/lib/kubelet/ca.crt",
                "var/lib/kubelet/kubeconfig",
                "var/lib/kube-proxy/kubeconfig",
                *(
                    f"{WAY}/{name}.kubeconfig"
                    for name in ("admin", "kube-controller-manager", "kube-scheduler")
                ),
            ),
            (
                (f"{WAY}/kube-api-server.crt", SERVER),
                (f"{WAY}/apiserver-kubelet-client.crt", CLIENT),
                ("var/lib/kubelet/kubelet.crt", SERVER),
                ("var/lib/kubelet/kubeconfig", CLIENT),
                ("var/lib/kube-proxy/kubeconfig", CLIENT),
                *(
                    (f"{WAY}/{name}.kubeconfig", CLIENT)
                    for name in ("admin", "kube-controller-manager", "kube-scheduler")
                ),
            ),
        ),
        "etcd-ca": Files(
            (f"{WAY}/etcd-ca.crt",),
            (
                (f"{WAY}/etcd-server.crt", SERVER),
                (f"{WAY}/etcd-peer.crt", SERVER),
                (f"{WAY}/etcd-peer.crt", CLIENT),
                (f"{WAY}/etcd-healthcheck-client.crt", CLIENT),
                (f"{WAY}/apiserver-etcd-client.crt", CLIENT),
            ),
        ),
        "front-proxy-ca": Files(
            (f"{WAY}/front-proxy-ca.crt",), ((f"{WAY}/front-proxy-client.crt", CLIENT),)
        ),
    },
}
TOKENS = {
    "ssl": (f"{SSL}/service-accounts.pem", f"{SSL}/service-accounts-key.pem"),
    "kubeadm": (f"{PKI}/sa.pub", f"{PKI}/sa.key"),
    "hard-way": (f"{WAY}/service-accounts.pub", f"{WAY}/service-accounts.key"),
}
USERS = "users/admin.conf"


class Refusal(NamedTuple):
    """One host's file of CAs that refuses what a host presents."""

    verifier: str
    presenter: str
    reason: str


@dataclass
class Oracle:
    """Both verifiers, and what they have said: (certificate, CAs, purpose, moment) → the
    refusals."""

    judge: Judge
    folder: Path
    said: dict[tuple[bytes, bytes, str, datetime], str] = field(default_factory=dict)

    def refusals(
        self, workspace: Path, row: str, now: datetime, *, but: Iterable[str] = ()
    ) -> list[Refusal]:
        """Each refusal among all hosts of a workspace, and its users; *but* these hosts."""
        if row == "service-accounts":
            return [*refused_tokens(workspace, but)]
        layout = layout_of(workspace)
        files, trees = (
            TABLE[layout][row],
            {
                path.name: path
                for path in sorted((workspace / "nodes").iterdir())
                if path.name not in but
            },
        )
        verify = [
            (f"{name}:{path}", authorities(tree / path))
            for name, tree in trees.items()
            for path in files.verify
            if (tree / path).exists()
        ]
        show = [
            (f"{name}:{path}", certificate(tree / path), purpose)
            for name, tree in trees.items()
            for path, purpose in files.show
            if (tree / path).exists()
        ]
        if row == "ca":
            verify.append((USERS, authorities(workspace / USERS)))
            show.append((USERS, certificate(workspace / USERS), CLIENT))
        assert verify and show
        self._ask(
            {(shown, trusted, purpose, now) for _, shown, purpose in show for _, trusted in verify}
        )
        return [
            Refusal(verifier, presenter, reason)
            for verifier, trusted in verify
            for presenter, shown, purpose in show
            if (reason := self.said[shown, trusted, purpose, now])
        ]

    def _ask(self, questions: set[tuple[bytes, bytes, str, datetime]]) -> None:
        """Ask both verifiers what they have not been asked before."""
        new = sorted(questions - self.said.keys())
        verdicts = (
            self.judge(
                [
                    Chain(
                        der(shown),
                        tuple(der(block) for block in BLOCK.findall(trusted)),
                        (),
                        purpose,
                        None,
                        now,
                    )
                    for shown, trusted, purpose, now in new
                ]
            )
            if new
            else []
        )
        for (shown, trusted, purpose, now), verdict in zip(new, verdicts, strict=True):
            self.said[shown, trusted, purpose, now] = "" if verdict.ok else f"Go: {verdict.reason}"
        for trusted, purpose, now in {question[1:] for question in new}:
            leaves = [question[0] for question in new if question[1:] == (trusted, purpose, now)]
            for leaf, reason in zip(
                leaves, self._openssl(leaves, trusted, purpose, now), strict=True
            ):
                self.said[leaf, trusted, purpose, now] += reason

    def _openssl(
        self, leaves: list[bytes], trusted: bytes, purpose: str, now: datetime
    ) -> Iterator[str]:
        bundle, paths = (
            self.folder / "bundle.pem",
            [self.folder / f"{number}.pem" for number in range(len(leaves))],
        )
        bundle.write_bytes(trusted)
        for path, leaf in zip(paths, leaves, strict=True):
            path.write_bytes(leaf)
        done = subprocess.run(
            [
                "openssl",
                "verify",
                "-CAfile",
                bundle,
                "-purpose",
                purpose,
                "-attime",
                str(int(now.timestamp())),
                *paths,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        for path in paths:
            yield "" if f"{path}: OK\n" in done.stdout else f"openssl: {done.stderr}"


def layout_of(workspace: Path) -> str:
    """The layout that the description names."""
    layout: str = yaml.safe_load((workspace / "cluster.yaml").read_text())["layout"]
    return layout


def _entry(data: bytes, kind: str, name: str) -> bytes | None:
    document: Any = yaml.safe_load(data)
    value: str | None = document[f"{kind}s"][0][kind].get(f"{name}-data")
    return None if value is None else base64.b64decode(value)


def authorities(path: Path) -> bytes:
    """The file of CAs, or those that a kubeconfig embeds."""
    data = path.read_bytes()
    return (
        (_entry(data, "cluster", "certificate-authority") or b"")
        if b"kind: Config" in data
        else data
    )


def certificate(path: Path) -> bytes:
    """The certificate that a pair or a kubeconfig shows."""
    data = path.read_bytes()
    found = (_entry(data, "user", "client-certificate") or b"") if b"kind: Config" in data else data
    first = BLOCK.search(found)
    assert first
    return first[0] + b"\n"


@cache
def der(block: bytes) -> bytes:
    """A certificate in DER."""
    return x509.load_pem_x509_certificate(block).public_bytes(serialization.Encoding.DER)


def refused_tokens(workspace: Path, but: Iterable[str] = ()) -> Iterator[Refusal]:
    """Each API server that lacks the public half of a key with which a host signs tokens."""
    public, private = TOKENS[layout_of(workspace)]
    trees = [
        path
        for path in sorted((workspace / "nodes").iterdir())
        if (path / private).exists() and path.name not in but
    ]
    assert trees
    for signer in trees:
        key = (
            serialization.load_pem_private_key((signer / private).read_bytes(), None)
            .public_key()
            .public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        for verifier in trees:
            known = [
                serialization.load_pem_public_key(block).public_bytes(
                    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
                )
                for block in PUBLIC.findall((verifier / public).read_bytes())
            ]
            if key not in known:
                yield Refusal(verifier.name, signer.name, "no keys found")
