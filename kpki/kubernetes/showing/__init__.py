"""The content of any file with certificates, requests, keys or a kubeconfig, for `kpki show`."""
