"""Observed against desired: the rules of Kubernetes, and the findings that they give."""
