"""A workspace: what is private in it, and an example CA that is made once."""
from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from kpki import files, pem
from kpki.clock import utc_now
from kpki.cluster.authority import load_authority
from kpki.cluster.desired.description import load_cluster
from kpki.cluster.desired.example import example_description
from kpki.cluster.node.example import ensure_example
from kpki.cluster.workspace import observe_workspace_file, read_cluster, write
from kpki.errors import ConfigurationError, FileError


def test_folders_are_private_up_to_the_hosts_trees(tmp_path: Path) -> None:
    """A host's tree is 0755 inside, as on the host; everything above and beside it is 0700."""
    write(str(tmp_path / "w"), [files.File("nodes/a/etc/x", b"", 0o644),
                                files.File("pki/ca.key", b"", 0o600)], trees="nodes", now=utc_now())
    modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o777
             for path in tmp_path.rglob("*") if path.is_dir()}
    assert modes == {"w": 0o700, "w/nodes": 0o700, "w/nodes/a": 0o700, "w/nodes/a/etc": 0o755,
                     "w/pki": 0o700}


def test_a_link_out_of_a_workspace_is_read_and_never_written_through(tmp_path: Path) -> None:
    """A CA behind a link is not taken for missing; what would be written there is refused, and
    nothing is."""
    folder, outside = tmp_path / "w", tmp_path / "outside"
    folder.mkdir()
    (outside / "etc").mkdir(parents=True)
    (outside / "ca.crt").write_bytes(b"ca")
    (folder / "pki").symlink_to(outside)
    (folder / "one.crt").symlink_to(outside / "ca.crt")
    for path in ("pki/ca.crt", "one.crt"):
        assert observe_workspace_file(str(folder), path).data == b"ca"
    assert observe_workspace_file(str(folder), "pki/ca.key").missing
    (folder / "nodes").mkdir()
    (folder / "nodes/a").symlink_to(outside)
    for path in ("pki/ca.key", "nodes/a/etc/x"):
        with pytest.raises(FileError, match="a symbolic link in this path leads out of"):
            write(str(folder), [files.File(path, b"", 0o600)], trees="nodes", now=utc_now())
    assert sorted(path.name for path in outside.rglob("*")) == ["ca.crt", "etc"]


def test_a_link_inside_is_written_through_where_it_leads(tmp_path: Path) -> None:
    """A relative link that stays in the tree leads to the same file as on the host; an absolute
    link does not."""
    tree = tmp_path / "nodes/a"
    (tree / "srv/pki").mkdir(parents=True)
    (tree / "etc").symlink_to("srv")
    (tmp_path / "pki").symlink_to(tmp_path / "own")
    write(str(tmp_path), [files.File("nodes/a/etc/pki/x", b"x", 0o600)], trees="nodes",
          now=utc_now())
    assert (tree / "srv/pki/x").read_bytes() == b"x"
    (tree / "etc").unlink()
    (tree / "etc").symlink_to("/srv")
    for path in ("nodes/a/etc/pki/x", "pki/x"):
        with pytest.raises(FileError, match="a symbolic link in this path leads out of"):
            write(str(tmp_path), [files.File(path, b"y", 0o600)], trees="nodes", now=utc_now())
    assert observe_workspace_file(str(tmp_path), "nodes/a/etc/pki/x").data == b"x"
    assert not (tmp_path / "srv").exists()


def test_a_description_is_read_from_its_folder(tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing or wrong is named by the path as it was said; without a file the next step is
    kpki init."""
    with pytest.raises(FileError,
                       match=f"^{tmp_path}/cluster.yaml: there is no such file") as missing:
        read_cluster(str(tmp_path))
    assert "kpki init" in str(missing.value.hint)
    (tmp_path / "cluster.yaml").write_text(example_description())
    assert read_cluster(str(tmp_path)) == load_cluster(example_description())
    monkeypatch.chdir(tmp_path)
    assert read_cluster(".") == load_cluster(example_description())
    (tmp_path / "cluster.yaml").write_text("apiVersion: kpki/v1\nkind: Clusters\n")
    with pytest.raises(ConfigurationError,
                       match="^cluster.yaml: line 2: kind: 'Clusters' is not Cluster$"):
        read_cluster(".")
    (tmp_path / "cluster.yaml").unlink()
    (tmp_path / "cluster.yaml").mkdir()
    with pytest.raises(FileError, match="^cluster.yaml: a folder, not a regular file"):
        read_cluster(".")


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    """If a person names cluster.yaml itself, the hint names its folder; a missing folder has
    another message."""
    (tmp_path / "cluster.yaml").write_text(example_description())
    (tmp_path / "link").symlink_to("cluster.yaml")
    for name in ("cluster.yaml", "link"):
        with pytest.raises(FileError, match=f"^{tmp_path}/{name}: this is a file, and a workspace "
                           "is a folder [(]") as told:
            read_cluster(f"{tmp_path}/{name}")
        assert told.value.hint == "name the folder that holds cluster.yaml"
    with pytest.raises(FileError, match=f"^{tmp_path}/nothing/cluster.yaml: there is no such file"):
        read_cluster(f"{tmp_path}/nothing")


def test_the_example_ca_is_kept(tmp_path: Path) -> None:
    """Made where one of its two files is missing, else left alone; its pair is one."""
    folder = str(tmp_path / "example")
    certificate, key = (Path(path) for path in ensure_example(folder, utc_now()))
    before = certificate.read_bytes(), key.read_bytes()
    ca = load_authority(*before, now=utc_now())
    assert pem.dump_key(ca.key, form="traditional") == before[1]
    ensure_example(folder, utc_now())
    assert (certificate.read_bytes(), key.read_bytes()) == before
    key.unlink()
    ensure_example(folder, utc_now())
    load_authority(certificate.read_bytes(), key.read_bytes(), now=utc_now())
    kept, = (tmp_path / "example/backup").glob("*/pki/ca.crt")
    assert kept.read_bytes() == before[0]


def make(folder: str) -> bytes:
    return Path(ensure_example(folder, utc_now())[0]).read_bytes()


def test_two_first_runs_at_once_make_one_ca(tmp_path: Path) -> None:
    """Whoever comes second finds the first one's CA."""
    with multiprocessing.get_context("fork").Pool(4) as pool:
        made = pool.map(make, [str(tmp_path / "example")] * 8)
    assert len(set(made)) == 1 and not (tmp_path / "example/backup").exists()
