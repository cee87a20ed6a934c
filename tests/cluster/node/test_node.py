"""A node's files as values: what is issued is what is signed, and policy is policy."""
from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings, strategies as st

from kpki import pem
from kpki.cluster.node import node as nodes
from kpki.cluster.node.policy import validate_request
from kpki.cluster.node.requests import sign_node
from kpki.errors import KpkiError, RefusedError
from kpki.stages.keys import genpkey
from kpki.stages.requests import req_new

SUBJECT = "/O=system:nodes/CN=system:node:w"
W = nodes.Node("w", ("10.0.0.1",))
KEY = genpkey("EC", curve="P-256")
CSR = pem.dump_csr(req_new(KEY, config="", subject=SUBJECT, addext=["subjectAltName=DNS:w"]),
                   encoding="DER")


def parts(certificate: x509.Certificate) -> object:
    return certificate.subject, certificate.issuer, [*certificate.extensions]


def test_issued_and_signed_are_the_same(authorities: Any, tree: Any) -> None:
    """For one key `issue_node` and `sign_node` give the same certificate but for its serial and
    signature."""
    files = nodes.issue_node(authorities[0], "w", addresses=["10.0.0.1"], server="https://api",
                             key=KEY, now=tree.now)
    issued = pem.load_certificate(files[1].data)
    csr = req_new(KEY, config="", subject=SUBJECT, addext=["subjectAltName=DNS:w,IP:10.0.0.1"])
    answer = pem.load_certificates(sign_node(
        csr, authorities[0], W, validity=timedelta(days=365), now=tree.now, warnings=[]))
    assert parts(issued) == parts(answer[0])
    assert answer[1:] == [authorities[0].certificate]
    assert files[2].data == pem.dump_key(KEY, form="traditional") and files[2].mode == 0o600


def test_no_disk_is_needed(authorities: Any, tree: Any) -> None:
    """`issue_node` gives its files as values, CA, certificate, key, kubeconfig, and tells what it
    warns of."""
    warnings: list[str] = []
    files = nodes.issue_node(authorities[0], "w", addresses=["10.0.0.1"], server="https://api:6443",
                             days=10 ** 5, now=tree.now, warnings=warnings)
    assert [file.path.rpartition("/")[2] for file in files] \
        == ["ca.pem", "worker.pem", "worker-key.pem", "worker-kubeconfig.yaml"]
    assert len(warnings) == 1


def test_a_node_names_itself_once() -> None:
    """Its own name comes first and once, addresses are in one form and once."""
    node = nodes.node_of("w", ["10.0.0.1", "FD00::1", "10.0.0.1"], ["w", "w.example.com"])
    assert node.names == ("w", "w.example.com") and node.addresses == ("10.0.0.1", "fd00::1")


@pytest.mark.parametrize(("asks", "fits"), [
    ([], True), (["subjectAltName=DNS:w,IP:10.0.0.1"], True),
    (["subjectAltName=DNS:w.example.com"], True), (["subjectAltName=DNS:v"], False),
    (["subjectAltName=IP:10.0.0.2"], False), (["subjectAltName=email:a@example.com"], False),
    (["subjectAltName=DNS:w,URI:https://w"], False), (["subjectAltName=DER:0401"], False),
    (["subjectAltName=DER:3000"], True), (["subjectAltName=DER:3100"], False),
    (["subjectAltName=DER:300687040A000001"], True),
    (["subjectAltName=DER:300787050A00000100"], False),
    (["subjectAltName=DER:300A87080A000001FFFFFFFF"], False),
    (["subjectAltName=DER:30028700"], False), (["subjectAltName=DER:300587030A0000"], False),
    (["basicConstraints=CA:FALSE"], True), (["basicConstraints=critical,CA:FALSE"], True),
    (["basicConstraints=DER:3003010100"], True), (["basicConstraints=CA:TRUE"], False),
    (["basicConstraints=DER:3003010101"], False), (["basicConstraints=CA:FALSE,pathlen:0"], False),
    (["basicConstraints=DER:0500"], False), (["basicConstraints=DER:30030101FF"], False),
    (["keyUsage=digitalSignature"], True),
    (["keyUsage=critical,digitalSignature,keyEncipherment"], True),
    (["keyUsage=nonRepudiation,digitalSignature,keyEncipherment"], True),
    (["keyUsage=keyCertSign"], False), (["keyUsage=digitalSignature,cRLSign"], False),
    (["keyUsage=dataEncipherment"], False), (["keyUsage=keyAgreement"], False),
    (["keyUsage=decipherOnly"], False), (["keyUsage=DER:0500"], False),
    (["keyUsage=DER:030400000001"], False), (["keyUsage=DER:030100"], True),
    (["extendedKeyUsage=clientAuth"], True), (["extendedKeyUsage=serverAuth,clientAuth"], True),
    (["extendedKeyUsage=codeSigning"], False), (["extendedKeyUsage=clientAuth,codeSigning"], False),
    (["extendedKeyUsage=anyExtendedKeyUsage"], False), (["extendedKeyUsage=DER:0500"], False),
    (["subjectKeyIdentifier=hash"], True), (["1.2.3.4=DER:0500"], False),
    (["nsCertType=client"], False),
    (["basicConstraints=CA:FALSE", "keyUsage=digitalSignature", "subjectAltName=DNS:w"], True),
    (["basicConstraints=CA:FALSE", "keyUsage=keyCertSign", "subjectAltName=DNS:w"], False),
    (["basicConstraints=CA:FALSE", "subjectAltName=DNS:v"], False)])
def test_a_request_asks_for_what_the_profile_has(asks: list[str], fits: bool) -> None:
    """Names and addresses that were said, and the profile's own extensions, may be asked for; all
    else is refused."""
    csr = req_new(genpkey("EC", curve="P-256"), config="", subject=SUBJECT, addext=asks)

    def ask() -> bytes:
        return validate_request(csr, node="w", dns=["w.example.com"], addresses=["10.0.0.1"])

    if fits:
        assert pem.load_public_key(ask()) == csr.public_key()
    else:
        with pytest.raises(RefusedError):
            ask()


@pytest.mark.parametrize(("subject", "fits"), [
    ("/O=system:nodes/CN=system:node:w", True), ("/CN=system:node:w/O=system:nodes", True),
    ("/C=US/OU=x/O=system:nodes/CN=system:node:w", True), ("/O=system:nodes", False),
    ("/O=system:nodes/CN=system:node:v/CN=system:node:w", False),
    ("/O=system:nodes/CN=system:node:w/CN=system:node:v", False),
    ("/O=system:nodes/CN=system:node:w/CN=system:node:w", False),
    ("/O=system:nodes/CN=kubernetes-admin+CN=system:node:w", False),
    ("/O=system:nodes/O=system:nodes/CN=system:node:w", False)])
def test_a_request_names_one_node_and_its_group(subject: str, fits: bool) -> None:
    """One CN, the node's, and one O, system:nodes: of several CNs each reader takes another."""
    csr = req_new(KEY, config="", subject=subject)
    if fits:
        assert validate_request(csr, node="w", dns=[], addresses=[])
    else:
        with pytest.raises(RefusedError):
            validate_request(csr, node="w", dns=[], addresses=[])


def test_attributes_beside_the_extensions_are_refused() -> None:
    """A challenge password is none of a node's business."""
    csr = req_new(KEY, config="[req]\nprompt = no\ndistinguished_name = dn\nattributes = a\n[dn]\n"
                  "O = system:nodes\nCN = system:node:w\n[a]\nchallengePassword = 12345\n")
    with pytest.raises(RefusedError, match="the attribute challengePassword"):
        validate_request(csr, node="w", dns=[], addresses=[])


@settings(max_examples=200, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_octet_gets_a_certificate(data: st.DataObject) -> None:
    """One octet of a request's DER changed is refused or unreadable, never signed and never another
    exception."""
    at, value = data.draw(st.integers(0, len(CSR) - 1)), data.draw(st.integers(1, 255))
    with pytest.raises(KpkiError):
        validate_request(pem.load_csr(CSR[:at] + bytes([CSR[at] ^ value]) + CSR[at + 1:]), node="w",
                         dns=[], addresses=[])


def test_a_signature_is_whole_octets() -> None:
    """A signature whose BIT STRING says that some of its bits do not count is refused, though they
    are zero."""
    signature = pem.load_csr(CSR).signature
    start = len(CSR) - len(signature) - 1
    assert CSR[start] == 0 and validate_request(pem.load_csr(CSR), node="w", dns=[], addresses=[])
    with pytest.raises(KpkiError):
        validate_request(pem.load_csr(CSR[:start] + b"\1" + CSR[start + 1:]), node="w", dns=[],
                         addresses=[])
