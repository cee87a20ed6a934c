"""OpenShift: machine-config-operator's templates, cluster-kube-apiserver-operator's pod and
configuration.

Its certificates live for 30 days and its operators exchange them: that they end soon is as it
should be, and a remedy is theirs. Old revisions of a static pod keep their files.
"""
from __future__ import annotations

from tests.hosts.making import (
    CURRENT,
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
    joined,
    key,
    kubeconfig,
    kubelet_config,
    made_so,
    mode,
    pair,
    public,
    text,
)
from tests.hosts.pki import PAST, Row, ca

RES, STORE, KUBECONFIG = ("etc/kubernetes/static-pod-resources", "var/lib/kubelet/pki",
                          "var/lib/kubelet/kubeconfig")
POD, OLD, CERTS = (f"{RES}/kube-apiserver-pod-12", f"{RES}/kube-apiserver-pod-11",
                   f"{RES}/kube-apiserver-certs")
SERVER_CURRENT = f"{STORE}/kubelet-server-current.pem"


def _leaf(subject: str, authority: str, usages: str = "clientAuth", names: str = "") -> Row:
    return Row(subject, authority, usages, names, days=30)


def _node(node: str, address: str) -> dict[str, Row]:
    subject = f"/O=system:nodes/CN=system:node:{node}"
    return {f"{node}-client": _leaf(subject, "csr-signer"),
            f"{node}-server": _leaf(subject, "csr-signer", "serverAuth",
                                    f"DNS:{node},IP:{address}")}


_ROWS = {
    **{name: ca(f"/OU=openshift/CN={name}@1764000000") for name in (
        "admin-kubeconfig-signer", "aggregator-signer", "kube-apiserver-to-kubelet-signer",
        "kube-control-plane-signer", "kubelet-bootstrap-kubeconfig-signer",
        "kube-apiserver-localhost-signer", "etcd-signer", "kube-apiserver-lb-signer",
        "kube-apiserver-service-network-signer")},
    "csr-signer": ca("/CN=kube-csr-signer_@1764000000", days=60),
    "kubelet-client": Row("/O=kube-master/CN=system:kube-apiserver",
                          "kube-apiserver-to-kubelet-signer", "clientAuth"),
    "aggregator-client": _leaf("/CN=system:openshift-aggregator", "aggregator-signer"),
    "etcd-client": Row("/O=etcd-client/CN=etcd-client", "etcd-signer", "clientAuth", days=1095),
    "etcd-client-old": Row("/O=etcd-client/CN=etcd-client", "etcd-signer", "clientAuth",
                           dates=PAST),
    "localhost": _leaf("/CN=127.0.0.1", "kube-apiserver-localhost-signer", "serverAuth",
                       "DNS:localhost,IP:127.0.0.1"),
    "service-network":
        _leaf("/CN=10.3.0.1", "kube-apiserver-service-network-signer", "serverAuth",
              "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
              "DNS:kubernetes.default.svc.cluster.local,DNS:openshift,DNS:openshift.default,"
              "DNS:openshift.default.svc,DNS:openshift.default.svc.cluster.local,IP:10.3.0.1"),
    "internal-loadbalancer": _leaf("/CN=api-int.example.test", "kube-apiserver-lb-signer",
                                   "serverAuth", "DNS:api-int.example.test"),
    "external-loadbalancer": _leaf("/CN=api.example.test", "kube-apiserver-lb-signer", "serverAuth",
                                   "DNS:api.example.test"),
    "sa-1": Row("/CN=unused"), "sa-2": Row("/CN=unused"), **_node("worker-0", "10.0.0.15"),
    **_node("master-0",
            "10.0.0.5")}
_SERVERS = crt("kube-apiserver-lb-signer", "kube-apiserver-localhost-signer",
               "kube-apiserver-service-network-signer")
_CLIENTS = crt("admin-kubeconfig-signer", "csr-signer", "kube-apiserver-to-kubelet-signer",
               "kube-control-plane-signer", "kubelet-bootstrap-kubeconfig-signer")


def _kubelet(node: str, role: str, address: str) -> dict[str, Made]:
    """01-ROLE-kubelet: a wrapper is the command, and what is not set is empty."""
    found: dict[str, Made] = {}
    for kind in ("client", "server"):
        pem = f"{STORE}/kubelet-{kind}-2026-11-20-13-14-15.pem"
        found |= {pem: joined(crt(f"{node}-{kind}"), key(f"{node}-{kind}")),
                  f"{STORE}/kubelet-{kind}-current.pem": Link(f"/{pem}")}
    return found | {
        "etc/hostname": f"{node}\n", "etc/kubernetes/kubelet-ca.crt": _CLIENTS,
        "etc/kubernetes/ca.crt": _SERVERS,
        "etc/kubernetes/kubelet.conf": kubelet_config(
            "/etc/kubernetes/kubelet-ca.crt", "staticPodPath: /etc/kubernetes/manifests",
            "cgroupDriver: systemd", "serverTLSBootstrap: true", "rotateCertificates: true"),
        "etc/openshift/kubelet.conf.d/10-max-pods.conf":
            "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 250\n",
        "etc/kubernetes/kubeconfig": kubeconfig("kubelet", "https://api-int.example.test:6443",
                                                _SERVERS, cluster="local", context="kubelet",
                                                token="eyJhbGciOiJSUzI1NiJ9.e30.c2ln"),
        KUBECONFIG: kubeconfig("default-auth", "https://api-int.example.test:6443", _SERVERS,
                               f"/{CURRENT}", f"/{CURRENT}", cluster="default-cluster",
                               context="default-context"),
        "etc/os-release": 'NAME="Red Hat Enterprise Linux CoreOS"\nID="rhcos"\nVARIANT=CoreOS\n',
        "etc/systemd/system/kubelet.service.d/20-logging.conf": '[Service]\n'
        'Environment="KUBELET_LOG_LEVEL=2"\n',
        "etc/systemd/system/kubelet.service.d/30-node-ip.conf": '[Service]\n'
        f'Environment="KUBELET_NODE_IP={address}"\n',
        "etc/systemd/system/kubelet.service": f"""[Unit]
Description=Kubernetes Kubelet
Wants=rpc-statd.service network-online.target
Requires=crio.service kubelet-auto-node-size.service

[Service]
Type=notify
ExecStartPre=/bin/mkdir --parents /etc/kubernetes/manifests
ExecStartPre=-/usr/sbin/restorecon /usr/local/bin/kubenswrapper /usr/bin/kubensenter
EnvironmentFile=/etc/os-release
EnvironmentFile=-/etc/kubernetes/kubelet-workaround
EnvironmentFile=-/etc/kubernetes/kubelet-env

ExecStart=/usr/local/bin/kubenswrapper \\
    /usr/bin/kubelet \\
      --config=/etc/kubernetes/kubelet.conf \\
      --config-dir=/etc/openshift/kubelet.conf.d \\
      --bootstrap-kubeconfig=/etc/kubernetes/kubeconfig \\
      --kubeconfig=/var/lib/kubelet/kubeconfig \\
      --container-runtime-endpoint=/var/run/crio/crio.sock \\
      --node-labels=node-role.kubernetes.io/{role},node.openshift.io/os_id=${{ID}} \\
      --node-ip=${{KUBELET_NODE_IP}} \\
      --cloud-provider= \\
      --volume-plugin-dir=/etc/kubernetes/kubelet-plugins/volume/exec \\
      --hostname-override=${{KUBELET_NODE_NAME}} \\
      --v=${{KUBELET_LOG_LEVEL}}

Restart=always
RestartSec=10

[Install]
WantedBy=multi-user.target
"""}


def _kubelet_seen(node: str) -> str:
    return f"""
{SERVER_CURRENT} etc/kubernetes/kubelet-ca.crt server {node}
{CURRENT} etc/kubernetes/kubelet-ca.crt client
"""


_IN, _LIVE = "/etc/kubernetes/static-pod-resources", "/etc/kubernetes/static-pod-certs"
_CONFIG = f"""apiVersion: kubecontrolplane.config.openshift.io/v1
kind: KubeAPIServerConfig
apiServerArguments:
  allow-privileged:
  - "true"
  authorization-mode:
  - Scope
  - SystemMasters
  - RBAC
  - Node
  client-ca-file:
  - {_LIVE}/configmaps/client-ca/ca-bundle.crt
  etcd-cafile:
  - {_IN}/configmaps/etcd-serving-ca/ca-bundle.crt
  etcd-certfile:
  - {_IN}/secrets/etcd-client/tls.crt
  etcd-keyfile:
  - {_IN}/secrets/etcd-client/tls.key
  etcd-servers:
  - https://10.0.0.5:2379
  - https://localhost:2379
  kubelet-certificate-authority:
  - {_IN}/configmaps/kubelet-serving-ca/ca-bundle.crt
  kubelet-client-certificate:
  - {_LIVE}/secrets/kubelet-client/tls.crt
  kubelet-client-key:
  - {_LIVE}/secrets/kubelet-client/tls.key
  kubelet-preferred-address-types:
  - InternalIP
  proxy-client-cert-file:
  - {_LIVE}/secrets/aggregator-client/tls.crt
  proxy-client-key-file:
  - {_LIVE}/secrets/aggregator-client/tls.key
  requestheader-allowed-names:
  - kube-apiserver-proxy
  - system:kube-apiserver-proxy
  - system:openshift-aggregator
  requestheader-client-ca-file:
  - {_LIVE}/configmaps/aggregator-client-ca/ca-bundle.crt
  service-account-issuer:
  - https://kubernetes.default.svc
  service-account-key-file:
  - {_IN}/configmaps/sa-token-signing-certs/service-account-001.pub
  - {_IN}/configmaps/sa-token-signing-certs/service-account-002.pub
  service-account-signing-key-file:
  - {_LIVE}/secrets/bound-service-account-signing-key/service-account.key
  tls-cert-file:
  - {_LIVE}/secrets/service-network-serving-certkey/tls.crt
  tls-private-key-file:
  - {_LIVE}/secrets/service-network-serving-certkey/tls.key
servicesSubnet: 10.3.0.0/16
servingInfo:
  bindAddress: 0.0.0.0:6443
  bindNetwork: tcp4
  namedCertificates:
""" + "".join(f"""  - certFile: {_LIVE}/secrets/{name}/tls.crt
    keyFile: {_LIVE}/secrets/{name}/tls.key
""" for name in ("localhost-serving-cert-certkey", "service-network-serving-certkey",
                 "external-loadbalancer-serving-certkey", "internal-loadbalancer-serving-certkey"))
_POD = f"""apiVersion: v1
kind: Pod
metadata:
  namespace: openshift-kube-apiserver
  name: kube-apiserver-master-0
  labels:
    app: openshift-kube-apiserver
    revision: "12"
spec:
  initContainers:
  - name: setup
    command: ['/usr/bin/timeout', '105', '/bin/bash', '-ec']
    args:
    - |
      echo "Fixing audit permissions ..."
      chmod 0700 /var/log/kube-apiserver
  containers:
  - name: kube-apiserver
    image: example.test/openshift
    command: ["/bin/bash", "-ec"]
    args:
    - |
      LOCK=/var/log/kube-apiserver/.lock
      exec {{LOCK_FD}}>${{LOCK}} && flock --verbose -w 30 "${{LOCK_FD}}" || {{
        exit 1
      }}

      exec watch-termination --termination-touch-file=/var/log/kube-apiserver/.terminating \
--graceful-termination-duration=135s -- hyperkube kube-apiserver \
--openshift-config={_IN}/configmaps/config/config.yaml --advertise-address=${{HOST_IP}} -v=2 \
--permit-address-sharing
    env:
    - name: HOST_IP
      valueFrom:
        fieldRef:
          fieldPath: status.hostIP
    volumeMounts:
    - mountPath: {_IN}
      name: resource-dir
    - mountPath: {_LIVE}
      name: cert-dir
  - name: kube-apiserver-cert-syncer
    image: example.test/operator
    command: ["cluster-kube-apiserver-operator", "cert-syncer"]
    args:
    - --namespace=$(POD_NAMESPACE)
    - --destination-dir={_LIVE}
    volumeMounts:
    - mountPath: {_IN}
      name: resource-dir
    - mountPath: {_LIVE}
      name: cert-dir
  hostNetwork: true
  volumes:
  - hostPath:
      path: /{POD}
    name: resource-dir
  - hostPath:
      path: /{CERTS}
    name: cert-dir
"""


def _secrets(folder: str, **rows: str) -> dict[str, Made]:
    found: dict[str, Made] = {}
    for name, row in rows.items():
        place = f"{folder}/secrets/{name.replace('_', '-')}"
        found |= pair(f"{place}/tls.crt", f"{place}/tls.key", row)
    return found


_LEAVES = ("expiring-soon",)
HOSTS = {
    "OpenShift worker": Host(_ROWS, _kubelet("worker-0", "worker", "10.0.0.15"),
                             seen=_kubelet_seen("worker-0"), warnings=_LEAVES),
    "OpenShift master": Host(_ROWS, {
        **_kubelet("master-0", "master", "10.0.0.5"),
        "etc/kubernetes/manifests/kube-apiserver-pod.yaml": _POD,
        f"{POD}/configmaps/config/config.yaml": _CONFIG,
        f"{OLD}/configmaps/config/config.yaml": _CONFIG,
        f"{POD}/configmaps/etcd-serving-ca/ca-bundle.crt": crt("etcd-signer"),
        f"{POD}/configmaps/kubelet-serving-ca/ca-bundle.crt": crt("csr-signer"),
        f"{POD}/configmaps/sa-token-signing-certs/service-account-001.pub": public("sa-1"),
        f"{POD}/configmaps/sa-token-signing-certs/service-account-002.pub": public("sa-2"),
        **_secrets(POD, etcd_client="etcd-client"), **_secrets(OLD, etcd_client="etcd-client-old"),
        f"{CERTS}/configmaps/client-ca/ca-bundle.crt": _CLIENTS,
        f"{CERTS}/configmaps/aggregator-client-ca/ca-bundle.crt": crt("aggregator-signer"),
        f"{CERTS}/secrets/bound-service-account-signing-key/service-account.key": key("sa-2"),
        **_secrets(CERTS, kubelet_client="kubelet-client", aggregator_client="aggregator-client",
                   localhost_serving_cert_certkey="localhost",
                   service_network_serving_certkey="service-network",
                   internal_loadbalancer_serving_certkey="internal-loadbalancer",
                   external_loadbalancer_serving_certkey="external-loadbalancer")},
        seen=_kubelet_seen("master-0") + f"""
{POD}/secrets/etcd-client/tls.crt {POD}/configmaps/etcd-serving-ca/ca-bundle.crt client
{CERTS}/secrets/kubelet-client/tls.crt etc/kubernetes/kubelet-ca.crt client
{CERTS}/secrets/aggregator-client/tls.crt {CERTS}/configmaps/aggregator-client-ca/ca-bundle.crt \
client
{CERTS}/secrets/internal-loadbalancer-serving-certkey/tls.crt {KUBECONFIG}#ca server \
api-int.example.test
{CERTS}/secrets/localhost-serving-cert-certkey/tls.crt {KUBECONFIG}#ca server localhost
{CURRENT} {CERTS}/configmaps/client-ca/ca-bundle.crt client
{SERVER_CURRENT} {POD}/configmaps/kubelet-serving-ca/ca-bundle.crt server master-0 10.0.0.5
""", warnings=_LEAVES, mounts={_IN: f"/{POD}", _LIVE: f"/{CERTS}"}),
}

_OPERATOR = "its operators"
FAULTS = (
    Fault("OpenShift worker", expired("worker-0-client"), "expired-client-cert", CURRENT,
          _OPERATOR),
    Fault("OpenShift worker", expired("worker-0-server"), "expired-server-cert", SERVER_CURRENT,
          _OPERATOR),
    Fault("OpenShift worker", gone("etc/kubernetes/kubelet-ca.crt"), "file-missing",
          "etc/kubernetes/kubelet-ca.crt", _OPERATOR),
    Fault("OpenShift worker",
          made_so("worker-0-client", subject="/O=system:nodes/CN=system:node:worker-1"),
          "wrong-node-identity", CURRENT, _OPERATOR),
    Fault("OpenShift worker",
          text(KUBECONFIG, "current-context: default-context", "current-context: nothing"),
          "kubeconfig-broken", f"{KUBECONFIG}#contexts/nothing", _OPERATOR),
    Fault("OpenShift worker", mode(f"{STORE}/kubelet-server-2026-11-20-13-14-15.pem", 0o644),
          "key-exposed", SERVER_CURRENT),
    Fault("OpenShift master", gone(f"{POD}/secrets/etcd-client/tls.key"), "file-missing",
          f"{POD}/secrets/etcd-client/tls.key", _OPERATOR),
    Fault("OpenShift master", expired("aggregator-client"), "expired-client-cert",
          f"{CERTS}/secrets/aggregator-client/tls.crt", _OPERATOR),
    Fault("OpenShift master", expired("localhost"), "expired-server-cert",
          f"{CERTS}/secrets/localhost-serving-cert-certkey/tls.crt", _OPERATOR),
    Fault("OpenShift master", made_so("aggregator-client", subject="/CN=aggregator"),
          "wrong-subject", f"{CERTS}/secrets/aggregator-client/tls.crt", _OPERATOR),
    Fault("OpenShift master", by_stray("etcd-client"), "etcd-peer-cert",
          f"{POD}/secrets/etcd-client/tls.crt", _OPERATOR),
    Fault("OpenShift master", made_so("kubelet-client", usages="serverAuth"), "wrong-eku",
          f"{CERTS}/secrets/kubelet-client/tls.crt", _OPERATOR),
    Fault("OpenShift master", holds(f"{CERTS}/secrets/kubelet-client/tls.key", key("etcd-client")),
          "key-cert-mismatch", f"{CERTS}/secrets/kubelet-client/tls.key", _OPERATOR),
    Fault("OpenShift master", empty(f"{CERTS}/configmaps/client-ca/ca-bundle.crt"), "bad-pem",
          f"{CERTS}/configmaps/client-ca/ca-bundle.crt", _OPERATOR),
)
