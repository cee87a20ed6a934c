"""Healthy hosts of a small cluster, in each layout and with keys of both kinds, and the hands that
break one."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509 import Certificate

from kpki import pem
from kpki.cluster.authority import Authority, make_authority, make_key
from kpki.cluster.desired.description import Cluster, load_cluster
from kpki.cluster.desired.rows import Row, Wanted, layout_of
from kpki.cluster.flags import as_systemd, component_flags
from kpki.cluster.plan.plan import make_plan
from kpki.files import File
from kpki.kubernetes.kubeconfig import Material, dump_kubeconfig, load_kubeconfig
from kpki.kubernetes.layouts import Layout, Place
from kpki.kubernetes.profiles import leaf_extensions
from kpki.kubernetes.values import subject_name
from kpki.stages.certificates import x509_new, x509_resign
from kpki.stages.keys import public_key_der

CONTROL, WORKER, NEIGHBOUR = "cp-1", "worker-1", "worker-2"
ADDRESSES = {CONTROL: "10.0.0.10", WORKER: "10.0.0.21", NEIGHBOUR: "10.0.0.22"}
ALGORITHMS = {"RSA": "RSA-2048", "EC": "ECDSA-P256"}
DESCRIPTION = """\
apiVersion: kpki/v1
kind: Cluster
layout: {}
encryptionAlgorithm: {}
controlPlaneEndpoint: api.example.internal:6443
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: worker-1, addresses: [10.0.0.21]}}
- {{name: worker-2, addresses: [10.0.0.22]}}
"""
PLAIN = timedelta(minutes=5)        # how far back kpki itself dates a certificate
CURRENT = "var/lib/kubelet/pki/kubelet-client-current.pem"
DROP_IN = "etc/systemd/system/kubelet.service.d/20-certificates.conf"
KUBELET_CONFIG = {"kubeadm": "var/lib/kubelet/config.yaml", "ssl": DROP_IN,
                  "hard-way": "var/lib/kubelet/kubelet-config.yaml"}


@cache
def spare_key(algorithm: str, number: int) -> PrivateKeyTypes:
    """The nth key of its kind: each layout's cluster begins with the first, so that no more are
    made than needed."""
    return make_key(algorithm)


@dataclass(frozen=True)
class Healthy:
    """A cluster in memory: its *files* as in a workspace, and the CAs by their rows."""

    cluster: Cluster
    description: str
    files: Mapping[str, File]
    roots: Mapping[str, Authority]
    keys: int
    now: datetime

    @property
    def layout(self) -> Layout:
        return layout_of(self.cluster)

    @property
    def algorithm(self) -> str:
        assert self.cluster.algorithm is not None
        return self.cluster.algorithm

    def rows(self, host: str) -> Sequence[Row]:
        return Wanted(self.cluster).of_host(self.cluster.host(host))

    def of_host(self, host: str) -> Iterable[File]:
        """A host's files, relative to its root."""
        folder = f"nodes/{host}/"
        return (replace(item, path=path.removeprefix(folder)) for path, item in self.files.items()
                if path.startswith(folder))

    def spare(self) -> PrivateKeyTypes:
        """A key that nothing in the cluster has."""
        return spare_key(self.algorithm, self.keys)


def healthy(layout: str, algorithm: str, now: datetime) -> Healthy:
    """The cluster of the description, made by kpki itself."""
    text = DESCRIPTION.format(layout, algorithm)
    cluster, made = load_cluster(text), 0

    def new_key(kind: str) -> PrivateKeyTypes:
        nonlocal made
        made += 1
        return spare_key(kind, made - 1)

    plan = make_plan(cluster, now=now).with_roots(new_key)
    files = {file.path: file for file in plan.files(new_key=new_key)}
    return Healthy(cluster, text, files, {name: root.ready() for name, root in plan.roots.items()},
                   made, now)


def beside(model: Healthy, host: str) -> dict[str, str]:
    """What lies on a host beside kpki's files: how its kubelet and its control plane are
    started."""
    layout, node_ip = model.layout.name, f"--node-ip={ADDRESSES[host]}"
    flags = component_flags(model.cluster, "kubelet", model.cluster.host(host))
    unit = "[Unit]\nDescription=kubelet\n\n[Service]\nExecStart=/usr/local/bin/kubelet {}\n"
    service = "etc/systemd/system/kubelet.service"
    if layout == "ssl":
        found = {service: unit.format(f"{node_ip} --pod-manifest-path=/etc/kubernetes/manifests "
                                      "$KUBELET_CERT_ARGS"),
                 DROP_IN: as_systemd(model.cluster, "kubelet", flags)}
    elif layout == "hard-way":
        found = {service: unit.format(f"--config=/{KUBELET_CONFIG[layout]} --kubeconfig="
                                      f"{flags['kubeconfig']} {node_ip} $KUBELET_CERT_ARGS"),
                 KUBELET_CONFIG[layout]: _kubelet_config(
                     flags["client-ca-file"], f"tlsCertFile: {flags['tls-cert-file']}\n"
                     f"tlsPrivateKeyFile: {flags['tls-private-key-file']}\n")}
    else:
        found = {f"{service}.d/10-kubeadm.conf": _KUBEADM_DROP_IN,
                 "var/lib/kubelet/kubeadm-flags.env": f'KUBELET_KUBEADM_ARGS="{node_ip}"\n',
                 KUBELET_CONFIG[layout]: _kubelet_config(
                     flags["client-ca-file"],
                     "rotateCertificates: true\nstaticPodPath: /etc/kubernetes/manifests\n")}
    return found | (dict(_programs(model, host)) if host == CONTROL else {})


def _kubelet_config(ca: str, rest: str) -> str:
    return ("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
            f"authentication:\n  anonymous: {{enabled: false}}\n  webhook: {{enabled: true}}\n"
            f"  x509:\n    clientCAFile: {ca}\nauthorization: {{mode: Webhook}}\n{rest}")


# As kubeadm's packages bring it.
_KUBEADM_DROP_IN = """\
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS \
$KUBELET_EXTRA_ARGS
"""


def _programs(model: Healthy, host: str) -> Iterable[tuple[str, str]]:
    """The control plane's programs: static pods, under hard-way units."""
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"):
        flags = component_flags(model.cluster, name, model.cluster.host(host))
        if name == "kube-apiserver":
            flags |= {"advertise-address": ADDRESSES[host],
                      "etcd-servers": "https://127.0.0.1:2379"}
        words = [name, *(f"--{flag}={value}" for flag, value in flags.items())]
        if model.layout.name == "hard-way":
            yield (f"etc/systemd/system/{name}.service",
                   f"[Service]\nExecStart=/usr/local/bin/{' '.join(words)}\n")
        else:
            command = "".join(f"    - {word}\n" for word in words)
            yield f"etc/kubernetes/manifests/{name}.yaml", (
                f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: kube-system}}\n"
                f"spec:\n  containers:\n  - name: {name}\n    command:\n{command}")


@dataclass(frozen=True)
class Tree:
    """A host's files under *root*, which a mutation breaks; the cluster that it belongs to stays
    whole in memory."""

    root: Path
    host: str
    cluster: Healthy
    # CAs of the same names, another installation's
    stray: Mapping[str, Authority] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        return self.cluster.layout

    # Where things are

    def row(self, name: str, host: str | None = None) -> Row:
        """A row of this host, or another; `kubelet` is also what kubeadm calls kubelet-client."""
        names = ("kubelet", "kubelet-client") if name == "kubelet" else (name,)
        return next(row for row in self.cluster.rows(host or self.host) if row.name in names)

    def at(self, words: str) -> tuple[str | None, str]:
        """Host (None: this one) and path of `[HOST@]ROW[:PART]`, as a finding tells them.

        PART is certificate (the default), key, kubeconfig, user, cluster, contexts/NAME, or
        `config` for where the kubelet's flags are, `current` for its link. What has no file of its
        own is in its kubeconfig.
        """
        host, _, rest = words.rpartition("@")
        name, _, part = rest.partition(":")
        if part in ("config", "current"):
            return host or None, KUBELET_CONFIG[self.layout.name] if part == "config" else CURRENT
        return host or None, self._path(self.row(name, host).place, host or self.host,
                                        part or "certificate")

    def _path(self, place: Place, host: str, part: str) -> str:
        # a CA's key has its place even where no such host is to hold it
        own = {"certificate": place.certificate,
               "key": place.key or self.layout.place(place.row).key}.get(part, "")
        if own or not place.kubeconfig:
            return own
        known = load_kubeconfig(self.cluster.files[f"nodes/{host}/{place.kubeconfig}"].data)
        within = {"kubeconfig": "", "cluster": f"#clusters/{known.cluster_name}"}
        return place.kubeconfig + within.get(part, f"#{part}" if "/" in part
                                             else f"#users/{known.user_name}")

    def file(self, words: str) -> Path:
        """The file that such words lead to."""
        return self.root / self.at(words)[1].partition("#")[0]

    # What is in them

    def put(self, name: str, certificate: bytes | None = None, key: bytes | None = None) -> None:
        """Other bytes for a row's certificate and key: in their files, else in the kubeconfig that
        embeds them."""
        place = self.row(name).place
        if place.certificate:
            for path, data in ((place.certificate, certificate), (place.key, key)):
                if data is not None:
                    (self.root / path).write_bytes(data)
        else:
            self.embed(name,
                       certificate=None if certificate is None else Material(data=certificate),
                       key=None if key is None else Material(data=key))

    def embed(self, name: str, *, authority: Material | None = None,
              certificate: Material | None = None, key: Material | None = None) -> None:
        """Other material for a row's kubeconfig."""
        path = self.file(f"{name}:kubeconfig")
        known = load_kubeconfig(path.read_bytes())
        path.write_bytes(dump_kubeconfig(replace(
            known, authority=authority or known.authority,
            certificate=certificate or known.certificate, key=key or known.key)))

    def pair(self, name: str, host: str | None = None) -> tuple[bytes, bytes]:
        """Certificate and key of a row, on this host or another, as the healthy cluster has them
        (PEM)."""
        place, files, host = self.row(name, host).place, self.cluster.files, host or self.host
        if place.certificate:
            return (files[f"nodes/{host}/{place.certificate}"].data,
                    files[f"nodes/{host}/{place.key}"].data)
        known = load_kubeconfig(files[f"nodes/{host}/{place.kubeconfig}"].data)
        return known.certificate.data or b"", known.key.data or b""

    # Certificates that are not as they should be

    def certified(self, name: str, *, subject: str | None = None, days: int = 365,
                  ago: timedelta = PLAIN, signer: Authority | None = None,
                  key: PrivateKeyTypes | None = None, digest: str = "sha256",
                  serial: int | None = None, **extensions: str) -> Certificate:
        """A row's certificate by its CA, but for what is said; an extension that is "" is left
        out."""
        row = self.row(name)
        key = key or pem.load_key(self.pair(name)[1])
        signer = signer or self.cluster.roots[row.profile.signer or ""]
        wanted = dict(leaf_extensions(row.profile, row.identity,
                                      rsa=self.cluster.algorithm.startswith("RSA")))
        text = "".join(f"{item} = {value}\n" for item, value in (wanted | extensions).items()
                       if value)
        return x509_new(subject or subject_name(row.identity), public_key_der(key),
                        signer.certificate, signer.key, days=days, extfile=text, digest=digest,
                        serial_number=serial, now=self.cluster.now - ago)

    def authority(self, name: str, *, days: int = 3650, ago: timedelta = PLAIN,
                  **extensions: str) -> Authority:
        """A CA of this cluster under another certificate of the same key, subject and serial
        number."""
        root = self.cluster.roots[name]
        wanted = {"basicConstraints": "critical,CA:TRUE",
                  "keyUsage": "critical,digitalSignature,keyCertSign,cRLSign"}
        text = "".join(f"{item} = {value}\n" for item, value in (wanted | extensions).items()
                       if value)
        again = x509_resign(root.certificate, None, root.key, days=days, clear_extensions=True,
                            extfile=text, now=self.cluster.now - ago)
        return Authority(again, root.key, pem.dump_certificate(again))


def stray_authorities(model: Healthy) -> dict[str, Authority]:
    """CAs of the same names with other keys, as another installation of the cluster has them."""
    return {row.name: make_authority(row.profile, make_key("ECDSA-P256"),
                                     validity=timedelta(days=3650), now=model.now)
            for row in Wanted(model.cluster).of_workspace() if row.profile.kind == "ca"}
