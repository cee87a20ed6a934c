"""Distributions whose own program runs the components: k0s, MicroK8s, Talos."""
from __future__ import annotations

from tests.hosts.making import (
    CURRENT,
    EXPIRED,
    Fault,
    Host,
    Link,
    Made,
    by_stray,
    crt,
    embedded,
    empty,
    expired,
    gone,
    holds,
    joined,
    key,
    kubeconfig,
    kubelet_config,
    made_so,
    mode,
    pair,
    pairs,
    pod,
    public,
)
from tests.hosts.pki import Row, ca

_BOTH = "serverAuth,clientAuth"
_SERVICE = ("DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
            "DNS:kubernetes.default.svc.cluster.local")

# k0s: cmd/controller/certificates.go, pkg/component/controller/{apiserver,etcd}.go,
# pkg/component/worker/kubelet.go
K0S, K0S_KUBELET = "var/lib/k0s/pki", "var/lib/k0s/kubelet"


def _k0s(subject: str, authority: str = "k0s-ca", names: str = "") -> Row:
    return Row(subject, authority, _BOTH, names, shape="cfssl")


_K0S_ROWS = {
    "k0s-ca": ca("/CN=kubernetes-ca", "cfssl-ca"),
    "k0s-front-proxy-ca": ca("/CN=kubernetes-front-proxy-ca",
                             "cfssl-ca"),
    "k0s-etcd-ca": ca("/CN=etcd-ca", "cfssl-ca"),
    "server": _k0s("/O=kubernetes/CN=kubernetes",
                   names=f"{_SERVICE},DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,IP:10.0.0.71"),
    "k0s-api": _k0s("/O=kubernetes/CN=k0s-api", names="DNS:localhost,IP:127.0.0.1,IP:10.0.0.71"),
    "apiserver-kubelet-client": _k0s("/O=system:masters/CN=apiserver-kubelet-client"),
    "front-proxy-client": _k0s("/O=front-proxy-client/CN=front-proxy-client", "k0s-front-proxy-ca"),
    "apiserver-etcd-client": _k0s("/O=apiserver-etcd-client/CN=apiserver-etcd-client",
                                  "k0s-etcd-ca", "DNS:localhost,IP:127.0.0.1"),
    "etcd/server": _k0s("/O=etcd-server/CN=etcd-server", "k0s-etcd-ca",
                        "DNS:localhost,IP:127.0.0.1"),
    "etcd/peer": _k0s("/O=etcd-peer/CN=10.0.0.71", "k0s-etcd-ca", "IP:10.0.0.71"),
    "admin": _k0s("/O=system:masters/CN=kubernetes-admin"),
    "ccm": _k0s("/O=system:kube-controller-manager/CN=system:kube-controller-manager"),
    "scheduler": _k0s("/O=system:kube-scheduler/CN=system:kube-scheduler"),
    "konnectivity": _k0s("/O=system:masters/CN=kubernetes-konnectivity"), "sa": Row("/CN=unused"),
    "wrk-1": Row("/O=system:nodes/CN=system:node:wrk-1", "k0s-ca", "clientAuth"),
    "wrk-1-server": Row("/O=system:nodes/CN=system:node:wrk-1", "k0s-ca", "serverAuth",
                        "DNS:wrk-1,IP:10.0.0.72")}
_K0S_STORE = f"{K0S_KUBELET}/pki"

# MicroK8s: actions/common/utils.sh, microk8s-resources/default-args; snap: $SNAP_DATA is
# /var/snap/microk8s/current
SNAP = "var/snap/microk8s/current"


def _snap(subject: str, names: str = "") -> Row:
    return Row(subject, "snap-ca", "", names, shape="san" if names else "plain", days=3650)


_SNAP_ROWS = {
    "snap-ca": ca("/CN=10.152.183.1", "req-ca"),
    "snap-front-proxy-ca": ca("/CN=front-proxy-ca", "req-ca"),
    "snap-server": Row("/C=GB/ST=Canonical/L=Canonical/O=Canonical/OU=Canonical/CN=127.0.0.1",
                       "snap-ca", _BOTH, f"{_SERVICE},DNS:kubernetes.default.svc.cluster,"
                       "IP:127.0.0.1,IP:10.152.183.1,IP:10.0.0.81", shape="cfssl"),
    "snap-front-proxy-client": Row("/CN=front-proxy-client", "snap-front-proxy-ca", shape="plain"),
    "snap-kubelet": _snap("/O=system:nodes/CN=system:node:snap-1", "DNS:snap-1,IP:10.0.0.81"),
    "snap-client": _snap("/O=system:masters/CN=admin"),
    "snap-controller": _snap("/CN=system:kube-controller-manager"),
    "snap-scheduler": _snap("/CN=system:kube-scheduler"),
    "snap-proxy": _snap("/CN=system:kube-proxy"),
    "snap-apiserver-kubelet-client": _snap("/O=system:masters/CN=kube-apiserver-kubelet-client"),
    "snap-serviceaccount": Row("/CN=unused")}


def _snap_login(name: str, user: str) -> Made:
    return kubeconfig(user, "https://127.0.0.1:16443", crt("snap-ca"), f"/{SNAP}/certs/{name}.crt",
                      f"/{SNAP}/certs/{name}.key", cluster="microk8s-cluster", context="microk8s")


_SNAP_ARGS = {
    "kubelet": """--kubeconfig=${SNAP_DATA}/credentials/kubelet.config
--cert-dir=${SNAP_DATA}/certs
--client-ca-file=${SNAP_DATA}/certs/ca.crt
--anonymous-auth=false
--root-dir=${SNAP_COMMON}/var/lib/kubelet
--fail-swap-on=false
# --feature-gates=DevicePlugins=true
--eviction-hard="memory.available<100Mi,nodefs.available<1Gi,imagefs.available<1Gi"
--container-runtime-endpoint=unix://${SNAP_COMMON}/run/containerd.sock
--cluster-domain=cluster.local
--hostname-override=snap-1
""", "kube-apiserver": """--cert-dir=${SNAP_DATA}/certs
--service-cluster-ip-range=10.152.183.0/24
--authorization-mode=AlwaysAllow
--service-account-key-file=${SNAP_DATA}/certs/serviceaccount.key
--client-ca-file=${SNAP_DATA}/certs/ca.crt
--tls-cert-file=${SNAP_DATA}/certs/server.crt
--tls-private-key-file=${SNAP_DATA}/certs/server.key
--kubelet-client-certificate=${SNAP_DATA}/certs/apiserver-kubelet-client.crt
--kubelet-client-key=${SNAP_DATA}/certs/apiserver-kubelet-client.key
--kubelet-certificate-authority=${SNAP_DATA}/certs/ca.crt
--kubelet-preferred-address-types=InternalIP,Hostname,InternalDNS,ExternalDNS,ExternalIP
--secure-port=16443
--etcd-servers="unix://${SNAP_DATA}/var/kubernetes/backend/kine.sock:12379"
--requestheader-client-ca-file=${SNAP_DATA}/certs/front-proxy-ca.crt
--requestheader-allowed-names=front-proxy-client
--proxy-client-cert-file=${SNAP_DATA}/certs/front-proxy-client.crt
--proxy-client-key-file=${SNAP_DATA}/certs/front-proxy-client.key
--service-account-signing-key-file=${SNAP_DATA}/certs/serviceaccount.key
--service-account-issuer='https://kubernetes.default.svc'
""", "kube-controller-manager": """--kubeconfig=${SNAP_DATA}/credentials/controller.config
--service-account-private-key-file=${SNAP_DATA}/certs/serviceaccount.key
--root-ca-file=${SNAP_DATA}/certs/ca.crt
--cluster-signing-cert-file=${SNAP_DATA}/certs/ca.crt
--cluster-signing-key-file=${SNAP_DATA}/certs/ca.key
--use-service-account-credentials
""", "kube-scheduler": "--kubeconfig=${SNAP_DATA}/credentials/scheduler.config\n", "kube-proxy":
        "--kubeconfig=${SNAP_DATA}/credentials/proxy.config\n--cluster-cidr=10.1.0.0/16\n"}

# Talos: internal/app/machined/pkg/controllers/k8s; the CAs have an organization and no CN
TALOS, TALOS_API = "system/secrets/kubernetes", "system/secrets/kubernetes/kube-apiserver"
_TALOS_ROWS = {
    "talos-ca": ca("/O=kubernetes"), "talos-etcd-ca": ca("/O=etcd"),
    "talos-aggregator-ca": ca("/O=front-proxy"),
    "talos-apiserver": Row("/O=kube-master/CN=kube-apiserver", "talos-ca", "serverAuth",
                           f"{_SERVICE},DNS:localhost,DNS:tal-1,IP:10.96.0.1,IP:127.0.0.1,"
                           "IP:10.0.0.91"),
    "talos-kubelet-client": Row("/O=system:masters/CN=apiserver-kubelet-client", "talos-ca",
                                "clientAuth"),
    "talos-etcd-client": Row("/CN=kube-apiserver", "talos-etcd-ca", "clientAuth"),
    "talos-front-proxy-client": Row("/CN=front-proxy-client", "talos-aggregator-ca", "clientAuth"),
    "talos-kcm": Row("/O=system:kube-controller-manager/CN=system:kube-controller-manager",
                     "talos-ca", "clientAuth"),
    "talos-scheduler": Row("/O=system:kube-scheduler/CN=system:kube-scheduler", "talos-ca",
                           "clientAuth"),
    "talos-etcd": Row("/CN=tal-1", "talos-etcd-ca", _BOTH,
                      "DNS:tal-1,DNS:localhost,IP:127.0.0.1,IP:::1,IP:10.0.0.91"),
    "talos-etcd-peer": Row("/CN=tal-1", "talos-etcd-ca", _BOTH, "DNS:tal-1,IP:10.0.0.91"),
    "talos-sa": Row("/CN=unused"),
    "tal-1": Row("/O=system:nodes/CN=system:node:tal-1", "talos-ca", "clientAuth"),
    "tal-1-own-ca": ca("/CN=tal-1-ca@1764000000", days=365),
    "tal-1-own": Row("/CN=tal-1@1764000000", "tal-1-own-ca", "serverAuth", "DNS:tal-1")}
_TALOS_NODE: dict[str, Made] = {
    "etc/hostname": "tal-1\n", "etc/kubernetes/pki/ca.crt": crt("talos-ca"),
    "etc/kubernetes/kubelet.yaml": kubelet_config("/etc/kubernetes/pki/ca.crt",
                                                  "rotateCertificates: true",
                                                  "staticPodPath: /etc/kubernetes/manifests"),
    "etc/kubernetes/kubeconfig-kubelet": kubeconfig(
        "default-auth", "https://127.0.0.1:7445", crt("talos-ca"), f"/{CURRENT}", f"/{CURRENT}",
        cluster="default-cluster", context="default-context"),
    "etc/kubernetes/bootstrap-kubeconfig": kubeconfig("kubelet", "https://127.0.0.1:7445",
                                                      crt("talos-ca"), cluster="local",
                                                      token="abcdef.0123456789abcdef"),
    "var/lib/kubelet/pki/kubelet-client-2026-10-12-13-14-15.pem":
        joined(crt("tal-1"), key("tal-1")),
    CURRENT: Link("/var/lib/kubelet/pki/kubelet-client-2026-10-12-13-14-15.pem"),
    "var/lib/kubelet/pki/kubelet.crt": crt("tal-1-own", "tal-1-own-ca"),
    "var/lib/kubelet/pki/kubelet.key": key("tal-1-own")}
_KCM = f"{TALOS}/kube-controller-manager"

HOSTS = {
    "k0s controller": Host(_K0S_ROWS, {
        "etc/hostname": "ctl-1\n", **pair(f"{K0S}/ca.crt", f"{K0S}/ca.key", "k0s-ca"),
        **pair(f"{K0S}/front-proxy-ca.crt", f"{K0S}/front-proxy-ca.key", "k0s-front-proxy-ca"),
        **pair(f"{K0S}/etcd/ca.crt", f"{K0S}/etcd/ca.key", "k0s-etcd-ca"),
        f"{K0S}/sa.key": key("sa"),
        f"{K0S}/sa.pub": public("sa"),
        **pairs(K0S, "server", "k0s-api", "apiserver-kubelet-client", "front-proxy-client",
                "apiserver-etcd-client", "etcd/server", "etcd/peer"),
        **{f"{K0S}/{name}.conf": embedded("user", "https://localhost:6443", "k0s-ca", name,
                                          cluster="local", context="Default")
           for name in ("admin", "ccm", "scheduler", "konnectivity")},
        "etc/systemd/system/k0scontroller.service":
            "[Unit]\nDescription=k0s - Zero Friction Kubernetes\n\n[Service]\n"
            "ExecStart=/usr/local/bin/k0s controller --config=/etc/k0s/k0s.yaml\nRestart=always\n",
        "etc/k0s/k0s.yaml": "apiVersion: k0s.k0sproject.io/v1beta1\nkind: ClusterConfig\n"
        "metadata:\n  name: k0s\n"},
        seen=f"""
{K0S}/server.crt {K0S}/ca.crt server localhost 127.0.0.1 kubernetes.default.svc
{K0S}/server.crt {K0S}/scheduler.conf#ca server localhost
{K0S}/apiserver-kubelet-client.crt {K0S}/ca.crt client
{K0S}/front-proxy-client.crt {K0S}/front-proxy-ca.crt client
{K0S}/apiserver-etcd-client.crt {K0S}/etcd/ca.crt client
{K0S}/etcd/server.crt {K0S}/etcd/ca.crt server 127.0.0.1
{K0S}/etcd/peer.crt {K0S}/etcd/ca.crt server 10.0.0.71
{K0S}/ccm.conf#user {K0S}/ca.crt client
{K0S}/scheduler.conf#user {K0S}/ca.crt client
"""),
    # the client CA lies in the run folder, written anew at each start from the kubeconfig's data
    "k0s worker": Host(_K0S_ROWS, {
        "etc/hostname": "wrk-1\n",
        "var/lib/k0s/kubelet.conf":
            kubeconfig("default-auth", "https://10.0.0.71:6443", crt("k0s-ca"), *(
                [f"/{_K0S_STORE}/kubelet-client-current.pem"] * 2), cluster="default-cluster",
                       context="default-context"),
        f"{_K0S_STORE}/kubelet-client-2026-10-12-13-14-15.pem": joined(crt("wrk-1"), key("wrk-1")),
        f"{_K0S_STORE}/kubelet-client-current.pem":
            Link(f"/{_K0S_STORE}/kubelet-client-2026-10-12-13-14-15.pem"),
        f"{_K0S_STORE}/kubelet-server-2026-10-12-13-15-00.pem": joined(crt("wrk-1-server"),
                                                                       key("wrk-1-server")),
        f"{_K0S_STORE}/kubelet-server-current.pem":
            Link(f"/{_K0S_STORE}/kubelet-server-2026-10-12-13-15-00.pem"),
        "run/k0s/kubelet/config.yaml": kubelet_config(
            "/run/k0s/kubelet/ca.crt", "rotateCertificates: true", "serverTLSBootstrap: true"),
        "run/k0s/kubelet/ca.crt": crt("k0s-ca"),
        "etc/systemd/system/k0sworker.service":
            "[Unit]\nDescription=k0s - Zero Friction Kubernetes\n\n[Service]\n"
            "ExecStart=/usr/local/bin/k0s worker --token-file=/etc/k0s/k0stoken\nRestart=always\n"},
        seen=f"""
{_K0S_STORE}/kubelet-client-current.pem run/k0s/kubelet/ca.crt client
{_K0S_STORE}/kubelet-server-current.pem run/k0s/kubelet/ca.crt server wrk-1 10.0.0.72
""", given={"ca": "k0s-ca"}),
    "MicroK8s": Host(_SNAP_ROWS, {
        "etc/hostname": "snap-1\n",
        **{f"{SNAP}/args/{name}": told for name, told in _SNAP_ARGS.items()},
        **{f"{SNAP}/certs/{path}.{ending}": make(f"snap-{path}") for path in (
            "ca", "front-proxy-ca", "server", "front-proxy-client", "kubelet", "client",
            "controller", "scheduler", "proxy", "apiserver-kubelet-client")
           for ending, make in (("crt", crt), ("key", key))},
        f"{SNAP}/certs/serviceaccount.key": key("snap-serviceaccount"),
        f"{SNAP}/credentials/kubelet.config": _snap_login("kubelet", "system:node:snap-1"),
        f"{SNAP}/credentials/controller.config": _snap_login("controller",
                                                             "system:kube-controller-manager"),
        f"{SNAP}/credentials/scheduler.config": _snap_login("scheduler", "system:kube-scheduler"),
        f"{SNAP}/credentials/proxy.config": _snap_login("proxy", "system:kube-proxy"),
        f"{SNAP}/credentials/client.config": _snap_login("client", "admin"),
        "etc/systemd/system/snap.microk8s.daemon-kubelite.service":
            "[Unit]\nDescription=Service for snap application microk8s.daemon-kubelite\n"
        "\n[Service]\nEnvironmentFile=-/etc/environment\n"
        "ExecStart=/usr/bin/snap run microk8s.daemon-kubelite\nRestart=always\n"},
        seen=f"""
{SNAP}/certs/server.crt {SNAP}/certs/ca.crt server 127.0.0.1 10.152.183.1 kubernetes.default.svc
{SNAP}/certs/kubelet.crt {SNAP}/certs/ca.crt client
{SNAP}/certs/kubelet.crt {SNAP}/certs/ca.crt server snap-1 10.0.0.81
{SNAP}/certs/front-proxy-client.crt {SNAP}/certs/front-proxy-ca.crt client
{SNAP}/certs/apiserver-kubelet-client.crt {SNAP}/certs/ca.crt client
{SNAP}/credentials/scheduler.config#user {SNAP}/certs/ca.crt client
""", warnings=("strict-refused", "outlives-ca"), mounts={"${SNAP_DATA}": f"/{SNAP}"}),
    "Talos control plane": Host(_TALOS_ROWS, {
        **_TALOS_NODE, f"{TALOS_API}/ca.crt": crt("talos-ca"),
        f"{TALOS_API}/etcd-client-ca.crt": crt("talos-etcd-ca"),
        f"{TALOS_API}/aggregator-ca.crt": crt("talos-aggregator-ca"),
        **pair(f"{TALOS_API}/apiserver.crt", f"{TALOS_API}/apiserver.key", "talos-apiserver"),
        **pair(f"{TALOS_API}/apiserver-kubelet-client.crt",
               f"{TALOS_API}/apiserver-kubelet-client.key", "talos-kubelet-client"),
        **pair(f"{TALOS_API}/etcd-client.crt", f"{TALOS_API}/etcd-client.key", "talos-etcd-client"),
        **pair(f"{TALOS_API}/front-proxy-client.crt", f"{TALOS_API}/front-proxy-client.key",
               "talos-front-proxy-client"),
        f"{TALOS_API}/service-account.key": key("talos-sa"),
        f"{TALOS_API}/service-account.pub": public("talos-sa"),
        **pair(f"{_KCM}/ca.crt", f"{_KCM}/ca.key", "talos-ca"),
        f"{_KCM}/service-account.key": key("talos-sa"),
        f"{_KCM}/kubeconfig": embedded("system:kube-controller-manager", "https://localhost:7445",
                                       "talos-ca", "talos-kcm", cluster="talos"),
        f"{TALOS}/kube-scheduler/kubeconfig": embedded("system:kube-scheduler",
                                                       "https://localhost:7445", "talos-ca",
                                                       "talos-scheduler", cluster="talos"),
        "system/secrets/etcd/ca.crt": crt("talos-etcd-ca"),
        **pair("system/secrets/etcd/server.crt", "system/secrets/etcd/server.key", "talos-etcd"),
        **pair("system/secrets/etcd/peer.crt", "system/secrets/etcd/peer.key", "talos-etcd-peer"),
        "etc/kubernetes/manifests/talos-kube-apiserver.yaml":
            pod("kube-apiserver", f"""--advertise-address=10.0.0.91
            --allow-privileged=true --anonymous-auth=false --authorization-mode=Node,RBAC
            --client-ca-file=/{TALOS_API}/ca.crt --etcd-cafile=/{TALOS_API}/etcd-client-ca.crt
            --etcd-certfile=/{TALOS_API}/etcd-client.crt --etcd-keyfile=/{TALOS_API}/etcd-client.key
            --etcd-servers=https://localhost:2379
            --kubelet-client-certificate=/{TALOS_API}/apiserver-kubelet-client.crt
            --kubelet-client-key=/{TALOS_API}/apiserver-kubelet-client.key
            --proxy-client-cert-file=/{TALOS_API}/front-proxy-client.crt
            --proxy-client-key-file=/{TALOS_API}/front-proxy-client.key
            --requestheader-allowed-names=front-proxy-client
            --requestheader-client-ca-file=/{TALOS_API}/aggregator-ca.crt --secure-port=6443
            --service-account-issuer=https://10.0.0.91:6443
            --service-account-key-file=/{TALOS_API}/service-account.pub
            --service-account-signing-key-file=/{TALOS_API}/service-account.key
            --service-cluster-ip-range=10.96.0.0/12 --tls-cert-file=/{TALOS_API}/apiserver.crt
            --tls-private-key-file=/{TALOS_API}/apiserver.key""",
                {f"/{TALOS_API}": f"/{TALOS_API}"}),
        "etc/kubernetes/manifests/talos-kube-controller-manager.yaml":
            pod("kube-controller-manager", f"""
            --authentication-kubeconfig=/{_KCM}/kubeconfig
            --authorization-kubeconfig=/{_KCM}/kubeconfig --cluster-signing-cert-file=/{_KCM}/ca.crt
            --cluster-signing-key-file=/{_KCM}/ca.key --kubeconfig=/{_KCM}/kubeconfig
            --root-ca-file=/{_KCM}/ca.crt
            --service-account-private-key-file=/{_KCM}/service-account.key""",
                {f"/{_KCM}": f"/{_KCM}"}),
        "etc/kubernetes/manifests/talos-kube-scheduler.yaml": pod(
            "kube-scheduler", f"--kubeconfig=/{TALOS}/kube-scheduler/kubeconfig",
            {f"/{TALOS}/kube-scheduler": f"/{TALOS}/kube-scheduler"})},
        seen=f"""
{TALOS_API}/apiserver.crt {TALOS_API}/ca.crt server localhost 127.0.0.1 10.0.0.91 \
kubernetes.default.svc
{TALOS_API}/apiserver-kubelet-client.crt etc/kubernetes/pki/ca.crt client
{TALOS_API}/etcd-client.crt {TALOS_API}/etcd-client-ca.crt client
{TALOS_API}/front-proxy-client.crt {TALOS_API}/aggregator-ca.crt client
system/secrets/etcd/server.crt {TALOS_API}/etcd-client-ca.crt server localhost
system/secrets/etcd/peer.crt system/secrets/etcd/ca.crt client
{_KCM}/kubeconfig#user {TALOS_API}/ca.crt client
{CURRENT} {TALOS_API}/ca.crt client
""", warnings=("kubelet-serving-self-signed",),
        given={"etcd_ca": "talos-etcd-ca", "front_proxy_ca": "talos-aggregator-ca"}),
    "Talos worker": Host(
        _TALOS_ROWS, _TALOS_NODE, seen=f"{CURRENT} etc/kubernetes/pki/ca.crt client\n",
        warnings=("kubelet-serving-self-signed",), given={"ca": "talos-ca"}, address="10.0.0.92"),
}

_ITSELF = "its own manager"
FAULTS = (
    Fault("k0s controller", expired("scheduler"), "expired-client-cert",
          f"{K0S}/scheduler.conf#users/user", _ITSELF),
    Fault("k0s controller", mode(f"{K0S}/ca.key", 0o644), "key-exposed", f"{K0S}/ca.key"),
    Fault("k0s controller", by_stray("ccm"), "unknown-authority", f"{K0S}/ccm.conf#users/user",
          _ITSELF),
    Fault("k0s controller", made_so("apiserver-kubelet-client", usages="serverAuth"), "wrong-eku",
          f"{K0S}/apiserver-kubelet-client.crt", _ITSELF),
    Fault("k0s controller", gone(f"{K0S}/front-proxy-client.key"), "file-missing",
          f"{K0S}/front-proxy-client.key", _ITSELF),
    Fault("k0s worker", expired("wrk-1"), "expired-client-cert",
          f"{_K0S_STORE}/kubelet-client-current.pem"),
    Fault("k0s worker", by_stray("wrk-1"), "unknown-authority",
          f"{_K0S_STORE}/kubelet-client-current.pem"),
    Fault("k0s worker", made_so("wrk-1", subject="/O=system:nodes/CN=system:node:wrk-2"),
          "wrong-node-identity", f"{_K0S_STORE}/kubelet-client-current.pem"),
    Fault("k0s worker", gone(f"{_K0S_STORE}/kubelet-client-2026-10-12-13-14-15.pem"),
          "kubelet-client-current-broken", f"{_K0S_STORE}/kubelet-client-current.pem"),
    Fault("MicroK8s", gone(f"{SNAP}/certs/server.key"), "file-missing", f"{SNAP}/certs/server.key"),
    Fault("MicroK8s", expired("snap-kubelet"), EXPIRED, f"{SNAP}/certs/kubelet.crt"),
    Fault("MicroK8s", made_so("snap-server", names=f"{_SERVICE},IP:10.152.183.1,IP:10.0.0.81"),
          "missing-san-ip", f"{SNAP}/certs/server.crt"),
    Fault("MicroK8s", holds(f"{SNAP}/certs/kubelet.key", key("snap-proxy")), "key-cert-mismatch",
          f"{SNAP}/certs/kubelet.key"),
    Fault("MicroK8s", by_stray("snap-front-proxy-client"), "front-proxy-ca",
          f"{SNAP}/certs/front-proxy-client.crt"),
    Fault("MicroK8s", empty(f"{SNAP}/certs/ca.crt"), "bad-pem", f"{SNAP}/certs/ca.crt"),
    Fault("Talos control plane", expired("talos-apiserver"), "expired-server-cert",
          f"{TALOS_API}/apiserver.crt", _ITSELF),
    Fault("Talos control plane", by_stray("talos-etcd-client"), "etcd-peer-cert",
          f"{TALOS_API}/etcd-client.crt", _ITSELF),
    Fault("Talos control plane", gone(f"{TALOS_API}/front-proxy-client.key"), "file-missing",
          f"{TALOS_API}/front-proxy-client.key", _ITSELF),
    Fault("Talos control plane", made_so("talos-kubelet-client", usages="serverAuth"), "wrong-eku",
          f"{TALOS_API}/apiserver-kubelet-client.crt", _ITSELF),
    Fault("Talos control plane",
          made_so("talos-apiserver",
                  names=f"{_SERVICE},DNS:localhost,IP:127.0.0.1,IP:10.96.0.1"),
          "missing-san-ip", f"{TALOS_API}/apiserver.crt", _ITSELF),
    Fault("Talos worker", expired("tal-1"), "expired-client-cert", CURRENT, _ITSELF),
    Fault("Talos worker", made_so("tal-1", usages="serverAuth"), "wrong-eku", CURRENT, _ITSELF),
    Fault("Talos worker", by_stray("tal-1"), "unknown-authority", CURRENT, _ITSELF),
    Fault("Talos worker", made_so("tal-1", subject="/O=system:nodes/CN=system:node:tal-2"),
          "wrong-node-identity", CURRENT, _ITSELF),
)
