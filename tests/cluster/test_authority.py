"""A CA at work: which pair may sign, which key is sound, how long a certificate lasts."""
from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from kpki import pem
from kpki.cluster import authority
from kpki.errors import InputError, RefusedError
from kpki.kubernetes.profiles import KUBELET_PROFILE, Identity
from kpki.stages.certificates import req_x509
from kpki.stages.keys import genpkey, genrsa
from kpki.stages.verification.verify import verify

Authority = authority.Authority
W = Identity("system:node:w", ("system:nodes",), ("w",))


def test_a_leafs_algorithm_follows_the_cas() -> None:
    """Known sizes are taken over, others give the nearest of their kind; what is neither RSA nor EC
    gives P-256."""
    following = authority.leaf_algorithm
    assert following(genrsa(2048)) == "RSA-2048"
    assert following(genrsa(1024)) == "RSA-2048"
    assert following(genpkey("EC", curve="P-384")) == "ECDSA-P384"
    assert following(genpkey("EC", curve="P-521")) == "ECDSA-P256"
    assert following(genpkey("ED25519")) == "ECDSA-P256"


# a second by itself
@pytest.mark.parametrize("name", [name for name in authority.ALGORITHMS if name != "RSA-4096"])
def test_an_algorithm_is_what_its_key_answers_to(name: str) -> None:
    """Name → key → the same name."""
    assert authority.key_algorithm(authority.make_key(name)) == name


def test_an_unknown_algorithm_is_refused() -> None:
    """The hint names those that there are."""
    with pytest.raises(InputError, match="unknown algorithm 'DSA'") as refused:
        authority.make_key("DSA")
    assert "ECDSA-P256" in str(refused.value.hint)


@pytest.mark.parametrize(("curve", "digest"),
                         [("P-256", "sha256"), ("P-384", "sha384"), ("P-521", "sha512")])
def test_the_hash_follows_the_cas_key(curve: str, digest: str, tree: Any) -> None:
    """A longer curve signs with a longer hash, and the chain verifies."""
    key = genpkey("EC", curve=curve)
    certificate = req_x509(key, subject="/CN=ca", days=365, now=tree.now)
    ca = authority.load_authority(pem.dump_certificate(certificate), pem.dump_key(key),
                                  now=tree.now)
    leaf = authority.issue(ca, KUBELET_PROFILE, W, genpkey("EC", curve="P-256"),
                           validity=timedelta(days=1), now=tree.now, warnings=[])
    assert leaf.signature_hash_algorithm and leaf.signature_hash_algorithm.name == digest
    assert verify(leaf, [certificate], now=tree.now).ok


def test_a_certificate_lasts_as_said_and_no_longer_than_its_ca(authorities: Any, tree: Any) -> None:
    """Five minutes backdated, days from now; beyond the CA's end it is cut, with a warning, for any
    number of days."""
    ca, warnings = authorities[0], list[str]()
    key = genpkey("EC", curve="P-256")

    def issue(days: int) -> Any:
        return authority.issue(ca, KUBELET_PROFILE, W, key, validity=authority.lasting(days),
                               now=tree.now, warnings=warnings)

    leaf = issue(10)
    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) \
        == (tree.now - timedelta(minutes=5), tree.now + timedelta(days=10))
    assert warnings == []
    for days in (3651, 10 ** 7, 10 ** 30):
        assert issue(days).not_valid_after_utc == ca.certificate.not_valid_after_utc
    assert len(warnings) == 3 and all("are cut to the end of the CA" in line for line in warnings)
    for days in (0, -1):
        with pytest.raises(InputError, match="is of no use"):
            issue(days)


def test_of_a_bundle_the_signer_is_the_keys_own(authorities: Any, tree: Any) -> None:
    """Whatever the order, the certificate that the key is for signs, and the bundle stays whole."""
    mine, other = authorities
    for bundle in (mine.bundle + other.bundle, other.bundle + mine.bundle):
        ca = authority.load_authority(bundle, pem.dump_key(mine.key), now=tree.now)
        assert ca.certificate == mine.certificate and ca.bundle == bundle
    with pytest.raises(RefusedError, match="do not match"):
        authority.load_authority(other.bundle, pem.dump_key(mine.key), now=tree.now)


def test_a_ca_that_cannot_be_read_to_the_end_is_named(tree: Any) -> None:
    """A certificate with an extension that is no DER of its kind signs nothing."""
    bad = tree.another_ca("basicConstraints = DER:04:01:00\n")
    with pytest.raises(RefusedError, match="^here: no component can read a certificate of this "
                       "file: x509: invalid basic constraints [(]hint: "):
        authority.load_authority(pem.dump_certificate(bad), pem.dump_key(tree.ca.key), now=tree.now,
                                 names=("here", "k"))


def test_the_cas_key_is_not_shown(authorities: Any) -> None:
    """The repr of a CA has no key in it."""
    assert "key=" not in repr(authorities[0])


def test_a_sound_key_is_one_that_the_kubelet_can_use() -> None:
    """Plain PEM of an RSA key from 2048 bits, or of a curve that Go has, is a usable key; nothing
    else is."""
    good = [genrsa(2048), genpkey("EC", curve="P-256"), genpkey("EC", curve="P-521")]
    bad = [genrsa(1024), genpkey("EC", curve="P-224"), ec.generate_private_key(ec.SECP256K1()),
           ed25519.Ed25519PrivateKey.generate()]
    assert all(authority.find_sound_key(pem.dump_key(key)) for key in good)
    assert not any(authority.find_sound_key(pem.dump_key(key)) for key in bad)
    for data in (b"", b"x", pem.dump_key(good[1], encoding="DER"),
                 pem.dump_key(good[1], passphrase=b"secret")):
        assert authority.find_sound_key(data) is None


def test_an_encrypted_key_is_no_plain_key() -> None:
    """What wants a passphrase is refused with the way to decrypt it."""
    key = genpkey("EC", curve="P-256")
    assert authority.load_plain_key(pem.dump_key(key))
    for form in ("pkcs8", "traditional"):
        with pytest.raises(InputError, match="encrypted") as refused:
            authority.load_plain_key(pem.dump_key(key, form=form, passphrase=b"secret"))
        assert "kpki pkey" in str(refused.value.hint)
