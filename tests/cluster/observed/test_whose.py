"""Whose tree a root is: the kubelet's word, this machine's name for `/` alone, the folder, the tree
itself."""
from __future__ import annotations

from pathlib import Path

import pytest

from kpki.cluster.observed.whose import owner_of
from kpki.errors import InputError

FLAGS = "var/lib/kubelet/kubeadm-flags.env"
UNIT, STARTS = "etc/systemd/system/kubelet.service", "[Service]\nExecStart=/usr/bin/kubelet $X"
DROP_IN = "etc/systemd/system/kubelet.service.d/20-name.conf"


@pytest.mark.parametrize(("root", "files", "source", "name"), [
    ("mnt", {FLAGS: 'KUBELET_KUBEADM_ARGS="--v=2 --hostname-override=Node-A"'}, "nodes/node-d",
     "node-a"),
    ("mnt", {"etc/default/kubelet": "KUBELET_EXTRA_ARGS=--hostname-override node-a", FLAGS: ""}, "",
     "node-a"),
    ("mnt", {UNIT: STARTS, DROP_IN: "[Service]\nEnvironment=X=--hostname-override=node-a"}, "",
     "node-a"),
    ("mnt", {UNIT: STARTS, DROP_IN: "[Service]\n#Environment=X=--hostname-override=node-a",
             "etc/hostname": "node-c"}, "", "node-c"),
    ("mnt", {FLAGS: "KUBELET_KUBEADM_ARGS=--hostname-override=${NAME}",
             "etc/hostname": "# no name\n\nNode-C \n"}, "", "node-c"),
    ("nodes/node-b", {FLAGS: "KUBELET_KUBEADM_ARGS=--hostname-override=node-a",
                      "etc/hostname": "node-c"}, "", "node-a"),
    ("nodes/node-b", {"etc/hostname": "node-c"}, "nodes/node-d", "node-b"),
    ("mnt", {"etc/hostname": "node-c"}, "nodes/node-d", "node-c"),
    ("mnt", {}, "nodes/node-d", "node-d"),
])
def test_the_first_that_tells_counts(tmp_path: Path, root: str, files: dict[str, str], source: str,
                                     name: str) -> None:
    """The kubelet's override, the folder under nodes/, etc/hostname, the tree to be installed;
    never this machine."""
    top = tmp_path / root
    top.mkdir(parents=True)
    for path, text in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(f"{text}\n")
    assert owner_of(str(top), host_name="this-machine", source=source) == name


@pytest.mark.parametrize("source", ["", "node-d", "tree/node-d"])
def test_nothing_tells(tmp_path: Path, source: str) -> None:
    """A root that says nothing is nobody's, and least of all this machine's."""
    with pytest.raises(InputError, match="whose tree is this") as caught:
        owner_of(str(tmp_path), host_name="this-machine", source=source)
    assert caught.value.hint == "say --node NAME"
