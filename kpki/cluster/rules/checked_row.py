"""The result of a row's check: the findings, and what the files contain."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..finding import Finding
from ..observed.inventory import ObservedFile
from ...kubernetes.profiles import get_profile

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

Observe = Callable[[str], ObservedFile]


class CheckedRow(NamedTuple):
    """The result of a row's check.

    *key* and *chain* are the contents of the pair's files, or of the kubeconfig that embeds the
    pair, if readable. *public_key* is the key's public half (DER), and *encoded* the first
    certificate (DER), if a rule needed it. *pair_right* and *kubeconfig_right* say whether those
    files can stay. *own* is false for a key whose right certificate is for another key.
    """

    findings: tuple[Finding, ...] = ()
    key: PrivateKeyTypes | None = None
    public_key: bytes = b""
    chain: tuple[Certificate, ...] = ()
    encoded: bytes = b""
    pair_right: bool = False
    kubeconfig_right: bool = False
    own: bool = True

    @property
    def of_another_host(self) -> bool:
        """Whether the pair is another host's, including the key."""
        return any(finding.cause == "wrong-node-identity" or (finding.cause == "wrong-subject"
                   and get_profile(finding.row).common_name == "{node}")
                   for finding in self.findings)

    @property
    def is_hosts(self) -> bool:
        """Whether the key is the host's own."""
        return self.own and not self.of_another_host


def ca_key_on_worker(path: str, row: str) -> Finding:
    """The finding for a CA's private key in a worker's tree."""
    return Finding("ca-key-on-worker", path, row,
                   "a worker signs nothing, and whoever reads this key can be anybody in the "
                   "cluster")


def exposed(found: ObservedFile, row: str, what: str = "the private key") -> list[Finding]:
    """The finding for a secret that others than its owner can read, or with a wrong owner."""
    if found.data and found.keeper and not found.mode & 0o077 and not found.owner:
        return [Finding("key-unreadable", found.path, row,
                        f"root owns the file, and user {found.keeper}, who runs its "
                        "component, cannot read the key", got="owner root",
                        expected=f"owner {found.keeper}")]
    if found.data and found.keeper and not found.mode & 0o077:
        return [Finding("key-exposed", found.path, row,
                        f"user {found.owner} owns the file, and can read {what}",
                        got=f"owner {found.owner}", expected=f"owner {found.keeper}")]
    if not found.data or not found.mode & 0o077:
        return []
    return [Finding("key-exposed", found.path, row, f"others than its owner can read {what}",
                    got=f"mode {found.mode:04o}", expected="mode 0600")]
