"""Hosts by hand, each told in its own way."""
from __future__ import annotations

from tests.hosts import kubeadm
from tests.hosts.kubeadm import CONF, PKI
from tests.hosts.making import (
    CURRENT,
    EXPIRED,
    Fault,
    Host,
    Link,
    Maker,
    by_stray,
    crt,
    empty,
    expired,
    gone,
    holds,
    joined,
    key,
    kubeconfig,
    made_so,
    pair,
    pairs,
    pod,
    text,
    unit,
)
from tests.hosts.pki import Row, Shelf, ca

TLS, UNITS = "srv/tls", "etc/systemd/system"


def asking(made: Maker, line: str) -> Maker:
    """A kubeconfig with a further line for its cluster; if the server is not verified, without the
    CA."""
    def make(shelf: Shelf) -> bytes:
        lines = made(shelf).decode().splitlines(keepends=True)
        return "".join((f"    {line}\n" if "server: " in item else "") + item for item in lines
                       if not (line.startswith("insecure")
                               and "certificate-authority" in item)).encode()
    return make


# An API server whose clients ask for other names than the host of their URL; addresses in their
# long form
_API = "https://[fd00:1:0::5]:6443"
_NAMES = "DNS:api.internal,DNS:kubernetes.default.svc,IP:fd00:10:96::1,IP:fd00:1::5"
_ROWS = {
    "ca": ca("/CN=site-ca"), "callers": ca("/CN=callers-ca"), "sa": Row("/CN=unused"),
    "api": Row("/CN=kube-apiserver", "ca", "serverAuth", _NAMES),
    "kubelets": Row("/O=system:masters/CN=api", "callers", "clientAuth"),
    "kcm": Row("/CN=system:kube-controller-manager", "ca", "clientAuth"),
    "scheduler": Row("/CN=system:kube-scheduler", "ca", "clientAuth"),
    "node": Row("/O=system:nodes/CN=system:node:six", "ca", "clientAuth"),
    "node-server": Row("/CN=six", "ca", "serverAuth", "DNS:six,IP:fd00:1::5")}

_SIX = Host(_ROWS, {
    "etc/hostname": "six\n", f"{TLS}/ca.pem": crt("ca"), f"{TLS}/callers.pem": crt("callers"),
    f"{TLS}/sa.pem": key("sa"),
    **pairs(TLS, "api", "kubelets", "node-server"),
    f"{TLS}/kcm.conf": asking(kubeconfig("kcm", "https://127.0.0.1:6443", "ca.pem", crt("kcm"),
                                         key("kcm")),
                              "tls-server-name: api.internal"),
    f"{TLS}/scheduler.conf": asking(kubeconfig("scheduler", "https://localhost:6443",
                                               "ca.pem", crt("scheduler"), key("scheduler")),
                                    "insecure-skip-tls-verify: true"),
    f"{TLS}/node.conf": kubeconfig("kubelet", _API, crt("ca"), crt("node"), key("node")),
    f"{UNITS}/kube-apiserver.service": unit("/opt/bin/kube-apiserver",
                                            f"""--advertise-address=fd00:1:0::5
        --authorization-mode=Node,RBAC --client-ca-file={TLS}/ca.pem --tls-cert-file={TLS}/api.crt
        --tls-private-key-file={TLS}/api.key --kubelet-client-certificate={TLS}/kubelets.crt
        --kubelet-client-key={TLS}/kubelets.key --etcd-servers=http://[::1]:2379
        --service-account-key-file={TLS}/sa.pem --service-account-signing-key-file={TLS}/sa.pem
        --service-account-issuer=https://kubernetes.default.svc
        --service-cluster-ip-range=fd00:10:96::/108"""),
    f"{UNITS}/kcm.service": unit("/opt/bin/kube-controller-manager",
                                 f"""--kubeconfig=../{TLS}/kcm.conf
        --service-account-private-key-file=../{TLS}/sa.pem""", "WorkingDirectory=/opt"),
    f"{UNITS}/scheduler.service": unit("/opt/bin/kube-scheduler",
                                       f"--kubeconfig=/{TLS}/scheduler.conf"),
    f"{UNITS}/kubelet.service": unit("/opt/bin/kubelet", f"""--kubeconfig=/{TLS}/node.conf
        --client-ca-file=/{TLS}/callers.pem --tls-cert-file=/{TLS}/node-server.crt
        --tls-private-key-file=/{TLS}/node-server.key --node-ip=fd00:1::5""")},
    seen=f"""
{TLS}/api.crt {TLS}/ca.pem server api.internal fd00:1::5 fd00:10:96::1
{TLS}/kubelets.crt {TLS}/callers.pem client
{TLS}/scheduler.conf#user {TLS}/ca.pem client
{TLS}/node.conf#user {TLS}/ca.pem client
""", given={"ca": "ca"})

# Two instances of a template, each started because a target wants it
_MEMBER = """ETCD_CERT_FILE=/etc/etcd/{name}/server.crt
ETCD_KEY_FILE=/etc/etcd/{name}/server.key
ETCD_TRUSTED_CA_FILE=/etc/etcd/ca.crt
ETCD_LISTEN_CLIENT_URLS=https://10.2.0.12:{port},https://127.0.0.1:{port}
ETCD_ADVERTISE_CLIENT_URLS=https://10.2.0.12:{port}
"""
_WANTS = f"{UNITS}/multi-user.target.wants"
_INSTANCES = Host({
    "etcd-ca": ca("/CN=etcd-ca"),
    "main": Row("/CN=main", "etcd-ca", "serverAuth,clientAuth", "IP:10.2.0.12,IP:127.0.0.1"),
    "events": Row("/CN=events", "etcd-ca", "serverAuth,clientAuth", "IP:10.2.0.12,IP:127.0.0.1")}, {
        "etc/hostname": "e1\n", "etc/etcd/ca.crt": crt("etcd-ca"),
        f"{UNITS}/etcd@.service": unit("/usr/bin/etcd", "", "Environment=ETCD_NAME=%i",
                                       "EnvironmentFile=/etc/etcd/%i.env"),
        f"{_WANTS}/etcd@main.service": Link("../etcd@.service"),
        f"{_WANTS}/etcd@events.service": Link("/etc/systemd/system/etcd@.service"),
        "etc/etcd/main.env": _MEMBER.format(name="main", port=2379),
        "etc/etcd/events.env": _MEMBER.format(name="events", port=4001),
        **pair("etc/etcd/main/server.crt", "etc/etcd/main/server.key", "main"),
        **pair("etc/etcd/events/server.crt", "etc/etcd/events/server.key", "events")},
    seen="""
etc/etcd/main/server.crt etc/etcd/ca.crt server 10.2.0.12 127.0.0.1
etc/etcd/events/server.crt etc/etcd/ca.crt server 10.2.0.12 127.0.0.1
""", given={"etcd_ca": "etcd-ca"})

# Alpine's package of the kubelet: an OpenRC script that takes in kubeadm's file of flags
_ALPINE = Host(kubeadm.certificates() | kubeadm.client("alpine-1")
               | kubeadm.own_serving("alpine-1"), {
                   **{path: made for path, made
                      in kubeadm.kubelet("alpine-1", "https://api.example.test:6443").items()
                      if "/systemd/" not in path},
                   f"{PKI}/ca.crt": crt("ca"), "etc/hostname": "localhost\n",
                   "var/lib/kubelet/kubeadm-flags.env":
                       'KUBELET_KUBEADM_ARGS="--hostname-override=alpine-1"\n',
                   "etc/conf.d/kubelet": 'command_args="--bootstrap-kubeconfig=/'
                   'etc/kubernetes/bootstrap-kubelet.conf --config=/var/lib/kubelet/config.yaml '
                   '--kubeconfig=/etc/kubernetes/kubelet.conf"\n',
                   "etc/init.d/kubelet": """#!/sbin/openrc-run
description="Kubelet, a Kubernetes node agent"
if [ -e /var/lib/kubelet/kubeadm-flags.env ]; then
    . /var/lib/kubelet/kubeadm-flags.env;
fi
command="/usr/bin/kubelet"
command_args="${command_args} ${KUBELET_KUBEADM_ARGS}"
: ${output_log:=/var/log/$RC_SVCNAME/$RC_SVCNAME.log}
"""}, seen=f"{CURRENT} {PKI}/ca.crt client\n", warnings=("kubelet-serving-self-signed",),
               given={"ca": "ca"},
    address="10.0.0.31")

# OpenShift 3.11: etcd's pod takes in its variables; what the node's script works out, no file tells
_ORIGIN = Host({
    "etcd-ca": ca("/CN=etcd-signer@1500000000"),
    "origin-etcd": Row("/CN=m.example.test", "etcd-ca", "serverAuth,clientAuth",
                       "DNS:m.example.test,IP:10.8.0.1")}, {
                           "etc/hostname": "m.example.test\n", "etc/etcd/ca.crt": crt("etcd-ca"),
                           **pair("etc/etcd/server.crt", "etc/etcd/server.key", "origin-etcd"),
                           "etc/origin/node/pods/etcd.yaml": """kind: Pod
apiVersion: v1
spec:
  containers:
  - name: etcd
    command: ["/bin/sh", "-c"]
    args:
    - |
      #!/bin/sh
      set -o allexport
      source /etc/etcd/etcd.conf
      exec etcd
    volumeMounts:
    - {mountPath: /etc/etcd/, name: conf}
  volumes:
  - name: conf
    hostPath: {path: /etc/etcd/}
""",
                           "etc/etcd/etcd.conf": """ETCD_NAME=m.example.test
ETCD_LISTEN_CLIENT_URLS=https://10.8.0.1:2379
ETCD_ADVERTISE_CLIENT_URLS=https://10.8.0.1:2379
#[security]
ETCD_TRUSTED_CA_FILE=/etc/etcd/ca.crt
ETCD_CERT_FILE=/etc/etcd/server.crt
ETCD_KEY_FILE=/etc/etcd/server.key
""",
                           f"{UNITS}/origin-node.service": unit("/usr/local/bin/openshift-node"),
                           "usr/local/bin/openshift-node": """#!/bin/sh
flags=$( /usr/bin/openshift-node-config "--config=/etc/origin/node/node-config.yaml" )
eval "exec /usr/bin/hyperkube kubelet --v=${DEBUG_LOGLEVEL:-2} ${flags}"
"""}, seen="etc/etcd/server.crt etc/etcd/ca.crt server 10.8.0.1\n", given={"etcd_ca": "etcd-ca"})

# Container Linux 2018: the wrapper of etcd has the folder in a variable where the host has it
_WRAPPED = Host({
    "etcd-ca": ca("/CN=etcd-ca"),
    "wrapped": Row(
        "/O=etcd/CN=etcd-server", "etcd-ca", "serverAuth,clientAuth", "DNS:node1.example.test")}, {
            "etc/hostname": "node1\n", "etc/ssl/etcd/etcd/ca.crt": crt("etcd-ca"),
            **pair("etc/ssl/etcd/etcd/server.crt", "etc/ssl/etcd/etcd/server.key", "wrapped"),
            "usr/lib/systemd/system/etcd-member.service": unit("/usr/lib/coreos/etcd-wrapper",
                                                               "$ETCD_OPTS"),
            f"{UNITS}/etcd-member.service.d/40-cluster.conf": """[Service]
Environment="ETCD_SSL_DIR=/etc/ssl/etcd"
Environment="ETCD_ADVERTISE_CLIENT_URLS=https://node1.example.test:2379"
Environment="ETCD_LISTEN_CLIENT_URLS=https://0.0.0.0:2379"
Environment="ETCD_TRUSTED_CA_FILE=/etc/ssl/certs/etcd/ca.crt"
Environment="ETCD_CERT_FILE=/etc/ssl/certs/etcd/server.crt"
Environment="ETCD_KEY_FILE=/etc/ssl/certs/etcd/server.key"
"""}, seen="etc/ssl/etcd/etcd/server.crt etc/ssl/etcd/etcd/ca.crt server node1.example.test\n",
    given={"etcd_ca": "etcd-ca"}, mounts={"/etc/ssl/certs": "/etc/ssl/etcd"})

# An API server with files that name further files, as its container sees them
_MORE = "etc/kubernetes/more"
_FURTHER = Host(kubeadm.certificates() | {
    "egress-ca": ca("/CN=egress-ca"), "egress": Row("/CN=apiserver", "egress-ca", "clientAuth"),
    "konnectivity": Row("/CN=konnectivity", "egress-ca", "serverAuth", "IP:127.0.0.1"),
    "hooks-ca": ca("/CN=hooks"), "hook": Row("/CN=admission", "hooks-ca", "clientAuth")}, {
        **kubeadm.control_plane(),
        f"{CONF}/manifests/kube-apiserver.yaml": pod("kube-apiserver",
                                                     """--advertise-address=10.0.0.10
            --authorization-config=/in/more/authz.yaml
            --egress-selector-config-file=/in/more/egress.yaml
            --authentication-config=/in/more/authn.yaml
            --admission-control-config-file=/in/more/admission.yaml --client-ca-file=/in/pki/ca.crt
            --tls-cert-file=/in/pki/apiserver.crt --tls-private-key-file=/in/pki/apiserver.key
            --etcd-servers=https://127.0.0.1:2379 --etcd-cafile=/in/pki/etcd/ca.crt
            --etcd-certfile=/in/pki/apiserver-etcd-client.crt
            --etcd-keyfile=/in/pki/apiserver-etcd-client.key
            --service-account-key-file=/in/pki/sa.pub
            --service-account-signing-key-file=/in/pki/sa.key
            --service-account-issuer=https://kubernetes.default.svc""", {"/in/pki": f"/{PKI}",
                                                                         "/in/more": f"/{_MORE}"}),
        f"{_MORE}/authn.yaml": "apiVersion: apiserver.config.k8s.io/v1\n"
        "kind: AuthenticationConfiguration\n",
        f"{_MORE}/authz.yaml": """apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: Node, name: node}
- {type: RBAC, name: rbac}
- type: Webhook
  name: site
  webhook:
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: /in/more/authz.conf}
""",
        f"{_MORE}/authz.conf": kubeconfig("api", "https://authz.example.test", "hooks.crt",
                                          token="abc"),
        f"{_MORE}/hooks.crt": crt("hooks-ca"),
        f"{_MORE}/admission.yaml": """apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ValidatingAdmissionWebhook
  path: /in/more/validating.yaml
""",
        f"{_MORE}/validating.yaml": "kind: WebhookAdmissionConfiguration\n"
        "kubeConfigFile: /in/more/admission.conf\n",
        f"{_MORE}/admission.conf": "kind: Config\nusers:\n- name: '*.example.test'\n  user:\n"
                                   "    client-certificate: hook.crt\n    client-key: hook.key\n",
        **pairs(_MORE, "hook", "egress"), f"{_MORE}/egress-ca.crt": crt("egress-ca"),
        f"{_MORE}/egress.yaml": """apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      tcp:
        url: https://127.0.0.1:8131
        tlsConfig: {caBundle: /in/more/egress-ca.crt, clientCert: /in/more/egress.crt, \
clientKey: /in/more/egress.key}
""",
        f"{CONF}/manifests/konnectivity-server.yaml":
            pod("konnectivity-server", """--server-cert=/in/k/server.crt
            --server-key=/in/k/server.key --server-ca-cert=/in/k/ca.crt""",
                {"/in/k": "/etc/konnectivity"}, "/proxy-server"),
        "etc/konnectivity/ca.crt": crt("egress-ca"),
        **pair("etc/konnectivity/server.crt", "etc/konnectivity/server.key", "konnectivity")},
    seen=f"""
{PKI}/apiserver.crt {PKI}/ca.crt server 10.0.0.10
{_MORE}/egress.crt etc/konnectivity/ca.crt client
etc/konnectivity/server.crt {_MORE}/egress-ca.crt server 127.0.0.1
{_MORE}/hook.crt {_MORE}/hooks.crt client
""", warnings=("kubelet-serving-self-signed",),
    mounts={"/in/pki": f"/{PKI}", "/in/more": f"/{_MORE}", "/in/k": "/etc/konnectivity"})

# Verifiers know the root alone: each file has the CA that signed it, in one file with its key or in
# a kubeconfig
_CHAINED = Host({
    "root": ca("/CN=site-root"),
    "issuing": Row("/CN=site-kubernetes", "root", shape="go-ca", days=1800),
    "chained": Row("/CN=kube-apiserver", "issuing", "serverAuth",
                   "DNS:kubernetes.default.svc,IP:10.3.0.1,IP:10.96.0.1"),
    "chained-kubelets": Row("/O=system:masters/CN=api", "issuing", "clientAuth"),
    "chained-kcm": Row("/CN=system:kube-controller-manager", "issuing", "clientAuth"),
    "sa": Row("/CN=unused")}, {
        "etc/hostname": "chain\n", f"{TLS}/root.pem": crt("root"),
        **pair(f"{TLS}/issuing.pem", f"{TLS}/issuing-key.pem",
                                                                        "issuing"),
        f"{TLS}/api.pem": joined(crt("chained", "issuing"), key("chained")),
        f"{TLS}/sa.pem": key("sa"),
        f"{TLS}/kubelets.pem": crt("chained-kubelets", "issuing"),
        f"{TLS}/kubelets-key.pem": key("chained-kubelets"),
        f"{TLS}/kcm.conf": kubeconfig("kcm", "https://10.3.0.1:6443", crt("root"),
                                      crt("chained-kcm", "issuing"), key("chained-kcm")),
        f"{UNITS}/kube-apiserver.service": unit("/opt/bin/kube-apiserver",
                                                f"""--advertise-address=10.3.0.1
            --authorization-mode=Node,RBAC --client-ca-file=/{TLS}/root.pem
            --tls-cert-file=/{TLS}/api.pem --tls-private-key-file=/{TLS}/api.pem
            --kubelet-client-certificate=/{TLS}/kubelets.pem
            --kubelet-client-key=/{TLS}/kubelets-key.pem --etcd-servers=http://127.0.0.1:2379
            --service-account-key-file=/{TLS}/sa.pem
            --service-account-signing-key-file=/{TLS}/sa.pem
            --service-account-issuer=https://kubernetes.default.svc
            --service-cluster-ip-range=10.96.0.0/12"""),
        f"{UNITS}/kube-controller-manager.service": unit("/opt/bin/kube-controller-manager", f"""
            --kubeconfig=/{TLS}/kcm.conf --root-ca-file=/{TLS}/root.pem
            --service-account-private-key-file=/{TLS}/sa.pem
            --cluster-signing-cert-file=/{TLS}/issuing.pem
            --cluster-signing-key-file=/{TLS}/issuing-key.pem""")},
    seen=f"""
{TLS}/api.pem {TLS}/root.pem server 10.3.0.1 10.96.0.1 kubernetes.default.svc
{TLS}/kubelets.pem {TLS}/root.pem client
{TLS}/kcm.conf#user {TLS}/root.pem client
""")

# Flatcar on AWS: what names the node is written at boot, and /etc/hostname tells nothing
_AT_BOOT = Host({
    "ca": ca("/CN=kubernetes-ca"),
    "at-boot": Row("/O=system:nodes/CN=system:node:ip-10-0-4-5.ec2.internal", "ca", "clientAuth")},
                {
"etc/hostname": "localhost\n", "etc/kubernetes/ca.crt": crt("ca"),
"var/lib/kubelet/kubeconfig": kubeconfig("default-auth", "https://api.example.test:6443", crt("ca"),
                                         f"/{CURRENT}", f"/{CURRENT}"),
CURRENT: Link("kubelet-client-1.pem"),
"var/lib/kubelet/pki/kubelet-client-1.pem": joined(crt("at-boot"), key("at-boot")),
f"{UNITS}/kubelet.service": unit("/usr/bin/kubelet", """--client-ca-file=/etc/kubernetes/ca.crt
            --kubeconfig=/var/lib/kubelet/kubeconfig --rotate-certificates
            --node-ip=${COREOS_EC2_IPV4_LOCAL} --hostname-override=${COREOS_EC2_HOSTNAME}""",
                                 "EnvironmentFile=-/run/metadata/flatcar")},
    seen=f"{CURRENT} etc/kubernetes/ca.crt client\n", given={"ca": "ca"})

HOSTS = {
    "by hand, names that clients choose": _SIX, "by hand, instances of etcd": _INSTANCES,
    "Alpine, OpenRC": _ALPINE, "OpenShift 3.11, etcd": _ORIGIN, "Container Linux, etcd": _WRAPPED,
    "by hand, further files of the API server": _FURTHER, "by hand, an intermediate CA": _CHAINED,
    "Flatcar, named at boot": _AT_BOOT}

FAULTS = (
    Fault("by hand, names that clients choose",
          made_so("api", names=_NAMES.replace("DNS:api.internal,", "")), "missing-san-dns",
          f"{TLS}/api.crt"),
    Fault("by hand, names that clients choose",
          made_so("api", names=_NAMES.replace(",IP:fd00:1::5", "")), "missing-san-ip",
          f"{TLS}/api.crt"),
    # the one CA file is wrong, not the certificate that all others verify, though the CA signed
    # something else here
    Fault("by hand, names that clients choose", holds(f"{TLS}/node.conf", kubeconfig(
        "kubelet", _API, crt("callers"), crt("node"), key("node"))),
          "kubeconfig-wrong-ca", f"{TLS}/node.conf#clusters/kubernetes", "a person"),
    Fault("by hand, names that clients choose", expired("scheduler"), "expired-client-cert",
          f"{TLS}/scheduler.conf#users/scheduler", "a person"),
    Fault("by hand, instances of etcd", gone("etc/etcd/events/server.key"), "file-missing",
          "etc/etcd/events/server.key"),
    Fault("by hand, instances of etcd", expired("main"), EXPIRED, "etc/etcd/main/server.crt"),
    Fault("by hand, instances of etcd", made_so("events", names="IP:10.2.0.13,IP:127.0.0.1"),
          "missing-san-ip", "etc/etcd/events/server.crt"),
    Fault("by hand, instances of etcd", holds("etc/etcd/main/server.key", key("events")),
          "key-cert-mismatch", "etc/etcd/main/server.key"),
    Fault("Alpine, OpenRC", made_so("alpine-1", subject="/O=system:nodes/CN=system:node:localhost"),
          "wrong-node-identity", CURRENT),
    Fault("Alpine, OpenRC", expired("alpine-1"), "expired-client-cert", CURRENT),
    Fault("Alpine, OpenRC", gone(f"{PKI}/ca.crt"), "file-missing", f"{PKI}/ca.crt"),
    Fault("Alpine, OpenRC", gone("var/lib/kubelet/config.yaml"), "file-missing",
          "var/lib/kubelet/config.yaml", "a person"),
    Fault("OpenShift 3.11, etcd", expired("origin-etcd"), EXPIRED, "etc/etcd/server.crt"),
    Fault("OpenShift 3.11, etcd", made_so("origin-etcd", names="DNS:m.example.test"),
          "missing-san-ip", "etc/etcd/server.crt"),
    Fault("OpenShift 3.11, etcd", gone("etc/etcd/server.key"), "file-missing",
          "etc/etcd/server.key"),
    Fault("OpenShift 3.11, etcd", by_stray("origin-etcd"), "etcd-peer-cert", "etc/etcd/server.crt"),
    Fault("Container Linux, etcd", expired("wrapped"), EXPIRED, "etc/ssl/etcd/etcd/server.crt"),
    Fault("Container Linux, etcd", gone("etc/ssl/etcd/etcd/server.key"), "file-missing",
          "etc/ssl/etcd/etcd/server.key"),
    Fault("Container Linux, etcd", made_so("wrapped", names="DNS:node2.example.test"),
          "missing-san-dns", "etc/ssl/etcd/etcd/server.crt"),
    Fault("Container Linux, etcd", empty("etc/ssl/etcd/etcd/ca.crt"), "bad-pem",
          "etc/ssl/etcd/etcd/ca.crt"),
    *(Fault("by hand, further files of the API server", change, cause, f"{_MORE}/{path}",
            "a person")
      for change, cause, path in (
          (gone(f"{_MORE}/authn.yaml"), "file-missing", "authn.yaml"),
          (holds(f"{_MORE}/authz.yaml", "kind: Pod\n"), "flags-mismatch", "authz.yaml"),
          (empty(f"{_MORE}/authz.conf"), "kubeconfig-broken", "authz.conf"),
          (by_stray("egress"), "unknown-authority", "egress.crt"),
          (expired("hook"), "expired-client-cert", "hook.crt"),
          (gone(f"{_MORE}/hook.key"), "file-missing", "hook.key"))),
    Fault("by hand, an intermediate CA", expired("chained"), "expired-server-cert",
          f"{TLS}/api.pem"),
    Fault("by hand, an intermediate CA",
          holds(f"{TLS}/kubelets.pem", crt("chained-kubelets"), "no intermediate CA"),
          "unknown-authority", f"{TLS}/kubelets.pem"),
    Fault("by hand, an intermediate CA", expired("chained-kcm"), "expired-client-cert",
          f"{TLS}/kcm.conf#users/kcm"),
    Fault("by hand, an intermediate CA", gone(f"{TLS}/kubelets-key.pem"), "file-missing",
          f"{TLS}/kubelets-key.pem"),
    Fault("Flatcar, named at boot", expired("at-boot"), "expired-client-cert", CURRENT),
    Fault("Flatcar, named at boot",
          made_so("at-boot", subject="/O=nodes/CN=system:node:ip-10-0-4-5.ec2.internal"),
          "wrong-organisation", CURRENT),
    Fault("Flatcar, named at boot", gone("etc/kubernetes/ca.crt"), "file-missing",
          "etc/kubernetes/ca.crt"),
    Fault("Flatcar, named at boot", made_so("at-boot", usages="serverAuth"), "wrong-eku", CURRENT),
    Fault("by hand, names that clients choose",
          text(f"{UNITS}/kubelet.service", f"--tls-cert-file=/{TLS}/node-server.crt", "--v=2"),
          "flags-mismatch", f"{UNITS}/kubelet.service", "a person"),
    Fault("by hand, instances of etcd",
          text("etc/etcd/main.env", "ETCD_KEY_FILE=", "#ETCD_KEY_FILE="), "flags-mismatch",
          "etc/etcd/main.env", "a person"),
)
