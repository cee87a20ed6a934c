"""All hosts, and all that befalls them."""
from __future__ import annotations

from tests.hosts import cloud, hard_way, k3s, kops, kubeadm, kubeasz, kubespray, like_kubeadm, managed, mmumshad, rke

_FAMILIES = (kubeadm, like_kubeadm, kubespray, hard_way, mmumshad, kubeasz, kops, rke, k3s, managed, cloud)
HOSTS = {name: host for family in _FAMILIES for name, host in family.HOSTS.items()}
FAULTS = tuple(fault for family in _FAMILIES for fault in family.FAULTS)
