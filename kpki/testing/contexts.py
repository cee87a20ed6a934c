"""TLS contexts of Python's ssl with certificates and keys that are in memory."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..files.memory import readable_once
from ..pem import dump_certificate, dump_key

if TYPE_CHECKING:
    from ssl import SSLContext

    from ..cluster.authority import Issued


def server_context(issued: Issued | bytes, clients: bytes) -> SSLContext:
    """The context of a server that asks clients for a certificate of the CA *clients* (PEM).

    *issued* is the server's certificate with its key, also as PEM. Raises ssl.SSLError for a
    certificate or a key that OpenSSL cannot load.
    """
    import ssl
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=clients.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    return _loaded(context, issued)


def client_context(issued: Issued | bytes, servers: bytes) -> SSLContext:
    """The context of a client that accepts servers with a certificate of the CA *servers* (PEM).

    *issued* and errors are as for `server_context`.
    """
    import ssl
    return _loaded(ssl.create_default_context(cadata=servers.decode()), issued)


def _loaded(context: SSLContext, issued: Issued | bytes) -> SSLContext:
    pair = issued if isinstance(issued, bytes) \
        else dump_certificate(issued.certificate) + dump_key(issued.key)
    with readable_once(pair) as path:
        context.load_cert_chain(path, password=_no_passphrase)
    return context


def _no_passphrase() -> bytes:
    """The answer to OpenSSL's question for a passphrase; without it OpenSSL asks on a terminal."""
    return b""
