"""Certificates with one fault each, on order: one for each cause that a certificate can have."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .contexts import client_context, server_context
from .pki import NODE, KubernetesPki, identity_on_loopback, make_kubernetes_pki
from ..cluster.authority import BACKDATED, CA_DAYS, DAYS, Authority, make_key
from ..errors import InputError
from ..kubernetes.profiles import ca_extensions, get_profile
from ..kubernetes.values import ca_values, leaf_values
from ..pem import armour, dump_certificate, dump_key

if TYPE_CHECKING:
    from ssl import SSLContext

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate

    from ..stages.signing import Values


@dataclass(frozen=True, slots=True)
class BrokenCertificate:
    """The files of one certificate with one fault, all in PEM."""

    cause: str
    """The slug of the fault's cause (docs/causes.md)."""
    row: str
    """The row of the certificate: what it is meant for."""
    certificate: bytes
    """The certificate, before the CAs that its holder sends."""
    key: bytes = field(repr=False)
    """The private key."""
    bundle: bytes
    """The certificates of the CA that verifiers trust."""
    node: str = NODE
    """The node that holds the files."""

    def server_context(self) -> SSLContext:
        """The TLS context of a server that shows the certificate.

        The server accepts clients of its own CA. Raises ssl.SSLError if OpenSSL cannot load the
        certificate, the key or both together.
        """
        return server_context(self.certificate + self.key, self.bundle)

    def client_context(self) -> SSLContext:
        """The TLS context of a client that shows the certificate, and accepts servers of its CA.

        Raises as `server_context`.
        """
        return client_context(self.certificate + self.key, self.bundle)


def make_broken_certificate(cause: str, pki: KubernetesPki | None = None) -> BrokenCertificate:
    """Make a certificate with one fault: that of *cause*, a name of BROKEN_CAUSES.

    All else is right, and of the cluster *pki* (None: a new one). For the causes `expired-ca`,
    `ca-not-a-ca`, `outlives-ca`, `strict-refused` and `chain-depth` the bundle has the fault.
    `shared-key` and `serial-reused` share with `pki.certificates["kubelet"]`. Raises
    InputError for a cause that no certificate can have.

    >>> from kpki.testing import make_broken_certificate
    >>> make_broken_certificate("expired-server-cert").row
    'apiserver'
    """
    if cause not in _RECIPES:
        raise InputError(f"no certificate can have the cause {cause!r}",
                         hint=f"one of: {', '.join(BROKEN_CAUSES)}")
    recipe = _RECIPES[cause]
    pki = pki or make_kubernetes_pki()
    made = recipe.make(pki, recipe.row)
    return BrokenCertificate(cause, recipe.row, made.certificate, made.key, made.bundle)


class _Files(NamedTuple):
    """The three files in PEM."""

    certificate: bytes
    key: bytes
    bundle: bytes


class _Recipe(NamedTuple):
    """How a certificate with a fault is made, and of which row."""

    row: str
    make: Callable[[KubernetesPki, str], _Files]


class _Subject(NamedTuple):
    """What differs from the right certificate of a row."""

    node: str = NODE
    user: str | None = None
    groups: Sequence[str] | None = None
    usages: Sequence[str] | None = None
    dns: Sequence[str] | None = None
    addresses: Sequence[str] | None = None
    signer: str | None = None       # the row of the CA that signs, instead of the row's own
    starts: int = 0     # days from now
    lasts: int = DAYS
    digest: str = ""


def _wrong(subject: _Subject) -> Callable[[KubernetesPki, str], _Files]:
    """The recipe of a certificate that differs from the right one."""
    def make(pki: KubernetesPki, row: str) -> _Files:
        right = pki.authorities[get_profile(row).signer or "ca"]
        authority = pki.authorities[subject.signer] if subject.signer else right
        key = make_key(authority.algorithm)
        return _files(_sign(pki, row, subject, key, authority), key, right.bundle)
    return make


def _files(certificate: Certificate | bytes, key: PrivateKeyTypes | bytes,
           bundle: bytes) -> _Files:
    return _Files(certificate if isinstance(certificate, bytes) else dump_certificate(certificate),
                  key if isinstance(key, bytes) else dump_key(key), bundle)


def _values(row: str, subject: _Subject, *, rsa: bool = False) -> Values:
    profile = get_profile(row)
    identity = identity_on_loopback(profile, subject.node)
    changes = {name: value for name, value in (
        ("user", subject.user), ("groups", subject.groups), ("dns", subject.dns),
        ("addresses", subject.addresses)) if value is not None}
    if subject.usages is not None:
        profile = replace(profile, usages=tuple(subject.usages))
    return leaf_values(profile, identity._replace(**changes), rsa=rsa)  # type: ignore[arg-type]


def _sign(pki: KubernetesPki, row: str, subject: _Subject, key: PrivateKeyTypes,
          authority: Authority, serial_number: int | None = None) -> Certificate:
    from ..stages.signing import sign_certificate
    start = pki.now + timedelta(days=subject.starts)
    return sign_certificate(
        _values(row, subject), key.public_key(), authority.certificate, authority.key,
        digest=subject.digest or authority.digest, serial_number=serial_number,
        not_before=start - BACKDATED, not_after=start + timedelta(days=subject.lasts))


def _of_stranger(pki: KubernetesPki, row: str) -> _Files:
    """A certificate of a CA that no component of the cluster trusts."""
    stranger = Authority.create("another-ca", algorithm=pki.ca.algorithm, now=pki.now)
    key = make_key(pki.ca.algorithm)
    return _files(_sign(pki, row, _Subject(), key, stranger), key, pki.ca.bundle)


def _self_signed(pki: KubernetesPki, row: str) -> _Files:
    """A certificate that its own key has signed, as a kubelet makes it."""
    from ..stages.signing import self_sign
    key = make_key(pki.ca.algorithm)
    certificate = self_sign(_values(row, _Subject()), key, not_before=pki.now - BACKDATED,
                            not_after=pki.now + timedelta(days=DAYS))
    return _files(certificate, key, pki.ca.bundle)


def _cut_off(pki: KubernetesPki, row: str) -> _Files:
    """A certificate whose PEM block ends in the middle."""
    issued = pki.issue(row)
    text = dump_certificate(issued.certificate)
    return _files(text[:len(text) // 2], issued.key, issued.bundle)


def _not_der(pki: KubernetesPki, row: str) -> _Files:
    """A PEM block that holds no certificate."""
    issued = pki.issue(row)
    return _files(armour(b"\x30\x03\x02\x01\x01", "CERTIFICATE"), issued.key, issued.bundle)


def _other_key(pki: KubernetesPki, row: str) -> _Files:
    """A certificate beside the key of another."""
    issued = pki.issue(row)
    return _files(issued.certificate, make_key(pki.ca.algorithm), issued.bundle)


def _encrypted(pki: KubernetesPki, row: str) -> _Files:
    """A key with a passphrase: kpki."""
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
    )
    issued = pki.issue(row)
    key = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8,
                                   BestAvailableEncryption(b"kpki"))
    return _files(issued.certificate, key, issued.bundle)


def _same_key(pki: KubernetesPki, row: str) -> _Files:
    """The certificate of another node with the key of this node."""
    key = pki.certificates[row].key
    return _files(_sign(pki, row, _Subject(node="worker-2"), key, pki.ca), key, pki.ca.bundle)


def _same_serial(pki: KubernetesPki, row: str) -> _Files:
    """The certificate of another node with the serial number of this node's."""
    key, serial_number = make_key(pki.ca.algorithm), pki.certificates[row].certificate.serial_number
    return _files(_sign(pki, row, _Subject(node="worker-2"), key, pki.ca, serial_number), key,
                  pki.ca.bundle)


def _ca(pki: KubernetesPki, *, starts: int = 0, lasts: int = CA_DAYS,
        extensions: Sequence[tuple[str, str]] | None = None) -> Certificate:
    """The cluster's CA with other dates, or with other extensions, for the same key."""
    from ..stages.config import Setting
    from ..stages.extensions.context import ExtensionContext
    from ..stages.extensions.table import settings_extensions
    from ..stages.signing import Values, self_sign
    values = ca_values(get_profile("ca"))
    if extensions is not None:
        values = Values(values.subject, settings_extensions(
            ExtensionContext(), [Setting(*extension) for extension in extensions]))
    start = pki.now + timedelta(days=starts)
    return self_sign(values, pki.ca.key, digest=pki.ca.digest, not_before=start - BACKDATED,
                     not_after=start + timedelta(days=lasts))


def _below(ca: Callable[[KubernetesPki], Certificate]) -> Callable[[KubernetesPki, str], _Files]:
    """The recipe of a right certificate below a CA with a fault."""
    def make(pki: KubernetesPki, row: str) -> _Files:
        issued = pki.issue(row)
        return _files(issued.certificate, issued.key, dump_certificate(ca(pki)))
    return make


def _too_deep(pki: KubernetesPki, row: str) -> _Files:
    """A certificate below an intermediate CA, whose root allows none (pathlen:0)."""
    from ..stages.signing import sign_certificate
    root = _ca(pki, extensions=[("basicConstraints", "critical,CA:TRUE,pathlen:0"), *_SIGNING])
    key = make_key(pki.ca.algorithm)
    profile = replace(get_profile("ca"), common_name="intermediate-ca")
    certificate = sign_certificate(
        ca_values(profile), key.public_key(), root, pki.ca.key, digest=pki.ca.digest,
        not_before=pki.now - BACKDATED, not_after=pki.now + timedelta(days=CA_DAYS))
    own = make_key(pki.ca.algorithm)
    leaf = _sign(pki, row, _Subject(), own, Authority(certificate, key))
    return _files(dump_certificate(leaf) + dump_certificate(certificate), own,
                  dump_certificate(root))


_ALL = ca_extensions(get_profile("ca"))
_SIGNING = [extension for extension in _ALL if extension[0] != "basicConstraints"]
_RECIPES = {
    "unknown-authority": _Recipe("kubelet", _of_stranger),
    "malformed-x509": _Recipe("kubelet", _not_der),
    "missing-san-ip": _Recipe("apiserver", _wrong(_Subject(addresses=()))),
    "missing-san-dns": _Recipe("apiserver", _wrong(_Subject(dns=()))),
    "bad-pem": _Recipe("kubelet", _cut_off),
    "expired-client-cert": _Recipe("kubelet", _wrong(_Subject(starts=-2 * DAYS))),
    "expired-server-cert": _Recipe("apiserver", _wrong(_Subject(starts=-2 * DAYS))),
    "expired-ca": _Recipe("kubelet", _below(partial(_ca, starts=-2 * CA_DAYS))),
    "not-yet-valid": _Recipe("kubelet", _wrong(_Subject(starts=2))),
    "wrong-node-identity": _Recipe("kubelet", _wrong(_Subject(node="worker-2"))),
    "hostname-case-fqdn": _Recipe("kubelet", _wrong(_Subject(node=f"{NODE}.example.internal"))),
    "wrong-organisation": _Recipe("kubelet", _wrong(_Subject(groups=("system:node",)))),
    "wrong-subject": _Recipe("kubelet", _wrong(_Subject(user=NODE))),
    "wrong-eku": _Recipe("kubelet", _wrong(_Subject(usages=("serverAuth",)))),
    "key-cert-mismatch": _Recipe("kubelet", _other_key),
    "encrypted-key": _Recipe("kubelet", _encrypted),
    "kubelet-serving-self-signed": _Recipe("kubelet-serving", _self_signed),
    "etcd-peer-cert": _Recipe("etcd-server", _wrong(_Subject(signer="ca"))),
    "front-proxy-ca": _Recipe("front-proxy-client", _wrong(_Subject(signer="ca"))),
    "weak-signature-or-key": _Recipe("kubelet", _wrong(_Subject(digest="sha1"))),
    "chain-depth": _Recipe("kubelet", _too_deep),
    "legacy-cn-no-san": _Recipe("apiserver", _wrong(
        _Subject(user="localhost", dns=(), addresses=()))),
    "ca-not-a-ca": _Recipe("kubelet", _below(partial(
        _ca, extensions=[("basicConstraints", "critical,CA:FALSE"), *_SIGNING]))),
    "shared-key": _Recipe("kubelet", _same_key),
    "serial-reused": _Recipe("kubelet", _same_serial),
    "outlives-ca": _Recipe("kubelet", _below(partial(_ca, lasts=DAYS // 2))),
    "expiring-soon": _Recipe("kubelet", _wrong(_Subject(lasts=10))),
    "strict-refused": _Recipe("kubelet", _below(partial(
        _ca, extensions=[extension for extension in _ALL if extension[0] != "keyUsage"]))),
}
BROKEN_CAUSES = tuple(_RECIPES)
