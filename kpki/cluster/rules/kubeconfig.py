"""The rules for kubeconfigs: client-go can use the file, and server, CA and pair are right."""
from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .authorities import stranger
from .certificate import bundle_fault
from .checked_row import CheckedRow, Observe, exposed
from .context import RowContext
from .facts import Pair, row_of
from .names import certified_names, led_beside
from .proved import Proved
from ..desired.rows import Row
from ..finding import Finding
from ..observed.contents import read_certificates, readable
from ..observed.inventory import Inventory, ObservedFile, named_path
from ... import pem
from ...errors import InputError
from ...kubernetes.kubeconfig import (
    NO_MATERIAL,
    Kubeconfig,
    KubeconfigError,
    Material,
    dump_kubeconfig,
    load_kubeconfig,
    same_kubeconfig,
)
from ...kubernetes.profiles import NODE_PREFIX
from ...kubernetes.purposes import ADMISSION, WEBHOOKS

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from ..observed.use import Use

_AUTHORITY, _CERTIFICATE, _KEY = "certificate-authority", "client-certificate", "client-key"


def kubeconfig_faults(inventory: Inventory, pairs: Sequence[Pair]) -> Iterator[Finding]:
    """The faults of the kubeconfigs that components read, except those of *pairs* and CAs."""
    uses: dict[str, list[Use]] = {}
    for use in inventory.uses:
        if use.part == "kubeconfig" and not inventory.file(use.path).missing:
            uses.setdefault(use.path, []).append(use)
    for path, readers in uses.items():
        yield from _faults(inventory, path, readers)
    yield from _misled(inventory, pairs, uses)


def _faults(inventory: Inventory, path: str, readers: Collection[Use]) -> Iterator[Finding]:
    found, row = inventory.file(path), row_of([*readers])
    components, purposes = {use.component for use in readers}, {use.purpose for use in readers}
    if ADMISSION in purposes:
        finding = readable(found, row)[1]
        yield from [finding] if finding else []
        return
    servers = [server for running in inventory.running for name in ("master", "api-servers")
               if running.component in components and (server := running.value(name))]
    kubeconfig, finding = _read(found, row, next(iter(servers), ""))
    if kubeconfig is None:
        yield from [finding] if finding else []
        return
    free = kubeconfig.other_means or not purposes.isdisjoint(("kubelet-bootstrap", *WEBHOOKS))
    yield from _lacking(kubeconfig, path, row,
                        [*[_CERTIFICATE] * (not free),
                         *[_AUTHORITY] * inventory.started.isdisjoint(components)])
    yield from _astray(kubeconfig, path, row, None)


def _read(found: ObservedFile, row: str, server: str = "") -> tuple[Kubeconfig | None,
                                                                    Finding | None]:
    """The kubeconfig of a file, or the fault; neither for a file that the caller may not read."""
    data, finding = readable(found, row)
    if data is None:
        return None, finding
    try:
        return load_kubeconfig(data, server=server), None
    except InputError as error:
        where = f"{found.path}#{error.where}" if isinstance(error, KubeconfigError) else found.path
        return None, Finding("kubeconfig-broken", where, row, error.message)


def _lacking(kubeconfig: Kubeconfig, path: str, row: str,
             parts: Container[str]) -> Iterator[Finding]:
    """The findings for those of the *parts* that a kubeconfig neither embeds nor names."""
    for part, material, kind, name in (
            (_AUTHORITY, kubeconfig.authority, "cluster", kubeconfig.cluster_name),
            (_CERTIFICATE, kubeconfig.certificate, "user", kubeconfig.user_name),
            (_KEY, kubeconfig.key, "user", kubeconfig.user_name)):
        if part in parts and material == NO_MATERIAL:
            yield Finding("kubeconfig-broken", f"{path}#{kind}s/{name}", row,
                          f"{kind} {name!r} has no {part}")


def _astray(kubeconfig: Kubeconfig, path: str, row: str, servers: Container[str] | None,
            expected: str = "") -> Iterator[Finding]:
    """The finding for a kubeconfig without a usable server, or with none of the known *servers*."""
    server, where = kubeconfig.server, f"{path}#clusters/{kubeconfig.cluster_name}"
    try:
        url = urlsplit(kubeconfig.url)
        host = url.hostname or "" if url.port != 0 else ""
    except ValueError:
        host = ""
    if servers is None and not host:
        yield Finding("kubeconfig-broken", where, row, f"{server!r} leads to no server")
    elif servers is not None and host not in servers:
        yield Finding("kubeconfig-broken", where, row,
                      f"kubeconfig leads to {server}, which is no API server of this "
                      "cluster", got=server, expected=expected)


def _misled(inventory: Inventory, pairs: Sequence[Pair],
            uses: dict[str, list[Use]]) -> Iterator[Finding]:
    """The finding for a kubeconfig beside an API server that leads to another host."""
    certified, led = certified_names(pairs), [*led_beside(inventory)]
    if any(host in certified for _, _, host in led):
        yield from (Finding("kubeconfig-broken", f"{path}#clusters/{found.cluster_name}",
                            row_of(uses[path]),
                            f"server is {host}, and the API server's certificate is not for that",
                            got=host, expected=", ".join(sorted(certified)))
                    for path, found, host in led if host not in certified)


def check_kubeconfig(row: Row, observe: Observe, context: RowContext, proved: Proved) -> CheckedRow:
    """Check the kubeconfig of a row: readable, this cluster's server and CA, and a right pair."""
    path = row.place.kubeconfig
    found = observe(path)
    named = row.place, context.authority_path("ca"), found.data or b""
    if proved.knows(named):
        return CheckedRow(pair_right=True, kubeconfig_right=True)
    from .leaf import check_pair  # slow to import, and only a described host has such a row
    written = _as_written(found.data or b"", row, context)
    kubeconfig, finding = (written, None) if written else _read(found, row.name)
    if kubeconfig is None:
        return CheckedRow((finding,) if finding else ())
    user = f"{path}#users/{kubeconfig.user_name}"
    cluster = f"{path}#clusters/{kubeconfig.cluster_name}"
    other_means = kubeconfig.other_means and not row.identity.user.startswith(NODE_PREFIX)
    lacking = next(_lacking(kubeconfig, path, row.name,
                            (_AUTHORITY, *[_CERTIFICATE, _KEY] * (not other_means))), None)
    if lacking:
        return CheckedRow((lacking,))

    def taken(material: Material, where: str) -> ObservedFile:
        """What a component would load: the embedded data, or the named file."""
        return observe(named_path(path, material.path or "")) if material.data is None \
            else ObservedFile(where, material.data, 0)

    checked, pair = CheckedRow(pair_right=True), (kubeconfig.certificate, kubeconfig.key)
    paths = {named_path(path, material.path) if material.path else user for material in pair}
    if kubeconfig.certificate != NO_MATERIAL and paths - {row.place.certificate, row.place.key}:
        checked = check_pair(row, taken(pair[0], user), taken(pair[1], user), context, proved)
    authority = taken(kubeconfig.authority, cluster)
    findings = [*checked.findings, *_astray(kubeconfig, path, row.name, context.servers,
                                            row.kubeconfig.server if row.kubeconfig else "")]
    if authority.path not in context.authority_paths:
        findings += _authority_faults(authority, cluster, row, context)
    if kubeconfig.key.data is not None or kubeconfig.token:
        findings += exposed(found, row.name, "the token in it" if kubeconfig.token
                            else "the key in it")
    right = not any(fault.severity == "error" and fault.cause != "key-exposed"
                    for fault in findings)
    if written and row.place.by_path and authority.path in context.authority_paths and not findings:
        proved.add_file(named)
    return checked._replace(findings=tuple(findings), kubeconfig_right=right)


def _as_written(data: bytes, row: Row, context: RowContext) -> Kubeconfig | None:
    """A kubeconfig exactly as kpki writes it, read much faster; None for any other kubeconfig."""
    trusted, place = context.trusted("ca"), row.place
    if row.kubeconfig is None or not trusted:
        return None
    if place.by_path:
        authority, certificate, key = (Material(path=f"/{path}") for path in (
            context.authority_path("ca"), place.certificate, place.key))
        named = replace(row.kubeconfig, authority=authority, certificate=certificate, key=key)
        return named if data == dump_kubeconfig(named) else None
    wanted = replace(row.kubeconfig, authority=Material(data=_bundle(tuple(trusted))))
    pair = same_kubeconfig(data, wanted)
    return pair and replace(wanted, certificate=Material(data=pair[0]), key=Material(data=pair[1]))


@lru_cache(maxsize=1)
def _bundle(certificates: tuple[Certificate, ...]) -> bytes:
    return pem.dump_certificates(certificates)


def _authority_faults(found: ObservedFile, where: str, row: Row,
                      context: RowContext) -> Iterable[Finding]:
    """The fault of a kubeconfig's CA that is not good, or not the cluster's."""
    certificates, finding = read_certificates(found, row.name)
    if certificates:        # a file that the caller may not read tells nothing
        finding = stranger(where, row.name, "ca", certificates, context.trusted("ca"), context)
        if finding.mild if finding else not context.exact:
            finding = bundle_fault(where, row.name, certificates, context.now) or finding
    return [finding] if finding else []
