"""Bytes to keys, requests and certificates and back: what openssl wrote is read, what is broken is
named."""
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kpki import pem
from kpki.errors import InputError, UnsupportedError
from kpki.stages import der
from kpki.stages.keys import genrsa

STEPS = """\
genrsa -out rsa.pem 1024
genrsa -traditional -out rsa1.pem 1024
rsa -in rsa.pem -aes256 -passout pass:secret -out locked.pem
rsa -in rsa.pem -traditional -aes256 -passout pass:secret -out locked1.pem
pkcs8 -topk8 -in rsa.pem -passout pass:secret -outform DER -out locked.der
ecparam -name prime256v1 -genkey -out ec.pem
rsa -in rsa.pem -outform DER -out rsa.der
rsa -in rsa.pem -pubout -out rsa.pub
req -x509 -new -key ec.pem -subj /CN=a -out cert.pem
x509 -in cert.pem -outform DER -out cert.der
x509 -in cert.pem -text -out text.pem
req -new -key ec.pem -subj /CN=a -out req.pem
req -in req.pem -newhdr -out newreq.pem
req -in req.pem -outform DER -out req.der
genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:1024 -out pss.pem
pkey -in pss.pem -outform DER -out pss.der
pkey -in pss.pem -aes256 -passout pass:secret -out pss-locked.pem
pkcs8 -topk8 -in pss.pem -passout pass:secret -outform DER -out pss-locked.der
pkey -in pss.pem -pubout -out pss.pub
pkey -in rsa.pem -aes256 -passout pass: -out nothing.pem
"""


@pytest.mark.parametrize("part", ["n", "e", "d", "p", "dp", "q_inverse"])
def test_an_rsa_key_whose_numbers_do_not_belong_together_is_refused(files: Path, part: str) -> None:
    """Whichever of them was changed; as it was it is read."""
    der = next(pem.blocks((files / "rsa1.pem").read_bytes())).der
    key = pem.load_key(der)
    assert isinstance(key, rsa.RSAPrivateKey)
    own = key.private_numbers()
    number = {"n": own.public_numbers.n, "e": 65537, "d": own.d, "p": own.p, "dp": own.dmp1,
              "q_inverse": own.iqmp}[part]
    size = (number.bit_length() + 7) // 8
    changed = der.replace(number.to_bytes(size), (number ^ 2).to_bytes(size))
    assert changed != der and len(changed) == len(der)
    with pytest.raises(InputError, match="not a readable private key"):
        pem.load_key(pem.armour(changed, "RSA PRIVATE KEY"))


@pytest.mark.parametrize(("change", "alone"), [(b"", True), (b"\n", False), (b"words\n", False)])
def test_a_block_is_the_only_one_or_not(files: Path, change: bytes, alone: bool) -> None:
    """Written as kpki writes it, with nothing round it."""
    data = (files / "cert.pem").read_bytes()
    found = pem.only_block(data + change)
    assert (found is not None) == alone and (found is None
                                             or found.der == (files / "cert.der").read_bytes())
    assert pem.only_block(b"\n" + data) is None and pem.only_block(data + data) is None
    assert pem.only_block(data.replace(b"\n", b"\r\n")) is None and pem.only_block(b"") is None


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that openssl made."""
    folder = tmp_path_factory.mktemp("pem")
    for line in STEPS.splitlines():
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    bundle = (folder / "text.pem").read_bytes() + b"words\n" + (folder / "cert.pem").read_bytes()
    (folder / "bundle.pem").write_bytes(bundle)
    return folder


@pytest.mark.parametrize(("name", "passphrase"), [
    ("rsa.pem", None), ("rsa1.pem", None), ("rsa.der", None), ("rsa.pem", b"unused"),
    ("rsa.der", b"unused"), ("locked.pem", b"secret"), ("locked1.pem", b"secret"),
    ("locked.der", b"secret")])
def test_a_key_in_any_form_is_read(files: Path, name: str, passphrase: bytes | None) -> None:
    """PKCS#8, PKCS#1, PEM, DER, encrypted either way: the key comes out; a passphrase not needed
    does no harm."""
    assert isinstance(pem.load_key((files / name).read_bytes(), passphrase), rsa.RSAPrivateKey)


def test_parameters_before_a_key_are_passed_over(files: Path) -> None:
    """The file of `openssl ecparam -genkey`, with its EC PARAMETERS first, gives its key."""
    assert isinstance(pem.load_key((files / "ec.pem").read_bytes()), ec.EllipticCurvePrivateKey)


@pytest.mark.parametrize(("name", "passphrase", "said"), [
    ("locked.pem", None, "encrypted"), ("locked1.pem", None, "encrypted"),
    ("locked.der", None, "encrypted"), ("locked.pem", b"wrong", "wrong passphrase"),
    ("locked1.pem", b"wrong", "wrong passphrase"),
    ("cert.pem", None, "no private key found, but PEM of CERTIFICATE"),
    ("rsa.pub", None, "PUBLIC KEY")])
def test_a_key_that_cannot_be_read_is_named(files: Path, name: str, passphrase: bytes | None,
                                            said: str) -> None:
    """The message says what is there instead, or what the passphrase lacks, and never the
    passphrase."""
    with pytest.raises(InputError, match=said) as raised:
        pem.load_key((files / name).read_bytes(), passphrase)
    assert "wrong" not in str(raised.value).replace("wrong passphrase", "")


@pytest.mark.parametrize(("data", "said"), [
    (b"", "empty"), (b" \n", "empty"),
    (b"text", "neither PEM nor DER"), (b"\x30\x03\x02\x01\x05", "not a readable"),
    (b"-----BEGIN CERTIFICATE-----\nMIIB\n", "cut off"),
    (b"-----BEGIN X-----\n!\n-----END X-----\n", "bad base64")])
def test_rubbish_is_named(data: bytes, said: str) -> None:
    """Nothing but an InputError comes of bytes that are nothing."""
    for load in (pem.load_certificate, pem.load_csr, pem.load_key, pem.load_public_key):
        with pytest.raises(InputError, match=said):
            load(data)


def test_what_is_written_is_what_openssl_wrote(files: Path) -> None:
    """Certificates and requests come out byte for byte, in PEM, DER and with the new header."""
    certificate = pem.load_certificate((files / "cert.der").read_bytes())
    csr = pem.load_csr((files / "req.der").read_bytes())
    assert pem.dump_certificate(certificate) == (files / "cert.pem").read_bytes()
    assert pem.dump_certificate(certificate, encoding="DER") == (files / "cert.der").read_bytes()
    assert pem.dump_csr(csr) == (files / "req.pem").read_bytes()
    assert pem.dump_csr(csr, new_header=True) == (files / "newreq.pem").read_bytes()
    assert pem.load_csr((files / "newreq.pem").read_bytes()) == csr


def test_keys_are_written_as_openssl_writes_them(files: Path) -> None:
    """PKCS#8 by default, PKCS#1 as traditional, the public half as SubjectPublicKeyInfo; a
    passphrase locks."""
    key = pem.load_key((files / "rsa.pem").read_bytes())
    assert pem.dump_key(key) == (files / "rsa.pem").read_bytes()
    assert pem.dump_key(key, form="traditional").startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert pem.dump_public_key(key.public_key()) == (files / "rsa.pub").read_bytes()
    locked = pem.dump_key(key, passphrase=b"secret")
    assert pem.dump_key(pem.load_key(locked, b"secret")) == (files / "rsa.pem").read_bytes()
    with pytest.raises(InputError):
        pem.load_key(locked)


def test_every_certificate_of_a_bundle_is_read(files: Path) -> None:
    """Text around the blocks does not count; a file without a certificate is refused."""
    assert len(pem.load_certificates((files / "bundle.pem").read_bytes())) == 2
    assert len(pem.load_certificates((files / "cert.der").read_bytes())) == 1
    with pytest.raises(InputError):
        pem.load_certificates((files / "rsa.pem").read_bytes())


def test_an_encoding_that_is_asked_for_is_insisted_on(files: Path) -> None:
    """encoding="DER" takes no PEM, and the other way round, as -inform does."""
    pem_data, der = (files / "cert.pem").read_bytes(), (files / "cert.der").read_bytes()
    assert (pem.load_certificate(pem_data, encoding="PEM")
            == pem.load_certificate(der, encoding="DER"))
    for data, encoding in ((pem_data, "DER"), (der, "PEM")):
        with pytest.raises(InputError):
            pem.load_certificate(data, encoding=encoding)


def test_a_block_never_shows_its_content(files: Path) -> None:
    """The repr of a block is its label and size: a key in it is not printed."""
    block = next(iter(pem.blocks((files / "rsa.pem").read_bytes())))
    assert repr(block) == f"Block('PRIVATE KEY', {len(block.der)} bytes)"


@pytest.mark.parametrize("name", ["pss.pem", "pss.der", "pss-locked.pem", "pss-locked.der"])
def test_a_key_for_rsa_pss_alone_is_refused_by_name(files: Path, name: str) -> None:
    """It would be written as a key of another kind; so would its public half."""
    with pytest.raises(UnsupportedError, match="^an RSA-PSS key is not supported"):
        pem.load_key((files / name).read_bytes(), b"secret")
    with pytest.raises(UnsupportedError, match="^an RSA-PSS key is not supported"):
        pem.load_public_key((files / "pss.pub").read_bytes())
    assert pem.load_public_key((files / "rsa.pub").read_bytes())


def test_an_empty_passphrase_is_a_users_mistake(files: Path) -> None:
    """openssl takes one in some forms and not in others; kpki says that it protects nothing."""
    key = pem.load_key((files / "rsa.pem").read_bytes())
    with pytest.raises(InputError, match="^an empty passphrase protects nothing, and kpki accepts "
                       "none [(]hint: "):
        pem.dump_key(key, passphrase=b"")
    for name in ("nothing.pem", "locked.pem", "locked1.pem", "locked.der"):
        with pytest.raises(InputError,
                           match="no passphrase was given: an empty passphrase is none [(]hint: "):
            pem.load_key((files / name).read_bytes(), b"")
    assert (pem.load_key((files / "rsa.pem").read_bytes(), b"")
            and b"ENCRYPTED" in pem.dump_key(key, passphrase=b"a"))


def rsa_key(bits: int) -> bytes:
    """A PKCS#1 key with numbers of that size, which do not belong together."""
    half = 1 << bits // 2 - 1 | 1
    return der.sequence(*map(der.integer, (0, 1 << bits - 1 | 1, 65537, 3, *[half] * 5)))


@pytest.mark.parametrize(("bits", "said"), [
    (16384, "^not a readable private key$"),
    (16392, "^an RSA key of 16392 bits: kpki uses none of more than 16384 [(]hint: "),
    (40_000_000,
     "^a key of 17500[0-9]+ octets: no key of up to 16384 bits takes so many [(]hint: ")])
def test_an_rsa_key_has_at_most_16384_bits(bits: int, said: str) -> None:
    """Of more nothing is reckoned, whichever half it is; a real key of that length is read."""
    for data in (rsa_key(bits), pem.armour(rsa_key(bits), "RSA PRIVATE KEY")):
        with pytest.raises(InputError, match=said):
            pem.load_key(data)


def test_a_public_key_has_at_most_16384_bits() -> None:
    """In the certificate of a peer or in a file of its own."""
    def public(bits: int) -> bytes:
        numbers = der.sequence(der.integer(1 << bits - 1 | 1), der.integer(65537))
        return der.sequence(der.sequence(der.oid("1.2.840.113549.1.1.1"), der.NULL_ITEM),
                            der.bit_string(numbers))
    assert pem.load_public_key(public(16384), encoding="DER")
    for bits, said in ((16392, "16392 bits"), (8_000_000, "octets")):
        with pytest.raises(InputError, match=said):
            pem.load_public_key(public(bits), encoding="DER")


def test_an_ed25519_key_of_another_length_is_none() -> None:
    """What makes OpenSSL stumble is an InputError."""
    short = der.sequence(der.integer(0), der.sequence(der.oid("1.3.101.112")),
                         der.octet_string(der.octet_string(bytes(31))))
    with pytest.raises(InputError, match="^not a readable private key$"):
        pem.load_key(short)


def test_headers_are_passed_over_however_many_there_are() -> None:
    """Each may go on in the next line; the block has them, and its content comes after an empty
    line."""
    key = pem.dump_key(genrsa(1024))
    first, _, body = key.partition(b"\n")
    for headers in (b"A: b\n" * 300_000, b"A: b\n c\n" * 200_000, b"A: b\n", b"A: b\n \t\n"):
        block = next(pem.blocks(first + b"\n" + headers + b"\n" + body))
        assert block.headers and block.der == next(pem.blocks(key)).der
    with pytest.raises(InputError, match="bad base64"):
        next(pem.blocks(first + b"\nA: b\n" + body))


def test_what_is_too_large_or_too_many_is_not_read(files: Path) -> None:
    """A certificate or request over 256 KiB, a bundle of over 1000 certificates or 1 MiB."""
    certificate = (files / "cert.pem").read_bytes()
    assert len(pem.load_certificates(certificate * 1000)) == 1000
    with pytest.raises(InputError,
                       match="^the file has 1001 certificates: kpki reads no more than 1000$"):
        pem.load_certificates(certificate * 1001)
    with pytest.raises(InputError, match="^the certificates have 1048577 octets: kpki reads no "
                       "more than 1048576$"):
        pem.validate_bundle([bytes(1 << 18)] * 4 + [b"x"])
    pem.validate_bundle([bytes(1 << 18)] * 4)
    large = der.sequence(bytes(pem.LARGEST))
    for load, noun in ((pem.load_certificate, "certificate"),
                       (pem.load_csr, "certificate request")):
        with pytest.raises(InputError,
                           match=f"^the {noun} has 262149 octets: kpki reads no more than 262144$"):
            load(large)
