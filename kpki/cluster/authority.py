"""A CA at work: its signing pair, checked before use, and the certificates it issues for rows of the table."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from .. import files, pem
from ..arguments import check_arguments, checked
from ..clock import utc_now
from ..errors import InputError, RefusedError, about
from ..kubernetes import reading
from ..kubernetes.go.certificate import parse
from ..kubernetes.go.der import GoError
from ..kubernetes.private_key import judge_private_key
from ..kubernetes.profiles import CA, KUBELET, Identity, Profile, ca_values, leaf_values, node_of
from ..stages import keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from cryptography.x509 import Certificate

    Key = PrivateKeyTypes | PublicKeyTypes

BACKDATED = timedelta(minutes=5)    # as kubeadm does, for hosts whose clock is a little behind
DAYS, CA_DAYS = 365, 3650       # that a certificate, and a CA's, is valid if nobody says otherwise
SHORTEST_RSA = 2048
_GO_HINT = "take the cluster's CA certificate; kpki verify -kubernetes -CAfile CA CERT says what Kubernetes takes"
PASSPHRASE_HINT = "--passin env:NAME, file:PATH, fd:N, stdin or pass:TEXT"
GO_CURVES = ("secp256r1", "secp384r1", "secp521r1")     # crypto/tls takes no certificate on another

# Name of an algorithm, as kubeadm's encryptionAlgorithm has it → the words of genpkey.
ALGORITHMS: dict[str, dict[str, str | int]] = {
    "RSA-2048": {"algorithm": "RSA", "bits": 2048}, "RSA-3072": {"algorithm": "RSA", "bits": 3072},
    "RSA-4096": {"algorithm": "RSA", "bits": 4096},
    "ECDSA-P256": {"algorithm": "EC", "curve": "P-256"}, "ECDSA-P384": {"algorithm": "EC", "curve": "P-384"},
}

# Asks for the passphrase of CA keys (path, PEM); None if none of them wants one.
Passphrase = Callable[[Iterable[tuple[str, bytes]]], bytes | None]

_RSA = (rsa.RSAPrivateKey, rsa.RSAPublicKey)
_EC = (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)


@dataclass(frozen=True)
class Issued:
    """A certificate that a CA has issued, with its private key and the CA's certificates."""

    certificate: Certificate
    """The certificate, to be shown before the CA's."""
    key: PrivateKeyTypes = field(repr=False)
    """The certificate's private key."""
    bundle: bytes = field(repr=False)
    """The certificates of the CA (PEM), which the holder trusts."""


@dataclass(frozen=True)
class Authority:
    """A certificate authority: the certificate that signs, and its private key.

    Raises RefusedError if the certificate is not the key's, TypeError for values of other types.

    >>> kpki.Authority(ca, ca_key).certificate.subject.rfc4514_string()
    'CN=kubernetes'
    """

    certificate: Certificate
    """The CA's certificate."""
    key: PrivateKeyTypes = field(repr=False)
    """The CA's private key."""
    bundle: bytes = field(default=b"", repr=False)
    """The certificates (PEM) that hosts are to trust; by default the CA's certificate alone."""

    def __post_init__(self) -> None:
        from ..stages import certificates
        check_arguments(type(self), vars(self))
        certificates.check_pair(self.certificate, self.key)
        if not self.bundle:
            object.__setattr__(self, "bundle", pem.dump_certificate(self.certificate))

    @classmethod
    @checked
    def create(cls, name: str = CA.common_name, *, algorithm: str = "ECDSA-P256", days: int = CA_DAYS,
               now: datetime | None = None) -> Authority:
        """Make a CA with a new key, which signs itself: subject CN=*name*, extensions as kubeadm's CAs have.

        *algorithm* is RSA-2048, RSA-3072, RSA-4096, ECDSA-P256 or ECDSA-P384. The CA is valid for *days* days from
        *now* (None: the clock). Raises InputError for another algorithm, no name, or less than one day.

        >>> kpki.Authority.create("etcd-ca").certificate.subject.rfc4514_string()
        'CN=etcd-ca'
        """
        if not name:
            raise InputError("a CA without a name", hint="kubeadm calls the cluster's CA kubernetes")
        return make_authority(replace(CA, common_name=name), make_key(algorithm), validity=lasting(days),
                              now=now or utc_now())

    @checked
    def issue_node(self, name: str, *, addresses: Sequence[str], dns: Sequence[str] = (), days: int = DAYS,
                   algorithm: str | None = None, key: PrivateKeyTypes | None = None, now: datetime | None = None,
                   warnings: list[str] | None = None) -> Issued:
        """Issue a node's certificate: CN=system:node:*name*, O=system:nodes, for TLS servers and clients.

        The certificate names *name*, the *addresses* (IP) and the *dns* names. *key* is an existing key; without one a
        key of *algorithm* is made (None: the CA's own). The certificate is valid for *days* days from *now* (None: the
        clock), and never longer than the CA: then a line is added to *warnings*. Raises InputError for what cannot be
        a node's name, address, key or number of days, RefusedError for a CA that Kubernetes does not accept.

        >>> node = kpki.Authority(ca, ca_key).issue_node("worker-1", addresses=["10.0.0.21"], now=now)
        >>> node.certificate.subject.rfc4514_string()
        'CN=system:node:worker-1,O=system:nodes'
        """
        node, moment = node_of(name, addresses, dns), now or utc_now()
        if not node.addresses:
            raise InputError(f"{name}: no address is given, and nobody reaches a node without an address")
        if key is not None and (fault := key_fault(key.public_key())):
            raise InputError(f"{name}: {fault}")
        check_ca(self.certificate)
        check_lasting([self.certificate], moment)
        key = key or make_key(algorithm or self.algorithm)
        certificate = issue(self, KUBELET, node.identity, key, validity=lasting(days), now=moment,
                            warnings=[] if warnings is None else warnings)
        return Issued(certificate, key, self.bundle)

    @property
    def digest(self) -> str:
        """The hash of its signatures: SHA-256, but a P-384 or P-521 key's own size."""
        return signing_digest(self.key)

    @property
    def algorithm(self) -> str:
        """The algorithm of the leaves' keys where nobody says another: the CA's own."""
        return leaf_algorithm(self.key)


def leaf_algorithm(key: Key) -> str:
    """The algorithm of the keys that a CA's key is to sign, where nobody says another: its own, else one like it."""
    return key_algorithm(key) or ("RSA-2048" if isinstance(key, _RSA) else "ECDSA-P256")


def signing_digest(key: Key) -> str:
    """The hash that goes with a CA's key: SHA-256, but a P-384 or P-521 key's own size."""
    size = key.curve.key_size if isinstance(key, _EC) else 256
    return {384: "sha384", 521: "sha512"}.get(size, "sha256")


def load_authority(certificates_pem: bytes, key_pem: bytes, *, passphrase: bytes | None = None,
                   now: datetime | None = None, names: tuple[str, str] = ("CA certificate", "CA key")) -> Authority:
    """A CA from the bytes of its files; of a bundle the signer is the certificate that matches the key.

    *passphrase* opens an encrypted key, *now* is the moment (None: the clock), *names* are the files' for messages.
    Raises InputError for bytes that cannot be read, RefusedError for a pair that does not match, for a certificate that
    is no CA, or for a CA whose time is over.

    >>> kpki.load_authority(kpki.dump_certificate(ca), kpki.dump_key(ca_key), now=now).algorithm
    'ECDSA-P256'
    """
    with about(names[1]):
        key = judge_private_key(key_pem).key or pem.load_key(key_pem, passphrase)
        public_key = keys.public_key_der(keys.signing_key(key))
    with about(names[0]):
        bundle = load_bundle(certificates_pem)
    signer = next((one for one in bundle if reading.certifies(one, public_key)), None)
    if signer is None:
        raise RefusedError(f"{names[0]} and {names[1]} do not match: the key is not the certificate's",
                           hint="take the key that lies beside this CA certificate")
    with about(names[0]):
        check_ca(signer)
        check_lasting([signer], now or utc_now())
    return Authority(signer, key, pem.dump_certificates(bundle))


def load_bundle(data: bytes) -> list[Certificate]:
    """The certificates of a CA file, all of each readable, by Go too (a file with another is none to it).

    Raises InputError for what is no certificate, RefusedError for one that Go cannot read.
    """
    bundle = pem.load_certificates(data)
    for one in bundle:
        try:
            parse(one.public_bytes(Encoding.DER))
        except GoError as error:
            raise RefusedError(f"no component can read a certificate of this file: {error.sentence}",
                               hint=_GO_HINT) from None
        if part := reading.unreadable(one):
            raise InputError(f"a certificate whose {part} cannot be read")
    return bundle


def trusted_bundle(data: bytes) -> list[Certificate]:
    """The certificates of a CA file that others are to be judged by. Raises InputError where none of them is a CA."""
    bundle = load_bundle(data)
    faults = [reading.ca_fault(one) for one in bundle]
    if all(faults):
        raise InputError(f"the certificate is not a CA: {faults[0]}", hint="take the cluster's CA certificate")
    return bundle


def check_ca(certificate: Certificate) -> None:
    """Raise RefusedError for a certificate that is no CA, or one of which Kubernetes takes nothing that it signs."""
    if fault := reading.ca_fault(certificate):
        raise RefusedError(f"the certificate is not a CA: {fault}", hint="take the cluster's CA certificate")
    if weakness := reading.weakness(certificate):
        raise RefusedError(f"Kubernetes refuses whatever this CA signs: {weakness}", hint=_GO_HINT)


def check_lasting(certificates: Sequence[Certificate], now: datetime) -> None:
    """Raise RefusedError where none of a CA's certificates is in its time."""
    if any(one.not_valid_before_utc <= now <= one.not_valid_after_utc for one in certificates):
        return
    certificate = certificates[0]
    if now > certificate.not_valid_after_utc:
        raise RefusedError(f"the CA certificate expired on {day(certificate.not_valid_after_utc)}",
                           hint="nothing it signs is accepted any more: the CA must be renewed first")
    raise RefusedError(f"the CA certificate is not valid before {day(certificate.not_valid_before_utc)}",
                       hint="is this host's clock right?")


def day(moment: datetime) -> str:
    """A moment for people: date and time in UTC, to the second."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def make_key(algorithm: str) -> PrivateKeyTypes:
    """A new key; *algorithm* is a name of ALGORITHMS. Raises InputError for another."""
    words = ALGORITHMS[check_algorithm(algorithm)]
    return keys.genpkey(str(words["algorithm"]), bits=int(words.get("bits", 0)), curve=str(words.get("curve", "")))


def check_algorithm(name: str) -> str:
    """*name*, where it is one of ALGORITHMS. Else InputError."""
    if name not in ALGORITHMS:
        raise InputError(f"unknown algorithm {name!r}", hint=f"one of: {', '.join(ALGORITHMS)}")
    return name


def key_algorithm(key: Key) -> str | None:
    """The name in ALGORITHMS that a key, either half of it, answers to, None where none does."""
    if isinstance(key, _RSA):
        name = f"RSA-{key.key_size}"
    elif isinstance(key, _EC):
        name = f"ECDSA-P{key.curve.key_size}" if key.curve.name in GO_CURVES else ""
    else:
        name = ""
    return name if name in ALGORITHMS else None


def issue(authority: Authority, profile: Profile, identity: Identity, key: PrivateKeyTypes | bytes, *,
          validity: timedelta, now: datetime, warnings: list[str]) -> Certificate:
    """The certificate of a row for a key (or the public key's DER), valid for *validity* from *now*, 5 min backdated.

    It never outlives its CA: then it is cut, with a line added to *warnings*. Raises InputError for less than a second.
    """
    not_after = _after(now, validity)
    end = authority.certificate.not_valid_after_utc
    if not_after > end:
        warnings.append(f"{span(validity)} are cut to the end of the CA, {day(end)}: no certificate outlives its CA")
        not_after = end
    from ..stages import certificates       # which whoever only reads a CA does not need
    public_key = key if isinstance(key, bytes) else keys.public_key_der(key)
    values = leaf_values(profile, identity, rsa=_is_rsa(key))
    return certificates.sign_certificate(
        values, public_key, authority.certificate, authority.key, digest=authority.digest,
        not_before=now - BACKDATED, not_after=not_after)


def make_authority(profile: Profile, key: PrivateKeyTypes, *, validity: timedelta, now: datetime) -> Authority:
    """A new CA: a row's certificate for *key*, signed with itself, valid for *validity* from *now*, 5 min backdated."""
    from ..stages import certificates
    certificate = certificates.self_sign(ca_values(profile), key, digest=signing_digest(key),
                                         not_before=now - BACKDATED, not_after=_after(now, validity))
    return Authority(certificate, key, pem.dump_certificate(certificate))


def _after(now: datetime, validity: timedelta) -> datetime:
    """The end of what is valid from now, in whole seconds; at most the last that a certificate can say."""
    try:
        return now + validity
    except OverflowError:
        return datetime.max.replace(tzinfo=timezone.utc)


def span(validity: timedelta) -> str:
    """A time span for people: whole days, else hours."""
    whole = not validity % timedelta(days=1)
    return f"{validity.days} days" if whole else f"{validity / timedelta(hours=1):g} hours"


def lasting(days: int) -> timedelta:
    """*days* as a validity, however many they are. Raises InputError for fewer than one."""
    return timedelta(days=min(check_days(days), timedelta.max.days))


def check_days(days: int) -> int:
    """*days*, where a certificate can be valid so long. Else InputError."""
    if days < 1:
        raise InputError(f"a certificate that is valid {days} days is of no use", hint="--days is 1 or more")
    return days


def _is_rsa(key: PrivateKeyTypes | bytes) -> bool:
    return isinstance(pem.load_public_key(key) if isinstance(key, bytes) else key, rsa.RSAPublicKey | rsa.RSAPrivateKey)


def example_authority(now: datetime) -> tuple[bytes, bytes]:
    """A throw-away CA (P-256, ten years): its certificate and its key, in PEM."""
    ca = make_authority(CA, make_key("ECDSA-P256"), validity=timedelta(days=3650), now=now)
    return ca.bundle, pem.dump_key(ca.key, form="traditional")


def sound_key(data: bytes) -> PrivateKeyTypes | None:
    """The key in *data*, where a component can load it and it is strong enough to be kept; else None."""
    key = judge_private_key(data).key
    return key if key is not None and key_fault(key.public_key()) is None else None


def key_fault(key: PublicKeyTypes) -> str | None:
    """Why a node's key is not one to issue for, None where it is: RSA of 2048 bits or more, or a curve that Go has."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA key has {key.key_size} bits, under {SHORTEST_RSA}" if key.key_size < SHORTEST_RSA else None
    if isinstance(key, ec.EllipticCurvePublicKey):
        name = key.curve.name
        return None if name in GO_CURVES else f"key is on the curve {name}, which Kubernetes cannot use"
    return "key is neither RSA nor ECDSA, and Kubernetes reads no other"


def plain_key(data: bytes) -> PrivateKeyTypes:
    """The key in *data*, which a component is to load without being asked anything. Raises InputError."""
    if pem.is_encrypted(data):
        raise InputError("the private key is encrypted, and no component has a passphrase to give",
                         hint="decrypt it first: kpki pkey -in KEY -out PLAIN-KEY")
    verdict = judge_private_key(data)
    if verdict.key is None:
        pem.load_key(data, encoding="PEM")      # says what is there instead, if it is no key at all
        raise InputError(f"no component can use the private key: {verdict.reason or 'it has more than two primes'}",
                         hint="kpki genpkey makes one that Kubernetes can use")
    return verdict.key


def read_authority(ca: str | None, ca_key: str | None, *, passphrase: Passphrase, now: datetime) -> Authority:
    """The CA in two files; see `load_authority`. Raises InputError if one of them is not named."""
    if not ca or not ca_key:
        raise InputError("no CA: its certificate and its key are needed",
                         hint="--ca CERT --ca-key KEY (or --example, to try it with a throw-away CA)")
    key = files.read(ca_key)
    secret = passphrase([(ca_key, key)])
    try:
        return load_authority(files.read(ca), key, passphrase=secret, now=now, names=(ca, ca_key))
    except InputError as error:
        if error.hint != "give it with -passin":    # openssl's option, which has one dash there
            raise
        raise type(error)(error.message, hint=PASSPHRASE_HINT) from None
