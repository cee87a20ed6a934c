"""The graph: who signs whom, who holds what, who calls whom; and its pictures, read by peers."""
from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.x509 import Certificate

from kpki import genpkey, pem, read_graph, req_new, req_x509, x509_req
from kpki.cluster.graph.diagrams import dot_text, mermaid_text
from kpki.cluster.graph.graph import Graph, Holder, make_graph
from kpki.cluster.graph.picture import picture_of
from kpki.cluster.graph.svg import svg_text
from kpki.cluster.lifecycle.expiry import SkippedFile
from kpki.cluster.plan.apply import apply
from kpki.cluster.plan.of_workspace import plan_of
from kpki.cluster.workspace import locked
from kpki.errors import FileError, InputError
from kpki.kubernetes.purposes import PURPOSES, SERVERS

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=30)
KEY = genpkey("EC", curve="P-256")
ROOT = req_x509(KEY, subject="/CN=root", days=3650, now=NOW)
SVG = "{http://www.w3.org/2000/svg}"
TEXT = """apiVersion: kpki/v1
kind: Cluster
layout: LAYOUT
encryptionAlgorithm: ECDSA-P256
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}
- {name: worker-1, addresses: [10.0.0.21]}
- {name: worker-2, addresses: [10.0.0.22]}
"""
# what must be there, whatever the layout: client, server, CNs of the certificates shown
CALLS = {
    ("kubelet", "kube-apiserver",
     ("system:node:cp-1", "system:node:worker-1", "system:node:worker-2")),
    ("kube-controller-manager", "kube-apiserver", ("system:kube-controller-manager",)),
    ("kube-scheduler", "kube-apiserver", ("system:kube-scheduler",)),
    ("kube-apiserver", "kubelet", ("kube-apiserver-kubelet-client",)),
    ("kube-apiserver", "etcd", ("kube-apiserver-etcd-client",)),
    ("kube-apiserver", "extension API servers", ("front-proxy-client",)),
    ("etcd", "etcd", ("cp-1",)),
}


def workspace(folder: Path, layout: str) -> Path:
    """A workspace with all files of three hosts."""
    (folder / "cluster.yaml").write_text(TEXT.replace("LAYOUT", layout))
    with locked(str(folder), NOW):
        assert [*apply(plan_of(str(folder), now=NOW), str(folder), now=NOW)]
    return folder


def signed(subject: str, ca: Certificate, days: int = 100,
           extensions: str = "basicConstraints=CA:FALSE") -> Certificate:
    return x509_req(req_new(KEY, subject=subject), ca, KEY, days=days, now=NOW, extfile=extensions)


@pytest.mark.parametrize("layout", ["kubeadm", "ssl", "hard-way"])
def test_a_workspace(tmp_path: Path, layout: str) -> None:
    """Every certificate is below its own CA, every CA has its key, and the calls are those of
    Kubernetes."""
    graph = read_graph(workspace(tmp_path, layout))
    assert graph.skipped == ()
    by_signer = {certificate.row: graph.certificates[certificate.signer].row
                 for certificate in graph.certificates
                 if certificate.signer is not None}
    assert {row: signer for row, signer in by_signer.items() if signer != "ca"} == {
        "apiserver-etcd-client": "etcd-ca", "etcd-server": "etcd-ca", "etcd-peer": "etcd-ca",
        "etcd-healthcheck-client": "etcd-ca", "front-proxy-client": "front-proxy-ca"}
    authorities = [certificate for certificate in graph.certificates if certificate.authority]
    assert {certificate.row for certificate in authorities} == {"ca", "etcd-ca", "front-proxy-ca"}
    assert all(certificate.self_signed and any(holder.key for holder in certificate.holders)
               for certificate in authorities)
    assert all(holder.key for certificate in graph.certificates if not certificate.authority
               for holder in certificate.holders)
    calls = {(call.client, call.server,
              tuple(sorted({graph.certificates[number].user for number in call.certificates})))
             for call in graph.calls}
    assert calls >= CALLS
    to_servers = {graph.certificates[number].row for call in graph.calls for number in call.answers}
    assert to_servers - {"kubelet", "kubelet-serving"} == {"apiserver", "etcd-server", "etcd-peer"}


def test_a_host_and_a_folder(tmp_path: Path) -> None:
    """A worker's tree has the kubelet's call alone; a folder of CAs has no call, and guesses no
    reader."""
    folder = workspace(tmp_path, "kubeadm")
    host = read_graph(folder / "nodes/worker-1")
    assert [(call.client, call.server, call.answers)
            for call in host.calls] == [("kubelet", "kube-apiserver", ())]
    pki = read_graph(folder / "pki")
    assert pki.calls == () and {holder.component for found in pki.certificates
                                for holder in found.holders} == {""}
    assert [found.name
            for found in read_graph(folder / "pki/ca.crt").certificates] == ["kubernetes"]


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    """A certificate whose key file has another key has no key; an unreadable certificate is
    named."""
    folder = workspace(tmp_path, "ssl")
    worker = folder / "nodes/worker-1/etc/kubernetes/ssl"
    (worker / "worker-key.pem").write_bytes(pem.dump_key(KEY))
    found = [certificate for certificate in read_graph(folder / "nodes/worker-1").certificates
             if certificate.row == "kubelet"]
    assert [{holder.key for holder in certificate.holders} for certificate in found] == [{""}]
    (worker / "worker.pem").write_bytes(b"")
    graph = read_graph(folder)
    assert [(skipped.host, skipped.path)
            for skipped in graph.skipped] == [("worker-1", "etc/kubernetes/ssl/worker.pem")]
    (worker / "worker.pem").unlink()
    assert read_graph(folder).skipped == ()


def test_a_signer_is_proved_by_its_signature() -> None:
    """Of two CAs with one name, the signer is the one whose key verifies; without it the
    certificate has no signer."""
    impostor = req_x509(genpkey("EC", curve="P-256"), subject="/CN=root", days=10, now=NOW)
    leaf = signed("/CN=leaf", ROOT)
    assert [found.signer for found in make_graph([(impostor, "", ()), (ROOT, "", ()),
                                                  (leaf, "", ())]).certificates] == [
                                                      None, None, 1]
    alone = make_graph([(leaf, "", ()), (impostor, "", ())])
    assert [found.signer for found in alone.certificates] == [None, None]
    assert "signed by CN=root" in svg_text(alone, now=NOW)
    middle = signed("/CN=middle", ROOT, extensions="basicConstraints=critical,CA:TRUE")
    chain = make_graph([(signed("/CN=leaf", middle), "", ()), (middle, "", ()), (ROOT, "", ())])
    assert [found.signer for found in chain.certificates] == [1, 2, None]


def test_a_certificate_is_in_the_graph_once() -> None:
    """Its holders and its row add up."""
    here, there = Holder(host="a", path="x"), Holder(host="b", path="x")
    graph = make_graph([(ROOT, "", (here,)), (ROOT, "ca", (there, here))])
    assert [(found.row, found.holders) for found in graph.certificates] == [("ca", (here, there))]


def test_every_client_purpose_calls_a_known_server() -> None:
    """A purpose with a server is a client's, the server is known; pairs of an unknown purpose call
    nobody."""
    calling = {name for name, purpose in PURPOSES.items() if purpose.server}
    assert all(PURPOSES[name].server in SERVERS and "clientAuth" in PURPOSES[name].usages
               for name in calling)
    assert {name for name, purpose in PURPOSES.items()
            if purpose.usages == ("clientAuth",)} - calling == {"pair-client"}


@pytest.mark.parametrize("path", ["nothing", ""])
def test_nothing_there(tmp_path: Path, path: str) -> None:
    """A path without a file is refused, and a folder without a certificate."""
    with pytest.raises(FileError):
        read_graph(tmp_path / path if path else "")
    with pytest.raises(InputError):
        read_graph(tmp_path)


# --- pictures

ODD = '/CN=<a href="x">&#10;"quoted\\" ]] --> end'


def graph_of(*certificates: Certificate, holders: Mapping[int, Holder] = {}) -> Graph:
    return make_graph([(certificate, "", (holders[number],) if number in holders else ())
                       for number, certificate in enumerate(certificates)])


def test_a_box_is_a_row(tmp_path: Path) -> None:
    """Certificates of one row and CA are one box with their number; the first end counts."""
    graph = read_graph(workspace(tmp_path, "kubeadm"))
    titles = [box.title for box in picture_of(graph, now=NOW, within=MONTH).boxes
              if box.kind != "component"]
    assert ("kubelet-client \N{MULTIPLICATION SIGN}3" in titles and "apiserver" in titles
            and len(titles) == len({*titles}))
    short, long = signed("/CN=a", ROOT, 10), signed("/CN=b", ROOT, 100)
    both = make_graph([(ROOT, "ca", ()), (long, "kubelet", ()), (short, "kubelet", ())])
    for now, state, text in ((NOW - MONTH, "good", "ends 2030-01-11 (40 days)"),
                             (NOW, "soon", "ends 2030-01-11 (10 days)"),
                             (NOW + 2 * MONTH, "ended", "ended 2030-01-11 (50 days ago)")):
        box = picture_of(both, now=now, within=MONTH).boxes[1]
        assert (box.state, box.lines[-1]) == (state, text)


@pytest.mark.parametrize("now", [NOW, NOW + timedelta(days=1000)])
def test_svg_is_xml_of_its_own(tmp_path: Path, now: datetime) -> None:
    """The picture parses, names no other host, and has each box's text, whatever the text is."""
    graph = graph_of(ROOT, signed(ODD, ROOT),
                     holders={1: Holder(path="x", component="a\x00\x1b[31m<b>")})
    text = svg_text(graph, now=now)
    tree = ET.fromstring(text)
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} <= {"svg", "title", "rect",
                                                                          "path", "g", "text"}
    assert {name for element in tree.iter()
            for name in element.attrib}.isdisjoint({"href", "src", "style", "class"})
    assert (re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
            and "url(" not in text)
    shown = [element.text or "" for element in tree.iter(f"{SVG}text")]
    assert any(line.startswith('<a href="x">&#10;') for line in shown)
    width, height = (float(tree.attrib[side]) for side in ("width", "height"))
    for rect in tree.iter(f"{SVG}rect"):
        x, y, wide, high = (float(rect.attrib.get(name, 0))
                            for name in ("x", "y", "width", "height"))
        assert x + wide <= width and y + high <= height


def test_no_two_boxes_meet(tmp_path: Path) -> None:
    """In the picture of a whole cluster each box has a place of its own."""
    tree = ET.fromstring(svg_text(read_graph(workspace(tmp_path, "hard-way")), now=NOW))
    boxes = [tuple(float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
             for rect in tree.iter(f"{SVG}rect") if "x" in rect.attrib]
    assert len(boxes) > 15
    for number, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[number + 1:]:
            assert (x + width <= other_x or other_x + other_width <= x or y + height <= other_y
                    or other_y + other_height <= y)


def test_the_other_forms() -> None:
    """Mermaid and DOT have the boxes and arrows, and quote what their grammar reads."""
    graph = graph_of(ROOT, signed(ODD, ROOT, 10),
                     holders={1: Holder(path="x", component="kubelet", purpose="kubelet-client")})
    mermaid, dot = mermaid_text(graph, now=NOW), dot_text(graph, now=NOW)
    assert (mermaid.splitlines()[0] == "flowchart LR"
            and "  n0 --> n1\n  n1 --- n2\n  n2 -.-> n3\n" in mermaid)
    label = next(line for line in mermaid.splitlines() if line.startswith("  n1"))
    assert label.count('"') == 2 and "<a" not in label and "#60;a href=#34;x#34;#62;#38;" in label
    assert ("  style n1 stroke:#b45309" in mermaid
            and "stroke" not in mermaid_text(graph, now=NOW - 2 * MONTH))
    assert "  n0 -> n1;\n  n1 -> n2 [dir=none, color=gray];\n  n2 -> n3 [style=dashed];" in dot
    assert '\\"quoted\\" ]]' in dot and 'color="#b45309"' in dot


def test_skipped_files_are_kept() -> None:
    """What could not be read stands in the graph, each file once."""
    skipped = SkippedFile(None, "x", "permission denied")
    assert make_graph([], [skipped, skipped]).skipped == (skipped,)
