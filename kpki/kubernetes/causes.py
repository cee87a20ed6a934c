"""The vocabulary of faults: what each one means and what to look at. The only list of them."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Cause:
    """One kind of fault: its *slug*, its *severity*, what it *means*, and what to *look* at to see it by hand."""

    slug: str
    severity: Severity
    meaning: str
    look: str


_READ = "openssl x509 -noout -text -in FILE"
_KEY = "openssl pkey -noout -check -in FILE"

ROWS = (
    Cause("file-missing", "error", "a file that a flag or kubeconfig names is not there: the component does not start",
          "ls -l FILE"),
    Cause("bad-pem", "error", "the file holds no readable PEM block: it is empty, cut off, DER or something else",
          "head -c 100 FILE"),
    Cause("malformed-x509", "error", "the PEM block is there, but what is in it is no certificate", _READ),
    Cause("key-unreadable", "error", "the file is there, but it cannot be read as a file", "ls -l FILE"),
    Cause("key-cert-mismatch", "error", "the private key is not the one that the certificate is for",
          "openssl x509 -noout -pubkey -in CERT; openssl pkey -pubout -in KEY"),
    Cause("encrypted-key", "error", "the private key wants a passphrase, and Kubernetes components have none to give",
          _KEY),
    Cause("key-exposed", "error", "the private key can be read by others than its owner", "ls -l FILE"),
    Cause("shared-key", "error", "another host has the same private key: who has one of them is both",
          "openssl pkey -pubout -in FILE"),
    Cause("ca-key-on-worker", "error", "a CA's private key lies on a worker, which signs nothing", "ls -l FILE"),
    Cause("sa-key-mismatch", "error", "the key is not the one that signs the service accounts' tokens",
          "openssl pkey -pubout -in KEY; cat PUBLIC-KEY"),
    Cause("weak-signature-or-key", "error", "the key or signature is too weak for Go, which Kubernetes is built with",
          _READ),
    Cause("wrong-node-identity", "error", "the certificate is another node's: the API server lets it do nothing here",
          "openssl x509 -noout -subject -in FILE; hostname"),
    Cause("hostname-case-fqdn", "error", "the certificate's node name differs from this node's by case or domain only",
          "openssl x509 -noout -subject -in FILE; hostname"),
    Cause("wrong-organisation", "error", "the certificate's O is not system:nodes, so its owner is no node",
          "openssl x509 -noout -subject -in FILE"),
    Cause("wrong-subject", "error", "the certificate's subject is not the one that Kubernetes gives rights to",
          "openssl x509 -noout -subject -in FILE"),
    Cause("wrong-eku", "error", "the certificate may not be used for what it is used for here",
          "openssl x509 -noout -ext extendedKeyUsage -in FILE"),
    Cause("legacy-cn-no-san", "error", "the certificate has no subjectAltName: nothing built with Go takes its CN",
          "openssl x509 -noout -ext subjectAltName -in FILE"),
    Cause("missing-san-dns", "error", "the certificate does not name the host as a DNS name",
          "openssl x509 -noout -ext subjectAltName -in FILE"),
    Cause("missing-san-ip", "error", "the certificate does not name an address that the host is reached by",
          "openssl x509 -noout -ext subjectAltName -in FILE"),
    Cause("etcd-peer-cert", "error", "the certificate was not signed by etcd's CA, and etcd takes no other",
          "openssl verify -CAfile ETCD-CA FILE"),
    Cause("front-proxy-ca", "error", "the certificate was not signed by the front proxy's CA",
          "openssl verify -CAfile FRONT-PROXY-CA FILE"),
    Cause("unknown-authority", "error", "the certificate was not signed by the cluster's CA",
          "openssl verify -CAfile CA FILE"),
    Cause("ca-not-a-ca", "error", "the CA certificate may not sign certificates", _READ),
    Cause("expired-client-cert", "error", "the certificate has expired", "openssl x509 -noout -dates -in FILE"),
    Cause("expired-server-cert", "error", "the server's certificate has expired",
          "openssl x509 -noout -dates -in FILE"),
    Cause("expired-ca", "error", "the CA certificate has expired", "openssl x509 -noout -dates -in FILE"),
    Cause("not-yet-valid", "error", "the certificate is not valid yet, or this host's clock is slow",
          "openssl x509 -noout -dates -in FILE; date -u"),
    Cause("kubeconfig-broken", "error", "the kubeconfig cannot be read, or its context, user or cluster is missing",
          "kubectl --kubeconfig FILE config view"),
    Cause("kubeconfig-wrong-ca", "error", "the kubeconfig trusts another CA than the cluster's",
          "kubectl --kubeconfig FILE config view"),
    Cause("outlives-ca", "warning", "the certificate ends after its CA, and is worth nothing from then on",
          "openssl x509 -noout -enddate -in FILE"),
    Cause("expiring-soon", "warning", "the certificate ends soon", "openssl x509 -noout -enddate -in FILE"),
    Cause("strict-refused", "warning", "Go takes it, strict verification (Python from 3.13, -x509_strict) does not",
          "openssl verify -x509_strict -CAfile CA FILE"),
)
CAUSES = {row.slug: row for row in ROWS}
