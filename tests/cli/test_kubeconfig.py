"""`kpki kubeconfig`: a row's document or any user's, on standard output or in a file of its owner's
alone."""
from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kpki import pem
from kpki.kubernetes.kubeconfig import Kubeconfig, Material, load_kubeconfig
from tests.support.by_hand import block_of, contents, run_all

Run = Callable[..., Any]
SERVER = "https://10.0.0.10:6443"
DESCRIPTION = """\
apiVersion: kpki/v1
kind: Cluster
clusterName: blue
layout: {layout}
certificateValidityPeriod: 48h
encryptionAlgorithm: ECDSA-P384
{more}
nodes:
- {{name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}}
- {{name: worker-1, addresses: [10.0.0.21]}}
"""


@pytest.fixture
def alice(kpki: Run, pki: Path) -> Run:
    """`kubeconfig alice` from the CA on P-256, without a workspace."""
    def run(*more: str | Path, status: int = 0) -> Any:
        return kpki("kubeconfig", "alice", "--ca", pki / "other.pem", "--ca-key", pki / "other.key",
                    "--server", SERVER, *more, status=status)
    return run


@pytest.fixture
def workspace(tmp_path: Path, pki: Path) -> Run:
    """A workspace that holds its CA, and nothing else yet."""
    def make(layout: str = "kubeadm", more: str = "", folder: str = "w") -> Path:
        place = tmp_path / folder
        (place / "pki").mkdir(parents=True, exist_ok=True)
        (place / "cluster.yaml").write_text(DESCRIPTION.format(layout=layout, more=more))
        (place / "pki/ca.crt").write_bytes((pki / "other.pem").read_bytes())
        (place / "pki/ca.key").write_bytes((pki / "other.key").read_bytes())
        return place
    return make


def unpacked(document: str, folder: Path) -> Kubeconfig:
    """What a document says; what it embeds lies in the folder as ca.pem, user.pem and user.key."""
    config = load_kubeconfig(document.encode())
    for name, material in (("ca.pem", config.authority), ("user.pem", config.certificate),
                           ("user.key", config.key)):
        assert material.data
        (folder / name).write_bytes(material.data)
    return config


def assert_pair(openssl: Run, folder: Path, subject: str) -> None:
    """openssl takes the pair for a client's, of that subject."""
    assert (openssl(folder, "verify -x509_strict -CAfile ca.pem -purpose sslclient user.pem")
            == "user.pem: OK\n")
    assert openssl(folder, "x509 -noout -subject -in user.pem").strip() == f"subject={subject}"
    assert (openssl(folder, "x509 -noout -pubkey -in user.pem")
            == openssl(folder, "pkey -pubout -in user.key"))


def dates(openssl: Run, folder: Path, seconds: int) -> bool:
    """Whether the certificate still holds in so many seconds."""
    done = subprocess.run(["openssl", "x509", "-noout", "-checkend", str(seconds), "-in",
                           "user.pem"], cwd=folder, capture_output=True, check=False)
    return done.returncode == 0


# Any user

def test_a_user_is_issued_and_embedded(alice: Run, openssl: Run, tmp_path: Path, pki: Path) -> None:
    """The document alone is on stdout, nothing is written, and openssl verifies what is in it."""
    told = alice("--group", "dev", "--group", "ops")
    assert told.err == "" and not [*tmp_path.iterdir()]
    config = unpacked(told.out, tmp_path)
    assert ((config.cluster_name, config.user_name, config.context_name, config.server)
            == ("kubernetes", "alice", "alice@kubernetes", SERVER))
    assert (tmp_path / "ca.pem").read_bytes() == (pki / "other.pem").read_bytes()
    assert_pair(openssl, tmp_path, "O = dev, O = ops, CN = alice")
    assert "TLS Web Client Authentication\n" in openssl(
        tmp_path, "x509 -noout -ext extendedKeyUsage -in user.pem")
    assert dates(openssl, tmp_path, 364 * 86400) and not dates(openssl, tmp_path, 366 * 86400)


def test_days_and_algorithm_are_the_pairs(alice: Run, openssl: Run, tmp_path: Path) -> None:
    """--days and --algorithm say what is made."""
    unpacked(alice("--days", "2", "--algorithm", "RSA-2048").out, tmp_path)
    assert "2048 bit" in openssl(tmp_path, "rsa -noout -text -in user.key")
    assert dates(openssl, tmp_path, 86400) and not dates(openssl, tmp_path, 3 * 86400)


def test_masters_come_with_a_warning(alice: Run, tmp_path: Path) -> None:
    """It is said on stderr what system:masters means; with --quiet nothing is."""
    told = alice("--group", "system:masters")
    assert (told.err.startswith("kpki: warning: system:masters bypasses authorization")
            and unpacked(told.out, tmp_path))
    assert alice("--group", "system:masters", "--quiet").err == ""


def test_an_encrypted_ca_key_needs_its_passphrase(kpki: Run, pki: Path, openssl: Run,
                                                  tmp_path: Path) -> None:
    """--passin gives it; without it the message says how."""
    line = ("kubeconfig", "alice", "--ca", pki / "ca.pem", "--ca-key", pki / "ca-encrypted.key",
            "--server", SERVER)
    unpacked(kpki(*line, "--passin", f"file:{pki / 'passphrase'}").out, tmp_path)
    assert openssl(tmp_path,
                   "verify -CAfile ca.pem -purpose sslclient user.pem") == "user.pem: OK\n"
    told = kpki(*line, status=2)
    assert "encrypted" in told.refusal() and "--passin" in told.err


def test_json_holds_the_document(alice: Run, tmp_path: Path) -> None:
    """One JSON document, with the kubeconfig as text in it."""
    answer = json.loads(alice("--json").out)
    assert ([*answer] == ["kubeconfig"]
            and unpacked(answer["kubeconfig"], tmp_path).user_name == "alice")


# A file

def test_a_file_is_its_owners_alone(alice: Run, tmp_path: Path) -> None:
    """--out writes it 0600 from the start, whatever the umask, and stdout stays empty."""
    told = alice("--out", "alice.conf")
    path = tmp_path / "alice.conf"
    assert (told.out == "" and "0600  alice.conf" in told.err
            and "kubectl --kubeconfig alice.conf" in told.err)
    assert path.stat().st_mode & 0o777 == 0o600 and [*tmp_path.iterdir()] == [path]
    assert load_kubeconfig(path.read_bytes()).user_name == "alice"


def test_a_file_as_json(alice: Run, workspace: Run, kpki: Run) -> None:
    """What was written, as every command says it: a row's name where it is a row's."""
    written = {"host": None, "path": "x.conf", "row": None, "action": "create"}
    assert (json.loads(alice("--out", "x.conf", "--json").out)
            == {"written": [written], "waiting": []})
    workspace()
    told = kpki("kubeconfig", "admin", "--workspace", "w", "--out", "y.conf", "--json")
    assert json.loads(told.out) == {"written": [{**written, "path": "y.conf", "row": "admin"}],
                                    "waiting": []}


def test_nothing_is_overwritten(alice: Run, tmp_path: Path, snapshot: Run) -> None:
    """Another document in its place, also at the end of a link, is left as it is: exit 2."""
    path = tmp_path / "alice.conf"
    path.write_text("mine\n")
    (tmp_path / "link").symlink_to("alice.conf")
    before = snapshot(tmp_path)
    for name in ("alice.conf", "link"):
        told = alice("--out", name, status=2)
        assert told.refusal() == f"{name}: a file with other content exists, and is not overwritten"
    assert snapshot(tmp_path) == before


def test_an_empty_file_is_filled(alice: Run, tmp_path: Path) -> None:
    """What mktemp has made holds nothing that could be lost."""
    (tmp_path / "alice.conf").touch(0o644)
    alice("--out", "alice.conf")
    assert (tmp_path / "alice.conf").stat().st_mode & 0o777 == 0o600
    assert load_kubeconfig((tmp_path / "alice.conf").read_bytes())


@pytest.mark.parametrize(("out", "words"), [("gone/alice.conf", "gone/alice.conf: no folder gone"),
                                            (".", ".: a folder, not a file")])
def test_what_cannot_be_written_is_named(alice: Run, tmp_path: Path, out: str, words: str) -> None:
    """A folder that is missing, a folder in its place: one message, and nothing is left."""
    assert alice("--out", out, status=2).refusal() == words
    assert not [*tmp_path.iterdir()]


# Rows of a workspace

ROWS = [("kubeadm", "admin", (), "O = kubeadm:cluster-admins, CN = kubernetes-admin"),
        ("ssl", "admin", (), "O = system:masters, CN = kubernetes-admin"),
        ("kubeadm", "super-admin", (), "O = system:masters, CN = kubernetes-super-admin"),
        ("kubeadm", "kube-scheduler", (), "CN = system:kube-scheduler"),
        ("hard-way", "kube-controller-manager", ("--node", "cp-1"),
         "CN = system:kube-controller-manager"),
        ("hard-way", "kube-proxy", (), "O = system:node-proxier, CN = system:kube-proxy"),
        ("ssl", "kubelet", ("--node", "worker-1"), "O = system:nodes, CN = system:node:worker-1"),
        ("kubeadm", "kubelet", ("--node", "worker-1"),
         "O = system:nodes, CN = system:node:worker-1")]


@pytest.mark.parametrize(("layout", "row", "options", "subject"), ROWS)
def test_a_row_is_issued_where_it_is_not_there_yet(kpki: Run, workspace: Run, openssl: Run,
                                                   tmp_path: Path, layout: str, row: str,
                                                   options: tuple[str, ...], subject: str) -> None:
    """Subject, server, validity and key as the description says; embedded, and nothing in the
    workspace changes."""
    workspace(layout)
    config = unpacked(kpki("kubeconfig", row, "--workspace", "w", *options).out, tmp_path)
    assert (config.cluster_name, config.server) == ("blue", SERVER)
    assert_pair(openssl, tmp_path, subject)
    assert "secp384r1" in openssl(tmp_path, "ec -noout -text -in user.key")
    assert dates(openssl, tmp_path, 47 * 3600) and not dates(openssl, tmp_path, 49 * 3600)
    assert sorted(path.name for path in (tmp_path / "w").rglob("*")) == ["ca.crt", "ca.key",
                                                                         "cluster.yaml", "pki"]


@pytest.mark.parametrize(("row", "options", "path"), [
    ("admin", (), "users/admin.conf"),
    ("admin", ("--node", "cp-1"), "nodes/cp-1/etc/kubernetes/admin-kubeconfig.yaml"),
    ("kubelet", ("--node", "worker-1"), "nodes/worker-1/etc/kubernetes/worker-kubeconfig.yaml")])
def test_what_the_workspace_holds_is_printed(kpki: Run, workspace: Run, row: str,
                                             options: tuple[str, ...], path: str) -> None:
    """Byte for byte, comments and all, with no need for the CA's key."""
    place = workspace("ssl")
    (place / "pki/ca.key").unlink()
    document = f"# kept\n{kubeconfig_text('/ca.pem')}"
    (place / path).parent.mkdir(parents=True)
    (place / path).write_text(document)
    assert kpki("kubeconfig", row, "--workspace", place, *options).out == document


def kubeconfig_text(ca: str) -> str:
    return f"""apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: '{SERVER}', certificate-authority: {ca}}}}}]
users: [{{name: u, user: {{client-certificate: /c.pem, client-key: /k.pem}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
"""


def test_the_same_document_is_written_once(kpki: Run, workspace: Run, tmp_path: Path,
                                           snapshot: Run) -> None:
    """A second --out of what the workspace holds changes nothing; one that others can read is
    closed to them."""
    place = workspace()
    (place / "users").mkdir()
    (place / "users/admin.conf").write_text(kubeconfig_text("/ca.pem"))
    line = ("kubeconfig", "admin", "--workspace", "w", "--out", "admin.conf")
    kpki(*line)
    before = snapshot(tmp_path)
    assert "right already" in kpki(*line).err and snapshot(tmp_path) == before
    (tmp_path / "admin.conf").chmod(0o644)
    assert json.loads(kpki(*line, "--json").out)["written"][0]["action"] == "replace"
    assert (tmp_path / "admin.conf").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("options", [("--server", "https://127.0.0.1:6443"), ("--days", "1"),
                                     ("--algorithm", "ECDSA-P256")])
def test_a_wish_makes_a_new_one(kpki: Run, workspace: Run, openssl: Run, tmp_path: Path,
                                options: tuple[str, str]) -> None:
    """--server, --days and --algorithm make a new kubeconfig; the workspace's own stays."""
    place = workspace()
    (place / "users").mkdir()
    (place / "users/admin.conf").write_text(kubeconfig_text("/ca.pem"))
    config = unpacked(kpki("kubeconfig", "admin", "--workspace", "w", *options).out, tmp_path)
    assert config.server == (options[1] if options[0] == "--server" else SERVER)
    assert_pair(openssl, tmp_path, "O = kubeadm:cluster-admins, CN = kubernetes-admin")
    assert (place / "users/admin.conf").read_text() == kubeconfig_text("/ca.pem")


def test_a_broken_document_is_not_passed_on(kpki: Run, workspace: Run) -> None:
    """What the workspace holds and no client could use is refused by name."""
    place = workspace()
    (place / "users").mkdir()
    (place / "users/admin.conf").write_text(kubeconfig_text("/ca.pem")
                                            .replace("current-context: x", ""))
    told = kpki("kubeconfig", "admin", "--workspace", "w", status=2)
    assert (told.refusal() == "w/users/admin.conf: the kubeconfig has no current-context"
            and "kpki apply" in told.err)


def test_this_folder_is_a_workspace_where_it_is_one(kpki: Run, workspace: Run, openssl: Run,
                                                    tmp_path: Path) -> None:
    """Without --workspace the folder with cluster.yaml in it counts, for a user as for a row."""
    workspace(folder=".")
    config = unpacked(kpki("kubeconfig", "alice", "--group", "dev").out, tmp_path)
    assert (config.cluster_name, config.server,
            config.context_name) == ("blue", SERVER, "alice@blue")
    assert_pair(openssl, tmp_path, "O = dev, CN = alice")


def test_with_a_group_a_rows_name_is_a_users(kpki: Run, workspace: Run, openssl: Run,
                                             tmp_path: Path) -> None:
    """`admin --group system:masters` is CN admin, as the hand-made clusters have it."""
    workspace()
    unpacked(kpki("kubeconfig", "admin", "--workspace", "w", "--group", "system:masters",
                  "--quiet").out, tmp_path)
    assert_pair(openssl, tmp_path, "O = system:masters, CN = admin")


def test_the_descriptions_ca_signs(kpki: Run, workspace: Run, pki: Path, openssl: Run,
                                   tmp_path: Path) -> None:
    """certificateAuthorities.kubernetes comes before pki/ca; its key may be named on the line."""
    key = pki / "ec-sec1.key"
    for named, options in ((f", key: {key}", ()), ("", ("--ca-key", key))):
        workspace(more=f"certificateAuthorities: {{kubernetes: {{certificate: "
                  f"{pki / 'ec.pem'}{named}}}}}")
        unpacked(kpki("kubeconfig", "admin", "--workspace", "w", *options).out, tmp_path)
        assert (tmp_path / "ca.pem").read_bytes() == (pki / "ec.pem").read_bytes()
        assert openssl(tmp_path,
                       "verify -CAfile ca.pem -purpose sslclient user.pem") == "user.pem: OK\n"
    told = kpki("kubeconfig", "admin", "--workspace", "w", status=2)
    assert (told.refusal() == "no CA key, and a new pair needs the CA's signature"
            and "--ca-key KEY" in told.err)


# Files that are there

@pytest.fixture
def pair(alice: Run, tmp_path: Path) -> tuple[str, ...]:
    """A pair as options, in the test's folder."""
    unpacked(alice("--group", "dev").out, tmp_path)
    return "--client-certificate", "user.pem", "--client-key", "user.key"


def test_given_files_are_named_or_put_in(kpki: Run, pair: tuple[str, ...], tmp_path: Path) -> None:
    """By absolute path, the CA's as well, and with --embed-certs byte for byte; the CA's key is not
    needed."""
    line = ("kubeconfig", "alice", "--group", "dev", "--ca", "ca.pem", "--server", SERVER, *pair)
    told = kpki(*line)
    named = load_kubeconfig(told.out.encode())
    paths = {name: Material(str(tmp_path / name)) for name in ("ca.pem", "user.pem", "user.key")}
    assert (named.authority, named.certificate, named.key) == (*paths.values(),) and told.err == ""
    within = load_kubeconfig(kpki(*line, "--embed-certs").out.encode())
    data = [Material(data=(tmp_path / name).read_bytes()) for name in paths]
    assert within == replace(named, authority=data[0], certificate=data[1], key=data[2])


def test_given_files_are_looked_at_first(kpki: Run, pair: tuple[str, ...], pki: Path) -> None:
    """Another CA, another key: no, and 1; a file that is missing: 2."""
    line = ("kubeconfig", "alice", "--server", SERVER, "--ca")
    assert (kpki(*line, pki / "ec.pem", *pair, status=1).refusal()
            == f"user.pem: not signed by the CA in {pki}/ec.pem")
    assert "are no pair" in kpki(*line, "ca.pem", *pair[:3], pki / "other.key", status=1).refusal()
    assert "gone.key: no such file" in kpki(*line, "ca.pem", *pair[:3], "gone.key",
                                            status=2).refusal()


def test_given_files_for_a_row(kpki: Run, workspace: Run, pair: tuple[str, ...],
                               tmp_path: Path) -> None:
    """The workspace's CA counts, its key need not be there, and whose certificate it is instead is
    said."""
    (workspace() / "pki/ca.key").unlink()
    told = kpki("kubeconfig", "admin", "--workspace", "w", *pair)
    assert load_kubeconfig(told.out.encode()).authority == Material(str(tmp_path / "w/pki/ca.crt"))
    assert ("the API server sees user 'alice' in 'dev', not 'kubernetes-admin' in "
            "'kubeadm:cluster-admins'" in told.err)


# What cannot be done

LINES = [
    (("alice",), "nothing says the API server's URL", "--server"),
    (("alice", "--server", SERVER), "no CA: a CA certificate and its key are needed", "--ca CERT"),
    (("alice", "--server", SERVER, "--ca", "ca.pem"),
     "no CA key, and a new pair needs the CA's signature", "--ca-key"),
    (("alice", "--server", "10.0.0.10"), "'10.0.0.10' is no API server's URL", "https://"),
    (("admin", "--server", SERVER), "admin is a row of a workspace", "--workspace DIR"),
    (("alice", "--node", "cp-1", "--server", SERVER), "--node names the host of a row",
     "the rows: admin"),
    (("", "--server", SERVER), "the user has no name", None),
    (("alice", "--server", SERVER, "--group", "x" * 65),
     "group 'xxxxxxxxxxxxxxxxxxxx'… has 65 characters", None),
    (("alice", "--days", "0"), "a certificate that is valid 0 days is of no use",
     "--days is 1 or more"),
    (("alice", "--algorithm", "DSA"), "unknown algorithm 'DSA'", "RSA-2048"),
    (("alice", "--client-key", "k"), "a pair is a certificate and its key",
     "--client-certificate FILE"),
    (("alice", "--client-certificate", "c", "--client-key", "k", "--days", "1"),
     "--days and --algorithm", "leave out"),
    (("alice", "--workspace", "gone"), "gone/cluster.yaml", "kpki init"),
    (("kubelet", "--workspace", "w"),
     "the kubelet of each node has its own kubeconfig, and no node is named", "--node NAME"),
    (("kubelet", "--workspace", "w", "--node", "worker-2"), "there is no node 'worker-2'",
     "did you mean worker-1?"),
    (("kube-proxy", "--workspace", "w"), "layout kubeadm has no kubeconfig for kube-proxy",
     "--group GROUP"),
    (("admin", "--workspace", "w", "--node", "worker-1"), "worker-1 holds no kubeconfig for admin",
     "roles"),
    (("admin", "--workspace", "w", "--ca", "w/pki/ca.crt"), "no CA key", "--ca-key"),
    (("admin", "--workspace", "bare"), "bare/pki/ca.crt: the CA's file is missing", "kpki apply"),
    (("admin", "--workspace", "broken"), "broken/cluster.yaml: ", None),
]


@pytest.mark.parametrize(("words", "message", "hint"), LINES)
def test_what_cannot_be_done_is_said(kpki: Run, workspace: Run, tmp_path: Path,
                                     words: tuple[str, ...], message: str,
                                     hint: str | None) -> None:
    """One message and what to do next, exit 2, nothing on stdout."""
    workspace()
    (workspace(folder="bare") / "pki/ca.crt").unlink()
    (workspace(folder="broken") / "cluster.yaml").write_text("kind: [")
    told = kpki("kubeconfig", *words, status=2)
    assert told.refusal().startswith(message)
    assert hint is None or hint in told.err


def test_a_key_of_another_ca_says_no(kpki: Run, pki: Path) -> None:
    """CA certificate and key that do not match: refused, 1."""
    assert "do not match" in kpki("kubeconfig", "alice", "--server", SERVER, "--ca", pki / "ca.pem",
                                  "--ca-key", pki / "other.key", status=1).refusal()


# --explain

@pytest.mark.parametrize("algorithm", ["RSA-2048", "ECDSA-P384"])
@pytest.mark.parametrize("out", ["", "a b.conf"])
def test_the_commands_it_stands_for_make_the_same(alice: Run, tmp_path: Path, algorithm: str,
                                                  out: str) -> None:
    """--explain's lines, run by a shell, give the same kubeconfig but for the key, serial number
    and signature; once more they overwrite nothing."""
    words = ("--out", out) if out else ()
    told = alice("--group", "dev/ops+x", "--explain", "--algorithm", algorithm, *words)
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / (out or "printed")).write_text((tmp_path / out).read_text() if out else told.out)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "printed").write_text(run_all(told.err, theirs))
    assert contents(theirs, keys=False) == contents(ours, keys=False)
    assert [(path.name, path.stat().st_mode) for path in theirs.glob("*.conf")] \
        == [(path.name, 0o100600) for path in ours.glob("*.conf")]
    made = load_kubeconfig((theirs / (out or "printed")).read_bytes())
    assert made.key.data and made.certificate.data
    assert pem.load_key(made.key.data).public_key() \
        == pem.load_certificate(made.certificate.data).public_key()
    again = subprocess.run(["sh"], input=block_of(told.err), cwd=theirs, text=True, timeout=60,
                           capture_output=True, check=False)
    assert again.returncode == bool(out) and not (theirs / "by-hand").exists()


def test_what_is_printed_or_named_is_explained(kpki: Run, workspace: Run, tmp_path: Path,
                                               pair: tuple[str, ...]) -> None:
    """--explain of a workspace's kubeconfig or of given files: the commands print the same
    document, to the letter; --quiet prints none of that."""
    place = workspace()
    for words in (pair, (*pair, "--embed-certs")):
        told = kpki("kubeconfig", "alice", "--workspace", "w", *words, "--explain")
        assert "openssl verify -CAfile w/pki/ca.crt -purpose sslclient user.pem" in told.err
        assert run_all(told.err, tmp_path) == told.out and "PRIVATE KEY" not in told.err
    (place / "users").mkdir()
    (place / "users/admin.conf").write_text(kubeconfig_text("/ca.pem"))
    line = ("kubeconfig", "admin", "--workspace", "w", "--explain")
    assert run_all(kpki(*line).err, tmp_path) == kubeconfig_text("/ca.pem")
    assert kpki(*line, "--quiet").err == ""
