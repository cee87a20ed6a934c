"""`kpki init`: a workspace's description, new or read back."""
from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kpki import files
from kpki.cluster.desired.description import load_cluster
from kpki.cluster.desired.example import example_description
from kpki.cluster.plan.plan import make_plan
from kpki.kubernetes.layouts import LAYOUT_NAMES

Run = Callable[..., Any]
KUBEADM = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.0.0.10}
"""
CREATED = {"host": None, "path": "cluster.yaml", "row": None, "action": "create"}


@pytest.fixture
def trees(tmp_path: Path) -> Callable[[str], Path]:
    """The hosts' trees of the built-in cluster."""
    def make(layout: str) -> Path:
        cluster = load_cluster(example_description(layout))
        now = datetime.now(UTC)
        files.replace_tree(tmp_path / layout, list(make_plan(cluster, now=now).files()),
                           folder_mode=0o755, backup=None, now=now)
        return tmp_path / layout / "nodes"
    return make


@pytest.mark.parametrize("layout", [None, *LAYOUT_NAMES])
def test_a_description_is_written_with_comments(layout: str | None, kpki: Run,
                                                tmp_path: Path) -> None:
    """Valid as it stands, in a folder of its own; its path is the result, what comes next the
    words."""
    told = kpki("init", "a/b", *(["--layout", layout] if layout else []))
    assert told.out == "a/b/cluster.yaml\n"
    assert told.err.splitlines() == ["next: edit a/b/cluster.yaml, then", "      kpki plan a/b"]
    path = tmp_path / "a/b/cluster.yaml"
    assert path.read_text() == example_description(layout or "kubeadm")
    assert load_cluster(path.read_bytes()).layout == (layout or "kubeadm")
    assert [stat.S_IMODE(item.stat().st_mode) for item in (path, path.parent)] == [0o644, 0o700]


def test_without_a_folder_it_is_this_one(kpki: Run, tmp_path: Path) -> None:
    """As the other commands have it; an existing folder keeps its mode."""
    tmp_path.chmod(0o755)
    told = kpki("init")
    assert (told.out, told.err.splitlines()[-1]) == ("./cluster.yaml\n", "      kpki plan")
    assert (load_cluster((tmp_path / "cluster.yaml").read_bytes())
            and stat.S_IMODE(tmp_path.stat().st_mode) == 0o755)


def test_json_is_the_document_of_the_design(kpki: Run, trees: Callable[[str], Path]) -> None:
    """With the action of each file, its host and row, and the path in its tree."""
    assert json.loads(kpki("init", "a", "--json").out) == {"written": [CREATED], "waiting": []}
    document = json.loads(kpki("init", "b", "--from", trees("hard-way") / "worker-1", "--json").out)
    assert document["waiting"] == [] and document["written"][-1] == CREATED
    assert {"host": None, "path": "pki/ca.crt", "row": "ca",
            "action": "create"} in document["written"]
    assert ({"host": "worker-1", "path": "var/lib/kubelet/kubelet.crt", "row": "kubelet",
             "action": "create"} in document["written"])


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_a_host_s_tree_is_read_back(layout: str, kpki: Run, trees: Callable[[str], Path],
                                    tmp_path: Path) -> None:
    """The description and a copy of the files; each field that has its default is a line of
    words."""
    told = kpki("init", "w", "--from", trees(layout) / "cp-1")
    written = told.out.splitlines()
    assert written[-1] == "w/cluster.yaml" and all((tmp_path / path).is_file() for path in written)
    assert "certificateValidityPeriod: not set by the files, default used" in told.err.splitlines()
    assert load_cluster((tmp_path / "w/cluster.yaml").read_bytes()).layout == layout
    assert kpki("init", "v", "--from", trees(layout) / "cp-1", "--quiet").err == ""


def test_the_host_s_name_can_be_said(kpki: Run, trees: Callable[[str], Path],
                                     tmp_path: Path) -> None:
    """As the layout can; a certificate's own name is no reason against it."""
    kpki("init", "w", "--from", trees("ssl") / "worker-1", "--node", "worker-9", "--layout", "ssl")
    assert ([host.name for host in load_cluster((tmp_path / "w/cluster.yaml").read_bytes()).hosts]
            == ["worker-9"])


def test_a_kubeadm_configuration_gives_cluster_yaml_alone(kpki: Run, tmp_path: Path) -> None:
    """For the host that it is for; also by a link."""
    (tmp_path / "kubeadm.yaml").write_text(KUBEADM)
    (tmp_path / "link").symlink_to("kubeadm.yaml")
    for number, source in enumerate(("kubeadm.yaml", "link")):
        told = kpki("init", f"w{number}", "--from", source, "--node", "cp-7", "--layout", "kubeadm")
        assert told.out == f"w{number}/cluster.yaml\n"
        cluster = load_cluster((tmp_path / f"w{number}/cluster.yaml").read_bytes())
        assert (cluster.hosts[0].name, cluster.algorithm) == ("cp-7", "RSA-2048")


def test_explain_shows_how_openssl_reads_the_files(kpki: Run, trees: Callable[[str], Path],
                                                   openssl: Callable[..., str],
                                                   tmp_path: Path) -> None:
    """Each command runs as it stands."""
    told = kpki("init", "w", "--from", trees("kubeadm") / "worker-1", "--explain")
    lines = [line.strip() for line in told.err.splitlines() if "openssl" in line]
    assert len(lines) == 1 and lines[0].endswith("worker-1/etc/kubernetes/pki/ca.crt")
    assert "CN = kubernetes" in openssl(tmp_path, lines[0].removeprefix("openssl "))
    assert "kpki plan shows the steps to that cluster" in kpki("init", "v", "--explain").err


def test_nothing_is_ever_overwritten(kpki: Run, trees: Callable[[str], Path],
                                     snapshot: Callable[..., Any], tmp_path: Path) -> None:
    """An existing cluster.yaml, whatever is in it, and any other file in the way: 2, and all is as
    it was."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w/cluster.yaml").write_text("mine")
    (tmp_path / "v/pki").mkdir(parents=True)
    (tmp_path / "v/pki/ca.crt").write_text("mine")
    source = trees("kubeadm") / "cp-1"
    before = snapshot(tmp_path)
    for words in ((), ("--from", source)):
        assert (kpki("init", "w", *words, status=2).refusal() == "w/cluster.yaml: the description "
                "exists already, and kpki never overwrites a description")
    assert kpki("init", "v", "--from", source, status=2).refusal() \
        == f"v/pki/ca.crt: this file exists already, and is not a file of {source}"
    assert snapshot(tmp_path) == before and not (tmp_path / "w/.kpki.lock").exists()


@pytest.mark.parametrize(("words", "message"), [
    (["--from", "nowhere"], "nowhere: no such file or directory"),
    (["--from", "empty"], "empty: none of kpki's layouts is there (kubeadm, ssl, hard-way)"),
    (["--from", "nothing.yaml"], "nothing.yaml: the description is empty"),
    (["--from", "kubeadm.yaml", "--layout", "ssl"],
     "kubeadm.yaml: a kubeadm configuration is for --layout kubeadm"),
    (["--layout", "coreos"], "unknown layout 'coreos'"),
    (["--node", "w"], "--node is for --from: without --from cluster.yaml has the names"),
    (["--from", "kubeadm.yaml", "--node", "a_b"],
     "node name 'a_b' is no DNS name: lower-case letters, digits, '-' and '.' only"),
])
def test_what_cannot_be_done_is_one_message(words: list[str], message: str, kpki: Run,
                                            tmp_path: Path) -> None:
    """And exit status 2; no folder is made."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing.yaml").touch()
    (tmp_path / "kubeadm.yaml").write_text(KUBEADM)
    assert kpki("init", "w", *words, status=2).refusal() == message
    assert not (tmp_path / "w").exists()
