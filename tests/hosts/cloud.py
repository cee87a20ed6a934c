"""Nodes of managed clusters: AKS (AgentBaker), EKS (amazon-eks-ami), Gardener. The control plane is
elsewhere."""
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
    text,
)
from tests.hosts.pki import Row, ca

STORE, UNITS = "var/lib/kubelet/pki", "etc/systemd/system"
SERVER_CURRENT = f"{STORE}/kubelet-server-current.pem"
KUBECONFIG = "var/lib/kubelet/kubeconfig"


def _rows(node: str, address: str, authority: str = "ca") -> dict[str, Row]:
    subject = f"/O=system:nodes/CN=system:node:{node}"
    return {f"{node}-client": Row(subject, authority, "clientAuth"),
            f"{node}-server": Row(subject, authority, "serverAuth", f"DNS:{node},IP:{address}")}


def _stored(node: str, *kinds: str) -> dict[str, Made]:
    found: dict[str, Made] = {}
    for kind in kinds:
        pem = f"{STORE}/kubelet-{kind}-2026-10-12-13-14-15.pem"
        found |= {pem: joined(crt(f"{node}-{kind}"), key(f"{node}-{kind}")),
                  f"{STORE}/kubelet-{kind}-current.pem": Link(f"/{pem}")}
    return found


def _bootstrapped(server: str, authority: str = "ca") -> Made:
    return kubeconfig("default-auth", server, crt(authority), f"/{CURRENT}", f"/{CURRENT}",
                      cluster="default-cluster", context="default-context")


_CLIENT_SEEN = f"{CURRENT} {{}} client\n"

# AKS: parts/linux/cloud-init/artifacts; flags and values are two words
_AKS_NODE, _AKS_SERVER = ("aks-pool1-12345678-vmss000000",
                          "https://aks-dns-1a2b3c4d.hcp.westeurope.azmk8s.io:443")
_AKS_ROWS = {
    "ca": ca("/CN=ca"), **_rows(_AKS_NODE, "10.224.0.4"),
    "apiserver": Row("/CN=apiserver", "ca", "serverAuth",
                     "DNS:aks-dns-1a2b3c4d.hcp.westeurope.azmk8s.io"),
    "client": Row("/O=system:masters/CN=client", "ca", "clientAuth"),
    "kubeletserver": Row(f"/CN={_AKS_NODE}", shape="req-ca", names=f"DNS:{_AKS_NODE}", days=7300)}
CERTS = "etc/kubernetes/certs"
_AKS = {
    "etc/hostname": f"{_AKS_NODE}\n", f"{CERTS}/ca.crt": crt("ca"),
    f"{CERTS}/apiserver.crt": crt("apiserver"),
    **_stored(_AKS_NODE, "client"), KUBECONFIG: _bootstrapped(_AKS_SERVER),
    f"{UNITS}/kubelet.service":
        "[Unit]\nDescription=Kubelet\nConditionPathExists=/opt/bin/kubelet\n\n[Service]\n"
    "Restart=always\nEnvironmentFile=/etc/default/kubelet\nSuccessExitStatus=143\n"
        '# Ace does not recall why this is done\nExecStartPre=/bin/bash -c "if [ $(mount | grep '
        '\\"/var/lib/kubelet\\" | '
        'wc -l) -le 0 ] ; then /bin/mount --bind /var/lib/kubelet /var/lib/kubelet ; fi"\n'
        'ExecStart=/opt/bin/kubelet \\\n        --enable-server \\\n'
    '        --node-labels="${KUBELET_NODE_LABELS}" '
        "\\\n"
        "        --v=2 \\\n        --volume-plugin-dir=/etc/kubernetes/volumeplugins \\\n"
        "        $KUBELET_TLS_BOOTSTRAP_FLAGS \\\n        $KUBELET_CONFIG_FILE_FLAGS \\\n"
        "        $KUBELET_CONTAINERD_FLAGS \\\n        $KUBELET_FLAGS\n\n[Install]\n"
    "WantedBy=multi-user.target\n",
    f"{UNITS}/kubelet.service.d/10-tlsbootstrap.conf":
        '[Service]\nEnvironment="KUBELET_TLS_BOOTSTRAP_FLAGS=--kubeconfig '
    '/var/lib/kubelet/kubeconfig --bootstrap-kubeconfig /var/lib/kubelet/bootstrap-kubeconfig"\n',
    f"{UNITS}/kubelet.service.d/10-componentconfig.conf":
        '[Service]\n'
    'Environment="KUBELET_CONFIG_FILE_FLAGS=--config /etc/default/kubeletconfig.json"\n',
    f"{UNITS}/kubelet.service.d/10-containerd-base-flag.conf":
        '[Service]\nEnvironment="KUBELET_CONTAINERD_FLAGS=--runtime-request-timeout=15m '
        '--container-runtime-endpoint=unix:///run/containerd/containerd.sock"\n'}


def _aks_config(*more: str) -> str:
    fields = ('"kind": "KubeletConfiguration"', '"apiVersion": "kubelet.config.k8s.io/v1beta1"',
              '"staticPodPath": "/etc/kubernetes/manifests"', '"address": "0.0.0.0"',
              '"authentication": {"x509": {"clientCAFile": '
              '"/etc/kubernetes/certs/ca.crt"}, "webhook": {"enabled": true}, "anonymous": {}}',
              '"authorization": {"mode": "Webhook", "webhook": {}}', '"clusterDomain": '
              '"cluster.local"',
              *more)
    return "{\n" + ",\n".join(f"  {field}" for field in fields) + "\n}\n"


_AKS_FLAGS = ("KUBELET_FLAGS=--azure-container-registry-config=/etc/kubernetes/azure.json "
              "--cloud-provider=external --rotate-certificates=true {}\n"
              "KUBELET_REGISTER_SCHEDULABLE=true\nNETWORK_POLICY=\n"
              "KUBELET_NODE_LABELS=agentpool=pool1,kubernetes.azure.com/mode=system\n")

# EKS: nodeadm's flags in no order; the login is a program's
_EKS_EXEC = """      apiVersion: client.authentication.k8s.io/v1beta1
      args:
      - eks
      - get-token
      - --cluster-name
      - prod
      - --region
      - eu-west-1
      command: aws"""
_EKS_SERVER, _EKS_NODE = ("https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com",
                          "i-0aa11bb22cc33dd44")
_EKS2_NODE = "ip-10-0-12-34.eu-west-1.compute.internal"
_EKS_ROWS = {"ca": ca("/CN=kubernetes"), **_rows(_EKS_NODE, "10.0.12.33"),
             **_rows(_EKS2_NODE, "10.0.12.34")}
_EKS_JSON = """{
    "kind": "KubeletConfiguration",
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "authentication": {
        "x509": {
            "clientCAFile": "/etc/kubernetes/pki/ca.crt"
        },
        "webhook": {
            "enabled": true,
            "cacheTTL": "2m0s"
        },
        "anonymous": {
            "enabled": false
        }
    },
    "authorization": {
        "mode": "Webhook"
    },
    "clusterDomain": "cluster.local",
    "serverTLSBootstrap": true
}
"""
_EKS_KUBECONFIG = kubeconfig("kubelet", _EKS_SERVER, "/etc/kubernetes/pki/ca.crt",
                             context="kubelet", exec=_EKS_EXEC)

# Gardener: pkg/component/extensions/operatingsystemconfig/original/components/kubelet; the clients'
# CA is another one
_GARDEN_NODE = "shoot--dev--one-worker-z1-5d6f7-abcde"
_GARDEN_ROWS = {"ca": ca("/CN=kubernetes"), "kubelet-ca": ca("/CN=ca-client"),
                **_rows(_GARDEN_NODE, "10.250.0.5")}

HOSTS = {
    "AKS, own serving pair": Host(_AKS_ROWS, {
        **_AKS, **pair(f"{CERTS}/kubeletserver.crt", f"{CERTS}/kubeletserver.key", "kubeletserver"),
        "etc/default/kubeletconfig.json": _aks_config(
            f'"tlsCertFile": "/{CERTS}/kubeletserver.crt"',
            f'"tlsPrivateKeyFile": "/{CERTS}/kubeletserver.key"', '"rotateCertificates": true'),
        "etc/default/kubelet": _AKS_FLAGS.format("--node-ip=10.224.0.4")},
        seen=_CLIENT_SEEN.format(f"{CERTS}/ca.crt"), warnings=("kubelet-serving-self-signed",),
                                  given={"ca": "ca"}),
    "AKS, serving pair by request": Host(_AKS_ROWS, {
        **_AKS, **_stored(_AKS_NODE, "server"),
        "etc/default/kubeletconfig.json": _aks_config('"rotateCertificates": true',
                                                      '"serverTLSBootstrap": true'),
        "etc/default/kubelet": _AKS_FLAGS.format("--rotate-server-certificates=true")},
        seen=_CLIENT_SEEN.format(f"{CERTS}/ca.crt")
                                         + f"{SERVER_CURRENT} {CERTS}/ca.crt server {_AKS_NODE}\n",
        given={"ca": "ca"}),
    "EKS AL2023": Host(_EKS_ROWS, {
        "etc/hostname": "ip-10-0-12-33.eu-west-1.compute.internal\n",
        "etc/kubernetes/pki/ca.crt": crt("ca"),
        KUBECONFIG: _EKS_KUBECONFIG, **_stored(_EKS_NODE, "server"),
        "etc/kubernetes/kubelet/config.json": _EKS_JSON,
        "etc/kubernetes/kubelet/config.json.d/40-nodeadm.conf":
            '{\n    "apiVersion": "kubelet.config.k8s.io/v1beta1",\n'
        '    "kind": "KubeletConfiguration",\n    "maxPods": 58\n}\n',
        "etc/eks/kubelet/environment": "NODEADM_KUBELET_ARGS=--node-ip=10.0.12.33 "
        f"--cloud-provider=external --hostname-override={_EKS_NODE} --config-dir=/etc/kubernetes/"
        "kubelet/config.json.d --kubeconfig=/var/lib/kubelet/kubeconfig "
        "--config=/etc/kubernetes/kubelet/config.json --v=2\n",
        f"{UNITS}/kubelet.service":
            "[Unit]\nDescription=Kubernetes Kubelet\nAfter=containerd.service\n\n[Service]\n"
            "Slice=runtime.slice\nEnvironmentFile=/etc/eks/kubelet/environment\n"
            "ExecStartPre=/sbin/iptables -P FORWARD ACCEPT -w 5\n"
        "ExecStart=/usr/bin/kubelet $NODEADM_KUBELET_ARGS\nRestart=on-failure\nKillMode=process\n\n"
        "[Install]\nWantedBy=multi-user.target\n"},
        seen=f"{SERVER_CURRENT} etc/kubernetes/pki/ca.crt server {_EKS_NODE} 10.0.12.33\n",
                       given={"ca": "ca"}),
    "EKS AL2": Host(_EKS_ROWS, {
        "etc/hostname": f"{_EKS2_NODE}\n", "etc/kubernetes/pki/ca.crt": crt("ca"),
        KUBECONFIG: _EKS_KUBECONFIG,
        **_stored(_EKS2_NODE, "server"), "etc/kubernetes/kubelet/kubelet-config.json": _EKS_JSON,
        f"{UNITS}/kubelet.service":
            "[Service]\nExecStart=/usr/bin/kubelet --cloud-provider external \\\n"
            "    --config /etc/kubernetes/kubelet/kubelet-config.json \\\n"
        "    --kubeconfig /var/lib/kubelet/kubeconfig \\\n"
            "    --container-runtime-endpoint unix:///run/containerd/containerd.sock \\\n"
            "    $KUBELET_ARGS $KUBELET_EXTRA_ARGS\n\nRestart=always\n",
        f"{UNITS}/kubelet.service.d/10-kubelet-args.conf":
            "[Service]\nEnvironment='KUBELET_ARGS=--node-ip=10.0.12.34 --v=2'\n",
        f"{UNITS}/kubelet.service.d/30-kubelet-extra-args.conf":
            "[Service]\n"
        "Environment='KUBELET_EXTRA_ARGS=--node-labels=eks.amazonaws.com/nodegroup=one'\n"},
        seen=f"{SERVER_CURRENT} etc/kubernetes/pki/ca.crt server {_EKS2_NODE} 10.0.12.34\n",
                    given={"ca": "ca"}),
    "Gardener node": Host(_GARDEN_ROWS, {
        "etc/hostname": f"{_GARDEN_NODE}\n", "var/lib/kubelet/ca.crt": crt("kubelet-ca"),
        **_stored(_GARDEN_NODE, "client", "server"),
        "var/lib/kubelet/kubeconfig-real": _bootstrapped("https://api.one.dev.example.test"),
        "var/lib/kubelet/config/kubelet": kubelet_config(
            "/var/lib/kubelet/ca.crt", "rotateCertificates: true", "serverTLSBootstrap: true"),
        "etc/environment": "PATH=/usr/bin\n",
        "var/lib/kubelet/extra_args": 'KUBELET_EXTRA_ARGS="--node-ip=10.250.0.5"\n',
        f"{UNITS}/kubelet.service":
            "[Unit]\nDescription=kubelet daemon\nAfter=containerd.service\n[Install]\n"
            "WantedBy=multi-user.target\n[Service]\nRestart=always\nRestartSec=5\n"
        "EnvironmentFile=/etc/environment\nEnvironmentFile=-/var/lib/kubelet/extra_args\n"
        "ExecStart=/opt/bin/kubelet \\\n    --bootstrap-kubeconfig=/var/lib/kubelet/kubeconfig-"
        "bootstrap \\\n    --config=/var/lib/kubelet/config/kubelet \\\n    --kubeconfig=/var/lib/"
        "kubelet/kubeconfig-real \\\n    --node-labels=worker.gardener.cloud/pool=worker \\\n"
            "    --container-runtime-endpoint=unix:///run/containerd/containerd.sock \\\n    --v=2 "
            "$KUBELET_EXTRA_ARGS\n"},
        seen=_CLIENT_SEEN.format("var/lib/kubelet/kubeconfig-real#ca")
        + f"{SERVER_CURRENT} var/lib/kubelet/kubeconfig-real#ca server {_GARDEN_NODE}\n"),
}

_ITSELF = "the kubelet's own request"
FAULTS = (
    Fault("AKS, own serving pair", gone(f"{CERTS}/kubeletserver.crt"), "file-missing",
          f"{CERTS}/kubeletserver.crt"),
    Fault("AKS, own serving pair", holds(f"{CERTS}/kubeletserver.key", key("client")),
          "key-cert-mismatch", f"{CERTS}/kubeletserver.key"),
    Fault("AKS, own serving pair", expired(f"{_AKS_NODE}-client"), "expired-client-cert", CURRENT),
    Fault("AKS, own serving pair", empty(f"{CERTS}/ca.crt"), "bad-pem", f"{CERTS}/ca.crt"),
    Fault("AKS, own serving pair", made_so(
        f"{_AKS_NODE}-client",
        subject="/O=system:nodes/CN=system:node:aks-pool1-12345678-vmss000001"),
          "wrong-node-identity", CURRENT),
    Fault("AKS, serving pair by request", expired(f"{_AKS_NODE}-server"), "expired-server-cert",
          SERVER_CURRENT),
    Fault("AKS, serving pair by request", gone(f"{CERTS}/ca.crt"), "file-missing",
          f"{CERTS}/ca.crt"),
    Fault("AKS, serving pair by request", made_so(f"{_AKS_NODE}-client", usages="serverAuth"),
          "wrong-eku", CURRENT),
    Fault("AKS, serving pair by request", by_stray(f"{_AKS_NODE}-client"), "unknown-authority",
          CURRENT),
    Fault("EKS AL2023", expired(f"{_EKS_NODE}-server"), "expired-server-cert", SERVER_CURRENT),
    Fault("EKS AL2023", gone("etc/kubernetes/pki/ca.crt"), "file-missing",
          "etc/kubernetes/pki/ca.crt"),
    Fault("EKS AL2023", made_so(f"{_EKS_NODE}-server", usages="clientAuth"), "wrong-eku",
          SERVER_CURRENT),
    Fault("EKS AL2023", text(KUBECONFIG, "user: kubelet", "user: kubernetes"), "kubeconfig-broken",
          f"{KUBECONFIG}#users/kubernetes", "a person"),
    Fault("EKS AL2023", gone(KUBECONFIG), "file-missing", KUBECONFIG, "a person"),
    Fault("EKS AL2", empty("etc/kubernetes/pki/ca.crt"), "bad-pem", "etc/kubernetes/pki/ca.crt"),
    Fault("EKS AL2", gone("etc/kubernetes/kubelet/kubelet-config.json"), "file-missing",
          "etc/kubernetes/kubelet/kubelet-config.json", "a person"),
    Fault("EKS AL2", by_stray(f"{_EKS2_NODE}-server"), "unknown-authority", SERVER_CURRENT),
    Fault("EKS AL2", mode(f"{STORE}/kubelet-server-2026-10-12-13-14-15.pem", 0o644), "key-exposed",
          SERVER_CURRENT),
    Fault("Gardener node", expired(f"{_GARDEN_NODE}-client"), "expired-client-cert", CURRENT,
          _ITSELF),
    Fault("Gardener node", expired(f"{_GARDEN_NODE}-server"), "expired-server-cert", SERVER_CURRENT,
          _ITSELF),
    Fault("Gardener node", gone("var/lib/kubelet/ca.crt"), "file-missing", "var/lib/kubelet/ca.crt",
          _ITSELF),
    Fault("Gardener node",
          made_so(f"{_GARDEN_NODE}-client", subject="/O=system:nodes/CN=system:node:another"),
          "wrong-node-identity", CURRENT, _ITSELF),
    Fault("Gardener node", made_so(f"{_GARDEN_NODE}-client", usages="serverAuth"), "wrong-eku",
          CURRENT, _ITSELF),
)
