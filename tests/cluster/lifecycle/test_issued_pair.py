"""issued_pair: what a full read of a pair finds, or nothing."""
from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from cryptography.x509 import Certificate

from kpki import pem
from kpki.cluster.authority import Authority, issue, make_authority, make_key
from kpki.cluster.desired.rows import Row, Wanted
from kpki.cluster.lifecycle.issued_pair import issued_pair
from kpki.cluster.lifecycle.trees import authorities_of_workspace, read_tree
from kpki.cluster.observed.inventory import Inventory
from kpki.cluster.rules.certificate import signer_of
from kpki.cluster.rules.facts import Pair, named_pairs_of, pair_there
from kpki.cluster.workspace import read_cluster
from kpki.kubernetes.layouts import LAYOUT_NAMES
from kpki.kubernetes.profiles import CA
from kpki.stages import der, keys, records

from .test_renew import NOW, made

YEAR = timedelta(days=365)
LEAF, KEY = (f"nodes/worker-1/etc/kubernetes/ssl/worker{end}.pem" for end in ("", "-key"))


class Workspace:
    """A workspace as apply makes it."""

    def __init__(self, folder: Path, layout: str = "ssl") -> None:
        self.folder = made(folder, layout)
        self.cluster = read_cluster(str(folder), host_name="")
        found = authorities_of_workspace(self.cluster, str(folder), lambda _: None)
        self.cas, self.ca = [ca.certificate for ca in found], found[0]

    def rows(self, host: str) -> tuple[Row, ...]:
        return Wanted(self.cluster).of_host(self.cluster.host(host))

    def pairs(self, host: str = "worker-1") -> Iterator[tuple[Inventory, Pair]]:
        """The named pairs of a host."""
        inventory = read_tree(self.cluster, str(self.folder), host)
        yield from ((inventory, named) for named in named_pairs_of(inventory))

    def leaf(self) -> Pair | None:
        """What `issued_pair` finds of the worker's own pair, which must be what a full read
        finds."""
        inventory, named = next(pair for pair in self.pairs() if pair[1].path in LEAF)
        return self.read(inventory, named, "worker-1")

    def read(self, inventory: Inventory, named: Pair, host: str) -> Pair | None:
        found = issued_pair(inventory, named, self.rows(host), self.cas)
        if found is not None:
            full = pair_there(inventory, named)
            assert found._replace(signer=None, key=None) == full._replace(
                chain=[*full.chain], key=None)
            assert found.key and full.key and full.matches and found.matches
            assert pem.dump_key(found.key) == pem.dump_key(full.key)
            assert found.signer == signer_of(full.chain, self.cas)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_what_apply_makes(tmp_path: Path, layout: str) -> None:
    """Every pair of every host, in files and in kubeconfigs, with the CA that signed the pair."""
    place = Workspace(tmp_path, layout)
    for host in ("cp-1", "worker-1", "worker-2"):
        found = [place.read(inventory, named, host) for inventory, named in place.pairs(host)]
        assert found and None not in found


def test_another_row_or_ca_is_none(place: Workspace) -> None:
    """Without rows or CAs, with another host's rows, or with other CAs, there is no result."""
    other = make_authority(CA, make_key("ECDSA-P256"), validity=YEAR, now=NOW).certificate
    inventory, named = next(place.pairs())
    rows = place.rows("worker-1")
    assert issued_pair(inventory, named, rows, [other, *place.cas])
    assert [issued_pair(inventory, named, wanted, cas) for wanted, cas in (
        ((), place.cas), (rows, []), (rows, [other]), (place.rows("worker-2"), place.cas))] \
        == [None] * 4


def test_damaged_files_are_none(place: Workspace) -> None:
    """A file with other octets than kpki writes is read in full."""
    leaf, key = place.folder / LEAF, place.folder / KEY
    certificate, private = leaf.read_bytes(), key.read_bytes()
    for data in (b"", b"text\n" + certificate, certificate + private, certificate * 2, private,
                 pem.dump_certificate(pem.load_certificate(certificate), encoding="DER"),
                 certificate[:200], certificate.replace(b"MII", b"MIJ", 1)):
        leaf.write_bytes(data)
        assert place.leaf() is None
    leaf.write_bytes(certificate)
    for data in (b"", certificate, pem.dump_key(make_key("ECDSA-P256"), form="traditional"),
                 pem.dump_key(pem.load_key(private), passphrase=b"secret")):
        key.write_bytes(data)
        assert place.leaf() is None
    key.write_bytes(pem.dump_key(pem.load_key(private)))
    assert place.leaf()     # the same key in another form


def dates(*moments: tuple[int, bytes]) -> bytes:
    return der.sequence(*(der.tlv(tag, text) for tag, text in moments))


TIMES = [(tag, start + text) for (tag, start), text in product(
    [(der.UTC_TIME, b""), (der.GENERALIZED_TIME, b"20"), (der.GENERALIZED_TIME, b"30")],
    [b"300101000000Z", b"3001010000Z", b"300101000000+0000", b"300101000000.5Z", b"300231000000Z",
     b"300101240000Z", b"300101006000Z", b"300101000060Z", b"300101000000", b"000101000000Z",
     b"991231235959Z", b"30010100000aZ"])]
NUMBERS = [bytes.fromhex(text) for text in (
    "01", "00", "80", "ff", "0080", "0001", "7f" * 20, "00ff", "7f" * 21, "7f" * 64, "")]


def signed(place: Workspace, leaf: Certificate, number: bytes, validity: bytes) -> bytes:
    """The leaf with another serial number and other dates, signed by its CA."""
    version, _, algorithm, issuer, _, *rest = der.members_of(leaf.tbs_certificate_bytes)
    info = der.sequence(version, der.tlv(der.INTEGER, number), algorithm, issuer, validity, *rest)
    signature = keys.sign_bytes(keys.validate_signing_key(place.ca.key), "sha256", info)
    return pem.armour(records.signed(info, algorithm, signature), "CERTIFICATE")


def test_odd_dates_and_numbers(place: Workspace) -> None:
    """A date or serial number that a component refuses, signed by the CA, is no result."""
    path = place.folder / LEAF
    leaf = pem.load_certificate(path.read_bytes())
    usual = (der.UTC_TIME, b"300101000000Z")
    found = {}
    for number, first, last in [*((number, usual, usual) for number in NUMBERS),
                                *((b"\1", first, usual) for first in TIMES),
                                *((b"\1", usual, last) for last in TIMES)]:
        path.write_bytes(signed(place, leaf, number, dates(first, last)))
        found[number, first, last] = place.leaf() is not None      # compares with a full read
    assert found[b"\1", usual, usual] and not found[b"\0", usual, usual]
    assert 10 < sum(found.values()) < len(found) - 30


def test_a_renewed_ca(place: Workspace) -> None:
    """Two certificates of the CA's key: the signer is one of them, and has signed the pair."""
    again = make_authority(CA, place.ca.key, validity=2 * YEAR, now=NOW).certificate
    place.cas = [again, *place.cas]
    found = place.leaf()
    assert found and found.signer == again


@pytest.mark.parametrize("algorithm", ["ECDSA-P384", "RSA-2048", "RSA-1024"])
def test_other_keys(place: Workspace, algorithm: str) -> None:
    """A key of another kind is read too; a weak key is read in full."""
    weak = algorithm == "RSA-1024"
    key = keys.genrsa(1024) if weak else make_key(algorithm)
    row = next(row for row in place.rows("worker-1") if row.place.certificate in LEAF
               and row.profile.kind == "leaf")
    ca = Authority(place.ca.certificate, place.ca.key)
    leaf = issue(ca, row.profile, row.identity, key, validity=YEAR, now=NOW, warnings=[])
    (place.folder / LEAF).write_bytes(pem.dump_certificate(leaf))
    (place.folder / KEY).write_bytes(pem.dump_key(key, form="traditional"))
    assert (place.leaf() is None) == weak
