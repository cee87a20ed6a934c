"""`kpki flags`: a component's start flags."""
from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from . import completion
from .common import ExplainOption, JsonOption, QuietOption, Words, host_name, put_json
from .terminal import put_document
from ..errors import InputError

if TYPE_CHECKING:
    from ..kubernetes.components import Flag
    from ..kubernetes.layouts import Layout

FLAG_FORMATS = ("flags", "systemd", "config")
_UNSIGNED = (
    "no host gets the CA's key, which is encrypted or outside the workspace, so "
    "--cluster-signing-cert-file and --cluster-signing-key-file are left out: nothing in the "
    "cluster signs CertificateSigningRequests")
# By kind of file: the openssl command that shows the file.
_SHOWN_BY = {
    "certificate": "openssl x509 -noout -text -in {}", "key": "openssl pkey -noout -check -in {}",
    "public key": "openssl pkey -pubin -noout -text -in {}",
    "kubeconfig": "sed -n 's/^ *client-certificate-data: //p' {} | openssl base64 -d -A | openssl "
                  "x509 -noout -text"}

ComponentArgument = Annotated[str, typer.Argument(
    metavar="COMPONENT", autocompletion=completion.components,
    help="kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy or etcd.")]
NodeOption = Annotated[str | None, typer.Option(
    "--node", metavar="NAME", autocompletion=completion.nodes,
    help="The node (the only node that runs the component).")]
FormatOption = Annotated[str | None, typer.Option(
    "--format", metavar="F", autocompletion=lambda: FLAG_FORMATS,
    help="flags: a flag on each line; systemd: a drop-in of the unit; config: the configuration "
         "file.")]
LayoutOption = Annotated[str | None, typer.Option(
    "--layout", metavar="L", autocompletion=completion.layouts,
    help="The kubelet's flags in this layout, without a workspace: kubeadm, ssl or hard-way.")]
WorkspaceOption = Annotated[str, typer.Option(
    "--workspace", metavar="DIR", help="The folder with cluster.yaml.")]


def flags(component: ComponentArgument, node: NodeOption = None, form: FormatOption = None,
          workspace: WorkspaceOption = os.curdir, layout: LayoutOption = None,
          json: JsonOption = False, explain: ExplainOption = False,
          quiet: QuietOption = False) -> None:
    """Print the start flags of a component that name files and identities.

    Addresses, networks and tuning have other flags, which kpki does not print.
    """
    from shlex import quote

    from ..cluster import flags as components
    from ..cluster.desired.rows import layout_of
    from ..cluster.workspace import read_cluster
    from ..kubernetes.components import get_component
    words, known = Words(quiet=quiet), get_component(component)
    if form not in (None, *FLAG_FORMATS):
        raise InputError(f"--format: {form!r} is none of {', '.join(FLAG_FORMATS)}")
    if json and form:
        raise InputError("--json and --format are two forms of one answer",
                         hint="leave out one of them")
    if layout is None:
        cluster = read_cluster(workspace, host_name=host_name())
    else:
        cluster = components.kubelet_alone(component, layout, node or host_name().lower())
    host = components.choose_host(cluster, component, node)
    ca_key, bundled = components.ca_state(workspace, cluster) if known.signs else (True, False)
    found = components.component_flags(cluster, component, host, ca_key=ca_key, bundled=bundled)
    if json:
        put_json({"component": component, "host": host.name, "flags": found})
    elif form == "config":
        put_document(components.as_config(component, found))
    else:
        put_document(components.as_systemd(cluster, component, found) if form == "systemd"
                     else components.as_lines(found))
    if known.signs and not ca_key:
        words.warn([_UNSIGNED])
    if form == "config" and (rest := components.flags_without_field(component, found)):
        words.say(f"kpki: {component} has the rest as flags beside the file: "
                  + " ".join(quote(f"--{name}={value}") for name, value in rest.items()))
    if explain:
        words.say(
            f"kpki flags names the files of {host.name} (layout {cluster.layout}) for {component}:")
        for name, value in found.items():
            words.say(*_explained(known.flag(name), value, layout_of(cluster)))


def _explained(flag: Flag, value: str, layout: Layout) -> Iterator[str]:
    """The meaning of a flag, and the openssl command that shows the flag's file."""
    from shlex import quote

    from ..kubernetes.profiles import SERVICE_ACCOUNTS
    yield f"--{flag.name}: {flag.meaning}"
    if not value.startswith("/"):
        return
    kind = "public key" if flag.part == "certificate" and flag.rows == (SERVICE_ACCOUNTS,) \
        else str(flag.part)
    if kind == "kubeconfig":
        place = next(place for place in layout.places if f"/{place.kubeconfig}" == value)
        if place.by_path:
            kind, value = "certificate", f"/{place.certificate}"
    yield f"  {_SHOWN_BY[kind].format(quote(value))}"
