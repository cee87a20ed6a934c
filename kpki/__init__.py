"""kpki makes, checks and repairs the certificates of a Kubernetes cluster, one openssl step at a time."""

__version__ = "0.1.0"
