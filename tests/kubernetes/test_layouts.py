"""The table of layouts: its rows are known ones, its paths relative, its flags name its own files."""
from __future__ import annotations

import pytest

from kpki.errors import InputError
from kpki.kubernetes.layouts import LAYOUTS, Layout, find_layout, kubelet_flags
from kpki.kubernetes.profiles import PROFILES


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_layout_is_whole(layout: Layout) -> None:
    """Every place belongs to a row, no path comes twice, keys are 0600, and flags name files that lie there."""
    modes = dict(layout.files())
    assert {place.row for place in layout.places} <= {row.name for row in PROFILES}
    assert len(modes) == len([*layout.files()])
    assert not any(path.startswith("/") for path in modes)
    assert all(modes[place.key] == 0o600 for place in layout.places if place.key)
    assert set(layout.flags.values()) <= set(modes)
    assert kubelet_flags(layout) == tuple(f"--{name}=/{path}" for name, path in layout.flags.items())
    assert layout.source


def test_a_layout_is_found_by_its_name() -> None:
    """A name that is none is refused, and the hint says which there are."""
    assert find_layout("ssl").place("kubelet").certificate == "etc/kubernetes/ssl/worker.pem"
    with pytest.raises(InputError, match="unknown layout 'x'") as refused:
        find_layout("x")
    assert "ssl" in str(refused.value.hint)
