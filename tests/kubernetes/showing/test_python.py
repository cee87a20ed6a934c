"""The strict line of `kpki show` against Python's own ssl: a handshake in memory with
VERIFY_X509_STRICT."""
from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kpki import pem
from kpki.kubernetes.showing.signers import _openssl
from kpki.stages.certificates import req_x509, x509_req
from kpki.stages.requests import req_new

START = datetime.now(UTC) - timedelta(days=5)
CA = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"]
LEAF = "subjectAltName=DNS:api.example\nextendedKeyUsage=serverAuth\n"


def python_says(folder: Path, root: bytes, leaf: bytes, key: bytes) -> str:
    """The words of Python's verification error, "ok" for none."""
    (folder / "leaf.pem").write_bytes(leaf)
    (folder / "leaf.key").write_bytes(key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(cadata=root.decode())
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (client.wrap_bio(back, there, server_hostname="api.example"),
            server.wrap_bio(there, back, server_side=True))
    for _ in range(5):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
    return "ok"


@pytest.mark.parametrize(("ca", "leaf", "days", "reason"), [
    (CA, LEAF, 30, "ok"),
    (CA[:1], LEAF, 30, "CA cert does not include key usage extension"),
    (CA, f"{LEAF}authorityKeyIdentifier=none\n", 30, "Missing Authority Key Identifier"),
    (CA[:1], f"{LEAF}authorityKeyIdentifier=none\n", 30, "Missing Authority Key Identifier"),
    (["basicConstraints=CA:TRUE"], LEAF, 30, "Basic Constraints of CA cert not marked critical"),
    (["basicConstraints=CA:TRUE"], f"{LEAF}keyUsage=keyCertSign\n", 30, "invalid CA certificate"),
    (CA[:1], LEAF, 1, "CA cert does not include key usage extension"),
    (CA, LEAF, 1, "certificate has expired"),
])
def test_the_strict_line_is_pythons(tmp_path: Path, ca: list[str], leaf: str, days: int,
                                    reason: str) -> None:
    """The first error, in OpenSSL's order, is what ends Python's handshake and what kpki says."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    config = ("[req]\nprompt=no\ndistinguished_name=dn\n[dn]\nCN=ca\n[none]\n"
              "subjectKeyIdentifier=hash\n")
    root = req_x509(ca_key, config=config, extensions="none", addext=ca, days=30, now=START)
    made = x509_req(req_new(key, subject="/CN=api"), root, ca_key, extfile=leaf, days=days,
                    now=START)
    files = [pem.dump_certificate(root), pem.dump_certificate(made), pem.dump_key(key)]
    theirs = python_says(tmp_path, files[0], files[1], files[2])
    strict = [item for item in _openssl(pem.dump_certificate(made, encoding="DER"),
                                        [pem.dump_certificate(root, encoding="DER")],
                                        [], "server", "api.example", None, datetime.now(UTC))
              if item.verifier == "strict"]
    assert ([item.reason for item in strict], theirs) == ([reason], reason)
