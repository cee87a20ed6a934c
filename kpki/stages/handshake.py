"""A TLS handshake in memory: whether a client and a server accept each other's certificates.

The TLS is pyOpenSSL's, over memory buffers. Each side shows its certificate, and checks path, times
and purpose of the other's; the client also checks the host name. Components of a cluster that know
each other by certificates do the same (RFC 8446 §4.4). Only a handshake gives this answer: reading
files does not. The reasons are in OpenSSL's words.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .extensions.general_names import ip_octets
from .keys import validate_signing_key
from .verification.hostnames import matches_host, matches_ip
from .verification.verdicts import REASONS, UNKNOWN_REASON
from ..clock import utc_now
from ..errors import InputError, KpkiError
from ..pem import load_certificate

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate
    from OpenSSL.SSL import Connection

_OTHER = {"client": "server", "server": "client"}
_WHOLE = 1 << 16  # octets read from a side at once: more than one flight of a handshake


@dataclass(frozen=True, slots=True)
class Side:
    """The result of a handshake on one side.

    >>> server = [certificate], key
    >>> met = kpki.handshake(server, None, server_roots=[ca], client_roots=[ca], now=now)
    >>> met.server.ok, met.server.reason
    (False, 'peer did not return a certificate')
    """

    ok: bool
    """Whether the side accepts the other."""
    reason: str
    """"ok", or why not: the side's own error, or the alert that the side received."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """The result of a handshake on both sides.

    >>> server = [certificate], key
    >>> met = kpki.handshake(server, None, server_roots=[ca], client_roots=[ca], now=now)
    >>> met.ok, met.protocol
    (False, '')
    """

    ok: bool
    """Whether both sides accept each other."""
    server: Side
    """The result on the server's side."""
    client: Side
    """The result on the client's side."""
    protocol: str
    """The version that both sides use (`TLSv1.3`), "" without an agreement."""


def handshake(server: tuple[Sequence[Certificate], PrivateKeyTypes],
              client: tuple[Sequence[Certificate], PrivateKeyTypes] | None, *,
              server_roots: Iterable[Certificate], client_roots: Iterable[Certificate],
              hostname: str | None = None, now: datetime | None = None) -> Handshake:
    """Connect a client to a server in memory; each is (chain from the leaf up, key).

    A refusal is part of the result, never raised. The client trusts *server_roots*, the server
    trusts *client_roots*. With *client* None the client shows no certificate, and the server
    refuses. *hostname* is the name or address that the client wants to reach. *now* is the clock of
    both sides (UTC, None: the clock).

    >>> pair = [certificate], key
    >>> met = kpki.handshake(pair, pair, server_roots=[ca], client_roots=[ca], hostname="worker-1",
    ...                      now=now)
    >>> met.ok, met.protocol
    (True, 'TLSv1.3')
    """
    moment = (now or utc_now()).astimezone(UTC)
    reasons: dict[str, str] = {}
    sides = {
        "client": _connection("client", client, server_roots, hostname, moment, reasons),
        "server": _connection("server", server, client_roots, None, moment, reasons),
    }
    both = {name: side for name, side in sides.items() if side is not None}
    done = _talk(both, reasons) if len(both) == 2 else set()
    near, far = (Side(name in done and name not in reasons,
                      reasons.get(name, "ok" if name in done else "no answer"))
                 for name in ("server", "client"))
    agreed = near.ok and far.ok
    return Handshake(agreed, near, far,
                     both["client"].get_protocol_version_name() if agreed else "")


def _connection(name: str, identity: tuple[Sequence[Certificate], PrivateKeyTypes] | None,
                roots: Iterable[Certificate], hostname: str | None, moment: datetime,
                reasons: dict[str, str]) -> Connection | None:
    """One side, ready to connect.

    None if OpenSSL refuses the side's own certificate or key; *reasons* says why.
    """
    from OpenSSL import SSL
    from OpenSSL.crypto import FILETYPE_ASN1, X509, dump_certificate
    context = SSL.Context(SSL.TLS_METHOD)
    address = _octets(hostname)

    def check(_side: Connection, certificate: X509, code: int, depth: int, ok: int) -> bool:
        if not ok:
            reasons.setdefault(name, REASONS.get(code, UNKNOWN_REASON))
        elif depth == 0 and hostname is not None:
            leaf = load_certificate(dump_certificate(FILETYPE_ASN1, certificate))
            if not (matches_host(leaf, hostname) if address is None else matches_ip(leaf, address)):
                reasons.setdefault(name, REASONS[62 if address is None else 64])
        return name not in reasons

    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, check)
    if (store := context.get_cert_store()) is not None:  # None if memory is short
        for root in roots:
            store.add_cert(X509.from_cryptography(root))
        store.set_time(moment)
    try:
        if identity is not None:
            (leaf, *issuers), key = identity
            context.use_certificate(leaf)
            context.use_privatekey(validate_signing_key(key))
            for issuer in issuers:
                context.add_extra_chain_cert(issuer)
    except (SSL.Error, KpkiError, ValueError) as error:
        reasons[name] = (openssl_reasons(error)
                         or "the chain has no certificate, or TLS does not support the key")
        reasons.setdefault(_OTHER[name], f"the {name} cannot use its own certificate and key")
        return None
    connection = SSL.Connection(context, None)
    if name == "client":
        connection.set_connect_state()
        # RFC 6066 §3: an address is not sent as a server name.
        if hostname is not None and address is None and hostname.isascii():
            connection.set_tlsext_host_name(hostname.encode())
    else:
        connection.set_accept_state()
    return connection


def _octets(hostname: str | None) -> bytes | None:
    """The octets of an address, None for a name."""
    try:
        return None if hostname is None else ip_octets(hostname)
    except InputError:
        return None


def _talk(sides: Mapping[str, Connection], reasons: dict[str, str]) -> set[str]:
    """Carry the octets of each side to the other until both are silent.

    Returns the names of the sides that completed the handshake; refusals go to *reasons*. A client
    of TLS 1.3 completes before the server checks the client's certificate. So each side that is
    complete still receives.
    """
    from OpenSSL import SSL
    done: set[str] = set()
    moved = True
    while moved:
        moved = False
        for name, side in sides.items():
            try:
                if name not in done:
                    side.do_handshake()
                    done.add(name)
                side.recv(1)
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                reasons.setdefault(name, openssl_reasons(error) or "the connection was closed")
            try:
                octets = side.bio_read(_WHOLE)
            except SSL.WantReadError:
                continue
            sides[_OTHER[name]].bio_write(octets)
            moved = True
    return done


def openssl_reasons(error: Exception) -> str:
    """OpenSSL's own reasons in an error of pyOpenSSL, "" if there are none."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return ", ".join(dict.fromkeys(reason for _, _, reason in entries if reason))
