"""What runs a kubelet in a container of the host: Typhoon (Flatcar, Fedora CoreOS, an older one),
and CoreOS before."""
from __future__ import annotations

from tests.hosts.kubeadm import own_serving
from tests.hosts.making import (
    CURRENT,
    EXPIRED,
    Fault,
    Files,
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

PKI, ETCD, UNITS, STORE = ("etc/kubernetes/pki", "etc/ssl/etcd/etcd", "etc/systemd/system",
                           "var/lib/kubelet/pki")
SECRETS, SSL = "etc/kubernetes/bootstrap-secrets", "etc/kubernetes/ssl"
_BOTH, _API, _HOST = ("serverAuth,clientAuth", "https://cluster.example.com:6443",
                      "node1.example.com")
_SERVICE = ("DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
            "DNS:kubernetes.default.svc.cluster.local")


def _node(node: str) -> dict[str, Row]:
    return {node: Row(f"/O=system:nodes/CN=system:node:{node}", "ca", "clientAuth"),
            **own_serving(node)}


_ROWS = {
    "ca": ca("/O=typhoon/CN=kubernetes-ca"), "etcd-ca": ca("/O=etcd/CN=etcd-ca"),
    "front-proxy-ca": ca("/CN=kubernetes-front-proxy-ca"),
    "apiserver": Row("/O=system:masters/CN=kube-apiserver", "ca", _BOTH,
                     f"{_SERVICE},DNS:cluster.example.com,IP:10.3.0.1"),
    "aggregation-client": Row("/CN=kube-apiserver", "front-proxy-ca", "clientAuth"),
    "etcd-client": Row("/O=etcd/CN=etcd-client", "etcd-ca", _BOTH,
                       f"DNS:{_HOST},IP:127.0.0.1,DNS:localhost"),
    "server": Row("/O=etcd/CN=etcd-server", "etcd-ca", _BOTH,
                  f"DNS:{_HOST},IP:127.0.0.1,DNS:localhost"),
    "peer": Row("/O=etcd/CN=etcd-peer", "etcd-ca", _BOTH, f"DNS:{_HOST}"),
    "admin": Row("/O=system:masters/CN=kubernetes-admin", "ca", "clientAuth"),
    "controller-manager": Row("/CN=system:kube-controller-manager", "ca", "clientAuth"),
    "scheduler": Row("/CN=system:kube-scheduler", "ca", "clientAuth"),
    "service-account": Row("/CN=unused"),
    **_node(_HOST), **_node("node2.example.com")}


def _flags(node: str, *more: str) -> str:
    words = ("--bootstrap-kubeconfig=/etc/kubernetes/kubeconfig",
             "--config=/etc/kubernetes/kubelet.yaml",
             "--container-runtime-endpoint=unix:///run/containerd/containerd.sock",
             f"--hostname-override={node}", "--kubeconfig=/var/lib/kubelet/kubeconfig", *more)
    return "".join(f" \\\n  {word}" for word in words)


def _kubelet(node: str, unit: str) -> dict[str, Made]:
    pem = f"{STORE}/kubelet-client-2026-10-12-13-14-15.pem"
    return {
        "etc/hostname": node, f"{UNITS}/kubelet.service": unit, "etc/kubernetes/ca.crt": crt("ca"),
        f"{UNITS}/kubelet.path": "[Unit]\nDescription=Watch for kubeconfig\n[Path]\n"
        "PathExists=/etc/kubernetes/kubeconfig\n",
        "etc/kubernetes/kubeconfig": kubeconfig("kubelet", _API, crt("ca"), cluster="local",
                                                context="local", token="abcdef.0123456789abcdef"),
        "var/lib/kubelet/kubeconfig": kubeconfig("default-auth", _API, crt("ca"), f"/{CURRENT}",
                                                 f"/{CURRENT}", cluster="default-cluster",
                                                 context="default-context"),
        pem: joined(crt(node), key(node)), CURRENT: Link(f"/{pem}"),
        f"{STORE}/kubelet.crt": crt(f"{node}-own", f"{node}-own-ca"),
        f"{STORE}/kubelet.key": key(f"{node}-own"),
        "etc/kubernetes/kubelet.yaml":
            kubelet_config("/etc/kubernetes/ca.crt", "rotateCertificates: true",
                           "staticPodPath: /etc/kubernetes/manifests", "readOnlyPort: 0")}


_DERIVE = ("/usr/bin/bash -c \"grep 'certificate-authority-data' /etc/kubernetes/kubeconfig | awk "
           "'{print $2}' | base64 -d " '> /etc/kubernetes/ca.crt"')
_DOCKER = f"""[Unit]
Description=Kubelet (System Container)
Requires=docker.service
[Service]
Environment=KUBELET_IMAGE=quay.io/poseidon/kubelet:v1.36.1
ExecStartPre=/bin/mkdir -p /etc/kubernetes/manifests
ExecStartPre={_DERIVE}
ExecStartPre=/usr/bin/docker run -d \\
  --name kubelet \\
  --privileged \\
  --pid host \\
  --network host \\
  -v /etc/cni/net.d:/etc/cni/net.d:ro \\
  -v /etc/kubernetes:/etc/kubernetes:ro \\
  -v /var/lib/kubelet:/var/lib/kubelet:rshared \\
  ${{KUBELET_IMAGE}}{_flags(_HOST, '--node-labels=node.kubernetes.io/controller="true"')}
ExecStart=docker logs -f kubelet
ExecStop=docker stop kubelet
ExecStopPost=docker rm kubelet
Restart=always
[Install]
WantedBy=multi-user.target
"""


def _podman(node: str, *lines: str) -> str:
    before = "".join(f"{line}\n" for line in lines)
    return f"""[Unit]
Description=Kubelet (System Container)
[Service]
Environment=KUBELET_IMAGE=quay.io/poseidon/kubelet:v1.36.1
{before}ExecStartPre=-/usr/bin/podman rm kubelet
ExecStart=/usr/bin/podman run --name kubelet \\
  --log-driver k8s-file \\
  --privileged \\
  --pid host \\
  --network host \\
  --volume /etc/kubernetes:/etc/kubernetes:ro,z \\
  --volume /var/lib/kubelet:/var/lib/kubelet:rshared,z \\
  --mount type=bind,source=/etc/os-release,target=/etc/os-release,readonly \\
  $KUBELET_IMAGE{_flags(node)}
ExecStop=-/usr/bin/podman stop kubelet
Delegate=yes
Restart=always
[Install]
WantedBy=multi-user.target
"""


_ETCD: Files = {
    f"{ETCD}/server-ca.crt": crt("etcd-ca"), f"{ETCD}/peer-ca.crt": crt("etcd-ca"),
    **pairs(ETCD, "server", "peer"), "etc/etcd/etcd.env": f"""ETCD_NAME=node1
ETCD_DATA_DIR=/var/lib/etcd
ETCD_ADVERTISE_CLIENT_URLS=https://{_HOST}:2379
ETCD_INITIAL_ADVERTISE_PEER_URLS=https://{_HOST}:2380
ETCD_LISTEN_CLIENT_URLS=https://0.0.0.0:2379
ETCD_LISTEN_PEER_URLS=https://0.0.0.0:2380
ETCD_LISTEN_METRICS_URLS=http://0.0.0.0:2381
ETCD_INITIAL_CLUSTER=node1=https://{_HOST}:2380
ETCD_STRICT_RECONFIG_CHECK=true
ETCD_TRUSTED_CA_FILE=/etc/ssl/certs/etcd/server-ca.crt
ETCD_CERT_FILE=/etc/ssl/certs/etcd/server.crt
ETCD_KEY_FILE=/etc/ssl/certs/etcd/server.key
ETCD_CLIENT_CERT_AUTH=true
ETCD_PEER_TRUSTED_CA_FILE=/etc/ssl/certs/etcd/peer-ca.crt
ETCD_PEER_CERT_FILE=/etc/ssl/certs/etcd/peer.crt
ETCD_PEER_KEY_FILE=/etc/ssl/certs/etcd/peer.key
ETCD_PEER_CLIENT_CERT_AUTH=true
""", f"{UNITS}/etcd-member.service": """[Unit]
Description=etcd (System Container)
[Service]
Environment=ETCD_IMAGE=quay.io/coreos/etcd:v3.6.4
ExecStartPre=/usr/bin/docker run -d \\
  --name etcd \\
  --network host \\
  --env-file /etc/etcd/etcd.env \\
  --user 232:232 \\
  --volume /etc/ssl/etcd:/etc/ssl/certs:ro \\
  --volume /var/lib/etcd:/var/lib/etcd:rw \\
  ${ETCD_IMAGE}
ExecStart=docker logs -f etcd
Restart=always
"""}


def _plane(folder: str, here: str) -> dict[str, Made]:
    """The static pods, and the files that they read: *here* on the host, *folder* as a pod sees
    it."""
    mounts = {folder: f"/{here}", "/etc/ssl/certs": "/etc/ssl/certs"}
    return {
        f"{here}/ca.crt": crt("ca"), f"{here}/ca.key": key("ca"),
        **pairs(here, "apiserver", "aggregation-client", "etcd-client"),
        f"{here}/etcd-client-ca.crt": crt("etcd-ca"),
        f"{here}/aggregation-ca.crt": crt("front-proxy-ca"),
        f"{here}/service-account.key": key("service-account"),
        f"{here}/service-account.pub": public("service-account"),
        **{f"{here}/{name}.conf": embedded(user, _API, "ca", name, cluster="cluster",
                                           context="cluster-context")
           for name, user in (("admin", "kubernetes-admin"),
                              ("controller-manager", "controller-manager"),
                              ("scheduler", "scheduler"))},
        "etc/kubernetes/manifests/kube-apiserver.yaml": pod("kube-apiserver",
                                                            f"""--advertise-address=$(POD_IP)
            --allow-privileged=true --anonymous-auth=false --authorization-mode=Node,RBAC
            --client-ca-file={folder}/ca.crt --enable-admission-plugins=NodeRestriction
            --etcd-cafile={folder}/etcd-client-ca.crt --etcd-certfile={folder}/etcd-client.crt
            --etcd-keyfile={folder}/etcd-client.key --etcd-servers=https://{_HOST}:2379
            --kubelet-client-certificate={folder}/apiserver.crt
            --kubelet-client-key={folder}/apiserver.key
            --kubelet-preferred-address-types=InternalIP,ExternalIP,InternalDNS,ExternalDNS,Hostname
            --proxy-client-cert-file={folder}/aggregation-client.crt
            --proxy-client-key-file={folder}/aggregation-client.key
            --requestheader-client-ca-file={folder}/aggregation-ca.crt
            --requestheader-group-headers=X-Remote-Group --secure-port=6443
            --service-account-issuer=https://kubernetes.default.svc.cluster.local
            --service-account-key-file={folder}/service-account.pub
            --service-account-signing-key-file={folder}/service-account.key
            --service-cluster-ip-range=10.3.0.0/16 --tls-cert-file={folder}/apiserver.crt
            --tls-private-key-file={folder}/apiserver.key""",
                                                            mounts),
        "etc/kubernetes/manifests/kube-controller-manager.yaml": pod("kube-controller-manager", f"""
            --authentication-kubeconfig={folder}/controller-manager.conf
            --authorization-kubeconfig={folder}/controller-manager.conf
            --client-ca-file={folder}/ca.crt --cluster-signing-cert-file={folder}/ca.crt
            --cluster-signing-key-file={folder}/ca.key --kubeconfig={folder}/controller-manager.conf
            --root-ca-file={folder}/ca.crt
            --service-account-private-key-file={folder}/service-account.key""", mounts),
        "etc/kubernetes/manifests/kube-scheduler.yaml": pod(
            "kube-scheduler", f"--authentication-kubeconfig={folder}/scheduler.conf "
            f"--kubeconfig={folder}/scheduler.conf",
            mounts)}


def _plane_seen(here: str) -> str:
    return f"""
{here}/apiserver.crt {here}/ca.crt server cluster.example.com kubernetes.default.svc 10.3.0.1
{here}/apiserver.crt etc/kubernetes/ca.crt client
{here}/etcd-client.crt {here}/etcd-client-ca.crt client
{here}/aggregation-client.crt {here}/aggregation-ca.crt client
{here}/scheduler.conf#user {here}/ca.crt client
{CURRENT} {here}/ca.crt client
"""


_ETCD_SEEN = f"""
{ETCD}/server.crt {PKI}/etcd-client-ca.crt server {_HOST}
{ETCD}/server.crt {ETCD}/server-ca.crt client
{ETCD}/peer.crt {ETCD}/peer-ca.crt server {_HOST}
{ETCD}/peer.crt {ETCD}/peer-ca.crt client
{PKI}/etcd-client.crt {ETCD}/server-ca.crt client
"""
_UNVERIFIED = ("kubelet-serving-self-signed",)

# coreos-kubernetes: multi-node/generic/{controller,worker}-install.sh and its openssl.md. No
# kubelet's kubeconfig has a server: --api-servers tells that.
_COREOS = {
    "coreos-ca": ca("/CN=kube-ca", "req-ca", days=10000),
    "coreos-apiserver": Row("/CN=kube-apiserver", "coreos-ca", "",
                            f"{_SERVICE},IP:10.3.0.1,IP:172.17.4.101", shape="v3_req"),
    "coreos-worker": Row("/CN=w1.example.com", "coreos-ca", "", "IP:172.17.4.201", shape="v3_req")}
_COREOS_KUBECONFIG = f"""apiVersion: v1
kind: Config
clusters:
- name: local
  cluster:
    certificate-authority: /{SSL}/ca.pem
users:
- name: kubelet
  user:
    client-certificate: /{SSL}/worker.pem
    client-key: /{SSL}/worker-key.pem
contexts:
- context:
    cluster: local
    user: kubelet
  name: kubelet-context
current-context: kubelet-context
"""


def _wrapper(*flags: str) -> str:
    words = "".join(f" \\\n  {word}" for word in flags)
    return f"""[Service]
Environment=KUBELET_VERSION=v1.5.4_coreos.0
ExecStartPre=/usr/bin/mkdir -p /etc/kubernetes/manifests
ExecStart=/usr/lib/coreos/kubelet-wrapper{words}
Restart=always
RestartSec=10

[Install]
WantedBy=multi-user.target
"""


_SSL_MOUNT = {f"/{SSL}": f"/{SSL}",
              "/etc/kubernetes/worker-kubeconfig.yaml": "/etc/kubernetes/worker-kubeconfig.yaml"}

HOSTS = {
    "Typhoon Flatcar controller": Host(
        _ROWS, {**_kubelet(_HOST, _DOCKER), **_ETCD, **_plane(f"/{PKI}", PKI)},
        seen=_plane_seen(PKI) + _ETCD_SEEN, warnings=_UNVERIFIED, address="10.0.0.91",
        mounts={"/etc/ssl/certs": "/etc/ssl/etcd"},
        given={"etcd_ca": "etcd-ca", "front_proxy_ca": "front-proxy-ca"}),
    "Typhoon, older, controller": Host(
        _ROWS, {**_kubelet(_HOST, _podman(_HOST)), **_plane("/etc/kubernetes/secrets", SECRETS)},
        seen=_plane_seen(SECRETS), warnings=_UNVERIFIED, address="10.0.0.91",
        mounts={"/etc/kubernetes/secrets": f"/{SECRETS}"},
        given={"etcd_ca": "etcd-ca", "front_proxy_ca": "front-proxy-ca"}),
    "Typhoon Fedora worker": Host(
        _ROWS,
        _kubelet("node2.example.com", _podman("node2.example.com", f"ExecStartPre={_DERIVE}")),
        seen=f"{CURRENT} etc/kubernetes/ca.crt client\n", warnings=_UNVERIFIED, given={"ca": "ca"},
        address="10.0.0.92"),
    "CoreOS controller": Host(_COREOS, {
        "etc/hostname": "c1.example.com\n", f"{SSL}/ca.pem": crt("coreos-ca"),
        **pair(f"{SSL}/apiserver.pem", f"{SSL}/apiserver-key.pem", "coreos-apiserver"),
        f"{UNITS}/kubelet.service": _wrapper(
            "--api-servers=http://127.0.0.1:8080", "--register-schedulable=false",
            "--allow-privileged=true", "--pod-manifest-path=/etc/kubernetes/manifests",
            "--hostname-override=172.17.4.101"),
        "etc/kubernetes/manifests/kube-apiserver.yaml":
            pod("kube-apiserver", f"""--bind-address=0.0.0.0
            --etcd-servers=http://172.17.4.51:2379 --allow-privileged=true
            --service-cluster-ip-range=10.3.0.0/24 --secure-port=443
            --advertise-address=172.17.4.101 --tls-cert-file=/{SSL}/apiserver.pem
            --tls-private-key-file=/{SSL}/apiserver-key.pem --client-ca-file=/{SSL}/ca.pem
            --service-account-key-file=/{SSL}/apiserver-key.pem --anonymous-auth=false""",
                {f"/{SSL}": f"/{SSL}"}, program="/hyperkube apiserver"),
        "etc/kubernetes/manifests/kube-controller-manager.yaml":
            pod("kube-controller-manager", f"""
            --master=http://127.0.0.1:8080 --leader-elect=true
            --service-account-private-key-file=/{SSL}/apiserver-key.pem
            --root-ca-file=/{SSL}/ca.pem""",
                {f"/{SSL}": f"/{SSL}"},
                program="/hyperkube controller-manager")},
        seen=f"{SSL}/apiserver.pem {SSL}/ca.pem server kubernetes.default.svc 10.3.0.1 "
                              "172.17.4.101\n",
        warnings=("strict-refused",), given={"ca": "coreos-ca"}),
    "CoreOS worker": Host(_COREOS, {
        "etc/hostname": "w1.example.com\n", f"{SSL}/ca.pem": crt("coreos-ca"),
        **pair(f"{SSL}/w1.example.com-worker.pem", f"{SSL}/w1.example.com-worker-key.pem",
               "coreos-worker"),
        f"{SSL}/worker.pem": Link("w1.example.com-worker.pem"),
        f"{SSL}/worker-key.pem": Link("w1.example.com-worker-key.pem"),
        "etc/kubernetes/worker-kubeconfig.yaml": _COREOS_KUBECONFIG,
        f"{UNITS}/kubelet.service": _wrapper(
            "--api-servers=https://172.17.4.101:443", "--register-node=true",
            "--allow-privileged=true", "--pod-manifest-path=/etc/kubernetes/manifests",
            "--hostname-override=172.17.4.201",
            "--kubeconfig=/etc/kubernetes/worker-kubeconfig.yaml",
            f"--tls-cert-file=/{SSL}/worker.pem", f"--tls-private-key-file=/{SSL}/worker-key.pem"),
        "etc/kubernetes/manifests/kube-proxy.yaml": pod("kube-proxy",
                                                        """--master=https://172.17.4.101:443
            --kubeconfig=/etc/kubernetes/worker-kubeconfig.yaml""", _SSL_MOUNT,
                                                        program="/hyperkube proxy")},
        seen=f"{SSL}/worker.pem {SSL}/ca.pem client\n"
                          f"{SSL}/worker.pem {SSL}/ca.pem server 172.17.4.201\n",
        warnings=("strict-refused", "wrong-subject"), given={"ca": "coreos-ca"}),
}

FAULTS = (
    Fault("Typhoon Flatcar controller", expired("server"), EXPIRED, f"{ETCD}/server.crt"),
    Fault("Typhoon Flatcar controller", gone(f"{ETCD}/peer.key"), "file-missing",
          f"{ETCD}/peer.key"),
    Fault("Typhoon Flatcar controller", made_so("server", names="DNS:localhost,IP:127.0.0.1"),
          "missing-san-dns", f"{ETCD}/server.crt"),
    Fault("Typhoon Flatcar controller", by_stray("etcd-client"), "etcd-peer-cert",
          f"{PKI}/etcd-client.crt"),
    Fault("Typhoon Flatcar controller",
          made_so(_HOST, subject="/O=system:nodes/CN=system:node:node2.example.com"),
          "wrong-node-identity", CURRENT),
    Fault("Typhoon, older, controller", gone(f"{SECRETS}/apiserver.key"), "file-missing",
          f"{SECRETS}/apiserver.key"),
    Fault("Typhoon, older, controller", made_so("apiserver", names=f"{_SERVICE},IP:10.3.0.1"),
          "missing-san-dns", f"{SECRETS}/apiserver.crt"),
    Fault("Typhoon, older, controller", made_so("apiserver", usages="serverAuth"), "wrong-eku",
          f"{SECRETS}/apiserver.crt"),
    Fault("Typhoon, older, controller", by_stray("aggregation-client"), "front-proxy-ca",
          f"{SECRETS}/aggregation-client.crt"),
    Fault("Typhoon, older, controller", expired("scheduler"), "expired-client-cert",
          f"{SECRETS}/scheduler.conf#users/scheduler"),
    Fault("Typhoon Fedora worker", expired("node2.example.com"), "expired-client-cert", CURRENT),
    Fault("Typhoon Fedora worker",
          made_so("node2.example.com", subject="/O=system:nodes/CN=system:node:node2"),
          "hostname-case-fqdn", CURRENT),
    Fault("Typhoon Fedora worker", by_stray("node2.example.com"), "unknown-authority", CURRENT),
    Fault("Typhoon Fedora worker", gone("etc/kubernetes/kubelet.yaml"), "file-missing",
          "etc/kubernetes/kubelet.yaml", "a person"),
    Fault("Typhoon Fedora worker", made_so("node2.example.com", usages="serverAuth"), "wrong-eku",
          CURRENT),
    Fault("CoreOS controller", made_so("coreos-apiserver", names=f"{_SERVICE},IP:10.3.0.1"),
          "missing-san-ip", f"{SSL}/apiserver.pem"),
    Fault("CoreOS controller", expired("coreos-apiserver"), "expired-server-cert",
          f"{SSL}/apiserver.pem"),
    Fault("CoreOS controller", empty(f"{SSL}/ca.pem"), "bad-pem", f"{SSL}/ca.pem"),
    Fault("CoreOS controller", gone(f"{SSL}/apiserver.pem"), "file-missing",
          f"{SSL}/apiserver.pem"),
    Fault("CoreOS worker", gone(f"{SSL}/w1.example.com-worker.pem"), "file-missing",
          f"{SSL}/worker.pem"),
    Fault("CoreOS worker", expired("coreos-worker"), EXPIRED, f"{SSL}/worker.pem"),
    Fault("CoreOS worker", holds(f"{SSL}/w1.example.com-worker-key.pem", key("coreos-apiserver")),
          "key-cert-mismatch", f"{SSL}/worker-key.pem"),
    Fault("CoreOS worker", by_stray("coreos-worker"), "unknown-authority", f"{SSL}/worker.pem"),
    Fault("CoreOS worker", mode(f"{SSL}/w1.example.com-worker-key.pem", 0o644), "key-exposed",
          f"{SSL}/worker-key.pem"),
)
