"""The module of NixOS (nixos/modules/services/cluster/kubernetes): units and kubeconfigs in the
store, certificates by certmgr for 720 hours with "digital signature" alone."""
from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import md5

from tests.hosts.making import (
    EXPIRED,
    Fault,
    Host,
    Link,
    Made,
    by_stray,
    crt,
    empty,
    expired,
    gone,
    holds,
    key,
    made_so,
    mode,
    pairs,
)
from tests.hosts.pki import Row, ca

SECRETS = "var/lib/kubernetes/secrets"
_MASTER, _WORKER = "api.kube", "worker1.example.internal"


def _cert(common_name: str, group: str = "", *hosts: str) -> Row:
    """mkCert: the CN is among the names, whatever it is."""
    names = ",".join(f"{'IP' if host[0].isdigit() else 'DNS'}:{host}"
                     for host in (common_name, *hosts))
    return Row(f"{'/O=' + group if group else ''}/CN={common_name}", "ca", "", names, shape="nixos",
               days=30)


_ROWS = {
    "ca": ca("/O=NixOS/OU=services.kubernetes.pki.caSpec/CN=kubernetes-cluster-ca", "cfssl-ca",
             days=1825),
    "kube-apiserver": _cert("kubernetes", "", "kubernetes.default.svc",
                            "kubernetes.default.svc.cluster.local", "10.1.1.2", _MASTER, "10.0.0.1",
                            "127.0.0.1"),
    "kube-apiserver-proxy-client": _cert("front-proxy-client"),
    "kube-apiserver-kubelet-client": _cert("system:kube-apiserver"),
    "kube-apiserver-etcd-client": _cert("etcd-client"),
    "etcd": _cert(_MASTER, "", "etcd.local", "etcd.cluster.local", "10.1.1.2"),
    "kube-controller-manager": _cert("kube-controller-manager"),
    "kube-controller-manager-client": _cert("system:kube-controller-manager"),
    "kube-scheduler-client": _cert("system:kube-scheduler"),
    "service-account": _cert("system:service-account-signer"), "kubelet": _cert(_WORKER),
    "kubelet-client": _cert(f"system:node:{_WORKER}", "system:nodes"),
    "kube-proxy-client": _cert("system:kube-proxy"),
    "cluster-admin": _cert("cluster-admin", "system:masters")}


def _store(name: str) -> str:
    return f"nix/store/{md5(name.encode(), usedforsecurity=False).hexdigest()}-{name}"


def _kubeconfig(name: str, stem: str) -> tuple[str, str]:
    """pkgs.writeText: JSON in the store."""
    return _store(f"{name}-kubeconfig"), json.dumps({
        "apiVersion": "v1",
        "clusters": [{"cluster": {"certificate-authority": f"/{SECRETS}/ca.pem",
                                  "server": f"https://{_MASTER}:6443"}, "name": "local"}],
        "contexts": [{"context": {"cluster": "local", "user": name}, "name": "local"}],
        "current-context": "local",
        "kind": "Config",
        "users": [{"name": name, "user": {"client-certificate": f"/{SECRETS}/{stem}.pem",
                                          "client-key": f"/{SECRETS}/{stem}-key.pem"}}]})


def _unit(name: str, program: str, flags: str = "",
          environment: Mapping[str, str] | None = None) -> dict[str, Made]:
    """A unit that is a link into the store; its flags stand in lines with blanks between them."""
    words = "".join(f" \\\n  {word}" for word in flags.split())
    lines = "".join(f'Environment="{key}={value}"\n' for key, value in (environment or {}).items())
    text = f"""[Unit]
After=network.target

[Service]
{lines}
ExecStart=/nix/store/0000-kubernetes-1.19.5/bin/{program}{words} \\

Restart=on-failure
WorkingDirectory=/var/lib/kubernetes
"""
    place = _store(f"unit-{name}.service")
    return {f"{place}/{name}.service": text,
            f"etc/systemd/system/{name}.service": Link(f"/{place}/{name}.service")}


_KUBELET, _PROXY = (_kubeconfig("kubelet", "kubelet-client"),
                    _kubeconfig("kube-proxy", "kube-proxy-client"))
_KCM = _kubeconfig("kube-controller-manager", "kube-controller-manager-client")
_SCHEDULER = _kubeconfig("kube-scheduler", "kube-scheduler-client")
_PEM = {"crt": "{}.pem", "key": "{}-key.pem"}

HOSTS = {
    "NixOS node": Host(_ROWS, {
        "etc/hostname": "worker1\n", f"{SECRETS}/ca.pem": crt("ca"), **dict((_KUBELET, _PROXY)),
        **pairs(SECRETS, "kubelet", "kubelet-client", "kube-proxy-client", **_PEM),
        **_unit("kubelet", "kubelet", f"""--address=0.0.0.0 --authentication-token-webhook
            --authentication-token-webhook-cache-ttl="10s" --authorization-mode=Webhook
            --client-ca-file=/{SECRETS}/ca.pem --cluster-dns=10.0.0.254
            --cluster-domain=cluster.local --hairpin-mode=hairpin-veth --hostname-override={_WORKER}
            --kubeconfig=/{_KUBELET[0]} --pod-infra-container-image=pause
            --pod-manifest-path=/etc/kubernetes/manifests --port=10250 --register-node=true
            --root-dir=/var/lib/kubernetes --tls-cert-file=/{SECRETS}/kubelet.pem
            --tls-private-key-file=/{SECRETS}/kubelet-key.pem"""),
        **_unit("kube-proxy", "kube-proxy", f"""--bind-address=0.0.0.0 --cluster-cidr=10.1.0.0/16
            --hostname-override={_WORKER} --kubeconfig=/{_PROXY[0]}""")},
        seen=f"""
{SECRETS}/kubelet.pem {SECRETS}/ca.pem server {_WORKER}
{SECRETS}/kubelet-client.pem {SECRETS}/ca.pem client
{SECRETS}/kube-proxy-client.pem {SECRETS}/ca.pem client
""", warnings=("expiring-soon",), given={"ca": "ca"}),
    "NixOS master": Host(_ROWS, {
        "etc/hostname": "api\n", f"{SECRETS}/ca.pem": crt("ca"), **dict((_KCM, _SCHEDULER)),
        "etc/hosts": "127.0.0.1 localhost\n10.1.1.2 api.kube etcd.local\n",
        **pairs(SECRETS, "kube-apiserver", "kube-apiserver-proxy-client",
                "kube-apiserver-kubelet-client", "kube-apiserver-etcd-client", "etcd",
                "kube-controller-manager", "kube-controller-manager-client",
                "kube-scheduler-client", "service-account", "cluster-admin", **_PEM),
        **_unit("kube-apiserver", "kube-apiserver",
                f"""--allow-privileged=true --authorization-mode=RBAC,Node
            --bind-address=0.0.0.0 --advertise-address=10.1.1.2 --client-ca-file=/{SECRETS}/ca.pem
            --etcd-servers=https://etcd.local:2379 --etcd-cafile=/{SECRETS}/ca.pem
            --etcd-certfile=/{SECRETS}/kube-apiserver-etcd-client.pem
            --etcd-keyfile=/{SECRETS}/kube-apiserver-etcd-client-key.pem --kubelet-https=true
            --kubelet-certificate-authority=/{SECRETS}/ca.pem
            --kubelet-client-certificate=/{SECRETS}/kube-apiserver-kubelet-client.pem
            --kubelet-client-key=/{SECRETS}/kube-apiserver-kubelet-client-key.pem
            --proxy-client-cert-file=/{SECRETS}/kube-apiserver-proxy-client.pem
            --proxy-client-key-file=/{SECRETS}/kube-apiserver-proxy-client-key.pem
            --secure-port=6443 --api-audiences=api,https://kubernetes.default.svc
            --service-account-issuer=https://kubernetes.default.svc
            --service-account-signing-key-file=/{SECRETS}/service-account-key.pem
            --service-account-key-file=/{SECRETS}/service-account.pem
            --service-cluster-ip-range=10.0.0.0/24 --tls-cert-file=/{SECRETS}/kube-apiserver.pem
            --tls-private-key-file=/{SECRETS}/kube-apiserver-key.pem"""),
        **_unit("kube-controller-manager", "kube-controller-manager", f"""--allocate-node-cidrs=true
            --bind-address=127.0.0.1
            --kubeconfig=/{_KCM[0]} --root-ca-file=/{SECRETS}/ca.pem
            --service-account-private-key-file=/{SECRETS}/service-account-key.pem
            --tls-cert-file=/{SECRETS}/kube-controller-manager.pem
            --tls-private-key-file=/{SECRETS}/kube-controller-manager-key.pem
            --use-service-account-credentials=true"""),
        **_unit("kube-scheduler", "kube-scheduler",
                f"--kubeconfig=/{_SCHEDULER[0]} --leader-elect=true"),
        **_unit("etcd", "etcd", environment={
            "ETCD_NAME": _MASTER, "ETCD_DATA_DIR": "/var/lib/etcd", "ETCD_ADVERTISE_CLIENT_URLS":
                f"https://{_MASTER}:2379", "ETCD_LISTEN_CLIENT_URLS": "https://0.0.0.0:2379",
            "ETCD_LISTEN_PEER_URLS": "https://0.0.0.0:2380",
            "ETCD_INITIAL_ADVERTISE_PEER_URLS": f"https://{_MASTER}:2380",
            "ETCD_INITIAL_CLUSTER": f"{_MASTER}=https://{_MASTER}:2380",
            "ETCD_CLIENT_CERT_AUTH": "1", "ETCD_TRUSTED_CA_FILE": f"/{SECRETS}/ca.pem",
            "ETCD_CERT_FILE": f"/{SECRETS}/etcd.pem", "ETCD_KEY_FILE": f"/{SECRETS}/etcd-key.pem",
            "ETCD_PEER_CLIENT_CERT_AUTH": "1", "ETCD_PEER_TRUSTED_CA_FILE": f"/{SECRETS}/ca.pem",
            "ETCD_PEER_CERT_FILE": f"/{SECRETS}/etcd.pem",
            "ETCD_PEER_KEY_FILE": f"/{SECRETS}/etcd-key.pem"})},
        seen=f"""
{SECRETS}/kube-apiserver.pem {SECRETS}/ca.pem server {_MASTER} 10.1.1.2 kubernetes.default.svc
{SECRETS}/kube-apiserver-kubelet-client.pem {SECRETS}/ca.pem client
{SECRETS}/kube-apiserver-etcd-client.pem {SECRETS}/ca.pem client
{SECRETS}/etcd.pem {SECRETS}/ca.pem server etcd.local {_MASTER}
{SECRETS}/etcd.pem {SECRETS}/ca.pem client
{SECRETS}/kube-scheduler-client.pem {SECRETS}/ca.pem client
""", warnings=("expiring-soon",), given={"ca": "ca"}),
}

FAULTS = (
    Fault("NixOS node", gone(f"{SECRETS}/kubelet-key.pem"), "file-missing",
          f"{SECRETS}/kubelet-key.pem"),
    Fault("NixOS node", made_so("kubelet-client", subject="/O=system:nodes/CN=system:node:worker1"),
          "hostname-case-fqdn",
          f"{SECRETS}/kubelet-client.pem"),
    Fault("NixOS node", expired("kubelet"), "expired-server-cert", f"{SECRETS}/kubelet.pem"),
    Fault("NixOS node", by_stray("kube-proxy-client"), "unknown-authority",
          f"{SECRETS}/kube-proxy-client.pem"),
    Fault("NixOS node", made_so("kubelet-client", usages="serverAuth"), "wrong-eku",
          f"{SECRETS}/kubelet-client.pem"),
    Fault("NixOS node", empty(f"{SECRETS}/ca.pem"), "bad-pem", f"{SECRETS}/ca.pem"),
    Fault("NixOS master", expired("etcd"), EXPIRED, f"{SECRETS}/etcd.pem"),
    Fault("NixOS master", made_so("etcd", names="DNS:api.kube,IP:10.1.1.2"), "missing-san-dns",
          f"{SECRETS}/etcd.pem"),
    Fault("NixOS master", gone(f"{SECRETS}/kube-apiserver-etcd-client.pem"), "file-missing",
          f"{SECRETS}/kube-apiserver-etcd-client.pem"),
    Fault("NixOS master", holds(f"{SECRETS}/kube-apiserver-key.pem", key("kubelet")),
          "key-cert-mismatch", f"{SECRETS}/kube-apiserver-key.pem"),
    Fault("NixOS master",
          made_so("kube-apiserver", names="DNS:kubernetes,DNS:kubernetes.default.svc,IP:10.1.1.2,"
                  "IP:10.0.0.1,IP:127.0.0.1"), "missing-san-dns", f"{SECRETS}/kube-apiserver.pem"),
    Fault("NixOS master", mode(f"{SECRETS}/service-account-key.pem", 0o644), "key-exposed",
          f"{SECRETS}/service-account-key.pem"),
)
