"""The table of layouts: its rows are known ones, its paths relative, each written once."""
from __future__ import annotations

import pytest

from kpki.errors import InputError
from kpki.kubernetes.layouts import LAYOUTS, WORKSPACE, Layout, get_layout
from kpki.kubernetes.profiles import PROFILES, SERVICE_ACCOUNTS


@pytest.mark.parametrize("layout", [*LAYOUTS, WORKSPACE], ids=lambda layout: layout.name)
def test_a_layout_is_whole(layout: Layout) -> None:
    """Every place belongs to a row and has a file, no path comes twice, secrets are 0600, the rest
    is for all."""
    modes = dict(layout.files())
    assert {place.row for place in layout.places} <= {row.name for row in PROFILES}
    assert all([*place.files()] for place in layout.places)
    assert len(modes) == len([*layout.files()])
    assert not any(path.startswith("/") for path in modes)
    for place in layout.places:
        assert all(modes[path] == 0o600 for path in (place.key, place.kubeconfig) if path)
        if place.certificate:
            assert modes[place.certificate] == (layout.public_key_mode
                                                if place.row == SERVICE_ACCOUNTS else 0o644)
    assert layout.source


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_kubelet_finds_its_ca_and_its_pair(layout: Layout) -> None:
    """Every host holds one file of the cluster's CA, and the pair that makes it a node; no host a
    key beside it."""
    authority, own = layout.node_places()
    assert authority.row == "ca" and authority.certificate and own is layout.kubelet
    assert own.kubeconfig and own.row in ("kubelet", "kubelet-client")
    keyless = [place for place in layout.places if place.row == "ca" and not place.key_holders]
    assert all(place.key == "" for place in keyless)


def test_a_layout_is_found_by_its_name() -> None:
    """A name that is none is refused, and the hint says which there are."""
    assert get_layout("ssl").place("kubelet").certificate == "etc/kubernetes/ssl/worker.pem"
    with pytest.raises(InputError, match="unknown layout 'x'") as refused:
        get_layout("x")
    assert "ssl" in str(refused.value.hint)


def test_a_row_that_a_layout_has_not_is_refused() -> None:
    """kubeadm gives kube-proxy no certificate; the hand-made layouts do."""
    assert get_layout("hard-way").place("kube-proxy").kubeconfig == "var/lib/kube-proxy/kubeconfig"
    with pytest.raises(InputError, match="layout kubeadm has no kube-proxy"):
        get_layout("kubeadm").place("kube-proxy")
