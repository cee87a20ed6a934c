"""A kubeconfig for a row of the cluster or for any user, with a new or an existing pair."""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .authority import (
    DAYS,
    Authority,
    Passphrase,
    day,
    find_key_fault,
    issue,
    lasting,
    load_bundle,
    load_plain_key,
    load_trusted_bundle,
    make_key,
    validate_algorithm,
)
from .authority_source import read_authority
from .desired.description import DEFAULT_NAME
from .desired.rows import Row, Wanted, blank_kubeconfig, layout_of, tree_prefix
from .desired.token import is_in_token
from .kubeconfig_order import KubeconfigOrder as KubeconfigOrder  # noqa: PLC0414 - exported again
from .workspace import DESCRIPTION, authority_paths, is_there, read_cluster
from .. import files, pem
from ..errors import FileError, InputError, RefusedError, about
from ..kubernetes import reading
from ..kubernetes.kubeconfig import (
    Kubeconfig,
    Material,
    dump_kubeconfig,
    load_kubeconfig,
    validate_server,
)
from ..kubernetes.layouts import KUBEADM, LAYOUTS
from ..kubernetes.profiles import MASTERS_GROUP, Identity, Profile
from ..stages import keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from .desired.description import Cluster
    from ..files.tree import Action

# A commonName's and an organizationName's upper bound (RFC 5280, appendix A.1).
LONGEST_SUBJECT = 64
KUBELET = "kubelet"     # stands for the kubelet's row, whose name differs between layouts
ROW_NAMES = frozenset({KUBELET}).union(
    place.row for layout in LAYOUTS for place in layout.places if place.kubeconfig)
_SOURCE = ("https://kubernetes.io/docs/reference/access-authn-authz/authentication/"
           "#x509-client-certificates")
GivenFile = tuple[str, bytes]       # a file's path and its content


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The owner of a kubeconfig."""

    profile: Profile
    """The profile of the owner's certificate."""
    identity: Identity
    """The owner's user name and groups."""
    names: Kubeconfig
    """The kubeconfig's names and server, without CA and pair."""
    path: str = ""
    """The path of the kubeconfig in a workspace, "" for a user who is not in the description."""


def user_kubeconfig(authority: Authority, *, user: str, groups: Sequence[str] = (), server: str,
                    cluster_name: str, validity: timedelta, algorithm: str | None = None,
                    now: datetime, warnings: list[str]) -> bytes:
    """The kubeconfig of a *user* (CN) in *groups* (O), with a new client pair and the CA in it.

    *server* is the API server's URL, *algorithm* a name of ALGORITHMS (None: the CA's). *validity*
    counts from *now* and is cut to the CA's end. Warnings for a person are added to *warnings*.
    Raises InputError for an invalid user, group or server.
    """
    account = user_account(user, groups, server=server, cluster_name=cluster_name)
    return issued_kubeconfig(authority, account, validity=validity, algorithm=algorithm, now=now,
                             warnings=warnings)


def user_account(user: str, groups: Sequence[str] = (), *, server: str,
                 cluster_name: str) -> Account:
    """The account of any user in any groups.

    Raises InputError for an invalid CN, O or API server's URL.
    """
    identity = Identity(_valid_name(user, "user", "CN"),
                        tuple(dict.fromkeys(_valid_name(group, "group", "O") for group in groups)))
    profile = Profile(name=user, signer="ca", common_name=user, organizations=identity.groups,
                      usages=("clientAuth",), source=_SOURCE)
    return Account(profile=profile, identity=identity,
                   names=blank_kubeconfig(KUBEADM, cluster_name, user, validate_server(server)))


def _valid_name(name: str, noun: str, field: str) -> str:
    """Return *name*. Raises InputError for a name that kpki writes into no certificate."""
    if not name:
        raise InputError(f"the {noun} has no name: the {field} of a certificate cannot be empty")
    if len(name) > LONGEST_SUBJECT:
        raise InputError(f"{noun} {name[:20]!r}… has {len(name)} characters, over the "
                         f"{LONGEST_SUBJECT} that a certificate's {field} can have")
    if bad := next((character for character in name
                    if not (character.isascii() and character.isprintable())), None):
        raise InputError(f"{noun} {name!r} has the character U+{ord(bad):04X} in it, and kpki "
                         f"writes printable ASCII into a certificate's {field}")
    return name


def row_account(cluster: Cluster, name: str, node: str | None = None) -> Account:
    """The account of a row with a kubeconfig (*name* is of ROW_NAMES) on the host *node*.

    Without *node*: the workspace's own admin, else the first host with the row; a kubelet's row
    needs *node*. Raises InputError for a row that the layout or the host lacks, and for an unknown
    host.
    """
    wanted, layout = Wanted(cluster), layout_of(cluster)
    row_name = layout.kubelet.row if name == KUBELET else name
    if row_name == layout.kubelet.row and node is None:
        raise InputError("the kubelet of each node has its own kubeconfig, and no node is named",
                         hint="--node NAME")
    if not any(place.row == row_name and place.kubeconfig for place in layout.places):
        raise InputError(f"layout {layout.name} has no kubeconfig for {name}",
                         hint="any user can have one: kpki kubeconfig USER --group GROUP")
    if node is None:
        # the first host of each kind is enough, for hosts with the same roles hold the same rows
        hosts = {host.roles: host for host in reversed(cluster.hosts)}.values()
        first = sorted(hosts, key=cluster.hosts.index)
        tables = (wanted.of_workspace(), *map(wanted.of_host, first))
    else:
        tables = (wanted.of_host(cluster.host(node)),)
    for row in (row for table in tables for row in table):
        if row.name == row_name and row.kubeconfig is not None:
            return _account_of(row, row.kubeconfig)
    raise InputError(f"{node} holds no kubeconfig for {name}" if node
                     else f"no node holds a kubeconfig for {name}",
                     hint="a node's roles in cluster.yaml decide which kubeconfigs the node holds")


def _account_of(row: Row, names: Kubeconfig) -> Account:
    return Account(profile=row.profile, identity=row.identity, names=names,
                   path=tree_prefix(row.host) + row.place.kubeconfig)


def cluster_server(cluster: Cluster) -> str:
    """The cluster's URL for people."""
    return Wanted(cluster).server()


def issued_kubeconfig(authority: Authority, account: Account, *, validity: timedelta,
                      algorithm: str | None, now: datetime, warnings: list[str]) -> bytes:
    """An account's kubeconfig with the CA and a new pair; parameters as `user_kubeconfig`."""
    key = make_key(algorithm or authority.algorithm)
    certificate = issue(authority, account.profile, account.identity, key, validity=validity,
                        now=now, warnings=warnings)
    warnings += _group_warnings(account.identity.groups)
    return _with(account, Material(data=authority.bundle),
                 Material(data=pem.dump_certificate(certificate)),
                 Material(data=pem.dump_key(key, form="traditional")))


def _with(account: Account, authority: Material, certificate: Material, key: Material) -> bytes:
    document = replace(account.names, authority=authority, certificate=certificate, key=key)
    return dump_kubeconfig(document)


def _group_warnings(groups: Sequence[str]) -> list[str]:
    """A warning for a group that bypasses authorization."""
    if MASTERS_GROUP not in groups:
        return []
    return [f"{MASTERS_GROUP} bypasses authorization, whatever RBAC says, and a certificate cannot "
            "be revoked: this certificate works until it expires or the CA is replaced"]


def given_kubeconfig(account: Account, *, ca: GivenFile, certificate: GivenFile, key: GivenFile,
                     folder: str | None, now: datetime, warnings: list[str]) -> bytes:
    """An account's kubeconfig for an existing pair and CA, which it names by their paths or embeds.

    Relative paths start at *folder*, an absolute path; with None the files are embedded. Raises
    InputError for a file that client-go cannot read, RefusedError for files that are no pair.
    Raises RefusedError for a certificate that the API server refuses: another CA's, an expired one,
    a server's.
    """
    with about(ca[0]):
        authorities = load_trusted_bundle(ca[1])
    with about(certificate[0]):
        leaf = load_bundle(certificate[1])[0]
    with about(key[0]):
        public_key = keys.public_key_der(_load_plain_key(key[1]))
    if not reading.has_public_key(leaf, public_key):
        raise RefusedError(f"{certificate[0]} and {key[0]} are no pair: the certificate is for "
                           "another key")
    with about(certificate[0]):
        if not any(reading.find_ca_fault(authority) is None
                   and reading.is_signed_by(leaf, authority) for authority in authorities):
            raise RefusedError(f"not signed by the CA in {ca[0]}",
                               hint="the API server accepts clients of its own CA only")
        if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
            raise RefusedError(f"valid from {day(leaf.not_valid_before_utc)} to "
                               f"{day(leaf.not_valid_after_utc)} only")
        if not reading.usable_for(leaf, "clientAuth"):
            raise RefusedError("not a client's certificate: the extendedKeyUsage lacks clientAuth")
    subject, wanted = reading.certificate_subject(leaf), account.identity
    if subject.user != wanted.user or not {*wanted.groups} <= {*subject.groups}:
        warnings.append(f"{certificate[0]}: the API server sees user "
                        f"{_who(subject.user, subject.groups)}, not "
                        f"{_who(wanted.user, wanted.groups)}")
    warnings += _group_warnings(subject.groups)
    authority, leaf_material, key_material = (
        Material(data=data) if folder is None
        else Material(_nameable(os.path.normpath(os.path.join(folder, path))))
        for path, data in (ca, certificate, key))
    return _with(account, authority, leaf_material, key_material)


def _load_plain_key(data: bytes) -> PrivateKeyTypes:
    """A key that client-go can use: without a passphrase, RSA or on one of three curves."""
    key = load_plain_key(data)
    if fault := find_key_fault(key.public_key()):
        raise RefusedError(fault)
    return key


def _nameable(path: str) -> str:
    if not path.isprintable():
        raise InputError(f"{path!r}: a kubeconfig cannot name a file whose name cannot be printed",
                         hint="--embed-certs embeds the file itself")
    return path


def _who(user: str, groups: Sequence[str]) -> str:
    return repr(user) + (f" in {', '.join(map(repr, groups))}" if groups else " in no group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A kubeconfig, and the files and CA behind it."""

    account: Account
    """The kubeconfig's owner."""
    document: bytes
    """The kubeconfig itself."""
    paths: tuple[str, ...]
    """The files behind the document: the workspace's kubeconfig, or the CA with pair or key."""
    authority: Authority | None = None
    """The CA that issued a new pair; None if there is no new pair."""
    algorithm: str = ""
    """The algorithm of the new key."""
    validity: timedelta = timedelta()
    """How long the new certificate is valid, if the CA's end does not cut it."""


def kubeconfig_of(order: KubeconfigOrder, *, passphrase: Passphrase, now: datetime,
                  host_name: str, here: str, warnings: list[str]) -> Answer:
    """The kubeconfig that a person wants: the workspace's own, or one with an existing or new pair.

    *here* is the current folder as an absolute path: the document's relative paths start at *here*.
    Raises InputError for an order that contradicts itself or lacks something, FileError for a
    missing file.
    """
    pair = _given_pair(order)
    validity = lasting(DAYS if order.days is None else order.days)
    if order.algorithm is not None:
        validate_algorithm(order.algorithm)
    folder, cluster = _workspace(order.workspace, host_name)
    account = _account(order, cluster)
    wishes = (order.server, order.ca, order.ca_key, order.days, order.algorithm)
    present = _find_present(folder, account.path) if not pair and all(wish is None
                                                                      for wish in wishes) else None
    if present is not None:
        return Answer(account=account, document=present,
                      paths=(os.path.join(folder, account.path),))
    if pair:
        paths = (_authority_paths(order, cluster, folder, signs=False)[0], *pair)
        ca, certificate, key = ((path, files.read(path)) for path in paths)
        document = given_kubeconfig(account, ca=ca, certificate=certificate, key=key, now=now,
                                    folder=None if order.embed else here, warnings=warnings)
        return Answer(account=account, document=document, paths=paths)
    algorithm = order.algorithm
    if cluster is not None:
        validity = cluster.validity if order.days is None else validity
        algorithm = algorithm or cluster.algorithm
    paths = _authority_paths(order, cluster, folder, signs=True)
    authority = read_authority(*paths, passphrase=passphrase, now=now)
    document = issued_kubeconfig(authority, account, validity=validity, algorithm=algorithm,
                                 now=now, warnings=warnings)
    return Answer(account=account, document=document, paths=paths, authority=authority,
                  algorithm=algorithm or authority.algorithm, validity=validity)


def write_kubeconfig(path: str, document: bytes, *, warnings: list[str]) -> Action:
    """Write a kubeconfig to a file, mode 0600, and return the action.

    Raises InputError for an existing other file.
    """
    entry = files.read_entry_at(path)
    present = files.read(path) if entry.kind == "file" else b""
    if present and present != document:
        raise InputError(f"{path}: a file with other content exists, and is not overwritten",
                         hint=f"name another file, or remove {path} first")
    if present and not entry.mode & 0o077:
        return "keep"
    files.write_output(path, document, private=True, warnings=warnings)
    return "replace" if present else "create"


def _given_pair(order: KubeconfigOrder) -> tuple[str, ...]:
    """The files of the existing pair, none if a new pair is made."""
    given = tuple(path for path in (order.certificate, order.key) if path is not None)
    if len(given) == 1:
        raise InputError("a pair is a certificate and its key",
                         hint="--client-certificate FILE --client-key FILE")
    if given and (order.days is not None or order.algorithm is not None):
        raise InputError("--days and --algorithm are for a new pair, and --client-certificate "
                         "names an existing pair",
                         hint="leave out --days and --algorithm, "
                              "or --client-certificate and --client-key")
    return given


def _workspace(folder: str | None, host_name: str) -> tuple[str, Cluster | None]:
    """The named workspace with its cluster, else the current folder, if it is a workspace."""
    chosen = folder if folder is not None else os.curdir
    if folder is None and files.read_entry(chosen, DESCRIPTION).kind == "missing":
        return "", None
    return "" if chosen == os.curdir else chosen, read_cluster(chosen, host_name=host_name)


def _account(order: KubeconfigOrder, cluster: Cluster | None) -> Account:
    """The kubeconfig's owner: a row, or any user."""
    user, server = order.user, order.server
    is_row = user in ROW_NAMES and not order.groups
    if is_row and cluster is not None:
        account = row_account(cluster, user, order.node)
        if server is None:
            return account
        return replace(account, names=replace(account.names, server=validate_server(server)))
    if is_row:
        raise InputError(f"{user} is a row of a workspace, and there is no cluster.yaml to "
                         "describe the row",
                         hint=f"--workspace DIR; or --group G, for a user with the name {user}")
    if order.node is not None:
        raise InputError(f"--node names the host of a row, and {user!r} is a user's name",
                         hint=f"the rows: {', '.join(sorted(ROW_NAMES))}, without --group")
    if server is None and cluster is None:
        raise InputError("nothing says the API server's URL",
                         hint="--server https://ADDRESS:6443, or --workspace DIR")
    server = cluster_server(cluster) if cluster is not None and server is None else server
    return user_account(user, order.groups, server=server or "",
                        cluster_name=cluster.name if cluster else DEFAULT_NAME)


def _find_present(folder: str, path: str) -> bytes | None:
    """The kubeconfig in the workspace, None if there is none.

    Raises InputError for a broken kubeconfig.
    """
    if not path or files.read_entry(folder or os.curdir, path).kind == "missing":
        return None
    place = os.path.join(folder, path)
    data = files.read(place)
    try:
        with about(place):
            load_kubeconfig(data)
    except InputError as error:
        raise InputError(error.message, hint="kpki apply repairs the file") from None
    return data


def _authority_paths(order: KubeconfigOrder, cluster: Cluster | None, folder: str, *,
                     signs: bool) -> tuple[str, str]:
    """The paths of the CA's certificate and key: the named files, else the workspace's.

    The key's path is "" if the CA does not sign.
    """
    ca, ca_key = order.ca, order.ca_key
    if ca is None:
        if cluster is None:
            raise InputError("no CA: a CA certificate and its key are needed",
                             hint="--ca CERT --ca-key KEY, or --workspace DIR")
        ca, key = authority_paths(cluster, folder)
        ca_key = ca_key or key
    if signs and ca_key is None:
        raise InputError("no CA key, and a new pair needs the CA's signature",
                         hint="--ca-key KEY; or --client-certificate and --client-key for an "
                              "existing pair")
    paths = (ca, ca_key or "") if signs else (ca, "")
    for path in paths:
        if cluster is not None and path and not (is_in_token(path) or is_there(path)):
            raise FileError(f"{path}: the CA's file is missing",
                            hint="kpki apply makes the CA; for a CA in another place: --ca CERT "
                                 "--ca-key KEY")
    return paths
