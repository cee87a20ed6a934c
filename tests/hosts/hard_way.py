"""Kubernetes the Hard Way (Hightower) by year: tags 1.9.0 (2017) and 1.18.6 (2020), the text of
2023 and later."""
from __future__ import annotations

from tests.hosts.making import (
    EXPIRED,
    Fault,
    Files,
    Host,
    by_stray,
    crt,
    embedded,
    empty,
    expired,
    gone,
    holds,
    key,
    kubelet_config,
    made_so,
    mode,
    pair,
    proxy_config,
    unit,
)
from tests.hosts.pki import Row, ca

LIB, KUBELET, UNITS = "var/lib/kubernetes", "var/lib/kubelet", "etc/systemd/system"
_PLACE = "/C=US/ST=Oregon/L=Portland"
_BOTH = "serverAuth,clientAuth"


def _rows(api_names: str) -> dict[str, Row]:
    """docs/04 of the years with cfssl: one CA, and both usages everywhere."""
    def row(name: str, group: str, names: str = "") -> Row:
        return Row(f"{_PLACE}/O={group}/OU=Kubernetes The Hard Way/CN={name}", "ca", _BOTH, names,
                   shape="cfssl")
    return {"ca": ca(f"{_PLACE}/O=Kubernetes/OU=CA/CN=Kubernetes", "cfssl-ca", days=1825),
            "admin": row("admin", "system:masters"),
            "worker-0": row("system:node:worker-0", "system:nodes",
                            "DNS:worker-0,IP:198.51.100.20,IP:10.240.0.20"),
            "kube-proxy": row("system:kube-proxy", "system:node-proxier"),
            "kube-controller-manager": row("system:kube-controller-manager",
                                           "system:kube-controller-manager"),
            "kube-scheduler": row("system:kube-scheduler", "system:kube-scheduler"),
            "kubernetes": row("kubernetes", "Kubernetes", api_names),
            "service-account": row("service-accounts", "Kubernetes")}


_NAMES_2017 = ("IP:10.32.0.1,IP:10.240.0.10,IP:10.240.0.11,IP:10.240.0.12,IP:198.51.100.1,"
               "IP:127.0.0.1,DNS:kubernetes.default")
_NAMES_2020 = ("IP:10.32.0.1,IP:10.240.0.10,IP:10.240.0.11,IP:10.240.0.12,IP:198.51.100.1,"
               "IP:127.0.0.1,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
               "DNS:kubernetes.default.svc.cluster,DNS:kubernetes.svc.cluster.local")
_CLUSTER = {"cluster": "kubernetes-the-hard-way", "context": "default"}
_ETCD = ("https://10.240.0.10:2379", "https://10.240.0.11:2379", "https://10.240.0.12:2379")
_LOGIN = {"var/lib/kube-proxy/kubeconfig": embedded("kube-proxy", "https://198.51.100.1:6443", "ca",
                                                    "kube-proxy", **_CLUSTER)}


def _etcd() -> Files:
    return {"etc/etcd/ca.pem": crt("ca"),
            **pair("etc/etcd/kubernetes.pem", "etc/etcd/kubernetes-key.pem", "kubernetes"),
            f"{UNITS}/etcd.service": unit("/usr/local/bin/etcd", """--name=controller-0
                --cert-file=/etc/etcd/kubernetes.pem --key-file=/etc/etcd/kubernetes-key.pem
                --peer-cert-file=/etc/etcd/kubernetes.pem
                --peer-key-file=/etc/etcd/kubernetes-key.pem --trusted-ca-file=/etc/etcd/ca.pem
                --peer-trusted-ca-file=/etc/etcd/ca.pem --peer-client-cert-auth --client-cert-auth
                --initial-advertise-peer-urls=https://10.240.0.10:2380
                --listen-peer-urls=https://10.240.0.10:2380
                --listen-client-urls=https://10.240.0.10:2379,https://127.0.0.1:2379
                --advertise-client-urls=https://10.240.0.10:2379
                --initial-cluster-token=etcd-cluster-0
       --initial-cluster=controller-0=https://10.240.0.10:2380,controller-1=https://10.240.0.11:2380
                --initial-cluster-state=new --data-dir=/var/lib/etcd""".replace("--name=",
                                                                                "--name ")
                                          .replace("-urls=", "-urls "), "Type=notify")}


_API = f"""--advertise-address=10.240.0.10 --allow-privileged=true --apiserver-count=3
    --authorization-mode=Node,RBAC --bind-address=0.0.0.0 --client-ca-file=/{LIB}/ca.pem
    --etcd-cafile=/{LIB}/ca.pem --etcd-certfile=/{LIB}/kubernetes.pem
    --etcd-keyfile=/{LIB}/kubernetes-key.pem --etcd-servers={",".join(_ETCD)}
    --kubelet-certificate-authority=/{LIB}/ca.pem --kubelet-client-certificate=/{LIB}/kubernetes.pem
    --kubelet-client-key=/{LIB}/kubernetes-key.pem --kubelet-https=true --runtime-config=api/all
    --service-cluster-ip-range=10.32.0.0/24 --tls-cert-file=/{LIB}/kubernetes.pem
    --tls-private-key-file=/{LIB}/kubernetes-key.pem --v=2"""
_KCM = f"""--cluster-cidr=10.200.0.0/16 --cluster-name=kubernetes
    --cluster-signing-cert-file=/{LIB}/ca.pem --cluster-signing-key-file=/{LIB}/ca-key.pem
    --leader-elect=true --root-ca-file=/{LIB}/ca.pem --service-cluster-ip-range=10.32.0.0/24"""
_CONTROLLER = {"etc/hostname": "controller-0\n", f"{LIB}/ca.pem": crt("ca"),
               f"{LIB}/ca-key.pem": key("ca"),
               **pair(f"{LIB}/kubernetes.pem", f"{LIB}/kubernetes-key.pem", "kubernetes"),
               **_etcd()}
_WORKER_PAIR = {"etc/hostname": "worker-0\n", f"{LIB}/ca.pem": crt("ca"),
                **pair(f"{KUBELET}/worker-0.pem", f"{KUBELET}/worker-0-key.pem", "worker-0"),
                f"{KUBELET}/kubeconfig": embedded("system:node:worker-0",
                                                  "https://198.51.100.1:6443", "ca", "worker-0",
                                                  **_CLUSTER), **_LOGIN}
_CONTROLLER_SEEN = """
var/lib/kubernetes/kubernetes.pem var/lib/kubernetes/ca.pem server 10.240.0.10 127.0.0.1 \
kubernetes.default 10.32.0.1
var/lib/kubernetes/kubernetes.pem etc/etcd/ca.pem client
etc/etcd/kubernetes.pem etc/etcd/ca.pem server 10.240.0.10 127.0.0.1
etc/etcd/kubernetes.pem etc/etcd/ca.pem client
"""
_WORKER_SEEN = """
var/lib/kubelet/worker-0.pem var/lib/kubernetes/ca.pem server worker-0 10.240.0.20
var/lib/kubelet/kubeconfig#user var/lib/kubernetes/ca.pem client
var/lib/kube-proxy/kubeconfig#user var/lib/kubernetes/ca.pem client
"""

# 2023: docs/04, ca.conf (its two slips of names included)
_2023 = "/C=US/ST=Washington/L=Seattle"


def _conf(subject: str, names: str = "", usages: str = _BOTH) -> Row:
    return Row(subject, "ca", usages, names, shape="hard-way", days=3653)


_ROWS_2023 = {
    "ca": ca(f"{_2023}/CN=CA", "hard-way-ca", days=3653),
    "node-0": _conf(f"/CN=system:node:node-0/O=system:nodes{_2023}", "DNS:node-0,IP:127.0.0.1"),
    "kube-proxy": _conf(f"/CN=system:kube-proxy/O=system:node-proxier{_2023}",
                        "DNS:kube-proxy,IP:127.0.0.1"),
    "kube-controller-manager":
        _conf(f"/CN=system:kube-controller-manager/O=system:kube-controller-manager{_2023}",
              "DNS:kube-controller-manager,IP:127.0.0.1"),
    "kube-scheduler": _conf(f"/CN=system:kube-scheduler/O=system:system:kube-scheduler{_2023}",
                            "DNS:kube-scheduler,IP:127.0.0.1"),
    "kube-api-server": _conf(f"/CN=kubernetes{_2023}",
                             "IP:127.0.0.1,IP:10.32.0.1,DNS:kubernetes,DNS:kubernetes.default,"
                             "DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster,"
                             "DNS:kubernetes.svc.cluster.local,"
                             "DNS:server.kubernetes.local,DNS:api-server.kubernetes.local"),
    "service-accounts": _conf("/CN=service-accounts", usages="clientAuth")}
_SERVER = "https://server.kubernetes.local:6443"

HOSTS = {
    # SA tokens are signed by the CA's own key; the other components use the insecure port
    "hard way 1.9 controller": Host(_rows(_NAMES_2017), {
        **_CONTROLLER,
        f"{UNITS}/kube-apiserver.service": unit("/usr/local/bin/kube-apiserver",
                                                f"{_API} --insecure-bind-address=127.0.0.1 "
                                                f"--service-account-key-file=/{LIB}/ca-key.pem "
                                                f"--tls-ca-file=/{LIB}/ca.pem"),
        f"{UNITS}/kube-controller-manager.service": unit(
            "/usr/local/bin/kube-controller-manager", f"{_KCM} --address=0.0.0.0 "
            f"--master=http://127.0.0.1:8080 --service-account-private-key-file=/{LIB}/ca-key.pem"),
        f"{UNITS}/kube-scheduler.service":
            unit("/usr/local/bin/kube-scheduler",
                 "--leader-elect=true --master=http://127.0.0.1:8080")},
        seen=_CONTROLLER_SEEN),
    "hard way 1.9 worker": Host(_rows(_NAMES_2017), {
        **_WORKER_PAIR,
        f"{UNITS}/kubelet.service": unit("/usr/local/bin/kubelet",
                                         f"""--allow-privileged=true --anonymous-auth=false
            --authorization-mode=Webhook --client-ca-file=/{LIB}/ca.pem --cloud-provider=
            --cluster-dns=10.32.0.10 --kubeconfig=/{KUBELET}/kubeconfig --network-plugin=cni
            --register-node=true --tls-cert-file=/{KUBELET}/worker-0.pem
            --tls-private-key-file=/{KUBELET}/worker-0-key.pem --v=2"""),
        f"{UNITS}/kube-proxy.service": unit("/usr/local/bin/kube-proxy",
                                            """--cluster-cidr=10.200.0.0/16
            --kubeconfig=/var/lib/kube-proxy/kubeconfig --proxy-mode=iptables --v=2""")},
        seen=_WORKER_SEEN, given={"ca": "ca"}),
    "hard way 1.18 controller": Host(_rows(_NAMES_2020), {
        **_CONTROLLER,
        **pair(f"{LIB}/service-account.pem", f"{LIB}/service-account-key.pem", "service-account"),
        **{f"{LIB}/{name}.kubeconfig": embedded(f"system:{name}", "https://127.0.0.1:6443", "ca",
                                                name, **_CLUSTER)
           for name in ("kube-controller-manager", "kube-scheduler")},
        f"{UNITS}/kube-apiserver.service":
            unit("/usr/local/bin/kube-apiserver",
                 f"{_API} --service-account-key-file=/{LIB}/service-account.pem"),
        f"{UNITS}/kube-controller-manager.service": unit(
            "/usr/local/bin/kube-controller-manager", f"""{_KCM} --bind-address=0.0.0.0
            --kubeconfig=/{LIB}/kube-controller-manager.kubeconfig
            --service-account-private-key-file=/{LIB}/service-account-key.pem
            --use-service-account-credentials=true"""),
        f"{UNITS}/kube-scheduler.service":
            unit("/usr/local/bin/kube-scheduler",
                 "--config=/etc/kubernetes/config/kube-scheduler.yaml --v=2"),
        "etc/kubernetes/config/kube-scheduler.yaml":
            "apiVersion: kubescheduler.config.k8s.io/v1alpha1\nkind: KubeSchedulerConfiguration\n"
        "clientConnection:\n"
            '  kubeconfig: "/var/lib/kubernetes/kube-scheduler.kubeconfig"\nleaderElection:\n'
        '  leaderElect: true\n'},
        seen=_CONTROLLER_SEEN + "var/lib/kubernetes/kube-scheduler.kubeconfig#user "
                                     "var/lib/kubernetes/ca.pem client\n"
                                     "var/lib/kubernetes/kubernetes.pem var/lib/kubernetes/kube-"
                                     "scheduler.kubeconfig#ca server 127.0.0.1\n"),
    "hard way 1.18 worker": Host(_rows(_NAMES_2020), {
        **_WORKER_PAIR,
        f"{KUBELET}/kubelet-config.yaml": kubelet_config(
            f'"/{LIB}/ca.pem"', 'clusterDomain: "cluster.local"', 'tlsCertFile: '
            f'"/{KUBELET}/worker-0.pem"', f'tlsPrivateKeyFile: "/{KUBELET}/worker-0-key.pem"'),
        f"{UNITS}/kubelet.service": unit("/usr/local/bin/kubelet",
                                         f"""--config=/{KUBELET}/kubelet-config.yaml
            --container-runtime=remote
            --container-runtime-endpoint=unix:///var/run/containerd/containerd.sock
            --image-pull-progress-deadline=2m --kubeconfig=/{KUBELET}/kubeconfig
            --network-plugin=cni --register-node=true --v=2"""),
        "var/lib/kube-proxy/kube-proxy-config.yaml":
            proxy_config('"/var/lib/kube-proxy/kubeconfig"'),
        f"{UNITS}/kube-proxy.service": unit("/usr/local/bin/kube-proxy",
                                            "--config=/var/lib/kube-proxy/kube-proxy-config.yaml")},
        seen=_WORKER_SEEN, given={"ca": "ca"}),
    "hard way 2023 server": Host(_ROWS_2023, {
        "etc/hostname": "server\n", **pair(f"{LIB}/ca.crt", f"{LIB}/ca.key", "ca"),
        **pair(f"{LIB}/kube-api-server.crt", f"{LIB}/kube-api-server.key", "kube-api-server"),
        **pair(f"{LIB}/service-accounts.crt", f"{LIB}/service-accounts.key", "service-accounts"),
        **{f"{LIB}/{name}.kubeconfig": embedded(f"system:{name}", _SERVER, "ca", name, **_CLUSTER)
           for name in ("kube-controller-manager", "kube-scheduler")},
        "etc/etcd/ca.crt": crt("ca"),
        **pair("etc/etcd/kube-api-server.crt", "etc/etcd/kube-api-server.key", "kube-api-server"),
        f"{UNITS}/etcd.service": unit("/usr/local/bin/etcd", """--name=controller
            --initial-advertise-peer-urls=http://127.0.0.1:2380
            --listen-peer-urls=http://127.0.0.1:2380 --listen-client-urls=http://127.0.0.1:2379
            --advertise-client-urls=http://127.0.0.1:2379
            --data-dir=/var/lib/etcd""".replace("=", " "), "Type=notify"),
        f"{UNITS}/kube-apiserver.service": unit("/usr/local/bin/kube-apiserver",
                                                f"""--allow-privileged=true
            --audit-log-path=/var/log/audit.log --authorization-mode=Node,RBAC
            --bind-address=0.0.0.0 --client-ca-file=/{LIB}/ca.crt
            --etcd-servers=http://127.0.0.1:2379
            --encryption-provider-config=/{LIB}/encryption-config.yaml
            --kubelet-certificate-authority=/{LIB}/ca.crt
            --kubelet-client-certificate=/{LIB}/kube-api-server.crt
            --kubelet-client-key=/{LIB}/kube-api-server.key --runtime-config=api/all=true
            --service-account-key-file=/{LIB}/service-accounts.crt
            --service-account-signing-key-file=/{LIB}/service-accounts.key
            --service-account-issuer={_SERVER} --service-node-port-range=30000-32767
            --tls-cert-file=/{LIB}/kube-api-server.crt
            --tls-private-key-file=/{LIB}/kube-api-server.key --v=2"""),
        f"{LIB}/encryption-config.yaml": "kind: EncryptionConfiguration\n"
        "apiVersion: apiserver.config.k8s.io/v1\nresources:\n  - resources:\n      - secrets\n"
        "    providers:\n      - identity: {}\n",
        f"{UNITS}/kube-controller-manager.service": unit("/usr/local/bin/kube-controller-manager",
                                                         f"""--bind-address=0.0.0.0
            --cluster-cidr=10.200.0.0/16 --cluster-name=kubernetes
            --cluster-signing-cert-file=/{LIB}/ca.crt --cluster-signing-key-file=/{LIB}/ca.key
            --kubeconfig=/{LIB}/kube-controller-manager.kubeconfig --root-ca-file=/{LIB}/ca.crt
            --service-account-private-key-file=/{LIB}/service-accounts.key
            --service-cluster-ip-range=10.32.0.0/24 --use-service-account-credentials=true
            --v=2"""),
        "etc/kubernetes/config/kube-scheduler.yaml":
            "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
        "clientConnection:\n"
            '  kubeconfig: "/var/lib/kubernetes/kube-scheduler.kubeconfig"\nleaderElection:\n'
        '  leaderElect: true\n',
        f"{UNITS}/kube-scheduler.service":
            unit("/usr/local/bin/kube-scheduler",
                 "--config=/etc/kubernetes/config/kube-scheduler.yaml --v=2")},
        seen="""
var/lib/kubernetes/kube-api-server.crt var/lib/kubernetes/ca.crt server server.kubernetes.local \
127.0.0.1
var/lib/kubernetes/kube-api-server.crt var/lib/kubernetes/ca.crt client
var/lib/kubernetes/kube-controller-manager.kubeconfig#user var/lib/kubernetes/ca.crt client
var/lib/kubernetes/kube-api-server.crt var/lib/kubernetes/kube-scheduler.kubeconfig#ca server \
server.kubernetes.local
""", warnings=("strict-refused",)),
    "hard way 2023 node": Host(_ROWS_2023, {
        "etc/hostname": "node-0\n", f"{KUBELET}/ca.crt": crt("ca"),
        **pair(f"{KUBELET}/kubelet.crt", f"{KUBELET}/kubelet.key", "node-0"),
        f"{KUBELET}/kubeconfig": embedded("system:node:node-0", _SERVER, "ca", "node-0",
                                          **_CLUSTER),
        "var/lib/kube-proxy/kubeconfig": embedded("system:kube-proxy", _SERVER, "ca", "kube-proxy",
                                                  **_CLUSTER),
        "var/lib/kube-proxy/kube-proxy-config.yaml":
            proxy_config('"/var/lib/kube-proxy/kubeconfig"'),
        f"{UNITS}/kube-proxy.service": unit("/usr/local/bin/kube-proxy",
                                            "--config=/var/lib/kube-proxy/kube-proxy-config.yaml"),
        f"{KUBELET}/kubelet-config.yaml": kubelet_config(
            f'"/{KUBELET}/ca.crt"', 'address: "0.0.0.0"', "registerNode: true",
            f'tlsCertFile: "/{KUBELET}/kubelet.crt"',
            f'tlsPrivateKeyFile: "/{KUBELET}/kubelet.key"'),
        f"{UNITS}/kubelet.service": unit("/usr/local/bin/kubelet",
                                         f"""--config=/{KUBELET}/kubelet-config.yaml
            --kubeconfig=/{KUBELET}/kubeconfig --v=2""")},
        seen="var/lib/kubelet/kubelet.crt var/lib/kubelet/ca.crt server node-0\n"
             "var/lib/kubelet/kubeconfig#user var/lib/kubelet/ca.crt client\n"
             "var/lib/kube-proxy/kubeconfig#user var/lib/kubelet/ca.crt client\n",
        warnings=("strict-refused",), given={"ca": "ca"}, address="10.240.0.20"),
}

FAULTS = (
    Fault("hard way 1.9 controller", expired("kubernetes", at=f"{LIB}/kubernetes.pem"), EXPIRED,
          f"{LIB}/kubernetes.pem"),
    Fault("hard way 1.9 controller", gone(f"{LIB}/ca.pem"), "file-missing", f"{LIB}/ca.pem"),
    Fault("hard way 1.9 controller", made_so("kubernetes", at="etc/etcd/kubernetes.pem",
                                             names="DNS:kubernetes.default,IP:127.0.0.1"),
          "missing-san-ip",
          "etc/etcd/kubernetes.pem"),
    Fault("hard way 1.9 controller", mode(f"{LIB}/ca-key.pem", 0o644), "key-exposed",
          f"{LIB}/ca-key.pem"),
    Fault("hard way 1.9 worker", gone(f"{KUBELET}/worker-0.pem"), "file-missing",
          f"{KUBELET}/worker-0.pem"),
    Fault("hard way 1.9 worker", expired("worker-0", at=f"{KUBELET}/kubeconfig"),
          "expired-client-cert", f"{KUBELET}/kubeconfig#users/system:node:worker-0"),
    Fault("hard way 1.9 worker", made_so(
        "worker-0", at=f"{KUBELET}/kubeconfig", subject="/O=system:nodes/CN=system:node:worker-1"),
          "wrong-node-identity", f"{KUBELET}/kubeconfig#users/system:node:worker-0"),
    Fault("hard way 1.9 worker", empty(f"{LIB}/ca.pem"), "bad-pem", f"{LIB}/ca.pem"),
    Fault("hard way 1.9 worker", by_stray("kube-proxy"), "unknown-authority",
          "var/lib/kube-proxy/kubeconfig#users/kube-proxy"),
    Fault("hard way 1.18 controller",
          made_so("kubernetes", at=f"{LIB}/kubernetes.pem", names=_NAMES_2020.replace(
              "IP:127.0.0.1,", "")), "missing-san-ip", f"{LIB}/kubernetes.pem"),
    Fault("hard way 1.18 controller", expired("kube-scheduler"), "expired-client-cert",
          f"{LIB}/kube-scheduler.kubeconfig#users/system:kube-scheduler"),
    Fault("hard way 1.18 controller", by_stray("kubernetes", at="etc/etcd/kubernetes.pem"),
          "etcd-peer-cert", "etc/etcd/kubernetes.pem"),
    Fault("hard way 1.18 controller", holds(f"{LIB}/kubernetes-key.pem", key("admin")),
          "key-cert-mismatch", f"{LIB}/kubernetes-key.pem"),
    Fault("hard way 1.18 controller", gone(f"{LIB}/kube-scheduler.kubeconfig"), "file-missing",
          f"{LIB}/kube-scheduler.kubeconfig"),
    Fault("hard way 1.18 controller", holds(f"{LIB}/ca.pem", crt("ca", "ca!"), "two CAs"),
          "signing-bundle", f"{LIB}/ca.pem", "a person"),
    Fault("hard way 1.18 worker", expired("worker-0", at=f"{KUBELET}/worker-0.pem"), EXPIRED,
          f"{KUBELET}/worker-0.pem"),
    Fault("hard way 1.18 worker",
          made_so("worker-0", at=f"{KUBELET}/kubeconfig", usages="serverAuth"), "wrong-eku",
          f"{KUBELET}/kubeconfig#users/system:node:worker-0"),
    Fault("hard way 1.18 worker", gone(f"{KUBELET}/worker-0-key.pem"), "file-missing",
          f"{KUBELET}/worker-0-key.pem"),
    Fault("hard way 1.18 worker", gone("var/lib/kube-proxy/kubeconfig"), "file-missing",
          "var/lib/kube-proxy/kubeconfig"),
    Fault("hard way 1.18 worker", mode(f"{KUBELET}/kubeconfig", 0o644), "key-exposed",
          f"{KUBELET}/kubeconfig"),
    Fault("hard way 2023 server",
          made_so("kube-api-server", at=f"{LIB}/kube-api-server.crt", names="DNS:kubernetes,"
                  "DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.32.0.1"),
          "missing-san-dns", f"{LIB}/kube-api-server.crt"),
    Fault("hard way 2023 server", gone(f"{LIB}/kube-api-server.key"), "file-missing",
          f"{LIB}/kube-api-server.key"),
    Fault("hard way 2023 server", expired("kube-controller-manager"), "expired-client-cert",
          f"{LIB}/kube-controller-manager.kubeconfig#users/system:kube-controller-manager"),
    Fault("hard way 2023 server", holds(f"{LIB}/service-accounts.crt", crt("kube-scheduler")),
          "sa-key-mismatch", f"{LIB}/service-accounts.crt"),
    Fault("hard way 2023 server",
          made_so("kube-api-server", at=f"{LIB}/kube-api-server.crt", usages="clientAuth"),
          "wrong-eku", f"{LIB}/kube-api-server.crt"),
    Fault("hard way 2023 node", gone(f"{KUBELET}/kubelet.crt"), "file-missing",
          f"{KUBELET}/kubelet.crt"),
    Fault("hard way 2023 node",
          made_so("node-0", at=f"{KUBELET}/kubeconfig", subject="/O=nodes/CN=system:node:node-0"),
          "wrong-organisation", f"{KUBELET}/kubeconfig#users/system:node:node-0"),
    Fault("hard way 2023 node", by_stray("node-0", at=f"{KUBELET}/kubelet.crt"),
          "unknown-authority", f"{KUBELET}/kubelet.crt"),
    Fault("hard way 2023 node", made_so("node-0", at=f"{KUBELET}/kubelet.crt",
                                        subject="/CN=system:node:node-0", names="DNS:node-1"),
          "missing-san-dns", f"{KUBELET}/kubelet.crt"),
    Fault("hard way 2023 node", empty(f"{KUBELET}/kubelet.key"), "bad-pem",
          f"{KUBELET}/kubelet.key"),
    Fault("hard way 2023 node", expired("kube-proxy"), "expired-client-cert",
          "var/lib/kube-proxy/kubeconfig#users/system:kube-proxy"),
)
