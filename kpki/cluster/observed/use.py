"""One fact about a host, and one component as the host starts it."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...kubernetes.settings import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One fact about a host: a *component* reads the file *path* for a *purpose*, because a
    *setting* says so.

    *setting* is as written (`--tls-cert-file`, `tlsCertFile`, `ETCD_CERT_FILE`,
    `users/NAME/client-certificate`), of a default the flag that would say so; *source* is the file
    that says so, of a default the one that starts the component. Paths are relative to the root;
    inside a kubeconfig *path* is `etc/kubernetes/admin.conf#users/NAME`. *part* says what is read
    of it. *group* is the same string for both halves of a pair and for what belongs to one
    kubeconfig. *default*: nobody says so. *optional*: the component starts without the file.
    """

    component: str
    setting: str
    source: str
    path: str
    purpose: str
    part: Part
    group: str
    default: bool = False
    optional: bool = False

    @property
    def file(self) -> str:
        """The file that holds it: the path without the place in a kubeconfig."""
        return self.path.partition("#")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A *component* as this tree starts it; *source* is the unit, manifest or file of arguments
    that does.

    *settings* are what counts after all precedence, by flag without dashes, fields of configuration
    files and etcd's variables under the name of their flag; a list has several values. *said* gives
    for each how it is written, and in which file. *user* runs it: a name or a number, "" if nothing
    says so. *static*: the source is a static pod's.
    """

    component: str
    source: str
    settings: Mapping[str, tuple[str, ...]]
    said: Mapping[str, tuple[str, str]]
    user: str = ""
    static: bool = False
    configurations: tuple[tuple[str, str], ...] = ()
    """The configuration files, drop-ins included, and the kind that each must be of; "" for any
    document.
    """

    def value(self, name: str) -> str:
        """The value of a setting, the first of several; "" for what is not told."""
        return next(iter(self.settings.get(name, ())), "")

    def is_on(self, name: str) -> bool:
        """Whether a yes-or-no setting is told yes."""
        return self.value(name) in ("true", "1")
