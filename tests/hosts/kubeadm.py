"""kubeadm: phases/certs/certlist.go, phases/kubeconfig, phases/controlplane/manifests.go; the
packages' units."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

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
    cut,
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
    pairs,
    pod,
    public,
    text,
)
from tests.hosts.pki import Row, ca

PKI, CONF, STORE = "etc/kubernetes/pki", "etc/kubernetes", "var/lib/kubelet/pki"
NODE, ADDRESS, SERVER = "cp-1", "10.0.0.10", "https://10.0.0.10:6443"
SERVICE = ("DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
           "DNS:kubernetes.default.svc.cluster.local")
BOTH = "serverAuth,clientAuth"


def own_serving(node: str) -> dict[str, Row]:
    """What a kubelet makes for itself: client-go's GenerateSelfSignedCertKey."""
    return {f"{node}-own-ca": ca(f"/CN={node}-ca@1764000000", days=365),
            f"{node}-own": Row(f"/CN={node}@1764000000", f"{node}-own-ca", "serverAuth",
                               f"DNS:{node}")}


def client(node: str, authority: str = "ca") -> dict[str, Row]:
    """A kubelet's identity."""
    return {node: Row(f"/O=system:nodes/CN=system:node:{node}", authority, "clientAuth")}


def certificates(node: str = NODE, address: str = ADDRESS, masters: str = "kubeadm:cluster-admins",
                 etcd_o: str = "", extra: str = "") -> dict[str, Row]:
    """The rows of certlist.go and of the kubeconfigs, for one control-plane host."""
    etcd_names = f"DNS:{node},DNS:localhost,IP:{address},IP:127.0.0.1,IP:::1"
    return {
        "ca": ca("/CN=kubernetes", names="DNS:kubernetes"),
        "etcd-ca": ca("/CN=etcd-ca", names="DNS:etcd-ca"),
        "front-proxy-ca": ca("/CN=front-proxy-ca", names="DNS:front-proxy-ca"),
        "apiserver": Row("/CN=kube-apiserver", "ca", "serverAuth",
                         f"DNS:{node},{SERVICE},IP:10.96.0.1,IP:{address}{extra}"),
        "apiserver-kubelet-client": Row(f"/O={masters}/CN=kube-apiserver-kubelet-client", "ca",
                                        "clientAuth"),
        "front-proxy-client": Row("/CN=front-proxy-client", "front-proxy-ca", "clientAuth"),
        "apiserver-etcd-client": Row(f"{etcd_o}/CN=kube-apiserver-etcd-client", "etcd-ca",
                                     "clientAuth"),
        "etcd/server": Row(f"/CN={node}", "etcd-ca", BOTH, etcd_names),
        "etcd/peer": Row(f"/CN={node}", "etcd-ca", BOTH, etcd_names),
        "etcd/healthcheck-client": Row(f"{etcd_o}/CN=kube-etcd-healthcheck-client", "etcd-ca",
                                       "clientAuth"),
        "admin": Row(f"/O={masters}/CN=kubernetes-admin", "ca", "clientAuth"),
        "super-admin": Row("/O=system:masters/CN=kubernetes-super-admin", "ca", "clientAuth"),
        "controller-manager": Row("/CN=system:kube-controller-manager", "ca", "clientAuth"),
        "scheduler": Row("/CN=system:kube-scheduler", "ca", "clientAuth"),
        "sa": Row("/CN=unused"), **client(node), **own_serving(node)}


def current(node: str) -> Files:
    """The kubelet's store after its first rotation."""
    return {f"{STORE}/kubelet-client-2026-10-12-13-14-15.pem": joined(crt(node), key(node)),
            CURRENT: Link("/var/lib/kubelet/pki/kubelet-client-2026-10-12-13-14-15.pem"),
            f"{STORE}/kubelet.crt": crt(f"{node}-own", f"{node}-own-ca"),
            f"{STORE}/kubelet.key": key(f"{node}-own")}


def package(defaults: str = "/etc/default/kubelet") -> Files:
    """The units of pkgs.k8s.io."""
    return {
        "usr/lib/systemd/system/kubelet.service":
            "[Unit]\nDescription=kubelet: The Kubernetes Node Agent\nWants=network-online.target\n"
        "\n[Service]\nExecStart=/usr/bin/kubelet\nRestart=always\nStartLimitInterval=0\n\n"
        "[Install]\nWantedBy=multi-user.target\n",
        "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf":
            "# Note: This dropin only works with kubeadm and kubelet v1.11+\n[Service]\n"
            'Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-'
        'kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"\n'
            'Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"\n'
            "EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env\n"
            f"EnvironmentFile=-{defaults}\nExecStart=\n"
            "ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS "
        "$KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS\n"}


def kubelet(node: str, server: str, *, flags: str = "", config: str = "",
            client_ca: str = f"/{PKI}/ca.crt", authority: str = "ca") -> dict[str, Made]:
    """What `kubeadm join` leaves of the kubelet, or init once kubelet-finalize is done."""
    return {
        **package(), **current(node), "etc/hostname": f"{node}\n",
        f"{CONF}/kubelet.conf": kubeconfig("default-auth", server, crt(authority), f"/{CURRENT}",
                                           f"/{CURRENT}", cluster="default-cluster",
                                           context="default-context"),
        "var/lib/kubelet/config.yaml": kubelet_config(
            client_ca, "rotateCertificates: true", f"staticPodPath: /{CONF}/manifests",
            "cgroupDriver: systemd", config),
        "var/lib/kubelet/instance-config.yaml":
            "containerRuntimeEndpoint: unix:///var/run/containerd/containerd.sock\n",
        "var/lib/kubelet/kubeadm-flags.env": f'KUBELET_KUBEADM_ARGS="{flags}"\n'}


def etcd_pod(node: str, address: str) -> str:
    pki = f"/{PKI}/etcd"
    return pod("etcd",
               f"""--advertise-client-urls=https://{address}:2379 --cert-file={pki}/server.crt
        --client-cert-auth=true --data-dir=/var/lib/etcd
        --initial-advertise-peer-urls=https://{address}:2380
        --initial-cluster={node}=https://{address}:2380 --key-file={pki}/server.key
        --listen-client-urls=https://127.0.0.1:2379,https://{address}:2379
        --listen-metrics-urls=http://127.0.0.1:2381 --listen-peer-urls=https://{address}:2380
        --name={node} --peer-cert-file={pki}/peer.crt --peer-client-cert-auth=true
        --peer-key-file={pki}/peer.key --peer-trusted-ca-file={pki}/ca.crt
        --trusted-ca-file={pki}/ca.crt""",
               {"/var/lib/etcd": "/var/lib/etcd", pki: pki})


def manifests(node: str = NODE, address: str = ADDRESS, pki: str = f"/{PKI}", *,
              signing: bool = True, etcd: str = "") -> dict[str, Made]:
    """The static pods of the three components, and etcd's, unless *etcd* gives the flags of another
    one."""
    own = f"""--etcd-cafile={pki}/etcd/ca.crt --etcd-certfile={pki}/apiserver-etcd-client.crt
        --etcd-keyfile={pki}/apiserver-etcd-client.key --etcd-servers=https://127.0.0.1:2379"""
    cert, secret = (f"{pki}/ca.crt", f"{pki}/ca.key") if signing else ("", "")
    mounts = {pki: pki, "/etc/ssl/certs": "/etc/ssl/certs"}
    conf = f"/{CONF}"
    return {
        f"{CONF}/manifests/kube-apiserver.yaml": pod("kube-apiserver",
                                                     f"""--advertise-address={address}
            --allow-privileged=true --authorization-mode=Node,RBAC --client-ca-file={pki}/ca.crt
            --enable-admission-plugins=NodeRestriction --enable-bootstrap-token-auth=true
            {etcd or own} --kubelet-client-certificate={pki}/apiserver-kubelet-client.crt
            --kubelet-client-key={pki}/apiserver-kubelet-client.key
            --kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname
            --proxy-client-cert-file={pki}/front-proxy-client.crt
            --proxy-client-key-file={pki}/front-proxy-client.key
            --requestheader-allowed-names=front-proxy-client
            --requestheader-client-ca-file={pki}/front-proxy-ca.crt
            --requestheader-extra-headers-prefix=X-Remote-Extra-
            --requestheader-group-headers=X-Remote-Group
            --requestheader-username-headers=X-Remote-User --secure-port=6443
            --service-account-issuer=https://kubernetes.default.svc.cluster.local
            --service-account-key-file={pki}/sa.pub --service-account-signing-key-file={pki}/sa.key
            --service-cluster-ip-range=10.96.0.0/12 --tls-cert-file={pki}/apiserver.crt
            --tls-private-key-file={pki}/apiserver.key""", mounts),
        f"{CONF}/manifests/kube-controller-manager.yaml":
            pod("kube-controller-manager", f"""--allocate-node-cidrs=true
            --authentication-kubeconfig={conf}/controller-manager.conf
            --authorization-kubeconfig={conf}/controller-manager.conf --bind-address=127.0.0.1
            --client-ca-file={pki}/ca.crt --cluster-name=kubernetes
            --cluster-signing-cert-file={cert} --cluster-signing-key-file={secret}
            --controllers=*,bootstrapsigner,tokencleaner --kubeconfig={conf}/controller-manager.conf
            --leader-elect=true --requestheader-client-ca-file={pki}/front-proxy-ca.crt
            --root-ca-file={pki}/ca.crt --service-account-private-key-file={pki}/sa.key
            --use-service-account-credentials=true""",
                mounts | {f"{conf}/controller-manager.conf":
                          f"{conf}/controller-manager.conf"}),
        f"{CONF}/manifests/kube-scheduler.yaml": pod("kube-scheduler", f"""
            --authentication-kubeconfig={conf}/scheduler.conf
            --authorization-kubeconfig={conf}/scheduler.conf --bind-address=127.0.0.1
            --kubeconfig={conf}/scheduler.conf --leader-elect=true""", {
            f"{conf}/scheduler.conf": f"{conf}/scheduler.conf"}),
        **({} if etcd else {f"{CONF}/manifests/etcd.yaml": etcd_pod(node, address)})}


def authorities(*names: str) -> Mapping[str, Made]:
    return {f"{PKI}/{name}.{ending}": make(row) for name, row in (
        ("ca", "ca"), ("front-proxy-ca", "front-proxy-ca"), ("etcd/ca", "etcd-ca")) if name in names
        for ending, make in (("crt", crt), ("key", key))}


def users(server: str = SERVER, *names: str) -> dict[str, Made]:
    found = {"admin": "kubernetes-admin", "super-admin": "kubernetes-super-admin",
             "controller-manager": "system:kube-controller-manager",
             "scheduler": "system:kube-scheduler"}
    return {f"{CONF}/{name}.conf": embedded(found[name], server, "ca", name) for name in names
            or found}


def control_plane(node: str = NODE, address: str = ADDRESS) -> dict[str, Made]:
    """What `kubeadm init` leaves, with etcd on the host."""
    server = f"https://{address}:6443"
    return {
        **authorities("ca", "front-proxy-ca", "etcd/ca"), f"{PKI}/sa.key": key("sa"),
        f"{PKI}/sa.pub": public("sa"),
        **pairs(PKI, "apiserver", "apiserver-kubelet-client", "front-proxy-client",
                "apiserver-etcd-client", "etcd/server", "etcd/peer", "etcd/healthcheck-client"),
        **users(server), **manifests(node, address), **kubelet(node, server)}


_UNVERIFIED = ("kubelet-serving-self-signed",)      # A19: nobody verifies it there
_SEEN_NODE = f"{CURRENT} {PKI}/ca.crt client\n"
_SEEN = f"""
{PKI}/apiserver.crt {PKI}/ca.crt server kubernetes.default.svc 10.96.0.1 10.0.0.10 cp-1
{PKI}/apiserver.crt {CONF}/controller-manager.conf#ca server 10.0.0.10
{PKI}/apiserver-kubelet-client.crt {PKI}/ca.crt client
{PKI}/apiserver-etcd-client.crt {PKI}/etcd/ca.crt client
{PKI}/etcd/server.crt {PKI}/etcd/ca.crt server 127.0.0.1 10.0.0.10
{PKI}/etcd/server.crt {PKI}/etcd/ca.crt client
{PKI}/etcd/peer.crt {PKI}/etcd/ca.crt server 10.0.0.10
{PKI}/etcd/peer.crt {PKI}/etcd/ca.crt client
{PKI}/front-proxy-client.crt {PKI}/front-proxy-ca.crt client
{CONF}/admin.conf#user {PKI}/ca.crt client
{CONF}/controller-manager.conf#user {PKI}/ca.crt client
{CONF}/scheduler.conf#user {PKI}/ca.crt client
{CURRENT} {PKI}/ca.crt client
"""
_ROWS = certificates()
_WORKER_ROWS = _ROWS | client("w-1") | own_serving("w-1") | {
    "w-1-server": Row("/O=system:nodes/CN=system:node:w-1", "ca", "serverAuth",
                      "DNS:w-1,IP:10.0.0.21")}
_WORKER = Host(_WORKER_ROWS,
               {f"{PKI}/ca.crt": crt("ca"), **kubelet("w-1", "https://api.example.test:6443")},
               seen=_SEEN_NODE, warnings=_UNVERIFIED, given={"ca": "ca"}, address="10.0.0.21")

# The documentation's "Set up a High Availability etcd Cluster with kubeadm": host 1 of three,
# without etcd/ca.key
_INFRA = "infra1=https://10.0.0.7:2380,infra0=https://10.0.0.6:2380,infra2=https://10.0.0.8:2380"
_ETCD_HOST = Host(
    certificates("infra1", "10.0.0.7"),
    {**package(), "etc/hostname": "infra1\n",
     "etc/systemd/system/kubelet.service.d/20-etcd-service-manager.conf":
         "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet "
         "--config=/etc/systemd/system/kubelet.service.d/kubelet.conf\n"
         "Restart=always\n",
     "etc/systemd/system/kubelet.service.d/kubelet.conf":
         '# Replace "systemd" with the cgroup driver of your container runtime.\n'
         "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nauthentication:\n"
     "  anonymous:\n    enabled: false\n  webhook:\n    enabled: false\nauthorization:\n"
     "  mode: AlwaysAllow\ncgroupDriver: systemd\naddress: 127.0.0.1\n"
         "containerRuntimeEndpoint: unix:///var/run/containerd/containerd.sock\nstaticPodPath: "
         "/etc/kubernetes/manifests\n",
     f"{PKI}/etcd/ca.crt": crt("etcd-ca"), **pairs(
         PKI, "etcd/server", "etcd/peer", "etcd/healthcheck-client", "apiserver-etcd-client"),
     f"{CONF}/manifests/etcd.yaml": etcd_pod("infra1", "10.0.0.7")
     .replace("infra1=https://10.0.0.7:2380", _INFRA)},
    seen=f"{PKI}/etcd/server.crt {PKI}/etcd/ca.crt server 127.0.0.1 10.0.0.7 infra1\n"
         f"{PKI}/etcd/peer.crt {PKI}/etcd/ca.crt client\n"
    f"{PKI}/etcd/peer.crt {PKI}/etcd/ca.crt server 10.0.0.7\n",
    given={"etcd_ca": "etcd-ca"}, absent="/etc/kubernetes/kubelet.conf")

_EXTERNAL = {path: made for path, made in control_plane().items()
             if not (path.startswith(PKI) and path.endswith("ca.key"))
             and path != f"{CONF}/super-admin.conf"}

HOSTS = {
    "kubeadm control plane": Host(_ROWS, control_plane(), seen=_SEEN, warnings=_UNVERIFIED),
    "kubeadm 1.28 control plane": Host(
        certificates(masters="system:masters", etcd_o="/O=system:masters"),
        {path: made for path, made in control_plane().items()
         if path != f"{CONF}/super-admin.conf"}, seen=_SEEN,
        warnings=_UNVERIFIED),
    "kubeadm external CA": Host(_ROWS, {**_EXTERNAL, **manifests(signing=False)}, seen=_SEEN,
                                warnings=_UNVERIFIED, given={"ca": "ca", "etcd_ca": "etcd-ca",
                                                             "front_proxy_ca": "front-proxy-ca"}),
    "kubeadm worker": _WORKER,
    "kubeadm worker, serverTLSBootstrap": replace(
        _WORKER, warnings=(),
        seen=_SEEN_NODE + f"{STORE}/kubelet-server-current.pem {PKI}/ca.crt server w-1 10.0.0.21\n",
        files={
            **kubelet("w-1", "https://api.example.test:6443", config="serverTLSBootstrap: true",
                      flags="--node-ip=10.0.0.21"), f"{PKI}/ca.crt": crt("ca"),
            f"{STORE}/kubelet-server-2026-10-12-13-15-00.pem":
                joined(crt("w-1-server"), key("w-1-server")),
            f"{STORE}/kubelet-server-current.pem": Link("kubelet-server-2026-10-12-13-15-00.pem")}),
    "kubeadm worker, hostname-override": replace(
        _WORKER,
        files={**_WORKER.files, "etc/hostname": "ip-10-0-0-21.example.internal\n",
               "var/lib/kubelet/kubeadm-flags.env": 'KUBELET_KUBEADM_ARGS="--hostname-override=w-1 '
               '--node-labels=a=\\"b\\" --pod-infra-container-image=example.test/pause:3.10"\n'}),
    "kubeadm etcd host": _ETCD_HOST,
}

FAULTS = (
    Fault("kubeadm control plane", gone(f"{PKI}/apiserver.crt"), "file-missing",
          f"{PKI}/apiserver.crt"),
    Fault("kubeadm control plane",
          holds(f"{PKI}/etcd/ca.crt", joined(crt("etcd-ca"), key("etcd-ca")), "the key too"),
          "bad-pem", f"{PKI}/etcd/ca.crt"),
    Fault("kubeadm control plane",
          text(f"{CONF}/manifests/kube-apiserver.yaml", "allowed-names=front-proxy-client",
               "allowed-names=aggregator"), "wrong-subject", f"{PKI}/front-proxy-client.crt"),
    Fault("kubeadm control plane",
          text(f"{CONF}/manifests/etcd.yaml", "--peer-client-cert-auth=true",
               "--peer-cert-allowed-cn=etcd"), "wrong-subject", f"{PKI}/etcd/peer.crt"),
    Fault("kubeadm control plane", holds(CURRENT, crt("cp-1"), "no key"),
          "kubelet-client-current-broken", CURRENT),
    Fault("kubeadm control plane", expired("apiserver-etcd-client"), "expired-client-cert",
          f"{PKI}/apiserver-etcd-client.crt"),
    Fault("kubeadm control plane", by_stray("front-proxy-client"), "front-proxy-ca",
          f"{PKI}/front-proxy-client.crt"),
    Fault("kubeadm control plane", by_stray("etcd/peer"), "etcd-peer-cert", f"{PKI}/etcd/peer.crt"),
    Fault("kubeadm control plane", made_so("apiserver", names=f"DNS:cp-1,{SERVICE},IP:10.96.0.1"),
          "missing-san-ip", f"{PKI}/apiserver.crt"),
    Fault("kubeadm control plane", made_so("etcd/server", names="DNS:cp-1,DNS:localhost"),
          "missing-san-ip", f"{PKI}/etcd/server.crt"),
    Fault("kubeadm control plane", made_so("etcd/peer", usages="serverAuth"), "wrong-eku",
          f"{PKI}/etcd/peer.crt"),
    Fault("kubeadm control plane", holds(f"{PKI}/apiserver.key", key("scheduler")),
          "key-cert-mismatch", f"{PKI}/apiserver.key"),
    Fault("kubeadm control plane", mode(f"{CONF}/admin.conf", 0o644), "key-exposed",
          f"{CONF}/admin.conf"),
    Fault("kubeadm control plane",
          made_so("controller-manager", subject="/CN=system:kube-scheduler"), "wrong-subject",
          f"{CONF}/controller-manager.conf#users/system:kube-controller-manager"),
    Fault("kubeadm control plane", holds(f"{PKI}/sa.pub", public("admin")), "sa-key-mismatch",
          f"{PKI}/sa.pub"),
    Fault("kubeadm control plane", holds(
        f"{CONF}/controller-manager.conf",
        kubeconfig("system:kube-controller-manager", SERVER, crt("ca!"), crt("controller-manager"),
                   key("controller-manager"))),
          "kubeconfig-wrong-ca", f"{CONF}/controller-manager.conf#clusters/kubernetes"),
    Fault("kubeadm 1.28 control plane", made_so("apiserver", usages="clientAuth"), "wrong-eku",
          f"{PKI}/apiserver.crt"),
    Fault("kubeadm 1.28 control plane", empty(f"{PKI}/front-proxy-client.key"), "bad-pem",
          f"{PKI}/front-proxy-client.key"),
    Fault("kubeadm 1.28 control plane", gone(f"{CONF}/scheduler.conf"), "file-missing",
          f"{CONF}/scheduler.conf"),
    Fault("kubeadm 1.28 control plane", expired("cp-1"), "expired-client-cert", CURRENT),
    Fault("kubeadm external CA", expired("apiserver"), "expired-server-cert",
          f"{PKI}/apiserver.crt"),
    Fault("kubeadm external CA", by_stray("apiserver-kubelet-client"), "unknown-authority",
          f"{PKI}/apiserver-kubelet-client.crt"),
    Fault("kubeadm external CA", gone(f"{PKI}/front-proxy-client.key"), "file-missing",
          f"{PKI}/front-proxy-client.key"),
    Fault("kubeadm external CA", by_stray("apiserver-etcd-client"), "etcd-peer-cert",
          f"{PKI}/apiserver-etcd-client.crt"),
    Fault("kubeadm external CA", made_so("front-proxy-client", subject="/CN=aggregator"),
          "wrong-subject", f"{PKI}/front-proxy-client.crt"),
    Fault("kubeadm worker", gone(f"{PKI}/ca.crt"), "file-missing", f"{PKI}/ca.crt"),
    Fault("kubeadm worker", gone(f"{CONF}/kubelet.conf"), "file-missing", f"{CONF}/kubelet.conf",
          said="api.example.test"),
    Fault("kubeadm worker", gone(f"{STORE}/kubelet-client-2026-10-12-13-14-15.pem"),
          "kubelet-client-current-broken", CURRENT),
    Fault("kubeadm worker", expired("w-1"), "expired-client-cert", CURRENT),
    Fault("kubeadm worker", made_so("w-1", subject="/O=system:nodes/CN=system:node:w-2"),
          "wrong-node-identity", CURRENT),
    Fault("kubeadm worker", by_stray("w-1"), "unknown-authority", CURRENT),
    Fault("kubeadm worker", made_so("w-1", usages="serverAuth"), "wrong-eku", CURRENT),
    Fault("kubeadm worker, serverTLSBootstrap", expired("w-1-server"), "expired-server-cert",
          f"{STORE}/kubelet-server-current.pem"),
    Fault("kubeadm worker, serverTLSBootstrap",
          made_so("w-1", subject="/O=system:node/CN=system:node:w-1"), "wrong-organisation",
          CURRENT),
    Fault("kubeadm worker, serverTLSBootstrap",
          text(f"{CONF}/kubelet.conf", "user: default-auth", "user: nobody"), "kubeconfig-broken",
          f"{CONF}/kubelet.conf#users/nobody"),
    Fault("kubeadm worker, serverTLSBootstrap", cut(f"{PKI}/ca.crt"), "bad-pem", f"{PKI}/ca.crt"),
    Fault("kubeadm worker, hostname-override", made_so(
        "w-1", subject="/O=system:nodes/CN=system:node:ip-10-0-0-21.example.internal"),
          "wrong-node-identity", CURRENT),
    Fault("kubeadm worker, hostname-override",
          made_so("w-1", subject="/O=system:nodes/CN=system:node:W-1"), "hostname-case-fqdn",
          CURRENT),
    Fault("kubeadm worker, hostname-override", made_so("w-1", subject="/O=system:nodes/CN=w-1"),
          "wrong-subject", CURRENT),
    Fault("kubeadm worker, hostname-override",
          mode(f"{STORE}/kubelet-client-2026-10-12-13-14-15.pem", 0o640), "key-exposed", CURRENT),
    Fault("kubeadm etcd host", expired("etcd/server"), EXPIRED, f"{PKI}/etcd/server.crt"),
    Fault("kubeadm etcd host", gone(f"{PKI}/etcd/peer.key"), "file-missing",
          f"{PKI}/etcd/peer.key"),
    Fault("kubeadm etcd host", made_so("etcd/peer", names="DNS:infra0,IP:10.0.0.6"),
          "missing-san-ip", f"{PKI}/etcd/peer.crt"),
    Fault("kubeadm etcd host", by_stray("etcd/server"), "etcd-peer-cert", f"{PKI}/etcd/server.crt"),
    Fault("kubeadm etcd host", gone(f"{PKI}/etcd/ca.crt"), "file-missing", f"{PKI}/etcd/ca.crt"),
)
