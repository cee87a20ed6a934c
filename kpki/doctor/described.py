"""The servers that a description names, with the files that its workspace has for each."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from .answers import ServerTarget, host_and_port, load_identity, load_leaf
from ..cluster.desired.rows import Row, Wanted, tree_prefix
from ..cluster.observed.inventory import kubeconfig_in
from ..cluster.workspace import authority_paths, observe_workspace_file, read_cluster
from ..errors import InputError, KpkiError
from ..files import read as read_file
from ..kubernetes.layouts import CONTROL_PLANE
from ..kubernetes.listeners import LISTENERS, NAMELESS, Listener
from ..kubernetes.purposes import PURPOSES
from ..kubernetes.verdict import authorities

if TYPE_CHECKING:
    from .probe import Identity

# host (None: the workspace) and path → the file's bytes, None without the file
_Read = Callable[[str | None, str], bytes | None]
_ADMIN = "admin"


def workspace_targets(folder: str, *, host_name: str) -> list[ServerTarget]:
    """The servers of all hosts of a description, with the files of the workspace.

    Raises FileError or ConfigurationError for the description.
    """
    cluster = read_cluster(folder, host_name=host_name)
    wanted = Wanted(cluster)
    trusted = {signer: _authorities(authority_paths(cluster, folder, signer)[0])
               for signer in ("ca", "etcd-ca")}

    def read(host: str | None, path: str) -> bytes | None:
        return observe_workspace_file(folder, tree_prefix(host) + path).data if path else None

    # the rows of the clients: the administrator's, and those of one control-plane host
    callers = {row.name: row for host in [*cluster.with_role(CONTROL_PLANE)][:1]
               for row in wanted.of_host(host)}
    callers |= {row.name: row for row in wanted.of_workspace()}
    found = list[ServerTarget]()
    for host in cluster.hosts:
        rows = {row.name: row for row in wanted.of_host(host)}
        for listener, served in _listeners(rows):
            port = cluster.port if served and served.name == "apiserver" else listener.port
            client = _client(listener, {**callers, **rows}, read)
            found.append(ServerTarget(
                host=host.addresses[0], port=port, name=host.addresses[0],
                sends_name=port not in NAMELESS,
                component=f"{host.name}: {listener.component}",
                authorities=trusted[served.profile.signer or "ca"] if served else (),
                file=_leaf(read(host.name, served.place.certificate)) if served else None,
                path=tree_prefix(host.name) + served.place.certificate if served else "",
                identity=client[0], client_path=client[1]))
    if cluster.endpoint:
        host_name, port = host_and_port(wanted.server())
        identity, path = _pair(callers[_ADMIN], read)
        found.append(ServerTarget(
            host=host_name, port=port, name=host_name, component="kube-apiserver",
            authorities=trusted["ca"], identity=identity, client_path=path))
    return found


def _listeners(rows: dict[str, Row]) -> Iterator[tuple[Listener, Row | None]]:
    """The servers of a host, and the row of each; a kubelet may have a certificate of its own."""
    for listener in LISTENERS:
        served = rows.get(PURPOSES[listener.purpose].row)
        if listener.component == "kubelet":
            yield listener, served or rows.get("kubelet")
        elif served:
            yield listener, served


def _client(listener: Listener, rows: dict[str, Row], read: _Read) -> tuple[Identity | None, str]:
    """The first client of a server whose pair the workspace has, and the pair's path."""
    for purpose in listener.clients:
        if row := rows.get(PURPOSES[purpose].row):
            identity, path = _pair(row, read)
            if identity:
                return identity, path
    return None, ""


def _pair(row: Row, read: _Read) -> tuple[Identity | None, str]:
    """The pair of a row, and its path in the workspace; None if the pair is missing or unusable."""
    place = row.place
    path = place.certificate or place.kubeconfig
    certificate, key = read(row.host, place.certificate), read(row.host, place.key)
    if not place.certificate and (kubeconfig := kubeconfig_in(read(row.host, path))):
        certificate, key = kubeconfig.certificate.data, kubeconfig.key.data
    if certificate and key:
        with suppress(InputError):
            return load_identity(certificate, key), tree_prefix(row.host) + path
    return None, ""


def _authorities(path: str) -> tuple[bytes, ...]:
    """The CA certificates of a file; none if the file cannot be used (`check` says so)."""
    try:
        return authorities(read_file(path), "sslserver")
    except KpkiError:
        return ()


def _leaf(data: bytes | None) -> bytes | None:
    with suppress(InputError):
        return load_leaf(data or b"")
    return None
