"""What is wrong with a kubeconfig, and with the pair that it embeds or names."""
from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .authorities import stranger
from .judged import Judged, Look, exposed
from .certificate import ca_fault
from .context import RowContext
from .issued import Proved
from .pair import judge_pair
from ..desired.rows import Row
from ..finding import Finding
from ..observed.contents import read_certificates, readable
from ..observed.inventory import Found, named_path
from ... import pem
from ...errors import InputError
from ...kubernetes.kubeconfig import (Kubeconfig, KubeconfigError, Material, dump_kubeconfig, load_kubeconfig,
                                      same_kubeconfig)
from ...kubernetes.layouts import KUBELET_CURRENT
from ...kubernetes.profiles import NODE_PREFIX

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_NOTHING = Material()
# What keeps the kubelet from reading its own store.
_UNREADABLE = ("file-missing", "key-unreadable", "bad-pem", "malformed-x509")


def _judge_current(row: Row, certificate: Found, key: Found, by: RowContext, proved: Proved) -> Judged:
    """The pair that the kubelet has got for itself: one file, that a link leads to (client-go, util/certificate)."""
    judged = judge_pair(row, certificate, key, by, proved)
    broken = next((one for one in judged.findings if one.cause in _UNREADABLE), None)
    if broken:
        return Judged((Finding("kubelet-client-current-broken", broken.path, row.name, "the kubelet's own client "
                               f"certificate cannot be used: {broken.message}"),))
    if not certificate.link and not certificate.unread and not judged.findings:
        judged = replace(judged, findings=(Finding(
            "kubelet-client-current-broken", certificate.path, row.name, "it is a file, and the kubelet, which wants a "
            "link here, will not rotate it", mild=True),))
    return judged


def judge_kubeconfig(row: Row, look: Look, by: RowContext, proved: Proved) -> Judged:
    """A kubeconfig: it can be read, leads to this cluster, trusts its CA, and a pair of its own is right."""
    path = row.place.kubeconfig
    found = look(path)
    data, finding = readable(found, row.name)
    if data is None:
        return Judged((finding,) if finding else ())
    try:
        kubeconfig = _as_written(data, row, by) or load_kubeconfig(data)
    except InputError as error:
        where = f"{path}#{error.where}" if isinstance(error, KubeconfigError) else path
        return Judged((Finding("kubeconfig-broken", where, row.name, error.message),))
    user, cluster = f"{path}#users/{kubeconfig.user_name}", f"{path}#clusters/{kubeconfig.cluster_name}"

    def place_of(material: Material, where: str) -> str:
        return where if material.data is not None else named_path(path, material.path or "")

    def taken(material: Material, where: str) -> Found:
        """What a component would load: the data itself, or the file that is named."""
        there = place_of(material, where)
        return look(there) if material.data is None else Found(there, material.data, 0)

    for what, owner, where, material in (
            ("certificate-authority", f"cluster {kubeconfig.cluster_name!r}", cluster, kubeconfig.authority),
            ("client-certificate", f"user {kubeconfig.user_name!r}", user, kubeconfig.certificate),
            ("client-key", f"user {kubeconfig.user_name!r}", user, kubeconfig.key)):
        if material == _NOTHING and not (kubeconfig.other_means and where == user
                                         and not row.identity.user.startswith(NODE_PREFIX)):
            return Judged((Finding("kubeconfig-broken", where, row.name, f"{owner} has no {what}"),))
    pair = kubeconfig.certificate, kubeconfig.key
    named = {place_of(one, user) for one in pair}
    judged = Judged(pair_right=True)
    if kubeconfig.certificate != _NOTHING and named - {row.place.certificate, row.place.key}:
        certificate, key = (taken(one, user) for one in pair)
        judged = (_judge_current if KUBELET_CURRENT in named else judge_pair)(row, certificate, key, by, proved)
    findings = [*judged.findings]
    if kubeconfig.authority != _NOTHING and place_of(kubeconfig.authority, cluster) not in by.authority_paths:
        authority = taken(kubeconfig.authority, cluster)
        findings += filter(None, [_kubeconfig_authority(authority, cluster, row, by)])
    findings += filter(None, [_server_fault(kubeconfig, cluster, row, by)])
    if kubeconfig.key.data is not None or kubeconfig.token:
        findings += exposed(found, row.name, "the token in it" if kubeconfig.token else "the key in it")
    right = not any(one.severity == "error" and one.cause != "key-exposed" for one in findings)
    return replace(judged, findings=tuple(findings), kubeconfig_right=right)


def _as_written(data: bytes, row: Row, by: RowContext) -> Kubeconfig | None:
    """A kubeconfig that is just as kpki writes it, read in a fraction of the time; None for any other."""
    trusted, place = by.trusted("ca"), row.place
    if row.kubeconfig is None or not trusted:
        return None
    if place.by_path:
        authority, certificate, key = (Material(path=f"/{path}") for path in (
            by.authority_path("ca"), place.certificate, place.key))
        named = replace(row.kubeconfig, authority=authority, certificate=certificate, key=key)
        return named if data == dump_kubeconfig(named) else None
    wanted = replace(row.kubeconfig, authority=Material(data=_bundle(tuple(trusted))))
    pair = same_kubeconfig(data, wanted)
    return pair and replace(wanted, certificate=Material(data=pair[0]), key=Material(data=pair[1]))


@lru_cache(maxsize=1)
def _bundle(certificates: tuple[Certificate, ...]) -> bytes:
    return pem.dump_certificates(certificates)


def _kubeconfig_authority(found: Found, where: str, row: Row, by: RowContext) -> Finding | None:
    certificates, finding = read_certificates(found, row.name)
    if not certificates:
        return finding      # none is the caller's to read, if that is no finding
    finding = stranger("kubeconfig-wrong-ca", where, row, "ca", certificates, by.trusted("ca"), by)
    if finding or by.exact:
        return finding
    faults = [ca_fault(where, row.name, one, by.now) for one in certificates]
    return faults[0] if all(faults) else None


def _server_fault(kubeconfig: Kubeconfig, where: str, row: Row, by: RowContext) -> Finding | None:
    """Whether the kubeconfig leads to an API server of the cluster; nothing to say where none is known."""
    try:
        url = urlsplit(kubeconfig.server)
        host = url.hostname or "" if url.port != 0 else ""
    except ValueError:
        host = ""
    if by.servers is None and not host:
        return Finding("kubeconfig-broken", where, row.name, f"{kubeconfig.server!r} leads to no server")
    if by.servers is None or host in by.servers:
        return None
    return Finding("kubeconfig-broken", where, row.name, f"it leads to {kubeconfig.server}, which is no API server of "
                   "this cluster", got=kubeconfig.server, expected=row.kubeconfig.server if row.kubeconfig else "")
