"""The vocabulary of faults: what each one means, what to look at, and what mends it. The only list of them."""
from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Cause(NamedTuple):
    """One kind of fault: its *slug*, its *severity*, what it *means*, what to *look* at to see it by hand, and the
    *remedy*: commands with their placeholders in capitals, or in words where no command can do it."""

    slug: str
    severity: Severity
    meaning: str
    look: str
    remedy: str


_READ = "openssl x509 -noout -text -in FILE"
_SUBJECT = "openssl x509 -noout -subject -in FILE; hostname"
_NAMES = "openssl x509 -noout -ext subjectAltName -in FILE"
_USES = "openssl x509 -noout -ext extendedKeyUsage -in FILE"
_DATES = "openssl x509 -noout -dates -in FILE"
_KEY = "openssl pkey -noout -check -in FILE"
_VIEW = "kubectl --kubeconfig FILE config view"
_SERVED = "openssl s_client -connect HOST:PORT </dev/null | openssl x509 -noout -text"

_ISSUE = "kpki node issue NODE --row ROW --ca CA --ca-key KEY; kpki node install nodes/NODE --node NODE"
_PUBLIC = "kpki pkey -in SA-KEY -pubout -out SA-PUB, with the key that a control-plane host still has"
_CA = "the CA's certificate is made anew with its old key: kpki x509 -in CA -signkey KEY -days 3650 -out CA"
_LIVE = "kpki check finds it in the files of the host that is refused"

ROWS = (
    Cause("file-missing", "error", "a file that a flag or kubeconfig names is not there: the component does not start",
          "ls -l FILE", _ISSUE),
    Cause("unknown-authority", "error", "the certificate was not signed by the cluster's CA",
          "openssl verify -CAfile CA FILE", _ISSUE),
    Cause("malformed-x509", "error", "the PEM block is there, but what is in it is no certificate that Go reads",
          _READ, _ISSUE),
    Cause("missing-san-ip", "error", "the certificate does not name an address that the host is reached by",
          _NAMES, _ISSUE),
    Cause("missing-san-dns", "error", "the certificate does not name the host as a DNS name", _NAMES, _ISSUE),
    Cause("bad-pem", "error", "the file holds no PEM that Go can load: empty, cut off, DER, a broken private key",
          "head -c 100 FILE", _ISSUE),
    Cause("expired-client-cert", "error", "the certificate has expired", _DATES, _ISSUE),
    Cause("expired-server-cert", "error", "the server's certificate has expired", _DATES, _ISSUE),
    Cause("expired-ca", "error", "the CA certificate has expired", _DATES, _CA),
    Cause("not-yet-valid", "error", "the certificate is not valid yet, or this host's clock is slow",
          "openssl x509 -noout -dates -in FILE; date -u", _ISSUE),
    Cause("wrong-node-identity", "error", "the certificate is another node's: the API server lets it do nothing here",
          _SUBJECT, _ISSUE),
    Cause("hostname-case-fqdn", "error", "the certificate's node name differs from this node's by case or domain only",
          _SUBJECT, _ISSUE),
    Cause("wrong-organisation", "error", "the certificate's O is not system:nodes, so its owner is no node",
          "openssl x509 -noout -subject -in FILE", _ISSUE),
    Cause("wrong-eku", "error", "the certificate may not be used for what it is used for here", _USES, _ISSUE),
    Cause("key-cert-mismatch", "error", "the private key is not the one that the certificate is for",
          "openssl x509 -noout -pubkey -in CERT; openssl pkey -pubout -in KEY", _ISSUE),
    Cause("key-unreadable", "error", "the file is there, but its component cannot read the file", "ls -l FILE", _ISSUE),
    Cause("encrypted-key", "error", "the private key wants a passphrase, and Kubernetes components have none to give",
          _KEY, _ISSUE),
    Cause("remote-alert", "error", "the peer refused this side's certificate; why is in the peer's log",
          _SERVED, _LIVE),
    Cause("kubelet-serving-self-signed", "warning",
          "the kubelet serves a certificate that it signed itself: whoever verifies it refuses it",
          _READ, _ISSUE),
    Cause("kubelet-serving-csr-pending", "error",
          "the kubelet waits for its serving certificate: nobody has approved its request",
          "kubectl get csr", "kubectl certificate approve CSR"),
    Cause("kubelet-client-current-broken", "error",
          "the link to the kubelet's client certificate leads nowhere, or to a file that it cannot use",
          "ls -l /var/lib/kubelet/pki", _ISSUE),
    Cause("unauthorized-after-ca-rotation", "error",
          "the API server does not know the CA that signed this client's certificate or token any more",
          "openssl verify -CAfile CA FILE", _ISSUE),
    Cause("etcd-peer-cert", "error", "the certificate was not signed by etcd's CA, and etcd takes no other",
          "openssl verify -CAfile ETCD-CA FILE", _ISSUE),
    Cause("weak-signature-or-key", "error",
          "the key or signature is too weak for Go, or of a kind that Go does not use", _READ, _ISSUE),
    Cause("bootstrap-kubeconfig-missing-or-token-expired", "error",
          "the kubelet has no certificate, and no token that gets it one",
          "ls -l /etc/kubernetes; kubeadm token list", _ISSUE),
    Cause("client-cert-not-presented", "error", "the client sent no certificate, and the server wants one",
          _VIEW, _ISSUE),
    Cause("no-client-cert-anonymous", "error",
          "the API server took the client for system:anonymous: it sent neither certificate nor token",
          _VIEW, _ISSUE),
    Cause("external-ca", "error",
          "the certificate is that of another service than the cluster's (a registry, a webhook), whose CA is not "
          "trusted here",
          _SERVED, "trust that server's own CA where its client looks for it"),
    Cause("sa-key-mismatch", "error", "the key is not the one that signs the service accounts' tokens",
          "openssl pkey -pubout -in KEY; cat PUBLIC-KEY", _PUBLIC),
    Cause("front-proxy-ca", "error", "the certificate was not signed by the front proxy's CA",
          "openssl verify -CAfile FRONT-PROXY-CA FILE", _ISSUE),
    Cause("chain-depth", "error", "a CA above allows fewer CAs below it than there are (pathlen)", _READ, _ISSUE),
    Cause("kubeconfig-wrong-ca", "error", "the kubeconfig trusts another CA than the cluster's", _VIEW, _ISSUE),
    Cause("legacy-cn-no-san", "error", "the certificate has no subjectAltName: nothing built with Go takes its CN",
          _NAMES, _ISSUE),
    Cause("ca-not-a-ca", "error", "the CA certificate may not sign certificates", _READ, _CA),
    Cause("ca-pin-mismatch", "error",
          "the cluster's CA is not the one that --discovery-token-ca-cert-hash was made of",
          "openssl x509 -pubkey -noout -in CA | openssl pkey -pubin -outform DER | openssl dgst -sha256",
          "kubeadm token create --print-join-command, on a control-plane host"),
    Cause("key-exposed", "error", "others than root and the user of its component can read the private key",
          "ls -l FILE", "chmod 600 FILE"),
    Cause("shared-key", "error", "another host has the same private key: who has one of them is both",
          "openssl pkey -pubout -in FILE", _ISSUE),
    Cause("ca-key-on-worker", "error", "a CA's private key lies on a worker, which signs nothing",
          "ls -l FILE", "take the file away, once a control-plane host holds it"),
    Cause("serial-reused", "error", "another certificate of the same CA has the same serial number",
          "openssl x509 -noout -serial -issuer -in FILE", _ISSUE),
    Cause("flags-mismatch", "error", "a component's flags do not name the files that are there, or the component "
          "cannot read its configuration", "systemctl cat kubelet; cat /var/lib/kubelet/config.yaml",
          "let the setting, in the file that says so, name the file that is there"),
    Cause("signing-bundle", "error", "the CA file that certificates are signed with holds more than one certificate: "
          "kube-controller-manager does not start", "grep -c BEGIN FILE",
          "kpki x509 -in FILE -out SIGNER, and --cluster-signing-cert-file=SIGNER"),
    Cause("kubeconfig-broken", "error", "the kubeconfig cannot be read, or its context, user or cluster is missing",
          _VIEW, _ISSUE),
    Cause("wrong-subject", "error", "the certificate's subject is not the one that Kubernetes gives rights to",
          "openssl x509 -noout -subject -in FILE", _ISSUE),
    Cause("outlives-ca", "warning", "the certificate ends after its CA, and is worth nothing from then on",
          "openssl x509 -noout -enddate -in FILE", _ISSUE),
    Cause("expiring-soon", "warning", "the certificate ends soon", "openssl x509 -noout -enddate -in FILE", _ISSUE),
    Cause("strict-refused", "warning", "Go takes it, strict verification (Python from 3.13, -x509_strict) does not",
          "openssl verify -x509_strict -CAfile CA FILE", _ISSUE),
    Cause("stale-served", "error", "the server still presents another certificate than its file holds",
          _SERVED, "restart the component"),
    Cause("clock-skew", "error", "this host's clock and the API server's differ by more than 5 minutes",
          "date -u; chronyc tracking", "systemctl restart chronyd"),
)
CAUSES = {row.slug: row for row in ROWS}
