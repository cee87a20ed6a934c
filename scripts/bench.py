"""What kpki costs: one node by the bare library calls, the library with files, the command, and
openssl; start-up; one verdict as a library call; and the check of a fleet beside a loop of `openssl
verify`.

Every figure is the median of rounds that take turns, so that a slow moment of the machine falls on
all rows alike.
"""
from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from statistics import median

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import crypto

from kpki import (
    dump_certificate,
    dump_key,
    files,
    genpkey,
    load_csr,
    req_new,
    req_x509,
    verify,
    verify_kubernetes,
    x509_req,
)
from kpki.cluster.authority import Authority, issue, load_authority
from kpki.cluster.node.example import example_authority
from kpki.cluster.node.node import issue_node
from kpki.kubernetes.profiles import KUBELET_PROFILE, identity_of
from kpki.stages.keys import public_key_der

NOW = datetime.now(UTC)
PYTHON = sys.executable
KPKI = [PYTHON, os.path.join(os.path.dirname(PYTHON), "kpki")]
SERVER, ADDRESS = "https://10.0.0.10:6443", "10.0.0.21"
# The request and the certificate of a node, for the stages req_new and x509_req.
REQUEST = f"""[req]
prompt = no
distinguished_name = dn
req_extensions = ext
[dn]
O = system:nodes
CN = system:node:worker-1
[ext]
subjectAltName = DNS:worker-1,IP:{ADDRESS}
"""
EXTENSIONS = f"""basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectAltName = DNS:worker-1,IP:{ADDRESS}
"""
LEAVES, IN_A_ROW = 512, 64      # more than anybody keeps in mind, and so many in one turn
Work = Callable[[], object]


def measure(rows: dict[str, Work], rounds: int) -> dict[str, float]:
    """Median seconds of each row, after one round that does not count; the rows take turns."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(rounds + 1):
        for name, work in rows.items():
            start = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: median(found) for name, found in times.items()}


def report(title: str, found: dict[str, float], base: str | dict[str, str]) -> None:
    """One table: milliseconds, and how many times the base row's (one for all rows, or each row's
    own)."""
    print(f"\n{title}")
    for name, seconds in found.items():
        other = base if isinstance(base, str) else base.get(name, name)
        ratio = "" if other == name else f"{seconds / found[other]:8.2f} ×"
        beside = f"  {other}" if ratio and isinstance(base, dict) else ""
        print(f"  {name:<58} {seconds * 1000:10.3f} ms {ratio}{beside}")


def bare_key(kind: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """A key by cryptography alone."""
    return (ec.generate_private_key(ec.SECP256R1()) if kind == "EC"
            else rsa.generate_private_key(65537, 2048))


def bare_node(ca: Authority, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *,
              request: bool) -> list[bytes]:
    """Request (if asked), its check, certificate and the PEMs of one node by cryptography's own
    builders."""
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
                         x509.NameAttribute(NameOID.COMMON_NAME, "system:node:worker-1")])
    names = x509.SubjectAlternativeName([x509.DNSName("worker-1"),
                                         x509.IPAddress(ipaddress.ip_address(ADDRESS))])
    if request:
        csr = (x509.CertificateSigningRequestBuilder().subject_name(subject)
               .add_extension(names, False).sign(
                   key, hashes.SHA256()))
        assert csr.is_signature_valid
    public_key = key.public_key()
    ca_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = ca.key  # type: ignore[assignment]
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(ca.certificate.subject)
               .public_key(
                   public_key).serial_number(x509.random_serial_number()).not_valid_before(NOW)
               .not_valid_after(
               NOW + timedelta(days=365)))
    usage = dict.fromkeys(("content_commitment", "data_encipherment", "key_agreement",
                           "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
    for extension, critical in (
            (x509.BasicConstraints(False, None), True),
            (x509.KeyUsage(digital_signature=True,
                           key_encipherment=isinstance(key, rsa.RSAPrivateKey), **usage), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH,
                                    ExtendedKeyUsageOID.CLIENT_AUTH]), False),
            (names, False), (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False)):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(ca_key, hashes.SHA256())
    return [key.private_bytes(serialization.Encoding.PEM,
                              serialization.PrivateFormat.TraditionalOpenSSL,
                              serialization.NoEncryption()),
            certificate.public_bytes(serialization.Encoding.PEM)]


def node(kind: str, rounds: int, folder: str) -> None:
    """One node: (a) bare calls with and without a request, (b) the library with files, (c) the
    command, (d) openssl."""
    algorithm = {"EC": "ECDSA-P256", "RSA": "RSA-2048"}[kind]
    ca_key = genpkey(kind)
    ca_pem, key_pem = dump_certificate(req_x509(ca_key, subject="/CN=kube-ca", days=3650,
                                                now=NOW)), dump_key(ca_key)
    ca = load_authority(ca_pem, key_pem, now=NOW)
    for name, data in (("ca.pem", ca_pem), ("ca-key.pem", key_pem), ("v3.ext", (
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=serverAuth,clientAuth\n"
            f"subjectAltName=DNS:worker-1,IP:{ADDRESS}\n").encode())):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    counter = iter(range(10 ** 9))
    last: list[files.File] = []

    def library(*, write: bool) -> None:
        last[:] = issue_node(ca, "worker-1", addresses=[ADDRESS], server=SERVER, now=NOW)
        if write:
            files_alone()

    def files_alone() -> None:
        files.replace_tree(os.path.join(folder, f"tree-{next(counter)}"), last, folder_mode=0o755,
                           backup=None, now=NOW)

    def command() -> None:
        run([*KPKI, "node", "issue", "worker-1", "--ca", "ca.pem", "--ca-key", "ca-key.pem",
             "--address", ADDRESS, "--server", SERVER, "--out", f"out-{next(counter)}/nodes",
             "--quiet"], folder)

    def openssl() -> None:
        make = (["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
                if kind == "EC" else ["genrsa"])
        run(["openssl", *make, "-out", "w.key", *(["2048"] if kind == "RSA" else [])], folder)
        run(["openssl", "req", "-new", "-key", "w.key", "-subj",
             "/O=system:nodes/CN=system:node:worker-1", "-out", "w.csr"], folder)
        run(["openssl", "x509", "-req", "-in", "w.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
             "-days", "365", "-extfile", "v3.ext", "-out", "w.pem"], folder)

    fixed = bare_key(kind)
    report(f"one {algorithm} node, key made anew", measure({
        "(a) bare cryptography: key, request, check, certificate": lambda:
            bare_node(ca, bare_key(kind), request=True),
        "(a') the same without the request": lambda: bare_node(ca, bare_key(kind), request=False),
        "(b') kpki.issue_node, no files": lambda: library(write=False),
        "(b) kpki.issue_node and its four files, durable": lambda: library(write=True),
        "    those four files alone, durable": files_alone,
        "(c) the command: kpki node issue": command,
        "(d) openssl: three commands": openssl,
    }, rounds), "(a) bare cryptography: key, request, check, certificate")
    report(f"the same with one {algorithm} key for all (key making is luck for RSA)", measure({
        "(a) bare cryptography: request, check, certificate": lambda:
            bare_node(ca, fixed, request=True),
        "(a') the same without the request": lambda: bare_node(ca, fixed, request=False),
        "(b') kpki.issue_node, no files": lambda: issue_node(
            ca, "worker-1", addresses=[ADDRESS], server=SERVER, key=fixed, now=NOW),
    }, rounds * 20), "(a) bare cryptography: request, check, certificate")
    stages(kind, ca, fixed, rounds)


def stages(kind: str, ca: Authority, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
           rounds: int) -> None:
    """req_new and x509_req beside the same request and certificate by cryptography's builders."""
    csr = req_new(key, config=REQUEST)
    data = csr.public_bytes(serialization.Encoding.DER)

    def bare_request() -> object:
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
                             x509.NameAttribute(NameOID.COMMON_NAME, "system:node:worker-1")])
        names = x509.SubjectAlternativeName([x509.DNSName("worker-1"),
                                             x509.IPAddress(ipaddress.ip_address(ADDRESS))])
        return (x509.CertificateSigningRequestBuilder().subject_name(subject)
                .add_extension(names, False).sign(
                    key, hashes.SHA256()))

    def bare_signing() -> object:
        assert x509.load_der_x509_csr(data).is_signature_valid
        return bare_node(ca, key, request=False)

    report(f"stages as library calls, {kind}: the configuration text is read in each call",
           measure({
               "bare cryptography: a request": bare_request,
               "kpki.req_new": lambda: req_new(key, config=REQUEST),
           }, rounds * 20), "bare cryptography: a request")
    report(f"signing, {kind}", measure({
        "bare cryptography: check the request, certificate": bare_signing,
        "kpki.x509_req": lambda: x509_req(load_csr(data), ca.certificate, ca.key, days=365,
                                          extfile=EXTENSIONS),
    }, rounds * 20), "bare cryptography: check the request, certificate")


def run(argv: list[str], folder: str) -> None:
    """Run one command, silently."""
    subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


# What a verb cannot do without: the same work by bare library calls, in a process of its own.
_KEYS = """
from cryptography.hazmat.primitives import serialization, hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, ed25519, ed448, padding
"""
_KEY = _KEYS + "key = serialization.load_pem_private_key(open('k.pem', 'rb').read(), None)\n"
_X509 = """
from cryptography import x509
from cryptography.hazmat import asn1
"""
_BARE = {
    "genpkey, ecparam": _KEYS + "ec.generate_private_key(ec.SECP256R1())",
    "genrsa": _KEYS + "rsa.generate_private_key(65537, 2048)",
    "ec, pkey": _KEY + "key.public_key().public_bytes(serialization.Encoding.PEM, "
                "serialization.PublicFormat.SubjectPublicKeyInfo)",
    "req": _KEY + _X509 + "key.sign(b'', ec.ECDSA(hashes.SHA256()))",
    "x509 -req": _KEY + _X509 + """
ca = x509.load_pem_x509_certificate(open('c.pem', 'rb').read())
csr = x509.load_pem_x509_csr(open('x.csr', 'rb').read())
assert csr.is_signature_valid
key.sign(b'', ec.ECDSA(hashes.SHA256()))""",
    "x509": _X509 + """
found = x509.load_pem_x509_certificate(open('c.pem', 'rb').read())
found.subject.rfc4514_string(), found.not_valid_after_utc""",
    "verify": _X509 + """
from OpenSSL import crypto
found = crypto.X509.from_cryptography(x509.load_pem_x509_certificate(open('c.pem', 'rb').read()))
store = crypto.X509Store()
store.add_cert(found)
crypto.X509StoreContext(store, found).verify_certificate()""",
}
_LINES = {
    "genpkey -algorithm EC -pkeyopt group:P-256": "genpkey, ecparam",
    "ecparam -name prime256v1 -genkey": "genpkey, ecparam", "genrsa 2048": "genrsa",
    "ec -in k.pem -pubout": "ec, pkey", "pkey -in k.pem -pubout": "ec, pkey",
    "req -new -key k.pem -subj /CN=x": "req", "req -x509 -key k.pem -subj /CN=x": "req",
    "x509 -req -in x.csr -CA c.pem -CAkey k.pem -set_serial 1": "x509 -req",
    "x509 -in c.pem -noout -subject -enddate": "x509", "verify -CAfile c.pem c.pem": "verify",
}


def verbs(rounds: int, folder: str) -> None:
    """Each verb of openssl's, beside its work by bare calls and beside openssl."""
    for line in ("genpkey -algorithm EC -pkeyopt group:P-256 -out k.pem", "req -new -key k.pem "
                 "-subj /CN=x -out x.csr", "req -x509 -key k.pem -subj /CN=x -out c.pem"):
        run([*KPKI, *line.split()], folder)
    rows: dict[str, list[str]] = {f"bare: {name}": [PYTHON, "-c", code]
                                  for name, code in _BARE.items()}
    rows |= {f"kpki {line}": [*KPKI, *line.split()] for line in _LINES}
    rows |= {f"openssl {line}": ["openssl", *line.split()] for line in _LINES}

    def starter(argv: list[str]) -> Work:
        return lambda: run(argv, folder)

    report("openssl's verbs, whole process",
           measure({name: starter(argv) for name, argv in rows.items()}, rounds),
           {f"kpki {line}": f"bare: {name}" for line, name in _LINES.items()})


def start_up(rounds: int, folder: str) -> None:
    """How long the command takes to start, beside the imports that it cannot do without."""
    made = issue_node(load_authority(*example_authority(NOW), now=NOW), "worker-1",
                      addresses=[ADDRESS], server=SERVER, now=NOW)
    files.replace_tree(os.path.join(folder, "tree"), made, folder_mode=0o755, backup=None, now=NOW)
    rows = {
        "python -c pass": [PYTHON, "-c", "pass"],
        "import typer": [PYTHON, "-c", "import typer"],
        "kpki --help": [*KPKI, "--help"],
        "import cryptography's keys": [PYTHON, "-c", _KEYS],
        "import cryptography.x509": [PYTHON, "-c", "import cryptography.x509"],
        "import typer and cryptography.x509": [PYTHON, "-c", "import typer, cryptography.x509"],
        "kpki check of one node's tree": [*KPKI, "check", "tree", "--node", "worker-1"],
    }
    bases = {"kpki --help": "import typer",
             "kpki check of one node's tree": "import typer and cryptography.x509"}

    def starter(argv: list[str]) -> Work:
        return lambda: run(argv, folder)

    report("start-up, whole process",
           measure({name: starter(argv) for name, argv in rows.items()}, rounds), bases)


def verdict(kind: str, rounds: int) -> None:
    """One verdict as a library call, of a leaf that nobody has seen yet and one root that is always
    the same."""
    algorithm = {"EC": "ECDSA-P256", "RSA": "RSA-2048"}[kind]
    ca_key, key = genpkey(kind), public_key_der(genpkey(kind))
    root = req_x509(ca_key, subject="/CN=kube-ca", days=3650, now=NOW)
    ca = Authority(root, ca_key, dump_certificate(root))
    names = [f"worker-{number}" for number in range(LEAVES)]
    leaves = [(dump_certificate(
        issue(ca, KUBELET_PROFILE,
              identity_of(KUBELET_PROFILE, node=name, dns=[name], addresses=[ADDRESS]), key,
              validity=timedelta(days=365), now=NOW, warnings=[]), encoding="DER"), name)
              for name in names]
    root_der, root_key, store = (dump_certificate(root, encoding="DER"), root.public_key(),
                                 crypto.X509Store())
    store.add_cert(crypto.X509.from_cryptography(root))

    def bare(der: bytes, name: str) -> None:
        leaf = x509.load_der_x509_certificate(der)
        if isinstance(root_key, ec.EllipticCurvePublicKey):
            root_key.verify(leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
        elif isinstance(root_key, rsa.RSAPublicKey):
            root_key.verify(leaf.signature, leaf.tbs_certificate_bytes, padding.PKCS1v15(),
                            hashes.SHA256())

    def by_store(der: bytes, name: str) -> None:
        leaf = crypto.X509.from_cryptography(x509.load_der_x509_certificate(der))
        crypto.X509StoreContext(store, leaf).verify_certificate()

    def by_go(der: bytes, name: str) -> None:
        assert verify_kubernetes(der, [root_der], hostname=name, now=NOW).ok

    def by_openssl(der: bytes, name: str) -> None:
        assert verify(x509.load_der_x509_certificate(der), [root], hostname=name, now=NOW).ok

    def each(work: Callable[[bytes, str], None]) -> Work:
        unseen = cycle(leaves)

        def in_a_row() -> None:
            for der, name in islice(unseen, IN_A_ROW):
                work(der, name)
        return in_a_row

    found = measure({
        "bare cryptography: load, signature": each(bare),
        "pyOpenSSL: load, X509Store": each(by_store),
        "kpki.verify: as openssl verify, with a host name": each(by_openssl),
        "kpki.verify_kubernetes: as Go, with a host name": each(by_go),
    }, rounds)
    report(f"one verdict of {IN_A_ROW} in a row on {algorithm} leaves from DER, their root known",
           {name: seconds / IN_A_ROW for name, seconds in found.items()},
           "bare cryptography: load, signature")


def main() -> None:
    """Print every table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    version = subprocess.run(["openssl", "version"], capture_output=True, text=True,
                             check=True).stdout.strip()
    print(f"Python {sys.version.split()[0]}, {version}, {os.cpu_count()} processors; medians of "
          f"{rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        start_up(rounds, folder)
        verbs(rounds, folder)
        for kind in ("EC", "RSA"):
            node(kind, rounds, folder)
    for kind in ("EC", "RSA"):
        verdict(kind, rounds)


if __name__ == "__main__":
    main()
