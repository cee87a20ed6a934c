"""What one host's files say about an exchange, and the files that a phase gives the host."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from .edits import NewContents, edit_data, edited_files, replace_block
from .exchange import Exchange, Member
from .holding import Anchor, Holding, anchor_of, key_anchor
from .issued_pair import issued_pair
from .renewal import renewed_certificate
from ..authority import Authority
from ..desired.rows import Row
from ..observed.contents import first_certificate, read_certificates, read_key, read_public_keys
from ..observed.inventory import Inventory, ObservedFile, found_at
from ..rules.certificate import signer_of
from ..rules.facts import (
    Pair,
    TrustFile,
    named_pairs_of,
    pair_digest,
    pair_there,
    signing_pairs_of,
    trust_files_of,
)
from ..rules.trust import signer_row
from ... import pem
from ...errors import InputError
from ...files import File
from ...kubernetes import reading
from ...kubernetes.layouts import CERTIFICATE_MODE, SIGNER
from ...kubernetes.profiles import SERVICE_ACCOUNTS
from ...kubernetes.purposes import PURPOSES
from ...stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

_NOTHING: Mapping[bytes, Anchor] = {}
_VERIFY, _SIGN = "service-account-verify", "service-account-sign"


class PhaseTarget(NamedTuple):
    """What a phase gives each host."""

    adds: tuple[Member, ...]
    """What every verifier trusts after the phase."""
    drops: tuple[Anchor, ...]
    """What no verifier trusts after the phase."""
    signer: Member
    """What signs after the phase."""
    authority: Authority | None = None
    """The signer with its key; None if the key is not opened, as for a look ahead."""
    key: PrivateKeyTypes | None = None
    """The signer's private key, for hosts that hold such a key."""
    bundles: bool = True
    """Whether the files of trusted CAs change; if not, only the signer's own file does."""


class Seen(NamedTuple):
    """The files of a host that matter for one CA."""

    files: list[TrustFile]
    """The files with CAs that verifiers read."""
    pairs: list[tuple[Pair, Anchor]]
    """The pairs that a CA of the exchange, or another trusted CA, has signed; with the CA.

    A pair that an earlier call has checked has no chain and no key.
    """
    keys: list[tuple[str, Anchor]]
    """The files with the private key of a CA of the exchange; with the CA."""
    strange: list[str]
    """What is damaged or foreign."""
    proved: dict[bytes, Anchor]
    """The pairs that a CA of the exchange has signed: the digest of a pair's files, and the CA."""


def holding_of(exchange: Exchange, inventory: Inventory, host: str | None, now: datetime,
               proved: Mapping[bytes, Anchor] = _NOTHING, rows: Sequence[Row] = ()) -> Holding:
    """What a host, or the workspace's users, trust and present, with the options of `read_seen`."""
    if not exchange.of_ca:
        return _of_tokens(inventory, host)
    seen = read_seen(exchange, inventory, proved, rows)
    valid = [frozenset(anchor_of(ca) for ca in file.certificates if _is_valid(ca, now))
             for file in seen.files]
    every = [frozenset(map(anchor_of, file.certificates)) for file in seen.files]
    signed = frozenset(anchor for _, anchor in (*seen.pairs, *seen.keys))
    paths = {file.path for file in seen.files}
    return Holding(
        host, frozenset.intersection(*valid) if valid else None,
        frozenset.intersection(*every) if every else None, frozenset[Anchor]().union(*every),
        signed - _ended(exchange, now), signed,
        exchange.row == "ca" and any(
            pair.path in paths for pair in signing_pairs_of(inventory)
            if any(use.purpose.startswith("cluster-signing") for use in pair.uses)),
        tuple(seen.strange), tuple(_with_two_jobs(seen.files, exchange.row)), seen.proved)


def _with_two_jobs(files: Iterable[TrustFile], row: str) -> Iterator[str]:
    """The files that verifiers of another CA read too."""
    for file in files:
        rows = {PURPOSES[use.purpose].row for use in file.uses} - {row, ""}
        if rows:
            yield f"{file.path}: the file of {', '.join(sorted(rows))} too"


def _is_valid(ca: Certificate, now: datetime) -> bool:
    return ca.not_valid_before_utc <= now <= ca.not_valid_after_utc


def _ended(exchange: Exchange, now: datetime) -> frozenset[Anchor]:
    """The CAs that have ended: nobody accepts what they signed, whoever trusts them."""
    return frozenset(member.anchor for member in exchange.ends if member.certificate
                     and member.certificate.not_valid_after_utc < now)


def read_seen(exchange: Exchange, inventory: Inventory,
              proved: Mapping[bytes, Anchor] = _NOTHING, rows: Sequence[Row] = ()) -> Seen:
    """The files of a host for the exchange of a CA; pairs that kpki issued for *rows* are quick.

    *proved* has the pairs that an earlier call has checked. A pair whose files hold the same octets
    is not checked again.
    """
    files, strange = trusted_files(inventory, exchange.row), list[str]()
    strange += [f"{file.path}: no readable CA is in the file" for file in files
                if not file.certificates]
    pairs, same = _signed_pairs(exchange, inventory, files, proved, strange, rows)
    keys = authority_keys(exchange, inventory, files, strange)
    return Seen(files, pairs, keys, strange, same)


def _signed_pairs(exchange: Exchange, inventory: Inventory, files: Sequence[TrustFile],
                  proved: Mapping[bytes, Anchor], strange: list[str], rows: Sequence[Row] = (),
                  ) -> tuple[list[tuple[Pair, Anchor]], dict[bytes, Anchor]]:
    """`pairs` and `proved` of Seen, for a host that trusts the CAs of *files*."""
    near, same = _near(exchange, files), dict[bytes, Anchor]()
    pairs = list[tuple[Pair, Anchor]]()
    for named in named_pairs_of(inventory):
        if signer_row(named) not in (exchange.row, ""):
            continue
        digest = pair_digest(inventory, named)
        if digest in proved and proved[digest] in exchange.anchors:
            same[digest] = proved[digest]
            pairs.append((named, proved[digest]))
        elif found := _checked(exchange, issued_pair(inventory, named, rows, near)
                               or pair_there(inventory, named), near, strange):
            pairs.append(found)
            if found[1] in exchange.anchors:
                same[digest] = found[1]
    return pairs, same


def _checked(exchange: Exchange, pair: Pair, near: Sequence[Certificate],
             strange: list[str]) -> tuple[Pair, Anchor] | None:
    """A pair with the CA that has signed the pair; None for a pair that the exchange leaves."""
    if not pair.chain:
        return None
    own, ca = signer_row(pair), pair.signer or signer_of(pair.chain, near)
    if ca is not None and (own or anchor_of(ca) in exchange.anchors):
        if pair.matches:
            return pair, anchor_of(ca)
        strange.append(f"{pair.path}: the key is another certificate's")
    elif own and not reading.is_named_issuer(pair.chain[0], pair.chain[0]):
        strange.append(f"{pair.path}: signed by another CA, {reading.issuer_text(pair.chain[0])}")
    return None


def authority_keys(exchange: Exchange, inventory: Inventory, files: Sequence[TrustFile],
                   strange: list[str] | None = None) -> list[tuple[str, Anchor]]:
    """The files of a host with the private key of a CA of the exchange; with the CA."""
    near, found = _near(exchange, files), list[tuple[str, Anchor]]()
    for path in _key_paths(inventory, exchange.row):
        key, _ = read_key(inventory.file(path), exchange.row)
        if key is None:
            continue
        anchor = next((anchor_of(ca) for ca in near
                       if reading.has_public_key(ca, public_key_der(key))), None)
        if anchor is not None:
            found.append((path, anchor))
        elif strange is not None:
            strange.append(f"{path}: the key of another CA")
    return found


def _near(exchange: Exchange, files: Sequence[TrustFile]) -> list[Certificate]:
    """The CAs that the workspace knows, then those that the host trusts."""
    known = exchange.known
    return [*known, *dict.fromkeys(ca for file in files for ca in file.certificates
                                   if ca not in known)]


def trusted_files(inventory: Inventory, row: str) -> list[TrustFile]:
    """The files of a host with CAs that verifiers read, but for those that may be missing."""
    return [file for file in _trust_files(inventory, row)
            if not (inventory.file(file.path.partition("#")[0]).missing
                    and all(use.optional for use in file.uses))]


def _trust_files(inventory: Inventory, row: str) -> Iterator[TrustFile]:
    """The files with a CA: those that components read, and the layout's others."""
    found = [file for file in trust_files_of(inventory)
             if row in {file.row, *(PURPOSES[use.purpose].row for use in file.uses)}]
    yield from found
    paths = {file.path for file in found}
    for place in inventory.layout.places:
        file = inventory.file(place.certificate)
        if place.row == row and place.only != SIGNER and place.certificate not in paths \
                and file.data is not None:
            yield TrustFile(file.path, row, row, (), read_certificates(file, row)[0])


def _key_paths(inventory: Inventory, row: str) -> list[str]:
    """The files that may hold the CA's private key."""
    paths = [place.key for place in inventory.layout.places if place.row == row and place.key]
    if row == "ca":
        paths += [use.path for pair in signing_pairs_of(inventory) if pair.row == row
                  for use in pair.uses if use.part == "key"
                  and use.purpose.startswith("cluster-signing")]
    return [path for path in dict.fromkeys(paths) if inventory.file(path).data is not None]


def phase_files(exchange: Exchange, inventory: Inventory, target: PhaseTarget, *, now: datetime,
                validity: timedelta, warnings: list[str],
                proved: Mapping[bytes, Anchor] = _NOTHING) -> tuple[File, ...]:
    """The files, relative to the tree, that bring a host to the *target* of a phase.

    Leaves keep their keys; each gets a new certificate, valid for *validity*. What no CA of the
    exchange has signed stays. A file without a difference stays. *proved* is as for `read_seen`.
    """
    changed = NewContents()
    if not exchange.of_ca:
        _change_tokens(exchange, inventory, target, changed)
        return edited_files(inventory, changed, now)
    files, ends = trusted_files(inventory, exchange.row), exchange.anchors
    keys = authority_keys(exchange, inventory, files)
    signer_file = signer_files(exchange, inventory, target, files, keys)
    if not target.bundles:
        return tuple(signer_file)
    for file in files:
        if file.certificates:
            _edit(changed, inventory, file.path, _bundle(target, now), warnings)
    if target.authority:    # else no certificate changes, and the pairs need no look
        for pair, anchor in _signed_pairs(exchange, inventory, files, proved, [])[0]:
            if anchor in ends and anchor != target.signer.anchor:
                leaf = next(iter(pair.chain), None) \
                    or first_certificate(found_at(inventory, pair.path, "certificate"))
                certificate = renewed_certificate(
                    leaf, target.authority, now=now, validity=validity, identified=True,
                    warnings=warnings)
                _edit(changed, inventory, pair.path, pem.dump_certificate(certificate), warnings)
    for path, anchor in keys:
        if anchor in ends and anchor != target.signer.anchor and target.key:
            _edit(changed, inventory, path, pem.dump_key(target.key, form="traditional"), warnings)
    return (*edited_files(inventory, changed, now), *signer_file)


def _edit(changed: NewContents, inventory: Inventory, path: str,
          new: bytes | Callable[[bytes], bytes], warnings: list[str]) -> None:
    """Put a block into a file, or edit the file's data; what cannot be edited is a warning."""
    try:
        if isinstance(new, bytes):
            replace_block(changed, inventory, path, new)
        else:
            edit_data(changed, inventory, path, new)
    except InputError as error:
        warnings.append(f"{error.message}; {error.hint}" if error.hint else error.message)


def _bundle(target: PhaseTarget, now: datetime) -> Callable[[bytes], bytes]:
    """A function from the data of a CA file to the data with the target's CAs."""
    def edit(data: bytes) -> bytes:
        present = set[Anchor]()
        for block in [*pem.blocks(data)]:
            if block.label != "CERTIFICATE":
                continue
            ca = pem.load_certificate(block.der, encoding="DER")
            if anchor_of(ca) in target.drops:
                data = without(data, block.armour)
            elif _is_valid(ca, now) or any(ca == member.certificate for member in target.adds):
                present.add(anchor_of(ca))
        return with_blocks(data, (member.public for member in target.adds
                                  if member.anchor not in present))
    return edit


def without(data: bytes, armour: bytes) -> bytes:
    """*data* without a PEM block and the end of its last line."""
    for line_end in (b"\r\n", b"\n", b""):
        if armour + line_end in data:
            return data.replace(armour + line_end, b"", 1)
    return data


def with_blocks(data: bytes, blocks: Iterable[bytes]) -> bytes:
    """*data* with PEM blocks behind its last line."""
    for block in blocks:
        data += block if not data or data.endswith(b"\n") else b"\n" + block
    return data


def signer_files(exchange: Exchange, inventory: Inventory, target: PhaseTarget,
                 files: Sequence[TrustFile], keys: Sequence[tuple[str, Anchor]]) -> Iterator[File]:
    """The files with the certificate of the signer alone, for a host with the CA's *keys*.

    *files* are those with CAs that verifiers read.
    """
    trusted, ends = {file.path for file in files}, exchange.anchors
    paths = [place.certificate for place in inventory.layout.places
             if place.row == exchange.row and place.only == SIGNER]
    paths += [pair.path for pair in signing_pairs_of(inventory) if pair.row == exchange.row and any(
        use.part == "certificate" for use in pair.uses)]
    for path in dict.fromkeys(paths) if keys else ():
        file = inventory.file(path)
        foreign = not ends.issuperset(map(anchor_of, read_certificates(file, exchange.row)[0]))
        if path not in trusted and not foreign and file.data != target.signer.public:
            yield File(path, target.signer.public, CERTIFICATE_MODE)


# The service accounts' key


def _of_tokens(inventory: Inventory, host: str | None) -> Holding:
    """What the API server of a host accepts, and what the host signs tokens with."""
    verify, sign = _paths(inventory, _VERIFY), _paths(inventory, _SIGN)
    trusts, strange = set[Anchor](), list[str]()
    for path in verify:
        keys, finding = read_public_keys(inventory.file(path), SERVICE_ACCOUNTS)
        trusts |= {key_anchor(key) for key in keys}
        strange += [f"{path}: {finding.message}"] if finding else []
    signed = set[Anchor]()
    for path in sign:
        key, finding = read_key(inventory.file(path), SERVICE_ACCOUNTS)
        strange += [f"{path}: {finding.message}"] if finding else []
        if key is not None:
            signed.add(key_anchor(public_key_der(key)))
    shared = _keys_of_pairs(inventory)
    held = frozenset(trusts) if verify else None
    return Holding(host, held, held, frozenset(trusts), frozenset(signed), frozenset(signed),
                   strange=tuple(strange), shared=tuple(
                       f"{path}: the key of a certificate, which signs tokens too"
                       for path in sign if path in shared))


def _paths(inventory: Inventory, purpose: str) -> list[str]:
    return [*dict.fromkeys(use.path for use in inventory.uses if use.purpose == purpose
                           and not inventory.file(use.path).missing)]


def _keys_of_pairs(inventory: Inventory) -> set[str]:
    """The paths of the keys of certificates, but for the CA's that signs on request."""
    pairs = {use.group for use in inventory.uses
             if use.part == "certificate" and not use.purpose.startswith("cluster-signing")}
    return {use.path for use in inventory.uses if use.part == "key" and use.group in pairs}


def _change_tokens(exchange: Exchange, inventory: Inventory, target: PhaseTarget,
                   changed: NewContents) -> None:
    """Change the files of the service accounts' keys."""
    for path in verifying_paths(inventory):
        edit_data(changed, inventory, path, _public_keys(target))
    if target.key is not None:
        for path in signing_paths(exchange, inventory, target):
            replace_block(changed, inventory, path, pem.dump_key(target.key, form="traditional"))


def verifying_paths(inventory: Inventory) -> list[str]:
    """The files with the public keys that an API server accepts tokens of."""
    return _paths(inventory, _VERIFY)


def signing_paths(exchange: Exchange, inventory: Inventory, target: PhaseTarget) -> list[str]:
    """The files with a private key of the exchange that does not sign after the phase."""
    others, shared = exchange.anchors - {target.signer.anchor}, _keys_of_pairs(inventory)
    keys = ((path, read_key(inventory.file(path), SERVICE_ACCOUNTS)[0])
            for path in _paths(inventory, _SIGN) if path not in shared)
    return [path for path, key in keys if key is not None
            and key_anchor(public_key_der(key)) in others]


def _public_keys(target: PhaseTarget) -> Callable[[bytes], bytes]:
    """A function from the data of a file of public keys to the data with the target's keys."""
    def edit(data: bytes) -> bytes:
        present = set[Anchor]()
        for block in [*pem.blocks(data)]:
            for key in read_public_keys(ObservedFile("", block.armour), SERVICE_ACCOUNTS)[0]:
                if key_anchor(key) in target.drops:
                    data = without(data, block.armour)
                else:
                    present.add(key_anchor(key))
        return with_blocks(data, (member.public for member in target.adds
                                  if member.anchor not in present))
    return edit


def changed_data(exchange: Exchange, target: PhaseTarget, now: datetime) -> bytes:
    """The workspace's own file of CAs, or of public keys, after a phase."""
    return (_bundle(target, now) if exchange.of_ca else _public_keys(target))(exchange.data)
