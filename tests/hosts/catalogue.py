"""All hosts, and all that befalls them."""
from __future__ import annotations

from tests.hosts import (
    by_hand,
    cloud,
    coreos,
    hard_way,
    k3s,
    kops,
    kubeadm,
    kubeasz,
    kubespray,
    like_kubeadm,
    managed,
    mmumshad,
    nixos,
    openshift,
    rke,
    two_cas,
)

_FAMILIES = (kubeadm, like_kubeadm, kubespray, hard_way, mmumshad, kubeasz, kops, rke, k3s, managed,
             cloud, openshift, coreos, nixos, two_cas, by_hand)
HOSTS = {name: host for family in _FAMILIES for name, host in family.HOSTS.items()}
FAULTS = tuple(fault for family in _FAMILIES for fault in family.FAULTS)
