"""What befalls the files of a host: each is a function of cluster and host, to stand in a table."""
from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.e2e.cluster import Cluster
from tests.hosts.pki import Row, Shelf, ca, openssl

Spoil = Callable[[Cluster, str], None]
USAGES = {ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
          ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth"}
SIGNERS = {"ca": "ca", "etcd": "etcd/ca", "front-proxy": "front-proxy-ca"}
OTHER = "another CA with the same name"


def gone(*paths: str) -> Spoil:
    """Files that are not there any more."""
    def spoil(cluster: Cluster, host: str) -> None:
        for path in paths:
            cluster.hosts[host].path(path).unlink()
    return spoil


def holds(path: str, content: str | Callable[[Cluster, str], bytes]) -> Spoil:
    """A file that holds something else; its mode stays."""
    def spoil(cluster: Cluster, host: str) -> None:
        data = content.encode() if isinstance(content, str) else content(cluster, host)
        cluster.hosts[host].path(path).write_bytes(data)
    return spoil


def has(path: str, mode: int) -> Spoil:
    """A file with another mode."""
    return lambda cluster, host: cluster.hosts[host].path(path).chmod(mode)


def changed(path: str, old: str, new: str) -> Spoil:
    """A text in which *old*, a regular expression, became *new*."""
    def spoil(cluster: Cluster, host: str) -> None:
        file = cluster.hosts[host].path(path)
        text, times = re.subn(old, new, file.read_text())
        assert times, f"{path} has no {old}"
        file.write_text(text)
    return spoil


def copied(*paths: str, source: str) -> Spoil:
    """Files that are another host's."""
    def spoil(cluster: Cluster, host: str) -> None:
        for path in paths:
            cluster.hosts[host].path(path).write_bytes(cluster.hosts[source].path(path)
                                                       .read_bytes())
    return spoil


def copied_as(path: str, source: str) -> Spoil:
    """A file that holds what another one of the same host does."""
    return holds(path, lambda cluster, host: cluster.hosts[host].path(source).read_bytes())


def also_holds(path: str, content: Callable[[Cluster, str], bytes]) -> Spoil:
    """A file with something else after what was there."""
    return holds(path, lambda cluster, host: cluster.hosts[host].path(path).read_bytes()
                 + content(cluster, host))


def with_waiting_pod(other: Spoil) -> Spoil:
    """Another thing that befalls a host, and a pod that waits for the scheduler."""
    def spoil(cluster: Cluster, host: str) -> None:
        other(cluster, host)
        cluster.cp.stop("kube-scheduler")
        cluster.run_pod("waiting", "", "exec sleep 100000")
    return spoil


def trusts_another(path: str) -> Spoil:
    """A kubeconfig with the certificate of another CA."""
    def data(cluster: Cluster, host: str) -> bytes:
        text = cluster.hosts[host].path(path).read_bytes()
        other = b64encode(other_ca(cluster, host))
        return re.sub(rb'(certificate-authority-data: "?)[\w+/=]+', rb"\g<1>" + other, text)
    return holds(path, data)


def leaf(path: str, *, signer: str = "ca", key: str = "", **changes: str) -> Spoil:
    """A certificate made anew by openssl, as it was but for *changes*, fields of a `Row`.

    *path* is the certificate's, or that of a kubeconfig which embeds it. *signer* is one of
    SIGNERS, OTHER, or a CA's file; *key* asks for another key, of that many bits of RSA.
    """
    def spoil(cluster: Cluster, host: str) -> None:
        file = cluster.hosts[host].path(path)
        certificate, secret = pair_of(file)
        row = replace(row_of(certificate), **changes)   # type: ignore[arg-type]
        if key:
            secret = openssl("genrsa", "-traditional", key)
        write_pair(file, shelf(cluster).make(row, secret, authority(cluster, signer)), secret)
    return spoil


def shelf(cluster: Cluster) -> Shelf:
    """What makes certificates by openssl."""
    folder = cluster.rig.folder / "openssl"
    folder.mkdir(exist_ok=True)
    return Shelf({}, folder)


def authority(cluster: Cluster, signer: str) -> tuple[bytes, bytes]:
    """Certificate and key of a CA."""
    if signer == OTHER:
        key = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")
        return shelf(cluster).make(ca("/CN=kubernetes"), key, None), key
    if signer not in SIGNERS:
        return Path(signer).read_bytes(), key_file(Path(signer)).read_bytes()
    place = cluster.workspace / "pki" / SIGNERS[signer]
    return place.with_suffix(".crt").read_bytes(), place.with_suffix(".key").read_bytes()


def other_ca(cluster: Cluster, host: str) -> bytes:
    """The certificate of another CA with the cluster's name."""
    return authority(cluster, OTHER)[0]


def other_key(cluster: Cluster, host: str) -> bytes:
    """A private key that belongs to nothing."""
    return openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")


def encrypted(path: str) -> Spoil:
    """A private key with a passphrase."""
    def spoil(cluster: Cluster, host: str) -> None:
        file = cluster.hosts[host].path(path)
        file.write_bytes(openssl("ec", "-aes256", "-passout", "pass:secret",
                                 given=file.read_bytes()))
    return spoil


def key_file(certificate: Path) -> Path:
    """The file of a certificate's key, by the names of the layouts."""
    return (certificate.with_suffix(".key") if certificate.suffix == ".crt"
            else certificate.with_name(
                f"{certificate.stem}-key.pem"))


def pair_of(file: Path) -> tuple[x509.Certificate, bytes]:
    """Certificate and key (PEM) of a pair of files, or of a kubeconfig that embeds them."""
    text = file.read_text()
    if "client-certificate-data:" not in text:
        return x509.load_pem_x509_certificate(text.encode()), key_file(file).read_bytes()
    certificate, key = (b64decode(re.findall(rf'client-{part}-data: "?([\w+/=]+)', text)[0])
                        for part in ("certificate", "key"))
    return x509.load_pem_x509_certificate(certificate), key


def write_pair(file: Path, certificate: bytes, key: bytes) -> None:
    """Put a pair where `pair_of` found it; modes stay."""
    text = file.read_text()
    if "client-certificate-data:" not in text:
        file.write_bytes(certificate)
        key_file(file).write_bytes(key)
        return
    for part, data in (("certificate", certificate), ("key", key)):
        text = re.sub(rf'(client-{part}-data: "?)[\w+/=]+', rf"\g<1>{b64encode(data).decode()}",
                      text)
    file.write_text(text)


def row_of(certificate: x509.Certificate) -> Row:
    """What a certificate says, as a row that openssl can make again."""
    subject = "".join(f"/{part.rfc4514_string()}" for part in certificate.subject)
    values = [extension.value for extension in certificate.extensions]
    usages = [USAGES[usage] for value in values if isinstance(value, x509.ExtendedKeyUsage)
              for usage in value]
    names = [f"{'DNS' if isinstance(name, x509.DNSName) else 'IP'}:{name.value}"
             for value in values if isinstance(value, x509.SubjectAlternativeName)
             for name in value]
    return Row(subject, usages=",".join(usages), names=",".join(names))
