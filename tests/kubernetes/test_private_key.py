"""Private keys of components: used or not, why, and that the key which comes out is the one in the
file."""
from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kpki import pem
from kpki.errors import KpkiError
from kpki.kubernetes.go import private_keys
from kpki.kubernetes.go.der import GoError
from kpki.kubernetes.go.keys import CURVES_OF_OIDS
from kpki.kubernetes.private_key import find_canonical_key, verify_private_key
from kpki.stages.keys import genpkey, genrsa, public_key_der
from tests.kubernetes.verdict.private_keys import KEYS, as_any, pkcs8

WEAK, BROKEN = "weak-signature-or-key", "bad-pem"
ED25519, X25519 = "other kinds: Ed25519", "other kinds: X25519"


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_used_if_go_loads_it(name: str) -> None:
    """With Go's sentence if it does not; what cryptography loads too is the same key."""
    verdict, why = verify_private_key(KEYS[name]), ""
    try:
        private_keys.load_pair_key(KEYS[name])
    except GoError as error:
        why = error.sentence
    assert (verdict.cause is None, verdict.reason.startswith(why)) == (why == "", True)
    assert (verdict.key is not None) == (why == "" and "RSA of many primes" not in name)
    if verdict.key is not None:
        try:
            own = public_key_der(pem.load_key(KEYS[name]))
        except KpkiError:
            return
        assert own == public_key_der(verdict.key)


@pytest.mark.parametrize(("name", "cause"), [
    ("EC in its own form: secp256k1", WEAK), ("EC in its own form: explicit parameters", WEAK),
    ("RSA in PKCS#8: PSS", WEAK), ("other kinds: Ed448", WEAK), ("other kinds: X25519", WEAK),
    ("EC in its own form: cut short", BROKEN), ("RSA's numbers belong together: dP", BROKEN),
    ("what the file has: a certificate", BROKEN), ("what the file has: nothing", BROKEN),
    ("EC in its own form: P-256", None), ("RSA in its own form: 512 bits", None)])
def test_the_cause_tells_a_broken_key_from_one_of_another_kind(name: str,
                                                               cause: str | None) -> None:
    """A curve or kind that Go does not use is weak, what it cannot read is broken; a short key is
    the certificate's."""
    assert verify_private_key(KEYS[name]).cause == cause


def test_a_key_that_go_alone_loads_can_be_used() -> None:
    """Zeros left out of an EC key, RSA without hints: a key that signs what its public half
    verifies."""
    short = verify_private_key(KEYS["EC in its own form: zeros left out"]).key
    bare = verify_private_key(KEYS["RSA's numbers belong together: no hints"]).key
    assert (isinstance(short, ec.EllipticCurvePrivateKey)
            and short.private_numbers().private_value == 5)
    whole = pem.load_key(KEYS["RSA in its own form: 1024 bits"])
    assert isinstance(bare, rsa.RSAPrivateKey) and isinstance(whole, rsa.RSAPrivateKey)
    assert bare.private_numbers() == whole.private_numbers()
    seed = verify_private_key(KEYS[ED25519]).key
    assert (isinstance(seed, ed25519.Ed25519PrivateKey)
            and seed.private_bytes_raw() == bytes(range(32)))


@pytest.mark.parametrize(("key", "reason"), [
    (genrsa(2048), ""), (genrsa(1024), ""), (genpkey("EC", curve="P-256"), ""),
    (genpkey("EC", curve="P-521"), ""),
    (genpkey("EC", curve="P-224"), "could not generate signer for ECDSA keypair: unknown private "
     "key curve, must be 256, 384, or 521"),
    (genpkey("ED25519"), "unknown private key type ed25519.PrivateKey, must be *rsa.PrivateKey, "
     "*ecdsa.PrivateKey, or jose.OpaqueSigner")])
def test_a_key_signs_tokens_or_not(key: ec.EllipticCurvePrivateKey, reason: str) -> None:
    """RSA, and three curves (kubernetes/pkg/serviceaccount/jwt.go); as a pair's key each of these
    is fine."""
    data = pem.dump_key(key)
    verdict = verify_private_key(data, tokens=True)
    assert (verdict.reason, verdict.cause) == (reason, WEAK if reason else None)
    assert verify_private_key(data).cause is None


def test_a_label_that_is_another_forms_counts_for_tokens() -> None:
    """keyutil reads a block by its label alone, crypto/tls by what is in it."""
    data = KEYS["EC in its own form: under the label of any"]
    assert verify_private_key(data).cause is None
    assert (verify_private_key(data, tokens=True).reason
            == "data does not contain a valid RSA or ECDSA private key")
    assert (verify_private_key(KEYS[X25519], tokens=True)
            .reason.startswith("unknown private key type *ecdh.PrivateKey"))
    assert verify_private_key(KEYS["RSA in its own form: 512 bits"], tokens=True).cause == WEAK


def test_no_secret_is_shown() -> None:
    """Neither repr has the key in it."""
    data = KEYS["EC in its own form: P-256"]
    assert repr(private_keys.load_pair_key(data)) == "PrivateKey('ECDSA')"
    assert "key" not in repr(verify_private_key(data)).replace("KeyVerdict", "").lower()


def test_numbers_without_bound_are_not_reckoned_with() -> None:
    """An RSA key of millions of bits is refused before anything is multiplied."""
    from kpki.stages import der
    long = der.sequence(*map(der.integer,
                             (0, 1 << 5_000_000 | 1, 65537, *[1 << 2_500_000 | 1] * 6)))
    for data in (pem.armour(long, "RSA PRIVATE KEY"),
                 as_any(pkcs8("1.2.840.113549.1.1.1", long, der.NULL_ITEM))):
        verdict = verify_private_key(data)
        assert (verdict.cause == WEAK
                and "uses no RSA keys of more than 16384 bits" in verdict.reason)


@pytest.mark.parametrize(("name", "read", "oid"), [
    ("P-256", True, "2a8648ce3d030107"), ("P-384", True, "2b81040022"),
    ("P-521", False, "2b81040023")])
def test_a_key_as_go_and_openssl_write_it_is_read_at_once(name: str, read: bool, oid: str) -> None:
    """It is the key that Go loads; of another curve, kind or form, and with one octet changed,
    nothing is said."""
    key = genpkey("EC", curve=name)
    data = pem.dump_key(key, form="traditional")
    found = find_canonical_key(data)
    assert (found is not None) == read
    if found is not None:
        loaded = verify_private_key(data).key
        assert (loaded is not None
                and public_key_der(found) == public_key_der(loaded) == public_key_der(key))
    der = next(pem.blocks(data)).der
    others = [pem.dump_key(key), pem.dump_key(genrsa(), form="traditional"), data + b"\n",
              b"\n" + data, data.replace(b"\n", b"\r\n"), pem.armour(der, "PRIVATE KEY")]
    others += [pem.armour(der[:place] + bytes((der[place] ^ 1,)) + der[place + 1:],
                          "EC PRIVATE KEY")
               for place in (0, 1, 4, 6, der.index(bytes.fromhex(oid)))]
    assert [find_canonical_key(other) for other in others] == [None] * len(others)


@pytest.mark.parametrize(("name", "above"), [("P-256", 0), ("P-256", 1), ("P-384", 0)])
def test_a_secret_that_the_curve_has_not_is_no_key(name: str, above: int) -> None:
    """0, and the number of the curve's points and more: Go loads no such key."""
    key = genpkey("EC", curve=name)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    size = key.key_size // 8
    curve = next(curve for curve in CURVES_OF_OIDS.values() if curve.name == name.replace("-", ""))
    der = next(pem.blocks(pem.dump_key(key, form="traditional"))).der
    secret = key.private_numbers().private_value.to_bytes(size)
    for number in (0, curve.order + above):
        data = pem.armour(der.replace(secret, number.to_bytes(size)), "EC PRIVATE KEY")
        assert find_canonical_key(data) is None and verify_private_key(data).cause == "bad-pem"
