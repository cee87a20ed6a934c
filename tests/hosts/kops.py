"""kops 1.36 on AWS: nodeup/pkg/model. A node's pairs come from kops-controller, a control plane's
from nodeup."""
from __future__ import annotations

from tests.hosts.making import (
    Fault,
    Host,
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
    kubelet_config,
    made_so,
    mode,
    pair,
    pod,
    public,
)
from tests.hosts.pki import Row, ca

SRV, API, KCM = ("srv/kubernetes", "srv/kubernetes/kube-apiserver",
                 "srv/kubernetes/kube-controller-manager")
_INNER, _NODE, _CONTROL = ("https://api.internal.example.k8s.local", "i-0123456789abcdef0",
                           "i-0fedcba9876543210")
_API_NAMES = "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc," \
    "DNS:kubernetes.default.svc.cluster.local," \
    "DNS:api.example.k8s.local,DNS:api.internal.example.k8s.local,IP:100.64.0.1,IP:127.0.0.1"


def _kubelet(node: str, dns: str) -> dict[str, Row]:
    return {node: Row(f"/O=system:nodes/CN=system:node:{node}", "ca", "clientAuth"),
            f"{node}-server": Row(f"/CN={node}", "ca", "serverAuth", f"DNS:{node},DNS:{dns}")}


_ROWS = {
    "ca": ca("/CN=kubernetes-ca"), "etcd-ca": ca("/CN=etcd-clients-ca"),
    "front-proxy-ca": ca("/CN=apiserver-aggregator-ca"),
    "server": Row("/CN=kubernetes-master", "ca", "serverAuth", _API_NAMES),
    "kubelet-api": Row("/CN=kubelet-api", "ca", "clientAuth"),
    "etcd-client": Row("/CN=kube-apiserver", "etcd-ca", "clientAuth"),
    "apiserver-aggregator": Row("/CN=aggregator", "front-proxy-ca", "clientAuth"),
    "kube-proxy": Row("/CN=system:kube-proxy", "ca", "clientAuth"),
    "kube-controller-manager": Row("/CN=system:kube-controller-manager", "ca", "clientAuth"),
    "kcm-server": Row("/CN=kube-controller-manager", "ca", "serverAuth",
                      "DNS:kube-controller-manager.kube-system.svc"),
    "kube-scheduler": Row("/CN=system:kube-scheduler", "ca", "clientAuth"),
    "service-account": Row("/CN=unused"),
    "service-account-next": Row("/CN=unused"),
    **_kubelet(_NODE, "ip-172-20-40-7.eu-west-1.compute.internal"),
    **_kubelet(_CONTROL, "ip-172-20-33-9.eu-west-1.compute.internal")}


def _node(node: str, host: str, server: str) -> dict[str, Made]:
    return {
        "etc/hostname": f"{host}\n", f"{SRV}/ca.crt": crt("ca"),
        **pair(f"{SRV}/kubelet-server.crt", f"{SRV}/kubelet-server.key", f"{node}-server"),
        "var/lib/kubelet/kubeconfig": embedded("kubelet", server, "ca", node, cluster="local",
                                               context="service-account-context"),
        "var/lib/kubelet/kubelet.conf": kubelet_config(
            f"/{SRV}/ca.crt", "staticPodPath: /etc/kubernetes/manifests",
            f"tlsCertFile: /{SRV}/kubelet-server.crt",
            f"tlsPrivateKeyFile: /{SRV}/kubelet-server.key", "cgroupDriver: systemd"),
        "etc/sysconfig/kubelet":
            'DAEMON_ARGS="--cloud-provider=external --config=/var/lib/kubelet/kubelet.conf '
        f'--hostname-override={node} '
        '--kubeconfig=/var/lib/kubelet/kubeconfig --node-ip=172.20.40.7 --v=2"\nHOME="/root"\n',
        "lib/systemd/system/kubelet.service":
            "[Unit]\nDescription=Kubernetes Kubelet Server\nAfter=containerd.service\n\n[Service]\n"
            'EnvironmentFile=/etc/sysconfig/kubelet\n'
        'ExecStart=/opt/kubernetes/bin/kubelet "$DAEMON_ARGS"\n'
            "Restart=always\nRestartSec=2s\nKillMode=process\n\n[Install]\n"
        "WantedBy=multi-user.target\n",
        "var/lib/kube-proxy/kubeconfig": embedded("kube-proxy", server, "ca",
                                                  "kube-proxy", cluster="local",
                                                  context="service-account-context"),
        "etc/kubernetes/manifests/kube-proxy.manifest": pod(
            "kube-proxy", f"""--conntrack-max-per-core=131072 --hostname-override={node}
            --kubeconfig=/var/lib/kube-proxy/kubeconfig --v=2""",
            {"/var/lib/kube-proxy/kubeconfig": "/var/lib/kube-proxy/kubeconfig"},
            program="/usr/local/bin/kube-proxy")}


_NODE_SEEN = (f"{SRV}/kubelet-server.crt {SRV}/ca.crt server {{}}\nvar/lib/kubelet/kubeconfig#user "
              f"{SRV}/ca.crt client\n" f"var/lib/kube-proxy/kubeconfig#user {SRV}/ca.crt client\n")
_LOCAL = "https://127.0.0.1"

HOSTS = {
    "kops node": Host(_ROWS, _node(_NODE, "ip-172-20-40-7", _INNER), seen=_NODE_SEEN.format(_NODE),
                      given={"ca": "ca"}),
    "kops control plane": Host(_ROWS, {
        **_node(_CONTROL, "ip-172-20-33-9.eu-west-1.compute.internal", _LOCAL),
        f"{SRV}/ca.crt": crt("ca"),
        **pair(f"{API}/server.crt", f"{API}/server.key", "server"),
        f"{API}/etcd-ca.crt": crt("etcd-ca"),
        **pair(f"{API}/kubelet-api.crt", f"{API}/kubelet-api.key", "kubelet-api"),
        **pair(f"{API}/etcd-client.crt", f"{API}/etcd-client.key", "etcd-client"),
        **pair(f"{API}/apiserver-aggregator.crt", f"{API}/apiserver-aggregator.key",
               "apiserver-aggregator"),
        f"{API}/apiserver-aggregator-ca.crt": crt("front-proxy-ca"),
        f"{API}/service-account.pub": joined(public("service-account"),
                                             public("service-account-next")),
        f"{API}/service-account.key": key("service-account"),
        **pair(f"{KCM}/ca.crt", f"{KCM}/ca.key", "ca"),
        **pair(f"{KCM}/server.crt", f"{KCM}/server.key", "kcm-server"),
        f"{KCM}/service-account.key": key("service-account"),
        **{f"var/lib/{name}/kubeconfig": embedded(name, _LOCAL, "ca", name, cluster="local",
                                                  context="service-account-context")
           for name in ("kube-controller-manager", "kube-scheduler")},
        "var/lib/kube-scheduler/config.yaml":
            "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
        "clientConnection:\n  kubeconfig: /var/lib/kube-scheduler/kubeconfig\n",
        "etc/kubernetes/manifests/kube-apiserver.manifest":
            pod("kube-apiserver", f"""--allow-privileged=true
            --anonymous-auth=false --apiserver-count=1 --authorization-mode=Node,RBAC
            --bind-address=0.0.0.0 --client-ca-file=/{SRV}/ca.crt --cloud-provider=external
            --etcd-cafile=/{API}/etcd-ca.crt --etcd-certfile=/{API}/etcd-client.crt
            --etcd-keyfile=/{API}/etcd-client.key
            --etcd-servers-overrides=/events#https://127.0.0.1:4002
            --etcd-servers=https://127.0.0.1:4001
            --kubelet-client-certificate=/{API}/kubelet-api.crt
            --kubelet-client-key=/{API}/kubelet-api.key
            --kubelet-preferred-address-types=InternalIP,Hostname,ExternalIP
            --proxy-client-cert-file=/{API}/apiserver-aggregator.crt
            --proxy-client-key-file=/{API}/apiserver-aggregator.key
            --requestheader-allowed-names=aggregator
            --requestheader-client-ca-file=/{API}/apiserver-aggregator-ca.crt --secure-port=443
            --service-account-issuer=https://api.internal.example.k8s.local
            --service-account-key-file=/{API}/service-account.pub
            --service-account-signing-key-file=/{API}/service-account.key
            --service-cluster-ip-range=100.64.0.0/13 --tls-cert-file=/{API}/server.crt
            --tls-private-key-file=/{API}/server.key --v=2""",
                {f"/{SRV}": f"/{SRV}"},
                program="/usr/local/bin/kube-apiserver"),
        "etc/kubernetes/manifests/kube-controller-manager.manifest": pod("kube-controller-manager",
                                                                         f"""
            --authentication-kubeconfig=/var/lib/kube-controller-manager/kubeconfig
            --authorization-kubeconfig=/var/lib/kube-controller-manager/kubeconfig
            --cluster-signing-cert-file=/{KCM}/ca.crt --cluster-signing-key-file=/{KCM}/ca.key
            --kubeconfig=/var/lib/kube-controller-manager/kubeconfig --root-ca-file=/{SRV}/ca.crt
            --service-account-private-key-file=/{KCM}/service-account.key
            --tls-cert-file=/{KCM}/server.crt --tls-private-key-file=/{KCM}/server.key
            --use-service-account-credentials=true""",
                                                                         {f"/{KCM}": f"/{KCM}",
                                                                          "/var/lib": "/var/lib"}),
        "etc/kubernetes/manifests/kube-scheduler.manifest": pod("kube-scheduler", """
            --authentication-kubeconfig=/var/lib/kube-scheduler/kubeconfig
            --config=/var/lib/kube-scheduler/config.yaml --leader-elect=true""",
                                                                {"/var/lib": "/var/lib"})},
        seen=_NODE_SEEN.format(_CONTROL) + f"""
{API}/server.crt {SRV}/ca.crt server 127.0.0.1 api.internal.example.k8s.local 100.64.0.1 \
kubernetes.default.svc
{API}/kubelet-api.crt {SRV}/ca.crt client
{API}/etcd-client.crt {API}/etcd-ca.crt client
{API}/apiserver-aggregator.crt {API}/apiserver-aggregator-ca.crt client
var/lib/kube-controller-manager/kubeconfig#user {SRV}/ca.crt client
{KCM}/server.crt {SRV}/ca.crt server
""", given={"etcd_ca": "etcd-ca", "front_proxy_ca": "front-proxy-ca"}),
}

FAULTS = (
    Fault("kops node", made_so(_NODE, subject="/O=system:nodes/CN=system:node:ip-172-20-40-7"),
          "wrong-node-identity", "var/lib/kubelet/kubeconfig#users/kubelet"),
    Fault("kops node", gone(f"{SRV}/kubelet-server.key"), "file-missing",
          f"{SRV}/kubelet-server.key"),
    Fault("kops node", expired(f"{_NODE}-server"), "expired-server-cert",
          f"{SRV}/kubelet-server.crt"),
    Fault("kops node", expired("kube-proxy"), "expired-client-cert",
          "var/lib/kube-proxy/kubeconfig#users/kube-proxy"),
    Fault("kops node", empty(f"{SRV}/ca.crt"), "bad-pem", f"{SRV}/ca.crt"),
    Fault("kops node", holds("var/lib/kubelet/kubeconfig", embedded(
        "kubelet", _INNER, "ca!", _NODE, cluster="local", context="service-account-context"),
                             "another CA"),
          "kubeconfig-wrong-ca", "var/lib/kubelet/kubeconfig#clusters/local"),
    Fault("kops control plane", gone(f"{API}/etcd-client.crt"), "file-missing",
          f"{API}/etcd-client.crt"),
    Fault("kops control plane", made_so("server", names=_API_NAMES.replace(",IP:127.0.0.1", "")),
          "missing-san-ip", f"{API}/server.crt"),
    Fault("kops control plane", by_stray("etcd-client"), "etcd-peer-cert",
          f"{API}/etcd-client.crt"),
    Fault("kops control plane", made_so("apiserver-aggregator", subject="/CN=front-proxy-client"),
          "wrong-subject", f"{API}/apiserver-aggregator.crt"),
    Fault("kops control plane", made_so("kubelet-api", usages="serverAuth"), "wrong-eku",
          f"{API}/kubelet-api.crt"),
    Fault("kops control plane", expired(f"{_CONTROL}-server"), "expired-server-cert",
          f"{SRV}/kubelet-server.crt"),
    Fault("kops control plane", mode(f"{KCM}/ca.key", 0o644), "key-exposed", f"{KCM}/ca.key"),
    Fault("kops control plane", holds(f"{API}/service-account.pub", public("kube-proxy")),
          "sa-key-mismatch", f"{API}/service-account.pub"),
)
