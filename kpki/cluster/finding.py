"""One fault in one place: the fact, the file, and the commands that repair the file."""
from __future__ import annotations

from dataclasses import dataclass

from ..kubernetes.causes import CAUSES, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. Raises ValueError for a cause that `kubernetes.causes` does not list.

    >>> finding, = kpki.check_path(host, node="worker-1", now=now).findings
    >>> finding.severity, finding.cause, finding.path
    ('error', 'file-missing', 'etc/kubernetes/kubelet.conf')
    """

    cause: str
    """The slug of the fault's kind (`kubernetes.causes`)."""
    path: str
    """The file, relative to the host's tree; inside a kubeconfig the entry after `#`."""
    row: str
    """The row of the profiles table, "" if the file belongs to no row."""
    message: str
    """The fact, for a person."""
    got: str = ""
    """What the file says."""
    expected: str = ""
    """What the file should say."""
    host: str | None = None
    """The host in whose tree the file lies, None if there is only one tree."""
    remedy: tuple[str, ...] = ()
    """The shell commands that repair the fault, in order; a comment begins with `#`."""
    mild: bool = False
    """Whether the finding is a warning even if its cause is an error."""

    def __repr__(self) -> str:
        place = f"{self.host}: {self.path}" if self.host else self.path
        return (f"Finding({self.severity} {self.cause}, {place!r}: {self.message!r}, "
                f"{sum(not line.startswith('#') for line in self.remedy)} commands)")

    def __post_init__(self) -> None:
        if self.cause not in CAUSES:
            raise ValueError(f"unknown cause {self.cause!r}")

    @property
    def severity(self) -> Severity:
        """The cause's severity."""
        return "warning" if self.mild else CAUSES[self.cause].severity

    @property
    def page(self) -> str:
        """The page of the documentation about the cause, with the anchor."""
        return CAUSES[self.cause].page
