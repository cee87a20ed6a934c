"""What kpki makes of kubeadm's documents is what kubeadm 1.34 makes, file by file; docs/kubeadm.md
has what differs.

The tables are written from kubeadm's sources (phases/certs/certlist.go,
phases/kubeconfig/kubeconfig.go, util/pkiutil/pki_helpers.go), not from kpki's own;
`scripts/kubeadm` holds kpki against the program itself.
"""
from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from kpki import pem
from kpki.cluster.desired.description import load_cluster
from kpki.cluster.plan.plan import make_plan

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PKI = "etc/kubernetes/pki"
ADMINISTRATORS = "kubeadm:cluster-admins"


@dataclass(frozen=True)
class Made:
    """One certificate of kubeadm's: its file, who signs it, O and CN, usages, and what its SAN
    is."""

    stem: str
    signer: str
    cn: str
    o: str = ""
    usages: str = ""
    san: str = ""


CAS = (
    Made("ca", "ca", "kubernetes", san="DNS:kubernetes"),
    Made("front-proxy-ca", "front-proxy-ca", "front-proxy-ca", san="DNS:front-proxy-ca"),
    Made("etcd/ca", "etcd/ca", "etcd-ca", san="DNS:etcd-ca"),
)
LEAVES = (
    Made("apiserver", "ca", "kube-apiserver", usages="server", san="{apiserver}"),
    Made("apiserver-kubelet-client", "ca", "kube-apiserver-kubelet-client", ADMINISTRATORS,
         "client"),
    Made("front-proxy-client", "front-proxy-ca", "front-proxy-client", usages="client"),
    Made("etcd/server", "etcd/ca", "{node}", usages="server client", san="{etcd_server}"),
    Made("etcd/peer", "etcd/ca", "{node}", usages="server client", san="{etcd_peer}"),
    Made("etcd/healthcheck-client", "etcd/ca", "kube-etcd-healthcheck-client", usages="client"),
    Made("apiserver-etcd-client", "etcd/ca", "kube-apiserver-etcd-client", usages="client"),
)
# A kubeconfig's certificate, and whether it leads to the host's own API server ("local") or to the
# endpoint.
KUBECONFIGS = (
    (Made("admin.conf", "ca", "kubernetes-admin", ADMINISTRATORS, "client"), "endpoint"),
    (Made("super-admin.conf", "ca", "kubernetes-super-admin", "system:masters", "client"),
     "endpoint"),
    (Made("kubelet.conf", "ca", "system:node:{node}", "system:nodes", "client"), "local"),
    (Made("controller-manager.conf", "ca", "system:kube-controller-manager", usages="client"),
     "local"),
    (Made("scheduler.conf", "ca", "system:kube-scheduler", usages="client"), "local"),
)
MODES = {".crt": 0o644, ".key": 0o600, ".pub": 0o600, ".conf": 0o600}

INIT = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {name: cp-1}
localAPIEndpoint: {advertiseAddress: 10.0.0.10}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
"""
QUICK = INIT + "encryptionAlgorithm: ECDSA-P256\n"      # where the algorithm is not the question
HIGHLY_AVAILABLE = """\
apiVersion: kpki/v1
kind: Cluster
clusterName: prod
layout: kubeadm
controlPlaneEndpoint: api.example.internal:8443
encryptionAlgorithm: ECDSA-P256
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}
- {name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.11]}
- {name: worker-1, addresses: [10.0.0.21]}
"""
JOIN = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
nodeRegistration: {name: worker-1}
discovery:
  bootstrapToken: {token: abcdef.0123456789abcdef, apiServerEndpoint: "10.0.0.10:6443", \
unsafeSkipCAVerification: true}
"""
SERVICES = ("DNS:kubernetes DNS:kubernetes.default DNS:kubernetes.default.svc "
            "DNS:kubernetes.default.svc.cluster.local")
LOOPBACK = "IP:127.0.0.1 IP:::1"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A document, and what kubeadm makes of it on one host: SANs in its order, servers, key
    algorithm, periods."""

    name: str
    document: str
    node: str = "cp-1"
    role: str = "init"      # init: the first control plane; control-plane: one more; worker
    stacked: bool = True
    apiserver: str = f"DNS:cp-1 {SERVICES} IP:10.96.0.1 IP:10.0.0.10"
    etcd_server: str = f"DNS:cp-1 DNS:localhost IP:10.0.0.10 {LOOPBACK}"
    etcd_peer: str = f"DNS:cp-1 DNS:localhost IP:10.0.0.10 {LOOPBACK}"
    endpoint: str = "https://10.0.0.10:6443"
    local: str = "https://10.0.0.10:6443"
    cluster: str = "kubernetes"
    validity: timedelta = timedelta(hours=8760)
    ca_validity: timedelta = timedelta(hours=87600)
    folder: str = PKI

    @property
    def algorithm(self) -> str:
        """The algorithm of every key: RSA-2048 where the document says none."""
        return str(next(yaml.safe_load_all(self.document[self.document.rindex("apiVersion"):])).get(
            "encryptionAlgorithm", "RSA-2048"))

    @property
    def certificates(self) -> tuple[Made, ...]:
        """The certificates that are files of their own on this host."""
        if self.role == "worker":
            return CAS[:1]
        return tuple(item for item in CAS + LEAVES if self.stacked
                     or "etcd/ca" not in (item.stem, item.signer))

    @property
    def kubeconfigs(self) -> tuple[tuple[Made, str], ...]:
        """The certificates in kubeconfigs."""
        if self.role == "worker":       # as after its TLS bootstrap, when it leads to the endpoint
            return tuple((made, "endpoint") for made, _ in KUBECONFIGS
                         if made.stem == "kubelet.conf")
        return tuple(kubeconfig for kubeconfig in KUBECONFIGS if self.role == "init"
                     or kubeconfig[0].stem != "super-admin.conf")

    def filled(self, made: Made) -> Made:
        """The row for this host."""
        return replace(made, cn=made.cn.format(node=self.node),
                       san=made.san.format_map(self.__dict__))


CASES = (
    Case(name="stacked, everything by default", document=INIT),
    Case(name="several control planes behind a name, the first", document=HIGHLY_AVAILABLE,
         cluster="prod", endpoint="https://api.example.internal:8443",
         apiserver=f"DNS:api.example.internal DNS:cp-1 {SERVICES} IP:10.96.0.1 IP:10.0.0.10"),
    Case(name="several control planes behind a name, the second", document=HIGHLY_AVAILABLE,
         cluster="prod", node="cp-2", role="control-plane",
         endpoint="https://api.example.internal:8443", local="https://10.0.0.11:6443",
         apiserver=f"DNS:api.example.internal DNS:cp-2 {SERVICES} IP:10.96.0.1 IP:10.0.0.11",
         etcd_server=f"DNS:cp-2 DNS:localhost IP:10.0.0.11 {LOOPBACK}",
         etcd_peer=f"DNS:cp-2 DNS:localhost IP:10.0.0.11 {LOOPBACK}"),
    Case(name="several control planes behind a name, a worker", document=HIGHLY_AVAILABLE,
         cluster="prod", node="worker-1", role="worker",
         endpoint="https://api.example.internal:8443"),
    Case(name="two families, the first IPv6, and an address as endpoint",
         document=QUICK.replace("10.0.0.10", '"fd00::10"')
         + 'networking: {serviceSubnet: "fd00:10:96::/112,10.96.0.0/12"}\n'
         'controlPlaneEndpoint: "[fd00::1]:6443"\n',
         endpoint="https://[fd00::1]:6443", local="https://[fd00::10]:6443",
         apiserver=f"DNS:cp-1 {SERVICES} IP:fd00:10:96::1 IP:fd00::10 IP:fd00::1",
         etcd_server="DNS:cp-1 DNS:localhost IP:fd00::10 IP:127.0.0.1 IP:::1",
         etcd_peer="DNS:cp-1 DNS:localhost IP:fd00::10 IP:127.0.0.1 IP:::1"),
    Case(name="two families, the first IPv4", document=QUICK
         + 'networking: {serviceSubnet: "10.112.0.0/16,fd00:10:96::/112", dnsDomain: '
         'k8s.example}\n',
         apiserver="DNS:cp-1 DNS:kubernetes DNS:kubernetes.default DNS:kubernetes.default.svc "
                   "DNS:kubernetes.default.svc.k8s.example IP:10.112.0.1 IP:10.0.0.10"),
    Case(name="external etcd", stacked=False, document=QUICK + """\
etcd:
  external:
    endpoints: ["https://10.0.0.30:2379"]
    caFile: /etc/etcd/ca.crt
    certFile: /etc/etcd/client.crt
    keyFile: /etc/etcd/client.key
"""),
    Case(name="names and addresses of one's own, some twice", document=QUICK + """\
apiServer: {certSANs: [zeta.example.com, "*.apps.example.com", 192.0.2.1, 10.0.0.10, \
zeta.example.com, "fd00::5"]}
etcd: {local: {serverCertSANs: [etcd.example.com, 192.0.2.2], peerCertSANs: [192.0.2.3, \
localhost, alpha.example.com]}}
""",
         apiserver=f"DNS:*.apps.example.com DNS:cp-1 {SERVICES} DNS:zeta.example.com "
                   "IP:10.96.0.1 IP:10.0.0.10 IP:192.0.2.1 IP:fd00::5",
         etcd_server=f"DNS:cp-1 DNS:etcd.example.com DNS:localhost IP:10.0.0.10 {LOOPBACK} "
         "IP:192.0.2.2",
         etcd_peer=f"DNS:alpha.example.com DNS:cp-1 DNS:localhost IP:10.0.0.10 {LOOPBACK} "
         "IP:192.0.2.3"),
    Case(name="ECDSA on P-256", document=QUICK),
    Case(name="ECDSA on P-384", document=INIT + "encryptionAlgorithm: ECDSA-P384\n"),
    Case(name="a folder of one's own", document=QUICK + "certificatesDir: /srv/cluster/pki\n",
         folder="srv/cluster/pki"),
    Case(name="periods of one's own", document=QUICK
         + "certificateValidityPeriod: 720h30m\ncaCertificateValidityPeriod: 43800h0m5s\n",
         validity=timedelta(hours=720, minutes=30), ca_validity=timedelta(hours=43800, seconds=5)),
    Case(name="a port and a cluster's name",
         document=QUICK.replace("10.0.0.10", "10.0.0.10, bindPort: 7443")
         + "clusterName: two words\n", cluster="two words", endpoint="https://10.0.0.10:7443",
         local="https://10.0.0.10:7443"),
    Case(name="a worker that joins", document=JOIN, node="worker-1", role="worker"),
)
by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@cache
def tree(document: str, node: str) -> Mapping[str, tuple[int, bytes]]:
    """The files of a host of a document: path → mode and data."""
    prefix = f"nodes/{node}/"
    return {file.path.removeprefix(prefix): (file.mode, file.data)
            for file in make_plan(load_cluster(document), now=NOW).files()
            if file.path.startswith(prefix)}


def certificate_of(case: Case, stem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(
        tree(case.document, case.node)[f"{case.folder}/{stem}.crt"][1])


def kubeconfig_of(case: Case, stem: str) -> dict[str, Any]:
    config = yaml.safe_load(tree(case.document, case.node)[f"etc/kubernetes/{stem}"][1])
    assert isinstance(config, dict)
    return config


def rdns(name: x509.Name) -> list[tuple[str, str]]:
    """The parts of a name in DER order, each by itself."""
    assert all(len(list(rdn)) == 1 for rdn in name.rdns)
    return [(item.rfc4514_attribute_name, str(item.value)) for item in name]


def san_of(certificate: x509.Certificate) -> str:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ""
    assert not found.critical
    return " ".join(f"{'DNS' if isinstance(item, x509.DNSName) else 'IP'}:{item.value}"
                    for item in found.value)


def usages_of(certificate: x509.Certificate) -> str:
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return ""
    assert not found.critical
    words = {ExtendedKeyUsageOID.SERVER_AUTH: "server", ExtendedKeyUsageOID.CLIENT_AUTH: "client"}
    return " ".join(words[item] for item in found.value)


def key_usage_of(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert found.critical
    return {name for name
            in ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                "key_agreement", "key_cert_sign", "crl_sign") if getattr(found.value, name)}


def algorithm_of(key: object) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}" if key.public_numbers().e == 65537 else "another exponent"
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return {"secp256r1": "ECDSA-P256", "secp384r1": "ECDSA-P384"}[key.curve.name]


def check_certificate(case: Case, made: Made, certificate: x509.Certificate) -> None:
    """Hold a certificate against its row, field by field."""
    signer = certificate_of(case, made.signer)
    is_ca = made.stem == made.signer
    assert certificate.version == x509.Version.v3
    assert rdns(certificate.subject) == [("O", made.o)] * bool(made.o) + [("CN", made.cn)]
    assert certificate.issuer.public_bytes() == signer.subject.public_bytes()
    certificate.verify_directly_issued_by(signer)
    assert san_of(certificate) == made.san
    assert usages_of(certificate) == made.usages
    assert algorithm_of(certificate.public_key()) == case.algorithm
    digest = certificate.signature_hash_algorithm
    assert digest is not None and digest.name == ("sha384" if case.algorithm == "ECDSA-P384"
                                                  else "sha256")
    assert certificate.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert certificate.not_valid_after_utc == NOW + (case.ca_validity if is_ca else case.validity)
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, is_ca, None)
    identifiers = ({extension.oid for extension in certificate.extensions}
                   & {x509.AuthorityKeyIdentifier.oid})
    assert bool(identifiers) is not is_ca
    if not is_ca:
        authority = (certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
                     .value)
        subject_key = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        assert authority == x509.AuthorityKeyIdentifier(subject_key.digest, None, None)
    assert key_usage_of(certificate) == key_usage(case, is_ca)


def key_usage(case: Case, is_ca: bool) -> set[str]:
    """kubeadm's usages with the two differences of docs/kubeadm.md: a CA's, and those of an EC
    leaf."""
    if is_ca:
        return {"digital_signature", "key_cert_sign", "crl_sign"}
    return {"digital_signature"} | ({"key_encipherment"} if case.algorithm.startswith("RSA")
                                    else set())


def check_key(case: Case, data: bytes, certificate: x509.Certificate | None = None) -> None:
    """A key as kubeadm writes it: PKCS#1 or SEC1, one block and nothing else, the certificate's."""
    label = b"RSA PRIVATE KEY" if case.algorithm.startswith("RSA") else b"EC PRIVATE KEY"
    assert data.startswith(b"-----BEGIN " + label + b"-----\n") and data.count(b"-----BEGIN ") == 1
    public_key = pem.load_key(data).public_key()
    assert algorithm_of(public_key) == case.algorithm
    assert certificate is None or public_key == certificate.public_key()


@by_name
def test_the_files_and_their_modes_are_kubeadms(case: Case) -> None:
    """A host has every file that kubeadm makes there, where it makes it, in its mode, and none
    besides."""
    stems = [certificate.stem for certificate in case.certificates]
    names = [f"{case.folder}/{stem}.{end}" for stem in stems for end in ("crt", "key")]
    names += [f"etc/kubernetes/{made.stem}" for made, _ in case.kubeconfigs]
    if case.role == "worker":       # a worker holds no key of the CA's
        names.remove(f"{case.folder}/ca.key")
    else:
        names += [f"{case.folder}/sa.key", f"{case.folder}/sa.pub"]
    modes = {path: mode for path, (mode, _) in tree(case.document, case.node).items()}
    assert modes == {name: MODES[Path(name).suffix] for name in names}


@by_name
def test_the_certificates_are_kubeadms(case: Case) -> None:
    """Subject, issuer, SAN in its order, usages, constraints, algorithms and dates of each file are
    kubeadm's."""
    for made in map(case.filled, case.certificates):
        data = tree(case.document, case.node)[f"{case.folder}/{made.stem}.crt"][1]
        assert data.startswith(b"-----BEGIN CERTIFICATE-----\n") and data.count(b"-----BEGIN ") == 1
        certificate = certificate_of(case, made.stem)
        check_certificate(case, made, certificate)
        if case.role != "worker":
            check_key(case, tree(case.document, case.node)[f"{case.folder}/{made.stem}.key"][1],
                      certificate)


@by_name
def test_the_pair_of_the_service_accounts_is_kubeadms(case: Case) -> None:
    """sa.key has the algorithm of the rest, sa.pub is its public half as PKIX."""
    if case.role == "worker":
        assert not any("/sa." in path for path in tree(case.document, case.node))
        return
    key, public = (tree(case.document, case.node)[f"{case.folder}/sa.{end}"][1]
                   for end in ("key", "pub"))
    check_key(case, key)
    assert public.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert pem.load_public_key(public) == pem.load_key(key).public_key()


@by_name
def test_the_kubeconfigs_are_kubeadms(case: Case) -> None:
    """Cluster, user, context and server have kubeadm's names; CA, certificate and key are embedded
    and right."""
    for row, leads_to in case.kubeconfigs:
        made = case.filled(row)
        config = kubeconfig_of(case, made.stem)
        (cluster,), (user,) = config["clusters"], config["users"]
        ca, certificate, key = (b64decode(item, validate=True) for item in (
            cluster["cluster"].pop("certificate-authority-data"),
            user["user"].pop("client-certificate-data"), user["user"].pop("client-key-data")))
        assert config == {
            "apiVersion": "v1", "kind": "Config", "current-context": f"{made.cn}@{case.cluster}",
            "clusters": [{"name": case.cluster, "cluster": {
                "server": case.local if leads_to == "local" else case.endpoint}}],
            "users": [{"name": made.cn, "user": {}}],
            "contexts": [{"name": f"{made.cn}@{case.cluster}",
                          "context": {"cluster": case.cluster, "user": made.cn}}]}
        assert ca == tree(case.document, case.node)[f"{case.folder}/ca.crt"][1]
        leaf = x509.load_pem_x509_certificate(certificate)
        check_certificate(case, made, leaf)
        check_key(case, key, leaf)


@pytest.mark.parametrize("change", [
    {"cn": "kubernetes"}, {"o": "system:masters"}, {"signer": "front-proxy-ca"},
    {"usages": "server client"}, {"san": f"DNS:cp-1 {SERVICES} IP:10.0.0.10 IP:10.96.0.1"}],
                         ids=lambda change: next(iter(change)))
def test_another_row_would_be_seen(change: dict[str, str]) -> None:
    """A certificate that differs in one field from its row does not pass."""
    case = CASES[0]
    right = case.filled(next(made for made in LEAVES if made.stem == "apiserver"))
    check_certificate(case, right, certificate_of(case, "apiserver"))
    with pytest.raises((AssertionError, ValueError, TypeError)):
        check_certificate(case, replace(right, **change), certificate_of(case, "apiserver"))


def test_no_leaf_outlives_its_ca() -> None:
    """Where kubeadm lets a leaf end after its CA, kpki cuts it, and says so: a difference that
    docs/kubeadm.md has."""
    plan = make_plan(load_cluster(QUICK + "caCertificateValidityPeriod: 4380h\n"), now=NOW)
    warnings: list[str] = []
    found = [x509.load_pem_x509_certificate(file.data) for file in plan.files(warnings=warnings)
             if file.path.endswith(".crt")]
    assert {item.not_valid_after_utc for item in found} == {NOW + timedelta(hours=4380)}
    assert warnings


DIFFERENCES = ("keyUsage of a CA", "keyUsage of an ECDSA leaf", "subjectKeyIdentifier of a leaf",
               "the end of a leaf", "strings in a name", "serial number")


def test_what_differs_is_what_the_page_says() -> None:
    """Each of docs/kubeadm.md's differences is one: kubeadm's value is not kpki's; there is no
    other extension."""
    page = (Path(__file__).parents[2] / "docs" / "kubeadm.md").read_text()
    section = (page.split("## Where kpki's certificates differ from kubeadm's\n")[1]
               .split("\n## ")[0])
    rows = [line.split("|")[1].strip() for line in section.splitlines()
            if line.startswith("| ")][1:]
    assert rows == [*DIFFERENCES]
    leaf, ca = certificate_of(CASES[0], "apiserver"), certificate_of(CASES[0], "ca")
    ec_leaf = certificate_of(next(case for case in CASES if case.algorithm == "ECDSA-P256"),
                             "apiserver")
    kubeadm_ca = {x509.BasicConstraints.oid, x509.KeyUsage.oid, x509.SubjectKeyIdentifier.oid,
                  x509.SubjectAlternativeName.oid}
    kubeadm_leaf = {x509.BasicConstraints.oid, x509.KeyUsage.oid, x509.ExtendedKeyUsage.oid,
                    x509.AuthorityKeyIdentifier.oid, x509.SubjectAlternativeName.oid}
    assert {extension.oid for extension in ca.extensions} == kubeadm_ca
    assert {extension.oid
            for extension in leaf.extensions} - kubeadm_leaf == {x509.SubjectKeyIdentifier.oid}
    assert key_usage_of(ca) ^ {"digital_signature", "key_encipherment", "key_cert_sign"} \
        == {"key_encipherment", "crl_sign"}
    assert {"digital_signature", "key_encipherment"} - key_usage_of(ec_leaf) == {"key_encipherment"}
    # a CN of kubeadm's is a PrintableString (tag 19) and its serial has 63 bits at most; these are
    # as openssl has them
    for certificate in (leaf, ca):
        assert b"\x06\x03\x55\x04\x03\x0c" in certificate.subject.public_bytes()
    assert max(certificate_of(CASES[0], made.stem).serial_number.bit_length()
               for made in LEAVES) > 63
