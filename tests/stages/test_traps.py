"""The warnings that openssl does not give: each with a configuration that earns it and one that
does not."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kpki.cli.main import main
from kpki.stages.config import parse_config
from kpki.stages.traps import extension_traps, request_traps, unused_section

HEAD = "[req]\nprompt = no\ndistinguished_name = dn\nreq_extensions = e\n"
REQUESTS = [
    ("the values of a prompting section are questions",
     "[req]\ndistinguished_name = dn\n[dn]\nCN = kube-apiserver\n",
     "line 4: CN = kube-apiserver is a question, not the value: prompt = no is not set"),
    ("only 'no' turns the questions off", "[req]\nprompt = No\ndistinguished_name = dn\n[dn]\n"
     "CN = a\n", "line 2: prompt = No does not turn the questions off, only 'no' does"),
    ("a key set twice loses a value", HEAD + "[dn]\nCN = a\n[e]\nsubjectAltName = @n\n[n]\n"
     "DNS.1 = a\nDNS.1 = b\n", "line 10: DNS.1 = a is lost: line 11 sets DNS.1 again"),
    ("an address under DNS",
     HEAD + "[dn]\nCN = a\n[e]\nsubjectAltName = @n\n[n]\nDNS.1 = 10.0.0.1\n",
     "line 10: DNS.1:10.0.0.1 is an address: no client looks for an address under DNS, write IP"),
    ("an address under DNS, inline",
     HEAD + "[dn]\nCN = a\n[e]\nsubjectAltName = critical, DNS:a, DNS:::1\n",
     "line 8: DNS:::1 is an address: no client looks for an address under DNS, write IP"),
    ("a placeholder in the subject", HEAD + "[dn]\nCN = <MASTER_IP>\n[e]\nkeyUsage = cRLSign\n",
     "line 6: CN = <MASTER_IP>: <MASTER_IP> goes into the certificate as written"),
    ("a placeholder in a list",
     HEAD + "[dn]\nCN = a\n[e]\nsubjectAltName = @n\n[n]\nIP.1 = '${MASTER_IP}'\n",
     "line 10: IP.1 = ${MASTER_IP}: ${MASTER_IP} goes into the certificate as written"),
]
RIGHT = [
    HEAD + "[dn]\nCN = a\n[e]\nsubjectAltName = @n\n[n]\nDNS.1 = a\nDNS.2 = b\nIP.1 = 10.0.0.1\n",
    "[req]\ndistinguished_name = dn\n[dn]\nCN = Common Name\nCN_default = a\n",
    HEAD + "[dn]\nCN = a < b > c \n[e]\nkeyUsage = cRLSign\n",
    HEAD + "[dn]\nCN = a\nCN = a\n[e]\nsubjectAltName = DNS:1.2.3.4.example, IP:1.2.3.4\n",
]


@pytest.mark.parametrize(("rule", "text", "warning"), REQUESTS, ids=[row[0] for row in REQUESTS])
def test_a_trap_is_named_with_its_line(rule: str, text: str, warning: str) -> None:
    """What openssl takes without a word is one warning that begins with the line."""
    assert request_traps(parse_config(text), "req", subject=False,
                         certificate=False) == [warning], rule


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_earns_no_warning(text: str) -> None:
    """A configuration that says what it means is left in peace."""
    assert request_traps(parse_config(text), "req", subject=False, certificate=False) == []


def test_a_subject_given_makes_the_section_no_trap() -> None:
    """Beside -subj nobody is asked, so the section's values are nothing."""
    config = parse_config(REQUESTS[0][1])
    assert request_traps(config, "req", subject=True, certificate=False) == []
    assert len(request_traps(config, "req", subject=False, certificate=False)) == 1


def test_a_certificate_does_not_take_req_extensions() -> None:
    """req -x509 warns if the configuration has req_extensions alone, and not with x509_extensions
    or -extensions."""
    config = parse_config(HEAD + "[dn]\nCN = a\n[e]\nkeyUsage = cRLSign\n")
    found = request_traps(config, "req", subject=False, certificate=True)
    assert [item[:37] for item in found] == ["line 4: req_extensions is for request"]
    assert request_traps(config, "req", subject=False, certificate=True, extensions="e") == []


def test_an_extfile_without_its_section() -> None:
    """An extfile of which nothing is used names the sections it has, one that is used does not."""
    config = parse_config("[v3_ext]\nkeyUsage = cRLSign\n[other]\nx = y\n")
    assert unused_section(config,
                          "default") == ["the extensions in [v3_ext] are not used: name the "
                                         "section with -extensions"]
    assert (unused_section(config, "v3_ext") == []
            and unused_section(parse_config(""), "default") == [])
    assert extension_traps(config, None) == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a key, a CA and a request that asks for a name, made by openssl."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "csr.conf").write_text(HEAD + "[dn]\nCN = a\n[e]\nsubjectAltName = DNS:a\n"
                                       "[v3_ext]\nsubjectAltName = DNS:a\n")
    for words in ("ecparam -name prime256v1 -genkey -noout -out k.pem",
                  "req -x509 -new -key k.pem -subj /CN=ca -out ca.pem",
                  "req -new -key k.pem -config csr.conf -out a.csr"):
        subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    return tmp_path


SIGN = "x509 -req -in a.csr -CA ca.pem -CAkey k.pem -out a.pem".split()


def test_signing_warns_of_what_it_drops(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A SAN that is dropped, a certificate without extensions, an extfile not used: one line each;
    --quiet none."""
    assert main([*SIGN, "-extfile", "csr.conf"]) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines()
                if line.startswith("kpki: warning: ")]
    assert [line[15:50] for line in warnings] == [
        "a.csr: the request's subjectAltName", "the certificate has no extension (v",
        "csr.conf: the extensions in [e], [v"]
    assert main([*SIGN, "--quiet"]) == 0
    assert "kpki: " not in capsys.readouterr().err
    assert main([*SIGN, "-extfile", "csr.conf", "-extensions", "v3_ext"]) == 0
    assert "kpki: " not in capsys.readouterr().err


def test_an_error_names_file_line_text_and_openssl_words(
        folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong in a configuration is named with its file, its line and what openssl says."""
    (folder / "bad.conf").write_text("[v3_ext]\nkeyUsage = digitalSignature,\n")
    assert main([*SIGN, "-extfile", "bad.conf", "-extensions", "v3_ext"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "kpki: bad.conf: line 2: keyUsage = digitalSignature,: invalid empty name"
    (folder / "bad.conf").write_text("[v3_ext]\nno equal sign\n")
    assert main([*SIGN, "-extfile", "bad.conf"]) == 1
    assert capsys.readouterr().err == "kpki: bad.conf: line 2: no equal sign: missing equal sign\n"
