"""What a log says and what `check` finds in the files → the file that is the root."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from .logs import Diagnosis, Root
from ..cluster.check.check import Report
from ..cluster.finding import Finding
from ..kubernetes.profiles import get_profile
from ..kubernetes.purposes import PURPOSES

_CLIENTS = ("expired-client-cert", "not-yet-valid", "unknown-authority", "wrong-eku",
            "weak-signature-or-key", "malformed-x509", "legacy-cn-no-san", "chain-depth",
            "etcd-peer-cert", "front-proxy-ca")
_STRANGERS = ("unknown-authority", "etcd-peer-cert", "front-proxy-ca")   # of certificates
_AUTHORITIES = ("expired-ca", "ca-not-a-ca", "kubeconfig-wrong-ca")
# A cause in a log → the causes in files that have these words in logs, besides the cause itself.
ALSO = {
    "unknown-authority": ("kubeconfig-wrong-ca", "etcd-peer-cert", "front-proxy-ca", "bad-pem",
                          "ca-not-a-ca", "weak-signature-or-key", "chain-depth"),
    "unauthorized-after-ca-rotation": (*_CLIENTS, *_AUTHORITIES, "sa-key-mismatch", "bad-pem"),
    "remote-alert": (*_CLIENTS, *_AUTHORITIES, "expired-server-cert", "missing-san-ip",
                     "missing-san-dns", "kubelet-serving-self-signed"),
    "expired-server-cert": ("expired-ca", "expired-client-cert"),
    "expired-client-cert": ("expired-ca", "expired-server-cert"),
    "not-yet-valid": ("clock-skew", "expired-ca", "expired-server-cert", "expired-client-cert"),
    "etcd-peer-cert": ("unknown-authority", "bad-pem", "expired-server-cert", "missing-san-ip",
                       "missing-san-dns", "wrong-eku"),
    "front-proxy-ca": ("unknown-authority", "expired-client-cert"),
    "kubelet-serving-self-signed": ("unknown-authority", "missing-san-ip", "missing-san-dns"),
    "kubeconfig-wrong-ca": ("unknown-authority",),
    "missing-san-ip": ("legacy-cn-no-san", "missing-san-dns"),
    "missing-san-dns": ("legacy-cn-no-san", "missing-san-ip"),
    "legacy-cn-no-san": ("missing-san-dns", "missing-san-ip"),
    "bootstrap-kubeconfig-missing-or-token-expired": (
        "expired-client-cert", "kubelet-client-current-broken", "file-missing",
        "kubeconfig-broken", "flags-mismatch"),
    "file-missing": ("flags-mismatch", "kubelet-client-current-broken"),
    "key-unreadable": ("file-missing",),
    "encrypted-key": ("bad-pem",),
    "bad-pem": ("malformed-x509", "key-cert-mismatch", "kubeconfig-broken"),
    "malformed-x509": ("bad-pem",),
    "wrong-organisation": ("wrong-subject",), "wrong-subject": ("wrong-organisation",),
    "no-client-cert-anonymous": ("file-missing", "kubeconfig-broken", "bad-pem",
                                 "weak-signature-or-key"),
    "client-cert-not-presented": ("file-missing", "kubeconfig-broken", "weak-signature-or-key"),
    "wrong-node-identity": ("hostname-case-fqdn",), "hostname-case-fqdn": ("wrong-node-identity",),
}
# A purpose, or a row of a certificate, ends with → who holds the file.
_ROLES = (("-ca", "the CA file of the verifier"), ("ca", "the CA file of the verifier"),
          ("-serving", "the server's certificate"), ("-sni", "the server's certificate"),
          ("-server", "the server's certificate"), ("-peer", "the peer's certificate"),
          ("apiserver", "the server's certificate"), ("", "the client's certificate"))


def with_roots(diagnoses: Iterable[Diagnosis], report: Report) -> tuple[Diagnosis, ...]:
    """The diagnoses, each with the findings of *report* that are its root.

    A log that says "unknown authority" does not say who is wrong: the client's CA file, the
    server's certificate or the client's own. The files do.

    >>> lines = ["https://10.0.0.10: x509: certificate signed by unknown authority"]
    >>> found, = kpki.with_roots(kpki.diagnose(lines), kpki.check_path(host, node="worker-1"))
    >>> found.roots
    ()
    """
    return tuple(replace(found, roots=tuple(_roots(found, report))) for found in diagnoses)


def _roots(found: Diagnosis, report: Report) -> Iterator[Root]:
    causes = (found.cause, *ALSO.get(found.cause, ()))
    findings = [finding for finding in report.findings if finding.cause in causes]
    named = [finding for finding in findings if _is_named(found, finding)]
    same = [finding for finding in findings if finding.cause == found.cause]
    for finding in named or same or findings:
        yield Root(_role(finding, report), finding, tuple(_instead(finding, report)))


def _instead(finding: Finding, report: Report) -> Iterator[str]:
    """The host's CA files that may be wrong in place of a certificate that they do not verify.

    If a CA file verifies another certificate of the host, the CA file is right.
    """
    if finding.cause not in _STRANGERS:
        return
    signers = {use.path: get_profile(PURPOSES[use.purpose].row).signer for use in report.uses
               if use.part == "certificate" and PURPOSES[use.purpose].row}
    signer = signers.pop(finding.path, None)
    strangers = {other.path for other in report.findings if other.cause in _STRANGERS}
    if signer and not any(other == signer and path not in strangers
                          for path, other in signers.items()):
        yield from dict.fromkeys(use.path for use in report.uses if use.part == "authority"
                                 and PURPOSES[use.purpose].row == signer)


def _is_named(found: Diagnosis, finding: Finding) -> bool:
    """Whether the log names the file of a finding."""
    file = found.facts.get("file", "").lstrip("/")
    return file != "" and finding.path.partition("#")[0] == file


def _role(finding: Finding, report: Report) -> str:
    """Who holds the file of a finding: by its purposes, else by its row."""
    if finding.cause == "kubeconfig-wrong-ca":
        return "the client's CA file"
    purposes: Sequence[str] = [use.purpose for use in report.uses if use.path == finding.path]
    roles = [next(role for end, role in _ROLES if name.endswith(end))
             for name in purposes or [finding.row] if name]
    return ", ".join(dict.fromkeys(roles))
