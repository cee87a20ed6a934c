"""The description that `kpki init` writes: a valid cluster.yaml with comments."""
from __future__ import annotations

from .fields import one_of
from ...kubernetes.layouts import LAYOUT_NAMES


def example_description(layout: str = "kubeadm") -> str:
    """A valid cluster.yaml with comments: a control plane with etcd and two workers.

    Raises InputError for a layout that LAYOUT_NAMES does not have.
    """
    return _EXAMPLE.format(layout=one_of(LAYOUT_NAMES)(layout))


_EXAMPLE = """\
# What the cluster should be. Every field, its default and its source: docs/description.md.
# Fields have kubeadm's names, if kubeadm has them. A field that is left out has the default shown.
apiVersion: kpki/v1
kind: Cluster
clusterName: kubernetes

# The folder of the files on a host: kubeadm (/etc/kubernetes/pki), ssl (/etc/kubernetes/ssl) or
# hard-way (/var/lib/kubernetes).
layout: {layout}

# Where clients find the API servers: a load balancer or a DNS name.
# Default: the first control-plane node itself.
# controlPlaneEndpoint: api.example.internal:6443

# The first address of the services is the API server's inside the cluster.
# Two families: 10.96.0.0/12,fd00:10:96::/112
networking:
  serviceSubnet: 10.96.0.0/12
  dnsDomain: cluster.local

# Further names and addresses in the API servers' certificate.
apiServer:
  certSANs: []

# RSA-2048 (kubeadm's default), RSA-3072, RSA-4096, ECDSA-P256 or ECDSA-P384.
# Left out: a given CA's, else ECDSA-P256.
encryptionAlgorithm: ECDSA-P256

# A year, and ten years; h, m and s are the units.
certificateValidityPeriod: 8760h
caCertificateValidityPeriod: 87600h

# An existing CA is used and never replaced: kubernetes, etcd, front-proxy, each
#   kubernetes: {{certificate: /path/ca.crt, key: /path/ca.key}}
certificateAuthorities: {{}}

# layout kubeadm only: a CA-signed serving pair for each kubelet; kubeadm itself leaves the pair
# self-signed.
kubeletServing: false

# The name is the name that `kubectl get nodes` shows. A node without roles is a worker.
# The first address is the advertised address; dnsNames has further DNS names.
nodes:
- name: cp-1
  roles: [control-plane, etcd]
  addresses: [10.0.0.10]
- name: worker-1
  addresses: [10.0.0.21]
- name: worker-2
  addresses: [10.0.0.22]
"""
