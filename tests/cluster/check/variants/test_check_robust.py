"""No input makes a traceback: whatever lies in a tree, `kpki check` ends with 0, 1 or 2 and tells
no secret."""
from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings, strategies as st

from kpki.cli.check import check
from kpki.cli.main import main
from kpki.errors import KpkiError
from tests.cluster.check.variants import trees
from tests.cluster.check.variants.test_healthy_variants import bind
from tests.cluster.check.variants.trees import KUBELET, PKI, SSL, Host

TOKEN = "abcdef.0123456789abcdef"
CA, CERTIFICATE, KEY, KUBECONFIG = (f"{SSL}/ca.pem", f"{SSL}/worker.pem", f"{SSL}/worker-key.pem",
                                    "etc/kubernetes/worker-kubeconfig.yaml")
# The files of the tree that examples are made of, of every kind that check reads.
FILES = (f"{PKI}/ca.crt", f"{PKI}/apiserver.crt", f"{PKI}/apiserver.key", f"{PKI}/sa.pub",
         "etc/kubernetes/admin.conf", "etc/kubernetes/kubelet.conf",
         "etc/kubernetes/bootstrap-kubelet.conf", "etc/kubernetes/manifests/kube-apiserver.yaml",
         "etc/kubernetes/manifests/etcd.yaml", f"{KUBELET}/config.yaml",
         f"{KUBELET}/kubeadm-flags.env", f"{KUBELET}/pki/kubelet-client-2026-01-02-03-04-05.pem",
         "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf")
# The first of each kind, for the examples that cost more.
KINDS = (FILES[0], FILES[2], FILES[4], FILES[7], FILES[9])
FEW = settings(max_examples=25, deadline=None,
               suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def host(made: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A control-plane host with everything that check reads, the token of its join too."""
    host = Host(tmp_path_factory.mktemp("robust"), "cp-1", made("kubeadm-1.28"))
    trees.kubeadm_control_plane(host, made("serving"))
    text = trees.kubeconfig("bootstrap", "https://10.0.0.10:6443", host.of("ca.crt"), "x", "y")
    host.put("etc/kubernetes/bootstrap-kubelet.conf",
             text[:text.index("    client-certificate:")] + f"    token: {TOKEN}\n")
    return host


def secrets_of(root: Path) -> Iterator[str]:
    """Pieces of every key under a folder, short enough for one to be in whatever part of a key is
    told."""
    yield TOKEN
    for path in root.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        text = path.read_bytes().decode("latin-1")
        for embedded in re.findall(r"client-key-data: (\S+)", text):
            yield from (embedded[at:at + 16] for at in range(60, len(embedded) - 80, 16))
            text += base64.b64decode(embedded).decode("latin-1")
        for block in re.findall(r"PRIVATE KEY-----\n([^-]+)-----END", text):
            yield from (line[at:at + 16] for line in block.split() for at in (0, 16, 32, 48)
                        if len(line) == 64)


@pytest.fixture(scope="module")
def secrets(host: Host) -> frozenset[str]:
    found = frozenset(secrets_of(host.root))
    assert len(found) > 100
    return found


def run_check(secrets: frozenset[str], *words: str | Path) -> int:
    """`kpki check` in words and as JSON: the same exit status, and no secret."""
    status, out, err = told(secrets, partial(main, ["check", *map(str, words)]))
    assert out == "" or status < 2
    again, out, err = told(secrets, partial(main, ["check", *map(str, words), "--json"]))
    assert again == status and (json.loads(out)["certificates"] >= 0 if status < 2
                                else err.startswith("kpki: "))
    return status


def told(secrets: frozenset[str], work: Callable[[], int]) -> tuple[int, str, str]:
    """Exit status and both outputs of a check, which must be of its own kind and tell no secret."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = work()
    words = out.getvalue() + err.getvalue()
    assert status in (0, 1, 2) and "Traceback" not in words, words
    assert not [secret for secret in secrets if secret in words]
    return status, out.getvalue(), err.getvalue()


def judge(secrets: frozenset[str], path: Path, node: str | None = None) -> int:
    """The same by the command's own function, without the parser of its words: for many examples in
    a row."""
    def work() -> int:
        try:
            check(str(path), node)
        except KpkiError:
            return 2
        except typer.Exit as end:
            return end.exit_code
        return 0
    return told(secrets, work)[0]


@contextlib.contextmanager
def replaced(host: Host, path: str, data: bytes) -> Iterator[None]:
    """Another content of a file, mode and all else kept, while it lasts."""
    place = host.path(path)
    before = place.read_bytes()
    place.write_bytes(data)
    try:
        yield
    finally:
        place.write_bytes(before)


def test_the_tree_is_healthy_before(host: Host, secrets: frozenset[str]) -> None:
    """What the examples start from has no fault."""
    assert run_check(secrets, host.root, "--node", host.name) == 0


def test_a_secret_would_be_seen(host: Host, secrets: frozenset[str]) -> None:
    """What a check of this file asserts can fail: a line of a key, a key in base64, a token, a
    status of no check."""
    key = host.read(FILES[2])
    for text in (key.splitlines()[2].decode(), host.read(FILES[4]).decode()[-200:-100],
                 f"token {TOKEN}"):
        with pytest.raises(AssertionError):
            told(secrets, lambda: print(text) or 0)
    with pytest.raises(AssertionError):
        told(secrets, lambda: 3)
    assert told(secrets, lambda: print("-----BEGIN EC PRIVATE KEY-----") or 1)[0] == 1


@FEW
@given(path=st.sampled_from(FILES), where=st.floats(0, 1))
def test_a_file_cut_anywhere(host: Host, secrets: frozenset[str], path: str, where: float) -> None:
    """The rest of a file that a full disk or a broken copy has cut."""
    data = host.read(path)
    with replaced(host, path, data[:int(len(data) * where)]):
        judge(secrets, host.root, host.name)


@FEW
@given(path=st.sampled_from(FILES), at=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_byte_flipped_anywhere(host: Host, secrets: frozenset[str], path: str, at: float,
                                 bits: int) -> None:
    """One byte is another."""
    data = bytearray(host.read(path))
    data[int(len(data) * at)] ^= bits
    with replaced(host, path, bytes(data)):
        judge(secrets, host.root, host.name)


def in_pem(label: str, der: bytes) -> bytes:
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label.encode(), base64.encodebytes(der),
                                                          label.encode())


@settings(FEW, max_examples=20)
@given(st.data())
def test_the_der_inside_is_broken(host: Host, secrets: frozenset[str], data: st.DataObject) -> None:
    """The armour is whole and what is in it is not: of a certificate, a key, a kubeconfig's
    certificate."""
    path, label = data.draw(st.sampled_from([(FILES[0], "CERTIFICATE"), (FILES[1], "CERTIFICATE"),
                                             (FILES[2], "EC PRIVATE KEY"),
                                             (FILES[3], "PUBLIC KEY")]))
    text = host.read(path).split(b"-----")[2]
    der = bytearray(base64.b64decode(text))
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    whole = bytes(der[:data.draw(st.integers(0, len(der)))] if data.draw(st.booleans()) else der)
    with replaced(host, path, in_pem(label, whole)):
        judge(secrets, host.root, host.name)
    config = host.read(FILES[4]).decode()
    embedded = base64.b64encode(in_pem("CERTIFICATE", whole)).decode()
    with replaced(host, FILES[4],
                  re.sub("(client-certificate-data: ).*", rf"\g<1>{embedded}", config).encode()):
        judge(secrets, host.root, host.name)


# Documents that are YAML or JSON, and neither a kubeconfig nor anything else.
ODD = {
    "list": "- 1\n- 2\n", "number": "1\n", "null": "~\n", "text": "x\n", "empty-map": "{}\n",
    "tag": "!!python/object:os.x\n",
    "anchor": "a: &a [*a]\n", "merge": "<<: 1\n", "date": "current-context: 2026-01-01\n",
    "key": "? [1, 2]\n: 3\n",
    "duplicate": "users: []\nusers: []\n",
    "nothing-in-it": "clusters: [null]\nusers: [null]\ncontexts: [null]\n",
    "wrong-kinds": "clusters: {a: 1}\nusers: 3\ncontexts: x\ncurrent-context: [1]\nspec: [1]\n"
    "authentication: 7\n",
    "names-that-are-numbers": "users: [{name: 1, user: {}}]\ncurrent-context: 1\n",
    "documents": "---\n---\n...\n",
    "tabs": "\tusers:\n\t- x\n", "control": "users: \x00\n", "bom": "\ufeffusers: []\n",
    "nul-path": 'users: [{name: a, user: {client-certificate: "\\0", client-key: "\\uD800"}}]\n'
    "contexts: [{name: a, context: {user: a, cluster: a}}]\n"
    "clusters: [{name: a, cluster: {server: x, certificate-authority: /}}]\ncurrent-context: a\n",
    "bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{item}: &{item} [{','.join([f'*{last}'] * 9)}]\n"
        for last, item in zip("abcdefgh", "bcdefghi")),
    "deep-flow": "[" * 20000, "deep-pairs": '{"a":' * 20000,
    "deep-block": "".join(f"{' ' * depth}a:\n" for depth in range(2000)),
    "container-of-nothing": "spec: {containers: [null, 1, {command: 1, args: [1, null, "
    "--x, '--y=']}]}\n",
    "huge-number": "users: " + "9" * 5000 + "\n",
}


@pytest.mark.parametrize("name", ODD)
def test_a_document_that_is_none(host: Host, secrets: frozenset[str], name: str) -> None:
    """In place of a kubeconfig, a manifest, the kubelet's configuration: an answer, and soon."""
    data = ODD[name].encode("utf-8", "surrogatepass")
    for path in (FILES[4], FILES[7], FILES[9]):
        with replaced(host, path, data):
            judge(secrets, host.root, host.name)


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"\0" * 1000, os.urandom(1 << 20), b"\x30\x82\xff\xff" * 1000,
             b"-----BEGIN CERTIFICATE-----\n" * 5000, b"\xff\xfe" + "users".encode("utf-16-le"),
             b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n" * 2000],
    ids=["nothing", "a-line", "zeros", "noise", "lengths", "begins", "utf-16", "many-blocks"])
def test_a_file_of_something_else(host: Host, secrets: frozenset[str], data: bytes) -> None:
    """0 bytes, 1 MB of noise, PEM that never ends, in every file's place."""
    for path in KINDS:
        with replaced(host, path, data):
            judge(secrets, host.root, host.name)
    alone = host.root.parent / "alone"
    alone.write_bytes(data)
    run_check(secrets, alone)


def as_fifo(place: Path) -> None:
    os.mkfifo(place)


def as_loop(place: Path) -> None:
    place.symlink_to(place.name)


def as_long_loop(place: Path) -> None:
    place.symlink_to(f"{place.name}-1")
    place.with_name(f"{place.name}-1").symlink_to(f"/{place.name}/../{place.name}")


def as_folder(place: Path) -> None:
    (place / "below").mkdir(parents=True)


def as_outward_link(place: Path) -> None:
    place.symlink_to("../" * 40 + "etc/passwd")


def as_long_link(place: Path) -> None:
    place.symlink_to("x/../" * 100 + "x" * 300)


def as_device(place: Path) -> None:
    place.symlink_to("/dev/zero")


def as_unreadable(place: Path) -> None:
    place.write_bytes(b"x")
    place.chmod(0)


@pytest.mark.parametrize("path", [CA, CERTIFICATE, KEY, KUBECONFIG, SSL, "etc/kubernetes"])
@pytest.mark.parametrize("make", [as_fifo, bind, as_loop, as_long_loop, as_folder, as_outward_link,
                                  as_long_link, as_device, as_unreadable],
                         ids=lambda make: make.__name__)
def test_a_thing_that_is_no_file(worker: Host, make: Callable[[Path], None], path: str) -> None:
    """A FIFO is not waited for, a link not followed round and round; where a file is to be there is
    none, so 1."""
    secrets = frozenset(secrets_of(worker.root)) - {TOKEN}
    assert secrets
    os.rename(worker.path(path), worker.root / "away")
    make(worker.path(path))
    status = judge(secrets, worker.root, worker.name)
    assert status == 1 or (path == "etc/kubernetes" and status == 2)
    judge(secrets, worker.path(path))


def test_a_folder_of_many_files(worker: Host, tmp_path: Path) -> None:
    """5,000 files that have nothing to do with it, in the tree and in a plain folder."""
    plain = tmp_path / "plain"
    plain.mkdir()
    for number in range(5000):
        for folder in (worker.path(SSL), plain):
            (folder / f"file-{number}.txt").write_bytes(b"%d\n" % number)
    secrets = frozenset[str]({TOKEN})
    assert run_check(secrets, worker.root, "--node", worker.name) == 0
    judge(secrets, plain)


def test_names_of_any_bytes(worker: Host, tmp_path: Path) -> None:
    """Names that are no UTF-8, hold a newline or the terminal's own sequences, beside the tree's
    files and alone."""
    plain = os.fsencode(tmp_path / "plain")
    os.mkdir(plain)
    for name in (b"\xff\xfe.pem", b"a\nb.crt", b"\x1b[2J.key", b"-", b"--json",
                 b"\xf0\x9f\x94\x91.conf", b"x" * 255):
        for folder in (os.fsencode(worker.path(SSL)), plain):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
    assert run_check(frozenset({TOKEN, "\x1b"}), worker.root, "--node", worker.name) == 0
    run_check(frozenset({TOKEN, "\x1b"}), tmp_path / "plain")
    run_check(frozenset({TOKEN}), os.fsdecode(os.path.join(plain, b"\xff\xfe.pem")))


@pytest.mark.parametrize("link", ["/", "..", ".", "/etc", "etc"])
def test_a_folder_that_leads_back(worker: Host, link: str) -> None:
    """A link to a folder above is not walked for ever."""
    for folder in ("etc/kubernetes/ssl/again", f"{KUBELET}/again"):
        worker.link(folder, link)
    assert run_check(frozenset({TOKEN}), worker.root, "--node", worker.name) == 0
    run_check(frozenset({TOKEN}), worker.path(SSL))
