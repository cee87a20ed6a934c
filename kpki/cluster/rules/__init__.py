"""The rules: observed files against desired files, and against what Kubernetes asks of them."""
