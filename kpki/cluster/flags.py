"""Description, component → the component's start flags on one host, in several forms."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from .desired.description import Cluster, Host, load_cluster
from .desired.rows import Wanted, layout_of
from .desired.token import is_in_token
from .workspace import authority_paths, is_exchanged, is_there, observe_workspace_file
from .. import files
from ..errors import InputError, about
from ..kubernetes.components import Component, Flag, get_component
from ..kubernetes.layouts import get_layout
from ..kubernetes.profiles import validate_node_name
from ..pem import is_encrypted, load_certificates

_MOST_NAMED = 5     # hosts in a message


def component_flags(cluster: Cluster, component: str, host: Host, *, ca_key: bool = True,
                    bundled: bool = False) -> dict[str, str]:
    """The flags of a component on a host, in the table's order: name without dashes → value.

    Every file that a flag names is in the host's tree, or is the description's own for an external
    etcd. *ca_key*: control-plane hosts get the CA's key (without the key kube-controller-manager
    signs nothing). *bundled*: the host has a file with the signer alone. `ca_state` gives both.
    Raises InputError for an unknown component, or a component that does not run on this host.
    """
    known = get_component(component)
    if host not in (runners := hosts_of(cluster, component)):
        raise InputError(f"{host.name} does not run {component}, for {host.name} lacks the role "
                         f"{known.role}; hosts with the role: {_listed(runners)}",
                         hint=f"--node {runners[0].name}")
    wanted = Wanted(cluster, bundled=bundled)
    held = [(row.place, row.with_key) for row in wanted.of_host(host)]
    has = {"": True, "ca-key": ca_key, "kubelet-ca": wanted.layout.verifies_kubelets
           or cluster.kubelet_serving}

    def value(flag: Flag) -> str:
        if flag.external and cluster.external_etcd is not None:
            return getattr(cluster.external_etcd, flag.external) or ""
        return flag.path(held) or flag.value.format(dns_domain=cluster.dns_domain)

    return {flag.name: text for flag in known.flags if has[flag.needs] and (text := value(flag))}


def kubelet_alone(component: str, layout: str, node: str) -> Cluster:
    """A cluster of one node and its layout: enough for the flags of the node's kubelet.

    Raises InputError for another component, an unknown layout or an invalid node name.
    """
    if component != "kubelet":
        raise InputError(f"the flags of {component} depend on the cluster, and only a description "
                         "describes a cluster",
                         hint="kpki init writes a description; leave out --layout then")
    get_layout(layout)
    return load_cluster("apiVersion: kpki/v1\nkind: Cluster\ncontrolPlaneEndpoint: none\n"
                        f"layout: {layout}\n"
                        f"nodes: [{{name: {validate_node_name(node)}}}]\n")


def hosts_of(cluster: Cluster, component: str) -> tuple[Host, ...]:
    """The hosts that run a component, at least one, in the description's order.

    Raises InputError for an unknown component, or a component that no host runs or that names no
    file.
    """
    known, layout = get_component(component), layout_of(cluster)
    if not known.is_in(layout):
        raise InputError(f"under layout {layout.name} {component} has no file to name: "
                         f"{known.otherwise}")
    hosts = cluster.with_role(known.role) if known.role else cluster.hosts
    if not hosts and component == "etcd" and cluster.external_etcd is not None:
        raise InputError("etcd is external in this description, which has no flags of etcd's own",
                         hint="kpki flags kube-apiserver has the flags that lead to etcd")
    if not hosts:
        raise InputError(f"no node of the description runs {component}: none has the role "
                         f"{known.role}",
                         hint=f"roles: [{known.role}] on a node")
    return hosts


def choose_host(cluster: Cluster, component: str, name: str | None) -> Host:
    """The host *name*; for None the only host that runs the component.

    Raises InputError if several run it.
    """
    hosts = hosts_of(cluster, component)
    if name is not None:
        return cluster.host(name)
    if len(hosts) > 1:
        raise InputError(f"{len(hosts)} nodes run {component}, so --node must name a node: "
                         f"{_listed(hosts)}",
                         hint=f"--node {hosts[0].name}")
    return hosts[0]


def _listed(hosts: Sequence[Host]) -> str:
    """The names of some hosts, for a message."""
    more = len(hosts) - _MOST_NAMED
    names = ", ".join(host.name for host in hosts[:_MOST_NAMED])
    return f"{names} and {more} more" if more > 0 else names


def ca_state(folder: str, cluster: Cluster) -> tuple[bool, bool]:
    """Whether control-plane hosts get the workspace CA's key, and a file with the signer alone.

    Hosts do not get an encrypted key, a key in a token, or one that is not in the workspace
    *folder*. A CA without
    any file counts as one that kpki will make. Hosts get the signer alone if the CA is a bundle or
    is being exchanged. Raises FileError or InputError for a file that cannot be read.
    """
    given = "kubernetes" in cluster.authorities
    certificate, key = (path if path and not is_in_token(path) and (given or is_there(path))
                        else None for path in authority_paths(cluster, folder))
    bundled = not given and is_exchanged(partial(observe_workspace_file, folder))
    if certificate is not None and not bundled:
        data = files.read(certificate)
        with about(certificate):
            bundled = len(load_certificates(data)) > 1
    return certificate is None if key is None else not is_encrypted(files.read(key)), bundled


def as_lines(flags: Mapping[str, str]) -> str:
    """The flags as text: `--name=value`, one flag a line."""
    return "".join(f"--{name}={value}\n" for name, value in flags.items())


def as_systemd(cluster: Cluster, component: str, flags: Mapping[str, str]) -> str:
    """A drop-in of the component's unit that puts the flags into one environment variable.

    The flags are quoted twice, as systemd reads them twice. First systemd reads the assignment,
    with `%` specifiers (systemd.syntax(7)). Then ExecStart splits the value at blanks
    (systemd.service(5), COMMAND LINES).
    """
    variable = get_component(component).variable(layout_of(cluster))
    value = " ".join(_quoted(f"--{name}={value}") for name, value in flags.items())
    assignment = _escaped(f"{variable}={value}").replace("%", "%%")
    return (f"# /etc/systemd/system/{component}.service.d/20-certificates.conf; then: systemctl "
            "daemon-reload\n"
            f"# ExecStart= of {component}.service needs the word ${variable}, alone and without "
            "braces.\n"
            f"# An EnvironmentFile= that sets {variable} as well wins over this line.\n"
            f'[Service]\nEnvironment="{assignment}"\n')


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(word: str) -> str:
    return f'"{_escaped(word)}"' if re.search(r"[\s\"'\\]", word) else word


def flags_without_field(component: str, flags: Mapping[str, str]) -> dict[str, str]:
    """The flags that have no field in the component's configuration file."""
    known = get_component(component)
    return {name: value for name, value in flags.items() if not known.flag(name).field}


def as_config(component: str, flags: Mapping[str, str]) -> str:
    """The component's configuration file (YAML), with a field for each flag.

    Flags without a field are comments. Raises InputError for a component without a configuration
    file.
    """
    import yaml
    known = get_component(component)
    if known.settings is None:
        raise InputError(f"{component} has no configuration file that names its certificates",
                         hint="--format flags, or systemd")
    document: dict[str, Any] = {}
    for field, value in (*known.settings, *_fields(known, flags)):
        *sections, last = field.split(".")
        inner = document
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    comments = [f"# stays a flag: --{name}={value}\n"
                for name, value in flags_without_field(component, flags).items()]
    # lines of any length: YAML would fold a path at its blanks, and nobody could read the path
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10**6)
    return "".join(comments) + text


def _fields(component: Component, flags: Mapping[str, str]) -> Sequence[tuple[str, str | bool]]:
    return [(field, True if value == "true" else value) for name, value in flags.items()
            if (field := component.flag(name).field)]
