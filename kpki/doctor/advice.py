"""What is said of each cause that a log names: what the cause is not, and what to do."""
from __future__ import annotations

import re
import shlex
from functools import lru_cache
from typing import NamedTuple

from ..kubernetes.causes import CAUSES


class Advice(NamedTuple):
    """The words for one cause."""

    is_not: str
    """What people take the message for, in a sentence."""
    remedy: tuple[str, ...]
    """Commands in order; FILE, NODE and other words in capitals stand for facts of the log."""


_CHECK = "kpki check /"
_CHECK_ALL = ("# on the node, and on a control-plane host; each names its own wrong files:", _CHECK)
_ISSUE = ("# on the host that holds the CA's key:",
          "kpki node issue NODE --ca CA --ca-key CA-KEY",
          "# on NODE, with that tree:",
          "kpki node install nodes/NODE --node NODE", "systemctl restart kubelet")
_RENEW = ("# on the host that holds the CA's key; then restart what kpki renew names:",
          "kpki renew --root / --within 1d")
_NO_BYPASS = ("Verification switched off hides the fault, and lets anyone answer in the server's "
              "place.")

ADVICE = {
    "file-missing": Advice(
        "The component is sound: a restart or a new installation does not bring the file back.",
        ("ls -l FILE", "# prints the commands that make the file again:", _CHECK)),
    "unknown-authority": Advice(
        _NO_BYPASS, ("# which of three is wrong: the client's CA file, or either certificate",
                     _CHECK)),
    "malformed-x509": Advice(
        "The CA is not to blame, and no clock: Go refuses the certificate's form itself.",
        ("openssl x509 -noout -text -in FILE", _CHECK)),
    "missing-san-ip": Advice(
        _NO_BYPASS + " The CA is right.",
        ("openssl x509 -noout -ext subjectAltName -in FILE",
         "# issue the server's certificate again, with the address ADDRESS:", _CHECK)),
    "missing-san-dns": Advice(
        _NO_BYPASS + " The CA is right.",
        ("openssl x509 -noout -ext subjectAltName -in FILE",
         "# issue the server's certificate again, with the name NAME:", _CHECK)),
    "bad-pem": Advice(
        "The file exists and can be read: only its content is wrong.",
        ("head -c 100 FILE", _CHECK)),
    "expired-client-cert": Advice(
        'The server is sound, and so is its certificate. An "Unauthorized" at the client is '
        "this.",
        ("openssl x509 -noout -subject -dates -in FILE", *_RENEW)),
    "expired-server-cert": Advice(
        "The client is sound. The same words stand for an expired CA, or a clock that is wrong.",
        ("date -u", *_RENEW)),
    "expired-ca": Advice(
        "New leaves do not help: each certificate ends with its CA.",
        ("openssl x509 -noout -subject -enddate -in FILE",
         "# on the host that holds the CA's key (in a workspace without --root); then copy the",
         "# CA's certificate to every host, and restart what kpki renew names:",
         "kpki renew --ca --root / --within 1d", _RENEW[1])),
    "not-yet-valid": Advice(
        "The certificate is not expired, in spite of the words: mostly a clock is slow.",
        ("date -u", "chronyc tracking", "openssl x509 -noout -startdate -in FILE")),
    "wrong-node-identity": Advice(
        "NodeRestriction is not the fault: without it, each node may change every other node.",
        ("# this node presents the certificate of OTHER", *_ISSUE)),
    "hostname-case-fqdn": Advice(
        "NodeRestriction is not the fault: names count letter by letter, and nodes' in lower case.",
        ("hostname", *_ISSUE)),
    "wrong-organisation": Advice(
        "No ClusterRoleBinding for USER is missing: O=system:nodes gives a node its rights.",
        ("openssl x509 -noout -subject -in FILE", *_ISSUE)),
    "wrong-subject": Advice(
        "No ClusterRoleBinding for USER is missing: the component has another's certificate.",
        ("openssl x509 -noout -subject -in FILE", _CHECK)),
    "wrong-eku": Advice(
        "The certificate's CA and dates are right: only its usages are wrong.",
        ("openssl x509 -noout -ext extendedKeyUsage -in FILE", _CHECK)),
    "key-cert-mismatch": Advice(
        "Neither file is broken: the two do not belong together.",
        ("openssl x509 -noout -pubkey -in CERT", "openssl pkey -pubout -in KEY", _CHECK)),
    "key-unreadable": Advice(
        "The file is there. Rights for everybody are no remedy: a key belongs to its component.",
        ("ls -l FILE", "namei -l FILE", "id")),
    "encrypted-key": Advice(
        "The key is not broken: no component of Kubernetes can be given a passphrase.",
        ("openssl pkey -in FILE -out FILE.plain   # asks for the passphrase", "chmod 600 "
        "FILE.plain")),
    "remote-alert": Advice(
        "This log does not hold the reason: the other side refused, and its log gives the reason.",
        ("# read the log of the other side, at the same time: PEER SERVER", _CHECK)),
    "kubelet-serving-self-signed": Advice(
        "The cluster's CA is right. --kubelet-insecure-tls only hides the fault.",
        ("# give the kubelet a certificate of the cluster's CA: serverTLSBootstrap: true, and",
         "kubectl get csr")),
    "kubelet-serving-csr-pending": Advice(
        "The kubelet is sound, and so is the network: the kubelet has no certificate to serve yet.",
        ("kubectl get csr", "kubectl describe csr CSR", "kubectl certificate approve CSR")),
    "kubelet-client-current-broken": Advice(
        "The kubeconfig is right: the file that the kubeconfig names is not.",
        ("ls -l /var/lib/kubelet/pki", *_ISSUE)),
    "unauthorized-after-ca-rotation": Advice(
        'This is no lack of rights (that is "forbidden"): the API server does not know who asks. '
        "An expired certificate looks the same: the API server's log tells.",
        ("# on a control-plane host; the line names the certificate by its serial number:",
         "grep -h 'Unable to authenticate the request' "
         "/var/log/pods/kube-system_kube-apiserver-*/*/*",
         _CHECK)),
    "etcd-peer-cert": Advice(
        "etcd's data is sound: a new member or a new data directory does not help.",
        ("openssl verify -CAfile ETCD-CA FILE", "# on each host of etcd:", _CHECK)),
    "weak-signature-or-key": Advice(
        "The CA is not unknown, in spite of the words. GODEBUG only puts the fault off.",
        ("openssl x509 -noout -text -in FILE", _CHECK)),
    "bootstrap-kubeconfig-missing-or-token-expired": Advice(
        "The bootstrap file is seldom the fault: the kubelet asks for that file once its own "
        "certificate is gone or has expired.",
        ("openssl x509 -noout -enddate -in /var/lib/kubelet/pki/kubelet-client-current.pem",
         "kubeadm token list", *_ISSUE)),
    "client-cert-not-presented": Advice(
        "The server's certificate is right: no setting gives the client a certificate of its own.",
        ("kubectl config view", _CHECK)),
    "no-client-cert-anonymous": Advice(
        "No binding for system:anonymous is missing: the client did not say who asks. Such a "
        "binding "
        "opens the cluster to everybody.",
        ("kubectl config view", _CHECK)),
    "external-ca": Advice(
        "No certificate of the cluster is at fault: SERVER is not of the cluster.",
        ("openssl s_client -connect SERVER </dev/null | openssl x509 -noout -issuer -enddate",
         "# add that CA to the CA certificates of this client, and restart the client")),
    "sa-key-mismatch": Advice(
        "The token is not expired, and no certificate is at fault: two files hold different keys.",
        ("# on each control-plane host; the two outputs must be equal:",
         "openssl pkey -pubout -in /etc/kubernetes/pki/sa.key", "cat /etc/kubernetes/pki/sa.pub")),
    "front-proxy-ca": Advice(
        "The cluster's CA is right: requests to aggregated API servers use a CA of their own.",
        ("openssl verify -CAfile /etc/kubernetes/pki/front-proxy-ca.crt "
         "/etc/kubernetes/pki/front-proxy-client.crt", _CHECK)),
    "chain-depth": Advice(
        "Each certificate is right by itself: a CA allows fewer CAs below itself than there are.",
        ("openssl x509 -noout -ext basicConstraints -in CA", _CHECK)),
    "kubeconfig-wrong-ca": Advice(
        "The server is sound: the file is left from an earlier cluster or CA.",
        ("kubectl --kubeconfig FILE config view", _CHECK)),
    "legacy-cn-no-san": Advice(
        "The CN is right, but Go does not read the CN. GODEBUG does not help since Go 1.17.",
        ("openssl x509 -noout -subject -ext subjectAltName -in FILE", _CHECK)),
    "ca-not-a-ca": Advice(
        "The leaf is right: its issuer is no CA.",
        ("openssl x509 -noout -ext basicConstraints,keyUsage -in CA", _CHECK)),
    "ca-pin-mismatch": Advice(
        "The token is right: the hash belongs to another, mostly an older, CA.",
        ("# on a control-plane host:", "kubeadm token create --print-join-command")),
    "signing-bundle": Advice(
        "The bundle is right as --client-ca-file: only the signer must be one certificate.",
        ("grep -c BEGIN FILE", _CHECK)),
    "flags-mismatch": Advice(
        "No certificate is at fault: the component cannot read its configuration.",
        ("systemctl cat kubelet", _CHECK)),
    "kubeconfig-broken": Advice(
        "No certificate is at fault: the kubeconfig lacks what it refers to.",
        ("kubectl --kubeconfig FILE config view", _CHECK)),
}
# A word of a remedy → the facts that may stand for the word, in this order.
_WORDS = {"FILE": ("file",), "NODE": ("node",), "OTHER": ("other", "user"), "USER": ("user",),
          "NAME": ("name", "wanted"), "ADDRESS": ("address",), "PEER": ("peer",),
          "SERVER": ("server",)}
_WORD = re.compile(rf"(?<![\w-])(?:{'|'.join(_WORDS)})(?![\w-])")
_PLAIN = Advice("", (_CHECK,))


def meaning_of(cause: str) -> str:
    """What *cause* means; empty for a cause of a program's own rules."""
    return CAUSES[cause].meaning if cause in CAUSES else ""


@lru_cache(maxsize=256)
def is_not_of(cause: str, facts: tuple[tuple[str, str], ...]) -> str:
    """What *cause* is not, with the *facts*."""
    return _filled(ADVICE.get(cause, _PLAIN).is_not, dict(facts), quote=False)


@lru_cache(maxsize=256)
def remedy_of(cause: str, facts: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """The commands against *cause*, with the *facts* (name, value) in the place of words."""
    known = dict(facts)
    return tuple(_filled(line, known, quote=not line.startswith("#"))
                 for line in ADVICE.get(cause, _PLAIN).remedy)


def _filled(line: str, facts: dict[str, str], *, quote: bool) -> str:
    def value(found: re.Match[str]) -> str:
        text = next((facts[name] for name in _WORDS[found[0]] if name in facts), found[0])
        return shlex.quote(text) if quote else text
    return _WORD.sub(value, line)
