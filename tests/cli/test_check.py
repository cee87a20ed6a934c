"""`kpki check`: what is wrong with a node's tree, in words and in JSON."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kpki.cli.check import _summary as summary
from kpki.cli.doctor import _summary as host_summary
from kpki.cluster.check.check import Report
from kpki.doctor.host import HostReport, _files as files_answer
from kpki.kubernetes.causes import CAUSES

CA, CERTIFICATE, KEY = (f"etc/kubernetes/ssl/{name}.pem" for name in ("ca", "worker", "worker-key"))
TREE = "nodes/worker-1"
Run = Callable[..., Any]


@pytest.fixture
def tree(issue: Run, tmp_path: Path) -> Path:
    """A healthy tree, `nodes/worker-1` in the test's folder."""
    issue()
    return tmp_path / TREE


def test_a_healthy_tree_is_0_and_nothing_on_stdout(tree: Path, kpki: Run) -> None:
    """Nothing wrong is said on stderr alone."""
    told = kpki("check", TREE)
    assert told.out == "" and told.err == "kpki: worker-1: nothing wrong (2 certificates read)\n"


def test_an_error_is_1_with_what_to_do(tree: Path, kpki: Run) -> None:
    """Cause and path, the fact, the commands that mend it; the same commands are not said twice."""
    (tree / CERTIFICATE).unlink()
    (tree / KEY).unlink()
    told = kpki("check", TREE, status=1)
    assert told.out.splitlines() == [
        f"error    file-missing         {CERTIFICATE}",
        "         file is missing, and kubelet (users/kubelet/client-certificate) reads the file",
        "         $ kpki node issue worker-1 --ca CA.pem --ca-key CA-KEY.pem --address ADDRESS "
        "--server https://10.0.0.10:6443",
        f"error    file-missing         {KEY}",
        "         file is missing, and kubelet (users/kubelet/client-key) reads the file",
        "         (the same commands)"]
    assert told.err == "kpki: worker-1: 2 errors (1 certificate read)\n"


def test_the_commands_that_check_names_mend_it(tree: Path, kpki: Run, pki: Path) -> None:
    """What a remedy says can be run as it stands once the CA's files are filled in."""
    (tree / KEY).write_bytes((pki / "ca.key").read_bytes())
    document = json.loads(kpki("check", TREE, "--ca", pki / "other.pem", "--json", status=1).out)
    command, = document["findings"][0]["remedy"]
    kpki(*command.replace("CA-KEY.pem", str(pki / "other.key")).split()[1:])
    kpki("check", TREE, "--ca", pki / "other.pem")


def test_the_commands_alone(tree: Path, kpki: Run, pki: Path) -> None:
    """Each once, for `sh -e`, and what is to be restarted after them; nothing where nothing is
    wrong."""
    assert kpki("check", TREE, "--commands").out == ""
    (tree / CERTIFICATE).unlink()
    (tree / KEY).write_bytes(b"")
    (tree / CA).chmod(0o666)
    told = kpki("check", TREE, "--ca", pki / "other.pem", "--ca-key", pki / "other.key",
                "--commands", status=1)
    assert told.out.splitlines() == [
        f"kpki node issue worker-1 --ca {pki}/other.pem --ca-key {pki}/other.key --address ADDRESS "
        "--server https://10.0.0.10:6443", "# then, on worker-1: systemctl restart kubelet"]
    assert told.err == "kpki: worker-1: 2 errors (1 certificate read)\n"
    assert "two forms" in kpki("check", TREE, "--commands", "--json", status=2).refusal()


def test_an_exposed_key_wants_no_new_one(tree: Path, kpki: Run) -> None:
    """Its remedy is chmod, not another pair."""
    (tree / KEY).chmod(0o644)
    document = json.loads(kpki("check", TREE, "--json", status=1).out)
    assert [item["remedy"] for item in document["findings"]] == [[f"chmod 600 {TREE}/{KEY}"]]


def test_json_is_the_document_of_the_design(tree: Path, kpki: Run) -> None:
    """Every field is there, in one document on stdout, with the exit status of the words."""
    assert json.loads(kpki("check", TREE, "--json").out) == {"findings": [], "certificates": 2,
                                                             "unread": []}
    (tree / CERTIFICATE).write_bytes(b"")
    document = json.loads(kpki("check", TREE, "--json", status=1).out)
    assert document["certificates"] == 1
    finding, = document["findings"]
    assert [*finding] == ["cause", "severity", "host", "path", "row", "message", "got", "expected",
                          "remedy", "page"]
    assert finding["page"] == "docs/causes.md#bad-pem"
    assert ((finding["cause"], finding["severity"], finding["host"], finding["path"],
             finding["row"]) == ("bad-pem", "error", None, CERTIFICATE, "kubelet"))


def test_whose_tree_it_is(tree: Path, kpki: Run, tmp_path: Path,
                          monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder's name under nodes/, else what --node says; else the kubelet's certificate is
    taken at its word, and check says so; a tree that nothing tells of is 2."""
    assert "wrong-node-identity" in kpki("check", TREE, "--node", "worker-2", status=1).out
    tree.rename(tmp_path / "copy")
    assert kpki("check", "copy").err.splitlines() == [
        "kpki: warning: copy: nothing tells whose tree it is, so nobody checked that the kubelet's "
        "certificate is the node's; say --node NAME",
        "kpki: worker-1: nothing wrong (2 certificates read)"]
    assert kpki("check", "copy", "--node", "worker-1").err.splitlines() == [
        "kpki: worker-1: nothing wrong (2 certificates read)"]
    (tmp_path / "copy" / CERTIFICATE).unlink()
    assert kpki("check", "copy", status=2).refusal() == "copy: whose tree is this?"


@pytest.mark.parametrize(("name", "words"),
                         [("", "is no DNS name"), ("a/b", "is no DNS name"), ("a" * 300, "has 300"),
                          ("Worker-1", "is not in lower case")])
def test_a_name_that_no_node_has_is_2(tree: Path, kpki: Run, tmp_path: Path, name: str,
                                      words: str) -> None:
    """Neither --node nor the folder's name may be one; a name too long for kpki's own certificates
    may."""
    assert words in kpki("check", TREE, "--node", name, status=2).refusal()
    if "/" not in name and 0 < len(name) < 256:
        tree.rename(tmp_path / "nodes" / name)
        assert words in kpki("check", f"nodes/{name}", status=2).refusal()
        tree = (tmp_path / "nodes" / name).rename(tree)
    assert "wrong-node-identity" in kpki("check", TREE, "--node", "a" * 63, status=1).out


def test_at_another_time(tree: Path, kpki: Run) -> None:
    """--at checks at that moment; a text that is no time ends with status 2."""
    assert "expired-client-cert" in kpki("check", TREE, "--at", "2099-01-01", status=1).out
    assert "not-yet-valid" in kpki("check", TREE, "--at", "2001-01-01T00:00:00Z", status=1).out
    kpki("check", TREE, "--at", "9999-12-31T23:59:59Z", status=1)
    assert "and it is 0001-01-01T00:00:00Z here" in kpki("check", TREE, "--at", "0001-01-01",
                                                         status=1).out
    for text in ("tomorrow", "", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"):
        assert kpki("check", TREE, "--at", text, status=2).refusal() == f"--at: {text!r} is no time"


def test_the_ca_that_counts(tree: Path, kpki: Run, pki: Path) -> None:
    """--ca is the cluster's CA, whatever the tree holds; a file that is none is 2."""
    kpki("check", TREE, "--ca", pki / "other.pem")
    assert kpki("check", TREE, "--ca", pki / "ca.pem", status=1).out.count("unknown-authority") == 2
    assert f"{pki}/empty" in kpki("check", TREE, "--ca", pki / "empty", status=2).refusal()
    assert kpki("check", TREE, "--ca", "", status=2).refusal() == "'': no such file or directory"


def test_the_ca_that_counts_is_a_ca(tree: Path, kpki: Run, pki: Path) -> None:
    """A file of --ca without a single CA in it is 2, one with a CA among others is taken."""
    told = kpki("check", TREE, "--ca", pki / "leaf.pem", status=2).refusal()
    assert told == f"{pki}/leaf.pem: the certificate is not a CA: basicConstraints say CA:FALSE"
    mixed = tree / "mixed.pem"
    mixed.write_bytes((pki / "leaf.pem").read_bytes() + (pki / "other.pem").read_bytes())
    assert kpki("check", TREE, "--ca", mixed).out == ""


def test_warnings_count_when_strict(kpki: Run, pki: Path, issue: Run) -> None:
    """A warning alone is 0, with --strict 1."""
    issue("worker-1", "--days", "20")
    assert kpki("check", TREE).out.startswith("warning  expiring-soon")
    kpki("check", TREE, "--strict", status=1)


def test_explain_says_what_a_cause_means(tree: Path, kpki: Run) -> None:
    """--explain adds the meaning and how to see it by hand, on stderr; --quiet leaves the findings
    alone."""
    (tree / KEY).unlink()
    told = kpki("check", TREE, "--explain", status=1)
    assert (f"file-missing: {CAUSES['file-missing'].meaning}; see it with: ls -l FILE  "
            "(docs/causes.md#file-missing)") in told.err
    assert kpki("check", TREE, "--quiet", status=1).err == ""


def test_explain_says_what_is_asked_of_a_sound_tree_too(tree: Path, kpki: Run) -> None:
    """Where nothing is wrong --explain still names the openssl commands that ask the same."""
    told = kpki("check", TREE, "--explain").err
    assert f"  openssl verify -CAfile {TREE}/etc/kubernetes/ssl/ca.pem -untrusted " in told
    assert "openssl" not in kpki("check", TREE).err


@pytest.mark.parametrize(("path", "words"),
                         [("nothing", "no such file"), ("empty", "none of kpki's layouts"),
                          ("", "'': no such file")])
def test_where_there_is_nothing_to_check_is_2(tree: Path, kpki: Run, path: str, words: str) -> None:
    """A path that is not there, or holds nothing that could be checked, is 2, and is named."""
    (tree.parent.parent / "empty").mkdir()
    assert words in kpki("check", path, "--node", "worker-1", status=2).refusal()
    if path != "empty":     # an empty host has none of a layout's files, another path none at all
        assert words in kpki("check", path, "--node", "worker-1", "--layout", "ssl",
                             status=2).refusal()
        assert words in kpki("check", path, status=2).refusal()


def test_a_certificate_cannot_write_to_the_terminal(tree: Path, kpki: Run, openssl: Run,
                                                    tmp_path: Path) -> None:
    """What cannot be printed in a name is escaped, in check's words and in install's; JSON has it
    all."""
    name = "w\x1b[2J"
    openssl(tree, f"req -x509 -new -key {KEY} -subj /O=system:nodes/CN=system:node:{name} "
            f"-out {CERTIFICATE}")
    told = kpki("check", TREE, status=1)
    assert "belongs to node w\\x1b[2J, and" in told.out and "\x1b" not in told.out + told.err
    (tmp_path / "root").mkdir()
    told = kpki("node", "install", TREE, "--node", "worker-1", "--root", "root", status=1)
    assert "w\\x1b[2J" in told.refusal() and "\x1b" not in told.err
    document = json.loads(kpki("check", TREE, "--json", status=1).out)
    assert name in document["findings"][0]["message"]


def test_an_unknown_layout_is_2(tree: Path, kpki: Run) -> None:
    """The message names those that there are."""
    told = kpki("check", TREE, "--layout", "flat", status=2)
    assert told.refusal() == "unknown layout 'flat'" and "ssl" in told.err


def test_the_files_that_count_are_explained(tree: Path, kpki: Callable[..., Any]) -> None:
    """--explain lists which component reads which file, with the file that says so; without, nobody
    asked."""
    told = kpki("check", TREE, "--explain").err
    assert "kubelet    clusters/" in told and "etc/kubernetes/worker-kubeconfig.yaml\n" in told
    assert "clusters/" not in kpki("check", TREE).err


def test_another_distribution(tree: Path, kpki: Callable[..., Any]) -> None:
    """A host of a distribution without a layout of kpki's is checked, and the summary names the
    distribution."""
    assert "looks like" not in kpki("check", TREE).err
    (tree / "var/lib/rancher/k3s").mkdir(parents=True)
    assert kpki("check", TREE).err.startswith("kpki: worker-1 (looks like k3s): nothing wrong")


def test_a_key_that_a_run_has_left(tree: Path, kpki: Run) -> None:
    """A warning names a key that a run could not remove, with the command that removes it; a key
    that others can read is also a finding."""
    copy = tree / f"{KEY.rpartition('/')[0]}/.worker-key.pem.kpki-0123456789abcdef"
    copy.write_bytes((tree / KEY).read_bytes())
    copy.chmod(0o600)
    told = kpki("check", TREE)
    assert ("warning: etc/kubernetes/ssl/.worker-key.pem.kpki-0123456789abcdef: a private key that "
            "a run" in told.err)
    assert (told.err.splitlines()[0].endswith(f": rm {TREE}/etc/kubernetes/ssl/{copy.name}")
            and told.out == "")
    copy.chmod(0o644)
    assert kpki("check", TREE, status=1).out.split()[:3] == ["error", "key-exposed",
                                                             f"etc/kubernetes/ssl/{copy.name}"]
    copy.write_bytes((tree / CERTIFICATE).read_bytes())
    assert "a private key that" not in kpki("check", TREE).err


def test_a_host_without_kubernetes_is_not_called_right() -> None:
    """Where `/` has no certificate, the last line says so: nobody takes it for a sound host."""
    sound = Report("laptop", (), 2)
    assert summary(sound) == "kpki: laptop: nothing wrong (2 certificates read)"
    assert files_answer(sound).ok is True
    bare = Report("laptop", (), 0)
    assert summary(bare) == "kpki: laptop: nothing to check, for no certificate is here"
    answer = files_answer(bare)
    assert (answer.ok, answer.message) == (None, "no certificate is here, so no file was checked")
    for report, last in ((bare, "nothing was checked"), (sound, "nothing wrong")):
        host = HostReport("laptop", (files_answer(report),), (), (), report)
        assert host_summary(host) == f"kpki: laptop: {last}"
