"""k3s and RKE2: pkg/daemons/control/deps, pkg/agent/config; rke2's pkg/executor/staticpod.

Two CAs for the cluster (clients', servers'), the roots in the leaves' files, kubeconfigs by path.
At each start an agent fetches its pairs anew, and a server renews what has ended: a remedy may be a
restart.
"""
from __future__ import annotations

from tests.hosts.making import (
    EXPIRED,
    Fault,
    Host,
    Made,
    by_stray,
    crt,
    empty,
    expired,
    gone,
    holds,
    key,
    kubeconfig,
    kubelet_config,
    made_so,
    mode,
    pod,
)
from tests.hosts.pki import Row, ca

K3S, RKE2 = "var/lib/rancher/k3s", "var/lib/rancher/rke2"
_API_NAMES = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc," \
    "DNS:kubernetes.default.svc.cluster.local," \
    "DNS:localhost,DNS:srv-1,IP:127.0.0.1,IP:::1,IP:10.43.0.1,IP:10.0.0.61"
_ETCD_NAMES = "DNS:kine.sock,DNS:localhost,DNS:srv-1,IP:127.0.0.1,IP:::1,IP:10.0.0.61"
_BOTH = "serverAuth,clientAuth"


def _client(name: str, group: str = "") -> Row:
    return Row(f"{'/O=' + group if group else ''}/CN={name}", "client-ca", "clientAuth")


def _node(node: str, address: str) -> dict[str, Row]:
    return {f"{node}-kubelet": _client(f"system:node:{node}", "system:nodes"),
            f"{node}-serving": Row(f"/CN={node}", "server-ca", "serverAuth",
                                   f"DNS:{node},DNS:localhost,IP:127.0.0.1,IP:{address}")}


def _rows(product: str) -> dict[str, Row]:
    return {
        **{name: ca(f"/CN={product}-{name}@1764000000") for name in (
            "client-ca", "server-ca", "request-header-ca", "etcd-server-ca", "etcd-peer-ca")},
        "admin": _client("system:admin", "system:masters"),
        "supervisor": _client("system:k3s-supervisor", "system:masters"),
        "controller": _client("system:kube-controller-manager"),
        "scheduler": _client("system:kube-scheduler"),
        "kube-proxy": _client("system:kube-proxy"),
        "k3s-controller": _client("system:k3s-controller"),
        "kube-apiserver": _client("system:apiserver", "system:masters"),
        "cloud-controller": _client(f"{product}-cloud-controller-manager"),
        "serving-kube-apiserver": Row("/CN=kube-apiserver", "server-ca", "serverAuth", _API_NAMES),
        "auth-proxy": Row("/CN=system:auth-proxy", "request-header-ca", "clientAuth"),
        "etcd-server": Row("/CN=etcd-server", "etcd-server-ca", _BOTH, _ETCD_NAMES),
        "etcd-client": Row("/CN=etcd-client", "etcd-server-ca", "clientAuth"),
        "etcd-peer": Row("/CN=etcd-peer", "etcd-peer-ca", _BOTH, _ETCD_NAMES),
        "service": Row("/CN=unused"),
        **_node("srv-1", "10.0.0.61"), **_node("agent-1", "10.0.0.62")}


def _agent(data: str, node: str, port: int = 6444) -> dict[str, Made]:
    """Any host's agent folder; the API server is behind a balancer of its own on 127.0.0.1."""
    agent, server = f"{data}/agent", f"https://127.0.0.1:{port}"
    found: dict[str, Made] = {"etc/hostname": f"{node}\n",
                              f"{agent}/client-ca.crt": crt("client-ca"),
                              f"{agent}/server-ca.crt": crt("server-ca")}
    for name, row, authority in (("client-kubelet", f"{node}-kubelet", "client-ca"),
                                 ("serving-kubelet", f"{node}-serving", "server-ca"),
                                 ("client-kube-proxy", "kube-proxy", "client-ca"),
                                 ("client-k3s-controller", "k3s-controller", "client-ca")):
        found |= {f"{agent}/{name}.crt": crt(row, authority), f"{agent}/{name}.key": key(row)}
    for name, row in (("kubelet", "client-kubelet"), ("kubeproxy", "client-kube-proxy"),
                      ("k3scontroller", "client-k3s-controller")):
        found[f"{agent}/{name}.kubeconfig"] = kubeconfig(
            "user", server, f"/{agent}/server-ca.crt", f"/{agent}/{row}.crt", f"/{agent}/{row}.key",
            cluster="local", context="Default")
    found[
        f"{agent}/etc/kubelet.conf.d/00-{data.rpartition('/')[2]}-defaults.conf"] = kubelet_config(
            f"/{agent}/client-ca.crt", "cgroupDriver: systemd",
            f"staticPodPath: /{agent}/pod-manifests", f"tlsCertFile: /{agent}/serving-kubelet.crt",
            f"tlsPrivateKeyFile: /{agent}/serving-kubelet.key")
    return found


def _server(data: str) -> dict[str, Made]:
    """A server's TLS folder, its kubeconfigs, and etcd's configuration."""
    tls, cred = f"{data}/server/tls", f"{data}/server/cred"
    found: dict[str, Made] = {}
    for path, row in (("client-ca", "client-ca"), ("server-ca", "server-ca"), ("request-header-ca",
                                                                               "request-header-ca"),
                      ("etcd/server-ca", "etcd-server-ca"), ("etcd/peer-ca", "etcd-peer-ca")):
        found |= {f"{tls}/{path}.crt": crt(row), f"{tls}/{path}.key": key(row)}
    for path, row, authority in (
            ("client-admin", "admin", "client-ca"),
            ("client-supervisor", "supervisor", "client-ca"),
            ("client-controller", "controller", "client-ca"),
            ("client-scheduler", "scheduler", "client-ca"),
            ("client-kube-apiserver", "kube-apiserver", "client-ca"),
            ("client-kube-proxy", "kube-proxy", "client-ca"),
            ("serving-kube-apiserver", "serving-kube-apiserver", "server-ca"),
            ("client-auth-proxy", "auth-proxy", "request-header-ca"),
            ("etcd/client", "etcd-client", "etcd-server-ca"),
            ("etcd/server-client", "etcd-server", "etcd-server-ca"),
            ("etcd/peer-server-client", "etcd-peer", "etcd-peer-ca")):
        found |= {f"{tls}/{path}.crt": crt(row, authority), f"{tls}/{path}.key": key(row)}
    found |= {f"{tls}/{name}.nochain.crt": crt(name) for name in ("client-ca", "server-ca")}
    found |= {f"{tls}/service.key": key("service"), f"{tls}/service.current.key": key("service")}
    for name, row in (("admin", "client-admin"), ("controller", "client-controller"),
                      ("scheduler", "client-scheduler"), ("supervisor", "client-supervisor")):
        found[f"{cred}/{name}.kubeconfig"] = kubeconfig(
            "user", "https://127.0.0.1:6443" if data == RKE2 else "https://127.0.0.1:6444",
            f"/{tls}/server-ca.crt", f"/{tls}/{row}.crt", f"/{tls}/{row}.key", cluster="local",
            context="Default")
    found[f"{data}/server/db/etcd/config"] = f"""advertise-client-urls: https://10.0.0.61:2379
client-transport-security:
  cert-file: /{tls}/etcd/server-client.crt
  client-cert-auth: true
  key-file: /{tls}/etcd/server-client.key
  trusted-ca-file: /{tls}/etcd/server-ca.crt
data-dir: /{data}/server/db/etcd
election-timeout: 5000
listen-client-urls: https://127.0.0.1:2379,https://10.0.0.61:2379
listen-metrics-urls: http://127.0.0.1:2381
listen-peer-urls: https://127.0.0.1:2380,https://10.0.0.61:2380
name: srv-1-2f1c8a0e
peer-transport-security:
  cert-file: /{tls}/etcd/peer-server-client.crt
  client-cert-auth: true
  key-file: /{tls}/etcd/peer-server-client.key
  trusted-ca-file: /{tls}/etcd/peer-ca.crt
"""
    return found


def _agent_seen(data: str, node: str) -> str:
    agent = f"{data}/agent"
    return f"""
{agent}/serving-kubelet.crt {agent}/server-ca.crt server {node} 127.0.0.1
{agent}/client-kubelet.crt {agent}/client-ca.crt client
{agent}/client-kube-proxy.crt {agent}/client-ca.crt client
"""


def _server_seen(data: str) -> str:
    tls = f"{data}/server/tls"
    return _agent_seen(data, "srv-1") + f"""
{tls}/serving-kube-apiserver.crt {data}/agent/kubelet.kubeconfig#ca server 127.0.0.1 \
kubernetes.default.svc 10.43.0.1
{tls}/client-kube-apiserver.crt {data}/agent/client-ca.crt client
{tls}/client-auth-proxy.crt {tls}/request-header-ca.crt client
{tls}/etcd/server-client.crt {tls}/etcd/server-ca.crt server 127.0.0.1 10.0.0.61
{tls}/etcd/server-client.crt {tls}/etcd/server-ca.crt client
{tls}/etcd/peer-server-client.crt {tls}/etcd/peer-ca.crt server 10.0.0.61
{tls}/etcd/peer-server-client.crt {tls}/etcd/peer-ca.crt client
{tls}/client-scheduler.crt {tls}/client-ca.crt client
"""


def _unit(name: str, role: str) -> str:
    return f"""[Unit]
Description=Lightweight Kubernetes

[Service]
Type=notify
EnvironmentFile=-/etc/systemd/system/{name}.service.env
KillMode=process
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s \\
    {role}
Restart=always
"""


_TLS, _R = f"{K3S}/server/tls", f"{RKE2}/server/tls"
_RKE2_MOUNTS = {f"/{RKE2}/server": f"/{RKE2}/server", f"/{RKE2}/agent": f"/{RKE2}/agent"}

HOSTS = {
    "k3s server": Host(_rows("k3s"), {
        **_agent(K3S, "srv-1"), **_server(K3S),
        "etc/systemd/system/k3s.service": _unit("k3s", "server"),
        "etc/systemd/system/k3s.service.env": "",
        "etc/rancher/k3s/config.yaml": 'cluster-init: true\nwrite-kubeconfig-mode: "0600"\n'
                                       "kube-apiserver-arg:\n  - audit-log-maxage=30\n",
        "etc/rancher/k3s/k3s.yaml":
            kubeconfig("default", "https://127.0.0.1:6443", crt("server-ca"), crt(
                "admin", "client-ca"), key("admin"), cluster="default", context="default")},
                       seen=_server_seen(K3S)),
    "k3s agent": Host(_rows("k3s"), {
        **_agent(K3S, "agent-1"),
        "etc/systemd/system/k3s-agent.service": _unit("k3s-agent", "agent"),
        "etc/systemd/system/k3s-agent.service.env": "K3S_TOKEN='K10abc::server:def'\n"
        "K3S_URL='https://10.0.0.61:6443'\n"},
        seen=_agent_seen(K3S, "agent-1")),
    "RKE2 server": Host(_rows("rke2"), {
        **_agent(RKE2, "srv-1", 6443), **_server(RKE2),
        "usr/local/lib/systemd/system/rke2-server.service":
            "[Service]\nType=notify\n"
            "EnvironmentFile=-/usr/local/lib/systemd/system/%N.env\n"
        "ExecStart=/usr/local/bin/rke2 server\nRestart=always\n",
        "etc/rancher/rke2/config.yaml": "tls-san:\n  - srv-1\n",
        "etc/rancher/rke2/rke2.yaml":
            kubeconfig("default", "https://127.0.0.1:6443", crt("server-ca"), crt(
                "admin", "client-ca"), key("admin"), cluster="default", context="default"),
        f"{RKE2}/agent/pod-manifests/kube-apiserver.yaml": pod("kube-apiserver",
                                                               f"""--advertise-port=6443
            --allow-privileged=true --anonymous-auth=false --authorization-mode=Node,RBAC
            --bind-address=0.0.0.0 --client-ca-file=/{_R}/client-ca.crt
            --etcd-cafile=/{_R}/etcd/server-ca.crt --etcd-certfile=/{_R}/etcd/client.crt
            --etcd-keyfile=/{_R}/etcd/client.key --etcd-servers=https://127.0.0.1:2379
            --kubelet-certificate-authority=/{_R}/server-ca.crt
            --kubelet-client-certificate=/{_R}/client-kube-apiserver.crt
            --kubelet-client-key=/{_R}/client-kube-apiserver.key
            --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname
            --proxy-client-cert-file=/{_R}/client-auth-proxy.crt
            --proxy-client-key-file=/{_R}/client-auth-proxy.key
            --requestheader-allowed-names=system:auth-proxy
            --requestheader-client-ca-file=/{_R}/request-header-ca.crt --secure-port=6443
            --service-account-issuer=https://kubernetes.default.svc.cluster.local
            --service-account-key-file=/{_R}/service.key
            --service-account-signing-key-file=/{_R}/service.current.key
            --service-cluster-ip-range=10.43.0.0/16 --tls-cert-file=/{_R}/serving-kube-apiserver.crt
            --tls-private-key-file=/{_R}/serving-kube-apiserver.key""", _RKE2_MOUNTS),
        f"{RKE2}/agent/pod-manifests/kube-controller-manager.yaml": pod("kube-controller-manager",
                                                                        f"""
            --authentication-kubeconfig=/{RKE2}/server/cred/controller.kubeconfig
            --authorization-kubeconfig=/{RKE2}/server/cred/controller.kubeconfig
            --cluster-signing-kube-apiserver-client-cert-file=/{_R}/client-ca.nochain.crt
            --cluster-signing-kube-apiserver-client-key-file=/{_R}/client-ca.key
            --cluster-signing-kubelet-client-cert-file=/{_R}/client-ca.nochain.crt
            --cluster-signing-kubelet-client-key-file=/{_R}/client-ca.key
            --cluster-signing-kubelet-serving-cert-file=/{_R}/server-ca.nochain.crt
            --cluster-signing-kubelet-serving-key-file=/{_R}/server-ca.key
            --cluster-signing-legacy-unknown-cert-file=/{_R}/client-ca.nochain.crt
            --cluster-signing-legacy-unknown-key-file=/{_R}/client-ca.key
            --kubeconfig=/{RKE2}/server/cred/controller.kubeconfig
            --root-ca-file=/{_R}/server-ca.crt
            --service-account-private-key-file=/{_R}/service.current.key
            --use-service-account-credentials=true""",
                                                                        _RKE2_MOUNTS),
        f"{RKE2}/agent/pod-manifests/kube-scheduler.yaml": pod("kube-scheduler", f"""
            --authentication-kubeconfig=/{RKE2}/server/cred/scheduler.kubeconfig
            --kubeconfig=/{RKE2}/server/cred/scheduler.kubeconfig""", _RKE2_MOUNTS),
        f"{RKE2}/agent/pod-manifests/kube-proxy.yaml": pod("kube-proxy",
                                                           f"""--cluster-cidr=10.42.0.0/16
            --hostname-override=srv-1 --kubeconfig=/{RKE2}/agent/kubeproxy.kubeconfig""",
                                                           _RKE2_MOUNTS),
        f"{RKE2}/agent/pod-manifests/etcd.yaml":
            pod("etcd", f"--config-file=/{RKE2}/server/db/etcd/config", _RKE2_MOUNTS)},
        seen=_server_seen(RKE2) + f"{_R}/etcd/client.crt {_R}/etcd/server-ca.crt client\n"),
    "RKE2 agent": Host(_rows("rke2"), {
        **_agent(RKE2, "agent-1"), "usr/local/lib/systemd/system/rke2-agent.service":
            "[Service]\nType=notify\nExecStart=/usr/local/bin/rke2 agent\nRestart=always\n",
        "etc/rancher/rke2/config.yaml": "server: https://10.0.0.61:9345\n"
        "token: K10abc::server:def\n",
        f"{RKE2}/agent/pod-manifests/kube-proxy.yaml": pod("kube-proxy",
                                                           f"""--cluster-cidr=10.42.0.0/16
            --hostname-override=agent-1 --kubeconfig=/{RKE2}/agent/kubeproxy.kubeconfig""",
                                                           _RKE2_MOUNTS)},
        seen=_agent_seen(RKE2, "agent-1")),
}

_RESTART = "its own manager"
FAULTS = (
    Fault("k3s server", expired("etcd-server"), EXPIRED, f"{_TLS}/etcd/server-client.crt",
          _RESTART),
    Fault("k3s server", gone(f"{_TLS}/etcd/peer-server-client.key"), "file-missing",
          f"{_TLS}/etcd/peer-server-client.key", _RESTART),
    Fault("k3s server", by_stray("etcd-peer"), "etcd-peer-cert",
          f"{_TLS}/etcd/peer-server-client.crt", _RESTART),
    Fault("k3s server", made_so("etcd-server", names="DNS:kine.sock,DNS:localhost"),
          "missing-san-ip", f"{_TLS}/etcd/server-client.crt", _RESTART),
    Fault("k3s server", mode(f"{_TLS}/client-ca.key", 0o644), "key-exposed",
          f"{_TLS}/client-ca.key"),
    Fault("k3s server", expired("scheduler"), "expired-client-cert", f"{_TLS}/client-scheduler.crt",
          _RESTART),
    Fault("k3s agent", expired("agent-1-kubelet"), "expired-client-cert",
          f"{K3S}/agent/client-kubelet.crt", _RESTART),
    Fault("k3s agent", gone(f"{K3S}/agent/client-kube-proxy.key"), "file-missing",
          f"{K3S}/agent/client-kube-proxy.key", _RESTART),
    Fault("k3s agent", empty(f"{K3S}/agent/server-ca.crt"), "bad-pem", f"{K3S}/agent/server-ca.crt",
          _RESTART),
    Fault("k3s agent", made_so("agent-1-kubelet", subject="/O=system:nodes/CN=system:node:agent-2"),
          "wrong-node-identity", f"{K3S}/agent/client-kubelet.crt", _RESTART),
    Fault("k3s agent", holds(f"{K3S}/agent/client-kubelet.key", key("kube-proxy")),
          "key-cert-mismatch", f"{K3S}/agent/client-kubelet.key", _RESTART),
    Fault("RKE2 server", gone(f"{_R}/etcd/client.crt"), "file-missing", f"{_R}/etcd/client.crt",
          _RESTART),
    Fault("RKE2 server", expired("serving-kube-apiserver"), "expired-server-cert",
          f"{_R}/serving-kube-apiserver.crt", _RESTART),
    Fault("RKE2 server",
          made_so("serving-kube-apiserver", names="DNS:kubernetes,DNS:kubernetes.default,DNS:"
                  "kubernetes.default.svc,DNS:srv-1,IP:10.0.0.61,IP:10.43.0.1"), "missing-san-ip",
          f"{_R}/serving-kube-apiserver.crt", _RESTART),
    Fault("RKE2 server", by_stray("auth-proxy"), "front-proxy-ca", f"{_R}/client-auth-proxy.crt",
          _RESTART),
    Fault("RKE2 server", made_so("kube-apiserver", usages="serverAuth"), "wrong-eku",
          f"{_R}/client-kube-apiserver.crt", _RESTART),
    Fault("RKE2 server", by_stray("kube-apiserver"), "unknown-authority",
          f"{_R}/client-kube-apiserver.crt", _RESTART),
    Fault("RKE2 agent", expired("kube-proxy"), "expired-client-cert",
          f"{RKE2}/agent/client-kube-proxy.crt", _RESTART),
    Fault("RKE2 agent", gone(f"{RKE2}/agent/kubeproxy.kubeconfig"), "file-missing",
          f"{RKE2}/agent/kubeproxy.kubeconfig", _RESTART),
    Fault("RKE2 agent", mode(f"{RKE2}/agent/client-kubelet.key", 0o640), "key-exposed",
          f"{RKE2}/agent/client-kubelet.key"),
    Fault("RKE2 agent", by_stray("kube-proxy"), "unknown-authority",
          f"{RKE2}/agent/client-kube-proxy.crt", _RESTART),
)
