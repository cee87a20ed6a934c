"""renewed_certificate and renew_pairs: what stays byte for byte, what is new, and how the files
hold the new leaf."""
from __future__ import annotations

import base64
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from kpki import genpkey, pem, req_new, req_x509, x509_req
from kpki.cluster.authority import Authority
from kpki.cluster.lifecycle.renew import Order, renew_host
from kpki.cluster.lifecycle.renewal import renewed_certificate
from kpki.cluster.observed.hosts import inspect
from kpki.cluster.rules.facts import pairs_of
from kpki.errors import InputError, RefusedError
from kpki.stages import records
from kpki.stages.verification.verify import verify

START = datetime(2030, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=400)       # every leaf below has ended then
CA_KEY, KEY = genpkey("EC", curve="P-256"), genpkey("EC", curve="P-256")
EXTENSIONS = """subjectAltName = DNS:w, IP:10.0.0.9, DNS:extra
keyUsage = critical, digitalSignature
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
"""


def authority(days: int = 3650, subject: str = "/CN=ca") -> Authority:
    return Authority(req_x509(CA_KEY, subject=subject, days=days, now=START), CA_KEY)


def leaf(ca: Authority, extensions: str = EXTENSIONS + "authorityKeyIdentifier = keyid\n",
         subject: str = "/O=system:nodes/CN=system:node:w") -> x509.Certificate:
    """A leaf of 365 days with extensions in an order of their own."""
    return x509_req(req_new(KEY, subject=subject), ca.certificate, CA_KEY, days=365, now=START,
                    extfile=extensions)


def parts(certificate: x509.Certificate) -> list[object]:
    """What a renewal keeps: version, names, key, and the extensions in their order."""
    fields = records.certificate_fields(certificate.public_bytes(Encoding.DER))
    return [fields.version, fields.subject, fields.issuer, fields.subject_public_key_info,
            records.extensions_of(fields)]


@pytest.mark.parametrize("extensions", [
    EXTENSIONS + "authorityKeyIdentifier = keyid\n",
    EXTENSIONS + "authorityKeyIdentifier = keyid:always, issuer:always\n",
    EXTENSIONS + "authorityKeyIdentifier = none\n", "1.2.3.4 = critical, ASN1:NULL\n",
    "subjectKeyIdentifier = 01:02\nauthorityKeyIdentifier = keyid\n"])
def test_all_but_serial_dates_and_signature_stays(extensions: str) -> None:
    """The subject, the key and the extensions are the old ones to the byte, if the same CA
    certificate signs."""
    ca = authority()
    old = leaf(ca, extensions)
    new = renewed_certificate(old, ca, now=NOW)
    assert parts(new) == parts(old)
    assert new.serial_number != old.serial_number and new.signature != old.signature
    assert (new.not_valid_before_utc, new.not_valid_after_utc) == (NOW - timedelta(minutes=5),
                                                                   NOW + timedelta(days=365))
    new.verify_directly_issued_by(ca.certificate)


def test_a_validity_is_what_was_asked_for() -> None:
    """*validity* counts from now; what would outlive the CA ends with the CA, and a line says
    so."""
    ca, warnings = authority(days=500), list[str]()
    old = leaf(ca)
    assert renewed_certificate(old, ca, now=NOW, validity=timedelta(days=9),
                               warnings=warnings).not_valid_after_utc == NOW + timedelta(days=9)
    assert warnings == []
    assert (renewed_certificate(old, ca, now=NOW, warnings=warnings).not_valid_after_utc == START
            + timedelta(days=500))
    assert warnings == ["CN=system:node:w,O=system:nodes: the certificate ends with its CA, "
                        "2031-05-16T00:00:00Z"]


@pytest.mark.parametrize(("days", "renewed"), [(1, 365), (365, 365), (3000, 3000)])
def test_without_a_wish_the_length_is_the_old_one(days: int, renewed: int) -> None:
    """A certificate lasts as long as before, but at least a year, as kubeadm's do."""
    ca = authority(days=9999)
    old = x509_req(req_new(KEY, subject="/CN=w"), ca.certificate, CA_KEY, days=days, now=START)
    assert (renewed_certificate(old, ca, now=NOW).not_valid_after_utc == NOW
            + timedelta(days=renewed))


def test_the_authority_key_identifier_follows_a_renewed_ca() -> None:
    """A leaf that pins the serial number of the CA's old certificate names the new one; strict
    openssl accepts it."""
    old_ca = authority()
    pinned = leaf(old_ca, EXTENSIONS + "authorityKeyIdentifier = keyid:always, issuer:always\n")
    new_ca = Authority(req_x509(CA_KEY, subject="/CN=ca", days=3650, now=NOW - timedelta(days=1)),
                       CA_KEY)
    new = renewed_certificate(pinned, new_ca, now=NOW)
    assert verify(new, [new_ca.certificate], now=NOW).ok
    assert not verify(renewed_certificate(pinned, old_ca, now=NOW), [new_ca.certificate],
                      now=NOW).ok
    assert ([item.oid for item in parts(new)[4]]    # type: ignore[attr-defined]
            == [item.oid for item in parts(pinned)[4]])     # type: ignore[attr-defined]


def test_the_hash_follows_the_cas_key() -> None:
    """A CA on P-384 signs with SHA-384, whatever signed the old certificate."""
    key = genpkey("EC", curve="P-384")
    other = Authority(req_x509(key, subject="/CN=ca", days=3650, now=START), key)
    new = renewed_certificate(leaf(authority()), other, now=NOW)
    assert (new.signature_hash_algorithm is not None
            and new.signature_hash_algorithm.name == "sha384")


def kubelet(folder: Path, flags: str, **given: bytes) -> Path:
    """A worker whose kubelet is told its files by a unit, and the given files below /k (`_` is a
    dot)."""
    unit = folder / "etc/systemd/system/kubelet.service"
    unit.parent.mkdir(parents=True)
    unit.write_text(f"[Service]\nExecStart=/usr/bin/kubelet {flags}\n")
    (folder / "k").mkdir()
    for name, data in given.items():
        path = folder / "k" / name.replace("_", ".")
        path.write_bytes(data)
        path.chmod(0o600)
    return folder


def cluster_ca(folder: Path, ca: Authority) -> None:
    """The CA with its key, where a controller manager is told them."""
    manifests = folder / "etc/systemd/system/kube-controller-manager.service"
    manifests.write_text("[Service]\nExecStart=/usr/bin/kube-controller-manager "
                         "--cluster-signing-cert-file=/k/ca.crt "
                         "--cluster-signing-key-file=/k/ca.key\n")
    (folder / "k/ca.crt").write_bytes(pem.dump_certificate(ca.certificate))
    (folder / "k/ca.key").write_bytes(pem.dump_key(CA_KEY))
    (folder / "k/ca.key").chmod(0o600)


def nobody_asks(_: object) -> None:
    """A passphrase callback for keys without a passphrase."""


def renew(folder: Path, *names: str, new_key: bool = False) -> tuple[int, list[str]]:
    """Renew what has ended, or the names; the number of certificates and the warnings."""
    warnings = list[str]()
    done = renew_host(str(folder), Order(names, new_key=new_key), passphrase=nobody_asks, now=NOW,
                      warnings=warnings)
    return done.renewed, warnings


SERVING = "--tls-cert-file=/k/w.pem --tls-private-key-file=/k/w.key"
KEY_PEM = pem.dump_key(KEY, form="traditional")


@pytest.mark.parametrize("flags",
                         [SERVING, "--tls-cert-file=/k/w.pem --tls-private-key-file=/k/w.pem"])
def test_what_else_a_file_holds_stays(tmp_path: Path, flags: str) -> None:
    """A comment, the CA behind the leaf and a key before it are untouched; so are mode and
    owner."""
    ca = authority()
    old = leaf(ca)
    data = (b"# mine\n" + KEY_PEM + pem.dump_certificate(old) + b"\n# the CA:\n"
            + pem.dump_certificate(ca.certificate))
    cluster_ca(kubelet(tmp_path, flags, w_pem=data, w_key=KEY_PEM), ca)
    assert renew(tmp_path) == (1, [])
    found = (tmp_path / "k/w.pem").read_bytes()
    new = pem.load_certificates(found)[0]
    assert found == data.replace(pem.dump_certificate(old), pem.dump_certificate(new)) != data
    assert new.not_valid_after_utc == NOW + timedelta(days=365) and parts(new) == parts(old)
    assert ((tmp_path / "k/w.pem").stat().st_mode & 0o777 == 0o600
            and (tmp_path / "k/w.key").read_bytes() == KEY_PEM)
    backups = [path for path in (tmp_path / "var/lib/kpki/backup").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in backups] == [data]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """What was renewed is fresh: no file is written again."""
    ca = authority()
    cluster_ca(kubelet(tmp_path, SERVING, w_pem=pem.dump_certificate(leaf(ca)), w_key=KEY_PEM), ca)
    assert renew(tmp_path)[0] == 1
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.name != "lock"}
    assert renew(tmp_path) == (0, [])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")
            if path.name != "lock"} == before


def config(certificate: bytes, key: bytes, *, lines: int = 0) -> bytes:
    """A kubeconfig that embeds a pair; with *lines* the data is folded."""
    data = [base64.b64encode(half).decode() for half in (certificate, key)]
    folded = [f"|-\n        {text[:60]}\n        {text[60:]}" if lines else text for text in data]
    return f"""# mine
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "https://a:6443"}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
users:
- name: u
  user:
      client-certificate-data: {folded[0]}
      client-key-data: {folded[1]}
""".encode()


@pytest.mark.parametrize("new_key", [False, True])
def test_a_kubeconfig_gets_the_pair_in_its_place(tmp_path: Path, new_key: bool) -> None:
    """Only the data of the pair changes, comments and other lines stay; the key only if a new one
    is asked for."""
    ca = authority()
    old = pem.dump_certificate(leaf(ca))
    cluster_ca(kubelet(tmp_path, "--kubeconfig=/k/k.conf", k_conf=config(old, KEY_PEM)), ca)
    assert renew(tmp_path, new_key=new_key) == (1, [])
    found = inspect(tmp_path)
    pair = next(pair for pair in pairs_of(found) if pair.row == "kubelet-client")
    assert pair.matches and pair.key is not None
    new, key = pem.dump_certificate(pair.chain[0]), pem.dump_key(pair.key, form="traditional")
    assert (tmp_path / "k/k.conf").read_bytes() == config(new, key) and (key != KEY_PEM) == new_key
    assert verify(pair.chain[0], [ca.certificate], now=NOW, strict=True).code in (0, 92)
    assert (pair.chain[0].extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            == x509.SubjectKeyIdentifier.from_public_key(
                pair.key.public_key()))     # type: ignore[arg-type]


def test_a_kubeconfig_with_folded_data_is_refused(tmp_path: Path) -> None:
    """Data on several lines is nothing that kpki edits; nothing is changed."""
    ca = authority()
    data = config(pem.dump_certificate(leaf(ca)), KEY_PEM, lines=2)
    cluster_ca(kubelet(tmp_path, "--kubeconfig=/k/k.conf", k_conf=data), ca)
    with pytest.raises(InputError, match="k/k.conf: the data of users/u is not on one line"):
        renew(tmp_path)
    assert (tmp_path / "k/k.conf").read_bytes() == data


def test_a_kubelets_store_gets_a_dated_file(tmp_path: Path) -> None:
    """The link leads to a new file with the time in its name, as a kubelet writes; the old file
    stays."""
    ca = authority()
    kubelet(tmp_path, "--kubeconfig=/k/k.conf --cert-dir=/k", k_conf=config(b"", b"").replace(
        b"client-certificate-data: ", b"client-certificate: /k/kubelet-client-current.pem").replace(
        b"client-key-data: ", b"client-key: /k/kubelet-client-current.pem"))
    (tmp_path / "k/kubelet-client-2030-01-01-00-00-"
     "00.pem").write_bytes(pem.dump_certificate(leaf(ca)) + KEY_PEM)
    os.symlink("/k/kubelet-client-2030-01-01-00-00-00.pem",
               tmp_path / "k/kubelet-client-current.pem")
    cluster_ca(tmp_path, ca)
    assert renew(tmp_path) == (1, [])
    assert (os.readlink(tmp_path / "k/kubelet-client-current.pem")
            == "kubelet-client-2031-02-05-00-00-00.pem")
    found = (tmp_path / "k/kubelet-client-2031-02-05-00-00-00.pem").read_bytes()
    assert (pem.load_certificates(found)[0].not_valid_after_utc == NOW + timedelta(days=365)
            and KEY_PEM in found)
    assert (tmp_path / "k/kubelet-client-2030-01-01-00-00-00.pem").exists()


def test_a_link_stays_and_its_target_changes(tmp_path: Path) -> None:
    """A file that a link leads to is written where it is."""
    ca = authority()
    kubelet(tmp_path, SERVING, real_pem=pem.dump_certificate(leaf(ca)), w_key=KEY_PEM)
    os.symlink("/k/real.pem", tmp_path / "k/w.pem")
    cluster_ca(tmp_path, ca)
    assert renew(tmp_path) == (1, [])
    assert os.readlink(tmp_path / "k/w.pem") == "/k/real.pem"
    assert pem.load_certificate((tmp_path / "k/real.pem").read_bytes()).not_valid_after_utc > NOW


def test_another_cas_leaf_waits(tmp_path: Path) -> None:
    """What no key in reach has signed waits, though the CA has the same name."""
    other = genpkey("EC", curve="P-256")
    stranger = req_x509(other, subject="/CN=ca", days=3650, now=START)
    foreign = x509_req(req_new(KEY, subject="/CN=w"), stranger, other, days=365, now=START)
    cluster_ca(kubelet(tmp_path, SERVING, w_pem=pem.dump_certificate(foreign), w_key=KEY_PEM),
               authority())
    done = renew_host(str(tmp_path), Order(), passphrase=nobody_asks, now=NOW, warnings=[])
    assert (done.renewed, [(file.path, file.needs)
                           for file in done.waiting]) == (0, [("k/w.pem", "the key of CN=ca")])
    assert (tmp_path / "k/w.pem").read_bytes() == pem.dump_certificate(foreign)


def test_a_pair_that_is_none_stays(tmp_path: Path) -> None:
    """A certificate beside another key is not renewed, for that would mend nothing."""
    ca = authority()
    cluster_ca(kubelet(tmp_path, SERVING, w_pem=pem.dump_certificate(leaf(ca)),
                       w_key=pem.dump_key(genpkey("EC", curve="P-256"))), ca)
    done, warnings = renew(tmp_path)
    assert (done == 0
            and warnings[0].startswith("k/w.pem: not renewed, for certificate and key are no pair"))


def test_the_names_are_the_rows_of_the_host(tmp_path: Path) -> None:
    """A row is renewed whatever its dates are; a name that the host does not have is refused."""
    ca = authority()
    cluster_ca(kubelet(tmp_path, SERVING,
                       w_pem=pem.dump_certificate(renewed_certificate(leaf(ca), ca, now=NOW)),
                       w_key=KEY_PEM), ca)
    assert renew(tmp_path)[0] == 0 and renew(tmp_path, "kubelet-serving")[0] == 1
    with pytest.raises(InputError, match="no certificate of 'etcd-peer' is there"):
        renew(tmp_path, "etcd-peer")


def test_an_expired_ca_is_refused(tmp_path: Path) -> None:
    """No certificate of an expired CA is accepted, so none is made."""
    ca = authority(days=380)
    cluster_ca(kubelet(tmp_path, SERVING, w_pem=pem.dump_certificate(leaf(ca)), w_key=KEY_PEM), ca)
    with pytest.raises(RefusedError, match="the CA certificate expired on 2031-01-16"):
        renew(tmp_path)


def test_openssl_accepts_what_was_renewed(tmp_path: Path) -> None:
    """openssl, strict, verifies the new certificate of a host whose CA has all usages."""
    ca = Authority(req_x509(CA_KEY, subject="/CN=ca", days=3650, now=START, config="""[req]
distinguished_name = dn
x509_extensions = v3
prompt = no
[dn]
CN = ca
[v3]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""), CA_KEY)
    cluster_ca(kubelet(tmp_path, SERVING, w_pem=pem.dump_certificate(leaf(ca)), w_key=KEY_PEM), ca)
    assert renew(tmp_path)[0] == 1
    done = subprocess.run(["openssl", "verify", "-x509_strict", "-attime",
                           str(int(NOW.timestamp())), "-purpose", "sslserver", "-CAfile", tmp_path
                           / "k/ca.crt", tmp_path / "k/w.pem"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/k/w.pem: OK\n"), done.stderr
