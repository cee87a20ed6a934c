"""What one openssl command does, as functions over values: no disk, no clock of its own, nothing of Kubernetes."""
