"""The table of components: which of their start flags name files of a layout, or say who is who.

A flag is a line of its component; the file that it names follows from the layout. Nothing here but what files and
identities need: addresses, networks and tuning are other people's.
Sources: kubeadm 1.34, cmd/kubeadm/app/phases/controlplane/manifests.go and phases/etcd/local.go;
https://kubernetes.io/docs/setup/best-practices/certificates/#certificate-paths; each component's page under
https://kubernetes.io/docs/reference/command-line-tools-reference/
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from ..errors import InputError
from .layouts import CONTROL_PLANE, ETCD, SIGNER, Layout, Place
from .profiles import SERVICE_ACCOUNTS, find_profile

Part = Literal["certificate", "key", "kubeconfig"]


class Flag(NamedTuple):
    """One start flag: its *name* without dashes, and in *meaning* what it is for.

    It names one file of the first of *rows* that the host holds, the *part* of its place; of several places the one
    that *prefer* says, else the first. Without rows it has the *value*, with `{dns_domain}` for the cluster's.
    *field* is where it stands in the component's configuration file, dots between the levels, "" where it stays a
    flag. *needs* names what it is left out without: that the host gets the CA's key, or that the kubelets' serving
    certificates are the CA's. *external* is the field of the description's ExternalEtcd that takes the rows' place.
    """

    name: str
    meaning: str
    rows: tuple[str, ...] = ()
    part: Part = "certificate"
    prefer: Literal["", "every host's", "signer"] = ""
    value: str = ""
    field: str = ""
    needs: Literal["", "ca-key", "kubelet-ca"] = ""
    external: Literal["", "ca_file", "certificate_file", "key_file"] = ""

    def path(self, held: Sequence[tuple[Place, bool]]) -> str:
        """The file that it names, absolute, among the places that a host holds; "" where there is none.

        With each place stands whether the host gets its key.
        """
        for row in self.rows:
            named = [place for place, with_key in held
                     if place.row == row and getattr(place, self.part) and (with_key or self.part != "key")]
            if named:
                place = next(filter(self._is_preferred, named), named[0])
                return f"/{getattr(place, self.part)}"
        return ""

    def _is_preferred(self, place: Place) -> bool:
        return place.only == SIGNER if self.prefer == "signer" else not self.prefer or "" in place.holders


class Component(NamedTuple):
    """A program of the cluster, its *flags*, and the *role* of the hosts that it runs on ("": every host).

    *settings* is what its configuration file says whatever the layout, fields as those of a flag; None where it has
    no such file. *otherwise* says how the program proves who it is under a layout that has no file for it.
    """

    name: str
    flags: tuple[Flag, ...]
    role: str = ""
    settings: tuple[tuple[str, str | bool], ...] | None = None
    otherwise: str = ""

    @property
    def signs(self) -> bool:
        """Whether it signs with the CA's own key."""
        return any(flag.needs == "ca-key" for flag in self.flags)

    def flag(self, name: str) -> Flag:
        """The flag of that name, which must be one of its own."""
        return next(flag for flag in self.flags if flag.name == name)

    def is_in(self, layout: Layout) -> bool:
        """Whether the layout has a file for one of its flags."""
        return any(flag.path(_every_place(layout)) for flag in self.flags)

    def variable(self, layout: Layout) -> str:
        """The environment variable that its systemd unit takes the flags from."""
        return (layout.kubelet_variable if self.name == "kubelet" else "") or \
            f"{self.name.upper().replace('-', '_')}_CERT_ARGS"


def _every_place(layout: Layout) -> list[tuple[Place, bool]]:
    """The places that need no wish of a description."""
    return [(place, True) for place in layout.places if not place.only]


def _pair(row: str, certificate: str, key: str, meaning: str, *, external: bool = False) -> tuple[Flag, Flag]:
    """The two flags of a pair."""
    return (Flag(name=certificate, rows=(row,), meaning=meaning, external="certificate_file" if external else ""),
            Flag(name=key, rows=(row,), part="key", meaning="the key of that certificate",
                 external="key_file" if external else ""))


_KUBECONFIG = "where the API server is, which CA it is trusted by, and the pair that says who calls"
_ASKS = "the same, for asking the API server who calls this component"
_MAY = "the same, for asking the API server what they may do"


def _kubeconfigs(row: str, field: str = "") -> tuple[Flag, ...]:
    """The three kubeconfigs of a component that serves as well; without the last two nobody could ask it anything."""
    return tuple(Flag(name=name, rows=(row,), part="kubeconfig", meaning=meaning, field=stands)
                 for name, meaning, stands in (("kubeconfig", _KUBECONFIG, field),
                                               ("authentication-kubeconfig", _ASKS, ""),
                                               ("authorization-kubeconfig", _MAY, "")))


_FRONT_PROXY_CA = Flag(name="requestheader-client-ca-file", rows=("front-proxy-ca",),
                       meaning="the CA of the one client that may say in headers for whom it asks: the front proxy")

APISERVER = Component(name="kube-apiserver", role=CONTROL_PLANE, flags=(
    Flag(name="client-ca-file", rows=("ca",),
         meaning="the CA of the clients: their certificate's CN is the user, its O the groups"),
    *_pair("apiserver", "tls-cert-file", "tls-private-key-file", "what it shows to every client"),
    *_pair("apiserver-kubelet-client", "kubelet-client-certificate", "kubelet-client-key",
           "what it shows to the kubelets, for logs, exec and port-forward"),
    Flag(name="kubelet-certificate-authority", rows=("ca",), needs="kubelet-ca",
         meaning="the CA of the kubelets' serving certificates; without it any is accepted"),
    Flag(name="etcd-cafile", rows=("etcd-ca",), external="ca_file", meaning="the CA of etcd's serving certificates"),
    *_pair("apiserver-etcd-client", "etcd-certfile", "etcd-keyfile", "what it shows to etcd", external=True),
    _FRONT_PROXY_CA,
    Flag(name="requestheader-allowed-names", value=find_profile("front-proxy-client").common_name,
         meaning="of that CA's certificates the CN that may; without it any"),
    Flag(name="requestheader-username-headers", value="X-Remote-User", meaning="the header with the user"),
    Flag(name="requestheader-group-headers", value="X-Remote-Group", meaning="the header with the groups"),
    Flag(name="requestheader-extra-headers-prefix", value="X-Remote-Extra-",
         meaning="how the headers with all else about the user begin"),
    *_pair("front-proxy-client", "proxy-client-cert-file", "proxy-client-key-file",
           "what it shows to aggregated API servers, as the front proxy"),
    Flag(name="service-account-issuer", value="https://kubernetes.default.svc.{dns_domain}",
         meaning="who issues the service accounts' tokens"),
    Flag(name="service-account-key-file", rows=(SERVICE_ACCOUNTS,), meaning="the public key that checks the tokens"),
    Flag(name="service-account-signing-key-file", rows=(SERVICE_ACCOUNTS,), part="key",
         meaning="the private key that signs them"),
    Flag(name="authorization-mode", value="Node,RBAC",
         meaning="a node's certificate may do what its own node needs, all others what RBAC grants"),
    Flag(name="enable-admission-plugins", value="NodeRestriction",
         meaning="and a node may change no other node, nor another's pods")))

CONTROLLER_MANAGER = Component(name="kube-controller-manager", role=CONTROL_PLANE, flags=(
    *_kubeconfigs("kube-controller-manager"),
    Flag(name="client-ca-file", rows=("ca",), meaning="the CA of those who ask it for health and metrics"),
    _FRONT_PROXY_CA,
    Flag(name="root-ca-file", rows=("ca",), meaning="what pods get as ca.crt, to trust the API server by"),
    Flag(name="cluster-signing-cert-file", rows=("ca",), prefer="signer", needs="ca-key",
         meaning="the CA that signs CertificateSigningRequests; one certificate, no bundle"),
    Flag(name="cluster-signing-key-file", rows=("ca",), part="key", needs="ca-key", meaning="the key of that CA"),
    Flag(name="service-account-private-key-file", rows=(SERVICE_ACCOUNTS,), part="key",
         meaning="the private key that signs the tokens of service accounts"),
    Flag(name="use-service-account-credentials", value="true",
         meaning="each controller acts as a service account of its own, with that one's rights")))

SCHEDULER = Component(
    name="kube-scheduler", role=CONTROL_PLANE, flags=_kubeconfigs("kube-scheduler", "clientConnection.kubeconfig"),
    settings=(("apiVersion", "kubescheduler.config.k8s.io/v1"), ("kind", "KubeSchedulerConfiguration")))

_SERVING = ("kubelet", "kubelet-serving")
KUBELET = Component(
    name="kubelet", flags=(
        Flag(name="client-ca-file", rows=("ca",), prefer="every host's", field="authentication.x509.clientCAFile",
             meaning="the CA of those who may ask the kubelet: the API server"),
        Flag(name="tls-cert-file", rows=_SERVING, field="tlsCertFile", meaning="what it shows to the API server"),
        Flag(name="tls-private-key-file", rows=_SERVING, part="key", field="tlsPrivateKeyFile",
             meaning="the key of that certificate"),
        Flag(name="kubeconfig", rows=("kubelet", "kubelet-client"), part="kubeconfig", meaning=_KUBECONFIG)),
    # The file's own defaults, said aloud: as flags they are the opposite, --anonymous-auth=true and AlwaysAllow.
    settings=(("apiVersion", "kubelet.config.k8s.io/v1beta1"), ("kind", "KubeletConfiguration"),
              ("authentication.anonymous.enabled", False), ("authentication.webhook.enabled", True),
              ("authorization.mode", "Webhook")))

PROXY = Component(
    name="kube-proxy", otherwise="it runs as a pod, with a service account's token", flags=(
        Flag(name="kubeconfig", rows=("kube-proxy",), part="kubeconfig", meaning=_KUBECONFIG,
             field="clientConnection.kubeconfig"),),
    settings=(("apiVersion", "kubeproxy.config.k8s.io/v1alpha1"), ("kind", "KubeProxyConfiguration")))


def _etcd() -> Component:
    """Its flags for clients, and the same for its peers."""
    def flags(prefix: str, row: str, section: str, shown: str, theirs: str) -> tuple[Flag, ...]:
        return (Flag(name=f"{prefix}cert-file", rows=(row,), field=f"{section}.cert-file", meaning=shown),
                Flag(name=f"{prefix}key-file", rows=(row,), part="key", field=f"{section}.key-file",
                     meaning="the key of that certificate"),
                Flag(name=f"{prefix}trusted-ca-file", rows=("etcd-ca",), field=f"{section}.trusted-ca-file",
                     meaning=f"the CA of {theirs} certificates"),
                Flag(name=f"{prefix}client-cert-auth", value="true", field=f"{section}.client-cert-auth",
                     meaning="nobody is let in without one"))
    return Component(name="etcd", role=ETCD, settings=(), flags=(
        *flags("", "etcd-server", "client-transport-security", "what it shows to clients, and to itself as one",
               "the clients'"),
        *flags("peer-", "etcd-peer", "peer-transport-security", "what it shows to the other members, both ways",
               "the other members'")))


COMPONENTS = (APISERVER, CONTROLLER_MANAGER, SCHEDULER, KUBELET, PROXY, _etcd())
COMPONENT_NAMES = tuple(component.name for component in COMPONENTS)


def find_component(name: str) -> Component:
    """The component of that name; InputError where there is none."""
    for component in COMPONENTS:
        if component.name == name:
            return component
    raise InputError(f"unknown component {name!r}", hint=f"one of: {', '.join(COMPONENT_NAMES)}")


def kubelet_flags(layout: Layout) -> tuple[str, ...]:
    """The kubelet's flags that name a layout's files, `--name=/path` each, whatever a description may wish for."""
    held = _every_place(layout)
    return tuple(f"--{flag.name}={path}" for flag in KUBELET.flags if (path := flag.path(held)))


def row_flags(layout: Layout, place: Place) -> tuple[str, ...]:
    """The flags that name the files of one place, `--name=/path` each: the kubelet's all, of others those alone."""
    if place == layout.kubelet:
        return kubelet_flags(layout)
    files, held = {f"/{path}" for path in place.files()}, [(place, True)]
    return tuple(dict.fromkeys(f"--{flag.name}={path}" for component in COMPONENTS for flag in component.flags
                               if (path := flag.path(held)) in files))
