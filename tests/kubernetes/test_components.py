"""The table of components: each flag once, for rows that there are, and derived from the layout
alone."""
from __future__ import annotations

from dataclasses import replace

import pytest

from kpki.errors import InputError
from kpki.kubernetes.components import (
    APISERVER,
    COMPONENT_NAMES,
    COMPONENTS,
    CONTROLLER_MANAGER,
    KUBELET_COMPONENT,
    Component,
    get_component,
    kubelet_flags,
)
from kpki.kubernetes.layouts import CONTROL_PLANE, ETCD, HARD_WAY, KUBEADM, LAYOUTS, SSL, Layout
from kpki.kubernetes.profiles import PROFILES


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_a_component_is_whole(component: Component) -> None:
    """No flag and no field comes twice; each flag has a meaning, and either rows that are known or
    a value."""
    names = [flag.name for flag in component.flags]
    fields = ([field for field, _ in component.settings or ()]
              + [flag.field for flag in component.flags if flag.field])
    assert len({*names}) == len(names) and len({*fields}) == len(fields)
    assert component.role in ("", CONTROL_PLANE, ETCD)
    for flag in component.flags:
        assert flag.meaning and not flag.name.startswith("-")
        assert bool(flag.rows) != bool(flag.value)
        assert {*flag.rows} <= {row.name for row in PROFILES}
        assert flag.field == "" or component.settings is not None


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_layout_has_a_file_for_each_flag(layout: Layout) -> None:
    """Each flag that names a row finds it in every layout, but for what kubeadm leaves to
    others."""
    held = [(place, True) for place in layout.places]
    lacking = {(component.name, flag.name) for component in COMPONENTS for flag in component.flags
               if flag.rows and not flag.path(held)}
    assert lacking == ({("kube-proxy", "kubeconfig")} if layout is KUBEADM else set())
    assert [component.name for component in COMPONENTS if not component.is_in(layout)] == \
        (["kube-proxy"] if layout is KUBEADM else [])


@pytest.mark.parametrize(("layout", "flags"), [
    (SSL, ["--client-ca-file=/etc/kubernetes/ssl/ca.pem",
           "--tls-cert-file=/etc/kubernetes/ssl/worker.pem",
           "--tls-private-key-file=/etc/kubernetes/ssl/worker-key.pem",
           "--kubeconfig=/etc/kubernetes/worker-kubeconfig.yaml"]),
    (HARD_WAY,
     ["--client-ca-file=/var/lib/kubelet/ca.crt", "--tls-cert-file=/var/lib/kubelet/kubelet.crt",
      "--tls-private-key-file=/var/lib/kubelet/kubelet.key",
      "--kubeconfig=/var/lib/kubelet/kubeconfig"]),
    (KUBEADM,
     ["--client-ca-file=/etc/kubernetes/pki/ca.crt", "--kubeconfig=/etc/kubernetes/kubelet.conf"]),
], ids=lambda value: getattr(value, "name", ""))
def test_a_kubelets_flags_need_no_description(layout: Layout, flags: list[str]) -> None:
    """The layout's own files, without those that a description must ask for."""
    assert [*kubelet_flags(layout)] == flags


def test_a_new_layout_is_a_new_row_and_nothing_else() -> None:
    """Places that lie elsewhere give flags that lead there; the table of components knows no
    path."""
    moved = replace(SSL, name="moved", places=tuple(
        replace(place, **{part: getattr(place, part).replace("etc/kubernetes", "srv/k8s")
                          for part in ("certificate", "key", "kubeconfig")})
        for place in SSL.places))
    assert [*kubelet_flags(moved)] == [flag.replace("/etc/kubernetes", "/srv/k8s")
                                       for flag in kubelet_flags(SSL)]
    assert KUBELET_COMPONENT.variable(moved) == "KUBELET_CERT_ARGS"


def test_a_key_that_the_host_does_not_get_is_not_named() -> None:
    """Only where the host gets the key is there a file to name; its certificate is named all the
    same."""
    certificate, key = (CONTROLLER_MANAGER.flag(f"cluster-signing-{part}-file")
                        for part in ("cert", "key"))
    ca = KUBEADM.place("ca")
    assert key.path([(ca, True)]) == "/etc/kubernetes/pki/ca.key"
    assert key.path([(ca, False)]) == ""
    assert certificate.path([(ca, False)]) == "/etc/kubernetes/pki/ca.crt"
    assert certificate.path([]) == ""


def test_of_several_places_the_preferred_one_counts() -> None:
    """Among several files of a row, the signing flag names the signer's, the kubelet's flag the
    file of every host, all others the first."""
    held = [(place, True) for place in HARD_WAY.places]
    assert (CONTROLLER_MANAGER.flag("cluster-signing-cert-file").path(held)
            == "/var/lib/kubernetes/ca-signer.crt")
    assert KUBELET_COMPONENT.flag("client-ca-file").path(held) == "/var/lib/kubelet/ca.crt"
    assert APISERVER.flag("client-ca-file").path(held) == "/var/lib/kubernetes/ca.crt"


def test_the_variable_is_the_layouts_or_the_components() -> None:
    """kubeadm's unit of the kubelet has room in KUBELET_EXTRA_ARGS; elsewhere the name is made of
    the component's."""
    assert KUBELET_COMPONENT.variable(KUBEADM) == "KUBELET_EXTRA_ARGS"
    assert KUBELET_COMPONENT.variable(SSL) == "KUBELET_CERT_ARGS"
    assert APISERVER.variable(KUBEADM) == "KUBE_APISERVER_CERT_ARGS"


def test_a_component_is_found_by_its_name() -> None:
    """A name that is none is refused, and the hint says which there are."""
    assert [get_component(name) for name in COMPONENT_NAMES] == [*COMPONENTS]
    with pytest.raises(InputError, match="unknown component 'apiserver'") as refused:
        get_component("apiserver")
    assert "kube-apiserver" in str(refused.value.hint)
