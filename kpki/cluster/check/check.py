"""`check`: the faults of a workspace, a host's tree, a folder of certificates, or one file."""
from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.x509 import Certificate

from .remedies.lines import command, each_once
from .remedies.target import RepairTarget
from ..authority import find_sound_key, load_trusted_bundle
from ..desired.rows import NODES_FOLDER
from ..desired.token import is_in_token
from ..finding import Finding
from ..observed.hosts import inventory_of, is_host_tree
from ..observed.inventory import Inventory, Unread, observe_file
from ..observed.owners import with_owners
from ..observed.use import Use
from ..observed.uses import HostUses, read_host
from ..observed.whose import certified_owner, owner_of
from ..rules.host import check_node
from ..rules.pair import SELF_SIGNED
from ..workspace import DESCRIPTION, read_cluster
from ... import files
from ...clock import utc_now
from ...errors import AccessError, FileError, InputError, KpkiError, about
from ...kubernetes.distributions import MARKS
from ...kubernetes.profiles import LONGEST_NAME, validate_node_name
from ...kubernetes.reading import has_public_key
from ...stages.keys import public_key_der


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check.

    >>> report = kpki.check_path(workspace, now=now)
    >>> report.certificates, report.findings, report.commands()
    (28, [], [])
    """

    whose: str
    """The name of the checked host, workspace, folder or file."""
    findings: Sequence[Finding]
    """The findings of all files that could be read."""
    certificates: int
    """The number of certificates read."""
    unread: Sequence[Unread] = ()
    """The files that the caller may not read, each once; no finding is about them."""
    notes: Sequence[str] = ()
    """Sentences about other parts that were not checked."""
    uses: Sequence[Use] = ()
    """The uses of a host's files; empty for a folder or a file."""
    restarts: Sequence[str] = ()
    """Comments with the restarts after which components read the repaired files."""
    distribution: str = ""
    """The distribution that a host looks like, if kpki has no layout for it."""

    def commands(self) -> list[str]:
        """The commands that repair all findings, errors first, each once, ready for `sh -e`.

        Comments begin with `#`. A kubelet's own serving certificate stays: it serves most clusters.
        """
        errors_first = sorted(filter(_is_in_script, self.findings),
                              key=lambda finding: finding.severity != "error")
        return [*each_once(finding.remedy for finding in errors_first), *self.restarts]


def check(path: str | os.PathLike[str], *, now: datetime | None = None, host_name: str = "",
          node: str | None = None, ca: str | None = None, ca_key: str | None = None,
          etcd_ca: str | None = None, etcd_ca_key: str | None = None,
          front_proxy_ca: str | None = None, front_proxy_ca_key: str | None = None,
          layout: str | None = None) -> Report:
    """Check the files at a path; each finding has the commands that repair the fault.

    *path* is a workspace, a host's root tree, any folder, or one file. *node* is the name of the
    tree's node, or of one host of a workspace. *host_name* is the name of this host, for `/`. *ca*
    is the file of the cluster's CA, *ca_key* the file of its key; the commands name both. The
    other four are the files of etcd's and the front proxy's CA. *now* (UTC, None: the clock) is the
    moment. *layout* is the name of a layout (None: the layout of the existing files). Raises
    InputError or FileError if there is no file to check.

    >>> report = kpki.check_path(host / "etc/kubernetes/pki", now=now + timedelta(days=4000))
    >>> [(finding.severity, finding.cause) for finding in report.findings]
    [('error', 'expired-ca')]
    """
    given = (("ca", ca, ca_key), ("etcd-ca", etcd_ca, etcd_ca_key),
             ("front-proxy-ca", front_proxy_ca, front_proxy_ca_key))
    return _accessible(os.fspath(path), now=now or utc_now(), host_name=host_name, node=node,
                       layout=layout, named={row: files_of for row, *files_of in given
                                             if any(file is not None for file in files_of)})


def check_read(root: str, host: HostUses, *, now: datetime, host_name: str,
               node: str | None) -> Report:
    """`check` of a host that is read already, with its processes."""
    return _accessible(root, now=now, host_name=host_name, node=node, layout=None, named={},
                       host=host)


def _accessible(path: str, **asked: Any) -> Report:
    """The report of a check; of a host that the caller may not read, the closed file."""
    try:
        return _check(path, **asked)
    except AccessError as error:
        closed = os.path.relpath(error.path, path or os.curdir)
        if closed.startswith(os.pardir):
            raise
        # without this file no other can be checked
        return Report(os.path.normpath(path), (), 0,
                      [Unread(None, observe_file(path, closed).unread or closed)])


def _check(path: str, *, now: datetime, host_name: str, node: str | None, layout: str | None,
           named: Mapping[str, Sequence[str | None]], host: HostUses | None = None) -> Report:
    ca, ca_key = named.get("ca", (None, None))
    if _is_there(path, DESCRIPTION):
        _no_options(path, named, layout)
        if node is not None:
            read_cluster(path, host_name=host_name).host(node)
        from .described import check_workspace  # slow to import
        findings, certificates, unread = check_workspace(path, now=now, host_name=host_name)
        return Report(os.path.normpath(path),
                      [finding for finding in findings if node is None or finding.host == node],
                      certificates,
                      [entry for entry in unread if node is None or entry.host in (None, node)])
    folder, name = _workspace_of(path)
    if folder is not None and node in (None, name) and not named and layout is None:
        report = _described_tree(folder, name, now=now, host_name=host_name)
        if report is not None:
            return report
    given = {row: _given(row, *files_of) for row, files_of in named.items()}
    authorities = {row: certificates for row, (certificates, _) in given.items()}
    ca_public_key = given["ca"][1] if "ca" in given else None
    others = {row: (certificate or "", key) for row, (certificate, key) in named.items()
              if row != "ca"}
    if host is None and path != "" and files.read_entry_at(path).kind == "folder":
        host = read_host(path)
    if host is None or not (layout is not None or is_host_tree(path, host)):
        from .plain import check_plain, inspect_plain
        owner = "" if node is None else validate_node_name(node, longest=LONGEST_NAME)
        plain = inspect_plain(path)
        found = check_plain(plain, node=owner, now=now, authorities=authorities)
        target = RepairTarget(plain.inventory, owner or "NODE", ca, ca_key, ca_public_key, others,
                              now=now)
        return Report(os.path.normpath(path), _mended(found, target)[0],
                      plain.inventory.certificates(), _unread(plain.inventory))
    notes = list[str]()
    owner = validate_node_name(node, longest=LONGEST_NAME) if node is not None else _owner(
        path, host, host_name, layout, notes)
    inventory = with_owners(inventory_of(path, host, layout=layout, node=owner))
    described = None
    if not named and layout is None and _is_there(os.curdir, DESCRIPTION):
        from .described import check_described
        # a broken workspace tells nothing about a tree elsewhere
        with suppress(KpkiError):
            described = check_described(os.curdir, inventory, owner, now=now, host_name=host_name)
    if described is None:
        found = check_node(inventory, node=owner, now=now, authorities=authorities)
    else:
        from ..rules.elsewhere import settings_elsewhere
        found = [*described, *settings_elsewhere(inventory, described)]
    target = RepairTarget(inventory, owner or "NODE", ca, ca_key, ca_public_key, others,
                          authorities, workspace=described is not None, now=now)
    findings, anew = _mended(found, target)
    return Report(owner or os.path.normpath(path), findings, inventory.certificates(),
                  _unread(inventory), [*notes, *inventory.led_out(), *_left(target)],
                  inventory.uses, anew, _distribution(path))


def _mended(found: Sequence[Finding],
            target: RepairTarget) -> tuple[list[Finding], tuple[str, ...]]:
    """The findings with their commands, and the components to restart after the commands."""
    if not found:
        return [], ()
    from .remedies.remedy import (  # half of a check's imports; a healthy host needs none
        restarts,
        with_remedies,
    )
    findings = with_remedies(found, target)
    return findings, tuple(restarts([*filter(_is_in_script, findings)], target))


def _is_in_script(finding: Finding) -> bool:
    """Whether the script of all commands repairs a finding."""
    return finding.cause != SELF_SIGNED


def _left(target: RepairTarget) -> Iterator[str]:
    """The remedy for copies of private keys that interrupted runs of kpki have left."""
    for path in target.inventory.leftovers():
        yield (f"{path}: a private key that a run of kpki has left there; once the host works: "
               f"{command('rm', target.at(path))}")


def _distribution(root: str) -> str:
    """The distribution that a tree looks like, if kpki has no layout for it; else ""."""
    for name, mark in MARKS.items():
        with suppress(FileError):   # an unreadable folder tells nothing
            if _is_there(root, mark):
                return name
    return ""


def _owner(root: str, host: HostUses, host_name: str, layout: str | None, notes: list[str]) -> str:
    """The node's name of a tree, "" if the caller may not read the files with the name.

    If no file has the name, the name in the kubelet's certificate is used, with a line in
    *notes*. Raises InputError if there is no certificate either.
    """
    try:
        name = owner_of(root, host_name=host_name, host=host)
    except InputError:
        there = inventory_of(root, host, layout=layout)
        name = certified_owner(there)
        if not name and not there.unread:
            raise
        notes.append(
            f"{root}: nothing tells whose tree it is, so nobody checked that the kubelet's "
            "certificate is "
            "the node's; say --node NAME")
    return validate_node_name(name, longest=LONGEST_NAME) if name else ""


def _unread(inventory: Inventory) -> list[Unread]:
    return [Unread(None, path) for path in inventory.unread]


def _described_tree(folder: str, name: str, *, now: datetime, host_name: str) -> Report | None:
    """The findings of a host's tree in a workspace; None without a verdict of the workspace.

    None: the workspace does not know the host, or the workspace's own CAs have a fault, which is no
    fault of the tree.
    """
    from .described import check_workspace
    try:
        return Report(name, *check_workspace(folder, now=now, host_name=host_name, only=name))
    except AccessError:
        raise
    except KpkiError:
        return None


def _is_there(folder: str, path: str) -> bool:
    return files.read_entry_at(folder).kind == "folder" \
        and files.read_entry(folder, path).kind != "missing"


def _workspace_of(path: str) -> tuple[str | None, str]:
    """The workspace of a host's tree, None if there is none; and the host's name."""
    trees, name = os.path.split(os.path.abspath(path))
    folder, last = os.path.split(trees)
    if last != NODES_FOLDER or not _is_there(folder, DESCRIPTION):
        return None, name
    return os.path.relpath(folder), name


def _no_options(path: str, named: Mapping[str, Sequence[str | None]], layout: str | None) -> None:
    if named or layout is not None:
        raise InputError(f"{path}: a workspace is checked against its cluster.yaml",
                         hint="leave out the CAs and --layout")


# row of a CA → the option with the CA's certificate
_OPTIONS = {"ca": "--ca", "etcd-ca": "--etcd-ca", "front-proxy-ca": "--front-proxy-ca"}


def _given(row: str, ca: str | None, ca_key: str | None) -> tuple[Sequence[Certificate],
                                                                  bytes | None]:
    """The certificates of a CA, and its key's public half (DER), None without a readable key."""
    option = _OPTIONS[row]
    if ca is None:
        raise InputError(f"{ca_key}: not the key of a CA that {option} names",
                         hint=f"{option} CERT {option}-key KEY: the two halves of one CA")
    data = files.read(ca)
    with about(ca):
        certificates = load_trusted_bundle(data)
    if ca_key is not None and is_in_token(ca_key):
        raise InputError(f"{ca_key}: check takes a key in a file, not in a token",
                         hint=f"leave out {option}-key: the commands then ask the CA for a "
                              "signature, which kpki node sign gives with the token")
    key = None if ca_key is None else find_sound_key(files.read(ca_key))
    public_key = None if key is None else public_key_der(key)
    if public_key \
        and not any(has_public_key(certificate, public_key) for certificate in certificates):
        raise InputError(f"{ca_key}: not the key of {ca}",
                         hint=f"{option} CERT {option}-key KEY: the two halves of one CA")
    return certificates, public_key
