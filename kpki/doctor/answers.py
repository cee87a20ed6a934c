"""The answers of servers: what a server presents, and the verdict of Kubernetes on the answer."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .probe import Presented, ask
from ..clock import utc_now
from ..errors import InputError
from ..kubernetes.go import pem as go_pem
from ..kubernetes.go.addresses import is_address
from ..kubernetes.listeners import NAMELESS, TIMEOUT
from ..kubernetes.verdict import KubernetesVerdict, authorities, verify_kubernetes
from ..pem import is_encrypted, load_certificates, load_key

if TYPE_CHECKING:
    from .probe import Identity

_AT_ONCE = 32       # servers that are asked at the same time
_HTTPS = 443
_UNAUTHORIZED = 401
_OK = "ok"
# A word in the alert of a server → the cause, if the client has presented a certificate.
_ALERTS = {"unknown ca": "unknown-authority", "expired": "expired-client-cert"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTarget:
    """A server to ask, and what is known about the server."""

    host: str
    """The name or address to connect to."""
    port: int
    name: str | None = None
    """The name or address that the certificate must have, None for any."""
    sends_name: bool = True
    """Whether the client of TLS sends *name* (SNI)."""
    authorities: tuple[bytes, ...] = ()
    """The CA certificates (DER) that verify the server; none if they are unknown."""
    verifies: bool = True
    """Whether the client verifies the server."""
    identity: Identity | None = field(default=None, repr=False, compare=False)
    """The chain and key of the client."""
    file: bytes | None = None
    """The certificate (DER) on disk that the server should present."""
    path: str = ""
    """The path of that certificate."""
    component: str = ""
    """The component that serves, and the client if there is one."""
    client_path: str = ""
    """The path of the client's certificate."""
    restart: tuple[str, ...] = ()
    """The commands that restart the server."""

    @property
    def address(self) -> str:
        """HOST:PORT, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def sent_name(self) -> str | None:
        """The name that the client of TLS sends; an address is none (RFC 6066, section 3)."""
        return self.name if self.sends_name and self.name and not is_address(self.name) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one server answered, and what Kubernetes says about the answer.

    >>> answer = kpki.probe("127.0.0.1:1")
    >>> answer.problem, answer.served
    ('nothing listens there: connection refused', ())
    """

    address: str
    """HOST:PORT of the server."""
    component: str = ""
    """The component that serves, "" if unknown."""
    problem: str = ""
    """Why the server presented no certificate: no listener, no answer, no TLS; else ""."""
    protocol: str = ""
    """The version of TLS, as `TLSv1.3`."""
    served: tuple[bytes, ...] = ()
    """The certificates (DER) that the server presents, the leaf first."""
    requests_certificate: bool = False
    """Whether the server asks for a client certificate."""
    client_cas: tuple[str, ...] = ()
    """The subjects of the CAs from which the server asks for a client certificate."""
    client: str = ""
    """`ok` if the server accepts the client certificate, or the refusal; "" if none was shown."""
    requires_certificate: bool = False
    """Whether the server ends a connection without a client certificate."""
    client_cause: str | None = None
    """The slug of the cause of a refusal of the client."""
    client_path: str = ""
    """The path of the client certificate."""
    verified: bool = False
    """Whether CA certificates were given, so that *verdict* is about the chain too."""
    verdict: KubernetesVerdict | None = None
    """The verdict of Kubernetes; None without a certificate, or for a client that verifies none."""
    same_as_file: bool | None = None
    """Whether the server presents the certificate on disk; None if no file is known."""
    path: str = ""
    """The path of the certificate on disk."""
    status: int | None = None
    """The status of the HTTP answer, None without an answer."""
    date: datetime | None = None
    """The server's clock (UTC), None without an HTTP answer."""
    restart: tuple[str, ...] = ()
    """The commands that restart the server; none if they are unknown."""

    @property
    def refused(self) -> bool:
        """Whether one side refuses the other, or the server presents an old certificate."""
        return bool(self.verdict and not self.verdict.ok) or self.client not in ("", _OK) \
            or self.same_as_file is False


def probe(address: str, *, ca: bytes | None = None, certificate: bytes | None = None,
          key: bytes | None = None, name: str | None = None, file: bytes | None = None,
          timeout: float = TIMEOUT, now: datetime | None = None) -> Probe:
    """Ask a server for its certificate, and verify the answer as a component of Kubernetes does.

    *address* is HOST:PORT or an https URL. *ca* is a CA bundle (PEM). *certificate* and *key* (PEM)
    are the client's; the key may be in the same text. *name* is the name or address that the
    certificate must have (None: the host). *file* is the certificate on disk (PEM). *timeout* is
    the limit in seconds. *now* is the moment (UTC, None: the clock). A refusal or a silent server
    is part of the answer. Raises InputError for an unusable argument.

    >>> kpki.probe("127.0.0.1:1").problem
    'nothing listens there: connection refused'
    """
    return answer_of(target_of(address, ca=ca, certificate=certificate, key=key, name=name,
                               file=file), timeout=timeout, now=now or utc_now())


def probe_all(targets: Sequence[ServerTarget], *, timeout: float = TIMEOUT,
              now: datetime) -> list[Probe]:
    """Ask all servers at once; the answers are in the order of *targets*."""
    if not targets:
        return []
    with ThreadPoolExecutor(min(len(targets), _AT_ONCE)) as workers:
        return [*workers.map(lambda target: answer_of(target, timeout=timeout, now=now), targets)]


def target_of(address: str, *, ca: bytes | None = None, certificate: bytes | None = None,
              key: bytes | None = None, name: str | None = None,
              file: bytes | None = None) -> ServerTarget:
    """The target of HOST:PORT or of a URL. Raises InputError as `probe`."""
    host, port = host_and_port(address)
    return ServerTarget(host=host, port=port, name=name or host,
                        sends_name=port not in NAMELESS or name is not None,
                        authorities=authorities(ca, "sslserver") if ca is not None else (),
                        identity=None if certificate is None else load_identity(certificate, key),
                        file=None if file is None else load_leaf(file))


def host_and_port(address: str) -> tuple[str, int]:
    """The host and port of `HOST:PORT`, `[IPV6]:PORT` or an https URL; else InputError."""
    scheme, found, rest = address.partition("://")
    try:
        parts = urlsplit(f"//{rest if found else address}")
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:
        host, port = "", None
    if found and scheme == "https":
        port = port or _HTTPS
    if not host or not port or (found and scheme != "https") or not host.isprintable() \
            or " " in host or "@" in address:
        raise InputError(f"{address!r} is no HOST:PORT",
                         hint="for example 10.0.0.10:6443, [fd00::10]:6443 or "
                              "https://10.0.0.10:6443")
    return host, port


def load_identity(certificate: bytes, key: bytes | None = None) -> Identity:
    """The chain and key of a client; without *key* (PEM) the certificate's text has the key.

    Raises InputError for a text without certificate, or without a readable key.
    """
    text = certificate if key is None else key
    if is_encrypted(text):
        raise InputError("the client's key is encrypted",
                         hint="kpki pkey -in KEY -out NEW writes the key without a passphrase")
    return load_certificates(certificate), load_key(text)


def load_leaf(data: bytes) -> bytes:
    """The first certificate (DER) of a file. Raises InputError if there is none."""
    found = next(iter(go_pem.certificates(data)), None)
    if found is None:
        raise InputError("no certificate in the file")
    return found


def answer_of(target: ServerTarget, *, timeout: float, now: datetime) -> Probe:
    """Ask one server, and verify the answer. Raises InputError for an unusable identity."""
    found = ask(target.host, target.port, server_name=target.sent_name, identity=target.identity,
                timeout=timeout)
    refusal, cause = _refusal(found, shown=target.identity is not None)
    return Probe(
        address=target.address, component=target.component, problem=found.problem,
        protocol=found.protocol, served=found.chain, requests_certificate=found.requests,
        client_cas=found.client_cas, client_path=target.client_path, client_cause=cause,
        client="" if target.identity is None or found.problem or not found.requests
        else refusal or (_OK if found.agreed else ""),
        requires_certificate=target.identity is None and found.requests and bool(found.refusal),
        verified=bool(target.authorities),
        verdict=_verdict(target, found.chain, now) if found.chain and target.verifies else None,
        same_as_file=None if target.file is None or not found.chain
        else target.file == found.chain[0],
        path=target.path, status=found.status, date=found.date, restart=target.restart)


def _refusal(found: Presented, *, shown: bool) -> tuple[str, str | None]:
    """Why the server refuses the client certificate, and the cause."""
    if not shown or not found.requests:
        return "", None
    if found.refusal:
        causes: Iterable[str] = (cause for word, cause in _ALERTS.items() if word in found.refusal)
        return f"the server ended the connection: {found.refusal}", next(iter(causes),
                                                                         "remote-alert")
    if found.status == _UNAUTHORIZED:
        return "the server answered 401 Unauthorized", "remote-alert"
    return "", None


def _verdict(target: ServerTarget, chain: Sequence[bytes], now: datetime) -> KubernetesVerdict:
    """The verdict of a client; without known CAs, the last certificate of the chain is trusted."""
    return verify_kubernetes(chain[0], target.authorities or chain[-1:], untrusted=chain[1:],
                             hostname=target.name, purpose="sslserver", now=now)
