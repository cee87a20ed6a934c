"""What kubeadm and kpki make of the same documents, field by field; and whether each keeps what the
other made.

Each document's first host is made by both: by kubeadm's phases `certs all` and `kubeconfig all` in
a folder that it takes for its root, by kpki in memory. Then each looks at the other's tree. The
exit status is 1 where they differ in more than docs/kubeadm.md says, or where one would not keep a
file of the other's.
"""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from kpki import files, pem
from kpki.clock import utc_now
from kpki.cluster.authority import key_algorithm
from kpki.cluster.desired.description import load_cluster
from kpki.cluster.observed.inventory import ObservedFile
from kpki.cluster.plan.plan import make_plan
from kpki.files import File

INIT = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {name: cp-1}
localAPIEndpoint: {advertiseAddress: 10.0.0.10}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.34.4
"""
DOCUMENTS = {
    "stacked": INIT,
    "a name as endpoint": INIT
    + "clusterName: prod\ncontrolPlaneEndpoint: api.example.internal:8443\n",
    "IPv6 first": INIT.replace("10.0.0.10", '"fd00::10"') + 'controlPlaneEndpoint: '
    '"[fd00::1]:6443"\nnetworking: {serviceSubnet: "fd00:10:96::/112,10.96.0.0/12"}\n',
    "IPv4 first": INIT
    + 'networking: {serviceSubnet: "10.112.0.0/16,fd00:10:96::/112", dnsDomain: k8s.example}\n',
    "external etcd": INIT
    + 'etcd: {external: {endpoints: ["https://10.0.0.30:2379"], caFile: /etc/etcd/ca.crt, '
    "certFile: /etc/etcd/client.crt, keyFile: /etc/etcd/client.key}}\n",
    "names and addresses": INIT + """\
apiServer: {certSANs: [zeta.example.com, "*.apps.example.com", 192.0.2.1, 10.0.0.10, \
zeta.example.com, "fd00::5"]}
etcd: {local: {serverCertSANs: [etcd.example.com, 192.0.2.2], peerCertSANs: [192.0.2.3, \
localhost, alpha.example.com]}}
""",
    "P-256": INIT + "encryptionAlgorithm: ECDSA-P256\n",
    "P-384": INIT + "encryptionAlgorithm: ECDSA-P384\n",
    "RSA-3072": INIT + "encryptionAlgorithm: RSA-3072\n",
    "a folder of one's own": INIT + "certificatesDir: /srv/cluster/pki\n",
    "an IPv6 address without a port": INIT + "controlPlaneEndpoint: fd00::1\n",
    "periods": INIT + "certificateValidityPeriod: 720h30m\n"
    "caCertificateValidityPeriod: 43800h15m\n",
    "a leaf past its CA": INIT
    + "certificateValidityPeriod: 8760h\ncaCertificateValidityPeriod: 4380h\n",
    "a port and a name": INIT.replace("10.0.0.10", "10.0.0.10, bindPort: 7443")
    + "clusterName: two words\n",
    "v1beta3": INIT.replace("v1beta4", "v1beta3"),
}
# The fields that docs/kubeadm.md lists.
KNOWN = {"keyUsage of a CA", "keyUsage of an ECDSA leaf", "subjectKeyIdentifier of a leaf",
         "the end of a leaf", "strings in a name", "serial number"}
Facts = dict[str, object]


def run_kubeadm(program: str, root: Path, document: str) -> None:
    """kubeadm's phases in *root*. Ends the program with its words where it fails."""
    (root / "kubeadm.yaml").write_text(document)
    for phase in ("certs", "kubeconfig"):
        words = ["init", "phase", phase, "all", "--config", "/kubeadm.yaml", "--rootfs", str(root)]
        done = subprocess.run([program, *words], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{program} init phase {phase} all: {done.stderr.strip()}")
    (root / "kubeadm.yaml").unlink()


def tree_of(root: Path) -> dict[str, File]:
    """Every file below a root."""
    return {name: File(name, path.read_bytes(), path.stat().st_mode & 0o7777)
            for path in sorted(root.rglob("*")) if path.is_file()
            for name in [str(path.relative_to(root))]}


def made_by_kpki(document: str) -> dict[str, File]:
    """The same host's files by kpki."""
    cluster = load_cluster(document)
    prefix = f"nodes/{cluster.hosts[0].name}/"
    return {name: File(name, file.data, file.mode)
            for file in make_plan(cluster, now=utc_now()).files()
            if file.path.startswith(prefix) for name in [file.path.removeprefix(prefix)]}


def facts_of(file: File) -> Iterator[tuple[str, Facts]]:
    """What a file says: its parts by name, each with its fields."""
    yield file.path, {"mode": f"{file.mode:04o}"}
    if not file.path.endswith(".conf"):
        yield file.path, block_facts(file.data)
        return
    config = yaml.safe_load(file.data)
    config.pop("preferences", None)     # an old field, always {}
    for lists, inner, fields in (("clusters", "cluster", ("certificate-authority-data",)),
                                 ("users", "user", ("client-certificate-data", "client-key-data"))):
        for field in fields:
            yield f"{file.path}#{field}", block_facts(b64decode(config[lists][0][inner].pop(field)))
    yield file.path, {"kubeconfig": config}


def block_facts(data: bytes) -> Facts:
    """The fields of one PEM block."""
    labels = [block.label for block in pem.blocks(data)]
    found: Facts = {"PEM": labels}
    if labels == ["CERTIFICATE"]:
        found |= certificate_facts(pem.load_certificate(data))
    elif labels[0] != "PUBLIC KEY":
        found["key"] = key_algorithm(pem.load_key(data))
    return found


def certificate_facts(certificate: x509.Certificate) -> Facts:
    """The fields of a certificate, those that are drawn at random by their kind."""
    extensions = {extension.oid: extension for extension in certificate.extensions}
    basic, usage = extensions.pop(x509.BasicConstraints.oid), extensions.pop(x509.KeyUsage.oid)
    assert isinstance(basic.value, x509.BasicConstraints) and isinstance(usage.value, x509.KeyUsage)
    kind = "a CA" if basic.value.ca else "a leaf"
    public_key = certificate.public_key()
    kind_of_usage = ("an ECDSA leaf" if kind == "a leaf"
                     and isinstance(public_key, ec.EllipticCurvePublicKey) else kind)
    authority, subject_key = (extensions.pop(item.oid, None) for item in (
        x509.AuthorityKeyIdentifier, x509.SubjectKeyIdentifier))
    lifetime = (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds()
    return {
        "version": certificate.version.name,
        "subject": [rdn.rfc4514_string() for rdn in certificate.subject.rdns],
        "issuer": [rdn.rfc4514_string() for rdn in certificate.issuer.rdns],
        "strings in a name": sorted({item._type.name for item in certificate.subject}),
        "serial number": "up to 63 bits" if certificate.serial_number.bit_length() < 64
        else "more bits",
        # kubeadm looks at the clock again for the end
        f"the end of {kind}": f"{round(lifetime / 60)} min",
        "public key": (type(public_key).__name__, getattr(public_key, "key_size", None)),
        "signature": certificate.signature_algorithm_oid.dotted_string,
        "basicConstraints": (basic.critical, basic.value.ca, basic.value.path_length),
        f"keyUsage of {kind_of_usage}": (usage.critical, [
            name for name
            in ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                "key_agreement", "key_cert_sign", "crl_sign") if getattr(usage.value, name)]),
        f"subjectKeyIdentifier of {kind}": None if subject_key is None else subject_key.critical,
        "authorityKeyIdentifier": authority
        and (authority.critical, bool(authority.value.key_identifier),
             bool(authority.value.authority_cert_issuer)),
        "other extensions": sorted((extension.oid.dotted_string, extension.critical,
                                    extension.value.public_bytes().hex())
                                   for extension in extensions.values()),
    }


def compared(theirs: Mapping[str, File],
             ours: Mapping[str, File]) -> Iterator[tuple[str, str, object, object]]:
    """Every difference: where, the field, kubeadm's value, kpki's."""
    for name in sorted({*theirs} ^ {*ours}):
        yield name, "file", name in theirs, name in ours
    for name in sorted({*theirs} & {*ours}):
        for (part, near), (_, far) in zip(facts_of(theirs[name]), facts_of(ours[name]),
                                          strict=True):
            for field in {**near, **far}:
                if near.get(field) != far.get(field):
                    yield part, field, near.get(field), far.get(field)


def kept(program: str, document: str, ours: Mapping[str, File]) -> list[str]:
    """What kubeadm changes in a tree of kpki's: contents, modes, times of files and folders, files
    that come or go."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files.replace_tree(root, list(ours.values()), folder_mode=0o755, backup=None, now=utc_now())
        before = {path: state(path) for path in root.rglob("*")}
        run_kubeadm(program, root, document)
        after = {path: state(path) for path in root.rglob("*")}
        both = sorted({*before} | {*after})
        return [str(path.relative_to(root)) for path in both if before.get(path) != after.get(path)]


def state(path: Path) -> tuple[object, ...]:
    """Mode, owner, inode, contents and the time of the last change."""
    about = path.stat()
    return (about.st_mode, about.st_uid, about.st_ino, about.st_mtime_ns,
            path.read_bytes() if path.is_file() else b"")


def mended(document: str, theirs: Mapping[str, File]) -> list[str]:
    """What kpki would change in a tree of kubeadm's, its own workspace being empty."""
    cluster = load_cluster(document)
    prefix = f"nodes/{cluster.hosts[0].name}/"

    def observe(path: str) -> ObservedFile:
        file = theirs.get(path.removeprefix(prefix)) if path.startswith(prefix) else None
        return (ObservedFile(path, missing=True) if file is None
                else ObservedFile(path, file.data, file.mode))

    return [f"{step.action} {step.path}: {', '.join(step.causes)}"
            for step in make_plan(cluster, observe=observe).steps()
            if step.host]


def main(program: str, *documents: str) -> int:
    """Compare, print, and say whether all is as it should be."""
    if os.geteuid():
        raise SystemExit("kubeadm changes its root: run this as root")
    program, status = os.path.abspath(program), 0
    subprocess.run([program, "version", "-o", "short"], check=True)
    for name, document in {document: Path(document).read_text()
                           for document in documents}.items() or DOCUMENTS.items():
        with tempfile.TemporaryDirectory() as folder:
            run_kubeadm(program, Path(folder), document)
            theirs = tree_of(Path(folder))
        ours = made_by_kpki(document)
        changed, wrong = kept(program, document, ours), mended(document, theirs)
        print(f"{name}: {len(theirs)} files of kubeadm's, {len(ours)} of kpki's")
        found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for where, field, near, far in compared(theirs, ours):
            found[field, str(near), str(far)].append(where)
        fields = {field for field, _, _ in found}
        print(f"  differ, as the page says, in: {', '.join(sorted(fields & KNOWN))}")
        for (field, item, other), places in found.items():
            if field not in KNOWN:
                print(f"  ! {field}: kubeadm {item}, kpki {other}, in {', '.join(places)}")
        for what, lines in (("kubeadm does not keep", changed), ("kpki would", wrong)):
            for line in lines:
                print(f"  ! {what} {line}")
        status |= bool(changed or wrong or fields - KNOWN)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
