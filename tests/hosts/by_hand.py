"""Hosts by hand, each told in its own way."""
from __future__ import annotations

from tests.hosts.making import (
    Fault,
    Host,
    Maker,
    crt,
    expired,
    holds,
    key,
    kubeconfig,
    made_so,
    pairs,
    unit,
)
from tests.hosts.pki import Row, Shelf, ca

TLS, UNITS = "srv/tls", "etc/systemd/system"


def asking(made: Maker, line: str) -> Maker:
    """A kubeconfig with a further line for its cluster; if the server is not verified, without the CA."""
    def make(shelf: Shelf) -> bytes:
        lines = made(shelf).decode().splitlines(keepends=True)
        return "".join((f"    {line}\n" if "server: " in one else "") + one for one in lines
                       if not (line.startswith("insecure") and "certificate-authority" in one)).encode()
    return make


# An API server whose clients ask for other names than the host of their URL; addresses in their long form
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
    f"{TLS}/kcm.conf": asking(kubeconfig("kcm", "https://127.0.0.1:6443", "ca.pem", crt("kcm"), key("kcm")),
                              "tls-server-name: api.internal"),
    f"{TLS}/scheduler.conf": asking(kubeconfig("scheduler", "https://localhost:6443", "ca.pem", crt("scheduler"),
                                               key("scheduler")), "insecure-skip-tls-verify: true"),
    f"{TLS}/node.conf": kubeconfig("kubelet", _API, crt("ca"), crt("node"), key("node")),
    f"{UNITS}/kube-apiserver.service": unit("/opt/bin/kube-apiserver", f"""--advertise-address=fd00:1:0::5
        --authorization-mode=Node,RBAC --client-ca-file={TLS}/ca.pem --tls-cert-file={TLS}/api.crt
        --tls-private-key-file={TLS}/api.key --kubelet-client-certificate={TLS}/kubelets.crt
        --kubelet-client-key={TLS}/kubelets.key --etcd-servers=http://[::1]:2379
        --service-account-key-file={TLS}/sa.pem --service-account-signing-key-file={TLS}/sa.pem
        --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=fd00:10:96::/108"""),
    f"{UNITS}/kcm.service": unit("/opt/bin/kube-controller-manager", f"""--kubeconfig=../{TLS}/kcm.conf
        --service-account-private-key-file=../{TLS}/sa.pem""", "WorkingDirectory=/opt"),
    f"{UNITS}/scheduler.service": unit("/opt/bin/kube-scheduler", f"--kubeconfig=/{TLS}/scheduler.conf"),
    f"{UNITS}/kubelet.service": unit("/opt/bin/kubelet", f"""--kubeconfig=/{TLS}/node.conf
        --client-ca-file=/{TLS}/callers.pem --tls-cert-file=/{TLS}/node-server.crt
        --tls-private-key-file=/{TLS}/node-server.key --node-ip=fd00:1::5""")},
    seen=f"""
{TLS}/api.crt {TLS}/ca.pem server api.internal fd00:1::5 fd00:10:96::1
{TLS}/kubelets.crt {TLS}/callers.pem client
{TLS}/scheduler.conf#user {TLS}/ca.pem client
{TLS}/node.conf#user {TLS}/ca.pem client
""", given={"ca": "ca"})

HOSTS = {"by hand, names that clients choose": _SIX}

FAULTS = (
    Fault("by hand, names that clients choose", made_so("api", names=_NAMES.replace("DNS:api.internal,", "")),
          "missing-san-dns", f"{TLS}/api.crt"),
    Fault("by hand, names that clients choose", made_so("api", names=_NAMES.replace(",IP:fd00:1::5", "")),
          "missing-san-ip", f"{TLS}/api.crt"),
    # the one CA file is wrong, not the certificate that all others verify, though the CA signed something else here
    Fault("by hand, names that clients choose", holds(f"{TLS}/node.conf", kubeconfig(
        "kubelet", _API, crt("callers"), crt("node"), key("node"))),
          "kubeconfig-wrong-ca", f"{TLS}/node.conf#clusters/kubernetes", "a person"),
    Fault("by hand, names that clients choose", expired("scheduler"), "expired-client-cert",
          f"{TLS}/scheduler.conf#users/scheduler", "a person"),
)
