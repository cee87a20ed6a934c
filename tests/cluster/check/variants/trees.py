"""Hosts' trees laid out of what a recipe made, as installers and guides lay them out, and what
tests change in them."""
from __future__ import annotations

import os
import shutil
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PKI, SSL, KUBERNETES, KUBELET, ETCD_SSL = ("etc/kubernetes/pki", "etc/kubernetes/ssl",
                                           "var/lib/kubernetes", "var/lib/kubelet",
                                           "etc/ssl/etcd/ssl")
CURRENT = f"{KUBELET}/pki/kubelet-client-current.pem"
_ISSUED = "kubelet-client-2026-01-02-03-04-05.pem"


@dataclass(frozen=True)
class Host:
    """A host's tree under *root*, its node's *name*, and the folder of what a recipe *made*."""

    root: Path
    name: str
    made: Path

    def path(self, path: str) -> Path:
        return self.root / path

    def read(self, path: str) -> bytes:
        return self.path(path).read_bytes()

    def of(self, *made: str) -> bytes:
        """Files of the recipe, one after the other."""
        return b"".join((self.made / item).read_bytes() for item in made)

    def put(self, path: str, data: bytes | str, mode: int | None = None) -> None:
        """Write a file anew; what holds a key is 0600, all else 0644."""
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_bytes(data.encode() if isinstance(data, str) else data)
        secret = any(word in place.read_bytes()
                     for word in (b"PRIVATE KEY", b"client-key-data", b"token: "))
        place.chmod(mode or (0o600 if secret else 0o644))

    def take(self, path: str, *made: str) -> None:
        """Write files of the recipe there."""
        self.put(path, self.of(*made))

    def link(self, path: str, target: str) -> None:
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)

    def remove(self, *paths: str) -> None:
        for path in paths:
            self.path(path).unlink()

    def edit(self, path: str, old: str, new: str) -> None:
        text = self.read(path).decode()
        assert old in text, f"{path}: {text}"
        self.put(path, text.replace(old, new))

    def move(self, path: str, target: str) -> None:
        self.path(target).parent.mkdir(parents=True, exist_ok=True)
        os.rename(self.path(path), self.path(target))

    def drop(self, path: str) -> None:
        """Remove a folder."""
        shutil.rmtree(self.path(path))


def kubeconfig(user: str, server: str, ca: bytes | str, certificate: bytes | str, key: bytes | str,
               *, cluster: str = "kubernetes", context: str | None = None) -> str:
    """A kubeconfig as `kubectl config` writes one: bytes are embedded, a text is a path."""
    context = context or f"{user}@{cluster}"

    def given(name: str, value: bytes | str) -> str:
        return (f"{name}: {value}" if isinstance(value, str)
                else f"{name}-data: {b64encode(value).decode()}")
    return f"""apiVersion: v1
clusters:
- cluster:
    {given("certificate-authority", ca)}
    server: {server}
  name: {cluster}
contexts:
- context:
    cluster: {cluster}
    user: {user}
  name: {context}
current-context: {context}
kind: Config
preferences: {{}}
users:
- name: {user}
  user:
    {given("client-certificate", certificate)}
    {given("client-key", key)}
"""


def manifest(component: str, flags: Mapping[str, str]) -> str:
    """A static pod's manifest, its flags as kubeadm writes them."""
    lines = "".join(f"    - --{name}={value}\n" for name, value in flags.items())
    return f"""apiVersion: v1
kind: Pod
metadata:
  labels:
    component: {component}
    tier: control-plane
  name: {component}
  namespace: kube-system
spec:
  containers:
  - command:
    - {component}
{lines}    image: example.test/{component}:v1.34.4
    name: {component}
    volumeMounts:
    - mountPath: /etc/kubernetes/pki
      name: k8s-certs
      readOnly: true
  hostNetwork: true
"""


_CONFIGURATION = """apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  webhook:
    cacheTTL: 0s
    enabled: true
  x509:
    clientCAFile: {}
authorization:
  mode: Webhook
kind: KubeletConfiguration
"""
_DROP_IN = """[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig={0}/bootstrap-kubelet.conf \
--kubeconfig={0}/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
# written by kubeadm init and kubeadm join
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS \
$KUBELET_EXTRA_ARGS
"""


def kubeadm_kubelet(host: Host, serving: Path | None, *, server: str, finalized: bool) -> None:
    """What `kubeadm join` leaves of a kubelet, or `init` with *finalized*: links, kubelet.conf,
    configuration, and with *serving* the pair that it made for itself."""
    user, context = ((f"system:node:{host.name}", None) if finalized
                     else ("default-auth", "default-context"))
    host.put("etc/kubernetes/kubelet.conf", kubeconfig(
        user, server, host.of("ca.crt"), f"/{CURRENT}", f"/{CURRENT}", context=context,
        cluster="kubernetes" if finalized else "default-cluster"))
    host.take(f"{KUBELET}/pki/{_ISSUED}", "kubelet.crt", "kubelet.key")
    host.link(CURRENT, f"/{KUBELET}/pki/{_ISSUED}")
    if serving is not None:
        for ending in ("crt", "key"):
            host.put(f"{KUBELET}/pki/kubelet.{ending}",
                     (serving / f"serving.{ending}").read_bytes())
    host.put(f"{KUBELET}/config.yaml", _CONFIGURATION.format("/etc/kubernetes/pki/ca.crt")
             + "rotateCertificates: true\nstaticPodPath: /etc/kubernetes/manifests\n")
    host.put(f"{KUBELET}/kubeadm-flags.env",
             'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///var/run/containerd/'
             'containerd.sock"\n')
    host.put("usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
             _DROP_IN.format("/etc/kubernetes"))
    host.put("usr/lib/systemd/system/kubelet.service",
             "[Service]\nExecStart=/usr/bin/kubelet\nRestart=always\n")


def kubeadm_worker(host: Host, serving: Path) -> None:
    """A worker that joined: no CA key, a client certificate of its own store, an old one beside
    it."""
    host.take(f"{PKI}/ca.crt", "ca.crt")
    kubeadm_kubelet(host, serving, server="https://10.0.0.10:6443", finalized=False)
    host.take(f"{KUBELET}/pki/kubelet-client-2025-01-02-03-04-05.pem", "kubelet-old.crt",
              "kubelet-old.key")


def kubeadm_control_plane(host: Host, serving: Path, address: str = "10.0.0.10") -> None:
    """What `kubeadm init` of 1.29 and later leaves, with etcd on the host."""
    server = f"https://{address}:6443"
    for stem in ("ca", "front-proxy-ca", "etcd/ca", "apiserver", "apiserver-kubelet-client",
                 "front-proxy-client", "apiserver-etcd-client", "etcd/server", "etcd/peer",
                 "etcd/healthcheck-client"):
        for ending in ("crt", "key"):
            host.take(f"{PKI}/{stem}.{ending}", f"{stem}.{ending}")
    host.take(f"{PKI}/sa.key", "sa.key")
    host.put(f"{PKI}/sa.pub", host.of("sa.pub"), 0o600)
    for stem, user in (("admin", "kubernetes-admin"), ("super-admin", "kubernetes-super-admin"),
                       ("controller-manager", "system:kube-controller-manager"),
                       ("scheduler", "system:kube-scheduler")):
        host.put(f"etc/kubernetes/{stem}.conf", kubeconfig(
            user, server, host.of("ca.crt"), host.of(f"{stem}.crt"), host.of(f"{stem}.key")))
    kubeadm_kubelet(host, serving, server=server, finalized=True)
    pki, conf = "/etc/kubernetes/pki", "/etc/kubernetes"
    host.put("etc/kubernetes/manifests/kube-apiserver.yaml", manifest("kube-apiserver", {
        "advertise-address": address, "authorization-mode": "Node,RBAC",
        "client-ca-file": f"{pki}/ca.crt", "etcd-cafile": f"{pki}/etcd/ca.crt", "etcd-certfile":
            f"{pki}/apiserver-etcd-client.crt", "etcd-keyfile": f"{pki}/apiserver-etcd-client.key",
        "etcd-servers": "https://127.0.0.1:2379",
        "kubelet-client-certificate": f"{pki}/apiserver-kubelet-client.crt",
        "kubelet-client-key": f"{pki}/apiserver-kubelet-client.key",
        "proxy-client-cert-file": f"{pki}/front-proxy-client.crt", "proxy-client-key-file":
            f"{pki}/front-proxy-client.key", "requestheader-allowed-names": "front-proxy-client",
        "requestheader-client-ca-file": f"{pki}/front-proxy-ca.crt", "secure-port": "6443",
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": f"{pki}/sa.pub", "service-account-signing-key-file":
            f"{pki}/sa.key", "service-cluster-ip-range": "10.96.0.0/12",
        "tls-cert-file": f"{pki}/apiserver.crt", "tls-private-key-file": f"{pki}/apiserver.key"}))
    host.put("etc/kubernetes/manifests/kube-controller-manager.yaml",
             manifest("kube-controller-manager", {
                 "authentication-kubeconfig": f"{conf}/controller-manager.conf",
                 "client-ca-file": f"{pki}/ca.crt", "cluster-signing-cert-file": f"{pki}/ca.crt",
                 "cluster-signing-key-file": f"{pki}/ca.key",
                 "kubeconfig": f"{conf}/controller-manager.conf", "root-ca-file": f"{pki}/ca.crt",
                 "requestheader-client-ca-file": f"{pki}/front-proxy-ca.crt",
                 "service-account-private-key-file": f"{pki}/sa.key"}))
    host.put("etc/kubernetes/manifests/kube-scheduler.yaml", manifest("kube-scheduler", {
        "authentication-kubeconfig": f"{conf}/scheduler.conf",
        "kubeconfig": f"{conf}/scheduler.conf"}))
    host.put("etc/kubernetes/manifests/etcd.yaml", etcd_manifest(address))


def etcd_manifest(address: str) -> str:
    """kubeadm's manifest of a member of etcd."""
    pki = "/etc/kubernetes/pki/etcd"
    return manifest("etcd", {
        "advertise-client-urls": f"https://{address}:2379", "cert-file": f"{pki}/server.crt",
        "client-cert-auth": "true", "key-file": f"{pki}/server.key",
        "listen-client-urls": f"https://127.0.0.1:2379,https://{address}:2379",
        "listen-peer-urls": f"https://{address}:2380", "peer-cert-file": f"{pki}/peer.crt",
        "peer-client-cert-auth": "true", "peer-key-file": f"{pki}/peer.key",
        "peer-trusted-ca-file": f"{pki}/ca.crt", "trusted-ca-file": f"{pki}/ca.crt"})


def etcd_host(host: Host, _: Path, address: str = "10.0.0.10") -> None:
    """kubeadm's etcd host of its own: its kubelet knows no API server, and there is no other CA."""
    for stem in ("server", "peer", "healthcheck-client"):
        for ending in ("crt", "key"):
            host.take(f"{PKI}/etcd/{stem}.{ending}", f"etcd/{stem}.{ending}")
    host.take(f"{PKI}/etcd/ca.crt", "etcd/ca.crt")
    host.put("etc/kubernetes/manifests/etcd.yaml", etcd_manifest(address))


def hard_way_server(host: Host, _: Path) -> None:
    """The tutorial's server, docs/04 to 08: its API server's pair in two places, and no kubelet."""
    for name in ("ca", "kube-api-server", "service-accounts"):
        for ending in ("crt", "key"):
            host.take(f"{KUBERNETES}/{name}.{ending}", f"{name}.{ending}")
    for name in ("kube-controller-manager", "kube-scheduler"):
        host.put(f"{KUBERNETES}/{name}.kubeconfig",
                 _hard_way_kubeconfig(host, name, f"system:{name}"))
    for name in ("ca.crt", "kube-api-server.crt", "kube-api-server.key"):
        host.take(f"etc/etcd/{name}", name)
    host.put(f"{KUBERNETES}/encryption-config.yaml",
             "kind: EncryptionConfiguration\nresources: []\n")
    host.put("etc/systemd/system/etcd.service", "[Service]\nType=notify\nExecStart=/usr/local/bin/"
             "etcd \\\n  --name controller \\\n  --listen-peer-urls http://127.0.0.1:2380 \\\n"
             "  --listen-client-urls http://127.0.0.1:2379 \\\n  --data-dir=/var/lib/etcd\n")
    host.put("etc/systemd/system/kube-apiserver.service",
             "[Service]\nExecStart=/usr/local/bin/kube-apiserver \\\n"
             + "".join(f"  --{flag} \\\n" for flag in (
                 "allow-privileged=true", "authorization-mode=Node,RBAC",
                 "client-ca-file=/var/lib/kubernetes/ca.crt",
                 "etcd-servers=http://127.0.0.1:2379",
                 "kubelet-certificate-authority=/var/lib/kubernetes/ca.crt",
                 "kubelet-client-certificate=/var/lib/kubernetes/kube-api-server.crt",
                 "kubelet-client-key=/var/lib/kubernetes/kube-api-server.key",
                 "service-account-key-file=/var/lib/kubernetes/service-accounts.crt",
                 "service-account-signing-key-file=/var/lib/kubernetes/service-accounts.key",
                 "service-account-issuer=https://server.kubernetes.local:6443",
                 "tls-cert-file=/var/lib/kubernetes/kube-api-server.crt",
                 "tls-private-key-file=/var/lib/kubernetes/kube-api-server.key"))
             + "  --v=2\nRestart=on-failure\n")


def hard_way_node(host: Host, _: Path) -> None:
    """The tutorial's worker, docs/04, 05 and 09."""
    host.take(f"{KUBELET}/ca.crt", "ca.crt")
    host.take(f"{KUBELET}/kubelet.crt", f"{host.name}.crt")
    host.take(f"{KUBELET}/kubelet.key", f"{host.name}.key")
    host.put(f"{KUBELET}/kubeconfig",
             _hard_way_kubeconfig(host, host.name, f"system:node:{host.name}"))
    host.put("var/lib/kube-proxy/kubeconfig",
             _hard_way_kubeconfig(host, "kube-proxy", "system:kube-proxy"))
    host.put("var/lib/kube-proxy/kube-proxy-config.yaml",
             "kind: KubeProxyConfiguration\napiVersion: kubeproxy.config.k8s.io/v1alpha1\n"
             "clientConnection:\n  kubeconfig: /var/lib/kube-proxy/kubeconfig\n")
    host.put(f"{KUBELET}/kubelet-config.yaml", _CONFIGURATION.format("/var/lib/kubelet/ca.crt")
             + "tlsCertFile: /var/lib/kubelet/kubelet.crt\n"
             "tlsPrivateKeyFile: /var/lib/kubelet/kubelet.key\n")
    host.put("etc/systemd/system/kubelet.service", "[Service]\nExecStart=/usr/local/bin/kubelet "
             "\\\n  --config=/var/lib/kubelet/kubelet-config.yaml \\\n"
             "  --kubeconfig=/var/lib/kubelet/kubeconfig \\\n  --v=2\nRestart=on-failure\n")


def _hard_way_kubeconfig(host: Host, stem: str, user: str) -> str:
    return kubeconfig(user, "https://server.kubernetes.local:6443", host.of("ca.crt"),
                      host.of(f"{stem}.crt"), host.of(f"{stem}.key"),
                      cluster="kubernetes-the-hard-way", context="default")


def kubespray_node(host: Host, _: Path) -> None:
    """kubespray's worker, from before it used kubeadm: pairs named after the host, kubeconfigs by
    path, and etcd's client pair for the network's own use."""
    host.take(f"{SSL}/ca.pem", "ca.pem")
    for stem, user, name in (("node", "kubelet", f"node-{host.name}"),
                             ("kube-proxy", "kube-proxy", f"kube-proxy-{host.name}")):
        _kubespray_user(host, stem, user, name)
    for name in ("ca.pem", f"node-{host.name}.pem", f"node-{host.name}-key.pem"):
        host.take(f"{ETCD_SSL}/{name}", f"etcd/{name}")
    pair = f"/{SSL}/node-{host.name}"
    host.put("etc/kubernetes/kubelet.env", f'KUBELET_ARGS="--client-ca-file=/{SSL}/ca.pem '
             f'--tls-cert-file={pair}.pem --tls-private-key-file={pair}-key.pem '
             '--anonymous-auth=false --kubeconfig=/etc/kubernetes/node-kubeconfig.yaml"\n')
    host.put("etc/systemd/system/kubelet.service", "[Service]\n"
             "EnvironmentFile=-/etc/kubernetes/kubelet.env\nExecStart=/usr/local/bin/kubelet \\\n"
             "\t\t$KUBELET_HOSTNAME \\\n\t\t$KUBELET_ARGS\nRestart=always\n")


def _kubespray_user(host: Host, stem: str, user: str, name: str) -> None:
    for ending in (".pem", "-key.pem"):
        host.take(f"{SSL}/{name}{ending}", f"{name}{ending}")
    host.put(f"etc/kubernetes/{stem}-kubeconfig.yaml", kubeconfig(
        user, "https://localhost:6443", f"/{SSL}/ca.pem", f"/{SSL}/{name}.pem",
        f"/{SSL}/{name}-key.pem", cluster="local", context=f"{user}-cluster.local"))


def kubespray_master(host: Host, serving: Path) -> None:
    """kubespray's master, a member of etcd too: the CA's own keys, and the API server's chain with
    the CA in it."""
    kubespray_node(host, serving)
    for name in ("ca-key", "apiserver", "apiserver-key", "front-proxy-ca", "front-proxy-ca-key",
                 "front-proxy-client", "front-proxy-client-key", "service-account-key",
                 f"admin-{host.name}", f"admin-{host.name}-key"):
        host.take(f"{SSL}/{name}.pem", f"{name}.pem")
    for name in ("kube-controller-manager", "kube-scheduler"):
        _kubespray_user(host, name, name, name)
    for name in ("ca-key.pem", *(f"{stem}-{host.name}{ending}" for stem in ("member", "admin")
                                 for ending in (".pem", "-key.pem"))):
        host.take(f"{ETCD_SSL}/{name}", f"etcd/{name}")
    etcd = f"/{ETCD_SSL}/node-{host.name}"
    host.put("etc/kubernetes/manifests/kube-apiserver.manifest", manifest("kube-apiserver", {
        "advertise-address": "10.0.0.31", "client-ca-file": f"/{SSL}/ca.pem",
        "etcd-cafile": f"/{ETCD_SSL}/ca.pem", "etcd-certfile": f"{etcd}.pem",
        "etcd-keyfile": f"{etcd}-key.pem", "etcd-servers": "https://10.0.0.31:2379",
        "tls-cert-file": f"/{SSL}/apiserver.pem",
        "tls-private-key-file": f"/{SSL}/apiserver-key.pem",
        "kubelet-client-certificate": f"/{SSL}/node-{host.name}.pem",
        "kubelet-client-key": f"/{SSL}/node-{host.name}-key.pem",
        "service-account-key-file": f"/{SSL}/service-account-key.pem"}))
    host.put("etc/etcd.env", f"ETCD_NAME=etcd1\nETCD_CERT_FILE=/{ETCD_SSL}/member-{host.name}.pem\n"
             f"ETCD_KEY_FILE=/{ETCD_SSL}/member-{host.name}-key.pem\nETCD_TRUSTED_CA_FILE=/"
             f"{ETCD_SSL}/ca.pem\nETCD_PEER_CERT_FILE=/{ETCD_SSL}/member-{host.name}.pem\n")


def coreos_worker(host: Host, _: Path) -> None:
    """CoreOS's worker: its pair carries the host's name, and links give it the name that every unit
    has."""
    host.take(f"{SSL}/ca.pem", "ca.pem")
    for ending in (".pem", "-key.pem"):
        host.take(f"{SSL}/{host.name}-worker{ending}", f"{host.name}-worker{ending}")
        host.link(f"{SSL}/worker{ending}", f"{host.name}-worker{ending}")
    host.put("etc/kubernetes/worker-kubeconfig.yaml", worker_kubeconfig("https://10.0.0.40"))
    host.put("etc/systemd/system/kubelet.service", "[Service]\nEnvironment=KUBELET_VERSION=v1.7.9\n"
             "ExecStart=/usr/lib/coreos/kubelet-wrapper \\\n  --kubeconfig=/etc/kubernetes/worker-"
             f"kubeconfig.yaml \\\n  --tls-cert-file=/{SSL}/worker.pem \\\n  --tls-private-key-"
             f"file=/{SSL}/worker-key.pem \\\n  --hostname-override={host.name}\nRestart=always\n")


def coreos_master(host: Host, serving: Path) -> None:
    """CoreOS's master: the API server's own key signs the service accounts' tokens, etcd speaks
    plain http."""
    coreos_worker(host, serving)
    for name in ("apiserver", "apiserver-key", "ca-key", "admin", "admin-key"):
        host.take(f"{SSL}/{name}.pem", f"{name}.pem")
    host.put("etc/kubernetes/manifests/kube-apiserver.yaml", manifest("kube-apiserver", {
        "etcd-servers": "http://127.0.0.1:2379", "advertise-address": "10.0.0.40",
        "secure-port": "443", "tls-cert-file": f"/{SSL}/apiserver.pem",
        "tls-private-key-file": f"/{SSL}/apiserver-key.pem", "client-ca-file": f"/{SSL}/ca.pem",
        "service-account-key-file": f"/{SSL}/apiserver-key.pem"}))


def worker_kubeconfig(server: str) -> str:
    """The kubeconfig of a CoreOS worker, by path."""
    return kubeconfig("kubelet", server, f"/{SSL}/ca.pem", f"/{SSL}/worker.pem",
                      f"/{SSL}/worker-key.pem", cluster="local", context="kubelet-context")


def worker(host: Host, _: Path) -> None:
    """The smallest healthy tree: a worker's CA, pair and kubeconfig in the CoreOS places, on
    P-256."""
    for name in ("ca", "worker", "worker-key"):
        host.take(f"{SSL}/{name}.pem", f"{name}.pem")
    host.put("etc/kubernetes/worker-kubeconfig.yaml", worker_kubeconfig("https://10.0.0.10:6443"))
