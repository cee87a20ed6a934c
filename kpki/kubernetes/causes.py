"""The table of causes: what each kind of fault means, how to see it, and what repairs it."""
from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Cause(NamedTuple):
    """One kind of fault."""

    slug: str
    """The name, as findings and documentation write it."""
    severity: Severity
    meaning: str
    """The fault in one sentence."""
    diagnosis: str
    """The command that shows the fault, with placeholders in capitals."""
    remedy: str
    """The commands that repair the fault, with placeholders in capitals, or words if none does."""

    @property
    def page(self) -> str:
        """The page of the documentation about the fault, with the anchor."""
        return f"docs/causes.md#{self.slug}"

    @property
    def explanation(self) -> str:
        """The meaning, how to see the fault, and the page, for `--explain`."""
        return f"{self.slug}: {self.meaning}; see it with: {self.diagnosis}  ({self.page})"


_READ = "openssl x509 -noout -text -in FILE"
_SUBJECT = "openssl x509 -noout -subject -in FILE; hostname"
_NAMES = "openssl x509 -noout -ext subjectAltName -in FILE"
_USES = "openssl x509 -noout -ext extendedKeyUsage -in FILE"
_DATES = "openssl x509 -noout -dates -in FILE"
_KEY = "openssl pkey -noout -check -in FILE"
_VIEW = "kubectl --kubeconfig FILE config view"
_SERVED = "openssl s_client -connect HOST:PORT </dev/null | openssl x509 -noout -text"

_ISSUE = ("kpki node issue NODE --row ROW --ca CA --ca-key KEY; "
          "kpki node install nodes/NODE --node NODE")
_PUBLIC = ("kpki pkey -in SA-KEY -pubout -out SA-PUB, "
           "with the private key of another control-plane host")
_CA = ("issue the CA's certificate again with its old key: "
       "kpki x509 -in CA -signkey KEY -days 3650 -out CA")
_CA_DATES = ("kpki renew --ca --root /, on the host that holds the CA's key; "
             "in a workspace without --root")
_LIVE = "kpki check, on the host whose certificate is refused, finds the cause"

ROWS = (
    Cause("file-missing", "error",
          "a file that a flag or kubeconfig names does not exist: the component does not start",
          "ls -l FILE", _ISSUE),
    Cause("unknown-authority", "error", "the certificate was not signed by the cluster's CA",
          "openssl verify -CAfile CA FILE", _ISSUE),
    Cause("malformed-x509", "error", "the PEM block holds no certificate that Go can read",
          _READ, _ISSUE),
    Cause("missing-san-ip", "error",
          "the certificate lacks an IP address under which the host is reached",
          _NAMES, _ISSUE),
    Cause("missing-san-dns", "error", "the certificate lacks a DNS name of the host",
          _NAMES, _ISSUE),
    Cause("bad-pem", "error",
          "the file holds no PEM that Go can load: empty, truncated, DER, or a broken key",
          "head -c 100 FILE", _ISSUE),
    Cause("expired-client-cert", "error", "the certificate has expired",
          _DATES, _ISSUE),
    Cause("expired-server-cert", "error", "the server's certificate has expired",
          _DATES, _ISSUE),
    Cause("expired-ca", "error", "the CA certificate has expired",
          _DATES, _CA_DATES),
    Cause("not-yet-valid", "error",
          "the certificate is not yet valid, or this host's clock is slow",
          "openssl x509 -noout -dates -in FILE; date -u", _ISSUE),
    Cause("wrong-node-identity", "error",
          "the certificate belongs to another node: the API server refuses this node's requests",
          _SUBJECT, _ISSUE),
    Cause("hostname-case-fqdn", "error",
          "the certificate's node name differs from this node's name in case or domain only",
          _SUBJECT, _ISSUE),
    Cause("wrong-organisation", "error",
          "the certificate's O is not system:nodes: its owner has no rights of a node",
          "openssl x509 -noout -subject -in FILE", _ISSUE),
    Cause("wrong-eku", "error",
          "the certificate's extendedKeyUsage does not allow the component's use",
          _USES, _ISSUE),
    Cause("key-cert-mismatch", "error", "the private key does not belong to the certificate",
          "openssl x509 -noout -pubkey -in CERT; openssl pkey -pubout -in KEY", _ISSUE),
    Cause("key-unreadable", "error", "the file exists, but its component cannot read the file",
          "ls -l FILE", _ISSUE),
    Cause("encrypted-key", "error",
          "the private key is encrypted, and Kubernetes components have no passphrase",
          _KEY, _ISSUE),
    Cause("remote-alert", "error",
          "the peer refused this side's certificate; the peer's log gives the reason",
          _SERVED, _LIVE),
    Cause("kubelet-serving-self-signed", "warning",
          "the kubelet's serving certificate is self-signed: clients that verify it refuse it",
          _READ, _ISSUE),
    Cause("kubelet-serving-csr-pending", "error",
          "the kubelet waits for its serving certificate: nobody has approved the request",
          "kubectl get csr", "kubectl certificate approve CSR"),
    Cause("kubelet-client-current-broken", "error",
          "the link to the kubelet's client certificate leads to no file, or to an unusable file",
          "ls -l /var/lib/kubelet/pki", _ISSUE),
    Cause("unauthorized-after-ca-rotation", "error",
          "the API server no longer trusts the CA or key that signed the client's certificate "
          "or token",
          "openssl verify -CAfile CA FILE", _ISSUE),
    Cause("etcd-peer-cert", "error",
          "the certificate was not signed by etcd's CA, and etcd accepts no other CA",
          "openssl verify -CAfile ETCD-CA FILE", _ISSUE),
    Cause("weak-signature-or-key", "error",
          "the key or signature is too weak for Go, or of a kind that Go does not support",
          _READ, _ISSUE),
    Cause("bootstrap-kubeconfig-missing-or-token-expired", "error",
          "the kubelet has no certificate, and no valid bootstrap token to request a certificate",
          "ls -l /etc/kubernetes; kubeadm token list", _ISSUE),
    Cause("client-cert-not-presented", "error",
          "the client sent no certificate, but the server requires a client certificate",
          _VIEW, _ISSUE),
    Cause("no-client-cert-anonymous", "error",
          "the client sent neither certificate nor token: the API server sees system:anonymous",
          _VIEW, _ISSUE),
    Cause("external-ca", "error",
          "the certificate belongs to a service outside the cluster (a registry, a webhook), "
          "and its CA is not trusted on this host",
          _SERVED, "add that service's CA to the CA certificates of its client"),
    Cause("sa-key-mismatch", "error",
          "the key does not match the key that signs the service accounts' tokens",
          "openssl pkey -pubout -in KEY; cat PUBLIC-KEY", _PUBLIC),
    Cause("front-proxy-ca", "error", "the certificate was not signed by the front proxy's CA",
          "openssl verify -CAfile FRONT-PROXY-CA FILE", _ISSUE),
    Cause("chain-depth", "error", "the chain has more CAs than the pathlen of a CA allows",
          _READ, _ISSUE),
    Cause("kubeconfig-wrong-ca", "error", "the kubeconfig trusts another CA than the cluster's CA",
          _VIEW, _ISSUE),
    Cause("legacy-cn-no-san", "error",
          "the certificate has no subjectAltName: programs built with Go ignore the CN",
          _NAMES, _ISSUE),
    Cause("ca-not-a-ca", "error", "the CA certificate may not sign certificates",
          _READ, _CA),
    Cause("ca-pin-mismatch", "error",
          "the cluster's CA does not match --discovery-token-ca-cert-hash",
          "openssl x509 -pubkey -noout -in CA | openssl pkey -pubin -outform DER | openssl dgst "
          "-sha256",
          "kubeadm token create --print-join-command, on a control-plane host"),
    Cause("key-exposed", "error",
          "users other than root and the component's user can read the private key",
          "ls -l FILE", "chmod 600 FILE"),
    Cause("shared-key", "error",
          "another host has the same private key: each host can act as the other",
          "openssl pkey -pubout -in FILE", _ISSUE),
    Cause("ca-key-on-worker", "error",
          "a CA's private key lies on a worker, which signs no certificates",
          "ls -l FILE", "remove the file, once a control-plane host holds the key"),
    Cause("serial-reused", "error", "another certificate of the same CA has the same serial number",
          "openssl x509 -noout -serial -issuer -in FILE", _ISSUE),
    Cause("flags-mismatch", "error",
          "a component's flags do not name the host's files, or the component cannot read its "
          "configuration", "systemctl cat kubelet; cat /var/lib/kubelet/config.yaml",
          "change the setting, in its source file, to the path of the existing file"),
    Cause("signing-bundle", "error",
          "the signing CA's file holds more than one certificate: kube-controller-manager does "
          "not start",
          "grep -c BEGIN FILE",
          "kpki x509 -in FILE -out SIGNER, and --cluster-signing-cert-file=SIGNER"),
    Cause("kubeconfig-broken", "error",
          "the kubeconfig cannot be read, or its context, user or cluster is missing",
          _VIEW, _ISSUE),
    Cause("wrong-subject", "error",
          "the certificate's subject is not the subject to which Kubernetes grants rights",
          "openssl x509 -noout -subject -in FILE", _ISSUE),
    Cause("outlives-ca", "warning",
          "the certificate expires after its CA, and is invalid once the CA has expired",
          "openssl x509 -noout -enddate -in FILE", _ISSUE),
    Cause("expiring-soon", "warning", "the certificate expires soon",
          "openssl x509 -noout -enddate -in FILE", _ISSUE),
    Cause("strict-refused", "warning",
          "Go accepts the certificate, strict verification (Python 3.13, -x509_strict) refuses it",
          "openssl verify -x509_strict -CAfile CA FILE", _ISSUE),
    Cause("stale-served", "error",
          "the server still presents another certificate than the one in its file",
          _SERVED, "restart the component"),
    Cause("clock-skew", "error",
          "this host's clock and the API server's differ by more than 5 minutes",
          "date -u; chronyc tracking", "systemctl restart chronyd"),
)
CAUSES = {row.slug: row for row in ROWS}
# The causes that a new certificate for the same key repairs. A pair with no other fault stays
# unless it is renewed.
RENEWED = frozenset({"expiring-soon", "outlives-ca", "strict-refused", "serial-reused"})
