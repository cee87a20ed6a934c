"""The CAs and the service accounts' pair of a cluster: existing, or still to be made."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ..authority import (
    PASSPHRASE_HINT,
    Authority,
    find_sound_key,
    load_authority,
    load_bundle,
    make_authority,
    validate_ca,
    validate_ca_validity,
)
from ..desired.description import GIVEN_NAMES
from ..desired.rows import NODES_FOLDER, Row, Wanted
from ..desired.token import is_in_token
from ..finding import Finding
from ..observed.contents import (
    private_key_in,
    read_certificates,
    read_key,
    read_public_keys,
    readable,
)
from ..observed.inventory import ObservedFile, refusal
from ..rules.checked_row import Observe
from ..workspace import is_exchanged
from ... import pem
from ...errors import FileError, InputError, RefusedError, about
from ...kubernetes import reading
from ...kubernetes.layouts import CONTROL_PLANE, ETCD
from ...kubernetes.private_key import verify_private_key
from ...stages import keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

Read = Callable[[str], bytes]
NewKey = Callable[[str], "PrivateKeyTypes"]


@dataclass(frozen=True, slots=True)
class PlannedAuthority:
    """A CA of the cluster, existing or still to be made."""

    row: Row
    """The CA's row in the workspace."""
    bundle: bytes | None = None
    """The CA's certificates (PEM), None for a CA that is still to be made."""
    key_pem: bytes | None = field(default=None, repr=False)
    """The CA's private key (PEM), None if no file holds the key."""
    certificate_path: str = ""
    """The path of the CA's certificate."""
    key_path: str = ""
    """The path of the CA's key."""
    given: bool = False
    """Whether the description names the CA's files."""
    encrypted: bool = False
    """Whether the key is encrypted; no host gets an encrypted key."""
    existing_key: PrivateKeyTypes | None = field(default=None, repr=False)
    """The key of a CA whose certificate is missing."""
    authority: Authority | None = None
    """The CA with its key opened, None if the key is missing or its passphrase unknown."""
    certificates: tuple[Certificate, ...] = ()
    """The CA's certificates."""

    @property
    def can_sign(self) -> bool:
        """Whether the CA's key exists, or is still to be made."""
        return self.bundle is None or self.key_pem is not None

    @property
    def keeps_key(self) -> bool:
        """Whether the workspace must hold the CA's key."""
        return self.can_sign and not self.given

    @property
    def signer(self) -> Certificate | None:
        """The certificate of the bundle that matches the key, None if the key is not opened."""
        return self.authority.certificate if self.authority else None

    @property
    def host_key(self) -> bytes | None:
        """The key for a host (PEM), None for a missing or encrypted key."""
        if self.encrypted or self.authority is None:
            return None
        return pem.dump_key(self.authority.key, form="traditional")

    def ready(self) -> Authority:
        """The CA with its key. Raises InputError if the key's passphrase is unknown."""
        if self.authority is None:
            raise InputError(f"{self.key_path}: the CA's private key is encrypted",
                             hint=PASSPHRASE_HINT)
        return self.authority


@dataclass(frozen=True, slots=True)
class ServiceAccounts:
    """The pair that signs service accounts' tokens, existing or still to be made."""

    row: Row
    """The pair's row in the workspace."""
    key_pem: bytes | None = field(default=None, repr=False)
    """The private key (PEM), None if no file holds the key."""
    public_pem: bytes | None = None
    """The public keys (PEM), None for a pair that is still to be made.

    Further keys verify older tokens.
    """

    @property
    def public_key(self) -> bytes | None:
        """The public key (DER), None for a pair that is still to be made."""
        if self.key_pem is not None:
            key = verify_private_key(self.key_pem, tokens=True).key
            return keys.public_key_der(key) if key is not None else None
        return next(iter(_public_keys(self.public_pem)), None)

    @property
    def derived(self) -> bool:
        """Whether the public file holds the private key's public half and no other key."""
        return self.key_pem is not None and len(_public_keys(self.public_pem)) == 1

    @property
    def can_sign(self) -> bool:
        """Whether the private key exists, or is still to be made."""
        return self.public_pem is None or self.key_pem is not None

    @property
    def keeps_key(self) -> bool:
        """Whether the workspace must hold the private key."""
        return self.can_sign

    def fault(self, path: str, found: ObservedFile) -> Finding | None:
        """The fault of an existing file of the pair, None for a right file."""
        row = self.row.name
        if path == self.row.place.key:
            if found.data is not None and found.data == self.key_pem:
                return None
            key, finding = read_key(found, row)
            if key is not None and keys.public_key_der(key) == self.public_key:
                return None
            return finding or Finding("weak-signature-or-key", path, row,
                                      "Kubernetes cannot read this kind of key")
        public_keys, finding = read_public_keys(found, row)
        if finding or self.public_key in public_keys:
            return finding
        return Finding("sa-key-mismatch", path, row, "the file does not hold the public half of "
                       f"{self.row.place.key}")


def load_root(row: Row, observe: Observe, *, wanted: Wanted, read: Read, passphrase: bytes | None,
              now: datetime) -> PlannedAuthority:
    """Load a CA from the description's files, the workspace or a host's tree; else one to make.

    Raises InputError, FileError or RefusedError for files that are no CA: kpki never replaces a CA.
    """
    given = wanted.cluster.authorities.get(GIVEN_NAMES.get(row.name, ""))
    if given is not None:
        data, key = read(given.certificate), None
        if given.key and not is_in_token(given.key):
            key = read(given.key)
        root = replace(_loaded(row, data, key, given.certificate, given.key or "", passphrase, now),
                       given=True)
        present = observe(row.place.certificate).data
        if present is not None and not _same(present, root.certificates):
            raise InputError(f"{row.place.certificate}: another CA than {given.certificate}, which "
                             "the description names, and kpki never replaces a CA",
                             hint="move away the file that is not the cluster's CA")
        return root
    own_key = _present(observe(row.place.key))
    for certificate_path, key_path in _places(row, wanted):
        if hidden := observe(certificate_path).unread:
            raise refusal("", hidden)       # without the CA kpki can check no file
        if (certificate := _present(observe(certificate_path))) is not None:
            found = own_key or _present(observe(key_path)) \
                or _find_key(certificate, observe, _places(row, wanted))
            return _loaded(row, certificate.data or b"", found.data if found else None,
                           certificate_path, found.path if found else row.place.key, passphrase,
                           now)
    key_file = observe(row.place.key)
    return PlannedAuthority(row, certificate_path=row.place.certificate, key_path=row.place.key,
                            existing_key=_load_key(key_file, passphrase),
                            encrypted=pem.is_encrypted(key_file.data or b""))


def signs_apart(root: PlannedAuthority | None, observe: Observe) -> bool:
    """Whether hosts with the CA's key get the signing certificate alone, beside the CA's file.

    kube-controller-manager needs it if the CA is a bundle, or is about to be one.
    """
    return root is not None and root.host_key is not None \
        and (len(root.certificates) > 1 or is_exchanged(observe))


def _same(data: bytes, certificates: Sequence[Certificate]) -> bool:
    """Whether a file's data holds these certificates."""
    try:
        return load_bundle(data) == [*certificates]
    except (InputError, RefusedError):
        return False


def _places(row: Row, wanted: Wanted) -> Iterator[tuple[str, str]]:
    """The possible paths of a pair: in the workspace, then in the trees of hosts with its key."""
    yield row.place.certificate, row.place.key
    for host in wanted.cluster.hosts:
        if host.roles & {CONTROL_PLANE, ETCD}:
            for own in wanted.of_host(host):
                if own.name == row.name and own.place.key:
                    tree = f"{NODES_FOLDER}/{host.name}"
                    yield f"{tree}/{own.place.certificate}", f"{tree}/{own.place.key}"


def copies(row: Row, observe: Observe, wanted: Wanted) -> Iterator[tuple[str, str]]:
    """Each wrong file of a workspace's CA, and the path of a right copy in a host's tree."""
    place = row.place
    (_, own_key), *others = _places(row, wanted)
    key = find_sound_key(observe(own_key).data or b"")
    certificates = read_certificates(observe(place.certificate), row.name)[0]
    for certificate_path, key_path in others:
        copy = read_certificates(observe(certificate_path), row.name)[0]
        copied = find_sound_key(observe(key_path).data or b"")
        if copy and copy != certificates and (key is None or is_for(key, copy)):
            yield place.certificate, certificate_path
        elif not is_for(key, certificates) and is_for(copied, certificates):
            yield place.key, key_path


def is_for(key: PrivateKeyTypes | None, certificates: Sequence[Certificate]) -> bool:
    """Whether a certificate of *certificates* certifies *key*."""
    return key is not None and any(reading.has_public_key(certificate, keys.public_key_der(key))
                                   for certificate in certificates)


def _find_key(certificate: ObservedFile, observe: Observe,
              places: Iterator[tuple[str, str]]) -> ObservedFile | None:
    """The file among these places with the key of a CA's certificate, None if there is none."""
    with about(certificate.path):
        bundle = load_bundle(certificate.data or b"")
    for _, path in places:
        found = observe(path)
        if found.data is not None and (key := find_sound_key(found.data)) is not None:
            public_key = keys.public_key_der(key)
            if any(reading.has_public_key(certificate, public_key) for certificate in bundle):
                return found
    return None


def _present(found: ObservedFile) -> ObservedFile | None:
    """The file, None if it is missing or the caller may not read it.

    Raises FileError if nobody can read the file.
    """
    if found.problem:
        raise FileError(f"{found.path}: {found.problem}")
    return None if found.missing or found.unread else found


def _loaded(row: Row, data: bytes, key: bytes | None, certificate_path: str, key_path: str,
            passphrase: bytes | None, now: datetime) -> PlannedAuthority:
    with about(certificate_path):
        certificates = load_bundle(data)
        for certificate in certificates:
            validate_ca(certificate)
    encrypted, authority = pem.is_encrypted(key or b""), None
    if key is None or (encrypted and passphrase is None):
        with about(certificate_path):
            validate_ca_validity(certificates, now)
    else:
        authority = load_authority(data, key, passphrase=passphrase if encrypted else None, now=now,
                                   names=(certificate_path, key_path))
    return PlannedAuthority(row, pem.dump_certificates(certificates), key, certificate_path,
                            key_path, encrypted=encrypted, authority=authority,
                            certificates=tuple(certificates))


def _load_key(found: ObservedFile, passphrase: bytes | None) -> PrivateKeyTypes | None:
    """The key of a CA whose certificate is missing.

    The CA's leaves stay valid under a new certificate for the key.
    """
    if found.missing:
        return None
    if found.unread:
        raise refusal("", found.unread)
    data, finding = readable(found, "ca")
    with about(found.path):
        if data is None:
            raise FileError(finding.message if finding else "the key cannot be read")
        return pem.load_key(data, passphrase)


def make_root(root: PlannedAuthority, *, algorithm: str, wanted: Wanted, now: datetime,
              new_key: NewKey) -> PlannedAuthority:
    """Make a missing CA: its certificate, and its key unless the key exists."""
    key = root.existing_key or new_key(algorithm)
    authority = make_authority(root.row.profile, key, validity=wanted.cluster.ca_validity, now=now)
    return replace(root, bundle=authority.bundle, key_pem=pem.dump_key(key, form="traditional"),
                   authority=authority, certificates=(authority.certificate,))


def load_service_accounts(row: Row, observe: Observe, *, wanted: Wanted) -> ServiceAccounts:
    """Load the pair from the workspace, else from a host's tree; else a pair to make.

    A key that Kubernetes cannot read is replaced. Raises RefusedError for an encrypted key,
    FileError for a path that is no file.
    """
    alone: ServiceAccounts | None = None
    broken = False
    for public_path, key_path in _places(row, wanted):
        key, public = _present(observe(key_path)), _present(observe(public_path))
        if key is not None and (loaded := _token_key(key_path, key.data or b"")) is not None:
            half = pem.dump_public_key(loaded[0].public_key())
            holds_half = public and {*_public_keys(half)} <= {*_public_keys(public.data)}
            public_pem = public.data if public and holds_half else half
            pair = ServiceAccounts(row, loaded[1], public_pem)
            if alone is None or pair.public_key == alone.public_key:
                return pair
        elif key is not None:
            broken |= key_path == row.place.key
        elif public is not None and alone is None and not broken:
            with about(public_path):
                alone = ServiceAccounts(row, None, public.data)
                if alone.public_key is None:
                    raise InputError("the file has no public key that Kubernetes reads")
    return alone or ServiceAccounts(row)


def _public_keys(data: bytes | None) -> list[bytes]:
    return read_public_keys(ObservedFile("", data), "")[0]


def _token_key(path: str, data: bytes) -> tuple[PrivateKeyTypes, bytes] | None:
    """The key in *data*, and its PEM in a form for Kubernetes; None if it cannot sign tokens.

    A short RSA key stays, even if Go refuses it now, for every token depends on that key. A key in
    a form that Go does not read gets another form.
    """
    if pem.is_encrypted(data):
        raise RefusedError(f"{path}: the service accounts' key is encrypted, and no component has "
                           "a passphrase to give",
                           hint=f"decrypt it first: kpki pkey -in {path} -out PLAIN-KEY")
    verdict = verify_private_key(data, tokens=True)
    if verdict.key is None and verdict.cause is None:
        raise RefusedError(f"{path}: the service accounts' key has more than two primes, and kpki "
                           "can use no such key",
                           hint="leave the key out of this workspace: the public half is enough")
    if verdict.key is not None and (verdict.cause is None
                                    or isinstance(verdict.key, rsa.RSAPrivateKey)):
        return verdict.key, data
    key = private_key_in(ObservedFile(path, data))
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return None
    anew = pem.dump_key(key, form="traditional")
    return (key, anew) if verify_private_key(anew, tokens=True).cause is None else None


def make_service_accounts(pair: ServiceAccounts, *, algorithm: str,
                          new_key: NewKey) -> ServiceAccounts:
    """Make the missing pair."""
    key = new_key(algorithm)
    return replace(pair, key_pem=pem.dump_key(key, form="traditional"),
                   public_pem=pem.dump_public_key(key.public_key()))
