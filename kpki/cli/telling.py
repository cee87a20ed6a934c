"""The output of the node commands: the files, the next step, and the same steps with openssl."""
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from .common import Words, put_json
from .terminal import put, put_document, short
from .. import files, pem
from ..cluster.node.node import REQUEST_ALGORITHM
from ..kubernetes.components import row_flags
from ..kubernetes.layouts import Layout
from ..kubernetes.profiles import (
    KUBELET_PROFILE,
    Identity,
    get_profile,
    leaf_extensions,
    sans_text,
)
from ..kubernetes.restarts import components_of, of_layout

if TYPE_CHECKING:
    from ..cluster.authority import Authority
    from ..cluster.node.install_order import Installed
    from ..cluster.node.node import Node
    from ..cluster.node.orders import Done
    from ..cluster.offline.bundle import Request

Written = Sequence[tuple[files.File, str]]
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


def issue_steps(done: Done, algorithm: str | None) -> list[str]:
    """The openssl commands that do the same as `node issue`."""
    row, authority = done.row, done.authority
    assert authority is not None    # `node issue` always has a CA
    algorithm = algorithm or authority.algorithm
    steps = [
        "kpki node issue makes a key, a request and a certificate:",
        *_key_steps(algorithm), *_request_steps(row.identity),
        *_sign_steps(done, "worker.csr", rsa=algorithm.startswith("RSA"))]
    if row.profile != KUBELET_PROFILE:
        return [line.replace("worker", row.name) for line in steps]
    return [*steps,
            "The certificate is for client and server: the API server authenticates the node by",
            "the subject, and verifies the kubelet's names and addresses. The kubeconfig names the",
            "files by their paths."]


def request_steps(node: Node, algorithm: str | None) -> list[str]:
    """The openssl commands that do the same as `node request`."""
    return ["kpki node request makes a key, which stays on the node, and a request for the CA:",
            *_key_steps(algorithm or REQUEST_ALGORITHM), *_request_steps(node.identity)]


def sign_steps(done: Done, path: str) -> list[str]:
    """The openssl commands that do the same as `node sign`."""
    assert done.csr is not None     # `node sign` always has a request
    return ["kpki node sign checks the request, and issues a node's certificate; the request adds "
            "no name:",
            f"  openssl req -noout -text -verify -in {quote(path)}",
            *_sign_steps(done, path, rsa=isinstance(done.csr.public_key(), RSAPublicKey))]


def install_steps(source: str, done: Installed, *, root: str, key: str | None) -> list[str]:
    """The openssl commands that do the same as `node install`."""
    from ..cluster.node.by_hand import install_commands
    return ["kpki node install checks the pair, its signer, its subject and its dates, then "
            "replaces all files at once. The same by hand, of the files that it changed:",
            *(f"  {line}" for line in install_commands(source, done, root=root, key=key)), ""]


def _key_steps(algorithm: str) -> list[str]:
    kind, _, size = algorithm.partition("-")
    return [f"  openssl genrsa -out worker-key.pem {size}" if kind == "RSA" else
            f"  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{size.replace('P', 'P-')} "
            "-out worker-key.pem"]


def _request_steps(identity: Identity) -> list[str]:
    subject = quote("".join(f"/O={group}" for group in identity.groups) + f"/CN={identity.user}")
    names = sans_text(identity)
    return [f"  openssl req -new -key worker-key.pem -subj {subject} \\",
            "      " + f"-addext subjectAltName={names} " * bool(names) + "-out worker.csr"]


def _sign_steps(done: Done, csr: str, *, rsa: bool) -> list[str]:
    assert done.authority is not None
    return signing_steps(
        csr, "worker", extensions=leaf_extensions(done.row.profile, done.row.identity, rsa=rsa),
        ca=done.ca, ca_key=done.ca_key, days=done.days, digest=done.authority.digest)


def signing_steps(csr: str, name: str, *, extensions: Sequence[tuple[str, str]], ca: str,
                  ca_key: str, days: int, digest: str) -> list[str]:
    """The openssl commands that sign the request *csr*: the certificate is in *name*.pem."""
    first, second, *rest = (quote(f"{field}={value}") if "'" in value else f"'{field}={value}'"
                            for field, value in extensions)
    return [f"  printf '%s\\n' {first} {second} \\",
            f"      {' '.join(rest)} > {quote(f'{name}.ext')}",
            f"  openssl x509 -req -in {quote(csr)} -CA {quote(ca)} -CAkey {quote(ca_key)} "
            f"-days {days} -{digest} \\",
            f"      -extfile {quote(f'{name}.ext')} -out {quote(f'{name}.pem')}"]


def bundle_steps(folder: str, requests: Iterable[Request], authorities: Mapping[str, Authority],
                 paths: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """The openssl commands that do the same as `kpki sign`; *paths* of the CAs by their rows."""
    yield "kpki sign checks each request, and gives its certificate what the row has; the request"
    yield "adds no name and no usage:"
    for request in requests:
        csr = os.path.join(folder, request.file)
        rsa = isinstance(pem.load_csr(files.read(csr)).public_key(), RSAPublicKey)
        yield f"  openssl req -noout -text -verify -in {quote(csr)}"
        yield from signing_steps(
            csr, csr.removesuffix(".csr"), days=request.days,
            extensions=leaf_extensions(get_profile(request.row), request.identity, rsa=rsa),
            ca=paths[request.signer][0], ca_key=paths[request.signer][1],
            digest=authorities[request.signer].digest)
