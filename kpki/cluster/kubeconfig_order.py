"""A person's order for a kubeconfig."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeconfigOrder:
    """What a person wants in a kubeconfig.

    The workspace or the CA decides each field that is None or empty.
    """

    user: str
    """A row of the workspace, or any user's name."""
    groups: Sequence[str] = ()
    """The user's groups; if there are groups, *user* is never a row."""
    node: str | None = None
    """The host that the row belongs to."""
    server: str | None = None
    """The API server's URL."""
    ca: str | None = None
    """The path of the CA's certificate."""
    ca_key: str | None = None
    """The path of the CA's key."""
    workspace: str | None = None
    """The folder with cluster.yaml; None is the current folder, if cluster.yaml is in it."""
    days: int | None = None
    """How long a new certificate is valid."""
    algorithm: str | None = None
    """The algorithm of a new key, a name of ALGORITHMS."""
    certificate: str | None = None
    """The path of a client's existing certificate."""
    key: str | None = None
    """The path of the existing certificate's key."""
    embed: bool = False
    """Whether the kubeconfig embeds the existing pair; else the kubeconfig names the files."""
