"""One use of a file, and one component as the host starts it."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...kubernetes.settings import UsePart


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One use: a *component* reads the file *path* for a *purpose*, as a *setting* says.

    *setting* is as written (`--tls-cert-file`, `tlsCertFile`, `ETCD_CERT_FILE`,
    `users/NAME/client-certificate`); for a default it is the flag that could name the file.
    *source* is the file with the setting, for a default the file that starts the component. Paths
    are relative to the root; inside a kubeconfig *path* is `etc/kubernetes/admin.conf#users/NAME`.
    *part* is the part of the file that is read. *group* is the same string for both halves of a
    pair and for all parts of one kubeconfig. *default*: no setting names the file. *optional*: the
    component starts without the file.

    >>> for use in kpki.inspect_host(host).uses:
    ...     print(use.setting, use.purpose, use.path)
    --tls-cert-file kubelet-serving var/lib/kubelet/pki/kubelet.crt
    --tls-private-key-file kubelet-serving var/lib/kubelet/pki/kubelet.key
    --kubeconfig kubelet-client etc/kubernetes/kubelet.conf
    authentication.x509.clientCAFile kubelet-client-ca etc/kubernetes/pki/ca.crt
    """

    component: str
    setting: str
    source: str
    path: str
    purpose: str
    part: UsePart
    group: str
    default: bool = False
    optional: bool = False

    @property
    def file(self) -> str:
        """The path of the file, without the place in a kubeconfig."""
        return self.path.partition("#")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A *component* as this tree starts it; *source* is the unit, manifest or file of arguments.

    *settings* has the effective values, by flag without dashes. Fields of configuration files and
    etcd's variables have the name of their flag; a list has several values. *origins* has for each
    setting its written name and its file. *user* runs the component: a name or a number, "" if no
    file tells. *unit* is the systemd unit without `.service`, "" without a unit. *static*: the
    source is a static pod's.

    >>> kubelet, = kpki.inspect_host(host).running
    >>> kubelet.unit, kubelet.value("kubeconfig")
    ('kubelet', '/etc/kubernetes/kubelet.conf')
    """

    component: str
    source: str
    settings: Mapping[str, tuple[str, ...]]
    origins: Mapping[str, tuple[str, str]]
    user: str = ""
    unit: str = ""
    static: bool = False
    configurations: tuple[tuple[str, str, str], ...] = ()
    """Each configuration file: path; required kind, "" for any; its flag, "" for a drop-in."""

    @property
    def said(self) -> Mapping[str, tuple[str, str]]:
        """Internal: the former name of `origins`."""
        import warnings
        warnings.warn("Running.said is called Running.origins now", DeprecationWarning,
                      stacklevel=2)
        return self.origins

    @property
    def key(self) -> str:
        """Internal: the mark of this start, with which the groups of its uses begin."""
        return f"{self.source} {self.unit} {self.component}"

    def value(self, name: str) -> str:
        """The first value of a setting; "" without the setting."""
        return next(iter(self.settings.get(name, ())), "")

    def is_on(self, name: str) -> bool:
        """Whether the value of a setting is true."""
        return self.value(name) in ("true", "1")
