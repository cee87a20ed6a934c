"""The table of layouts: in which files of a host each row lies.

A layout is a row of LAYOUTS, and each of its places is one line. A new layout is a new row.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from .profiles import SERVICE_ACCOUNTS, get_profile
from ..errors import InputError

CERTIFICATE_MODE, KEY_MODE, FOLDER_MODE = 0o644, 0o600, 0o755
CONTROL_PLANE, ETCD = "control-plane", "etcd"
SIGNER = "signer"       # the certificate of a CA bundle that signs
Server = Literal["endpoint", "local"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The files of one row, relative to the host's root; "" for a file that the place lacks.

    >>> [*kpki.inspect_host(host).layout.place("ca").files()]
    ['etc/kubernetes/pki/ca.crt', 'etc/kubernetes/pki/ca.key']
    """

    row: str
    certificate: str = ""
    """The certificate's file; of the service accounts, the public key's."""
    key: str = ""
    """The private key's file."""
    kubeconfig: str = ""
    """The kubeconfig, which embeds the pair."""
    by_path: bool = False
    """Whether the kubeconfig names the files of the pair instead."""
    user: str = ""
    """The kubeconfig's user; "" for the certificate's CN."""
    server: Server = "endpoint"
    """Whether the kubeconfig names the cluster's endpoint or the host's own API server."""
    holders: tuple[str, ...] = ()
    """The roles whose hosts get a file of the whole cluster; "" for every host."""
    key_holders: tuple[str, ...] = ()
    """The roles, all of which a host must have to get the private key."""
    only: Literal["", "kubelet-serving", "signer"] = ""
    """The option of the description without which the place is not used."""

    def files(self) -> Iterator[str]:
        """The files of the place, the certificate first."""
        yield from filter(None, (self.certificate, self.key, self.kubeconfig))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to lay out the files of hosts.

    >>> layout = kpki.inspect_host(host).layout
    >>> layout.name, layout.place("ca").certificate
    ('kubeadm', 'etc/kubernetes/pki/ca.crt')
    """

    name: str
    places: tuple[Place, ...]
    administrators: str
    """The group of the administrator and of the API server's kubelet client."""
    context: str = "{user}@{cluster}"
    """The name of a kubeconfig's context, with `{user}` and `{cluster}`."""
    cluster_name: str = "kubernetes"
    """The cluster's name in kubeconfigs, if no description gives a name."""
    public_key_mode: int = CERTIFICATE_MODE
    """The mode of the service accounts' public key."""
    verifies_kubelets: bool = True
    """Whether a flag of the API server names the CA of the kubelets' serving certificates."""
    static_pods: bool = False
    """Whether the control plane and etcd run as static pods."""
    kubelet_variable: str = ""
    """The environment variable for flags in the kubelet's unit; "" if no convention exists."""
    source: str
    """The origin of the layout."""

    def place(self, row: str) -> Place:
        """The first place of a row; raises InputError if the layout has none."""
        for place in self.places:
            if place.row == row:
                return place
        raise InputError(f"layout {self.name} has no {row}")

    @property
    def kubelet(self) -> Place:
        """The place of the kubelet's client certificate."""
        return next(place for place in self.places if place.row in ("kubelet", "kubelet-client"))

    def node_places(self) -> tuple[Place, ...]:
        """Internal: the places that a kubelet needs: the CA that every host holds, and its pair."""
        return (*(place for place in self.places if place.row == "ca" and "" in place.holders),
                self.kubelet)

    def authority_keys(self) -> tuple[tuple[str, str], ...]:
        """Internal: (file, row) of each CA's private key."""
        return tuple((place.key, place.row) for place in self.places
                     if place.key and get_profile(place.row).kind == "ca")

    def mode(self, place: Place, path: str) -> int:
        """Internal: the mode of a place's file."""
        if path != place.certificate:
            return KEY_MODE
        return self.public_key_mode if place.row == SERVICE_ACCOUNTS else CERTIFICATE_MODE

    def as_found(self, node: str, there: Callable[[str], bool]) -> Layout:
        """Internal: this layout, with another tool's place (OTHER_PLACES) for each row that has it.

        The other place counts if its files exist and the layout's own do not; *there* tells whether
        a path exists.
        """
        places = list(self.places)
        for other in OTHER_PLACES.get(self.name, ()):
            certificate, key = (path.replace("{node}", node)
                                for path in (other.certificate, other.key))
            theirs = {certificate, key} - {""}
            rows = ("kubelet", other.row) if other.row == "kubelet-client" else (other.row,)
            for number, own in enumerate(places):
                ours = {own.certificate, own.key} - {""}
                if own.row not in rows or not any(map(there, theirs - ours)):
                    continue
                if not any(map(there, ours - theirs)):
                    kubeconfig = next((path for path in (other.kubeconfig, own.kubeconfig)
                                       if path and there(path)), "")
                    places[number] = replace(other, certificate=certificate, key=key,
                                             kubeconfig=kubeconfig)
        return replace(self, places=tuple(places)) if places != [*self.places] else self

    def files(self) -> Iterator[tuple[str, int]]:
        """Every file with its mode."""
        for place in self.places:
            for path in place.files():
                yield path, self.mode(place, path)


_EVERY_HOST, _CONTROL_PLANE, _STACKED = ("",), (CONTROL_PLANE,), (CONTROL_PLANE, ETCD)
_OF_THE_CONTROL_PLANE = ("apiserver", "apiserver-kubelet-client", "apiserver-etcd-client",
                         "front-proxy-client")
_OF_ETCD = ("etcd-server", "etcd-peer", "etcd-healthcheck-client")


def _authorities(certificate: str, key: str, etcd: str = "etcd-ca", *,
                 ca: tuple[str, ...]) -> Iterator[Place]:
    """The places of the three CAs and the signer; *ca* are the roles that hold the cluster's CA."""
    for row, stem, holders, key_holders in (
            ("ca", "ca", ca, _CONTROL_PLANE), ("etcd-ca", etcd, _STACKED, _STACKED),
            ("front-proxy-ca", "front-proxy-ca", _CONTROL_PLANE, _CONTROL_PLANE)):
        yield Place(row=row, certificate=certificate.format(stem), key=key.format(stem),
                    holders=holders, key_holders=key_holders)
    # kube-controller-manager accepts one signing certificate, and refuses a bundle
    yield Place(row="ca", certificate=certificate.format("ca-signer"), holders=_CONTROL_PLANE,
                only="signer")


def _kubeadm() -> Iterator[Place]:
    conf, pki, kubelet = "etc/kubernetes", "etc/kubernetes/pki", "var/lib/kubelet/pki/kubelet"
    yield from _authorities(f"{pki}/{{}}.crt", f"{pki}/{{}}.key", "etcd/ca", ca=_EVERY_HOST)
    yield Place(row=SERVICE_ACCOUNTS, certificate=f"{pki}/sa.pub", key=f"{pki}/sa.key",
                holders=_CONTROL_PLANE, key_holders=_CONTROL_PLANE)
    for row in _OF_THE_CONTROL_PLANE + _OF_ETCD:
        stem = row.replace("etcd-", "etcd/") if row in _OF_ETCD else row
        yield Place(row=row, certificate=f"{pki}/{stem}.crt", key=f"{pki}/{stem}.key")
    yield Place(row="admin", kubeconfig=f"{conf}/admin.conf")
    yield Place(row="super-admin", kubeconfig=f"{conf}/super-admin.conf")
    yield Place(row="kube-controller-manager", kubeconfig=f"{conf}/controller-manager.conf",
                server="local")
    yield Place(row="kube-scheduler", kubeconfig=f"{conf}/scheduler.conf", server="local")
    yield Place(row="kubelet-client", kubeconfig=f"{conf}/kubelet.conf", server="local")
    yield Place(row="kubelet-serving", certificate=f"{kubelet}.crt", key=f"{kubelet}.key",
                only="kubelet-serving")


def _ssl() -> Iterator[Place]:
    conf = "etc/kubernetes"
    certificate, key = f"{conf}/ssl/{{}}.pem", f"{conf}/ssl/{{}}-key.pem"
    yield from _authorities(certificate, key, ca=_EVERY_HOST)
    yield Place(row=SERVICE_ACCOUNTS, certificate=certificate.format(SERVICE_ACCOUNTS),
                key=key.format(SERVICE_ACCOUNTS), holders=_CONTROL_PLANE,
                key_holders=_CONTROL_PLANE)
    for row in _OF_THE_CONTROL_PLANE + _OF_ETCD:
        yield Place(row=row, certificate=certificate.format(row), key=key.format(row))
    users: tuple[tuple[str, str, str, Server], ...] = (
        ("admin", "admin", "", "endpoint"),
        ("kube-controller-manager", "kube-controller-manager", "", "local"),
        ("kube-scheduler", "kube-scheduler", "", "local"),
        ("kube-proxy", "kube-proxy", "", "endpoint"),
        ("kubelet", "worker", "kubelet", "endpoint"))
    for row, stem, user, server in users:
        yield Place(row=row, certificate=certificate.format(stem), key=key.format(stem),
                    by_path=True, user=user,
                    kubeconfig=f"{conf}/{stem}-kubeconfig.yaml", server=server)


def _hard_way() -> Iterator[Place]:
    certificate, key, conf = (f"var/lib/kubernetes/{{}}.{ending}"
                              for ending in ("crt", "key", "kubeconfig"))
    kubelet = "var/lib/kubelet"
    yield from _authorities(certificate, key, ca=_CONTROL_PLANE)
    yield Place(row="ca", certificate=f"{kubelet}/ca.crt", holders=_EVERY_HOST)
    yield Place(row=SERVICE_ACCOUNTS, certificate=f"var/lib/kubernetes/{SERVICE_ACCOUNTS}.pub",
                key=key.format(SERVICE_ACCOUNTS), holders=_CONTROL_PLANE,
                key_holders=_CONTROL_PLANE)
    for row in _OF_THE_CONTROL_PLANE + _OF_ETCD:
        stem = "kube-api-server" if row == "apiserver" else row
        yield Place(row=row, certificate=certificate.format(stem), key=key.format(stem))
    yield Place(row="admin", kubeconfig=conf.format("admin"))
    yield Place(row="kube-controller-manager", kubeconfig=conf.format("kube-controller-manager"),
                server="local")
    yield Place(row="kube-scheduler", kubeconfig=conf.format("kube-scheduler"), server="local")
    yield Place(row="kubelet", certificate=f"{kubelet}/kubelet.crt", key=f"{kubelet}/kubelet.key",
                kubeconfig=f"{kubelet}/kubeconfig")
    yield Place(row="kube-proxy", kubeconfig="var/lib/kube-proxy/kubeconfig")


KUBEADM = Layout(name="kubeadm", places=tuple(_kubeadm()), administrators="kubeadm:cluster-admins",
                 public_key_mode=KEY_MODE, verifies_kubelets=False, static_pods=True,
                 kubelet_variable="KUBELET_EXTRA_ARGS",
                 source="kubeadm 1.34: cmd/kubeadm/app/phases/certs/certlist.go, "
                        "phases/kubeconfig/kubeconfig.go")
SSL = Layout(name="ssl", places=tuple(_ssl()), administrators="system:masters",
             context="{user}-context", cluster_name="local",
             source="CoreOS, Cluster TLS using OpenSSL (coreos-kubernetes, "
                    "Documentation/openssl.md and "
                    "deploy-workers.md)")
HARD_WAY = Layout(name="hard-way", places=tuple(_hard_way()), administrators="system:masters",
                  context="default",
                  source="Kubernetes the Hard Way (docs/04 to 10, units/)")
LAYOUTS = (KUBEADM, SSL, HARD_WAY)
LAYOUT_NAMES = tuple(layout.name for layout in LAYOUTS)

# The kubeconfig with the token by which a kubelet requests its first certificate.
BOOTSTRAP = "etc/kubernetes/bootstrap-kubelet.conf"
# The kubelet's link to the newest client pair (one file) that it has requested; the kubelet prefers
# this pair to the kubeconfig's.
KUBELET_CURRENT = "var/lib/kubelet/pki/kubelet-client-current.pem"
_NODE_PEM, _ETCD_PEM = "etc/kubernetes/ssl/{}-{{node}}", "etc/ssl/etcd/ssl/{}-{{node}}"
_KUBESPRAY_ETCD = (
    *(Place(row=row, certificate=f"{_ETCD_PEM.format(name)}.pem",
            key=f"{_ETCD_PEM.format(name)}-key.pem")
      for row, name in (("etcd-server", "member"), ("etcd-peer", "member"),
                        ("etcd-healthcheck-client", "admin"),
                        ("apiserver-etcd-client", "node"))),
    Place(row="etcd-ca", certificate="etc/ssl/etcd/ssl/ca.pem", key="etc/ssl/etcd/ssl/ca-key.pem"))
# Layout → the places that other tools give its rows; `{node}` stands for the host's name. A place
# counts if its files exist and the layout's own do not. Sources: kubespray
# (roles/kubernetes/secrets/files/make-ssl.sh, roles/etcd: make-ssl-etcd.sh), whose kubelet uses its
# pair as a client only, and Kubernetes the Hard Way (docs/04).
OTHER_PLACES: dict[str, tuple[Place, ...]] = {
    "kubeadm": _KUBESPRAY_ETCD,
    "ssl": (
        *(Place(row=row, certificate=f"{stem.format(name)}.pem", key=f"{stem.format(name)}-key.pem",
                by_path=True,
                kubeconfig=f"etc/kubernetes/{config}-kubeconfig.yaml" if config else "", user=user)
          for row, stem, name, config, user in (
              ("kubelet-client", _NODE_PEM, "node", "node", "kubelet"),
              ("admin", _NODE_PEM, "admin", "admin", "admin"),
              ("kube-proxy", _NODE_PEM, "kube-proxy", "kube-proxy", "kube-proxy"))),
        *_KUBESPRAY_ETCD,
        Place(row=SERVICE_ACCOUNTS, key="etc/kubernetes/ssl/service-account-key.pem")),
    "hard-way": (
        Place(row=SERVICE_ACCOUNTS, certificate="var/lib/kubernetes/service-accounts.crt",
              key="var/lib/kubernetes/service-accounts.key"),
        Place(row="apiserver", certificate="etc/etcd/kube-api-server.crt",
              key="etc/etcd/kube-api-server.key"))}

# A workspace is a tree too: the CAs, the service accounts' pair, and the kubeconfigs of users.
WORKSPACE = Layout(
    name="workspace", administrators="", source="kpki: docs/cluster.md",
    places=(Place(row="ca", certificate="pki/ca.crt", key="pki/ca.key"),
            Place(row="etcd-ca", certificate="pki/etcd/ca.crt", key="pki/etcd/ca.key"),
            Place(row="front-proxy-ca", certificate="pki/front-proxy-ca.crt",
                  key="pki/front-proxy-ca.key"),
            Place(row=SERVICE_ACCOUNTS, certificate="pki/sa.pub", key="pki/sa.key"),
            Place(row="admin", kubeconfig="users/admin.conf")))

# In an exchange, the other pair of a CA, or of the service accounts, lies beside the pair that
# signs: before the new pair signs as `pki/ca-next.crt`, then the old pair as `pki/ca-previous.crt`.
NEXT, PREVIOUS = "next", "previous"


def ca_path(layout: Layout) -> str:
    """The path of the cluster's CA that every host of a layout has."""
    return layout.node_places()[0].certificate


def beside(path: str, which: str) -> str:
    """The path of the other pair of an exchange, NEXT or PREVIOUS, for a path of WORKSPACE.

    >>> beside("pki/ca.crt", NEXT)
    'pki/ca-next.crt'
    """
    stem, dot, ending = path.rpartition(".")
    return f"{stem}-{which}{dot}{ending}"


def get_layout(name: str) -> Layout:
    """The layout of that name; raises InputError if there is none."""
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise InputError(f"unknown layout {name!r}",
                     hint=f"one of: {', '.join(layout.name for layout in LAYOUTS)}")
