"""`kpki renew --ca`: new dates for the CAs of a workspace, or of a host that holds their keys."""
from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from .authority_renewal import RenewedAuthority, Spread, grouped, renewed_authority, spread
from .renew import (
    Order,
    Renewal,
    TreeRenewal,
    TreeResult,
    renew_trees,
    restarts_of,
    steps_of,
    summed,
    validate_names,
    waiting_of,
)
from .trees import (
    CA_ROWS,
    authorities_of_host,
    authorities_of_workspace,
    hosts_with_trees,
    pairs_of_users,
    processes_of,
    read_tree,
    read_users,
    used_pairs,
)
from ..authority import Authority, Passphrase, load_bundle
from ..desired.description import GIVEN_NAMES, Cluster
from ..node.installation import HOST_BACKUP, LOCK
from ..observed.contents import read_certificates
from ..observed.hosts import inventory_of
from ..observed.inventory import Inventory, require
from ..observed.restarts import restart_commands
from ..observed.uses import read_host
from ..plan.host_plan import Waiting
from ..rules.facts import signing_pairs_of, trust_files_of
from ..workspace import (
    authority_paths,
    is_there,
    locked,
    observe_workspace_file,
    read_cluster,
)
from ... import files
from ...errors import about
from ...kubernetes import reading
from ...kubernetes.layouts import FOLDER_MODE, WORKSPACE
from ...kubernetes.profiles import get_profile
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate


def renew_host_authorities(root: str, order: Order, *, passphrase: Passphrase, now: datetime,
                           warnings: list[str]) -> Renewal:
    """Renew CAs of a host, and write all copies of their certificates on the host anew.

    A CA whose newest certificate need not be renewed replaces its older copies, also without the
    key: so a host gets a certificate that another host has made. Parameters, backup and errors are
    those of `renew_host`.
    """
    inventory = require(inventory_of(root, read_host(root)))
    at_hand = authorities_of_host(inventory, passphrase, order.keys)
    found = [*_of_host(inventory, at_hand, now)]
    validate_names(order, {row for rows, _, _ in found for row in rows}, root, "CA")
    targets, waiting = _targets(found, at_hand, order, now)

    def change() -> Spread:
        return spread(inventory, used_pairs(inventory), targets, now=now, validity=None,
                      warnings=warnings)

    done = change()
    if done.files:      # a host without older copies gets no lock
        with files.lock(root, LOCK, now=now, folder_mode=FOLDER_MODE):
            # another run may have written while this one waited
            inventory = require(inventory_of(root, read_host(root)))
            done = change()
            files.replace_tree(root, done.files, folder_mode=FOLDER_MODE, backup=HOST_BACKUP,
                               now=now, warnings=warnings)
    result = _result(None, done, tuple(restart_commands(inventory, done.rows.keys())))
    return summed([result._replace(waiting=(*waiting, *result.waiting))])


def renew_workspace_authorities(folder: str, order: Order, *, passphrase: Passphrase,
                                now: datetime, host_name: str, warnings: list[str],
                                processes: int | None = None) -> Renewal:
    """Renew CAs of a workspace, and every copy of their certificates in it.

    The description's caCertificateValidityPeriod counts. The workspace's own files come first, then
    batches of hosts, each completely or not at all. Files of CAs that the description names stay.
    Parameters, backup and errors are those of `renew_workspace`.
    """
    with locked(folder, now):
        cluster = read_cluster(folder, host_name=host_name)
        at_hand = authorities_of_workspace(cluster, folder, passphrase, order.keys)
        found = [*_of_workspace(cluster, folder, at_hand, now)]
        validate_names(order, {row for rows, _, _ in found for row in rows}, folder, "CA")
        targets, waiting = _targets(found, at_hand, order, now, cluster)

        def renew_tree(host: str | None, said: list[str]) -> TreeRenewal:
            inventory = _own_files(folder) if host is None else read_tree(cluster, folder, host)
            pairs = pairs_of_users(inventory) if host is None else used_pairs(inventory)
            found = spread(inventory, pairs, targets, now=now, validity=cluster.validity,
                           warnings=said)
            return found.files, _result(host, found, tuple(restarts_of(cluster, host, found.rows)))

        hosts = hosts_with_trees(cluster, folder) if targets else []
        done = renew_trees(folder, hosts, renew_tree, now=now, warnings=warnings,
                           processes=processes_of(at_hand, processes))
    return summed([TreeResult(None, (), 0, tuple(waiting), ()), *done])


def _own_files(folder: str) -> Inventory:
    """The certificates of the workspace's own CAs, and its users' kubeconfigs."""
    users = read_users(folder)
    own = [WORKSPACE.place(row).certificate for row in CA_ROWS]
    return replace(users, found={**{path: observe_workspace_file(folder, path) for path in own},
                                 **users.found})


def _result(host: str | None, found: Spread, restarts: tuple[str, ...]) -> TreeResult:
    steps = steps_of(host, found.files, found.rows)
    return TreeResult(host, steps, 0, waiting_of(host, found.waiting), restarts if steps else (),
                      found.authorities, tuple(pair.path for pair in found.reissued), found.ending)


# A CA: its rows, its newest certificate, and a path of the certificate.
_Found = tuple[tuple[str, ...], "Certificate", str]


def _of_host(inventory: Inventory, at_hand: Sequence[Authority],
             now: datetime) -> Iterator[_Found]:
    """The CAs of a host: their keys are at hand, or they have signed a pair of the host."""
    paths: dict[tuple[str, Certificate], str] = {}
    for pair in signing_pairs_of(inventory):
        paths |= {(pair.row, certificate): pair.path for certificate in pair.chain}
    for file in trust_files_of(inventory):
        if file.row:
            paths |= {(file.row, certificate): file.path for certificate in file.certificates}
    for place in inventory.layout.places:
        if get_profile(place.row).kind == "ca":
            there = inventory.file(place.certificate)
            paths |= {(place.row, certificate): place.certificate
                      for certificate in read_certificates(there, place.row)[0]}
    pairs = used_pairs(inventory)
    for rows, certificate in grouped(paths, now):
        if _key_of(certificate, at_hand) or any(reading.is_signed_by(pair.chain[0], certificate)
                                                for pair in pairs):
            yield rows, certificate, next(path for (_, known), path in paths.items()
                                          if known == certificate)


def _of_workspace(cluster: Cluster, folder: str, at_hand: Sequence[Authority],
                  now: datetime) -> Iterator[_Found]:
    """The CAs of a workspace; of a bundle the certificate that matches the key, else the first."""
    for row in CA_ROWS:
        own, given = WORKSPACE.place(row).certificate, authority_paths(cluster, folder, row)[0]
        places = dict.fromkeys((given, os.path.join(folder, own)))
        groups = grouped(((row, certificate) for place in places if is_there(place)
                          for certificate in _certificates(place)), now)
        keyed = [group for group in groups if _key_of(group[1], at_hand)]
        for rows, certificate in (keyed or groups)[:1]:
            yield rows, certificate, os.path.relpath(given, folder)


def _certificates(path: str) -> Sequence[Certificate]:
    with about(path):
        return load_bundle(files.read(path))


def _key_of(certificate: Certificate, at_hand: Sequence[Authority]) -> PrivateKeyTypes | None:
    """The private key of a CA, None if the key is not at hand."""
    return next((authority.key for authority in at_hand
                 if reading.has_public_key(certificate, public_key_der(authority.key))), None)


def _targets(found: Sequence[_Found], at_hand: Sequence[Authority], order: Order, now: datetime,
             cluster: Cluster | None = None) -> tuple[list[RenewedAuthority], list[Waiting]]:
    """The certificate that all copies of each CA become, and the CAs that wait."""
    targets, waiting = list[RenewedAuthority](), list[Waiting]()
    for rows, certificate, path in found:
        target = RenewedAuthority(rows[0], certificate, _key_of(certificate, at_hand))
        if order.wants(certificate, now, *rows):
            if cluster and GIVEN_NAMES[rows[0]] in cluster.authorities:
                needs = "new dates in its own place: kpki replaces no file of the description"
            elif target.key is None or not reading.is_named_issuer(certificate, certificate):
                needs = f"the key of {reading.issuer_text(certificate)}"
            else:
                needs, length = "", cluster.ca_validity if cluster else None
                target = target._replace(
                    former_end=certificate.not_valid_after_utc, certificate=renewed_authority(
                        certificate, target.key, now=now, validity=length))
            if needs:
                waiting.append(Waiting(None, path, rows[0], needs))
        targets.append(target)
    return targets, waiting
