"""The table of layouts: where each row lies on a host and in which form.

A layout is a row of LAYOUTS, each of its places one line; a new one is a new row and nothing else.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import InputError
from .profiles import SERVICE_ACCOUNTS, find_profile

CERTIFICATE_MODE, KEY_MODE, FOLDER_MODE = 0o644, 0o600, 0o755
CONTROL_PLANE, ETCD = "control-plane", "etcd"
SIGNER = "signer"       # of a CA bundle with several certificates, the one that signs
Server = Literal["endpoint", "local"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one row lies, relative to the host's root; "" for what there is not.

    *certificate* (of the service accounts: the public key) and *key* are files of their own. *kubeconfig* embeds the
    pair, or with *by_path* names those files. *user* is the kubeconfig's user ("": the CN); it leads to the cluster's
    endpoint, or to the host's own API server (*server*). What there is one of in a cluster goes to the hosts that have
    one of the roles *holders* ("": every host), its key to those that have all of *key_holders*. *only* names a wish
    of the description without which the place is not used.
    """

    row: str
    certificate: str = ""
    key: str = ""
    kubeconfig: str = ""
    by_path: bool = False
    user: str = ""
    server: Server = "endpoint"
    holders: tuple[str, ...] = ()
    key_holders: tuple[str, ...] = ()
    only: Literal["", "kubelet-serving", "signer"] = ""

    def files(self) -> Iterator[str]:
        """Its files, the certificate first."""
        yield from filter(None, (self.certificate, self.key, self.kubeconfig))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to lay out hosts.

    *administrators* is the group of the administrator and of the API server's kubelet client, *context* the name of a
    kubeconfig's context, with `{user}` and `{cluster}`, *cluster_name* the name that a kubeconfig gives the cluster
    where no description tells it, *public_key_mode* the mode of the service accounts' public key, *verifies_kubelets*
    whether the API server is told the CA of the kubelets' serving certificates, *static_pods* whether the control plane
    and etcd run as those, *kubelet_variable* the environment
    variable that its kubelet's unit has room for flags in ("": none is agreed on), *source* where the layout comes
    from.
    """

    name: str
    places: tuple[Place, ...]
    administrators: str
    context: str = "{user}@{cluster}"
    cluster_name: str = "kubernetes"
    public_key_mode: int = CERTIFICATE_MODE
    verifies_kubelets: bool = True
    static_pods: bool = False
    kubelet_variable: str = ""
    source: str

    def place(self, row: str) -> Place:
        """The first place of a row; InputError where the layout has none."""
        for place in self.places:
            if place.row == row:
                return place
        raise InputError(f"layout {self.name} has no {row}")

    @property
    def kubelet(self) -> Place:
        """The place of the pair that makes a host a node: its kubelet's client certificate."""
        return next(place for place in self.places if place.row in ("kubelet", "kubelet-client"))

    def node_places(self) -> tuple[Place, ...]:
        """Internal: what a kubelet needs: the CA that every host holds, and its own pair."""
        return (*(place for place in self.places if place.row == "ca" and "" in place.holders), self.kubelet)

    def authority_keys(self) -> tuple[tuple[str, str], ...]:
        """Internal: where it has the private keys of CAs, and of which."""
        return tuple((place.key, place.row) for place in self.places
                     if place.key and find_profile(place.row).kind == "ca")

    def mode(self, place: Place, path: str) -> int:
        """Internal: the mode that a file of a place has."""
        if path != place.certificate:
            return KEY_MODE
        return self.public_key_mode if place.row == SERVICE_ACCOUNTS else CERTIFICATE_MODE

    def as_found(self, node: str, there: Callable[[str], bool]) -> Layout:
        """Internal: this layout with the places that others give a row in it (OTHER_PLACES), if only those are
        *there*."""
        places = list(self.places)
        for other in OTHER_PLACES.get(self.name, ()):
            certificate, key = (path.replace("{node}", node) for path in (other.certificate, other.key))
            theirs = {certificate, key} - {""}
            rows = ("kubelet", other.row) if other.row == "kubelet-client" else (other.row,)
            for number, own in enumerate(places):
                ours = {own.certificate, own.key} - {""}
                if own.row in rows and any(map(there, theirs - ours)) and not any(map(there, ours - theirs)):
                    places[number] = replace(other, certificate=certificate, key=key, kubeconfig=next(
                        (one for one in (other.kubeconfig, own.kubeconfig) if one and there(one)), ""))
        return replace(self, places=tuple(places)) if places != [*self.places] else self

    def files(self) -> Iterator[tuple[str, int]]:
        """Every file with its mode."""
        for place in self.places:
            for path in place.files():
                yield path, self.mode(place, path)


_EVERY_HOST, _CONTROL_PLANE, _STACKED = ("",), (CONTROL_PLANE,), (CONTROL_PLANE, ETCD)
_OF_THE_CONTROL_PLANE = ("apiserver", "apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-client")
_OF_ETCD = ("etcd-server", "etcd-peer", "etcd-healthcheck-client")


def _authorities(certificate: str, key: str, etcd: str = "etcd-ca", *, ca: tuple[str, ...]) -> Iterator[Place]:
    """The three CAs and the service accounts' pair, whose files are made of a stem each; *ca* hold the first."""
    for row, stem, holders, key_holders in (
            ("ca", "ca", ca, _CONTROL_PLANE), ("etcd-ca", etcd, _STACKED, _STACKED),
            ("front-proxy-ca", "front-proxy-ca", _CONTROL_PLANE, _CONTROL_PLANE)):
        yield Place(row=row, certificate=certificate.format(stem), key=key.format(stem), holders=holders,
                    key_holders=key_holders)
    # kube-controller-manager takes one certificate to sign with, and refuses a bundle
    yield Place(row="ca", certificate=certificate.format("ca-signer"), holders=_CONTROL_PLANE, only="signer")


def _kubeadm() -> Iterator[Place]:
    conf, pki, kubelet = "etc/kubernetes", "etc/kubernetes/pki", "var/lib/kubelet/pki/kubelet"
    yield from _authorities(f"{pki}/{{}}.crt", f"{pki}/{{}}.key", "etcd/ca", ca=_EVERY_HOST)
    yield Place(row=SERVICE_ACCOUNTS, certificate=f"{pki}/sa.pub", key=f"{pki}/sa.key", holders=_CONTROL_PLANE,
                key_holders=_CONTROL_PLANE)
    for row in _OF_THE_CONTROL_PLANE + _OF_ETCD:
        stem = row.replace("etcd-", "etcd/") if row in _OF_ETCD else row
        yield Place(row=row, certificate=f"{pki}/{stem}.crt", key=f"{pki}/{stem}.key")
    yield Place(row="admin", kubeconfig=f"{conf}/admin.conf")
    yield Place(row="super-admin", kubeconfig=f"{conf}/super-admin.conf")
    yield Place(row="kube-controller-manager", kubeconfig=f"{conf}/controller-manager.conf", server="local")
    yield Place(row="kube-scheduler", kubeconfig=f"{conf}/scheduler.conf", server="local")
    yield Place(row="kubelet-client", kubeconfig=f"{conf}/kubelet.conf", server="local")
    yield Place(row="kubelet-serving", certificate=f"{kubelet}.crt", key=f"{kubelet}.key", only="kubelet-serving")


def _ssl() -> Iterator[Place]:
    certificate, key, conf = "etc/kubernetes/ssl/{}.pem", "etc/kubernetes/ssl/{}-key.pem", "etc/kubernetes"
    yield from _authorities(certificate, key, ca=_EVERY_HOST)
    yield Place(row=SERVICE_ACCOUNTS, certificate=certificate.format(SERVICE_ACCOUNTS),
                key=key.format(SERVICE_ACCOUNTS), holders=_CONTROL_PLANE, key_holders=_CONTROL_PLANE)
    for row in _OF_THE_CONTROL_PLANE + _OF_ETCD:
        yield Place(row=row, certificate=certificate.format(row), key=key.format(row))
    users: tuple[tuple[str, str, str, Server], ...] = (
        ("admin", "admin", "", "endpoint"), ("kube-controller-manager", "kube-controller-manager", "", "local"),
        ("kube-scheduler", "kube-scheduler", "", "local"), ("kube-proxy", "kube-proxy", "", "endpoint"),
        ("kubelet", "worker", "kubelet", "endpoint"))
    for row, stem, user, server in users:
        yield Place(row=row, certificate=certificate.format(stem), key=key.format(stem), by_path=True, user=user,
                    kubeconfig=f"{conf}/{stem}-kubeconfig.yaml", server=server)


def _hard_way() -> Iterator[Place]:
    certificate, key, conf = (f"var/lib/kubernetes/{{}}.{ending}" for ending in ("crt", "key", "kubeconfig"))
    kubelet = "var/lib/kubelet"
    yield from _authorities(certificate, key, ca=_CONTROL_PLANE)
    yield Place(row="ca", certificate=f"{kubelet}/ca.crt", holders=_EVERY_HOST)
    yield Place(row=SERVICE_ACCOUNTS, certificate=f"var/lib/kubernetes/{SERVICE_ACCOUNTS}.pub",
                key=key.format(SERVICE_ACCOUNTS), holders=_CONTROL_PLANE, key_holders=_CONTROL_PLANE)
    for row in _OF_THE_CONTROL_PLANE + _OF_ETCD:
        stem = "kube-api-server" if row == "apiserver" else row
        yield Place(row=row, certificate=certificate.format(stem), key=key.format(stem))
    yield Place(row="admin", kubeconfig=conf.format("admin"))
    yield Place(row="kube-controller-manager", kubeconfig=conf.format("kube-controller-manager"), server="local")
    yield Place(row="kube-scheduler", kubeconfig=conf.format("kube-scheduler"), server="local")
    yield Place(row="kubelet", certificate=f"{kubelet}/kubelet.crt", key=f"{kubelet}/kubelet.key",
                kubeconfig=f"{kubelet}/kubeconfig")
    yield Place(row="kube-proxy", kubeconfig="var/lib/kube-proxy/kubeconfig")


KUBEADM = Layout(name="kubeadm", places=tuple(_kubeadm()), administrators="kubeadm:cluster-admins",
                 public_key_mode=KEY_MODE, verifies_kubelets=False, static_pods=True,
                 kubelet_variable="KUBELET_EXTRA_ARGS",
                 source="kubeadm 1.34: cmd/kubeadm/app/phases/certs/certlist.go, phases/kubeconfig/kubeconfig.go")
SSL = Layout(name="ssl", places=tuple(_ssl()), administrators="system:masters", context="{user}-context",
             cluster_name="local",
             source="CoreOS, Cluster TLS using OpenSSL (coreos-kubernetes, Documentation/openssl.md and "
                    "deploy-workers.md)")
HARD_WAY = Layout(name="hard-way", places=tuple(_hard_way()), administrators="system:masters", context="default",
                  source="Kubernetes the Hard Way (docs/04 to 10, units/)")
LAYOUTS = (KUBEADM, SSL, HARD_WAY)
LAYOUT_NAMES = tuple(layout.name for layout in LAYOUTS)

BOOTSTRAP = "etc/kubernetes/bootstrap-kubelet.conf"     # holds a token that gets a kubelet its first certificate
# Where the kubelet keeps the client certificate that it has got for itself, a link to the newest pair (one file); it
# comes before what the kubeconfig says.
KUBELET_CURRENT = "var/lib/kubelet/pki/kubelet-client-current.pem"
_NODE_PEM, _ETCD_PEM = "etc/kubernetes/ssl/{}-{{node}}", "etc/ssl/etcd/ssl/{}-{{node}}"
_KUBESPRAY_ETCD = (
    *(Place(row=row, certificate=f"{_ETCD_PEM.format(name)}.pem", key=f"{_ETCD_PEM.format(name)}-key.pem")
      for row, name in (("etcd-server", "member"), ("etcd-peer", "member"), ("etcd-healthcheck-client", "admin"),
                        ("apiserver-etcd-client", "node"))),
    Place(row="etcd-ca", certificate="etc/ssl/etcd/ssl/ca.pem", key="etc/ssl/etcd/ssl/ca-key.pem"))
# Layout → the places that others give a row in it, `{node}` for the host's name: each counts where its files are there
# and the layout's own are not. kubespray (roles/kubernetes/secrets/files/make-ssl.sh, roles/etcd: make-ssl-etcd.sh),
# whose kubelet shows its pair as a client only, and Kubernetes the Hard Way (docs/04).
OTHER_PLACES: dict[str, tuple[Place, ...]] = {
    "kubeadm": _KUBESPRAY_ETCD,
    "ssl": (
        *(Place(row=row, certificate=f"{stem.format(name)}.pem", key=f"{stem.format(name)}-key.pem", by_path=True,
                kubeconfig=f"etc/kubernetes/{config}-kubeconfig.yaml" if config else "", user=user)
          for row, stem, name, config, user in (
              ("kubelet-client", _NODE_PEM, "node", "node", "kubelet"), ("admin", _NODE_PEM, "admin", "admin", "admin"),
              ("kube-proxy", _NODE_PEM, "kube-proxy", "kube-proxy", "kube-proxy"))),
        *_KUBESPRAY_ETCD,
        Place(row=SERVICE_ACCOUNTS, key="etc/kubernetes/ssl/service-account-key.pem")),
    "hard-way": (
        Place(row=SERVICE_ACCOUNTS, certificate="var/lib/kubernetes/service-accounts.crt",
              key="var/lib/kubernetes/service-accounts.key"),
        Place(row="apiserver", certificate="etc/etcd/kube-api-server.crt", key="etc/etcd/kube-api-server.key"))}

# A workspace is one more tree: the CAs and the service accounts' pair, and the kubeconfigs of people.
WORKSPACE = Layout(
    name="workspace", administrators="", source="kpki: docs/cluster.md",
    places=(Place(row="ca", certificate="pki/ca.crt", key="pki/ca.key"),
            Place(row="etcd-ca", certificate="pki/etcd/ca.crt", key="pki/etcd/ca.key"),
            Place(row="front-proxy-ca", certificate="pki/front-proxy-ca.crt", key="pki/front-proxy-ca.key"),
            Place(row=SERVICE_ACCOUNTS, certificate="pki/sa.pub", key="pki/sa.key"),
            Place(row="admin", kubeconfig="users/admin.conf")))


def find_layout(name: str) -> Layout:
    """The layout of that name; InputError where there is none."""
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise InputError(f"unknown layout {name!r}", hint=f"one of: {', '.join(layout.name for layout in LAYOUTS)}")
