"""Levels of strength of RSA keys: the shortest modulus of each is openssl's, to the bit."""
from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kpki import pem
from kpki.stages import keys
from kpki.stages.certificates import req_x509
from kpki.stages.names import parse_subject
from kpki.stages.signing import encoded
from kpki.stages.verification.verify import verify

START = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(("level", "size"), [(1, 920), (2, 1963), (3, 2671), (4, 6947), (5, 13914)])
@pytest.mark.parametrize("less", [0, 1])
def test_a_level_begins_at_its_size(tmp_path: Path, level: int, size: int, less: int) -> None:
    """A modulus of that size passes, one that is a bit shorter does not, for openssl and for
    kpki."""
    ca_key = ec.generate_private_key(ec.SECP521R1())
    root = req_x509(ca_key, subject="/CN=root", digest="sha512", days=10, now=START)
    key = rsa.RSAPublicNumbers(65537, (1 << size - less - 1) + 1).public_key()
    leaf = encoded((), parse_subject("/CN=root").dump(), parse_subject("/CN=leaf").dump(),
                   keys.public_key_der(key), ca_key, "sha512", 5, START, START + timedelta(days=9))
    (tmp_path / "root.pem").write_bytes(pem.dump_certificate(root))
    done = subprocess.run(["openssl", "verify", "-CAfile", tmp_path / "root.pem", "-auth_level",
                           str(level)], input=pem.dump_certificate(leaf), capture_output=True)
    assert (done.returncode,
            verify(leaf, [root], auth_level=level).code) == ((2, 66) if less else (0, 0))
