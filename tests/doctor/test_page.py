"""`--report`: one page of HTML that needs no network, says what the command says, and has no
secret."""
from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

import kpki
from kpki.cli.main import main
from kpki.cluster.check.check import Report
from kpki.cluster.finding import Finding
from kpki.doctor.page import report_page
from tests.doctor.one_host import OneHost
from tests.doctor.proc import Runs, write_proc

NOW = datetime(2026, 12, 1, tzinfo=UTC)
VOID = {"meta", "br"}
SECRETS = ("abcdef.0123456789abcdef", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrIn0.c2ln",
           "Bearer s3cr3t-t0ken",
           "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIF\n-----END EC PRIVATE KEY-----",
           "client-key-data: LS0tLS1CRUdJTg==", "token: 12345")


class Parsed(HTMLParser):
    """The elements of a page, its text, and what is not nested as it must be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.texts, self.tags = list[str](), list[str](), list[str]()
        self.links, self.wrong = list[str](), list[str]()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs
                       if name in ("src", "href", "action", "data") or "url(" in str(value)]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(page: Path) -> Parsed:
    return Parsed(page.read_text())


def test_the_page_of_a_check(one_host: OneHost, tmp_path: Path) -> None:
    """Findings, dates, uses and the picture stand on one page, without script and without links."""
    one_host.file("worker").write_text("")
    page = tmp_path / "report.html"
    assert main(["check", str(one_host.tree), "--report", str(page), "--quiet"]) == 1
    found = read(page)
    text = " ".join(found.texts)
    assert found.wrong == found.open == found.links == []
    assert {"svg", "table", "style"} <= {*found.tags}
    assert not {"script", "img", "link", "iframe", "object"} & {*found.tags}
    assert "bad-pem" in text and "kpki apply" in text and "1 error, 0 warnings." in text
    assert "etc/systemd/system/kubelet.service" in text and "CN=kube-apiserver" in text
    assert "default-src 'none'" in page.read_text()
    assert re.findall("https?://[^\"' <]+", page.read_text().replace(
        f"https://{one_host.address}:6443", "")) == ["http://www.w3.org/2000/svg"]


def test_no_key_and_no_token_of_the_files_is_on_the_page(one_host: OneHost, tmp_path: Path) -> None:
    """No line of a private key of the host is on a page of any kind."""
    secrets = [line for path in one_host.workspace.rglob("*") if path.is_file()
               for text in [path.read_text(errors="replace")] if "PRIVATE KEY" in text
               for line in text.partition("PRIVATE KEY-----\n")[2].partition("-----END")[0].split()]
    assert len(secrets) > 30
    for number, words in enumerate((
            ["check", str(one_host.tree)], ["check", str(one_host.workspace)],
            ["doctor", "--root", str(one_host.tree)], ["check", str(one_host.file("worker"))])):
        page = tmp_path / f"{number}.html"
        main([*words, "--report", str(page), "--quiet"])
        text = page.read_text()
        assert "PRIVATE KEY" not in text and not [line for line in secrets if line in text]


def test_the_same_commands_stand_once(tmp_path: Path) -> None:
    """Findings with equal commands show them at the first, as the terminal does."""
    findings = [Finding("bad-pem", f"etc/{name}", "", "is empty", remedy=("kpki apply w",))
                for name in ("x", "y")]
    page = report_page(Report("host", findings, 1), str(tmp_path), now=NOW, version="1")
    assert page.count("<pre>kpki apply w</pre>") == page.count("<p>(the same commands)</p>") == 1
    assert "2 errors, 0 warnings. 1 certificate read" in page


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_a_text_is_left_out(secret: str, tmp_path: Path) -> None:
    """A report replaces what looks like a secret in a message, wherever the text came from."""
    finding = Finding("bad-pem", "etc/x", "", f"it says {secret} here", got=secret,
                      remedy=(f"echo {secret}",))
    page = report_page(Report("host", [finding], 0), str(tmp_path), now=NOW, version="1")
    assert page.count("[left out: a secret]") == 3
    for part in secret.splitlines():
        assert part not in page


@pytest.mark.parametrize("text", [
    "<script>alert(1)</script>", "\" onload='x'", "a&b", "\x1b[31m\u202e", "]]>"])
def test_everything_is_escaped(text: str, tmp_path: Path) -> None:
    """No text from a file becomes an element, an attribute or a control character."""
    finding = Finding("bad-pem", text, "", text, got=text, expected=text, host=text, remedy=(text,))
    page = report_page(Report(text, [finding], 0), str(tmp_path), now=NOW, version=text)
    found = Parsed(page)
    assert found.wrong == found.open == [] and "script" not in found.tags
    assert "\x1b" not in page and "\u202e" not in page
    shown = text.replace("\x1b", "\ufffd").replace("\u202e", "\ufffd")
    assert shown in "".join(found.texts)


def test_a_certificate_with_hostile_names_is_escaped(tmp_path: Path) -> None:
    """Names of certificates stand in the table and in the picture as text."""
    key = kpki.genpkey("EC", curve="P-256")
    evil = kpki.req_x509(key, subject="/CN=<script>alert(1)<\\/script>", days=30)
    (tmp_path / "evil.pem").write_bytes(kpki.dump_certificate(evil))
    main(["check", str(tmp_path), "--report", str(tmp_path / "r.html"), "--quiet"])
    found = read(tmp_path / "r.html")
    assert "script" not in found.tags and "alert(1)" in "".join(found.texts)


def test_the_page_of_a_doctor_has_what_runs(one_host: OneHost, tmp_path: Path) -> None:
    """Answers and restarts stand above the findings."""
    proc = write_proc(tmp_path / "proc", Runs(["kubelet"], NOW))
    report = kpki.examine_host(one_host.tree, proc=str(proc), timeout=0)
    page = report_page(report.files, str(one_host.tree), now=NOW, version="1", live=report)
    text = " ".join(Parsed(page).texts)
    assert "etcd does not run" in text and "other settings" in text
    assert text.index("What was asked") < text.index("What must restart") < text.index("Findings")


def test_a_page_that_cannot_be_written_is_2(one_host: OneHost, tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the file, and standard output stays empty."""
    capsys.readouterr()
    assert main(["check", str(one_host.tree), "--report", str(tmp_path / "no/where.html")]) == 2
    told = capsys.readouterr()
    assert told.out == "" and "where.html" in told.err


def test_a_user_without_rights_gets_a_page_too(
        one_host: OneHost, shared_path: Path, as_nobody: Callable[[], object]) -> None:
    """The page lists the files that were not read."""
    one_host.tree.rename(shared_path / "cp").chmod(0o755)
    shared_path.chmod(0o777)
    with as_nobody():   # type: ignore[attr-defined]
        assert main(["check", str(shared_path / "cp"), "--node", "cp", "--report",
                     str(shared_path / "r.html"), "--quiet"]) == 2
    assert "etc/kubernetes/ssl/worker-key.pem" in read(shared_path / "r.html").texts
