"""A TLS handshake in memory, both sides in one place: what client and server make of each other's certificates.

The TLS is pyOpenSSL's, over memory buffers: each side shows its certificate and checks the other's path, times and
purpose, the client also the host name, as two components of a cluster do that know each other by certificates (RFC 8446
§4.4). This is the one judgement that no reading of files replaces; its words are OpenSSL's.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ..clock import utc_now
from ..errors import InputError, KpkiError
from ..pem import load_certificate
from .extensions.general_names import ip_octets
from .keys import signing_key
from .verification.hostnames import matches_host, matches_ip
from .verification.verdicts import REASONS, UNKNOWN

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate
    from OpenSSL.crypto import X509 as OpenSSLCertificate
    from OpenSSL.SSL import Connection

_OTHER = {"client": "server", "server": "client"}
_WHOLE = 1 << 16  # octets taken from a side at once: more than a flight of a handshake has


@dataclass(frozen=True, slots=True)
class Side:
    """One side's end of it: whether it is content, and why not: its own words, or the alert it got; "ok" if it is."""

    ok: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Handshake:
    """What came of it on both sides; *protocol* is what they agreed on (`TLSv1.3`), "" where they did not."""

    ok: bool
    server: Side
    client: Side
    protocol: str


def handshake(server: tuple[Sequence[Certificate], PrivateKeyTypes],
              client: tuple[Sequence[Certificate], PrivateKeyTypes] | None, *,
              server_roots: Iterable[Certificate], client_roots: Iterable[Certificate],
              hostname: str | None = None, now: datetime | None = None) -> Handshake:
    """Let a server and a client, each (chain from the leaf up, key), meet; a refusal is a Handshake, never raised.

    The client trusts *server_roots*, the server *client_roots*. Without *client* the client shows no certificate, which
    the server refuses. *hostname* is whom the client means to reach, a name or an address, *now* the clock of both
    (UTC, None: the clock).

    >>> pair = [certificate], key
    >>> met = kpki.handshake(pair, pair, server_roots=[ca], client_roots=[ca], hostname="worker-1", now=now)
    >>> met.ok, met.protocol
    (True, 'TLSv1.3')
    """
    moment = (now or utc_now()).astimezone(timezone.utc)
    reasons: dict[str, str] = {}
    sides = {
        "client": _connection("client", client, server_roots, hostname, moment, reasons),
        "server": _connection("server", server, client_roots, None, moment, reasons),
    }
    both = {name: one for name, one in sides.items() if one is not None}
    done = _talk(both, reasons) if len(both) == 2 else set()
    near, far = (Side(name in done and name not in reasons, reasons.get(name, "ok" if name in done else "no answer"))
                 for name in ("server", "client"))
    agreed = near.ok and far.ok
    return Handshake(agreed, near, far, both["client"].get_protocol_version_name() if agreed else "")


def _connection(name: str, identity: tuple[Sequence[Certificate], PrivateKeyTypes] | None,
                roots: Iterable[Certificate], hostname: str | None, moment: datetime,
                reasons: dict[str, str]) -> Connection | None:
    """One side, ready to talk; None where OpenSSL does not take its own certificate or key (*reasons* says why)."""
    from OpenSSL import SSL
    from OpenSSL.crypto import FILETYPE_ASN1, X509, dump_certificate
    context = SSL.Context(SSL.TLS_METHOD)
    address = _octets(hostname)

    def check(connection: Connection, certificate: OpenSSLCertificate, code: int, depth: int, ok: int) -> bool:
        if not ok:
            reasons.setdefault(name, REASONS.get(code, UNKNOWN))
        elif depth == 0 and hostname is not None:
            leaf = load_certificate(dump_certificate(FILETYPE_ASN1, certificate))
            if not (matches_host(leaf, hostname) if address is None else matches_ip(leaf, address)):
                reasons.setdefault(name, REASONS[62 if address is None else 64])
        return name not in reasons

    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, check)
    if (store := context.get_cert_store()) is not None:  # it is there unless memory is not
        for one in roots:
            store.add_cert(X509.from_cryptography(one))
        store.set_time(moment)
    try:
        if identity is not None:
            (leaf, *above), key = identity
            context.use_certificate(leaf)
            context.use_privatekey(signing_key(key))
            for one in above:
                context.add_extra_chain_cert(one)
    except (SSL.Error, KpkiError, ValueError) as error:
        reasons[name] = _words(error) or "a chain of no certificates, or a key that TLS has no use for"
        reasons.setdefault(_OTHER[name], f"the {name} cannot use its own certificate and key")
        return None
    connection = SSL.Connection(context, None)
    if name == "client":
        connection.set_connect_state()
        if hostname is not None and address is None and hostname.isascii():     # RFC 6066 §3: no address
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
    """Carry what each side says to the other until both are silent; who ended its handshake. Refusals go to *reasons*.

    A client of TLS 1.3 is done before the server has looked at its certificate, so each side that is done listens on.
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
                reasons.setdefault(name, _words(error) or "the connection was closed")
            try:
                said = side.bio_read(_WHOLE)
            except SSL.WantReadError:
                continue
            sides[_OTHER[name]].bio_write(said)
            moved = True
    return done


def _words(error: Exception) -> str:
    """OpenSSL's own reasons in an error of pyOpenSSL, "" where it has none."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return ", ".join(dict.fromkeys(reason for _, _, reason in entries if reason))
