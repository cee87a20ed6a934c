"""The servers that a host's uses name, with the files that belong to each."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypedDict
from urllib.parse import urlsplit

from .answers import ServerTarget, host_and_port, load_identity
from ..cluster.observed.inventory import Inventory, kubeconfig_in, named_path
from ..cluster.observed.restarts import restart_of
from ..cluster.observed.use import Running, Use
from ..cluster.rules.facts import Pair, TrustFile, pairs_of, trust_files_of
from ..cluster.rules.names import names_asked
from ..errors import InputError
from ..kubernetes import reading
from ..kubernetes.kubeconfig import Kubeconfig, Material
from ..kubernetes.listeners import LISTENERS, Listener
from ..kubernetes.purposes import PURPOSES
from ..kubernetes.verdict import authorities
from ..pem import dump_certificate

if TYPE_CHECKING:
    from .probe import Identity

_ANYWHERE = ("", "0.0.0.0", "::")       # noqa: S104 (nothing is bound here)
_LOOPBACK, _HTTPS = "127.0.0.1", "https"
_API_CLIENTS = ("apiserver-client-ca",)     # the verifiers of each client of the API server


class _Files(NamedTuple):
    """The readable pairs and CA files of a host."""

    pairs: Sequence[Pair]
    trust: Sequence[TrustFile]

    def pair(self, component: str, *purposes: str) -> Pair | None:
        """The first whole pair with one of the purposes; *component* "" is any."""
        return next((pair for purpose in purposes for pair in self.pairs
                     if pair.chain and pair.key is not None and pair.matches
                     and any(use.purpose == purpose and component in ("", use.component)
                             for use in pair.uses)), None)

    def authorities(self, component: str, *purposes: str) -> tuple[bytes, ...]:
        """The certificates (DER) of the first CA file with one of the purposes."""
        found = next((file.certificates for purpose in purposes for file in self.trust
                      if file.certificates
                      and any(use.purpose == purpose and component in ("", use.component)
                              for use in file.uses)), ())
        return tuple(dump_certificate(certificate, encoding="DER") for certificate in found)


def host_targets(inventory: Inventory, *, live: bool) -> list[ServerTarget]:
    """The servers of a host, and those that the host's clients call.

    Each server of the host has the commands that restart the server. *live*: the tree is the
    running host's, so that a server without an address is at loopback.
    """
    read = _Files(pairs_of(inventory), trust_files_of(inventory))
    found = [target for running in inventory.running for listener in LISTENERS
             if listener.component == running.component
             for target in _own(read, running, listener, live=live)]
    return [*dict.fromkeys([*found, *_api_servers(inventory, read),
                            *_etcd_servers(inventory, read)])]


def _own(read: _Files, running: Running, listener: Listener, *,
         live: bool) -> Iterator[ServerTarget]:
    """The places where a component of the host listens, if a use names a certificate for them."""
    served = [pair for pair in read.pairs
              if any(use.purpose == listener.purpose and use.component == running.component
                     and use.group.startswith(running.key) for use in pair.uses)]
    client = read.pair("", *listener.clients)
    for pair in served if listener.by_name else served[:1]:
        name = next(_names(running, pair), None) if listener.by_name else None
        for host, port in _places(running, listener, live=live):
            yield ServerTarget(
                host=host, port=port, name=name, sends_name=listener.by_name,
                component=f"{listener.component}, asked for {name}" if name
                else listener.component,
                path=pair.path, restart=tuple(restart_of(running)),
                file=dump_certificate(pair.chain[0], encoding="DER") if pair.chain else None,
                authorities=read.authorities("", *PURPOSES[listener.purpose].verifiers),
                **_client(client))


def _names(running: Running, pair: Pair) -> Iterator[str]:
    """The DNS names for which an API server presents a pair; `any` stands for a wildcard."""
    names = [*names_asked(running, pair)]
    own = reading.names_of(reading.extensions_of(pair.chain[0])) if pair.chain else None
    if own and not names:
        names = [*own.dns]
    for name in names:
        yield name.replace("*", "any", 1)


class _Client(TypedDict):
    identity: Identity | None
    client_path: str


def _client(pair: Pair | None) -> _Client:
    if pair is None or pair.key is None:
        return {"identity": None, "client_path": ""}
    return {"identity": (pair.chain, pair.key), "client_path": pair.path}


def _places(running: Running, listener: Listener, *, live: bool) -> Iterator[tuple[str, int]]:
    """The addresses and ports at which a component listens with TLS."""
    places = [(next((value for name in listener.addresses
                     for value in running.settings.get(name, ()) if value not in _ANYWHERE), ""),
               running.value(listener.port_setting) or str(listener.port))]
    if listener.urls:
        urls = [urlsplit(url) for url in running.settings.get(listener.urls, ())]
        places = [(url.hostname or "", str(url.port or listener.port)) for url in urls
                  if url.scheme == _HTTPS]
    anywhere = _LOOPBACK if live else ""
    for named, port in dict.fromkeys(places):
        host = anywhere if named in _ANYWHERE else named
        if host and port.isdecimal() and int(port):
            yield host, int(port)


def _api_servers(inventory: Inventory, read: _Files) -> Iterator[ServerTarget]:
    """The API server of each kubeconfig, as the client that reads the kubeconfig."""
    for use in inventory.uses:
        if use.part != "kubeconfig" or PURPOSES[use.purpose].verifiers != _API_CLIENTS:
            continue
        kubeconfig = kubeconfig_in(inventory.file(use.file).data)
        with suppress(InputError):
            if kubeconfig is not None:
                yield replace(
                    target_of_kubeconfig(kubeconfig, lambda _: None),
                    authorities=_trusted(read, use, kubeconfig) if kubeconfig.verifies else (),
                    component=f"kube-apiserver, called by {use.component}",
                    **_client(read.pair(use.component, use.purpose)))


def _trusted(read: _Files, use: Use, kubeconfig: Kubeconfig) -> tuple[bytes, ...]:
    """The CA certificates that a kubeconfig trusts."""
    path = kubeconfig.authority.path and named_path(use.path, kubeconfig.authority.path)
    return tuple(dump_certificate(certificate, encoding="DER") for file in read.trust
                 if file.path == path or any(other.group == use.group for other in file.uses)
                 for certificate in file.certificates)


def _etcd_servers(inventory: Inventory, read: _Files) -> Iterator[ServerTarget]:
    """Each etcd that the host's API server calls."""
    for running in inventory.running:
        if running.component != "kube-apiserver":
            continue
        for url in running.settings.get("etcd-servers", ()):
            with suppress(InputError):
                host, port = host_and_port(url)
                yield ServerTarget(
                    host=host, port=port, name=host,
                    authorities=read.authorities(running.component, "etcd-server-ca"),
                    component=f"etcd, called by {running.component}",
                    **_client(read.pair(running.component, "apiserver-etcd-client")))


def target_of_kubeconfig(kubeconfig: Kubeconfig,
                         read: Callable[[Material], bytes | None]) -> ServerTarget:
    """The API server of a kubeconfig; *read* gives the content of a material, None for none.

    Raises InputError for a server that is no https URL, and for an unusable certificate or key.
    """
    host, port = host_and_port(kubeconfig.url)
    ca, certificate = read(kubeconfig.authority), read(kubeconfig.certificate)
    return ServerTarget(
        host=host, port=port, name=kubeconfig.asked_name or host, verifies=kubeconfig.verifies,
        authorities=authorities(ca, "sslserver") if ca and kubeconfig.verifies else (),
        identity=load_identity(certificate, read(kubeconfig.key)) if certificate else None)
