"""The table of components: the start flags that name a layout's files or concern identities.

Each flag is a line of its component; the layout gives the file that the flag names. Flags for
addresses, networks and tuning are not in the table.
Sources: kubeadm 1.34, cmd/kubeadm/app/phases/controlplane/manifests.go and phases/etcd/local.go;
https://kubernetes.io/docs/setup/best-practices/certificates/#certificate-paths; each component's
page under https://kubernetes.io/docs/reference/command-line-tools-reference/
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from .layouts import CONTROL_PLANE, ETCD, SIGNER, Layout, Place
from .profiles import SERVICE_ACCOUNTS, get_profile
from ..errors import InputError

PairPart = Literal["certificate", "key", "kubeconfig"]


class Flag(NamedTuple):
    """One start flag, which names a file or has a fixed value."""

    name: str
    """The name without dashes."""
    meaning: str
    """What the file or value is for."""
    rows: tuple[str, ...] = ()
    """The rows, of which the flag names a file: of the first that the host holds."""
    part: PairPart = "certificate"
    """Which file of the row's place the flag names."""
    prefer: Literal["", "every host's", "signer"] = ""
    """Which of several places the flag names; "" for the first."""
    value: str = ""
    """The value of a flag without rows; `{dns_domain}` stands for the cluster's domain."""
    field: str = ""
    """The field of the component's configuration file, with dots between levels; "" for a flag."""
    needs: Literal["", "ca-key", "kubelet-ca"] = ""
    """The condition for the flag: the host gets the CA's key, or the CA signs kubelets' servers."""
    external: Literal["", "ca_file", "certificate_file", "key_file"] = ""
    """The field of the description's ExternalEtcd that replaces the rows."""

    def path(self, held: Sequence[tuple[Place, bool]]) -> str:
        """The absolute path of the flag's file among the places that a host holds; "" if none.

        *held* pairs each place with whether the host gets the place's key.
        """
        for row in self.rows:
            named = [place for place, with_key in held
                     if place.row == row and getattr(place, self.part)
                     and (with_key or self.part != "key")]
            if named:
                place = next(filter(self._is_preferred, named), named[0])
                return f"/{getattr(place, self.part)}"
        return ""

    def _is_preferred(self, place: Place) -> bool:
        if self.prefer == "signer":
            return place.only == SIGNER
        return not self.prefer or "" in place.holders


class Component(NamedTuple):
    """A program of the cluster."""

    name: str
    flags: tuple[Flag, ...]
    role: str = ""
    """The role of the hosts on which the program runs; "" for every host."""
    settings: tuple[tuple[str, str | bool], ...] | None = None
    """(field, value) of the configuration file under every layout; None without such a file."""
    otherwise: str = ""
    """How the program authenticates under a layout that has no file for the program."""

    @property
    def signs(self) -> bool:
        """Whether the component signs with the CA's key."""
        return any(flag.needs == "ca-key" for flag in self.flags)

    def flag(self, name: str) -> Flag:
        """The component's flag of that name, which must exist."""
        return next(flag for flag in self.flags if flag.name == name)

    def is_in(self, layout: Layout) -> bool:
        """Whether the layout has a file for a flag of the component."""
        return any(flag.path(_every_place(layout)) for flag in self.flags)

    def variable(self, layout: Layout) -> str:
        """The environment variable with the flags in the component's systemd unit."""
        return (layout.kubelet_variable if self.name == "kubelet" else "") or \
            f"{self.name.upper().replace('-', '_')}_CERT_ARGS"


def _every_place(layout: Layout) -> list[tuple[Place, bool]]:
    """The places that every description uses."""
    return [(place, True) for place in layout.places if not place.only]


def _pair(row: str, certificate: str, key: str, meaning: str, *,
          external: bool = False) -> tuple[Flag, Flag]:
    """The two flags of a pair."""
    return (Flag(name=certificate, rows=(row,), meaning=meaning,
                 external="certificate_file" if external else ""),
            Flag(name=key, rows=(row,), part="key", meaning="the key of that certificate",
                 external="key_file" if external else ""))


_KUBECONFIG = "the API server's URL and CA, and the client pair of this component"
_ASKS = "a kubeconfig to ask the API server who calls this component"
_MAY = "a kubeconfig to ask the API server what the callers may do"


def _kubeconfigs(row: str, field: str = "") -> tuple[Flag, ...]:
    """The three kubeconfigs of a component that also serves; the last two check its callers."""
    return tuple(Flag(name=name, rows=(row,), part="kubeconfig", meaning=meaning, field=stands)
                 for name, meaning, stands in (("kubeconfig", _KUBECONFIG, field),
                                               ("authentication-kubeconfig", _ASKS, ""),
                                               ("authorization-kubeconfig", _MAY, "")))


_FRONT_PROXY_CA = Flag(name="requestheader-client-ca-file", rows=("front-proxy-ca",),
                       meaning="the CA of the front proxy, the client that names the user of a "
                               "request in headers")

APISERVER = Component(name="kube-apiserver", role=CONTROL_PLANE, flags=(
    Flag(name="client-ca-file", rows=("ca",),
         meaning="the CA of the clients: a certificate's CN is the user, its O are the groups"),
    *_pair("apiserver", "tls-cert-file", "tls-private-key-file",
           "the serving certificate, shown to every client"),
    *_pair("apiserver-kubelet-client", "kubelet-client-certificate", "kubelet-client-key",
           "the client certificate for the kubelets (logs, exec and port-forward)"),
    Flag(name="kubelet-certificate-authority", rows=("ca",), needs="kubelet-ca",
         meaning="the CA of the kubelets' serving certificates; without it, none is verified"),
    Flag(name="etcd-cafile", rows=("etcd-ca",), external="ca_file",
         meaning="the CA of etcd's serving certificates"),
    *_pair("apiserver-etcd-client", "etcd-certfile", "etcd-keyfile",
           "the client certificate for etcd", external=True),
    _FRONT_PROXY_CA,
    Flag(name="requestheader-allowed-names", value=get_profile("front-proxy-client").common_name,
         meaning="the CN that the front proxy's certificate must have; without it, any CN"),
    Flag(name="requestheader-username-headers", value="X-Remote-User",
         meaning="the header with the user"),
    Flag(name="requestheader-group-headers", value="X-Remote-Group",
         meaning="the header with the groups"),
    Flag(name="requestheader-extra-headers-prefix", value="X-Remote-Extra-",
         meaning="the prefix of the headers with other facts about the user"),
    *_pair("front-proxy-client", "proxy-client-cert-file", "proxy-client-key-file",
           "the client certificate of the front proxy for aggregated API servers"),
    Flag(name="service-account-issuer", value="https://kubernetes.default.svc.{dns_domain}",
         meaning="the issuer of the service accounts' tokens"),
    Flag(name="service-account-key-file", rows=(SERVICE_ACCOUNTS,),
         meaning="the public key that verifies the tokens"),
    Flag(name="service-account-signing-key-file", rows=(SERVICE_ACCOUNTS,), part="key",
         meaning="the private key that signs the tokens"),
    Flag(name="authorization-mode", value="Node,RBAC",
         meaning="a node's certificate has the rights of its node, all others those of RBAC"),
    Flag(name="enable-admission-plugins", value="NodeRestriction",
         meaning="a node may change neither another node nor another node's pods")))

CONTROLLER_MANAGER = Component(name="kube-controller-manager", role=CONTROL_PLANE, flags=(
    *_kubeconfigs("kube-controller-manager"),
    Flag(name="client-ca-file", rows=("ca",),
         meaning="the CA of the clients that read health and metrics"),
    _FRONT_PROXY_CA,
    Flag(name="root-ca-file", rows=("ca",),
         meaning="the CA that pods get as ca.crt, to verify the API server"),
    Flag(name="cluster-signing-cert-file", rows=("ca",), prefer="signer", needs="ca-key",
         meaning="the CA that signs CertificateSigningRequests: one certificate, no bundle"),
    Flag(name="cluster-signing-key-file", rows=("ca",), part="key", needs="ca-key",
         meaning="the key of that CA"),
    Flag(name="service-account-private-key-file", rows=(SERVICE_ACCOUNTS,), part="key",
         meaning="the private key that signs the tokens of service accounts"),
    Flag(name="use-service-account-credentials", value="true",
         meaning="each controller acts as its own service account, with that account's rights")))

SCHEDULER = Component(
    name="kube-scheduler", role=CONTROL_PLANE,
    flags=_kubeconfigs("kube-scheduler", "clientConnection.kubeconfig"),
    settings=(("apiVersion", "kubescheduler.config.k8s.io/v1"),
              ("kind", "KubeSchedulerConfiguration")))

_SERVING = ("kubelet", "kubelet-serving")
KUBELET_COMPONENT = Component(
    name="kubelet", flags=(
        Flag(name="client-ca-file", rows=("ca",), prefer="every host's",
             field="authentication.x509.clientCAFile",
             meaning="the CA of the kubelet's clients, as the API server"),
        Flag(name="tls-cert-file", rows=_SERVING, field="tlsCertFile",
             meaning="the serving certificate, shown to the API server"),
        Flag(name="tls-private-key-file", rows=_SERVING, part="key", field="tlsPrivateKeyFile",
             meaning="the key of that certificate"),
        Flag(name="kubeconfig", rows=("kubelet", "kubelet-client"), part="kubeconfig",
             meaning=_KUBECONFIG)),
    # These are the file's defaults; the flags have the opposite defaults, --anonymous-auth=true and
    # AlwaysAllow.
    settings=(("apiVersion", "kubelet.config.k8s.io/v1beta1"), ("kind", "KubeletConfiguration"),
              ("authentication.anonymous.enabled", False), ("authentication.webhook.enabled", True),
              ("authorization.mode", "Webhook")))

PROXY = Component(
    name="kube-proxy", otherwise="kube-proxy runs as a pod, with a service account's token", flags=(
        Flag(name="kubeconfig", rows=("kube-proxy",), part="kubeconfig", meaning=_KUBECONFIG,
             field="clientConnection.kubeconfig"),),
    settings=(("apiVersion", "kubeproxy.config.k8s.io/v1alpha1"),
              ("kind", "KubeProxyConfiguration")))


def _etcd() -> Component:
    """etcd with its flags for clients and its flags for peers."""
    def flags(prefix: str, row: str, section: str, shown: str, theirs: str) -> tuple[Flag, ...]:
        return (Flag(name=f"{prefix}cert-file", rows=(row,), field=f"{section}.cert-file",
                     meaning=shown),
                Flag(name=f"{prefix}key-file", rows=(row,), part="key", field=f"{section}.key-file",
                     meaning="the key of that certificate"),
                Flag(name=f"{prefix}trusted-ca-file", rows=("etcd-ca",),
                     field=f"{section}.trusted-ca-file",
                     meaning=f"the CA of {theirs} certificates"),
                Flag(name=f"{prefix}client-cert-auth", value="true",
                     field=f"{section}.client-cert-auth",
                     meaning=f"refuse {theirs} connections without a certificate"))
    return Component(name="etcd", role=ETCD, settings=(), flags=(
        *flags("", "etcd-server", "client-transport-security",
               "the serving certificate, also etcd's own client certificate", "the clients'"),
        *flags("peer-", "etcd-peer", "peer-transport-security",
               "the certificate for the other members, as server and as client",
               "the other members'")))


COMPONENTS = (APISERVER, CONTROLLER_MANAGER, SCHEDULER, KUBELET_COMPONENT, PROXY, _etcd())
COMPONENT_NAMES = tuple(component.name for component in COMPONENTS)


def get_component(name: str) -> Component:
    """The component of that name; raises InputError if there is none."""
    for component in COMPONENTS:
        if component.name == name:
            return component
    raise InputError(f"unknown component {name!r}", hint=f"one of: {', '.join(COMPONENT_NAMES)}")


def kubelet_flags(layout: Layout) -> tuple[str, ...]:
    """The kubelet's flags, `--name=/path` each, for the files that a layout always has."""
    held = _every_place(layout)
    return tuple(f"--{flag.name}={path}" for flag in KUBELET_COMPONENT.flags
                 if (path := flag.path(held)))


def row_flags(layout: Layout, place: Place) -> tuple[str, ...]:
    """The flags that name the files of one place, `--name=/path` each; all the kubelet's flags."""
    if place == layout.kubelet:
        return kubelet_flags(layout)
    files, held = {f"/{path}" for path in place.files()}, [(place, True)]
    return tuple(dict.fromkeys(f"--{flag.name}={path}" for component in COMPONENTS
                               for flag in component.flags
                               if (path := flag.path(held)) in files))
