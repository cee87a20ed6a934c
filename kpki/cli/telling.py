"""The output of the node commands: the files, the next step, and the same steps with openssl."""
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from shlex import quote
from typing import TYPE_CHECKING

from .common import Words, put_json
from .terminal import put, put_document, short
from ..kubernetes.components import row_flags
from ..kubernetes.layouts import Layout
from ..kubernetes.profiles import KUBELET_PROFILE
from ..kubernetes.restarts import components_of, of_layout

if TYPE_CHECKING:
    from ..cluster.node.install_order import Installed
    from ..cluster.node.orders import Done
    from ..cluster.node.placing import Written

_DONE = {"create": "made", "replace": "replaced", "keep": "right already"}


def issued(done: Done, *, archive: bool, as_json: bool, words: Words) -> None:
    """After `node issue`: the flags on stdout, and the next commands on stderr."""
    written, layout, row, node, out = done.written, done.layout, done.row, done.node, done.out
    _result(written, layout, node.name, as_json=as_json, lines=row_flags(layout, row.place))
    if as_json:
        return
    tree = os.path.join(out, node.name)
    ending = ".tar" if archive else ""
    certificate = row.place.certificate
    whose = "kubelet" if row.place == layout.kubelet else "component"
    words.say(*_made(written, out), "",
              f"On standard output: the {whose}'s flags that must name these files there.", "")
    if certificate:
        words.say(f"look:    kpki x509 -noout -text -in {quote(f'{tree}/{certificate}')}")
    if row.place == layout.kubelet:     # the tree of another row has no kubelet's files to check
        words.say(f"check:   kpki check {quote(tree)}")
    words.say(f"install: copy {tree}{ending} to {node.name}, and there:",
              f"         kpki node install {node.name}{ending} --node {node.name}")


def requested(done: Done, *, as_json: bool, words: Words) -> None:
    """After `node request`: the request's path on stdout."""
    written, layout, node, out = done.written, done.layout, done.node, done.out
    _result(written, layout, node.name, as_json=as_json,
            lines=[os.path.join(out, f"{node.name}.csr")])
    if as_json:
        return
    addresses = "".join(f" --address {address}" for address in node.addresses)
    names = "".join(f" --dns {name}" for name in node.dns)
    words.say(*_made(written, out), "",
              f"look: kpki req -noout -text -in {quote(os.path.join(out, node.name))}.csr",
              f"next: copy {node.name}.csr to the CA, and there:",
              f"      kpki node sign {node.name}.csr --node {node.name} --ca CA.pem --ca-key "
              f"CA-KEY.pem{addresses}{names}")


def signed(done: Done, *, as_json: bool, words: Words) -> None:
    """After `node sign`: the certificate's path on stdout."""
    written, node, out = done.written, done.node, done.out
    _result(written, None, node.name, as_json=as_json,
            lines=[os.path.join(out, f"{node.name}.pem")])
    if as_json:
        return
    words.say(*_made(written, out), "",
              f"look: kpki x509 -noout -text -in {quote(os.path.join(out, node.name))}.pem",
              f"next: copy {node.name}.pem to {node.name}, and there:",
              f"      kpki node install {node.name}.pem --node {node.name}")


def installed(done: Installed, *, root: str, as_json: bool, words: Words) -> None:
    """After `node install`: the flags on stdout, and the restarts on stderr.

    If the old pair was another node's, the commands that delete the pods of that time follow.
    """
    written, plan, layout, node = done.written, done.plan, done.layout, done.node
    places = [layout.kubelet] if layout.kubelet in plan.places else plan.places
    flags = [flag for place in places for flag in row_flags(layout, place)]
    _result(written, layout, None, as_json=as_json, lines=dict.fromkeys(flags))
    if as_json:
        return
    words.say(*_list(root, [(file.path, file.mode, action) for file, action in written]), "")
    if all(action == "keep" for _, action in written):
        words.say(f"{node}: everything was right already")
        return
    changed = {file.path for file, action in written if action != "keep"}
    components = components_of(plan.layout, changed, plan.running)
    if components:
        whose = "the kubelet has" if layout.kubelet in places \
            else f"{' and '.join(components)} {'has' if len(components) == 1 else 'have'}"
        words.say(f"next: see that {whose} the flags on standard output, then",
                  *(f"      {line}" for line in of_layout(components, plan.static.__contains__)))
    if plan.former:
        words.say(
            f"The old pair was {short(plan.former)}'s. Pods that hang on {node} are deleted with:",
            f"      kubectl get pods -A --field-selector spec.nodeName={node}",
            "      kubectl delete pod -n NAMESPACE POD --force --grace-period=0   # mirror "
            "pods in Terminating")


def scripted(done: Installed, *, root: str, words: Words) -> None:
    """After `node install --script`: the shell on stdout, and the next commands on stderr."""
    from ..cluster.node.shell import install_script
    changed = [file for file, action in done.written if action != "keep"]
    components = components_of(done.plan.layout, {file.path for file in changed},
                               done.plan.running)
    put_document(install_script(
        changed, node=done.node,
        commands=[*of_layout(components, done.plan.static.__contains__)] if components else []))
    archive = f"{done.node}.tar"
    words.say(*_list(root, [(file.path, file.mode, action) for file, action in done.written]), "",
              f"next: tar -C {quote(root)} -cf {archive} "
              f"{' '.join(quote(file.path) for file in changed) or '.'}",
              f"      copy {archive} and the script to {done.node}, and there: sh SCRIPT {archive}")


def _result(written: Written, layout: Layout | None, host: str | None, *, as_json: bool,
            lines: Iterable[str]) -> None:
    """Print the result on stdout: its lines, or one JSON document."""
    if not as_json:
        put(*lines)
        return
    rows = {path: place.row for place in (layout.places if layout else ())
            for path in (place.certificate, place.key, place.kubeconfig) if path}
    put_json({"written": [
        {"host": host, "path": _inside(file.path, host), "row": _row(file.path, rows),
         "action": action}
        for file, action in written], "waiting": []})


def _row(path: str, rows: dict[str, str]) -> str:
    return next((row for end, row in rows.items() if path.endswith(end)), KUBELET_PROFILE.name)


def _inside(path: str, host: str | None) -> str:
    """A path relative to the host's tree, if the path leads through the trees of several hosts."""
    _, _, rest = path.partition("/")
    return rest.removeprefix(f"{host}/") if host and rest.startswith(f"{host}/") else path


def _made(written: Written, out: str) -> Iterator[str]:
    """A line per file of a workspace, whose paths begin with the last part of *out*."""
    return _list(out,
                 [(file.path.partition("/")[2], file.mode, action) for file, action in written])


def _list(folder: str, rows: Iterable[tuple[str, int, str]]) -> Iterator[str]:
    """A line per file, with its path below *folder*."""
    for path, mode, action in rows:
        yield f"  {_DONE[action]:<14} {mode:04o}  {os.path.join(folder, path)}"
