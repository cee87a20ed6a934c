"""Trees as they lie on real hosts: nothing is wrong with any of them, and each can go wrong.

The certificates are openssl's, made by the recipes of kubeadm, Kubernetes the Hard Way, kubespray
and CoreOS; the places and flags are theirs.
"""
from __future__ import annotations

import json
import os
import socket
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kpki.kubernetes.causes import CAUSES
from tests.cluster.check.variants import trees
from tests.cluster.check.variants.trees import (
    CURRENT,
    ETCD_SSL,
    KUBELET,
    KUBERNETES,
    PKI,
    SSL,
    Host,
    kubeconfig,
)

CA, CERTIFICATE, KEY = (f"{SSL}/{name}.pem" for name in ("ca", "worker", "worker-key"))
KUBECONFIG = "etc/kubernetes/worker-kubeconfig.yaml"
MANAGER = "etc/kubernetes/manifests/kube-controller-manager.yaml"
USER = f"{KUBECONFIG}#users/kubelet"
Change = Callable[[Host], object]


def nothing(_: Host) -> None:
    """The tree as the recipe leaves it."""


def removed(*paths: str) -> Change:
    return lambda host: host.remove(*paths)


def emptied(path: str) -> Change:
    return lambda host: host.put(path, b"")


def cut(path: str) -> Change:
    return lambda host: host.put(path, host.read(path)[:len(host.read(path)) // 2])


def opened(path: str) -> Change:
    """Readable by everybody."""
    return lambda host: host.path(path).chmod(0o644)


def taken(path: str, *made: str) -> Change:
    return lambda host: host.take(path, *made)


def edited(path: str, old: str, new: str) -> Change:
    return lambda host: host.edit(path, old, new)


def named(name: str) -> Change:
    """The tree is another node's."""
    return lambda host: replace(host, name=name)


def all_of(*changes: Change) -> Change:
    return lambda host: [change(host) for change in changes]


# Healthy changes that are more than a line.


def with_crlf(host: Host) -> None:
    for path in (CA, CERTIFICATE, KEY, KUBECONFIG):
        host.put(path, host.read(path).replace(b"\n", b"\r\n"))


def with_text(host: Host) -> None:
    """`openssl x509 -text` writes the dump before the block, `cat` has put one after it, and bag
    attributes are what `openssl pkcs12` writes."""
    host.take(CERTIFICATE, "worker-text.pem", "text")
    host.take(CA, "text", "ca-text.pem")
    host.put(KEY, b"Bag Attributes\n    localKeyID: 01 02 \nKey Attributes: <No Attributes>\n"
             + host.of("worker-key.pem") + b"-- \nworker-1\n")


def combined(host: Host) -> None:
    """Certificate and key in one file, under both names."""
    host.take(CERTIFICATE, "worker.pem", "worker-key.pem")
    host.link(KEY, "worker.pem")


def linked(host: Host) -> None:
    """The pair elsewhere: an absolute link, which starts at the host's own root, and a relative
    one."""
    host.move(CERTIFICATE, "opt/certs/node.pem")
    host.move(KEY, "opt/certs/node-key.pem")
    host.link(CERTIFICATE, "/opt/certs/node.pem")
    host.link(KEY, "../../../opt/certs/node-key.pem")


def relative(host: Host) -> None:
    host.put(KUBECONFIG, host.read(KUBECONFIG).replace(f"/{SSL}/".encode(), b"ssl/"))


def half_embedded(host: Host) -> None:
    host.put(KUBECONFIG,
             kubeconfig("kubelet", "https://10.0.0.10:6443", f"/{CA}", host.of("worker.pem"),
                        f"/{KEY}", cluster="local", context="kubelet-context"))


def json_kubeconfig(host: Host) -> None:
    host.put(KUBECONFIG, json.dumps(document(host), indent="\t") + "\n")


def document(host: Host) -> dict[str, Any]:
    def embedded(name: str) -> str:
        return b64encode(host.of(name)).decode()
    return {"apiVersion": "v1", "kind": "Config", "current-context": "kubelet-context",
            "clusters": [{"name": "local",
                          "cluster": {"server": "https://10.0.0.10:6443",
                                      "certificate-authority-data": embedded("ca.pem")}}],
            "users": [{"name": "kubelet",
                       "user": {"client-certificate-data": embedded("worker.pem"),
                                "client-key-data": embedded("worker-key.pem")}}],
            "contexts": [{"name": "kubelet-context",
                          "context": {"cluster": "local", "user": "kubelet"}}]}


def several_contexts(host: Host) -> None:
    """A kubelet uses the current context; another one's files are none of its business."""
    host.put(KUBECONFIG, host.read(KUBECONFIG).decode()
             .replace("contexts:\n",
                      "contexts:\n- context:\n    cluster: test\n    user: tester\n  name: test\n")
             .replace("clusters:\n", "clusters:\n- cluster:\n    certificate-authority: "
                      "/home/tester/gone.pem\n    server: https://test.example.com\n  name: test\n")
             .replace("users:\n", "users:\n- name: tester\n  user:\n    client-certificate: "
                      "/home/tester/gone.pem\n    client-key: /home/tester/gone-key.pem\n"))


def annotated(host: Host) -> None:
    """YAML as people write it: a document mark, comments, quotes, flow style."""
    host.put(KUBECONFIG, f"""--- # the kubelet's, do not edit
apiVersion: "v1"
kind: 'Config'
clusters:   # there is one
  - name: "local"
    cluster: {{server: "https://10.0.0.10:6443", certificate-authority: '/{CA}'}}
users:
  - {{name: "system:node:worker-1", user: {{client-certificate: "/{CERTIFICATE}", \
client-key: "/{KEY}"}}}}
contexts: [{{name: "it's \\"this\\"", context: {{cluster: local, user: 'system:node:worker-1'}}}}]
current-context: 'it''s "this"' # 1 of 1
""")


def quoted_user(host: Host) -> None:
    annotated(host)
    host.edit(KUBECONFIG, "client-key: ", "client-kee: ")


def litter(host: Host) -> None:
    """What lies about on hosts: requests, serial files, notes, backups, a running kubelet's own
    files."""
    for folder in (PKI, KUBELET, "etc/kubernetes"):
        for name in ("backup", "expired", "tmp"):
            host.put(f"{folder}/{name}/ca.crt", b"")
            host.put(f"{folder}/{name}/apiserver.crt", host.of("kubelet.crt")[:300])
            host.put(f"{folder}/{name}/apiserver.key", host.of("sa.key"), 0o644)
            host.put(f"{folder}/{name}/admin.conf", "not: [a, kubeconfig", 0o644)
    for name in ("apiserver.csr", "kubelet.csr"):
        host.take(f"{PKI}/{name}", name)
    host.put(f"{PKI}/ca.srl", "7A0F\n")
    host.put(f"{PKI}/README", "made by hand, see -----BEGIN NOTES-----\n")
    host.put(f"{PKI}/openssl.cnf", "[req]\n")
    host.put("etc/kubernetes/manifests/README.md", "# static pods\n")
    pod = f"{KUBELET}/pods/0a1b2c3d-0000-1111-2222-333344445555"
    host.put(f"{pod}/volumes/kubernetes.io~projected/kube-api-access-x/ca.crt",
             b"-----BEGIN CERTIFICATE-----\nAA\n")
    host.put(f"{pod}/volumes/kubernetes.io~projected/kube-api-access-x/token", "x.y.z\n", 0o644)
    host.put(f"{pod}/volumes/kubernetes.io~secret/tls/tls.key", host.of("sa.key"), 0o644)
    host.put(f"{KUBELET}/cpu_manager_state", '{"policyName":"none"}\n')
    host.put(f"{KUBELET}/plugins_registry/README", "")
    for path in (f"{KUBELET}/device-plugins/kubelet.sock", f"{KUBELET}/pod-resources/kubelet.sock"):
        bind(host.path(path))
    os.mkfifo(host.path(f"{KUBELET}/pipe"))


def bind(path: Path) -> None:
    """A socket in the file system; the name is given from its folder, for it may not be long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as endpoint:
            endpoint.bind(path.name)
    finally:
        os.chdir(here)


def embedded_kubelet(host: Host) -> None:
    """kubelet.conf before `kubeadm init` finalizes it."""
    host.put("etc/kubernetes/kubelet.conf",
             kubeconfig("system:node:cp-1", "https://10.0.0.10:6443", host.of("ca.crt"),
                        host.of("kubelet.crt"), host.of("kubelet.key")))
    host.drop(f"{KUBELET}/pki")


def external_etcd(host: Host) -> None:
    """kubeadm with etcd elsewhere: its CA and the API server's pair for it are the user's own
    files."""
    host.drop(f"{PKI}/etcd")
    host.remove("etc/kubernetes/manifests/etcd.yaml")
    host.take(f"{PKI}/etcd/ca.crt", "etcd/ca.crt")
    host.edit("etc/kubernetes/manifests/kube-apiserver.yaml", "https://127.0.0.1:2379",
              "https://10.0.0.51:2379,https://10.0.0.52:2379")


def second(host: Host) -> None:
    """A control-plane host that joined: no super-admin.conf, and the kubelet's is the one of a
    join."""
    host.remove("etc/kubernetes/super-admin.conf")
    host.edit("etc/kubernetes/kubelet.conf", "system:node:cp-1@kubernetes", "default-context")
    host.edit("etc/kubernetes/kubelet.conf", "system:node:cp-1", "default-auth")


def without_keys(host: Host) -> None:
    """kubeadm with an external CA: the controller manager signs nothing
    (phases/controlplane/manifests.go)."""
    host.remove(f"{PKI}/ca.key", f"{PKI}/front-proxy-ca.key", f"{PKI}/etcd/ca.key")
    for half, path in (("cert", "/etc/kubernetes/pki/ca.crt"),
                       ("key", "/etc/kubernetes/pki/ca.key")):
        host.edit(MANAGER, f"cluster-signing-{half}-file={path}", f"cluster-signing-{half}-file=")


def in_rotation(host: Host) -> None:
    """Two CAs in ca.crt, the new one and the one that signed what is there; the key is the new
    one's."""
    host.put(f"{PKI}/ca.crt", host.of("ca.crt") + second_ca(host, "ca.crt"))
    host.put(f"{PKI}/ca.key", second_ca(host, "ca.key"))
    # the controller manager takes one certificate
    host.put(f"{PKI}/ca-signer.crt", second_ca(host, "ca.crt"))
    host.edit(MANAGER, "cluster-signing-cert-file=/etc/kubernetes/pki/ca.crt",
              "cluster-signing-cert-file=/etc/kubernetes/pki/ca-signer.crt")


def second_ca(host: Host, name: str) -> bytes:
    return (host.made / "second" / name).read_bytes()


def own_server_pair(host: Host) -> None:
    """serverTLSBootstrap: the kubelet's serving pair comes by request, into the same store."""
    host.remove(f"{KUBELET}/pki/kubelet.crt", f"{KUBELET}/pki/kubelet.key")
    host.edit(f"{KUBELET}/config.yaml", "rotateCertificates: true\n",
              "rotateCertificates: true\nserverTLSBootstrap: true\n")
    host.take(f"{KUBELET}/pki/kubelet-server-2026-01-02-03-04-05.pem", "kubelet-server.crt",
              "kubelet-server.key")
    host.link(f"{KUBELET}/pki/kubelet-server-current.pem",
              f"/{KUBELET}/pki/kubelet-server-2026-01-02-03-04-05.pem")


def bootstrap(host: Host) -> None:
    """The token's kubeconfig still there."""
    text = kubeconfig("tls-bootstrap-token-user", "https://10.0.0.10:6443", host.of("ca.crt"), "x",
                      "y")
    host.put("etc/kubernetes/bootstrap-kubelet.conf",
             text[:text.index("    client-certificate:")] + "    token: abcdef.0123456789abcdef\n")


def linked_folder(host: Host) -> None:
    """kubespray since it uses kubeadm: the certificates in ssl, pki a link to that."""
    host.move(PKI, SSL)
    host.link(PKI, "/etc/kubernetes/ssl")


def with_extra_kubelet(host: Host) -> None:
    """A kubelet on the host of the API server that has links of an old store about: the newest
    counts."""
    host.link(f"{KUBELET}/pki/kubelet-client-updated.pem", "/nowhere")


@dataclass(frozen=True)
class Variant:
    """A healthy tree, a *change* that keeps it so, and one that does not, with the fault that it
    makes.

    *made* is the recipe, *laid* how it lies on the host *name*.
    """

    id: str
    made: str
    laid: Callable[[Host, Path], None]
    name: str
    change: Change
    spoil: Change
    cause: str
    path: str


def on_cp(id: str, made: str, change: Change, spoil: Change, cause: str, path: str) -> Variant:
    return Variant(id, made, trees.kubeadm_control_plane, "cp-1", change, spoil, cause, path)


def joined(id: str, change: Change, spoil: Change, cause: str, path: str, *,
           made: str = "joined") -> Variant:
    return Variant(id, made, trees.kubeadm_worker, "worker-1", change, spoil, cause, path)


def on_worker(id: str, change: Change, spoil: Change, cause: str, path: str) -> Variant:
    return Variant(id, "worker", trees.worker, "worker-1", change, spoil, cause, path)


VARIANTS = [
    on_cp("kubeadm-rsa", "kubeadm", nothing, taken(f"{PKI}/sa.pub", "apiserver.key"),
          "sa-key-mismatch", f"{PKI}/sa.pub"),
    on_cp("kubeadm-rsa-another-sa", "kubeadm", second, taken(f"{PKI}/sa.key", "kubelet.key"),
          "sa-key-mismatch", f"{PKI}/sa.pub"),
    on_cp("kubeadm-1.28-groups", "kubeadm-1.28", nothing, removed(f"{PKI}/etcd/server.key"),
          "file-missing", f"{PKI}/etcd/server.key"),
    on_cp("kubeadm-p384-10000-days", "kubeadm-p384", nothing, cut(f"{PKI}/front-proxy-client.crt"),
          "bad-pem", f"{PKI}/front-proxy-client.crt"),
    on_cp("kubelet-conf-embedded", "kubeadm-1.28", embedded_kubelet,
          opened("etc/kubernetes/kubelet.conf"), "key-exposed", "etc/kubernetes/kubelet.conf"),
    on_cp("extra-files", "kubeadm-1.28", litter, opened(f"{PKI}/apiserver.key"), "key-exposed",
          f"{PKI}/apiserver.key"),
    on_cp("external-ca", "kubeadm-1.28", without_keys,
          removed(f"{PKI}/ca.crt"), "file-missing", f"{PKI}/ca.crt"),
    on_cp("external-etcd", "kubeadm-1.28",
          external_etcd, removed(f"{PKI}/apiserver-etcd-client.key"), "file-missing",
          f"{PKI}/apiserver-etcd-client.key"),
    on_cp("ca-rotation", "kubeadm-1.28", in_rotation, taken(f"{PKI}/ca.key", "sa.key"),
          "key-cert-mismatch", f"{PKI}/ca.key"),
    on_cp("pki-is-a-link", "kubeadm-1.28", linked_folder,
          taken(f"{SSL}/etcd/peer.key", "etcd/server.key"), "key-cert-mismatch",
          f"{PKI}/etcd/peer.key"),
    Variant("etcd-host", "kubeadm-1.28", trees.etcd_host, "cp-1", nothing,
            taken(f"{PKI}/etcd/peer.key", "etcd/server.key"), "key-cert-mismatch",
            f"{PKI}/etcd/peer.key"),
    joined("joined", nothing, removed(f"{KUBELET}/pki/kubelet-client-2026-01-02-03-04-05.pem"),
           "kubelet-client-current-broken", CURRENT),
    joined("joined-rsa-3072", with_extra_kubelet, taken(f"{PKI}/ca.crt", "kubelet.key"),
           "key-cert-mismatch", f"{PKI}/ca.crt", made="joined-3072"),
    joined("serving-by-request", own_server_pair,
           edited(f"{KUBELET}/config.yaml", "/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/ca.crt"),
           "flags-mismatch", f"{KUBELET}/config.yaml"),
    joined("bootstrap-token", bootstrap, opened("etc/kubernetes/bootstrap-kubelet.conf"),
           "key-exposed", "etc/kubernetes/bootstrap-kubelet.conf"),
    joined("joined-old-pair-beside", nothing,
           taken(f"{KUBELET}/pki/kubelet-client-2026-01-02-03-04-05.pem", "kubelet-old.crt",
                 "kubelet-old.key"), "expired-client-cert", CURRENT),
    Variant("hard-way-server", "hard-way", trees.hard_way_server, "server", nothing,
            taken(f"{KUBERNETES}/service-accounts.key", "admin.key"), "sa-key-mismatch",
            f"{KUBERNETES}/service-accounts.crt"),
    Variant("hard-way-etcd", "hard-way", trees.hard_way_server, "server", nothing,
            removed(f"{KUBERNETES}/kube-api-server.key"), "file-missing",
            f"{KUBERNETES}/kube-api-server.key"),
    Variant("hard-way-node", "hard-way", trees.hard_way_node, "node-0", nothing,
            removed(f"{KUBELET}/kubelet.key"), "file-missing", f"{KUBELET}/kubelet.key"),
    Variant("hard-way-proxy", "hard-way", trees.hard_way_node, "node-0", nothing, edited(
        "var/lib/kube-proxy/kubeconfig", "current-context: default", "current-context: gone"),
            "kubeconfig-broken", "var/lib/kube-proxy/kubeconfig#contexts/gone"),
    Variant("kubespray-master", "kubespray", trees.kubespray_master, "m1", nothing,
            taken(f"{SSL}/apiserver.pem", "ca.pem", "apiserver.pem"), "key-cert-mismatch",
            f"{SSL}/apiserver.pem"),
    Variant("kubespray-etcd", "kubespray", trees.kubespray_master, "m1", nothing,
            removed(f"{ETCD_SSL}/member-m1-key.pem"), "file-missing",
            f"{ETCD_SSL}/member-m1-key.pem"),
    Variant("kubespray-node", "kubespray", trees.kubespray_node, "w1", nothing,
            opened(f"{SSL}/node-w1-key.pem"), "key-exposed", f"{SSL}/node-w1-key.pem"),
    Variant("coreos-worker", "coreos", trees.coreos_worker, "w1.example.com", nothing,
            removed(f"{SSL}/w1.example.com-worker.pem"), "file-missing", CERTIFICATE),
    Variant("coreos-short-name", "coreos", trees.coreos_worker, "w1.example.com", nothing,
            named("w1"), "flags-mismatch", "etc/systemd/system/kubelet.service"),
    Variant("coreos-master", "coreos", trees.coreos_master, "m1.example.com", nothing,
            removed(f"{SSL}/apiserver-key.pem"), "file-missing", f"{SSL}/apiserver-key.pem"),
    on_worker("crlf", with_crlf, cut(CERTIFICATE), "bad-pem", CERTIFICATE),
    on_worker("text-dump", with_text, taken(CERTIFICATE, "text"), "bad-pem", CERTIFICATE),
    on_worker("bundle-old-first", taken(CA, "ca.pem", "new.pem"),
              taken(CERTIFICATE, "by-other.pem"), "unknown-authority", CERTIFICATE),
    on_worker("bundle-new-first", taken(CA, "new.pem", "ca.pem"),
              taken(CERTIFICATE, "by-other.pem"), "unknown-authority", CERTIFICATE),
    on_worker("bundle-signed-by-new",
              all_of(taken(CA, "ca.pem", "new.pem"), taken(CERTIFICATE, "by-new.pem")),
              taken(CERTIFICATE, "past.pem"), "expired-client-cert", CERTIFICATE),
    on_worker("leaf-with-intermediate", taken(CERTIFICATE, "by-middle.pem", "middle.pem"),
              taken(CERTIFICATE, "by-middle.pem"), "unknown-authority", CERTIFICATE),
    on_worker("leaf-with-its-root", taken(CERTIFICATE, "worker.pem", "ca.pem"),
              taken(CERTIFICATE, "ca.pem", "worker.pem"), "key-cert-mismatch", CERTIFICATE),
    on_worker("combined", combined, taken(CERTIFICATE, "worker.pem", "another-key.pem"),
              "key-cert-mismatch", KEY),
    on_worker("pkcs8", taken(KEY, "worker-pkcs8.pem"), taken(KEY, "worker-encrypted.pem"),
              "encrypted-key", KEY),
    on_worker("ec-parameters", taken(KEY, "worker-sec1.pem"), taken(KEY, "another-key.pem"),
              "key-cert-mismatch", KEY),
    on_worker("linked", linked, removed("opt/certs/node-key.pem"), "file-missing", KEY),
    on_worker("relative-paths", relative, edited(KUBECONFIG, "ssl/worker.pem", "pki/worker.pem"),
              "file-missing", "etc/kubernetes/pki/worker.pem"),
    on_worker("half-embedded", half_embedded, edited(KUBECONFIG, "certificate-data: LS0",
                                                     "certificate-data: AS0"), "bad-pem", USER),
    on_worker("json", json_kubeconfig, cut(KUBECONFIG), "kubeconfig-broken", KUBECONFIG),
    on_worker("json-open", json_kubeconfig, opened(KUBECONFIG), "key-exposed", KUBECONFIG),
    on_worker("several-contexts", several_contexts,
              edited(KUBECONFIG, "current-context: kubelet-context", "current-context: production"),
              "kubeconfig-broken", f"{KUBECONFIG}#contexts/production"),
    on_worker("comments-and-quotes", annotated, quoted_user, "kubeconfig-broken",
              f"{KUBECONFIG}#users/system:node:worker-1"),
    on_worker("10000-days", all_of(taken(CA, "ca-long.pem"), taken(CERTIFICATE, "long.pem")),
              taken(CERTIFICATE, "worker.der"), "bad-pem", CERTIFICATE),
    on_worker("another-node", nothing, named("worker-2"), "wrong-node-identity", CERTIFICATE),
]


@pytest.fixture(params=VARIANTS, ids=lambda variant: variant.id)
def variant(request: pytest.FixtureRequest) -> Variant:
    chosen: Variant = request.param
    return chosen


@pytest.fixture
def host(variant: Variant, made: Callable[[str], Path], tmp_path: Path) -> Host:
    """The variant's tree."""
    root = Host(tmp_path / "root", variant.name, made(variant.made))
    variant.laid(root, made("serving"))
    variant.change(root)
    return root


def test_nothing_is_wrong_with_a_healthy_tree(host: Host, check: Callable[..., Any]) -> None:
    """`kpki check ROOT --node NAME` gives no error, exit 0, whatever it warns of."""
    answer = check(host.root, "--node", host.name)
    assert answer.errors == [] and answer.status == 0, answer.told


def test_its_one_fault_is_named(variant: Variant, host: Host, check: Callable[..., Any]) -> None:
    """With one thing spoilt, exactly that cause at that path, exit 1."""
    spoilt = variant.spoil(host)
    answer = check(host.root, "--node", spoilt.name if isinstance(spoilt, Host) else host.name)
    assert answer.errors == [(variant.cause, variant.path)] and answer.status == 1, answer.told


def test_the_table_is_sound() -> None:
    """Twenty trees at least, each by a name of its own; the faults are of the vocabulary, and of
    many kinds."""
    assert len({variant.id for variant in VARIANTS}) == len(VARIANTS) >= 20
    causes = {variant.cause for variant in VARIANTS}
    assert causes <= {*CAUSES} and len(causes) >= 12
