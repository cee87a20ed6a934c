"""A CA: its signing pair, validated before use, and the certificates that the CA issues."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from .. import pem
from ..arguments import validate_arguments, validated
from ..clock import utc_now
from ..errors import InputError, RefusedError, about
from ..kubernetes import reading
from ..kubernetes.go.certificate import parse
from ..kubernetes.go.der import GoError
from ..kubernetes.private_key import verify_private_key
from ..kubernetes.profiles import (
    CA,
    KUBELET_PROFILE,
    Identity,
    Profile,
    node_of,
)
from ..stages import keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from cryptography.x509 import Certificate

    Key = PrivateKeyTypes | PublicKeyTypes

BACKDATED = timedelta(minutes=5)    # as kubeadm does, for hosts whose clock is a little behind
DAYS, CA_DAYS = 365, 3650       # the default validity of a leaf and of a CA
SHORTEST_RSA = 2048             # bits
_CA_HINT = "use the cluster's CA certificate"
_GO_HINT = f"{_CA_HINT}; kpki verify -kubernetes -CAfile CA CERT says what Kubernetes accepts"
PASSPHRASE_HINT = "--passin env:NAME, file:PATH, fd:N, stdin or pass:TEXT"   # noqa: S105 - a hint
GO_CURVES = ("secp256r1", "secp384r1", "secp521r1")     # the only curves that crypto/tls accepts

# Name of an algorithm (kubeadm's encryptionAlgorithm) → the options of genpkey.
ALGORITHMS: dict[str, dict[str, str | int]] = {
    "RSA-2048": {"algorithm": "RSA", "bits": 2048}, "RSA-3072": {"algorithm": "RSA", "bits": 3072},
    "RSA-4096": {"algorithm": "RSA", "bits": 4096},
    "ECDSA-P256": {"algorithm": "EC", "curve": "P-256"},
    "ECDSA-P384": {"algorithm": "EC", "curve": "P-384"},
}

# Asks for the passphrase of CA keys (path, PEM); None if no key is encrypted.
Passphrase = Callable[[Iterable[tuple[str, bytes]]], bytes | None]

_RSA = (rsa.RSAPrivateKey, rsa.RSAPublicKey)
_EC = (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)


@dataclass(frozen=True)
class Issued:
    """A certificate that a CA has issued, with its private key and the CA's certificates.

    >>> node = kpki.Authority(ca, ca_key).issue_node("worker-1", addresses=["10.0.0.21"], now=now)
    >>> len(kpki.load_certificates(kpki.dump_certificate(node.certificate) + node.bundle))
    2
    """

    certificate: Certificate
    """The certificate; its holder sends it before the CA's."""
    key: PrivateKeyTypes = field(repr=False)
    """The certificate's private key."""
    bundle: bytes = field(repr=False)
    """The certificates of the CA (PEM), which the holder trusts."""


@dataclass(frozen=True)
class Authority:
    """A certificate authority: the certificate that signs, and its private key.

    Raises RefusedError if certificate and key do not belong together, TypeError for values of other
    types.

    >>> kpki.Authority(ca, ca_key).certificate.subject.rfc4514_string()
    'CN=kubernetes'
    """

    certificate: Certificate
    """The CA's certificate."""
    key: PrivateKeyTypes = field(repr=False)
    """The CA's private key."""
    bundle: bytes = field(default=b"", repr=False)
    """The certificates (PEM) that hosts trust; by default the CA's certificate alone."""

    def __post_init__(self) -> None:
        from ..stages import signing
        validate_arguments(type(self), vars(self).items())
        signing.validate_pair(self.certificate, self.key)
        if not self.bundle:
            object.__setattr__(self, "bundle", pem.dump_certificate(self.certificate))

    @classmethod
    @validated
    def create(cls, name: str = CA.common_name, *, algorithm: str = "ECDSA-P256",
               days: int = CA_DAYS, now: datetime | None = None) -> Authority:
        """Make a self-signed CA with a new key: subject CN=*name*, the extensions of kubeadm's CAs.

        *algorithm* is RSA-2048, RSA-3072, RSA-4096, ECDSA-P256 or ECDSA-P384. The CA is valid for
        *days* days from *now* (None: the clock). Raises InputError for another algorithm, an empty
        name, or less than one day.

        >>> kpki.Authority.create("etcd-ca").certificate.subject.rfc4514_string()
        'CN=etcd-ca'
        """
        if not name:
            raise InputError("a CA without a name",
                             hint="kubeadm calls the cluster's CA kubernetes")
        return make_authority(replace(CA, common_name=name), make_key(algorithm),
                              validity=lasting(days), now=now or utc_now())

    @validated
    def issue_node(self, name: str, *, addresses: Sequence[str], dns: Sequence[str] = (),
                   days: int = DAYS, algorithm: str | None = None,
                   key: PrivateKeyTypes | None = None, now: datetime | None = None,
                   warnings: list[str] | None = None) -> Issued:
        """Issue a node's certificate: CN=system:node:*name*, O=system:nodes.

        The certificate names *name*, the *addresses* (IP) and the *dns* names. *key* is an existing
        key; without *key* a key of *algorithm* is made (None: the CA's own). The certificate is
        valid for *days* days from *now* (None: the clock). A validity past the CA's end is cut, and
        a line is added to *warnings*. Raises InputError for an invalid name, address, key or number
        of days, RefusedError for a CA that Kubernetes does not accept.

        >>> authority = kpki.Authority(ca, ca_key)
        >>> node = authority.issue_node("worker-1", addresses=["10.0.0.21"], now=now)
        >>> node.certificate.subject.rfc4514_string()
        'CN=system:node:worker-1,O=system:nodes'
        """
        node, moment = node_of(name, addresses, dns), now or utc_now()
        if not node.addresses:
            raise InputError(f"{name}: no address is given, and clients need a node's address")
        if key is not None and (fault := find_key_fault(key.public_key())):
            raise InputError(f"{name}: {fault}")
        validate_ca(self.certificate)
        validate_ca_validity([self.certificate], moment)
        key = key or make_key(algorithm or self.algorithm)
        certificate = issue(self, KUBELET_PROFILE, node.identity, key, validity=lasting(days),
                            now=moment, warnings=[] if warnings is None else warnings)
        return Issued(certificate, key, self.bundle)

    @property
    def digest(self) -> str:
        """The hash of the CA's signatures: SHA-256, but a P-384 or P-521 key's own size."""
        return signing_digest(self.key)

    @property
    def algorithm(self) -> str:
        """The default algorithm of the leaves' keys: the CA's own."""
        return leaf_algorithm(self.key)


def leaf_algorithm(key: Key) -> str:
    """The default algorithm of a CA's leaves: the CA key's own, else one of the same type."""
    return key_algorithm(key) or ("RSA-2048" if isinstance(key, _RSA) else "ECDSA-P256")


def signing_digest(key: Key) -> str:
    """The hash that goes with a CA's key: SHA-256, but a P-384 or P-521 key's own size."""
    size = key.curve.key_size if isinstance(key, _EC) else 256
    return {384: "sha384", 521: "sha512"}.get(size, "sha256")


def load_authority(certificates_pem: bytes, key_pem: bytes, *, passphrase: bytes | None = None,
                   now: datetime | None = None,
                   names: tuple[str, str] = ("CA certificate", "CA key")) -> Authority:
    """Load a CA from the bytes of its files.

    The certificate that matches the key is the signer of a bundle. *passphrase* opens an encrypted
    key, *now* is the moment (None: the clock), *names* are the file names for messages. Raises
    InputError for bytes that cannot be read. Raises RefusedError for a pair that does not match, a
    certificate that is no CA, or an expired CA.

    >>> kpki.load_authority(kpki.dump_certificate(ca), kpki.dump_key(ca_key), now=now).algorithm
    'ECDSA-P256'
    """
    with about(names[1]):
        key = verify_private_key(key_pem).key or pem.load_key(key_pem, passphrase)
        keys.validate_signing_key(key)
    with about(names[0]):
        bundle = load_bundle(certificates_pem)
    return authority_in(bundle, key, now=now or utc_now(), names=names)


def authority_in(bundle: Sequence[Certificate], key: PrivateKeyTypes, *, now: datetime,
                 names: tuple[str, str]) -> Authority:
    """The CA of a bundle that *key* belongs to; parameters and errors as `load_authority`."""
    public_key = keys.public_key_der(key)
    signer = next((certificate for certificate in bundle
                   if reading.has_public_key(certificate, public_key)), None)
    if signer is None:
        raise RefusedError(f"{names[0]} and {names[1]} do not match: the key is not the "
                           "certificate's",
                           hint="use the key that belongs to this CA certificate")
    with about(names[0]):
        validate_ca(signer)
        validate_ca_validity([signer], now)
    return Authority(signer, key, pem.dump_certificates(bundle))


def load_bundle(data: bytes) -> list[Certificate]:
    """The certificates of a CA file.

    Raises InputError for data without certificates, RefusedError for a certificate that Go cannot
    read: Go then refuses the whole file.
    """
    bundle = pem.load_certificates(data)
    for certificate in bundle:
        try:
            parse(certificate.public_bytes(Encoding.DER))
        except GoError as error:
            raise RefusedError("no component can read a certificate of this file: "
                               f"{error.sentence}", hint=_GO_HINT) from None
        if part := reading.find_unreadable_part(certificate):
            raise InputError(f"the {part} of a certificate cannot be read")
    return bundle


def load_trusted_bundle(data: bytes) -> list[Certificate]:
    """The certificates of a CA file that others are checked against.

    Raises InputError if none is a CA.
    """
    bundle = load_bundle(data)
    faults = [reading.find_ca_fault(certificate) for certificate in bundle]
    if all(faults):
        raise InputError(f"the certificate is not a CA: {faults[0]}", hint=_CA_HINT)
    return bundle


def validate_ca(certificate: Certificate) -> None:
    """Raise RefusedError for a certificate that is no CA, or whose leaves Kubernetes refuses."""
    if fault := reading.find_ca_fault(certificate):
        raise RefusedError(f"the certificate is not a CA: {fault}", hint=_CA_HINT)
    if weakness := reading.find_weakness(certificate):
        raise RefusedError(f"Kubernetes refuses every certificate of this CA: {weakness}",
                           hint=_GO_HINT)


def validate_ca_validity(certificates: Sequence[Certificate], now: datetime) -> None:
    """Raise RefusedError if none of a CA's certificates is valid now."""
    if any(certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
           for certificate in certificates):
        return
    certificate = certificates[0]
    if now > certificate.not_valid_after_utc:
        raise RefusedError(f"the CA certificate expired on {day(certificate.not_valid_after_utc)}",
                           hint="kpki renew --ca renews the CA, so that leaves are accepted again")
    raise RefusedError("the CA certificate is not valid before "
                       f"{day(certificate.not_valid_before_utc)}",
                       hint="check this host's clock")


def day(moment: datetime) -> str:
    """A moment for people: date and time in UTC, to the second."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def make_key(algorithm: str) -> PrivateKeyTypes:
    """Make a key; *algorithm* is a name of ALGORITHMS. Raises InputError for another name."""
    options = ALGORITHMS[validate_algorithm(algorithm)]
    return keys.genpkey(str(options["algorithm"]), bits=int(options.get("bits", 0)),
                        curve=str(options.get("curve", "")))


def validate_algorithm(name: str) -> str:
    """Return *name*. Raises InputError if ALGORITHMS does not have it."""
    if name not in ALGORITHMS:
        raise InputError(f"unknown algorithm {name!r}",
                         hint=f"known algorithms: {', '.join(ALGORITHMS)}")
    return name


def key_algorithm(key: Key) -> str | None:
    """The name in ALGORITHMS of a private or public key, None if ALGORITHMS has no such key."""
    if isinstance(key, _RSA):
        name = f"RSA-{key.key_size}"
    elif isinstance(key, _EC):
        name = f"ECDSA-P{key.curve.key_size}" if key.curve.name in GO_CURVES else ""
    else:
        name = ""
    return name if name in ALGORITHMS else None


def issue(authority: Authority, profile: Profile, identity: Identity,
          key: PrivateKeyTypes | bytes, *, validity: timedelta, now: datetime,
          warnings: list[str]) -> Certificate:
    """Issue a row's certificate for a key, or for a public key in DER.

    The certificate is valid for *validity* from *now*, and backdated by 5 minutes. A validity past
    the CA's end is cut, and a line is added to *warnings*. Raises InputError for less than a
    second.
    """
    not_after = end_of_validity(now, validity)
    end = authority.certificate.not_valid_after_utc
    if not_after > end:
        warnings.append(f"{span(validity)} are cut to the end of the CA, {day(end)}: no "
                        "certificate outlives its CA")
        not_after = end
    # slow to import, and reading a CA does not need them
    from ..kubernetes.values import leaf_values
    from ..stages import signing
    public_key = key if isinstance(key, bytes) else keys.public_key_der(key)
    values = leaf_values(profile, identity, rsa=_is_rsa(key))
    return signing.certify(     # an Authority's certificate and key match
        values, public_key, authority.certificate, authority.key, digest=authority.digest,
        not_before=now - BACKDATED, not_after=not_after)


def make_authority(profile: Profile, key: PrivateKeyTypes, *, validity: timedelta,
                   now: datetime) -> Authority:
    """Make a CA with the certificate of a row for *key*.

    The certificate is self-signed, valid for *validity* from *now*, and backdated by 5 minutes.
    """
    from ..kubernetes.values import ca_values
    from ..stages import signing
    certificate = signing.self_sign(ca_values(profile), key, digest=signing_digest(key),
                                    not_before=now - BACKDATED,
                                    not_after=end_of_validity(now, validity))
    return Authority(certificate, key, pem.dump_certificate(certificate))


def end_of_validity(now: datetime, validity: timedelta) -> datetime:
    """The end of a validity from now; at most the last moment that a certificate can state."""
    try:
        return now + validity
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def span(validity: timedelta) -> str:
    """A time span for people: whole days, else hours."""
    whole = not validity % timedelta(days=1)
    return f"{validity.days} days" if whole else f"{validity / timedelta(hours=1):g} hours"


def lasting(days: int) -> timedelta:
    """*days* as a validity. Raises InputError for fewer than one day."""
    return timedelta(days=min(validate_days(days), timedelta.max.days))


def validate_days(days: int) -> int:
    """Return *days*. Raises InputError for fewer than one day."""
    if days < 1:
        raise InputError(f"a certificate that is valid {days} days is of no use",
                         hint="--days is 1 or more")
    return days


def _is_rsa(key: PrivateKeyTypes | bytes) -> bool:
    return isinstance(pem.load_public_key(key) if isinstance(key, bytes) else key,
                      rsa.RSAPublicKey | rsa.RSAPrivateKey)


def find_sound_key(data: bytes) -> PrivateKeyTypes | None:
    """The key in *data*, None if no component can load the key or the key is weak."""
    key = verify_private_key(data).key
    return key if key is not None and find_key_fault(key.public_key()) is None else None


def find_key_fault(key: PublicKeyTypes) -> str | None:
    """Why a CA refuses a node's key; None for RSA of 2048 bits or more, or one of Go's curves."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA key has {key.key_size} bits, under {SHORTEST_RSA}" \
            if key.key_size < SHORTEST_RSA else None
    if isinstance(key, ec.EllipticCurvePublicKey):
        name = key.curve.name
        return None if name in GO_CURVES \
            else f"key is on the curve {name}, which Kubernetes cannot use"
    return "key is neither RSA nor ECDSA, and Kubernetes reads no other"


def load_plain_key(data: bytes) -> PrivateKeyTypes:
    """The key in *data*.

    Raises InputError if a component cannot load the key, or needs a passphrase.
    """
    if pem.is_encrypted(data):
        raise InputError("the private key is encrypted, and no component has a passphrase to give",
                         hint="decrypt it first: kpki pkey -in KEY -out PLAIN-KEY")
    verdict = verify_private_key(data)
    if verdict.key is None:
        pem.load_key(data, encoding="PEM")      # raises with the fact, if the data is no key at all
        raise InputError("no component can use the private key: "
                         f"{verdict.reason or 'the key has more than two primes'}",
                         hint="kpki genpkey makes a key that Kubernetes can use")
    return verdict.key
