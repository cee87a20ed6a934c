"""What is wrong with a host's tree that no description speaks of, each fault named once, at its root."""
from __future__ import annotations

import ipaddress
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .judge import judge
from .judged import ca_key_on_worker, exposed, serial_reused
from .certificate import ca_fault
from .context import WITHIN, RowContext
from ..desired.rows import Row
from ..finding import Finding
from ..fleet.survey import serial_mark
from ..observed.contents import read_certificates, read_key
from ..observed.inventory import Found, Inventory, kubeconfig_of, named_path
from ...kubernetes import reading
from ...kubernetes.components import COMPONENTS, KUBELET
from ...kubernetes.layouts import BOOTSTRAP, KUBELET_CURRENT, Place
from ...kubernetes.profiles import find_profile, identity_of
from ...kubernetes.told import ADVERTISED
from ...stages import keys

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

Certificates = Sequence["Certificate"]
_SECRET = re.compile(rb"^ *(client-key-data|token): *\S", re.MULTILINE)      # in a kubeconfig


def check_node(inventory: Inventory, *, node: str, now: datetime, authorities: Certificates | None = None,
               within: timedelta = WITHIN) -> list[Finding]:
    """Everything that is wrong with a host's tree; an empty list, or warnings alone, where its components can work.

    Without a description: what a kubelet needs is wanted, and of any other row that has a file there the rest.
    *node* is whose tree it is, "" where nobody knows; *authorities* are the certificates of the cluster's CA that
    count, None: those in the tree. Raises nothing for what is in the tree.
    """
    rows = rows_there(inventory, node)
    worker = is_worker(row.place for row in rows) and not _may_be_more(inventory)
    return [*check_rows(rows, inventory, node=node, now=now, worker=worker, authorities=authorities, within=within),
            *flag_faults(inventory), *_misled(inventory)]


def check_rows(rows: Sequence[Row], inventory: Inventory, *, node: str, now: datetime, worker: bool,
               authorities: Certificates | None = None, within: timedelta = WITHIN) -> list[Finding]:
    """Everything that is wrong with these rows of a tree, and with the private keys beside them.

    *worker* says that the host is one, so that it may hold no key of a CA.
    """
    look = inventory.look
    own = {row.place.certificate: row.name for row in rows if row.profile.kind == "ca"}
    elected = {name: _elected(name, rows, inventory) for name in {*own.values(), *({"ca"} if authorities else ())}}
    if authorities is not None:
        elected["ca"] = _Elected(authorities, sure=True)
    faulty = {name for name, one in elected.items() if one.certificates
              and all(ca_fault("", name, certificate, now) for certificate in one.certificates)}
    by = RowContext(node=node, now=now, authorities={name: one.certificates for name, one in elected.items()},
                    sure=frozenset(name for name, one in elected.items() if one.sure), faulty=frozenset(faulty),
                    authority_paths=own, forbidden=inventory.layout.authority_keys() if worker else (), within=within)
    judged = {row.place: judge(row, look, by) for row in rows}
    findings = [finding for one in judged.values() for finding in one.findings]
    findings += _reused_serials((row, one.chain[0]) for row in rows if (one := judged[row.place]).chain)
    findings += _other_keys(rows, inventory, by)
    findings = [one for one in findings if _is_sure(one, rows, inventory)]
    return [*{(one.cause, one.path): one for one in reversed(findings)}.values()][::-1]    # a file may be two rows'


def _is_sure(finding: Finding, rows: Sequence[Row], inventory: Inventory) -> bool:
    """Whether nothing that the caller may not read could make a finding untrue: a component may be told another file
    than the one that is missing, and the CA that nobody has seen may have signed what a kubelet serves with."""
    if finding.cause == "kubelet-serving-self-signed":
        return not any(inventory.look(row.place.certificate).unread for row in rows if row.name == "ca")
    if finding.cause != "file-missing" or not inventory.untold:
        return True
    place = next((row.place for row in rows if finding.path in row.place.files()), None)
    readers = {one.name for one in COMPONENTS if finding.row in {row for flag in one.flags for row in flag.rows}}
    return place is None or not inventory.untold & (
        {KUBELET.name} if place in inventory.layout.node_places() else readers)


def _may_be_more(inventory: Inventory) -> bool:
    """Whether a host that looks like a worker may be none, for all that the caller may not read."""
    return any(one.role for one in COMPONENTS if one.name in inventory.untold) or not is_worker(
        place for place in inventory.layout.places if any(inventory.look(path).unread for path in place.files()))


def rows_there(inventory: Inventory, node: str) -> list[Row]:
    """The rows of a tree without a description, each with the least that it must say."""
    layout = inventory.layout
    wanted = {told.path for told in inventory.told.values()}
    there = [place for place in layout.places if any(
        path in wanted or inventory.look(path).there for path in place.files())]
    worker = is_worker(there)
    if worker or _has_kubelet(inventory):
        there = [place for place in layout.places if place in there or place in layout.node_places()]
    if worker:      # a CA's key there is a fault; that its certificate is not beside it is none
        there = [place for place in there if find_profile(place.row).kind != "ca" or place in layout.node_places()
                 or not inventory.look(place.certificate).missing]
    rows = rows_of((_as_it_is(place, inventory, wanted) for place in there), inventory, node)
    current = inventory.look(KUBELET_CURRENT)
    if current.there and current.path not in _named(inventory, layout.places):
        place = Place(row=layout.kubelet.row, certificate=KUBELET_CURRENT, key=KUBELET_CURRENT)
        rows.append(row_of(place, inventory, node))
    return rows


def _has_kubelet(inventory: Inventory) -> bool:
    """Whether a kubelet runs on a host whose other files are a control plane's or etcd's: it is told something, or one
    of its files is there."""
    return any(component == KUBELET.name for component, _ in inventory.told) or any(
        inventory.look(path).there for place in inventory.layout.node_places() for path in place.files())


def _as_it_is(place: Place, inventory: Inventory, wanted: Container[str]) -> Place:
    """A place whose kubeconfig nobody asks for, where its pair lies there alone: a person's, made by hand."""
    alone = place.by_path and place.kubeconfig not in wanted and place != inventory.layout.kubelet \
        and inventory.look(place.kubeconfig).missing and not inventory.look(place.certificate).missing
    return replace(place, kubeconfig="") if alone else place


def rows_of(places: Iterable[Place], inventory: Inventory, node: str) -> list[Row]:
    """The rows of these places, likewise."""
    return [row_of(place, inventory, node) for place in places]


def row_of(place: Place, inventory: Inventory, node: str) -> Row:
    """The row of a place, with the least that it must say."""
    profile = find_profile(place.row)
    dns, addresses = [node] if profile.sans == "node" else [], list[str]()
    if profile.sans == "apiserver":
        dns, addresses = _api_server_names(inventory)
    with_key = profile.kind != "ca" or place.key != "" and (
        not inventory.look(place.key).missing or place.key in {told.path for told in inventory.told.values()})
    return Row(host=node, place=place, profile=profile, with_key=with_key, identity=identity_of(
        profile, node=node, administrators=inventory.layout.administrators, dns=dns, addresses=addresses))


def _api_server_names(inventory: Inventory) -> tuple[list[str], list[str]]:
    """The names and addresses by which the tree's own files reach its API server: the manifest's advertise address, and
    where the components beside it are led to; of several the ones that its certificate has, where it has any."""
    advertised = inventory.told.get(("kube-apiserver", ADVERTISED))
    said = [advertised.value] if advertised else []
    said += (host for _, _, host in _led_to(inventory))
    known = {*said} & {*certified_names(inventory)}
    dns, addresses = ["kubernetes.default.svc"], []
    for word in dict.fromkeys(one for one in said if not known or one in known or advertised and one == said[0]):
        try:
            addresses.append(str(ipaddress.ip_address(word)))
        except ValueError:
            dns.append(word)
    return dns, addresses


def _led_to(inventory: Inventory) -> Iterator[tuple[str, str, str]]:
    """Where the components beside an API server are led to: their row, where it stands, the server's host."""
    for place in inventory.layout.places:
        if place.row in ("kube-controller-manager", "kube-scheduler") \
                and (kubeconfig := kubeconfig_of(inventory.found, place)):
            with suppress(ValueError):
                if host := urlsplit(kubeconfig.server).hostname:
                    yield place.row, f"{place.kubeconfig}#clusters/{kubeconfig.cluster_name}", host


def certified_names(inventory: Inventory) -> tuple[str, ...]:
    """The names and addresses in the API server's certificate, as far as it can be read."""
    places = [place for place in inventory.layout.places if place.row == "apiserver"]
    found = [one for place in places for one in read_certificates(inventory.look(place.certificate), place.row)[0][:1]]
    names = reading.names_of(reading.extensions_of(found[0])) if found else None
    return (*names.dns, *names.addresses) if names else ()


def _misled(inventory: Inventory) -> Iterator[Finding]:
    """Kubeconfigs that lead elsewhere than the others and the API server's certificate say."""
    certified, led = certified_names(inventory), [*_led_to(inventory)]
    if any(host in certified for _, _, host in led):
        yield from (Finding("kubeconfig-broken", where, row, f"it leads to {host}, and the API server's certificate is "
                            "not for that", got=host, expected=", ".join(certified))
                    for row, where, host in led if host not in certified)


def _named(inventory: Inventory, places: Iterable[Place]) -> set[str]:
    """The pairs' files that the kubeconfigs of these places name."""
    return {named_path(place.kubeconfig, material.path) for place in places
            if (kubeconfig := kubeconfig_of(inventory.found, place))
            for material in (kubeconfig.certificate, kubeconfig.key) if material.path}


def is_worker(places: Iterable[Place]) -> bool:
    """Whether a host with files at these places is a worker: none is a control plane's or etcd's."""
    profiles = (find_profile(place.row) for place in places)
    return all(one.kind == "ca" or one.per == "node" or one.name == "admin" for one in profiles)


@dataclass(frozen=True, slots=True)
class _Elected:
    """The certificates that are taken for a CA's; *sure* says that what they signed, or a person, speaks for them."""

    certificates: Certificates
    sure: bool = False


def _elected(name: str, rows: Sequence[Row], inventory: Inventory) -> _Elected:
    """The CA of a row, by the leaves that it signed: of several files, and the kubeconfigs' CA data, the one that most
    of them speak for, else the first."""
    files = [row.place.certificate for row in rows if row.profile.kind == "ca" and row.name == name]
    if any(inventory.look(path).unread for path in files):
        return _Elected(())     # it may be any
    groups: list[Certificates] = [group for path in files
                                  if (group := read_certificates(inventory.look(path), name)[0])]
    leaves, embedded = _leaves(name, rows, inventory)
    groups += embedded if name == "ca" else []
    if not groups:
        return _Elected(())
    votes = [sum(any(_is_from(leaf, ca, leaf_chain) for ca in group) for leaf, *leaf_chain in leaves)
             for group in groups]
    most, held = max(votes), [*_held_keys(name, rows, inventory)]
    own = any(reading.certifies(one, key) for key in held for one in groups[0])
    if not most and not own and (len(leaves) > 1 or any(
            reading.has_signed(key, leaf) for key in held for leaf, *_ in leaves)):
        return _Elected((), sure=True)
    return _Elected(groups[votes.index(most)], sure=most > 0)


def _is_from(leaf: Certificate, ca: Certificate, between: Certificates) -> bool:
    return reading.signed_by(leaf, ca) or any(reading.signed_by(one, ca) for one in between)


def _leaves(name: str, rows: Sequence[Row], inventory: Inventory) -> tuple[list[Certificates], list[Certificates]]:
    """The chains that a CA is to have signed, each once, and the CAs that kubeconfigs embed."""
    chains, embedded = dict[bytes, Certificates](), []
    for row in rows:
        if row.profile.kind != "leaf":
            continue
        sources = [inventory.look(row.place.certificate)] if row.place.certificate else []
        kubeconfig = kubeconfig_of(inventory.found, row.place)
        if kubeconfig and kubeconfig.authority.data is not None:
            embedded.append(read_certificates(Found("", kubeconfig.authority.data), "ca")[0])
        if kubeconfig and kubeconfig.certificate.data is not None:
            sources.append(Found("", kubeconfig.certificate.data))
        for source in sources if row.profile.signer == name else ():
            if chain := read_certificates(source, row.name)[0]:
                chains.setdefault(chain[0].signature, chain)
    return [*chains.values()], [one for one in embedded if one]


def _held_keys(name: str, rows: Sequence[Row], inventory: Inventory) -> Iterator[bytes]:
    """The public halves (DER) of the private keys that lie in the tree as a CA's."""
    for row in rows:
        key = read_key(inventory.look(row.place.key), name)[0] if row.name == name and row.place.key else None
        if key is not None:
            yield keys.public_key_der(key)


def _reused_serials(certificates: Iterable[tuple[Row, Certificate]]) -> Iterator[Finding]:
    """A finding for each certificate whose issuer gave its serial number to another before it."""
    first: dict[bytes, bytes] = {}
    for row, leaf in certificates:
        mark, owner = serial_mark(leaf)
        if row.profile.kind == "leaf" and first.setdefault(mark, owner) != owner:
            yield serial_reused(row, leaf)


def _other_keys(rows: Sequence[Row], inventory: Inventory, by: RowContext) -> Iterator[Finding]:
    """What is wrong with private keys that no row speaks of: others can read them, or they are a CA's, on a worker."""
    spoken = {path for row in rows for path in row.place.files()} | {path for path, _ in by.forbidden}
    spoken |= {KUBELET_CURRENT, *_named(inventory, (row.place for row in rows))}
    for path, found in inventory.found.items():
        if path in spoken or not found.data:
            continue
        if path == BOOTSTRAP:
            yield from exposed(found, "", "the token in it")
        elif _SECRET.search(found.data):
            yield from exposed(found, "", "the key or token in it")
            continue
        if (key := read_key(found, "")[0]) is None:
            continue
        public_key = keys.public_key_der(key)
        if by.forbidden and any(reading.certifies(one, public_key) for one in by.trusted("ca")):
            yield ca_key_on_worker(path, "ca")
        else:
            yield from exposed(found, "")


def flag_faults(inventory: Inventory) -> Iterator[Finding]:
    """What components are told that is not so: files that are not there, and where the kubelet's has another name.

    Nothing is said of a component that a file which the caller may not read may tell otherwise.
    """
    spoken = {path for place in inventory.layout.places for path in place.files()}
    rows = {(one.name, flag.name): flag.rows[0] for one in COMPONENTS for flag in one.flags if flag.rows}
    sure = {key: told for key, told in inventory.told.items() if key[0] not in inventory.untold}
    for (component, name), told in sure.items():
        if (component, name) in rows and component != KUBELET.name and told.path not in spoken \
                and inventory.look(told.path).missing:
            yield Finding("file-missing", told.path, rows[component, name], f"it is not there, and /{told.source} "
                          f"names it for {component} (--{name})")
    held = [(place, True) for place in inventory.layout.places if any(
        inventory.look(path).there for path in place.files())]
    for flag in KUBELET.flags:
        said, own = sure.get((KUBELET.name, flag.name)), flag.path(held).lstrip("/")
        if said and inventory.look(said.path).missing and own and inventory.look(own).there:
            yield Finding("flags-mismatch", said.source, inventory.layout.kubelet.row, f"it names /{said.path} "
                          f"(--{flag.name}), which is not there; /{own} is", got=f"/{said.path}", expected=f"/{own}")
