"""The CAs of a cluster and the pair that signs its service accounts' tokens: as they are, or still to be made."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ..authority import (PASSPHRASE_HINT, Authority, check_ca, check_lasting, load_authority, load_bundle,
                         make_authority, sound_key)
from ..desired.description import GIVEN_NAMES
from ..desired.rows import NODES_FOLDER, Row, Wanted
from ..finding import Finding
from ..observed.contents import private_key_in, read_certificates, read_key, read_public_keys, readable
from ..observed.inventory import Found, refusal
from ..rules.judged import Look
from ... import pem
from ...errors import FileError, InputError, RefusedError, about
from ...kubernetes import reading
from ...kubernetes.layouts import CONTROL_PLANE, ETCD
from ...kubernetes.private_key import judge_private_key
from ...stages import keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

Read = Callable[[str], bytes]
NewKey = Callable[[str], "PrivateKeyTypes"]


@dataclass(frozen=True, slots=True)
class Root:
    """A CA: its *bundle* (PEM), or none while it is still to be made; where it lies.

    *given* says that the description names it. *key_pem* is its private key, None where it is kept elsewhere; no host
    gets an *encrypted* one. *kept* is the sound key of a CA whose certificate is gone.
    """

    row: Row
    bundle: bytes | None = None
    key_pem: bytes | None = field(default=None, repr=False)
    certificate_path: str = ""
    key_path: str = ""
    given: bool = False
    encrypted: bool = False
    kept: PrivateKeyTypes | None = field(default=None, repr=False)
    authority: Authority | None = None
    certificates: tuple[Certificate, ...] = ()

    @property
    def can_sign(self) -> bool:
        """Whether its key is here, or will be."""
        return self.bundle is None or self.key_pem is not None

    @property
    def keeps_key(self) -> bool:
        """Whether the workspace is to hold its key."""
        return self.can_sign and not self.given

    @property
    def signer(self) -> Certificate | None:
        """The certificate of the bundle that signs, where the key tells it."""
        return self.authority.certificate if self.authority else None

    @property
    def host_key(self) -> bytes | None:
        """The key as a host gets it (PEM); None where it is kept elsewhere, or encrypted."""
        if self.encrypted or self.authority is None:
            return None
        return pem.dump_key(self.authority.key, form="traditional")

    def ready(self) -> Authority:
        """The CA at work. Raises InputError where its key is still locked."""
        if self.authority is None:
            raise InputError(f"{self.key_path}: the CA's private key is encrypted",
                             hint=PASSPHRASE_HINT)
        return self.authority


@dataclass(frozen=True, slots=True)
class ServiceAccounts:
    """The pair that signs tokens; the public half alone where the key is kept elsewhere.

    *public_pem* may hold further keys, whose tokens are still to be taken.
    """

    row: Row
    key_pem: bytes | None = field(default=None, repr=False)
    public_pem: bytes | None = None

    @property
    def public_key(self) -> bytes | None:
        """The public key (DER), None while it is still to be made."""
        if self.key_pem is not None:
            key = judge_private_key(self.key_pem, tokens=True).key
            return keys.public_key_der(key) if key is not None else None
        return next(iter(_public_keys(self.public_pem)), None)

    @property
    def derived(self) -> bool:
        """Whether the public key is the private key's half and nothing else."""
        return self.key_pem is not None and len(_public_keys(self.public_pem)) == 1

    @property
    def can_sign(self) -> bool:
        """Whether its key is here, or will be."""
        return self.public_pem is None or self.key_pem is not None

    @property
    def keeps_key(self) -> bool:
        """Whether the workspace is to hold its key."""
        return self.can_sign

    def fault(self, path: str, found: Found) -> Finding | None:
        """What is wrong with a file of the pair that is there, None where it is right."""
        row = self.row.name
        if path == self.row.place.key:
            if found.data is not None and found.data == self.key_pem:
                return None
            key, finding = read_key(found, row)
            if key is not None and keys.public_key_der(key) == self.public_key:
                return None
            return finding or Finding("weak-signature-or-key", path, row, "it is a key that Kubernetes does not read")
        public_keys, finding = read_public_keys(found, row)
        if finding or self.public_key in public_keys:
            return finding
        return Finding("sa-key-mismatch", path, row, "it is not the public half of the key beside it")


def load_root(row: Row, look: Look, *, wanted: Wanted, read: Read, passphrase: bytes | None, now: datetime) -> Root:
    """A CA as the description gives it, as the workspace holds it, or as a host's tree still has it; else one to make.

    Raises InputError, FileError or RefusedError for files that are no CA: a CA is never replaced.
    """
    given = wanted.cluster.authorities.get(GIVEN_NAMES.get(row.name, ""))
    if given is not None:
        data, key = read(given.certificate), read(given.key) if given.key else None
        root = replace(_loaded(row, data, key, given.certificate, given.key or "", passphrase, now), given=True)
        there = look(row.place.certificate).data
        if there is not None and not _same(there, root.certificates):
            raise InputError(f"{row.place.certificate}: another CA than {given.certificate}, which the description "
                             "names, and a CA is never replaced", hint="move away the one that is not the cluster's")
        return root
    own_key = _present(look(row.place.key))
    for certificate_path, key_path in _places(row, wanted):
        if hidden := look(certificate_path).unread:
            raise refusal("", hidden)       # by a CA that nobody has seen nothing can be judged
        if (certificate := _present(look(certificate_path))) is not None:
            found = own_key or _present(look(key_path)) or _key_elsewhere(certificate, look, _places(row, wanted))
            return _loaded(row, certificate.data or b"", found.data if found else None, certificate_path,
                           found.path if found else row.place.key, passphrase, now)
    kept = look(row.place.key)
    return Root(row, certificate_path=row.place.certificate, key_path=row.place.key, kept=_kept(kept, passphrase),
                encrypted=pem.is_encrypted(kept.data or b""))


def _same(data: bytes, certificates: Sequence[Certificate]) -> bool:
    try:
        return load_bundle(data) == [*certificates]
    except (InputError, RefusedError):
        return False


def _places(row: Row, wanted: Wanted) -> Iterator[tuple[str, str]]:
    """Where a CA may lie: in the workspace, else in the tree of a host that holds it."""
    yield row.place.certificate, row.place.key
    for host in wanted.cluster.hosts:
        if host.roles & {CONTROL_PLANE, ETCD}:
            for one in wanted.of_host(host):
                if one.name == row.name and one.place.key:
                    tree = f"{NODES_FOLDER}/{host.name}"
                    yield f"{tree}/{one.place.certificate}", f"{tree}/{one.place.key}"


def copies(row: Row, look: Look, wanted: Wanted) -> Iterator[tuple[str, str]]:
    """Which of a workspace's two files of a CA is wrong, and where a host's tree has the right one still."""
    place = row.place
    (_, own_key), *others = _places(row, wanted)
    key, certificates = sound_key(look(own_key).data or b""), read_certificates(look(place.certificate), row.name)[0]
    for certificate_path, key_path in others:
        copy, copied = read_certificates(look(certificate_path), row.name)[0], sound_key(look(key_path).data or b"")
        if copy and copy != certificates and (key is None or is_for(key, copy)):
            yield place.certificate, certificate_path
        elif not is_for(key, certificates) and is_for(copied, certificates):
            yield place.key, key_path


def is_for(key: PrivateKeyTypes | None, certificates: Sequence[Certificate]) -> bool:
    """Whether one of these certificates is for a key."""
    return key is not None and any(reading.certifies(one, keys.public_key_der(key)) for one in certificates)


def _key_elsewhere(certificate: Found, look: Look, places: Iterator[tuple[str, str]]) -> Found | None:
    """The key of a CA that one of the places still holds, None where it is kept elsewhere."""
    with about(certificate.path):
        bundle = load_bundle(certificate.data or b"")
    for _, path in places:
        found = look(path)
        if found.data is not None and (key := sound_key(found.data)) is not None:
            public_key = keys.public_key_der(key)
            if any(reading.certifies(one, public_key) for one in bundle):
                return found
    return None


def _present(found: Found) -> Found | None:
    """A file that is there and that the caller may read; FileError for what cannot be read by anybody."""
    if found.problem:
        raise FileError(f"{found.path}: {found.problem}")
    return None if found.missing or found.unread else found


def _loaded(row: Row, data: bytes, key: bytes | None, certificate_path: str, key_path: str, passphrase: bytes | None,
            now: datetime) -> Root:
    with about(certificate_path):
        certificates = load_bundle(data)
        for one in certificates:
            check_ca(one)
    encrypted, authority = pem.is_encrypted(key or b""), None
    if key is None or encrypted and passphrase is None:
        with about(certificate_path):
            check_lasting(certificates, now)
    else:
        authority = load_authority(data, key, passphrase=passphrase if encrypted else None, now=now,
                                   names=(certificate_path, key_path))
    return Root(row, pem.dump_certificates(certificates), key, certificate_path, key_path, encrypted=encrypted,
                authority=authority, certificates=tuple(certificates))


def _kept(found: Found, passphrase: bytes | None) -> PrivateKeyTypes | None:
    """The key of a CA whose certificate is gone: what it signed stays right under a new certificate of it."""
    if found.missing:
        return None
    if found.unread:
        raise refusal("", found.unread)
    data, finding = readable(found, "ca")
    with about(found.path):
        if data is None:
            raise FileError(finding.message if finding else "it cannot be read")
        return pem.load_key(data, passphrase)


def make_root(root: Root, *, algorithm: str, wanted: Wanted, now: datetime, new_key: NewKey) -> Root:
    """A CA that is not there yet, made: its key, unless one is kept, and its certificate."""
    key = root.kept or new_key(algorithm)
    authority = make_authority(root.row.profile, key, validity=wanted.cluster.ca_validity, now=now)
    return replace(root, bundle=authority.bundle, key_pem=pem.dump_key(key, form="traditional"), authority=authority,
                   certificates=(authority.certificate,))


def load_service_accounts(row: Row, look: Look, *, wanted: Wanted) -> ServiceAccounts:
    """The pair as the workspace holds it, or as a control-plane host's tree still has it; else one to make.

    A key that cannot be read is made anew. Raises RefusedError for an encrypted one, FileError for a file that is no
    file.
    """
    alone: ServiceAccounts | None = None
    broken = False
    for public_path, key_path in _places(row, wanted):
        key, public = _present(look(key_path)), _present(look(public_path))
        if key is not None and (loaded := _token_key(key_path, key.data or b"")) is not None:
            half = pem.dump_public_key(loaded[0].public_key())
            there = public.data if public and {*_public_keys(half)} <= {*_public_keys(public.data)} else half
            pair = ServiceAccounts(row, loaded[1], there)
            if alone is None or pair.public_key == alone.public_key:
                return pair
        elif key is not None:
            broken |= key_path == row.place.key
        elif public is not None and alone is None and not broken:
            with about(public_path):
                alone = ServiceAccounts(row, None, public.data)
                if alone.public_key is None:
                    raise InputError("no public key in it that Kubernetes reads")
    return alone or ServiceAccounts(row)


def _public_keys(data: bytes | None) -> list[bytes]:
    return read_public_keys(Found("", data), "")[0]


def _token_key(path: str, data: bytes) -> tuple[PrivateKeyTypes, bytes] | None:
    """The key in *data*, and the PEM of it that Kubernetes reads; None where no token can be signed with it.

    A short RSA key is kept, whatever Go says of it now, and a key that is only written in a form that Go does not read
    is written anew: every token hangs on that key.
    """
    if pem.is_encrypted(data):
        raise RefusedError(f"{path}: the service accounts' key is encrypted, and no component has a passphrase to give",
                           hint=f"decrypt it first: kpki pkey -in {path} -out PLAIN-KEY")
    verdict = judge_private_key(data, tokens=True)
    if verdict.key is None and verdict.cause is None:
        raise RefusedError(f"{path}: the service accounts' key has more than two primes, and kpki can use no such key",
                           hint="keep it where it is, and leave it out of this workspace: the public half is enough")
    if verdict.key is not None and (verdict.cause is None or isinstance(verdict.key, rsa.RSAPrivateKey)):
        return verdict.key, data
    key = private_key_in(Found(path, data))
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return None
    anew = pem.dump_key(key, form="traditional")
    return (key, anew) if judge_private_key(anew, tokens=True).cause is None else None


def make_service_accounts(pair: ServiceAccounts, *, algorithm: str, new_key: NewKey) -> ServiceAccounts:
    """The pair that is not there yet, made."""
    key = new_key(algorithm)
    return replace(pair, key_pem=pem.dump_key(key, form="traditional"),
                   public_pem=pem.dump_public_key(key.public_key()))
