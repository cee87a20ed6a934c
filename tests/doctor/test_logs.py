"""Lines in all the forms in which programs and people keep them; what a diagnosis has."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import count

import pytest

import kpki
from kpki.doctor.logs import diagnose_log
from kpki.errors import InputError

MESSAGE = (
    'Get "https://10.0.0.10:6443/api": tls: failed to verify certificate: x509: certificate is '
    'valid for '
    "10.96.0.1, cp-1, not 10.0.0.10"
)
KLOG = (
    f'E1130 04:14:05.275468     790 reflector.go:205] "Failed to watch" err={json.dumps(MESSAGE)}'
)
HEALTHY = "I1130 04:14:05.275468     790 server.go:1262] Started kubelet"


def causes(*lines: str) -> list[str]:
    return [found.cause for found in kpki.diagnose(lines)]


def in_bytes(text: bytes) -> list[tuple[str, int]]:
    return [(found.cause, found.line) for found in diagnose_log([text], "a.log")]


@pytest.mark.parametrize(
    "line",
    [
        MESSAGE,
        KLOG,
        f"Nov 30 04:14:05 worker-2 kubelet[790]: {KLOG}",
        f"2026-11-30T04:14:05.275468Z stderr F {KLOG}",
        json.dumps({"log": f"{KLOG}\n", "stream": "stderr", "time": "2026-11-30T04:14:05Z"}),
        json.dumps(
            {
                "level": "warn",
                "ts": "2026-11-30T04:14:05Z",
                "caller": "a/b.go:1",
                "msg": "x",
                "error": MESSAGE,
            }
        ),
        f'time="2026-11-30T04:14:05Z" level=error msg={json.dumps(json.dumps(MESSAGE))}',
        f"\x1b[31mERRO\x1b[0m[0001] {MESSAGE}",
        f"{KLOG}\r",
        f"\ufeff{KLOG}\x00",
        f"  Warning  Failed  3s (x2 over 5s)  kubelet  {MESSAGE}",
    ],
)
def test_the_form_of_a_line_does_not_count(line: str) -> None:
    """journald, klog, CRI, docker, zap, logfmt, colours, CR, NUL: the same cause, with the same
    address."""
    (found,) = kpki.diagnose([HEALTHY, line])
    assert (found.cause, found.line, found.facts["address"]) == ("missing-san-ip", 2, "10.0.0.10")
    assert found.text.isprintable()


@pytest.mark.parametrize("width", [60, 79, 80, 100, 132, 179])
def test_a_line_that_a_terminal_wrapped_is_one_line(width: int) -> None:
    """Wherever the break stands, in a word too, the line has its cause, once, at its first
    number."""
    wrapped = [KLOG[start : start + width] for start in range(0, len(KLOG), width)]
    assert [
        (found.cause, found.line, found.facts["address"])
        for found in kpki.diagnose([HEALTHY, *wrapped, HEALTHY])
    ] == [("missing-san-ip", 2, "10.0.0.10")]


def test_two_lines_are_not_one() -> None:
    """A line with a beginning of its own is no rest, and neither is what a healthy line is
    followed by."""
    assert causes(KLOG[:120], HEALTHY, "not 10.0.0.10") == []
    assert causes("a short line about x509:", "certificate signed by unknown authority") == [
        "unknown-authority"
    ]
    assert causes(KLOG, KLOG) == ["missing-san-ip"] * 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_the_encoding_does_not_count(encoding: str) -> None:
    """UTF-8 and UTF-16, with and without a mark, plain and in gzip, also of several members."""
    text = f"{HEALTHY}\r\n{KLOG}\r\n".encode(encoding)
    assert in_bytes(text) == in_bytes(gzip.compress(text)) == [("missing-san-ip", 2)]
    assert in_bytes(gzip.compress(text[:40]) + gzip.compress(text[40:])) == [("missing-san-ip", 2)]


@pytest.mark.parametrize("text", [gzip.compress(KLOG.encode())[:-9], b"\x1f\x8b nothing"])
def test_a_broken_gzip_is_refused(text: bytes) -> None:
    """What ends too early, or is none, is no empty log."""
    with pytest.raises(InputError, match=r"^a\.log: "):
        in_bytes(text)


def test_it_is_lazy() -> None:
    """A diagnosis is there before the log ends."""
    endless = (KLOG if number % 10 == 7 else HEALTHY for number in count())
    found: Iterator[kpki.Diagnosis] = kpki.diagnose(endless)
    assert [next(found).line for _ in range(3)] == [8, 18, 28]


def test_what_a_diagnosis_has() -> None:
    """Who, when, where; the facts; what it means, what it is not, what to do about it."""
    line = (
        "Nov 30 04:14:05 worker-2 kubelet[790]: E1130 04:14:05.4 790 kubelet_node_status.go:106] "
        "Unable to register "
        'node "worker-2" with API server: nodes "worker-2" is forbidden: node "worker-1" is not '
        'allowed to modify '
        'node "worker-2"'
    )
    (found,) = kpki.diagnose([line])
    assert (found.cause, found.component, found.time) == (
        "wrong-node-identity",
        "kubelet",
        "Nov 30 04:14:05",
    )
    assert dict(found.facts) == {"node": "worker-2", "other": "worker-1"}
    assert found.meaning.startswith("the certificate belongs to another node")
    assert found.is_not.startswith("NodeRestriction is not the fault")
    assert "kpki node issue worker-2 --ca CA --ca-key CA-KEY" in found.remedy
    assert not [line for line in found.remedy if "NODE" in line]


def test_a_fact_in_a_command_is_one_word() -> None:
    """A hostile file name cannot become a command."""
    (found,) = kpki.diagnose(["open /x/$(reboot)`id`;a.pem: no such file or directory"])
    assert not any("$(" in line and "'" not in line for line in found.remedy)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (
            'err="[x509: certificate signed by unknown authority, verifying certificate SN=1, '
            'SKID=, AKID=A failed: x509: '
            'certificate specifies an incompatible key usage]"',
            "wrong-eku",
        ),
        (
            'x509: certificate signed by unknown authority (possibly because of "x509: cannot '
            'verify signature: insecure '
            'algorithm SHA1-RSA" while trying to verify candidate authority certificate '
            '"kubernetes")',
            "weak-signature-or-key",
        ),
        (
            "unable to load client CA file /a/ca.pem: open /a/ca.pem: no such file or directory; "
            "x509: certificate signed by "
            "unknown authority",
            "file-missing",
        ),
        (
            'certificate signed by unknown authority (possibly because of "x509: certificate has '
            'expired or is not yet valid: '
            'current time 2026-01-02T00:00:00Z is after 2026-01-01T00:00:00Z" while trying to '
            'verify candidate authority '
            'certificate "kubernetes")',
            "expired-ca",
        ),
    ],
)
def test_the_deeper_of_two_causes_is_named(line: str, cause: str) -> None:
    """The reason of a refusal counts, not the refusal."""
    assert causes(line) == [cause]


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["depth=1 CN = kubernetes", "verify error:num=10:certificate has expired"],
         [(1, "expired-ca")]),
        (["depth=0 CN = cp-1", "verify error:num=10:certificate has expired"],
         [(1, "expired-server-cert")]),
        (["depth=1 CN = kubernetes", "verify return:1"], []),
        (["Could not read private key from a.key",
          "40E74B:error:1C800064:Provider routines:ossl_cipher_unpadblock:bad decrypt:a.c:124:",
          "40E74B:error:04800065:PEM routines:PEM_do_header:bad decrypt:pem_lib.c:469:"],
         [(1, "encrypted-key")]),
        (["Could not read private key from a.key", "Unable to load private key"],
         [(1, "bad-pem")]),
        (["SSLPeerUnverifiedException: Hostname cp-1 not verified:", "    certificate: sha256/cw2T",
          "    DN: CN=cp-1", "    subjectAltNames: []"], [(1, "legacy-cn-no-san")]),
        (["SSLPeerUnverifiedException: Hostname cp-1 not verified:", "    certificate: sha256/cw2T",
          "    DN: CN=cp-1", "    subjectAltNames: [cp-2]"], [(1, "missing-san-dns")]),
    ],
)
def test_a_reason_in_the_next_lines_counts(lines: list[str], wanted: list[tuple[int, str]]) -> None:
    """openssl and OkHttp write the certificate in one line and the reason below: one diagnosis."""
    assert [(found.line, found.cause) for found in kpki.diagnose(lines)] == wanted


def test_an_unknown_line_is_listed_and_not_guessed() -> None:
    """Trouble with TLS that no row knows is no cause; what is no trouble of certificates is not
    listed."""
    lines = [
        "a: remote error: tls: handshake failure",
        "http: TLS handshake error from 10.0.0.1:5: EOF",
        HEALTHY,
    ]
    unknown = list[kpki.UnknownLine]()
    assert [*kpki.diagnose(lines, unknown=unknown.append)] == []
    assert unknown == [(1, lines[0])]


@pytest.mark.parametrize(("line", "facts"), [
    ("certificate file not found: /etc/pki/ca.crt", {"file": "/etc/pki/ca.crt"}),
    ("FileNotFoundException: /etc/pki/ca.crt (No such file or directory)",
     {"file": "/etc/pki/ca.crt"}),
    ("no such file or directory: SSLError(FileNotFoundError(2, '", {}),
])
def test_a_missing_file_is_named(line: str, facts: dict[str, str]) -> None:
    """The fault of a missing file has the path that the line names, and none if it names none."""
    assert [(found.cause, dict(found.facts)) for found in kpki.diagnose([line])] == [
        ("file-missing", facts)]


def test_rules_of_a_program() -> None:
    """A row of a program's own counts after the table, or before it."""
    mine = kpki.LogRule("bad-pem", "valid for", "is valid for")
    assert [found.cause for found in kpki.diagnose([KLOG], rules=(mine, *kpki.LOG_RULES))] == [
        "bad-pem"
    ]
    assert [found.cause for found in kpki.diagnose([KLOG], rules=(*kpki.LOG_RULES, mine))] == [
        "missing-san-ip"
    ]
    own = kpki.LogRule("mine", "frobnicated", "frobnicated (?P<file>[a-z]+)")
    (found,) = kpki.diagnose(["it frobnicated x"], rules=[own])
    assert (found.cause, found.meaning, found.facts["file"]) == ("mine", "", "x")


def test_a_summary_has_each_fault_once() -> None:
    """Lines alike are one fault with a count; two files are two faults; a refusal follows from its
    reason."""
    lines = [
        "open /a/ca.pem: no such file or directory",
        "open /b/ca.pem: no such file or directory",
        'err="Unauthorized" failed to list *v1.Node: Unauthorized',
        "open /a/ca.pem: no such file or directory",
        'Unable to authenticate the request err="[x509: certificate has expired or is not yet '
        'valid: current time '
        '2026-01-02T00:00:00Z is after 2026-01-01T00:00:00Z]"',
    ]
    told = [
        (found.cause, found.line, found.last_line, found.count, found.follows_from)
        for found in kpki.summarize(kpki.diagnose(lines))
    ]
    assert told == [
        ("file-missing", 1, 4, 2, ""),
        ("file-missing", 2, 2, 1, ""),
        ("expired-client-cert", 5, 5, 1, ""),
        ("unauthorized-after-ca-rotation", 3, 3, 1, "expired-client-cert"),
    ]


def test_the_faults_of_a_summary_are_bounded() -> None:
    """A log that names ever new files does not fill the memory."""
    lines = (f"open /a/{number}.pem: no such file or directory" for number in range(5000))
    found = kpki.summarize(kpki.diagnose(lines))
    assert len(found) == 100 and sum(fault.count for fault in found) == 5000
