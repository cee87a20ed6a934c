"""The words of Go, Python and OpenSSL for each fault, provoked: each is recognised."""
from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

import kpki
from tests.kubernetes.verdict.golang import environment, go_version, is_live

HERE = Path(__file__).parent / "words"
RECORD = HERE / "words.json"
RECORDED: dict[str, str] = json.loads(RECORD.read_text())["words"]
# Go has one text for an expired leaf and an expired CA: only the files tell which.
SAME_TEXT = {"expired-ca": "expired-server-cert"}
NOW = datetime.now(UTC)


def go_says() -> dict[str, str]:
    """What Go says today: "cause: case" → words."""
    done = subprocess.run(["go", "run", "."], cwd=HERE, env=environment(), check=True,
                          capture_output=True, text=True, timeout=120)
    words: dict[str, str] = json.loads(done.stdout)
    return words


def test_the_record_is_what_go_says() -> None:
    """If Go 1.26 is there, it says today what was recorded."""
    if is_live(go_version()):
        assert go_says() == RECORDED
    assert is_live(json.loads(RECORD.read_text())["go"])


@pytest.mark.parametrize("case", RECORDED)
def test_words_of_go(case: str) -> None:
    """Each error of crypto/x509 and crypto/tls has the cause for which it was provoked."""
    cause = case.partition(":")[0]
    found = [diagnosis.cause for diagnosis in kpki.diagnose([RECORDED[case]])]
    assert found == [SAME_TEXT.get(cause, cause)] * (cause != "-")


@cache
def authority(name: str = "kubernetes") -> tuple[ssl.SSLContext,
                                                 Callable[..., tuple[bytes, bytes]]]:
    """A client that trusts a CA, and a function that issues a pair (PEM)."""
    ca_key = kpki.genpkey("EC", curve="P-256")
    ca = kpki.req_x509(ca_key, subject=f"/CN={name}", days=3650, now=NOW - timedelta(days=400),
                       config="[req]\ndistinguished_name=d\nx509_extensions=v3\n[d]\n[v3]\n"
                              "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
                              "subjectKeyIdentifier=hash\n")

    def issue(*, days: int = 365, since: int = 0, names: str = "DNS:cp-1,IP:10.0.0.10",
              usages: str = "serverAuth,clientAuth") -> tuple[bytes, bytes]:
        key = kpki.genpkey("EC", curve="P-256")
        certificate = kpki.x509_req(
            kpki.req_new(key, subject="/CN=server"), ca, ca_key, days=days,
            now=NOW + timedelta(days=since),
            extfile=f"subjectAltName={names}\nextendedKeyUsage={usages}\n"
                    "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
        return kpki.dump_certificate(certificate), kpki.dump_key(key)

    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=kpki.dump_certificate(ca).decode())
    return client, issue


def server(folder: Path, pair: tuple[bytes, bytes], *, asks: bytes = b"") -> ssl.SSLContext:
    """A server with a pair; with *asks* it demands a client certificate of that CA."""
    (folder / "cert").write_bytes(pair[0])
    (folder / "key").write_bytes(pair[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    if asks:
        context.load_verify_locations(cadata=asks.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def shake(client: ssl.SSLContext, server: ssl.SSLContext, name: str = "cp-1") -> list[str]:
    """What both sides of a handshake say, in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(down, up, server_hostname=name),
             server.wrap_bio(up, down, server_side=True)]
    said = list[str]()
    for _ in range(6):
        for side in list(sides):
            try:
                side.do_handshake()
                side.read(1)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                said.append(f"{type(error).__module__}.{type(error).__name__}: {error}")
                sides.remove(side)
    return said


@pytest.mark.parametrize(("changes", "name", "causes"), [
    ({}, "cp-1", set()),
    ({}, "cp-2", {"missing-san-dns", "remote-alert"}),
    ({}, "10.0.0.11", {"missing-san-ip", "remote-alert"}),
    ({"days": 1, "since": -5}, "cp-1", {"expired-server-cert", "remote-alert"}),
    ({"since": 5}, "cp-1", {"not-yet-valid", "remote-alert"}),
    ({"usages": "clientAuth"}, "cp-1", {"wrong-eku", "remote-alert"}),
])
def test_words_of_python(tmp_path: Path, changes: dict[str, object], name: str,
                         causes: set[str]) -> None:
    """A client of Python names the fault of the server; the server only hears of a refusal."""
    client, issue = authority()
    said = shake(client, server(tmp_path, issue(**changes)), name)
    assert {found.cause for found in kpki.diagnose(said)} == causes


def test_words_of_python_about_a_ca(tmp_path: Path) -> None:
    """Another CA, a client without a certificate, a pair that does not fit, a key in cipher."""
    client, issue = authority()
    others = authority("another")[1]
    assert [found.cause for found in kpki.diagnose(shake(client, server(tmp_path, others())))] \
        == ["unknown-authority", "remote-alert"]
    pair = issue()
    asking = server(tmp_path, pair, asks=pair[0])
    assert {found.cause for found in kpki.diagnose(shake(client, asking))} \
        == {"client-cert-not-presented"}
    for wrong, cause in (((pair[0], issue()[1]), "key-cert-mismatch"), ((b"", pair[1]), "bad-pem"),
                         ((pair[0], pair[0]), "bad-pem")):
        with pytest.raises(ssl.SSLError) as caught:
            server(tmp_path, wrong)
        found, = kpki.diagnose([f"ssl.SSLError: {caught.value}"])
        assert found.cause == cause


@pytest.mark.parametrize(("options", "changes", "cause"), [
    ([], {}, None),
    (["-verify_hostname", "cp-2"], {}, "missing-san-dns"),
    (["-verify_ip", "10.0.0.11"], {}, "missing-san-ip"),
    (["-purpose", "sslserver"], {"usages": "clientAuth"}, "wrong-eku"),
    ([], {"days": 1, "since": -5}, "expired-server-cert"),
    ([], {"since": 5}, "not-yet-valid"),
    (["-CAfile", "cert"], {}, "unknown-authority"),
])
def test_words_of_openssl(tmp_path: Path, options: list[str], changes: dict[str, object],
                          cause: str | None) -> None:
    """What `openssl verify` prints has its cause."""
    client, issue = authority()
    (tmp_path / "cert").write_bytes(issue(**changes)[0])
    (tmp_path / "ca").write_text("".join(
        ssl.DER_cert_to_PEM_cert(der) for der in client.get_ca_certs(binary_form=True)))
    ca = [] if "-CAfile" in options else ["-CAfile", "ca"]
    done = subprocess.run(["openssl", "verify", *ca, *options, "cert"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=60)
    lines = (done.stdout + done.stderr).splitlines()
    found = {diagnosis.cause for diagnosis in kpki.diagnose(lines)}
    assert found == ({cause} if cause else set())


def record() -> None:
    """Write words.json anew (`python -m tests.doctor.test_words`)."""
    if not is_live(go_version()):
        sys.exit(f"Go 1.26 is wanted, {go_version() or 'none'} is there")
    RECORD.write_text(json.dumps({"go": go_version(), "words": go_says()}, indent=0) + "\n")


if __name__ == "__main__":
    record()
