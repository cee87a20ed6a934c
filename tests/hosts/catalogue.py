"""All hosts, and all that befalls them."""
from __future__ import annotations

from tests.hosts import hard_way, kops, kubeadm, kubeasz, mmumshad, rke

_FAMILIES = (kubeadm, hard_way, mmumshad, kubeasz, kops, rke)
HOSTS = {name: host for family in _FAMILIES for name, host in family.HOSTS.items()}
FAULTS = tuple(fault for family in _FAMILIES for fault in family.FAULTS)
