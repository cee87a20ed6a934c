"""The pairs and CA files that components read, each file parsed once, with its purposes."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from ..finding import Finding
from ..observed.contents import other_block, read_certificates, read_key
from ..observed.inventory import Inventory, ObservedFile, found_at, kubeconfig_in
from ...kubernetes import reading
from ...kubernetes.kubeconfig import Kubeconfig
from ...kubernetes.purposes import ETCD_CAS, PURPOSES, WEBHOOKS, Purpose
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

    from ..observed.use import Use

# a private key, or the fault of its file
Loaded = tuple["PrivateKeyTypes | None", Finding | None]
# several purposes of one pair → the row for all of them: the first row of this tuple that is among
# the purposes' rows
_ROWS = ("apiserver", "etcd-server", "etcd-peer", "apiserver-kubelet-client",
         "apiserver-etcd-client")


class Pair(NamedTuple):
    """A certificate that components present, and its key."""

    path: str
    """The path of the certificate; inside a kubeconfig, the path of the user's entry."""
    key_path: str
    """The path of the key, "" if no setting names a key."""
    row: str
    """The row of the profiles table."""
    uses: tuple[Use, ...] = ()
    """The uses of the certificate, for each purpose and component; empty for a desired row."""
    chain: Sequence[Certificate] = ()
    """The certificates of the file, leaf first; empty if the file cannot be read."""
    key: PrivateKeyTypes | None = None
    """The private key; None if the file cannot be read."""
    faults: tuple[Finding, ...] = ()
    """The faults of the files.

    For a host that is checked by its own files, a missing file is no fault here.
    """
    linked: bool = False
    """Whether a symbolic link leads to the certificate."""
    key_proved: bool = False
    """Whether the key belongs to another certificate, which components present with the same key.
    """
    signer: Certificate | None = None
    """The CA that signed the certificate, if that is known; the key is then the certificate's."""

    @property
    def matches(self) -> bool:
        """Whether the key may belong to the certificate: no fact speaks against it."""
        return self.signer is not None or self.key is None or not self.chain \
            or reading.has_public_key(self.chain[0], public_key_der(self.key))

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """The purposes of the pair."""
        return tuple(dict.fromkeys(PURPOSES[use.purpose] for use in self.uses))

    @property
    def usages(self) -> tuple[str, ...]:
        """The names in extendedKeyUsage that the purposes need."""
        return tuple(dict.fromkeys(usage for purpose in self.purposes for usage in purpose.usages))

    def serves(self, purpose: str) -> bool:
        """Whether the pair has this purpose."""
        return any(use.purpose == purpose for use in self.uses)


class TrustFile(NamedTuple):
    """A file of CA certificates that components verify others with."""

    path: str
    """The path; inside a kubeconfig, the path of the cluster's entry."""
    row: str
    """The row of the CA: `ca`, `etcd-ca`, `front-proxy-ca`."""
    owner: str
    """The row of the file: the kubeconfig's row for an entry of a kubeconfig, else the CA's."""
    uses: tuple[Use, ...]
    """The uses of the file."""
    certificates: Sequence[Certificate] = ()
    """The certificates; empty if the file cannot be read."""
    fault: Finding | None = None
    """The faults of the file; a missing file is no fault here."""
    unread: bool = False
    """Whether the caller may not read the file."""

    def serves(self, *purposes: str) -> bool:
        """Whether the file has one of these purposes."""
        return any(use.purpose in purposes for use in self.uses)


def named_pairs_of(inventory: Inventory) -> list[Pair]:
    """Every pair that components use, by the settings alone: no file of the pairs is read."""
    keys = {use.group: use.path for use in inventory.uses if use.part == "key"}
    grouped: dict[tuple[str, str], list[Use]] = {}
    for use in inventory.uses:
        if use.part == "certificate" and not use.purpose.startswith("cluster-signing"):
            grouped.setdefault((use.path, keys.get(use.group, "")), []).append(use)
    return [Pair(*paths, row_of(uses), tuple(uses)) for paths, uses in grouped.items()]


def pairs_of(inventory: Inventory, known: Callable[[Pair], Pair | None] = lambda _: None,
             ) -> list[Pair]:
    """Every pair that components use; *known* reads a named pair in less time, or returns None."""
    pairs = [known(named) or pair_there(inventory, named) for named in named_pairs_of(inventory)]
    matching = [pair.matches for pair in pairs]
    proved = {pair.key_path for pair, matches in zip(pairs, matching, strict=True)
              if matches and pair.key and pair.chain}
    return [pair if matches else pair._replace(key_proved=pair.key_path in proved)
            for pair, matches in zip(pairs, matching, strict=True)]


def pair_there(inventory: Inventory, named: Pair) -> Pair:
    """A named pair with what its files hold; another rule reports missing files."""
    pair = read_pair(named.row, *halves(inventory, named))
    faults = tuple(fault for fault in pair.faults if fault.cause != "file-missing")
    return pair._replace(path=named.path, key_path=named.key_path, uses=named.uses, faults=faults)


def pair_digest(inventory: Inventory, named: Pair) -> bytes:
    """A digest of what the files of a named pair hold."""
    certificate, key = (half.data or b"" for half in halves(inventory, named))
    return sha256(sha256(certificate).digest() + key).digest()


def halves(inventory: Inventory, named: Pair) -> tuple[ObservedFile, ObservedFile]:
    """The files of a named pair: certificate and key, or the data that a kubeconfig embeds."""
    return (found_at(inventory, named.path, "certificate"),
            found_at(inventory, named.key_path, "key"))


def read_pair(row: str, certificate: ObservedFile, key: ObservedFile,
              loaded: Loaded | None = None) -> Pair:
    """The pair of a row, from the row's files; *loaded* is the key, if it has been read already."""
    chain, fault = read_certificates(certificate, row)
    private_key, key_fault = loaded or read_key(key, row)
    return Pair(certificate.path, key.path, row, chain=chain, key=private_key,
                faults=tuple(filter(None, (fault, key_fault))), linked=certificate.link)


def row_of(uses: Sequence[Use]) -> str:
    """The row of the profiles table that fits all uses of a pair best; "" if none fits."""
    rows = [row for use in uses if (row := PURPOSES[use.purpose].row)]
    if any(use.purpose == "admin-client" and "super-admin" in use.path for use in uses):
        return "super-admin"
    if {"kubelet-client", "kubelet-serving"} <= {*rows}:
        return "kubelet"
    return next((row for row in _ROWS if row in rows), rows[0] if rows else "")


def trust_files_of(inventory: Inventory) -> list[TrustFile]:
    """Every file of CA certificates that components verify others with."""
    grouped: dict[str, list[Use]] = {}
    for use in inventory.uses:
        if use.part == "authority":
            grouped.setdefault(use.path, []).append(use)
    return [_trust_file(inventory, path, uses) for path, uses in grouped.items()]


def _trust_file(inventory: Inventory, path: str, uses: Sequence[Use]) -> TrustFile:
    row = next((row for use in uses if (row := PURPOSES[use.purpose].row)), "")
    there = found_at(inventory, path, "authority")
    readers = [use for use in inventory.uses if use.part == "kubeconfig"
               and use.path == path.partition("#")[0]]
    owner = row_of(readers) if "#" in path else row
    certificates, fault = ([], None) if there.missing else read_certificates(there, owner)
    if fault is None and any(use.purpose in ETCD_CAS for use in uses):
        fault = other_block(there, owner)
    return TrustFile(path, row, owner, tuple(uses), certificates, fault, there.unread != "")


def signing_pairs_of(inventory: Inventory) -> list[Pair]:
    """The certificates of CAs whose keys lie on the host, among them the controller manager's."""
    grouped: dict[str, dict[str, Use]] = {}
    for use in inventory.uses:
        if use.purpose == "authority-key" or use.purpose.startswith("cluster-signing"):
            grouped.setdefault(use.group, {})[use.part] = use
    return [_signing_pair(inventory, group, halves) for group, halves in grouped.items()]


def _signing_pair(inventory: Inventory, group: str, halves: Mapping[str, Use]) -> Pair:
    path = halves["certificate"].path if "certificate" in halves else group
    row = "etcd-ca" if "etcd" in path else "front-proxy-ca" if "front-proxy" in path else "ca"
    return pair_there(inventory, Pair(path, halves["key"].path if "key" in halves else "", row,
                                      tuple(halves.values())))


def kubeconfigs_of(inventory: Inventory) -> Mapping[str, Kubeconfig]:
    """The readable kubeconfigs that lead to an API server, by path."""
    paths = dict.fromkeys(use.path for use in inventory.uses
                          if use.part == "kubeconfig"
                          and use.purpose not in ("kubelet-bootstrap", *WEBHOOKS))
    return {path: found for path in paths
            if (found := kubeconfig_in(inventory.file(path).data)) is not None}
