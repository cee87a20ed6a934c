"""CA keys in a token (SoftHSM), and any object that signs: judged by openssl; faults come early."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kpki import genpkey, pem, req_new, req_x509, verify_kubernetes, x509_req
from kpki.cluster.authority import Authority
from kpki.errors import InputError, RefusedError
from kpki.hsm import open_key, parse_uri
from kpki.stages.keys import SigningKey

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN, WRONG = "271828", "314159"
KEYS: dict[str, SigningKey] = {"rsa": genpkey("RSA"), "p256": genpkey("EC", curve="P-256"),
                               "p384": genpkey("EC", curve="P-384")}
IDS = {name: f"{number:02x}" for number, name in enumerate(KEYS, 1)}


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A token of SoftHSM with three CA keys; a folder with each CA's certificate."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\n"
                                          "objectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")

    def softhsm(line: str) -> None:
        subprocess.run(["softhsm2-util", *line.split()], check=True, capture_output=True)
    softhsm(f"--init-token --free --label kpki --pin {PIN} --so-pin {PIN}")
    for name, key in KEYS.items():
        (folder / f"{name}.key").write_bytes(pem.dump_key(key))
        softhsm(f"--import {folder}/{name}.key --token kpki --label ca-{name} --id {IDS[name]} "
                f"--pin {PIN}")
        (folder / f"{name}.pem").write_bytes(pem.dump_certificate(req_x509(
            key, subject="/CN=kubernetes", days=3650)))
    yield folder
    del os.environ["SOFTHSM2_CONF"]


def uri(name: str, *, token: str = "kpki", query: str = "") -> str:
    return f"pkcs11:token={token};id=%{IDS[name]};type=private?module-path={MODULE}{query}"


OTHERS = "the token's key belongs to none of the CA's certificates"
Kpki = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def kpki(token: Path, tmp_path: Path) -> Kpki:
    """The command in a process of its own, for a library of a token is one for a process."""
    (tmp_path / "pin").write_text(f"{PIN}\n")
    (tmp_path / "wrong").write_text(f"{WRONG}\n")

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(["python", "-m", "kpki", *map(str, words)], cwd=tmp_path,
                              capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL, env=os.environ | {
                                  "PYTHONPATH": str(Path(__file__).parents[2]),
                                  "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})
        assert not {PIN, WRONG} & {*done.stdout.split(), *done.stderr.split()}
        assert "Traceback" not in done.stderr, done.stderr
        return done
    return run


def issued(token: Path, name: str, key: str, *more: str) -> list[str | Path]:
    return ["node", "issue", "worker-1", "--ca", token / f"{name}.pem", "--ca-key", key,
            "--address", "10.0.0.21", "--server", "https://10.0.0.10:6443", *more]


@pytest.mark.parametrize("name", KEYS)
def test_a_token_signs_as_the_ca(token: Path, kpki: Kpki, tmp_path: Path, name: str) -> None:
    """RSA and EC: openssl and Kubernetes accept what the token signed; the key stays there."""
    done = kpki(*issued(token, name, uri(name), "--passin", "file:pin"))
    assert done.returncode == 0, done.stderr
    leaf = tmp_path / "nodes/worker-1/etc/kubernetes/ssl/worker.pem"
    told = subprocess.run(["openssl", "verify", "-CAfile", token / f"{name}.pem", leaf],
                          capture_output=True, text=True, check=False)
    assert told.stdout == f"{leaf}: OK\n", told.stderr
    ca, certificate = (pem.load_certificate(path.read_bytes())
                       for path in (token / f"{name}.pem", leaf))
    assert verify_kubernetes(certificate, [ca], purpose="sslclient").ok
    assert leaf.with_name("ca.pem").read_bytes() == pem.dump_certificate(ca)


def test_where_the_pin_comes_from(token: Path, kpki: Kpki, tmp_path: Path) -> None:
    """A file that the URI names is as good as --passin; without either the PIN is asked for."""
    source = f"&pin-source=file:{tmp_path}/pin"
    assert kpki(*issued(token, "p256", uri("p256", query=source))).returncode == 0
    done = kpki(*issued(token, "p256", uri("p256")))
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2, "kpki: the token wants its PIN, and none was given")


@pytest.mark.parametrize(("ca", "key", "passin", "says", "status"), [
    ("p256", uri("p256"), "file:wrong", "token kpki: the token refuses the PIN", 2),
    ("p256", uri("p256", token="nowhere"), "file:pin", "token nowhere: no such token is there", 2),
    ("p256", "pkcs11:token=kpki;object=other?module-path=" + MODULE, "file:pin",
     "the token has no private keys that the URI fits", 2),
    ("p256", "pkcs11:object=ca-p256?module-path=/nowhere.so", "file:pin",
     "/nowhere.so: no PKCS#11 library that can be loaded", 2),
    ("p256", uri("p384"), "file:pin", OTHERS, 1), ("rsa", uri("p384"), "file:pin", OTHERS, 1),
])
def test_what_cannot_sign(token: Path, kpki: Kpki, tmp_path: Path, ca: str, key: str, passin: str,
                          says: str, status: int) -> None:
    """A wrong PIN, token, key, library, or another CA's key: one sentence, and no file."""
    done = kpki(*issued(token, ca, key, "--passin", passin))
    assert (done.returncode, done.stderr.splitlines()[0]) == (status, f"kpki: {says}")
    assert not (tmp_path / "nodes").exists()


def test_a_bundle_is_signed_by_a_token(token: Path, kpki: Kpki, tmp_path: Path) -> None:
    """`kpki sign` takes a token's key as well, and a kubeconfig is signed so."""
    (tmp_path / "cluster.yaml").write_text(f"""apiVersion: kpki/v1
kind: Cluster
controlPlaneEndpoint: api.example.internal:6443
certificateAuthorities: {{kubernetes: {{certificate: {token}/p256.pem}}}}
nodes: [{{name: worker-1, addresses: [10.0.0.21]}}]
""")
    assert kpki("apply").returncode == 1
    signer = ["--ca", token / "p256.pem", "--ca-key", uri("p256"), "--passin", "file:pin"]
    done = kpki("sign", "requests", *signer)
    assert done.returncode == 0, done.stderr
    assert kpki("apply").returncode == 0 and kpki("check").returncode == 0
    done = kpki("kubeconfig", "alice", *signer, "--server", "https://10.0.0.10:6443")
    assert "client-certificate-data" in done.stdout, done.stderr


DESCRIPTION = """apiVersion: kpki/v1
kind: Cluster
layout: ssl
controlPlaneEndpoint: api.example.internal:6443
certificateAuthorities: {{kubernetes: {{certificate: {token}/{name}.pem{key}}}}}
nodes: [{{name: worker-1, addresses: [10.0.0.21]}}]
"""
LEAF = "nodes/worker-1/etc/kubernetes/ssl/worker.pem"


def described(token: Path, folder: Path, name: str, key: str = "") -> None:
    """The description of a worker whose CA is one of the token's."""
    text = DESCRIPTION.format(token=token, name=name, key=f', key: "{key}"' if key else "")
    (folder / "cluster.yaml").write_text(text)


def accepted(token: Path, name: str, leaf: Path) -> int:
    """The serial number of a leaf that openssl accepts."""
    told = subprocess.run(["openssl", "verify", "-CAfile", token / f"{name}.pem", leaf],
                          capture_output=True, text=True, check=False)
    assert told.stdout == f"{leaf}: OK\n", told.stderr
    return pem.load_certificate(leaf.read_bytes()).serial_number


@pytest.mark.parametrize("name", ["rsa", "p256"])
def test_a_token_renews(token: Path, kpki: Kpki, tmp_path: Path, name: str) -> None:
    """`renew --ca-key` gives the leaves of a workspace, and of a host, new dates; without the key
    they wait; a key of another CA, or a wrong PIN, changes nothing."""
    described(token, tmp_path, name)
    signer = ["--ca-key", uri(name), "--passin", "file:pin"]
    assert kpki("apply").returncode == 1
    assert kpki("sign", "requests", "--ca", token / f"{name}.pem", *signer).returncode == 0
    assert kpki("apply").returncode == 0
    first, waits = accepted(token, name, tmp_path / LEAF), kpki("renew", "--root", "nodes/worker-1",
                                                                "--all")
    assert waits.returncode == 1 and "waits for the key of CN=kubernetes" in waits.stderr
    other = "p384" if name == "rsa" else "rsa"
    for words, says in ((["--ca-key", uri(other), "--passin", "file:pin"], OTHERS),
                        (["--ca-key", uri(name), "--passin", "file:wrong"],
                         "token kpki: the token refuses the PIN")):
        refused = kpki("renew", "--all", *words)
        assert refused.returncode in (1, 2) and refused.stderr.startswith(f"kpki: {says}")
        assert accepted(token, name, tmp_path / LEAF) == first
    done = kpki("renew", "--all", *signer)
    assert done.returncode == 0, done.stderr
    second = accepted(token, name, tmp_path / LEAF)
    done = kpki("renew", "--root", "nodes/worker-1", "--all", *signer)
    assert done.returncode == 0, done.stderr
    assert len({first, second, accepted(token, name, tmp_path / LEAF)}) == 3
    assert kpki("check").returncode == 0


def test_explain_says_what_openssl_needs_for_a_token(token: Path, kpki: Kpki, tmp_path: Path,
                                                     ) -> None:
    """The commands of --explain for a key in a token name a provider, and contain no PIN."""
    signer = ["--ca-key", uri("p256"), "--passin", "file:pin"]
    told = kpki(*issued(token, "p256", uri("p256"), "--passin", "file:pin", "--explain"))
    assert "# openssl reads a key in a token through a provider" in told.stderr
    described(token, tmp_path, "p256")
    kpki("apply")
    kpki("sign", "requests", "--ca", token / "p256.pem", *signer)
    kpki("apply")
    told = kpki("renew", "--all", *signer, "--explain")
    assert told.returncode == 0 and "pkcs11-provider; what it signs is left" in told.stderr
    assert (tmp_path / "pin").read_text().strip() not in told.stderr


def test_a_key_in_a_file_elsewhere_renews(token: Path, kpki: Kpki, tmp_path: Path) -> None:
    """`renew --ca-key` takes a file as well; a key of no CA here is refused."""
    described(token, tmp_path, "p256", f"{token}/p256.key")
    assert kpki("apply").returncode == 0
    first = accepted(token, "p256", tmp_path / LEAF)
    done = kpki("renew", "--root", "nodes/worker-1", "--all", "--ca-key", token / "p256.key")
    assert done.returncode == 0 and accepted(token, "p256", tmp_path / LEAF) != first
    done = kpki("renew", "--root", "nodes/worker-1", "--all", "--ca-key", token / "rsa.key")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1, f"kpki: {token}/rsa.key: the key belongs to none of the CAs here")


def test_a_token_renews_its_ca(token: Path, kpki: Kpki, tmp_path: Path) -> None:
    """`renew --ca --ca-key` signs the CA's new certificate in the token; the key stays there."""
    (tmp_path / "cluster.yaml").write_text(
        DESCRIPTION.partition("certificateAuthorities")[0] + "nodes: [{name: worker-1}]\n")
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/ca.crt").write_bytes((token / "p256.pem").read_bytes())
    done = kpki("renew", "--ca", "ca", "--ca-key", uri("p256"), "--passin", "file:pin")
    assert done.returncode == 0, done.stderr
    renewed, before = ((tmp_path / "pki/ca.crt").read_bytes(), (token / "p256.pem").read_bytes())
    now, then = (pem.load_certificate(data) for data in (renewed, before))
    assert now.serial_number != then.serial_number and now.public_key() == then.public_key()
    told = subprocess.run(["openssl", "verify", "-CAfile", tmp_path / "pki/ca.crt",
                           tmp_path / "pki/ca.crt"], capture_output=True, text=True, check=False)
    assert told.stdout.endswith(": OK\n"), told.stderr
    assert not (tmp_path / "pki/ca.key").exists()


def test_a_description_names_the_token(token: Path, kpki: Kpki, tmp_path: Path) -> None:
    """With the URI as the CA's key in cluster.yaml `sign`, `renew` and `node issue` find the token;
    `apply` writes requests, and `check` finds nothing wrong."""
    described(token, tmp_path, "p256", uri("p256"))
    done = kpki("apply")
    assert done.returncode == 1 and f"waits for {uri('p256')}" in done.stderr, done.stderr
    assert kpki("sign", "requests", "--passin", "file:pin").returncode == 0
    assert kpki("apply").returncode == 0
    assert kpki("check").returncode == 0 and kpki("plan").returncode == 0
    assert kpki("renew").stderr == "kpki: nothing to renew: no certificate ends within 30d\n"
    first = accepted(token, "p256", tmp_path / LEAF)
    done = kpki("renew", "--all", "--passin", "file:pin")
    assert done.returncode == 0 and accepted(token, "p256", tmp_path / LEAF) != first, done.stderr
    done = kpki("node", "issue", "worker-1", "--passin", "file:pin")
    assert done.returncode == 0, done.stderr
    done = kpki("check", "nodes/worker-1", "--ca", token / "p256.pem", "--ca-key", uri("p256"))
    assert (done.returncode, "check takes a key in a file" in done.stderr) == (2, True)
    assert "pkcs11" not in kpki("flags", "kubelet", "--node", "worker-1").stdout


def test_a_wrong_pin_is_tried_once(token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library asks the token one time, whatever follows; no thread or loop tries again."""
    import pkcs11
    real, opened = pkcs11.lib(MODULE), list[str]()

    class Library:
        def get_token(self, **wanted: Any) -> Any:
            found = real.get_token(**wanted)

            class Token:
                def open(self, user_pin: str) -> Any:
                    opened.append(user_pin)
                    return found.open(user_pin=user_pin)
            return Token()
    monkeypatch.setattr(pkcs11, "lib", lambda module: Library())
    with pytest.raises(InputError, match="refuses the PIN") as caught:
        open_key(parse_uri(uri("p256")), lambda: WRONG.encode(), [KEYS["p256"].public_key()])
    assert opened == [WRONG] and WRONG not in f"{caught.value}{caught.value.hint}"


def test_a_token_that_goes(token: Path) -> None:
    """A session that ends, and another process, give an error; the private half stays there."""
    import copy
    public_key = KEYS["p256"].public_key()
    key = open_key(parse_uri(uri("p256")), lambda: PIN.encode(), [public_key])
    authority = Authority(req_x509(KEYS["p256"], subject="/CN=ca", now=NOW), key)
    assert copy.copy(key) is key and copy.deepcopy(key) is key
    assert PIN not in f"{key!r}{authority!r}"
    with pytest.raises(InputError, match="the private key stays in its token"):
        key.private_numbers()
    key._handle._process += 1
    with pytest.raises(InputError, match="in the process that opened the token"):
        authority.issue_node("w", addresses=["10.0.0.1"], now=NOW)
    key._handle._process -= 1
    key._handle.session.close()
    with pytest.raises(InputError, match="token kpki: the token answers "):
        authority.issue_node("w", addresses=["10.0.0.1"], now=NOW)


@pytest.mark.parametrize(("text", "says"), [
    ("pkcs11:object=ca", "which PKCS#11 library"),
    ("pkcs11:token=a?module-path=/x", "which key"),
    ("pkcs11:object=a?module-path=/x&pin-value=1234", "a PIN in the URI"),
    ("pkcs11:object=a;pin-value=1234?module-path=/x", "a PIN in the URI"),
    ("pkcs11:object=a?module-path=/x&pin-source=|cat", "names a file alone"),
    ("pkcs11:object=a?module-path=/x&pin-source=http://x", "names a file alone"),
    ("pkcs11:object=a;type=cert?module-path=/x", "no private key"),
    ("pkcs11:object=a;slot-id=3?module-path=/x", "the URI has 'slot-id'"),
    ("pkcs11:object=a;object=b?module-path=/x", "the URI has 'object'"),
    ("pkcs11:object?module-path=/x", "the URI has 'object'"),
])
def test_uris_that_are_refused(text: str, says: str) -> None:
    """What kpki would have to pass over, a PIN, a command, and a URI without a key are refused."""
    with pytest.raises(InputError, match=says.replace("|", "[|]")) as caught:
        parse_uri(text)
    assert "1234" not in f"{caught.value}{caught.value.hint}"


def test_what_a_uri_names() -> None:
    """Percent-encoding, all attributes, and both forms of a file."""
    found = parse_uri("pkcs11:token=my%20token;serial=1a;object=the%3Bkey;id=%01%ff;type=private"
                      "?module-path=/x.so&pin-source=file:/p")
    assert (found.module, found.token, found.serial, found.label, found.identifier,
            found.pin_file) == ("/x.so", "my token", "1a", "the;key", b"\x01\xff", "/p")
    for source in ("/p", "file:/p", "file:///p"):
        text = f"pkcs11:object=a?module-path=/x&pin-source={source}"
        assert parse_uri(text).pin_file == "/p"


# Any signer

def refuse(*_: object) -> Any:
    raise AssertionError("the private half was asked for")


class OwnEc(ec.EllipticCurvePrivateKey):
    """A person's object that signs with an EC key elsewhere; *spoil* changes the signature."""

    def __init__(self, key: Any, spoil: Callable[[bytes], object] = lambda made: made) -> None:
        self._key, self._spoil = key, spoil

    def sign(self, data: Any, signature_algorithm: Any) -> Any:
        return self._spoil(self._key.sign(data, signature_algorithm))

    def public_key(self) -> Any:
        return self._key.public_key()

    @property
    def curve(self) -> Any:
        return self._key.curve

    @property
    def key_size(self) -> int:
        return int(self._key.key_size)

    exchange = private_numbers = private_bytes = refuse     # type: ignore[assignment]
    __copy__ = __deepcopy__ = refuse    # type: ignore[assignment]


class OwnRsa(rsa.RSAPrivateKey):
    """The same with an RSA key."""

    def __init__(self, key: Any, spoil: Callable[[bytes], object] = lambda made: made) -> None:
        self._key, self._spoil = key, spoil

    def sign(self, data: Any, padding: Any, algorithm: Any) -> Any:
        return self._spoil(self._key.sign(data, padding, algorithm))

    def public_key(self) -> Any:
        return self._key.public_key()

    @property
    def key_size(self) -> int:
        return int(self._key.key_size)

    decrypt = private_numbers = private_bytes = refuse      # type: ignore[assignment]
    __copy__ = __deepcopy__ = refuse    # type: ignore[assignment]


def raw(signature: bytes) -> bytes:
    """r and s side by side, as tokens and some services answer."""
    return b"".join(number.to_bytes(32) for number in decode_dss_signature(signature))


OWN: dict[str, Any] = {"rsa": OwnRsa, "p256": OwnEc, "p384": OwnEc}


@pytest.mark.parametrize("name", KEYS)
def test_any_object_signs(name: str) -> None:
    """An object with the interface of cryptography's keys makes CAs, leaves and requests; nothing
    asks for the private half."""
    key = OWN[name](KEYS[name])
    ca = req_x509(key, subject="/CN=ca", days=99, now=NOW)
    node = Authority(ca, key).issue_node("w", addresses=["10.0.0.1"], now=NOW)
    assert verify_kubernetes(node.certificate, [ca], purpose="sslclient", now=NOW).ok
    csr = req_new(key, subject="/CN=x")
    assert csr.is_signature_valid
    x509_req(csr, ca, key, now=NOW).verify_directly_issued_by(ca)


@pytest.mark.parametrize(("name", "spoil"), [
    ("p256", raw), ("p256", lambda made: made[:-1]), ("p256", lambda made: None),
    ("p256", lambda made: KEYS["p256"].sign(b"x", ec.ECDSA(hashes.SHA256()))),  # type: ignore[call-arg, arg-type]
    ("rsa", lambda made: made[::-1]), ("rsa", lambda made: b"")])
def test_a_wrong_signature_makes_nothing(name: str, spoil: Callable[[bytes], object]) -> None:
    """A raw, cut, foreign or missing signature is found before there is a certificate."""
    ca = req_x509(KEYS[name], subject="/CN=ca", days=99, now=NOW)
    key = OWN[name](KEYS[name], spoil)
    for work in (lambda: Authority(ca, key).issue_node("w", addresses=["10.0.0.1"], now=NOW),
                 lambda: req_new(key, subject="/CN=x"), lambda: req_x509(key, subject="/CN=x")):
        with pytest.raises(InputError, match="a signature that its public key does not verify"):
            work()


def test_a_key_of_another_ca() -> None:
    """The pair is compared by public keys, before anything is signed."""
    ca = req_x509(KEYS["p256"], subject="/CN=ca", now=NOW)
    with pytest.raises(RefusedError):
        Authority(ca, OwnEc(KEYS["p384"]))
