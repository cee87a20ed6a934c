"""What a file says: a certificate, a request, a key or a kubeconfig, for whoever holds it in the hand (`kpki show`)."""
