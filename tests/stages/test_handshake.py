"""The handshake in memory: both sides are content with right certificates, and the right one is not
with wrong ones."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, x25519

from kpki.stages.certificates import req_x509, x509_req
from kpki.stages.handshake import handshake
from kpki.stages.requests import req_new

START = datetime(2030, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=5)
_EXTENSIONS = """
basicConstraints=critical,CA:FALSE
extendedKeyUsage={usage}
subjectAltName=DNS:node.example.com,DNS:*.pods.example.com,IP:10.0.0.21,IP:fd00::21
"""


class Pair(NamedTuple):
    """A chain and its key."""

    chain: list[x509.Certificate]
    key: Any


@pytest.fixture(scope="module")
def bench() -> dict[str, Any]:
    """A CA with one below it, a server's pair from the lower, a client's from the upper, and a CA
    of somebody else."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(5)]
    ca = req_x509(keys[0], subject="/CN=ca", days=10, now=START)
    other = req_x509(keys[4], subject="/CN=other", days=10, now=START)

    def issue(subject: str, key: Any, signer: x509.Certificate, signer_key: Any,
              extfile: str) -> x509.Certificate:
        return x509_req(req_new(key, subject=subject), signer, signer_key, days=9, extfile=extfile,
                        now=START)

    lower = issue("/CN=lower", keys[1], ca, keys[0], "basicConstraints=critical,CA:TRUE\n")
    server = issue("/CN=server", keys[2], lower, keys[1], _EXTENSIONS.format(usage="serverAuth"))
    client = issue("/CN=client", keys[3], ca, keys[0], _EXTENSIONS.format(usage="clientAuth"))
    return {"server": Pair([server, lower], keys[2]), "client": Pair([client], keys[3]), "ca": [ca],
            "other": [other], "alone": Pair([server], keys[2]), "swapped": Pair([server], keys[3]),
            "empty": Pair([], keys[2]),
            "useless": Pair([client], x25519.X25519PrivateKey.generate())}


def meet(bench: dict[str, Any], server: str = "server", client: str | None = "client", *,
         server_roots: str = "ca", client_roots: str = "ca", **options: Any) -> Any:
    return handshake(bench[server], bench[client] if client else None,
                     server_roots=bench[server_roots], client_roots=bench[client_roots],
                     **{"now": NOW, **options})


@pytest.mark.parametrize("hostname", [None, "node.example.com", "a.pods.example.com", "10.0.0.21",
                                      "fd00:0::21"])
def test_right_certificates_meet(bench: dict[str, Any], hostname: str | None) -> None:
    """Both sides are content, and they speak TLS 1.3."""
    met = meet(bench, hostname=hostname)
    assert (met.ok, met.protocol) == (True, "TLSv1.3")
    assert (met.server.ok, met.server.reason, met.client.ok,
            met.client.reason) == (True, "ok", True, "ok")


@pytest.mark.parametrize(("arguments", "options", "side", "reason"), [
    ((), {"hostname": "other.example.com"}, "client", "hostname mismatch"),
    ((), {"hostname": "10.0.0.22"}, "client", "IP address mismatch"),
    ((), {"hostname": "::1"}, "client", "IP address mismatch"),
    ((), {"server_roots": "other"}, "client", "unable to get local issuer certificate"),
    ((), {"client_roots": "other"}, "server", "self-signed certificate in certificate chain"),
    ((), {"now": NOW + timedelta(days=30)}, "client", "certificate has expired"),
    ((), {"now": START - timedelta(days=1)}, "client", "certificate is not yet valid"),
    (("alone",), {}, "client", "unable to get local issuer certificate"),
    (("client", "server"), {}, "client", "unsuitable certificate purpose"),
    (("server", "server"), {}, "server", "unsuitable certificate purpose"),
    (("server", None), {}, "server", "peer did not return a certificate"),
    (("swapped",), {}, "server", "key values mismatch"),
    (("server", "swapped"), {}, "client", "key values mismatch"),
    (("empty",), {}, "server", "the chain has no certificate, or TLS does not support the key"),
    (("useless",), {}, "server", "the chain has no certificate, or TLS does not support the key"),
])
def test_wrong_certificates_do_not(bench: dict[str, Any], arguments: tuple[str, ...],
                                   options: dict[str, Any], side: str, reason: str) -> None:
    """The side that objects says why in OpenSSL's words, the other is not content either; nothing
    is raised."""
    met = meet(bench, *arguments, **options)
    assert not met.ok and not met.server.ok and not met.client.ok and met.protocol == ""
    assert getattr(met, side).reason == reason
