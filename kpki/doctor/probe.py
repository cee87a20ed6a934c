"""What a server presents: one TLS handshake and one HTTP request, within a time limit.

This is the only module that uses the network. The TLS is pyOpenSSL's, over memory buffers; the
socket has a deadline. No certificate is verified here: a probe must see what no client accepts.
"""
from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TYPE_CHECKING

from ..errors import InputError, KpkiError
from ..kubernetes.listeners import TIMEOUT
from ..kubernetes.reading import dn_text
from ..stages.handshake import openssl_reasons
from ..stages.keys import validate_signing_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate
    from OpenSSL.SSL import Connection

    Identity = tuple[Sequence[Certificate], PrivateKeyTypes]

_REPLY = 2.0        # seconds for the answer to the request, once the handshake is over
_WHOLE = 1 << 16    # octets read at once
_HEAD = 1 << 16     # octets of an HTTP answer that are read at most
_SHOWN = 40         # octets shown of a server that speaks no TLS
# Every Kubernetes server answers this path, and changes nothing. Go's servers answer 401 to a
# client whose certificate they do not accept.
_REQUEST = "GET /version HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_DATE = re.compile(rb"^date: *([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_HTTP = re.compile(rb"HTTP/|<(?:!doctype|html)", re.IGNORECASE)
_PLAIN_HTTP = "the server speaks plain HTTP, not TLS"
_RECORDS = b"\x14\x15\x16\x17"      # the first octet of a TLS record (RFC 8446, section 5.1)
# States of OpenSSL's client, in the words of SSL_state_string_long.
_REQUESTED, _TICKET = b"read server certificate request", b"read server session ticket"
_OLDER_THAN_1_3 = ("TLSv1", "TLSv1.1", "TLSv1.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What a server presented to one client; nothing in the value is verified."""

    problem: str = ""
    """Why there is no certificate: nothing listens, no answer, no TLS; "" if there is one."""
    protocol: str = ""
    """The version of TLS, as `TLSv1.3`."""
    chain: tuple[bytes, ...] = ()
    """The certificates (DER) in the order of the server, the leaf first."""
    requests: bool = False
    """Whether the server asks for a client certificate."""
    client_cas: tuple[str, ...] = ()
    """The subjects of the CAs from which the server asks for a client certificate."""
    refusal: str = ""
    """Why the server ended the connection after its own certificate; "" if it did not."""
    agreed: bool = False
    """Whether the server has shown that it accepts the handshake."""
    status: int | None = None
    """The status of the HTTP answer, None without an answer."""
    date: datetime | None = None
    """The server's clock (UTC), from the answer; None without a date."""


def ask(host: str, port: int, *, server_name: str | None = None, identity: Identity | None = None,
        timeout: float = TIMEOUT) -> Presented:
    """Connect to a server as one client, and say what the server presents.

    *server_name* is the name that TLS sends (SNI); None sends no name. *identity* is the chain and
    key of the client. Raises InputError for an identity that OpenSSL cannot use.
    """
    talk, seen = _client(server_name, identity)
    end = monotonic() + timeout
    try:
        link = _connected(host, port, end)
    except TimeoutError:
        return Presented(problem=f"no answer within {timeout:g} s")
    except OSError as error:
        return Presented(problem=_words(error))
    with link:
        try:
            found = _handshake(talk, link, seen, end)
        except TimeoutError:
            return Presented(problem=_PLAIN_HTTP if _is_plain_http(host, port, timeout) else
                             f"a connection, but no answer to TLS within {timeout:g} s")
        return found if found.refusal or not found.chain else \
            _request(talk, link, host, seen, found, end)


def _client(server_name: str | None,
            identity: Identity | None) -> tuple[Connection, dict[bytes, bool]]:
    """A client that accepts every server, and the states that it will have reached."""
    from OpenSSL import SSL
    seen = {_REQUESTED: False, _TICKET: False}

    def note(talk: Connection, _where: int, _result: int) -> None:
        state = talk.get_state_string()
        for wanted in seen:
            seen[wanted] |= wanted in state

    context = SSL.Context(SSL.TLS_METHOD)
    # what the server presents is seen even if its version, key or hash is old
    context.set_cipher_list(b"ALL:!aNULL:@SECLEVEL=0")
    context.set_min_proto_version(0)
    context.set_info_callback(note)
    if identity is not None:
        (leaf, *issuers), key = identity
        try:
            context.use_certificate(leaf)
            context.use_privatekey(validate_signing_key(key))
            context.check_privatekey()
            for issuer in issuers:
                context.add_extra_chain_cert(issuer)
        except (SSL.Error, KpkiError, ValueError) as error:
            raise InputError("TLS cannot use the client certificate with its key: "
                             f"{openssl_reasons(error) or error}") from None
    talk = SSL.Connection(context, None)
    talk.set_connect_state()
    if server_name is not None:
        talk.set_tlsext_host_name(server_name.encode("idna" if not server_name.isascii()
                                                     else "ascii"))
    return talk, seen


def _connected(host: str, port: int, end: float) -> socket.socket:
    """A connection to the first address of a host that accepts one. Raises OSError."""
    failure: OSError = OSError("the host has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port,
                                                                 type=socket.SOCK_STREAM):
        link = socket.socket(family, kind, protocol)
        try:
            link.settimeout(_left(end))
            link.connect(address)
        except OSError as error:
            link.close()
            failure = error
        else:
            return link
    raise failure


def _left(end: float) -> float:
    """The seconds until *end*, never 0: a socket would not block then."""
    return max(end - monotonic(), 0.001)


def _words(error: OSError) -> str:
    """The reason why no connection was made."""
    if isinstance(error, socket.gaierror):
        return "the host's name has no address (DNS)"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there: connection refused"
    return (os.strerror(error.errno) if error.errno else str(error)).lower()


def _handshake(talk: Connection, link: socket.socket, seen: dict[bytes, bool],
               end: float) -> Presented:
    """Shake hands, and say what the server presented; a refusal is part of the answer."""
    from OpenSSL import SSL
    refusal, first = "", b""
    try:
        while True:
            try:
                talk.do_handshake()
                break
            except SSL.WantReadError:
                octets = _carry(talk, link, end)
                first = first or octets
                if not octets:
                    refusal = "the server closed the connection"
                    break
            if first[0] not in _RECORDS:
                return Presented(problem=_PLAIN_HTTP if _HTTP.match(first) else _no_tls(first))
    except SSL.Error as error:
        refusal = openssl_reasons(error) or "the server closed the connection"
    except TimeoutError:
        if not first:
            raise
        refusal = "the server stopped in the middle of the handshake"
    except OSError as error:
        refusal = f"the connection broke: {_words(error)}"
    with suppress(OSError):
        _send(talk, link, end)
    chain = tuple(_chain(talk))
    if not chain:
        return Presented(problem=f"no certificate: {refusal}")
    protocol = talk.get_protocol_version_name()
    return Presented(protocol=protocol, chain=chain, requests=seen[_REQUESTED],
                     client_cas=tuple(dn_text(name.der()) for name in talk.get_client_ca_list()),
                     refusal=refusal, agreed=not refusal and protocol in _OLDER_THAN_1_3)


def _no_tls(first: bytes) -> str:
    said = first[:_SHOWN].split(b"\n")[0].decode("ascii", "backslashreplace").strip()
    return f"the server speaks no TLS; it says {said!r}"


def _chain(talk: Connection) -> Iterator[bytes]:
    from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate
    for certificate in talk.get_peer_cert_chain() or ():
        yield dump_certificate(FILETYPE_ASN1, certificate)


def _request(talk: Connection, link: socket.socket, host: str, seen: dict[bytes, bool],
             found: Presented, end: float) -> Presented:
    """Ask over HTTP; the answer, or an alert of TLS 1.3, says what the server thinks of the client.

    A server of TLS 1.3 reads the client's certificate after the client's handshake is over.
    """
    from OpenSSL import SSL
    end, answer, refusal = min(end, monotonic() + _REPLY), b"", ""
    name = f"[{host}]" if ":" in host else host
    try:
        talk.send(_REQUEST.format(host=name).encode("idna" if not name.isascii() else "ascii"))
        with suppress(OSError):     # a server that refuses has closed, and its alert is there
            _send(talk, link, end)
        while b"\r\n\r\n" not in answer and len(answer) < _HEAD:
            try:
                answer += talk.recv(_WHOLE)
            except SSL.WantReadError:
                if not _carry(talk, link, end):
                    break
    except SSL.ZeroReturnError:
        pass
    except SSL.Error as error:
        refusal = openssl_reasons(error)
    except OSError:
        pass    # no HTTP, or no time: the handshake is what counts
    status, date = _STATUS.match(answer), _DATE.search(answer)
    return replace(found, refusal=refusal, status=int(status[1]) if status else None,
                   date=_moment(date[1]) if date else None,
                   agreed=not refusal and bool(answer or seen[_TICKET] or found.agreed))


def _moment(text: bytes) -> datetime | None:
    """The moment of a Date header (RFC 9110, section 5.6.7); None if the text is no date."""
    try:
        moment = parsedate_to_datetime(text.decode("ascii"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _carry(talk: Connection, link: socket.socket, end: float) -> bytes:
    """Send what the client has to send, and receive octets; none at the end. Raises OSError."""
    _send(talk, link, end)
    if monotonic() > end:
        raise TimeoutError
    link.settimeout(_left(end))
    if octets := link.recv(_WHOLE):
        talk.bio_write(octets)
    return octets


def _send(talk: Connection, link: socket.socket, end: float) -> None:
    from OpenSSL import SSL
    link.settimeout(_left(end))
    with suppress(SSL.WantReadError):
        while True:
            link.sendall(talk.bio_read(_WHOLE))


def _is_plain_http(host: str, port: int, timeout: float) -> bool:
    """Whether a server that waits for the end of a line answers an HTTP request."""
    end = monotonic() + min(timeout, _REPLY)
    try:
        with _connected(host, port, end) as link:
            link.settimeout(_left(end))
            link.sendall(_REQUEST.format(host="localhost").encode())
            return _HTTP.match(link.recv(_WHOLE)) is not None
    except OSError:
        return False
