"""`kpki init`: a workspace's description, from a template or from existing files."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from . import completion
from .common import ExplainOption, JsonOption, QuietOption, Words, host_name, put_json
from .terminal import put
from .. import files
from ..clock import utc_now
from ..errors import FileError, InputError

if TYPE_CHECKING:
    from ..cluster.adopt.adoption import Adopted, Adoption

FolderArgument = Annotated[str, typer.Argument(metavar="DIR", help="The new workspace.")]
LayoutOption = Annotated[str | None, typer.Option(
    "--layout", metavar="L", autocompletion=completion.layouts,
    help="The layout of the hosts' files: kubeadm, ssl or hard-way (kubeadm; with --from the "
         "layout of the existing files).")]
FromOption = Annotated[str | None, typer.Option(
    "--from", metavar="PATH",
    help="The source: a host's root tree (/ on the host itself), or a kubeadm configuration.")]
NodeOption = Annotated[str | None, typer.Option(
    "--node", metavar="NAME",
    help="With --from: the host's name (the name in its certificates, else its folder's name or "
         "host name).")]


def init(folder: FolderArgument = os.curdir, layout: LayoutOption = None, source: FromOption = None,
         node: NodeOption = None, json: JsonOption = False, explain: ExplainOption = False,
         quiet: QuietOption = False) -> None:
    """Write a commented cluster.yaml, or describe an existing cluster.

    The new file is valid as it is. With --from the file describes a host's tree or a kubeadm
    configuration, and kpki copies the host's files into the workspace. If the files have no fault,
    plan then has nothing to do. No existing file is overwritten.
    """
    from ..cluster.adopt.adoption import adopt
    words, warnings = Words(quiet=quiet), list[str]()
    adoption = _adoption(folder, layout, source, node)
    written = adopt(folder, adoption, now=utc_now(), warnings=warnings)
    words.warn(warnings)
    if json:
        put_json({"written": [
            {"host": item.host, "path": item.path, "row": item.row, "action": action}
            for item, action in written], "waiting": []})
    else:
        put(*(os.path.join(folder, item.file.path) for item, _ in written))
    if explain:
        words.say(*_explained(source, [item for item, _ in written]))
    words.say(*adoption.undetermined, *_next(folder, source))


def _adoption(folder: str, layout: str | None, source: str | None, node: str | None) -> Adoption:
    """The files of the new workspace."""
    from ..cluster.adopt import adoption
    from ..cluster.desired.example import example_description
    from ..kubernetes.layouts import KUBEADM, get_layout
    if layout is not None:
        get_layout(layout)
    if source is None:
        if node is not None:
            raise InputError("--node is for --from: without --from cluster.yaml has the names",
                             hint="leave out --node, and edit nodes: in cluster.yaml")
        wanted = adoption.described(example_description(layout or KUBEADM.name))
        adoption.validate_free(folder, wanted)
        return wanted
    host = host_name()
    match files.read_entry_at(source).kind:
        case "missing":
            raise FileError(f"{source}: no such file or directory")
        case "file":
            if layout not in (None, KUBEADM.name):
                raise InputError(
                    f"{source}: a kubeadm configuration is for --layout {KUBEADM.name}")
            return adoption.from_configuration(source, node=node, host_name=host)
        case _:
            return adoption.from_tree(source, layout=layout, node=node, host_name=host)


def _explained(source: str | None, adopted: Sequence[Adopted]) -> list[str]:
    from shlex import quote
    certificates = [item.path for item in adopted
                    if item.host and item.path.endswith((".crt", ".pem"))
                    and not item.path.endswith("-key.pem")]
    if source is None or not certificates:
        return ["kpki init writes the description of a cluster: kpki plan shows the steps to that "
                "cluster, kpki apply does them"]
    return ["kpki init reads the names in each certificate, and copies the files as they are:",
            *("  openssl x509 -noout -subject -ext subjectAltName -in "
              f"{quote(os.path.join(source, path))}" for path in certificates),
            "  cp -a FILE DIR/nodes/NAME/…"]


def _next(folder: str, source: str | None) -> list[str]:
    from shlex import quote
    place = "" if folder == os.curdir else f" {quote(folder)}"
    return [f"next: {'read' if source else 'edit'} {quote(os.path.join(folder, 'cluster.yaml'))}, "
            "then",
            f"      kpki plan{place}"]
