"""`kpki check` where no layout is: a folder of certificates and keys, or a single file, is judged
by what it holds."""
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.check.variants import recipes, trees
from tests.cluster.check.variants.trees import Host

Check = Callable[..., Any]
Change = Callable[[Host], object]

# Things that have nothing to do with Kubernetes: a web server's chain, a mail server's pair, a
# request, parameters.
STRANGERS = r"""
openssl ecparam -name secp384r1 -genkey -noout -out root-key.pem
openssl req -x509 -new -key root-key.pem -subj '/O=Example/CN=Example Root' -days 3650 -out root.pem
openssl genrsa -out www.example.com.key 2048
openssl req -new -key www.example.com.key -subj /CN=www.example.com -out www.example.com.csr
printf '%s\n' 'subjectAltName=DNS:www.example.com' 'extendedKeyUsage=serverAuth' > www.cnf
openssl x509 -req -in www.example.com.csr -CA root.pem -CAkey root-key.pem -CAcreateserial \
    -days 90 -extfile www.cnf -out www.example.com.crt
openssl x509 -req -in www.example.com.csr -CA root.pem -CAkey root-key.pem -CAcreateserial \
    -days -1 -extfile www.cnf -out past
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -keyout mail-key.pem \
    -subj /CN=mail -addext subjectAltName=DNS:mail -out mail.pem
openssl x509 -in mail.pem -outform DER -out mail.der
openssl pkey -in mail-key.pem -pubout -out mail.pub
"""
FOLDER = ("root.pem", "www.example.com.key", "www.example.com.csr", "www.example.com.crt",
          "www.cnf", "mail-key.pem", "mail.pem", "mail.der", "mail.pub", "root.srl")


@pytest.fixture(scope="session")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recipes.run(STRANGERS, tmp_path_factory.mktemp("strangers"))


@pytest.fixture
def plain(strangers: Path, tmp_path: Path) -> Host:
    """A folder of arbitrary certificates, in the order of nobody's layout."""
    host = Host(tmp_path / "certs", "worker-1", strangers)
    for name in FOLDER:
        host.take(name, name)
    host.put("notes.txt", "renew in May\n")
    host.take("old/www.example.com.crt", "www.example.com.crt")
    for name in ("backup", "expired"):
        host.take(f"{name}/www.example.com.crt", "past")
        host.put(f"{name}/www.example.com.key", b"")
    return host


def test_a_folder_of_certificates_is_healthy(plain: Host, check: Check) -> None:
    """Certificates of any owner have no finding if they are valid, readable and match their keys;
    backup/ and expired/ are not read."""
    assert check(plain.root).errors == []


def put_mail_key(name: str) -> Change:
    return lambda host: host.take(name, "mail-key.pem")


def halve(name: str) -> Change:
    return lambda host: host.put(name, host.read(name)[:200])


@pytest.mark.parametrize(("spoil", "cause", "path"), [
    (lambda host: host.take("www.example.com.crt", "past"), "expired-server-cert",
     "www.example.com.crt"),
    (lambda host: host.take("old/www.example.com.crt", "past"), "expired-server-cert",
     "old/www.example.com.crt"),
    (halve("mail.pem"), "bad-pem", "mail.pem"),
    (halve("mail-key.pem"), "bad-pem", "mail-key.pem"),
    (lambda host: host.put("root.pem", b""), "bad-pem", "root.pem"),
    (lambda host: host.path("mail-key.pem").chmod(0o644), "key-exposed", "mail-key.pem"),
    (lambda host: host.path("www.example.com.key").chmod(0o640), "key-exposed",
     "www.example.com.key"),
    (put_mail_key("www.example.com.key"), "key-cert-mismatch", "www.example.com.key"),
    (lambda host: host.take("mail-key.pem", "www.example.com.key"), "key-cert-mismatch",
     "mail-key.pem"),
], ids=["expired", "expired-below", "cut-certificate", "cut-key", "empty", "key-of-all",
        "key-of-a-group", "pair-crt-key", "pair-pem-key-pem"])
def test_the_fault_in_a_folder_is_named(plain: Host, check: Check, spoil: Change, cause: str,
                                        path: str) -> None:
    """The path is relative to the folder, the cause what it is in a host's tree too."""
    spoil(plain)
    answer = check(plain.root)
    assert answer.errors == [(cause, path)] and answer.status == 1, answer.told


def single(name: str, made: Path, tmp_path: Path, *parts: str) -> Host:
    host = Host(tmp_path / "one", "worker-1", made)
    host.take(name, *(parts or (name,)))
    return host


@pytest.mark.parametrize("name", ["mail.pem", "mail-key.pem", "mail.der", "mail.pub", "root.pem",
                                  "www.example.com.crt", "www.example.com.csr"])
def test_a_file_alone_is_healthy(strangers: Path, tmp_path: Path, check: Check, name: str) -> None:
    """A certificate in PEM or DER, a key, a request: nobody asks for what is not beside it."""
    assert check(single(name, strangers, tmp_path).path(name)).errors == []


@pytest.mark.parametrize(("name", "spoil", "cause"), [
    ("www.example.com.crt", lambda host: host.take("www.example.com.crt", "past"),
     "expired-server-cert"),
    ("mail.pem", halve("mail.pem"), "bad-pem"),
    ("mail.pem", lambda host: host.put("mail.pem", b""), "bad-pem"),
    ("mail.pem", lambda host: host.put("mail.pem", b"no certificate\n"), "bad-pem"),
    ("mail.der", halve("mail.der"), "malformed-x509"),
    ("mail-key.pem", halve("mail-key.pem"), "bad-pem"),
    ("mail-key.pem", lambda host: host.path("mail-key.pem").chmod(0o604), "key-exposed"),
], ids=["expired", "cut", "empty", "text", "der-cut", "key-cut", "key-of-all"])
def test_the_fault_of_a_file_alone_is_named(strangers: Path, tmp_path: Path, check: Check,
                                            name: str, spoil: Change, cause: str) -> None:
    """With its own name, exit 1: a broken file is an answer."""
    host = single(name, strangers, tmp_path)
    spoil(host)
    answer = check(host.path(name))
    assert [(found, os.path.basename(path))
            for found, path in answer.errors] == [(cause, name)], answer.told


@pytest.fixture
def administrator(made: Callable[[str], Path], tmp_path: Path) -> Host:
    """Somebody's kubeconfig, away from any cluster."""
    host = Host(tmp_path / "home", "cp-1", made("kubeadm-1.28"))
    host.put("config",
             trees.kubeconfig("kubernetes-admin", "https://10.0.0.10:6443", host.of("ca.crt"),
                              host.of("admin.crt"), host.of("admin.key")))
    return host


def test_a_kubeconfig_alone(administrator: Host, check: Check) -> None:
    """By its content, whatever its name: healthy, another's key in it, cut, open to all."""
    config = administrator.path("config")
    text = administrator.read("config").decode()
    assert check(config).errors == []
    config.chmod(0o644)
    assert [(cause, os.path.basename(path))
            for cause, path in check(config).errors] == [("key-exposed", "config")]
    administrator.put("config", trees.kubeconfig(
        "kubernetes-admin", "https://10.0.0.10:6443", administrator.of("ca.crt"),
        administrator.of("admin.crt"), administrator.of("scheduler.key")))
    assert [cause for cause, _ in check(config).errors] == ["key-cert-mismatch"]
    administrator.put("config", text.replace("current-context: ", "current-context: un"))
    cause, path = check(config).errors[0]
    assert (cause == "kubeconfig-broken"
            and path.endswith("config#contexts/unkubernetes-admin@kubernetes"))
    administrator.put("config", trees.kubeconfig("kubernetes-admin", "https://10.0.0.10:6443",
                                                 "ca.crt", "admin.crt", "admin.key"))
    assert {cause for cause, _ in check(config).errors} == {"file-missing"}
    for name in ("ca.crt", "admin.crt", "admin.key"):
        administrator.take(name, name)
    assert check(config).errors == []


def test_the_pki_folder_of_a_host(made: Callable[[str], Path], tmp_path: Path,
                                  check: Check) -> None:
    """etc/kubernetes/pki by itself: its files keep the names of their rows, and what belongs
    together is known."""
    host = Host(tmp_path / "root", "cp-1", made("kubeadm-1.28"))
    trees.kubeadm_control_plane(host, made("serving"))
    pki = host.path(trees.PKI)
    assert check(pki).errors == []
    assert check(f"{pki}/").errors == []
    host.take(f"{trees.PKI}/etcd/peer.key", "etcd/server.key")
    host.path(f"{trees.PKI}/sa.key").chmod(0o644)
    assert sorted(check(pki).errors) == [("key-cert-mismatch", "etcd/peer.key"),
                                         ("key-exposed", "sa.key")]
    host.take(f"{trees.PKI}/etcd/peer.key", "etcd/peer.key")
    host.take(f"{trees.PKI}/sa.key", "sa.key")
    host.put(f"{trees.PKI}/apiserver.crt", host.of("apiserver.crt")[:500])
    assert check(pki).errors == [("bad-pem", "apiserver.crt")]


def test_another_working_folder(plain: Host, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is as good: the folder, or a file in it."""
    monkeypatch.chdir(plain.root)
    assert check("mail.pem").errors == check("old").errors == []
    plain.put("mail.pem", b"")
    assert check("mail.pem").errors == [("bad-pem", "mail.pem")]


@pytest.mark.parametrize("absolute", [True, False])
def test_links_of_a_folder_lead_where_they_do_on_this_machine(plain: Host, check: Check,
                                                              absolute: bool) -> None:
    """In a folder that is no host's root, links lead where they lead on this machine; a fault, or a
    loop, is found at the link."""
    plain.move("mail.pem", "../kept/mail.pem")
    target = plain.path("../kept/mail.pem").resolve()
    plain.link("mail.pem", str(target) if absolute else "../kept/mail.pem")
    assert check(plain.root).errors == []
    target.write_bytes(b"")
    assert check(plain.root).errors == [("bad-pem", "mail.pem")]
    plain.link("mail.pem", "mail.pem")
    assert check(plain.root).errors == [("key-unreadable", "mail.pem")]


def test_links_of_a_folder_in_a_tree_lead_where_they_do_on_its_host(
        made: Callable[[str], Path], tmp_path: Path, check: Check) -> None:
    """In etc/kubernetes/pki of a copied tree, an absolute link starts at the tree's root."""
    host = Host(tmp_path / "root", "cp-1", made("kubeadm-1.28"))
    trees.kubeadm_control_plane(host, made("serving"))
    host.move(f"{trees.PKI}/apiserver.crt", f"{trees.PKI}/kept/apiserver.crt")
    host.link(f"{trees.PKI}/apiserver.crt", f"/{trees.PKI}/kept/apiserver.crt")
    assert check(host.path(trees.PKI)).errors == []
    # from here, not there
    host.link(f"{trees.PKI}/apiserver.crt", f"{host.root}/{trees.PKI}/kept/apiserver.crt")
    assert check(host.path(trees.PKI)).errors != []


@pytest.mark.parametrize(
    "means", ["token: sesame", "exec: {apiVersion: client.authentication.k8s.io/v1, command: x}"],
    ids=["token", "exec"])
def test_a_kubeconfig_with_other_means(administrator: Host, check: Check, means: str) -> None:
    """Whoever shows a token, or asks a program, needs no certificate; with no means at all there is
    a fault."""
    lines = [line for line in administrator.read("config").decode().splitlines()
             if "client-key-data" not in line]
    config = administrator.path("config")
    administrator.put("config", "\n".join(
        f"    {means}" if "client-certificate-data" in line else line for line in lines))
    assert check(config).errors == []
    config.chmod(0o644)
    assert [cause
            for cause, _ in check(config).errors] == ["key-exposed"] * means.startswith("token")


# Two CAs of one name, each with a server's certificate, and the second's without its CA.
NAMESAKES = r"""
for n in 1 2; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -keyout ca$n-key.pem \
        -subj /CN=etcd-ca -days 90 -out ca$n.pem
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -keyout member$n-key.pem \
        -subj /CN=member -out member$n.csr
    openssl x509 -req -in member$n.csr -CA ca$n.pem -CAkey ca$n-key.pem -CAcreateserial -days 60 \
        -out member$n.pem
done
"""


@pytest.fixture(scope="session")
def namesakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recipes.run(NAMESAKES, tmp_path_factory.mktemp("namesakes"))


@pytest.mark.parametrize(("names", "given", "errors"), [
    (("ca1.pem", "member1.pem"), None, []),
    (("ca1.pem", "member1.pem"), "ca1.pem", []),
    (("ca1.pem", "ca2.pem", "member2.pem"), None, []),
    (("ca1.pem", "member2.pem"), None, [("unknown-authority", "member2.pem")]),
    (("member2.pem",), None, []),
    (("member2.pem",), "ca1.pem", [("unknown-authority", "member2.pem")]),
    (("ca2.pem", "member2.pem"), "ca1.pem",
     [("unknown-authority", "ca2.pem"), ("unknown-authority", "member2.pem")]),
], ids=["own", "own-given", "old-and-new", "another-beside", "alone", "another-given",
        "another-given-own-beside"])
def test_a_ca_counts_for_those_that_name_it(namesakes: Path, tmp_path: Path,
                                            check: Check, names: tuple[str, ...], given: str | None,
                                            errors: list[tuple[str, str]]) -> None:
    """A CA in the folder counts for certificates with its name as their issuer, one that --ca names
    for all."""
    host = Host(tmp_path / "certs", "node-1", namesakes)
    for name in names:
        host.take(name, name)
    answer = check(host.root, *(["--ca", namesakes / given] if given else []))
    assert answer.errors == errors, answer.told
    assert not errors or "the same name" in answer.findings[-1]["message"]
