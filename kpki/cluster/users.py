"""One kubeconfig: for a row of the cluster or for any user, with a new pair in it or with files that are there."""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .authority import (DAYS, Authority, Passphrase, check_algorithm, day, issue, key_fault, lasting, load_bundle,
                        make_key, plain_key, read_authority, trusted_bundle)
from .desired.description import DEFAULT_NAME
from .desired.rows import NODES_FOLDER, Row, Wanted, blank_kubeconfig, layout_of
from .workspace import DESCRIPTION, authority_paths, is_there, read_cluster
from .. import files, pem
from ..errors import FileError, InputError, RefusedError, about
from ..kubernetes import reading
from ..kubernetes.kubeconfig import Kubeconfig, Material, check_server, dump_kubeconfig, load_kubeconfig
from ..kubernetes.layouts import KUBEADM, LAYOUTS
from ..kubernetes.profiles import MASTERS_GROUP, Identity, Profile
from ..stages import keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from .desired.description import Cluster
    from ..files.tree import Action

LONGEST = 64    # a commonName's and an organizationName's upper bound (RFC 5280, appendix A.1)
KUBELET = "kubelet"     # the word for the kubelet's row, which each layout names for what else it is used as
ROW_NAMES = frozenset({KUBELET}).union(
    place.row for layout in LAYOUTS for place in layout.places if place.kubeconfig)
_SOURCE = "https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates"
GivenFile = tuple[str, bytes]       # a file's path and what it holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who a kubeconfig is for: what its certificate says (*profile*, *identity*), the *names* and the server in it.

    *path* is where a workspace keeps it, "" for a user whom the description does not know.
    """

    profile: Profile
    identity: Identity
    names: Kubeconfig
    path: str = ""


def user_kubeconfig(authority: Authority, *, user: str, groups: Sequence[str] = (), server: str, cluster_name: str,
                    validity: timedelta, algorithm: str | None = None, now: datetime, warnings: list[str]) -> bytes:
    """The kubeconfig of a *user* (CN) in *groups* (O), with a new client pair and the CA in it.

    *server* is the API server's URL, *algorithm* a name of ALGORITHMS (None: the CA's), *validity* counts from *now*
    and is cut to the CA's end. Lines for a person are added to *warnings*. Raises InputError for a user, a group or a
    server that cannot be one.
    """
    account = user_account(user, groups, server=server, cluster_name=cluster_name)
    return issued_kubeconfig(authority, account, validity=validity, algorithm=algorithm, now=now, warnings=warnings)


def user_account(user: str, groups: Sequence[str] = (), *, server: str, cluster_name: str) -> Account:
    """Any user in any groups. Raises InputError for what cannot be a CN, an O or an API server's URL."""
    identity = Identity(_check_name(user, "user", "CN"),
                        tuple(dict.fromkeys(_check_name(group, "group", "O") for group in groups)))
    profile = Profile(name=user, signer="ca", common_name=user, organizations=identity.groups, usages=("clientAuth",),
                      source=_SOURCE)
    return Account(profile=profile, identity=identity,
                   names=blank_kubeconfig(KUBEADM, cluster_name, user, check_server(server)))


def _check_name(name: str, what: str, field: str) -> str:
    if not name:
        raise InputError(f"the {what} has no name: it is empty, and a certificate's {field} is not")
    if len(name) > LONGEST:
        raise InputError(f"{what} {name[:20]!r}… has {len(name)} characters, over the {LONGEST} that a certificate's "
                         f"{field} can have")
    if bad := next((one for one in name if not (one.isascii() and one.isprintable())), None):
        raise InputError(f"{what} {name!r} has the character U+{ord(bad):04X} in it, and kpki writes printable ASCII "
                         f"into a certificate's {field}")
    return name


def row_account(cluster: Cluster, name: str, node: str | None = None) -> Account:
    """A row of the cluster that has a kubeconfig (*name* is of ROW_NAMES), on the host *node*.

    Without a host: the workspace's own admin, else the first host's that has the row; a kubelet's is always one host's.
    Raises InputError for a row that the layout or the host has not, and for a host that is not there.
    """
    wanted, layout = Wanted(cluster), layout_of(cluster)
    row_name = layout.kubelet.row if name == KUBELET else name
    if row_name == layout.kubelet.row and node is None:
        raise InputError("whose kubelet? each node has its own kubeconfig", hint="--node NAME")
    if not any(place.row == row_name and place.kubeconfig for place in layout.places):
        raise InputError(f"layout {layout.name} has no kubeconfig for {name}",
                         hint="any user can have one: kpki kubeconfig USER --group GROUP")
    if node is None:
        # the first host of each kind is enough, for hosts with the same roles hold the same rows
        hosts = {host.roles: host for host in reversed(cluster.hosts)}.values()
        tables = (wanted.of_workspace(), *map(wanted.of_host, sorted(hosts, key=cluster.hosts.index)))
    else:
        tables = (wanted.of_host(cluster.host(node)),)
    for row in (row for table in tables for row in table):
        if row.name == row_name and row.kubeconfig is not None:
            return _account_of(row, row.kubeconfig)
    raise InputError(f"{node} holds no kubeconfig for {name}" if node else f"no node holds a kubeconfig for {name}",
                     hint="which node holds what hangs on its roles in cluster.yaml")


def _account_of(row: Row, names: Kubeconfig) -> Account:
    tree = f"{NODES_FOLDER}/{row.host}/" if row.host else ""
    return Account(profile=row.profile, identity=row.identity, names=names, path=tree + row.place.kubeconfig)


def cluster_server(cluster: Cluster) -> str:
    """The URL under which people reach the cluster."""
    return Wanted(cluster).server()


def issued_kubeconfig(authority: Authority, account: Account, *, validity: timedelta, algorithm: str | None,
                      now: datetime, warnings: list[str]) -> bytes:
    """An account's kubeconfig with the CA and a new pair in it; see `user_kubeconfig` for the rest."""
    key = make_key(algorithm or authority.algorithm)
    certificate = issue(authority, account.profile, account.identity, key, validity=validity, now=now,
                        warnings=warnings)
    warnings += _group_warnings(account.identity.groups)
    return _with(account, Material(data=authority.bundle), Material(data=pem.dump_certificate(certificate)),
                 Material(data=pem.dump_key(key, form="traditional")))


def _with(account: Account, authority: Material, certificate: Material, key: Material) -> bytes:
    return dump_kubeconfig(replace(account.names, authority=authority, certificate=certificate, key=key))


def _group_warnings(groups: Sequence[str]) -> list[str]:
    """What a person ought to know of the groups before they are given away."""
    if MASTERS_GROUP not in groups:
        return []
    return [f"{MASTERS_GROUP} bypasses authorization, whatever RBAC says, and a certificate cannot be revoked: this "
            "one works until it ends or the CA is replaced"]


def given_kubeconfig(account: Account, *, ca: GivenFile, certificate: GivenFile, key: GivenFile, folder: str | None,
                     now: datetime, warnings: list[str]) -> bytes:
    """An account's kubeconfig for a pair that is there: the files and the CA's named by their paths, or put in it.

    *folder* is where relative paths start, absolute itself; with None the files are put in.
    Raises InputError for what client-go cannot read, RefusedError for what is no pair or what the API server would not
    take: another CA's certificate, one that has ended or is for servers alone.
    """
    with about(ca[0]):
        authorities = trusted_bundle(ca[1])
    with about(certificate[0]):
        leaf = load_bundle(certificate[1])[0]
    with about(key[0]):
        public_key = keys.public_key_der(_plain_key(key[1]))
    if not reading.certifies(leaf, public_key):
        raise RefusedError(f"{certificate[0]} and {key[0]} are no pair: the certificate is for another key")
    with about(certificate[0]):
        if not any(reading.ca_fault(one) is None and reading.signed_by(leaf, one) for one in authorities):
            raise RefusedError(f"not signed by the CA in {ca[0]}", hint="the API server takes that CA's clients alone")
        if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
            raise RefusedError(f"valid from {day(leaf.not_valid_before_utc)} to {day(leaf.not_valid_after_utc)} only")
        if not reading.usable_for(leaf, "clientAuth"):
            raise RefusedError("not a client's certificate: its extendedKeyUsage lacks clientAuth")
    subject, wanted = reading.certificate_subject(leaf), account.identity
    if subject.user != wanted.user or not {*wanted.groups} <= {*subject.groups}:
        warnings.append(f"{certificate[0]}: to the API server it is {_who(subject.user, subject.groups)}, "
                        f"not {_who(wanted.user, wanted.groups)}")
    warnings += _group_warnings(subject.groups)
    authority, leaf_material, key_material = (
        Material(data=data) if folder is None else Material(_nameable(os.path.normpath(os.path.join(folder, path))))
        for path, data in (ca, certificate, key))
    return _with(account, authority, leaf_material, key_material)


def _plain_key(data: bytes) -> PrivateKeyTypes:
    """A key that client-go can use: it asks for no passphrase, and knows RSA and three curves."""
    key = plain_key(data)
    if fault := key_fault(key.public_key()):
        raise RefusedError(fault)
    return key


def _nameable(path: str) -> str:
    if not path.isprintable():
        raise InputError(f"{path!r}: a kubeconfig cannot name a file whose name cannot be seen",
                         hint="--embed-certs puts the file itself in")
    return path


def _who(user: str, groups: Sequence[str]) -> str:
    return repr(user) + (f" in {', '.join(map(repr, groups))}" if groups else " in no group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person wants in a kubeconfig; None, and nothing, is what the workspace or the CA says."""

    user: str
    """A row of the workspace, or any user's name."""
    groups: Sequence[str] = ()
    """The user's groups; with one of them *user* is never a row."""
    node: str | None = None
    """The host whose row it is."""
    server: str | None = None
    """The API server's URL."""
    ca: str | None = None
    """The path of the CA's certificate."""
    ca_key: str | None = None
    """The path of the CA's key."""
    workspace: str | None = None
    """The folder with cluster.yaml; None is the current folder, if it has one."""
    days: int | None = None
    """How long a new certificate is valid."""
    algorithm: str | None = None
    """The algorithm of a new key, a name of ALGORITHMS."""
    certificate: str | None = None
    """The path of a client's certificate that is there."""
    key: str | None = None
    """The path of that certificate's key."""
    embed: bool = False
    """Whether that pair is put in; else the document names the files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A kubeconfig, and how it came about."""

    account: Account
    """Whose it is."""
    document: bytes
    """The kubeconfig itself."""
    paths: tuple[str, ...]
    """The files behind it: the workspace's own document; the CA's and the pair's; or the CA's and its key's."""
    authority: Authority | None = None
    """The CA that issued a new pair; None if there is no new pair."""
    algorithm: str = ""
    """The algorithm of the new key."""
    validity: timedelta = timedelta()
    """How long the new certificate is to be valid."""


def kubeconfig_of(order: Order, *, passphrase: Passphrase, now: datetime, host_name: str, here: str,
                  warnings: list[str]) -> Answer:
    """The kubeconfig that a person wants: the workspace's own, one for a pair that is there, or one with a new pair.

    *here* is the current folder, absolute: paths that the document names start there. Raises InputError for an order
    that contradicts itself or lacks something, FileError for a file that is not there.
    """
    pair = _given_pair(order)
    validity = lasting(DAYS if order.days is None else order.days)
    if order.algorithm is not None:
        check_algorithm(order.algorithm)
    folder, cluster = _workspace(order.workspace, host_name)
    account = _account(order, cluster)
    said = (order.server, order.ca, order.ca_key, order.days, order.algorithm)
    present = _present(folder, account.path) if not pair and all(value is None for value in said) else None
    if present is not None:
        return Answer(account=account, document=present, paths=(os.path.join(folder, account.path),))
    if pair:
        paths = (_authority_paths(order, cluster, folder, signs=False)[0], *pair)
        ca, certificate, key = ((path, files.read(path)) for path in paths)
        document = given_kubeconfig(account, ca=ca, certificate=certificate, key=key, now=now,
                                    folder=None if order.embed else here, warnings=warnings)
        return Answer(account=account, document=document, paths=paths)
    algorithm = order.algorithm
    if cluster is not None:
        validity, algorithm = cluster.validity if order.days is None else validity, algorithm or cluster.algorithm
    paths = _authority_paths(order, cluster, folder, signs=True)
    authority = read_authority(*paths, passphrase=passphrase, now=now)
    document = issued_kubeconfig(authority, account, validity=validity, algorithm=algorithm, now=now, warnings=warnings)
    return Answer(account=account, document=document, paths=paths, authority=authority,
                  algorithm=algorithm or authority.algorithm, validity=validity)


def write_kubeconfig(path: str, document: bytes, *, warnings: list[str]) -> Action:
    """Write a kubeconfig to a file, mode 0600; what was done. Raises InputError if another document would be lost."""
    entry = files.look_at(path)
    present = files.read(path) if entry.kind == "file" else b""
    if present and present != document:
        raise InputError(f"{path}: it is there already, and is not overwritten",
                         hint="another name, or remove it first")
    if present and not entry.mode & 0o077:
        return "keep"
    files.write_output(path, document, private=True, warnings=warnings)
    return "replace" if present else "create"


def _given_pair(order: Order) -> tuple[str, ...]:
    """The files of a pair that is there, none if a pair is to be made."""
    given = tuple(path for path in (order.certificate, order.key) if path is not None)
    if len(given) == 1:
        raise InputError("a pair is a certificate and its key", hint="--client-certificate FILE --client-key FILE")
    if given and (order.days is not None or order.algorithm is not None):
        raise InputError("--days and --algorithm are for a pair that is made, and --client-certificate names one",
                         hint="leave out the one or the other")
    return given


def _workspace(folder: str | None, host_name: str) -> tuple[str, Cluster | None]:
    """The workspace that is named, else this folder, if it is one."""
    here = folder if folder is not None else os.curdir
    if folder is None and files.look(here, DESCRIPTION).kind == "missing":
        return "", None
    return "" if here == os.curdir else here, read_cluster(here, host_name=host_name)


def _account(order: Order, cluster: Cluster | None) -> Account:
    """Whose kubeconfig it is: a row's, or any user's."""
    user, server = order.user, order.server
    is_row = user in ROW_NAMES and not order.groups
    if is_row and cluster is not None:
        account = row_account(cluster, user, order.node)
        return account if server is None else replace(
            account, names=replace(account.names, server=check_server(server)))
    if is_row:
        raise InputError(f"{user} is a row of a workspace, and there is no cluster.yaml to say what is in it",
                         hint="--workspace DIR; or --group G, and it is a user of that name")
    if order.node is not None:
        raise InputError(f"--node says which host's row is meant, and {user!r} is a user's name",
                         hint=f"the rows: {', '.join(sorted(ROW_NAMES))}, without --group")
    if server is None and cluster is None:
        raise InputError("nothing tells the API server's URL",
                         hint="--server https://ADDRESS:6443, or --workspace DIR")
    server = cluster_server(cluster) if cluster is not None and server is None else server
    return user_account(user, order.groups, server=server or "", cluster_name=cluster.name if cluster else DEFAULT_NAME)


def _present(folder: str, path: str) -> bytes | None:
    """The document that the workspace holds, None if there is none. Raises InputError for one that is broken."""
    if not path or files.look(folder or os.curdir, path).kind == "missing":
        return None
    place = os.path.join(folder, path)
    data = files.read(place)
    try:
        with about(place):
            load_kubeconfig(data)
    except InputError as error:
        raise InputError(error.message, hint="kpki apply puts it right") from None
    return data


def _authority_paths(order: Order, cluster: Cluster | None, folder: str, *, signs: bool) -> tuple[str, str]:
    """The CA's files, those named, else the workspace's; the key's "" unless it is to sign."""
    ca, ca_key = order.ca, order.ca_key
    if ca is None:
        if cluster is None:
            raise InputError("no CA: its certificate and its key are needed",
                             hint="--ca CERT --ca-key KEY, or --workspace DIR")
        ca, key = authority_paths(cluster, folder)
        ca_key = ca_key or key
    if signs and ca_key is None:
        raise InputError("no CA key, and a pair is to be issued",
                         hint="--ca-key KEY; or --client-certificate and --client-key, if there is a pair")
    found = (ca, ca_key or "") if signs else (ca, "")
    for path in found:
        if cluster is not None and path and not is_there(path):
            raise FileError(f"{path}: the CA's file is not there",
                            hint="kpki apply makes the CA; for one kept elsewhere: --ca CERT --ca-key KEY")
    return found
