"""`kpki probe`: what servers present, and whether Kubernetes accepts the answer."""
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import (
    AtOption,
    ExplainOption,
    JsonOption,
    QuietOption,
    Words,
    host_name,
    moment_of,
    put_json,
    stamp,
)
from .terminal import Painted, TerminalLine, put, short
from .. import files
from ..errors import InputError, about

if TYPE_CHECKING:
    from ..doctor.answers import Probe, ServerTarget

ServerArgument = Annotated[list[str] | None, typer.Argument(
    metavar="[HOST:PORT]...", help="The servers: HOST:PORT, [IPV6]:PORT or an https URL.")]
CaOption = Annotated[str | None, typer.Option(
    "--ca", metavar="CERT", help="The CA certificates that verify the server.")]
CertOption = Annotated[str | None, typer.Option(
    "--cert", metavar="CERT", help="The client's certificate.")]
KeyOption = Annotated[str | None, typer.Option(
    "--key", metavar="KEY", help="The client's key (in the file of --cert).")]
KubeconfigOption = Annotated[str | None, typer.Option(
    "--kubeconfig", metavar="FILE", help="CA, client and, without HOST:PORT, the server.")]
NameOption = Annotated[str | None, typer.Option(
    "--name", metavar="NAME", help="The name or address that the certificate must have (HOST).")]
FileOption = Annotated[str | None, typer.Option(
    "--file", metavar="CERT", help="The certificate on disk that the server should present.")]
WorkspaceOption = Annotated[str | None, typer.Option(
    "--workspace", metavar="DIR", help="Ask every server of the cluster.yaml in this folder.")]
RootOption = Annotated[str | None, typer.Option(
    "--root", metavar="DIR", help="Ask every server that the files of this host name: /.")]
TimeoutOption = Annotated[str, typer.Option(
    "--timeout", metavar="SECONDS", help="The time limit for each server.")]
_LONGEST = 3600     # seconds


def probe(addresses: ServerArgument = None, ca: CaOption = None, cert: CertOption = None,
          key: KeyOption = None, kubeconfig: KubeconfigOption = None, name: NameOption = None,
          file: FileOption = None, workspace: WorkspaceOption = None, root: RootOption = None,
          timeout: TimeoutOption = "5", at: AtOption = None, json: JsonOption = False,
          explain: ExplainOption = False, quiet: QuietOption = False) -> None:
    """Ask servers for their certificates, as a component of Kubernetes does.

    Exit status 0: every server answered, and nobody refused; 1: a refusal, or a server presents
    another certificate than its file has; 2: a server gave no answer.
    """
    from ..doctor.answers import probe_all
    words, now = Words(quiet=quiet), moment_of(at)
    given = (ca, cert, key, kubeconfig, name, file)
    if sum((bool(addresses or any(given)), workspace is not None, root is not None)) != 1:
        raise InputError("HOST:PORT, --kubeconfig, --workspace and --root are ways to name servers",
                         hint="give one of them; --ca, --cert, --key, --name and --file go with "
                              "HOST:PORT")
    unread = list[str]()
    if root is not None:
        targets = _of_host(root, unread)
    elif workspace is not None:
        from ..doctor.described import workspace_targets
        targets = workspace_targets(workspace, host_name=host_name())
    else:
        targets = _named(addresses or [], *given)
    if not targets:
        raise InputError(f"{root or workspace}: no file names a server")
    probes = probe_all(targets, timeout=seconds_of(timeout), now=now)
    if json:
        first, *others = (_document(probe, now) for probe in probes)
        put_json({**first, "others": others})
    else:
        put(*(line for probe in probes for line in _lines(probe, now)))
    if explain:
        words.say(*_explained(targets))
    words.warn([f"{path}: permission denied, not read" for path in unread])
    words.say(_summary(probes))
    if any(probe.refused for probe in probes):
        raise typer.Exit(1)
    if any(probe.problem for probe in probes):
        raise typer.Exit(2)


def seconds_of(text: str, *, least: float = 0.001) -> float:
    """The seconds of `--timeout`. Raises InputError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not least <= seconds <= _LONGEST:
        raise InputError(f"--timeout: {text!r} is no number of seconds", hint="for example 5")
    return seconds


def _named(addresses: Sequence[str], ca: str | None, cert: str | None, key: str | None,
           kubeconfig: str | None, name: str | None, file: str | None) -> list[ServerTarget]:
    """The servers of a line, with the files that the options name."""
    from dataclasses import replace

    from ..doctor.answers import load_identity, load_leaf, target_of
    from ..kubernetes.verdict import authorities
    if key is not None and cert is None:
        raise InputError("--key is the key of --cert", hint="give --cert too")
    found = [target_of(address, name=name) for address in addresses]
    if kubeconfig is not None:
        own = _of_kubeconfig(kubeconfig)
        found = [replace(target, authorities=own.authorities, identity=own.identity,
                         client_path=kubeconfig) for target in found] or [
                             replace(own, client_path=kubeconfig, name=name or own.name)]
    if not found:
        raise InputError("no server is named", hint="give HOST:PORT, or --kubeconfig")
    if ca is not None:
        with about(ca):
            trusted = authorities(files.read(ca), "sslserver")
        found = [replace(target, authorities=trusted) for target in found]
    if cert is not None:
        data = files.read(cert)
        with about(cert if key is None else f"{cert}, {key}"):
            identity = load_identity(data, None if key is None else files.read(key))
        found = [replace(target, identity=identity, client_path=cert) for target in found]
    if file is not None:
        with about(file):
            leaf = load_leaf(files.read(file))
        found = [replace(target, file=leaf, path=file) for target in found]
    return found


def _of_kubeconfig(path: str) -> ServerTarget:
    """The server of a kubeconfig, with its CA and its pair; relative paths start at its folder."""
    from ..doctor.servers import target_of_kubeconfig
    from ..kubernetes.kubeconfig import Material, load_kubeconfig

    def read(material: Material) -> bytes | None:
        if material.path:
            return files.read(os.path.join(os.path.dirname(path), material.path))
        return material.data

    data = files.read(path)
    with about(path):
        return target_of_kubeconfig(load_kubeconfig(data), read)


def _of_host(root: str, unread: list[str]) -> list[ServerTarget]:
    from ..cluster.observed.hosts import inspect
    from ..doctor.servers import host_targets
    inventory = inspect(root)
    unread += inventory.unread
    return host_targets(inventory, live=os.path.abspath(root) == os.sep)


def _lines(probe: Probe, now: datetime) -> Iterator[TerminalLine]:
    component = f" ({probe.component})" if probe.component else ""
    if probe.problem:
        yield f"{probe.address}{component}"
        yield _answer("error", probe.problem)
        return
    yield f"{probe.address}{component}: {probe.protocol}"
    from ..kubernetes.showing.show import show
    for number, certificate in enumerate(probe.served):
        shown = show(certificate, now=now)[0]
        what = "presents" if number == 0 else "    with"
        yield short(f"  {what} {shown.subject or shown.problem}")
        yield short(f"           signed by {shown.issuer}, from {_moment(shown.not_before)} "
                    f"to {_moment(shown.not_after)}")
        if shown.names:
            yield short(f"           for {', '.join(shown.names)}")
    yield _answer(*_verdict(probe))
    yield _answer(*_client(probe))
    if probe.same_as_file is not None:
        yield _answer("ok", f"the server presents the certificate of {probe.path}") \
            if probe.same_as_file else _answer(
                "error", f"stale-served: {probe.path} has another certificate than the server "
                         "presents: restart the server")
        if not probe.same_as_file:
            yield from (("        ", Painted(f"$ {line}", "command")) for line in probe.restart)


def _answer(kind: str, text: str) -> TerminalLine:
    return "  ", Painted(f"{kind:<5}", kind if kind == "error" else ""), f" {short(text)}"


def _verdict(probe: Probe) -> tuple[str, str]:
    verdict = probe.verdict
    if verdict is None:
        return "-", "insecure-skip-tls-verify: this client does not verify the server"
    if not verdict.ok:
        return "error", f"{verdict.cause}: Kubernetes refuses the server: {verdict.reason}"
    return ("ok", "Kubernetes accepts the server") if probe.verified else (
        "-", "dates, names and usage are right; --ca CERT verifies the signer too")


def _client(probe: Probe) -> tuple[str, str]:
    """What the server asks of its clients, and what the server says to the client."""
    asks = f"signed by {', '.join(probe.client_cas)}" if probe.client_cas else "of any CA"
    path = probe.client_path or "the client certificate"
    if not probe.requests_certificate:
        return "-", "the server asks for no client certificate"
    if probe.client == "ok":
        return "ok", f"the server accepts {path} (it asks for certificates {asks})"
    if probe.client:
        return "error", f"{probe.client_cause}: the server refuses {path}: {probe.client}"
    return "-", (f"the server requires a client certificate {asks}" if probe.requires_certificate
                 else f"the server asks for a client certificate {asks}")


def _moment(moment: datetime | None) -> str:
    return "?" if moment is None else stamp(moment)


def _document(probe: Probe, now: datetime) -> dict[str, Any]:
    from ..kubernetes.showing.show import show
    verdict = probe.verdict
    return {
        "address": probe.address, "component": probe.component or None,
        "problem": probe.problem or None, "protocol": probe.protocol or None,
        "verdict": None if verdict is None or (verdict.ok and not probe.verified)
        else verdict.reason,
        "cause": verdict.cause if verdict else None,
        "served": [{"subject": shown.subject, "issuer": shown.issuer, "names": [*shown.names],
                    "not_before": _moment(shown.not_before), "not_after": _moment(shown.not_after),
                    "serial": shown.serial}
                   for certificate in probe.served for shown in show(certificate, now=now)],
        "client_cas": [*probe.client_cas], "requests_certificate": probe.requests_certificate,
        "requires_certificate": probe.requires_certificate,
        "client": probe.client or None, "client_cause": probe.client_cause,
        "client_path": probe.client_path or None,
        "same_as_file": probe.same_as_file, "path": probe.path or None,
        "status": probe.status, "date": None if probe.date is None else stamp(probe.date),
        "remedy": [*probe.restart] if probe.same_as_file is False else []}


def _summary(probes: Sequence[Probe]) -> str:
    refused, silent = (sum(map(bool, facts)) for facts in (
        [probe.refused for probe in probes], [probe.problem for probe in probes]))
    count = f"{len(probes)} server{'s' * (len(probes) != 1)} asked"
    words = [f"{refused} with a fault"] * bool(refused) + [f"{silent} without an answer"] * bool(
        silent)
    return f"kpki: {count}: {', '.join(words) or 'nothing wrong'}"


def _explained(targets: Sequence[ServerTarget]) -> Iterator[str]:
    from shlex import quote
    yield "kpki probe makes one TLS handshake and one request (GET /version) with each server:"
    for address, name in dict.fromkeys((target.address, target.sent_name) for target in targets):
        sent = f"-servername {quote(name)}" if name else "-noservername"
        yield (f"  openssl s_client -connect {quote(address)} {sent} -showcerts </dev/null "
               "| openssl x509 -noout -text")
    yield "Its verdict is: kpki verify -kubernetes -CAfile CA -verify_hostname HOST SERVED"
    yield "A kubelet (port 10250) is asked without a name, as the API server asks it by address."
