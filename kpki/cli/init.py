"""`kpki init`: a workspace's description, commented or read back from what is there."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from . import completion
from .common import Explain, Json, Quiet, Words, host_name, put_json
from .terminal import put
from .. import files
from ..clock import utc_now
from ..errors import FileError, InputError

if TYPE_CHECKING:
    from ..cluster.adopt.adoption import Adopted, Adoption

Folder = Annotated[str, typer.Argument(metavar="DIR", help="The workspace to be.")]
LayoutOfHosts = Annotated[str | None,
                          typer.Option("--layout", metavar="L", autocompletion=completion.layouts,
                                       help=(
    "Where the files lie on a host: kubeadm, ssl or hard-way (kubeadm; with --from the one that is "
    "there)."))]
From = Annotated[str | None, typer.Option("--from", metavar="PATH", help=(
    "Read it back: a host's root tree (/ on the host itself), or a kubeadm configuration."))]
NodeName = Annotated[str | None, typer.Option("--node", metavar="NAME", help=(
    "With --from: the host's name (its certificates say it, else its folder or host name)."))]


def init(folder: Folder = os.curdir, layout: LayoutOfHosts = None, source: From = None,
         node: NodeName = None,
         json: Json = False, explain: Explain = False, quiet: Quiet = False) -> None:
    """Write a commented cluster.yaml, or read one back.

    It is valid as it stands. With --from it says what a host or a kubeadm configuration says; a
    host's files are copied as they are, so that plan has nothing to do where nothing is wrong.
    Nothing that is there is overwritten.
    """
    from ..cluster.adopt.adoption import adopt
    words, warnings = Words(quiet=quiet), list[str]()
    adoption = _adoption(folder, layout, source, node)
    written = adopt(folder, adoption, now=utc_now(), warnings=warnings)
    words.warn(warnings)
    if json:
        put_json({"written": [{"host": one.host, "path": one.path, "row": one.row, "action": action}
                              for one, action in written], "waiting": []})
    else:
        put(*(os.path.join(folder, one.file.path) for one, _ in written))
    if explain:
        words.say(*_explained(source, [one for one, _ in written]))
    words.say(*adoption.untold, *_next(folder, source))


def _adoption(folder: str, layout: str | None, source: str | None, node: str | None) -> Adoption:
    """What the workspace is to hold."""
    from ..cluster.adopt import adoption
    from ..cluster.desired.description import example_description
    from ..kubernetes.layouts import KUBEADM, get_layout
    if layout is not None:
        get_layout(layout)
    if source is None:
        if node is not None:
            raise InputError("--node is for --from: without it the names stand in cluster.yaml",
                             hint="leave it out, and edit nodes: in cluster.yaml")
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
    certificates = [one.path for one in adopted if one.host and one.path.endswith((".crt", ".pem"))
                    and not one.path.endswith("-key.pem")]
    if source is None or not certificates:
        return ["kpki init writes what the cluster should be: kpki plan shows what follows from "
                "it, kpki apply does it"]
    return ["kpki init asks each certificate whom it names, and copies the files as they are:",
            *(f"  openssl x509 -noout -subject -ext subjectAltName -in "
              f"{quote(os.path.join(source, path))}"
              for path in certificates), "  cp -a FILE DIR/nodes/NAME/…"]


def _next(folder: str, source: str | None) -> list[str]:
    from shlex import quote
    place = "" if folder == os.curdir else f" {quote(folder)}"
    return [f"next: {'read' if source else 'edit'} {quote(os.path.join(folder, 'cluster.yaml'))}, "
            "then",
            f"      kpki plan{place}"]
