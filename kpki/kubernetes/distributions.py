"""Tables of distributions: the flags of components that no file of the host states.

Some programs start the components as their children, with flags of their own. Packages bring units
that a copied tree may lack, although the files that only the unit names are in the tree. Each row
gives a unit with the same effect.
Sources: k3s pkg/daemons/control/deps/deps.go, pkg/agent/config/config.go; rke2
pkg/executor/staticpod; k0s pkg/component; rke cluster/plan.go; talos
internal/app/machined/pkg/controllers/k8s; kubernetes/release cmd/krel/templates/latest; kubespray
roles/{etcd,kubernetes/node}/templates.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Standard(NamedTuple):
    """A unit that counts if all marks exist and no other file starts the component."""

    component: str
    marks: tuple[str, ...]
    """Paths of files that are never missing; a path with wildcards must match one file alone."""
    unit: str
    """The text of the unit; `{stem}` is the matched file without `-key.pem`."""


def _unit(command: str, *lines: str) -> str:
    return "\n".join(("[Service]", *lines, f"ExecStart=/usr/bin/{command}"))


_KUBEADM = _unit(
    "kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf "
    "--kubeconfig=/etc/kubernetes/kubelet.conf "
    "--config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS",
    "EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env", "EnvironmentFile=-/etc/default/kubelet",
    "EnvironmentFile=-/etc/sysconfig/kubelet")
_TALOS, _RKE = "system/secrets/etcd", "etc/kubernetes/ssl/kube"


def _etcd(server: str, peer: str, key: str, authority: str) -> str:
    """The unit of an etcd with two pairs; *key* is the ending of the keys' names."""
    return _unit(" ".join((
        "etcd --client-cert-auth --peer-client-cert-auth",
        f"--cert-file=/{server} --key-file=/{server.rpartition('.')[0]}{key} "
        f"--trusted-ca-file=/{authority}",
        f"--peer-cert-file=/{peer} --peer-key-file=/{peer.rpartition('.')[0]}{key}",
        f"--peer-trusted-ca-file=/{authority}")))


STANDARDS = (
    Standard(component="kubelet", marks=("etc/kubernetes/kubelet.env",), unit=_unit(
        "kubelet $KUBE_LOGTOSTDERR $KUBE_LOG_LEVEL $KUBELET_API_SERVER $KUBELET_ADDRESS "
        "$KUBELET_PORT "
        "$KUBELET_HOSTNAME $KUBELET_ARGS $DOCKER_SOCKET $KUBELET_NETWORK_PLUGIN "
        "$KUBELET_VOLUME_PLUGIN "
        "$KUBELET_CLOUDPROVIDER", "EnvironmentFile=-/etc/kubernetes/kubelet.env")),
    Standard(component="kubelet", marks=("var/lib/kubelet/kubeadm-flags.env",), unit=_KUBEADM),
    Standard(component="kubelet",
             marks=("var/lib/kubelet/config.yaml", "etc/kubernetes/kubelet.conf"), unit=_KUBEADM),
    Standard(component="kubelet", marks=("var/lib/kubelet/kubelet-config.yaml",
                                         "var/lib/kubelet/kubeconfig"),
             unit=_unit("kubelet --config=/var/lib/kubelet/kubelet-config.yaml "
                        "--kubeconfig=/var/lib/kubelet/kubeconfig")),
    Standard(component="kubelet",
             marks=("etc/kubernetes/kubelet.yaml", "etc/kubernetes/kubeconfig-kubelet"),
             unit=_unit(
                 "kubelet --config=/etc/kubernetes/kubelet.yaml --cert-dir=/var/lib/kubelet/pki "
                        "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubeconfig "
                        "--kubeconfig=/etc/kubernetes/kubeconfig-kubelet")),
    Standard(component="kubelet", marks=(f"{_RKE}cfg-kube-proxy.yaml",), unit=_unit(
        f"kubelet --kubeconfig=/{_RKE}cfg-kube-node.yaml --client-ca-file=/{_RKE}-ca.pem")),
    Standard(component="kube-proxy", marks=(f"{_RKE}cfg-kube-node.yaml",), unit=_unit(
        f"kube-proxy --kubeconfig=/{_RKE}cfg-kube-proxy.yaml")),
    Standard(component="kube-apiserver", marks=(f"{_RKE}cfg-kube-scheduler.yaml",),
             unit=_unit(" ".join((
        f"kube-apiserver --client-ca-file=/{_RKE}-ca.pem --authorization-mode=Node,RBAC",
        f"--tls-cert-file=/{_RKE}-apiserver.pem --tls-private-key-file=/{_RKE}-apiserver-key.pem",
        f"--kubelet-client-certificate=/{_RKE}-apiserver.pem "
        f"--kubelet-client-key=/{_RKE}-apiserver-key.pem",
        f"--requestheader-client-ca-file=/{_RKE}-apiserver-requestheader-ca.pem",
        "--requestheader-allowed-names=kube-apiserver-proxy-client",
        f"--proxy-client-cert-file=/{_RKE}-apiserver-proxy-client.pem",
        f"--proxy-client-key-file=/{_RKE}-apiserver-proxy-client-key.pem",
        f"--service-account-key-file=/{_RKE}-service-account-token-key.pem",
        f"--service-account-signing-key-file=/{_RKE}-service-account-token-key.pem")))),
    Standard(component="kube-controller-manager", marks=(f"{_RKE}-apiserver.pem",), unit=_unit(
        f"kube-controller-manager --kubeconfig=/{_RKE}cfg-kube-controller-manager.yaml "
        f"--root-ca-file=/{_RKE}-ca.pem "
        f"--service-account-private-key-file=/{_RKE}-service-account-token-key.pem")),
    Standard(component="kube-scheduler", marks=(f"{_RKE}-apiserver.pem",), unit=_unit(
        f"kube-scheduler --kubeconfig=/{_RKE}cfg-kube-scheduler.yaml")),
    Standard(component="etcd", marks=(f"{_RKE}-etcd-*-key.pem",), unit=_etcd(
        "{stem}.pem", "{stem}.pem", "-key.pem", f"{_RKE}-ca.pem")),
    Standard(component="etcd", marks=(f"{_TALOS}/ca.crt",), unit=_etcd(
        f"{_TALOS}/server.crt", f"{_TALOS}/peer.crt", ".key", f"{_TALOS}/ca.crt")),
    Standard(component="kube-proxy", marks=("var/lib/kube-proxy/kube-proxy-config.yaml",),
             unit=_unit(
        "kube-proxy --config=/var/lib/kube-proxy/kube-proxy-config.yaml")),
    Standard(component="etcd", marks=("etc/etcd.env",),
             unit=_unit("etcd", "EnvironmentFile=/etc/etcd.env")),
    Standard(component="etcd", marks=("etc/etcd/etcd.env",),
             unit=_unit("etcd", "EnvironmentFile=/etc/etcd/etcd.env")),
)

_K3S_AGENT = (
    "kubelet --kubeconfig={data}/agent/kubelet.kubeconfig "
    "--config-dir={data}/agent/etc/kubelet.conf.d "
    "--client-ca-file={data}/agent/client-ca.crt --tls-cert-file={data}/agent/serving-kubelet.crt "
    "--tls-private-key-file={data}/agent/serving-kubelet.key",
    "kube-proxy --kubeconfig={data}/agent/kubeproxy.kubeconfig")
_K3S_SERVER = (
    "kube-apiserver --client-ca-file={data}/server/tls/client-ca.crt "
    "--authorization-mode=Node,RBAC "
    "--tls-cert-file={data}/server/tls/serving-kube-apiserver.crt "
    "--tls-private-key-file={data}/server/tls/serving-kube-apiserver.key "
    "--kubelet-certificate-authority={data}/server/tls/server-ca.crt "
    "--kubelet-client-certificate={data}/server/tls/client-kube-apiserver.crt "
    "--kubelet-client-key={data}/server/tls/client-kube-apiserver.key "
    "--etcd-cafile={data}/server/tls/etcd/server-ca.crt "
    "--etcd-certfile={data}/server/tls/etcd/client.crt "
    "--etcd-keyfile={data}/server/tls/etcd/client.key "
    "--requestheader-client-ca-file={data}/server/tls/request-header-ca.crt "
    "--requestheader-allowed-names=system:auth-proxy "
    "--proxy-client-cert-file={data}/server/tls/client-auth-proxy.crt "
    "--proxy-client-key-file={data}/server/tls/client-auth-proxy.key "
    "--service-account-key-file={data}/server/tls/service.key "
    "--service-account-signing-key-file={data}/server/tls/service.current.key",
    "kube-controller-manager --kubeconfig={data}/server/cred/controller.kubeconfig "
    "--root-ca-file={data}/server/tls/server-ca.crt "
    "--service-account-private-key-file={data}/server/tls/service.current.key "
    + " ".join(f"--cluster-signing-{signer}-cert-file={{data}}/server/tls/{ca}-ca.nochain.crt "
               f"--cluster-signing-{signer}-key-file={{data}}/server/tls/{ca}-ca.key"
               for signer, ca in (("kubelet-serving", "server"), ("kubelet-client", "client"),
                                  ("kube-apiserver-client", "client"),
                                  ("legacy-unknown", "client"))),
    "kube-scheduler --kubeconfig={data}/server/cred/scheduler.kubeconfig",
    "etcd --config-file={data}/server/db/etcd/config")
_K0S_WORKER = (
    "kubelet --kubeconfig={data}/kubelet.conf --cert-dir={data}/kubelet/pki "
    "--bootstrap-kubeconfig={data}/kubelet-bootstrap.conf --rotate-certificates "
    "--rotate-server-certificates "
    "--config=/run/k0s/kubelet/config.yaml",)
_K0S_CONTROLLER = (
    "kube-apiserver --client-ca-file={data}/pki/ca.crt --authorization-mode=Node,RBAC "
    "--tls-cert-file={data}/pki/server.crt --tls-private-key-file={data}/pki/server.key "
    "--kubelet-client-certificate={data}/pki/apiserver-kubelet-client.crt "
    "--kubelet-client-key={data}/pki/apiserver-kubelet-client.key "
    "--kubelet-certificate-authority={data}/pki/ca.crt --etcd-cafile={data}/pki/etcd/ca.crt "
    "--etcd-certfile={data}/pki/apiserver-etcd-client.crt "
    "--etcd-keyfile={data}/pki/apiserver-etcd-client.key "
    "--requestheader-client-ca-file={data}/pki/front-proxy-ca.crt "
    "--requestheader-allowed-names=front-proxy-client "
    "--proxy-client-cert-file={data}/pki/front-proxy-client.crt "
    "--proxy-client-key-file={data}/pki/front-proxy-client.key "
    "--service-account-key-file={data}/pki/sa.pub "
    "--service-account-signing-key-file={data}/pki/sa.key",
    "kube-controller-manager --kubeconfig={data}/pki/ccm.conf --client-ca-file={data}/pki/ca.crt "
    "--root-ca-file={data}/pki/ca.crt --cluster-signing-cert-file={data}/pki/ca.crt "
    "--cluster-signing-key-file={data}/pki/ca.key "
    "--service-account-private-key-file={data}/pki/sa.key "
    "--requestheader-client-ca-file={data}/pki/front-proxy-ca.crt",
    "kube-scheduler --kubeconfig={data}/pki/scheduler.conf",
    "konnectivity-server --kubeconfig={data}/pki/konnectivity.conf",
    "etcd --listen-client-urls=https://127.0.0.1:2379 --cert-file={data}/pki/etcd/server.crt "
    "--key-file={data}/pki/etcd/server.key --trusted-ca-file={data}/pki/etcd/ca.crt "
    "--peer-cert-file={data}/pki/etcd/peer.crt --peer-key-file={data}/pki/etcd/peer.key "
    "--peer-trusted-ca-file={data}/pki/etcd/ca.crt --peer-client-cert-auth --client-cert-auth")

# Program and its first argument → the data folder and the command lines of the program's children.
# A child whose files are all absent does not run: etcd beside another datastore, an API server on
# an agent.
CHILDREN: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("k3s", "agent"): ("/var/lib/rancher/k3s", _K3S_AGENT),
    ("k3s", "server"): ("/var/lib/rancher/k3s", (*_K3S_SERVER, *_K3S_AGENT)),
    ("rke2", "agent"): ("/var/lib/rancher/rke2", _K3S_AGENT[:1]),
    ("rke2", "server"): ("/var/lib/rancher/rke2", _K3S_AGENT[:1]),
    ("k0s", "worker"): ("/var/lib/k0s", _K0S_WORKER),
    ("k0s", "controller"): ("/var/lib/k0s", (*_K0S_CONTROLLER, *_K0S_WORKER)),
}
# Files with one flag of a component per line, and the variables in those files: MicroK8s, Canonical
# Kubernetes and Charmed Kubernetes.
ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "var/snap/microk8s/current/args/{component}": {
        "SNAP_DATA": "/var/snap/microk8s/current", "SNAP_COMMON": "/var/snap/microk8s/common",
        "SNAP": "/snap/microk8s/current"},
    "var/snap/k8s/common/args/{component}": {},
    "var/snap/{component}/current/args": {},
}
# (file of variables, script that starts a component) without systemd: runit, OpenRC.
SCRIPTS = (("", "etc/sv/{component}/run"), ("", "etc/service/{component}/run"),
           ("etc/conf.d/{component}", "etc/init.d/{component}"))
OPENRC = "$command $command_args $command_args_foreground"
# The folder of k3s's own etcd, below the data folder; without it, no program reads k3s's etcd
# files.
EMBEDDED_ETCD = "server/db/etcd"
# Folders of static pods that no kubelet setting of the tree names.
POD_FOLDERS = ("etc/kubernetes/manifests", "etc/origin/node/pods",
               "var/lib/rancher/rke2/agent/pod-manifests",
               "var/lib/rancher/k3s/agent/pod-manifests")
# Groups whose members a distribution makes administrators: they may read all keys.
UNIX_ADMINISTRATORS = frozenset({"microk8s"})
# Distributions for which kpki has no layout, each with a file or folder that only it has.
MARKS: Mapping[str, str] = {
    "k3s": "var/lib/rancher/k3s", "RKE2": "var/lib/rancher/rke2", "k0s": "var/lib/k0s",
    "MicroK8s": "var/snap/microk8s", "Canonical Kubernetes": "var/snap/k8s",
    "kops": "srv/kubernetes",
    "RKE": "etc/kubernetes/ssl/kubecfg-kube-node.yaml", "minikube": "var/lib/minikube/certs",
    "AKS": "etc/kubernetes/certs/kubeletserver.crt", "EKS": "etc/eks",
    "OpenShift": "etc/kubernetes/kubelet-ca.crt",
    "Talos": "system/secrets", "Gardener": "var/lib/kubelet/kubeconfig-real",
    "kubeasz": "etc/kubernetes/kubelet.kubeconfig", "NixOS": "etc/NIXOS",
}
