"""Subject and extensions of a certificate, by profile and identity."""
from __future__ import annotations

import pytest

from kpki.kubernetes.profiles import CA, ETCD_CA, KUBELET_PROFILE, Identity, Profile, get_profile
from kpki.kubernetes.values import ca_values, leaf_values, subject_name
from kpki.stages.config import Setting
from kpki.stages.extensions.context import ExtensionContext
from kpki.stages.extensions.table import settings_extensions
from kpki.stages.records import Extension


@pytest.mark.parametrize(("identity", "words"), [
    (Identity("u", ("b", "a")), [("2.5.4.10", b"b"), ("2.5.4.10", b"a"), ("2.5.4.3", b"u")]),
    (Identity("system:node:w", ("system:nodes",)),
     [("2.5.4.10", b"system:nodes"), ("2.5.4.3", b"system:node:w")]),
    (Identity("u"), [("2.5.4.3", b"u")])])
def test_the_subject_has_o_before_cn(identity: Identity, words: list[tuple[str, bytes]]) -> None:
    """O before CN, each by itself, several O in their order; no O where there is no group."""
    found = subject_name(identity)
    assert [[(item.oid, item.octets) for item in rdn]
            for rdn in found.rdns] == [[word] for word in words]
    assert leaf_values(KUBELET_PROFILE, identity, rsa=True).subject == found


NAMED = Identity("system:node:w", ("system:nodes",), ("w", "w.example.com"),
                 ("10.0.0.1", "fd00::1"))


@pytest.mark.parametrize(("row", "rsa", "identity", "wanted"), [
    ("kubelet", True, NAMED, [
        ("basicConstraints", "critical,CA:FALSE"),
        ("keyUsage", "critical,digitalSignature,keyEncipherment"),
        ("extendedKeyUsage", "serverAuth,clientAuth"),
        ("subjectAltName", "DNS:w,DNS:w.example.com,IP:10.0.0.1,IP:fd00::1")]),
    # no ECDSA key encrypts another, and who is only a client is called by no name
    ("admin", False, Identity("kubernetes-admin", ("system:masters",)), [
        ("basicConstraints", "critical,CA:FALSE"), ("keyUsage", "critical,digitalSignature"),
        ("extendedKeyUsage", "clientAuth")])])
def test_a_leaf_says_what_strict_verification_asks_for(row: str, rsa: bool, identity: Identity,
                                                       wanted: list[tuple[str, str]]) -> None:
    """A leaf's extensions by the words of openssl, keyEncipherment for RSA alone, a SAN only where
    there are names."""
    assert leaf_values(get_profile(row), identity, rsa=rsa).extensions == extensions(wanted)
    assert leaf_values(get_profile(row), identity, rsa=not rsa).extensions != extensions(wanted)


@pytest.mark.parametrize("profile", [CA, ETCD_CA], ids=lambda profile: str(profile.name))
def test_a_ca_says_so(profile: Profile) -> None:
    """A CA's extensions by the words of openssl; its name is its only SAN."""
    values = ca_values(profile)
    assert values.subject == subject_name(Identity(profile.common_name))
    assert values.extensions == extensions([
        ("basicConstraints", "critical,CA:TRUE"),
        ("keyUsage", "critical,digitalSignature,keyCertSign,cRLSign"),
        ("subjectAltName", f"DNS:{profile.common_name}")])


def extensions(settings: list[tuple[str, str]]) -> tuple[Extension, ...]:
    """What lines of an openssl configuration say."""
    return settings_extensions(ExtensionContext(), [Setting(*setting) for setting in settings])
