"""`kpki verify -kubernetes`: the words on both outputs, the document of --json, the exit status."""
from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from kpki.kubernetes.causes import CAUSES
from kpki.pem import armour
from tests.cli.conftest import Outcome
from tests.kubernetes.verdict.keys import ec_key, rsa_key
from tests.kubernetes.verdict.writer import (
    CA,
    CLIENT,
    END,
    NOON,
    SAN,
    Made,
    address,
    authority,
    cn,
    dns,
    leaf,
    named,
    san,
    usages,
)

Run = Callable[..., Outcome]
AT = ("-attime", int(NOON.timestamp()))
MIDDLE = authority(name="middle", key=ec_key(3), by=CA)
BROKEN = leaf(after=b"\0")


def pem(*certificates: Made, label: str = "CERTIFICATE") -> bytes:
    return b"".join(armour(certificate.der, label) for certificate in certificates)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder of certificates, right and wrong ones."""
    server = leaf(san(dns("api"), address("10.0.0.1")))
    for name, data in {
            "ca.pem": pem(CA), "ca.der": CA.der, "middle.pem": pem(MIDDLE),
            "server.pem": pem(server), "server.der": server.der, "below.pem": pem(leaf(by=MIDDLE)),
            "sent.pem": pem(leaf(by=MIDDLE), MIDDLE), "client.pem": pem(leaf(usages(CLIENT))),
            "cn.pem": pem(leaf(without=[SAN], subject=cn("api"))),
            "short.pem": pem(leaf(key=rsa_key(3, 512))), "broken.pem": pem(BROKEN),
            "mixed.pem": pem(BROKEN, CA), "trusted.pem": pem(CA, label="TRUSTED CERTIFICATE"),
            "late.pem": pem(leaf(start=END)), "empty.pem": b"", "text.pem": b"text\n"}.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.fixture
def verify(kpki: Run, here: Path) -> Run:
    """The verb, at noon, with the CA trusted."""
    def run(*words: str, status: int = 0,
            trusted: tuple[str, ...] = ("-CAfile", "ca.pem")) -> Outcome:
        return kpki("verify", "-kubernetes", *trusted, *AT, *words, status=status)
    return run


@pytest.mark.parametrize("words", [
    "server.pem", "server.der", "-purpose sslclient client.pem", "-purpose any client.pem",
    "-verify_hostname api server.pem", "-verify_hostname 10.0.0.1 server.pem",
    "-verify_ip 10.0.0.1 server.pem", "-untrusted middle.pem below.pem", "sent.pem",
    "-trusted_first -issuer_checks -verbose -no-CAfile server.pem",
])
def test_what_kubernetes_takes_is_ok(verify: Run, words: str) -> None:
    """Standard output is openssl's line, and nothing else is said; what follows in the file
    helps."""
    answer = verify(*words.split())
    assert (answer.out, answer.err) == (f"{words.rsplit(maxsplit=1)[-1]}: OK\n", "")


@pytest.mark.parametrize(("words", "sentence", "cause"), [
    ("client.pem", "x509: certificate specifies an incompatible key usage", "wrong-eku"),
    ("-verify_hostname x server.pem", "x509: certificate is valid for api, not x",
     "missing-san-dns"),
    ("-verify_ip 10.0.0.2 server.pem", "x509: certificate is valid for 10.0.0.1, not 10.0.0.2",
     "missing-san-ip"),
    ("-verify_hostname api cn.pem",
     "x509: certificate relies on legacy Common Name field, use SANs instead", "legacy-cn-no-san"),
    ("below.pem", "x509: certificate signed by unknown authority", "unknown-authority"),
    ("broken.pem", "x509: trailing data", "malformed-x509"),
    ("-untrusted broken.pem server.pem", "x509: trailing data", "malformed-x509"),
    ("late.pem", "x509: certificate has expired or is not yet valid: current time "
     "2026-06-01T12:00:00Z is before 2027-01-01T00:00:00Z", "not-yet-valid"),
])
def test_a_refusal_is_gos_sentence_then_the_cause(verify: Run, words: str, sentence: str,
                                                  cause: str) -> None:
    """Three lines on standard error, nothing on standard output, status 2."""
    answer = verify(*words.split(), status=2)
    name = words.rsplit(maxsplit=1)[-1]
    assert answer.out == ""
    assert answer.err.splitlines() == [sentence, f"cause {cause}: {CAUSES[cause].meaning}",
                                       f"error {name}: verification failed"]


def test_notes_are_words_for_the_person(verify: Run) -> None:
    """What only a handshake would refuse stands on standard error, and not with --quiet; --json has
    it all the same."""
    note = "kpki: note: the handshake fails: no server can use an RSA key of 512 bits"
    assert verify("short.pem") == Outcome(0, "short.pem: OK\n", note + "\n")
    assert verify("--quiet", "short.pem") == Outcome(0, "short.pem: OK\n", "")
    told = json.loads(verify("--quiet", "--json", "short.pem").out)
    assert told["notes"] == [note.removeprefix("kpki: note: ")]


def test_json_is_one_document(verify: Run) -> None:
    """One file is an object, several are a list; what cannot be read has a cause where the file is
    to blame."""
    good: dict[str, Any] = {"ok": True, "code": None, "reason": "ok", "depth": None, "cause": None,
                            "notes": []}
    bad = good | {"ok": False, "reason": "x509: trailing data", "cause": "malformed-x509"}
    empty = good | {"ok": False, "reason": "empty.pem: the file has no certificate that Go reads",
                    "cause": "bad-pem"}
    absent = good | {"ok": False, "reason": "nowhere: no such file or directory"}
    assert json.loads(verify("--json", "server.pem").out) == good
    assert json.loads(verify("-json", "broken.pem", status=2).out) == bad
    several = verify("--json", "server.pem", "broken.pem", "empty.pem", "nowhere", status=2)
    assert json.loads(several.out) == [good, bad, empty, absent]


@pytest.mark.parametrize("name", ["empty.pem", "text.pem", "trusted.pem", "nowhere", "."])
def test_a_file_that_cannot_be_read_is_status_2(verify: Run, name: str) -> None:
    """As openssl has it; a block with another label is no certificate to Kubernetes."""
    answer = verify(name, "server.pem", status=2)
    assert answer.out == "server.pem: OK\n"
    assert (answer.err.startswith(f"kpki: {name}: ")
            and answer.err.endswith("\nUnable to load certificate file\n"))


@pytest.mark.parametrize(("trusted", "purpose", "words"), [
    ("empty.pem", "sslserver",
     "an empty CA file: client-go trusts the system's certificates instead"),
    ("text.pem", "sslserver",
     "unable to load root certificates: unable to parse bytes as PEM block"),
    ("ca.der", "sslserver", "unable to load root certificates: unable to parse bytes as PEM block"),
    ("trusted.pem", "sslclient", "data does not contain any valid RSA or ECDSA certificates"),
    ("broken.pem", "sslserver",
     "unable to load root certificates: failed to parse certificate: x509: trailing data"),
    ("mixed.pem", "sslclient", "x509: trailing data"),
    ("nowhere", "sslserver", "no such file or directory"),
])
def test_a_ca_file_that_kubernetes_cannot_load_is_status_1(verify: Run, trusted: str, purpose: str,
                                                           words: str) -> None:
    """In the words of who would load it, after the file's name."""
    for option in ("-CAfile", "-trusted"):
        answer = verify("-purpose", purpose, "server.pem", status=1, trusted=(option, trusted))
        assert answer.refusal() == f"{trusted}: {words}"


def test_a_broken_certificate_among_the_trusted_is_passed_over_by_clients_of_servers(
        verify: Run) -> None:
    """client-go takes the rest of the file; the API server does without it (above)."""
    assert verify("server.pem", trusted=("-CAfile", "mixed.pem")).out == "server.pem: OK\n"


def test_trusted_files_add_up_and_the_last_ca_file_counts(verify: Run) -> None:
    """As without -kubernetes; both options at once are refused."""
    both = verify("server.pem", "below.pem",
                  trusted=("-trusted", "ca.pem", "-trusted", "middle.pem"))
    assert both.out == "server.pem: OK\nbelow.pem: OK\n"
    verify("server.pem", trusted=("-CAfile", "middle.pem", "-CAfile", "ca.pem"))
    verify("server.pem", trusted=("-CAfile", "ca.pem", "-CAfile", "middle.pem"), status=2)
    assert "cannot use -trusted with" in verify("-trusted", "ca.pem", "server.pem",
                                                status=1).refusal()


@pytest.mark.parametrize("words", [
    "-x509_strict", "-partial_chain", "-show_chain", "-verify_email a@b", "-verify_depth 1",
    "-check_ss_sig", "-no_check_time", "-CApath .", "-nameopt utf8"])
def test_what_says_nothing_to_kubernetes_is_refused_by_name(verify: Run, words: str) -> None:
    """No option is dropped in silence."""
    answer = verify(*words.split(), "server.pem", status=1)
    assert answer.refusal() == f"verify: {words.split(maxsplit=1)[0]} says nothing to Kubernetes"


@pytest.mark.parametrize(("words", "refusal"), [
    ("-purpose smimesign", "invalid purpose smimesign"),
    ("-verify_ip api", "bad ip address: value=api"),
    ("-attime 9999999999999", "verify: -attime 9999999999999 is beyond any certificate's time"),
    ("-untrusted empty.pem", "empty.pem: the file has no certificate that Go reads"),
])
def test_a_wrong_command_line_is_status_1(verify: Run, words: str, refusal: str) -> None:
    """An option that -kubernetes does not have is refused by name, without a verdict."""
    assert verify(*words.split(), "server.pem", status=1).refusal() == refusal


def test_nothing_is_trusted_unasked(verify: Run) -> None:
    """Without a CA kpki says so, and not with --quiet."""
    assert "nothing is trusted" in verify("server.pem", status=2, trusted=()).err
    assert "nothing is trusted" not in verify("--quiet", "server.pem", status=2, trusted=()).err


def test_explain_names_a_call_that_answers_alike(verify: Run, here: Path) -> None:
    """--explain's library call runs, with the certificates that follow in the file."""
    import kpki
    told = verify("--explain", "-verify_hostname", "api", "-untrusted", "ca.pem", "sent.pem").err
    call = next(line for line in told.splitlines()
                if line.startswith("  library: ")).removeprefix("  library: ")
    names = {"kpki": kpki, "open": lambda path, mode: BytesIO((here / path).read_bytes())}
    assert eval(call, names) == kpki.KubernetesVerdict(True, "ok")


def test_openssl_says_otherwise_where_the_rules_differ(kpki: Run, openssl: Callable[..., str],
                                                       here: Path) -> None:
    """A name in the CN alone satisfies openssl and not Kubernetes; two labels below a wildcard the
    other way round."""
    words = "-verify_hostname api -CAfile ca.pem -attime 1780315200 cn.pem"
    assert openssl(here, f"verify {words}") == "cn.pem: OK\n"
    kpki("verify", "-kubernetes", *words.split(), status=2)
    (here / "star.pem").write_bytes(pem(leaf(named("*.svc"))))
    words = "-verify_hostname x.svc -CAfile ca.pem -attime 1780315200 star.pem"
    assert kpki("verify", "-kubernetes", *words.split()).out == "star.pem: OK\n"
    assert "error 62" in kpki("verify", *words.split(), status=2).err
