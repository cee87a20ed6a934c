"""Lines of `req` and `x509` in the shape of OpenSSL's own tests, by openssl and by kpki: the same
outcome.

One line is one process of openssl and one call of kpki in a folder of files that openssl made.
Status, standard output and what is in `out` and `key` are compared, without what is drawn at
random.
"""
from __future__ import annotations

import base64
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kpki import pem
from kpki.cli.main import main
from tests.cli.openssl.lines import make, parameters
from tests.stages.experiments.peer import content, is_validity, items

NEW = "req -new -key leaf.key -config good.cnf -out out"
SELF = "req -x509 -new -key root.key -config good.cnf -out out"
PSS = "-sigopt rsa_padding_mode:pss"
SIGN = "x509 -req -in asks.csr -CA root.pem -CAkey root.key -out out"
REQUESTS = {
    "a request": [
        NEW, f"{NEW} -subj /CN=x/O=y", f"{NEW} -subj /CN=x+O=y", f"{NEW} -subj /CN=ü -utf8",
        f"{NEW} -subj /", f"{NEW} -subj x", f"{NEW} -subj /CN=", f"{NEW} -subj /CN",
        f"{NEW} -subj /nope=x/CN=y", f"{NEW} -outform DER", f"{NEW} -sha1", f"{NEW} -sha384",
        f"{NEW} -sha3-256", f"{NEW} -md5", f"{NEW} -newhdr", f"{NEW} -verbose", f"{NEW} -batch",
        f"{NEW} -key root.key", f"{NEW} -key ed.key", f"{NEW} -key ed.key -sha512",
        f"{NEW} -key root.der.key -keyform DER", f"{NEW} -key locked.key -passin pass:secret",
        f"{NEW} -key locked.key -passin pass:wrong", f"{NEW} -key missing.key",
        f"{NEW} -key leaf.pem", f"{NEW} -reqexts leaf", f"{NEW} -reqexts client",
        f"{NEW} -reqexts gone", f"{NEW} -extensions gone", f"{NEW} -reqexts empty",
        f"{NEW} -reqexts policy", f"{NEW} -reqexts proxy", f"{NEW} -section gone",
        f"{NEW} -section ''", f"{NEW} -reqexts ''", f"{SELF} -extensions ''",
        f"{NEW} -section gone -subj /CN=a", f"{NEW} -days 5", f"{NEW} -verify", f"{NEW} -noout",
        f"{NEW} -pubkey", f"{NEW} -subject -noout", f"{NEW} -modulus -noout -key root.key"],
    "-addext": [
        f"{NEW} -addext subjectAltName=DNS:a", f"{NEW} -addext subjectAltName=dirName:dn",
        f"{NEW} -addext subjectAltName=dirName:gone", f"{NEW} -addext subjectAltName=@names",
        f"{NEW} -addext certificatePolicies=1.2.3 -addext keyUsage=cRLSign",
        f"{NEW} -addext 1.2.3.4=ASN1:SEQUENCE:dn", f"{NEW} -addext 1.2.3.4=ASN1:UTF8:x",
        f"{NEW} -addext ct_precert_poison=critical,NULL", f"{NEW} -addext crlDistributionPoints=dn",
        f"{NEW} -addext crlDistributionPoints=URI:http://a", f"{NEW} -addext nope=1",
        f"{NEW} -addext subjectAltName", f"{NEW} -addext keyUsage=a -addext keyUsage=b",
        f"{NEW} -reqexts leaf -addext keyUsage=cRLSign",
        f"{SELF} -addext subjectAltName=dirName:dn", f"{SELF} -addext keyUsage=cRLSign",
        f"{SELF} -addext basicConstraints=CA:FALSE", f"{SELF} -addext subjectAltName=@dn"],
    "a certificate of its own": [
        SELF, f"{SELF} -days 10", f"{SELF} -days 0", f"{SELF} -days -1", f"{SELF} -set_serial 5",
        f"{SELF} -set_serial 0x1F", f"{SELF} -set_serial -3", f"{SELF} -set_serial x",
        f"{SELF} -extensions leaf", f"{SELF} -extensions noids", f"{SELF} -extensions gone",
        f"{SELF} -subj /CN=x", f"{SELF} -sha512", f"{SELF} -key ed.key", f"{SELF} -key leaf.key",
        f"{SELF} -extensions empty", f"{SELF} -outform DER -set_serial 1", f"{SELF} -newhdr",
        f"{SELF} -CA root.pem -CAkey root.key", f"{SELF} -CA root.pem -CAkey leaf.key",
        f"{SELF} -CAkey root.key", "req -x509 -in asks.csr -key root.key -config good.cnf -out out",
        "req -x509 -in asks.csr -key root.key -config good.cnf -copy_extensions copy -out out",
        "req -x509 -in asks.csr -key root.key -config good.cnf -copy_extensions wrong -out out",
        "req -in asks.csr -CA root.pem -CAkey root.key -config good.cnf -out out", "req -in "
        "asks.csr -CA root.pem -CAkey root.key -config good.cnf -copy_extensions copyall -out out"],
    "a new key": [
        "req -new -newkey rsa:2048 -noenc -keyout key -config good.cnf -out out",
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout key -config good.cnf "
        "-out out",
        "req -new -newkey ed25519 -nodes -keyout key -config good.cnf -out out",
        "req -new -newkey rsa:2048 -passout pass:secret -keyout key -config good.cnf -out out",
        "req -new -newkey rsa:x -noenc -keyout key -config good.cnf -out out",
        "req -new -newkey nope -noenc -keyout key -config good.cnf -out out",
        f"{NEW} -noenc -keyout key",
        f"{NEW} -keyout key -passout pass:secret", f"{SELF} -noenc -keyout key",
        f"{NEW} -key locked.key -passin pass:secret -noenc -keyout key",
        f"{NEW} -noenc -keyout out",
        f"{SELF} -noenc -keyout out",
        "req -new -newkey ed25519 -nodes -keyout key -out key -config good.cnf",
        "req -x509 -newkey ec -pkeyopt group:P-256 -nodes -keyout out -out out -config good.cnf",
        "req -new -newkey ed25519 -noenc -keyout - -config good.cnf -out out",
        "req -new -newkey ed25519 -noenc -keyout - -config good.cnf"],
    "- is standard output": [
        "req -in asks.csr -out -", f"{NEW} -out -", f"{SELF} -out - -set_serial 1",
        "x509 -in leaf.pem -out -", "x509 -in - -noout", "verify -CAfile - root.pem"],
    "the key of -key is the one that -verify asks": [
        "req -in asks.csr -verify -key leaf.key -noout",
        "req -in asks.csr -verify -key root.key -noout", "req -in asks.csr -key missing.key -noout",
        "req -in asks.csr -verify -key leaf.pub -noout", "req -in rsa.csr -x509 -key root.key "
        "-verify -noout", "req -in rsa.csr -x509 -key leaf.key -verify -noout", f"{SELF} -verify",
        f"{SELF} -verify -noout"],
    "the dialogue": [
        "req -new -key leaf.key -config asks.cnf -out out -batch",
        "req -new -key leaf.key -config asks.cnf -out out",
        "req -x509 -new -key leaf.key -config asks.cnf -out out -batch"],
    "a configuration's files": [
        "req -new -key leaf.key -config mark.cnf -out out", "req -new -key leaf.key "
        "-config outer.cnf -out out", "req -new -key leaf.key -config folder.cnf -out out",
        "req -new -key leaf.key -config broken.cnf -out out", "req -new -key leaf.key "
        "-config missing.cnf -out out", "req -in asks.csr -noout -config broken.cnf"],
    "a look": [
        "req -in asks.csr -noout -subject", "req -in asks.csr -noout -text",
        "req -in rsa.csr -noout -modulus", "req -in asks.csr -noout -modulus",
        "req -in asks.csr -pubkey -noout", "req -in asks.csr", "req -in asks.der -inform DER",
        "req -in asks.der", "req -in asks.csr -outform DER -out out", "req -in asks.csr -newhdr",
        "req -in asks.csr -noout -verify", "req -in leaf.pem -noout", "req -in missing.csr -noout",
        "req -in asks.csr -text -noout -nameopt RFC2253",
        "req -in asks.csr -text -noout -reqopt no_sigdump,no_pubkey",
        "req -in asks.csr -noout -subject -nameopt nope", "req -in ed.csr -noout -text",
        "req -noout -nope", "req -noout extra", "req -in asks.csr -noout -set_serial x",
        "req -in asks.csr -noout -set_serial 1 -set_serial 2",
        "req -in asks.csr -noout -inform PEM -pubkey"],
}
CERTIFICATES = {
    "a request is signed": [
        SIGN, f"{SIGN} -days 10", f"{SIGN} -days -1", f"{SIGN} -days -2", f"{SIGN} -days x",
        f"{SIGN} -set_serial 7", f"{SIGN} -set_serial 0xAB", f"{SIGN} -extfile ext.cnf",
        f"{SIGN} -extfile ext.cnf -extensions v3", f"{SIGN} -extfile ext.cnf -extensions bad",
        f"{SIGN} -extfile ext.cnf -extensions gone", f"{SIGN} -extensions v3",
        f"{SIGN} -extfile good.cnf", f"{SIGN} -extfile good.cnf -extensions ''",
        f"{SIGN} -extfile missing.cnf", f"{SIGN} -copy_extensions copy",
        f"{SIGN} -copy_extensions copyall -extfile ext.cnf", f"{SIGN} -copy_extensions none",
        f"{SIGN} -copy_extensions x", f"{SIGN} -clrext", f"{SIGN} -clrext -copy_extensions copy",
        f"{SIGN} -subj /CN=z", f"{SIGN} -force_pubkey leaf.pub", f"{SIGN} -sha1", f"{SIGN} -sha512",
        f"{SIGN} -outform DER", f"{SIGN} -CA root.der -CAform DER", f"{SIGN} -CAkey leaf.key",
        f"{SIGN} -CA middle.pem -CAkey middle.key", f"{SIGN} -CA ed.pem -CAkey ed.key",
        f"{SIGN} -in ed.csr", f"{SIGN} -in leaf.pem", f"{SIGN} -CAserial missing.srl",
        f"{SIGN} -CAkey locked.key -passin pass:secret", f"{SIGN} -preserve_dates",
        f"{SIGN} -in asks.der -inform DER", f"{SIGN} -extfile good.cnf -extensions empty",
        f"{SIGN} -extfile good.cnf -extensions ca", f"{SIGN} -extfile mark.cnf -extensions dn",
        f"{SIGN} -CA plain.pem -CAkey plain.key", f"{SIGN} -in missing.csr"],
    "a request signs itself": [
        "x509 -req -in rsa.csr -signkey root.key -out out",
        "x509 -req -in rsa.csr -key root.key -days 5 -out out",
        "x509 -req -in rsa.csr -signkey root.key -extfile good.cnf -extensions ca -out out",
        "x509 -req -in asks.csr -signkey root.key -out out", "x509 -req -in rsa.csr -out out",
        "x509 -req -in rsa.csr -signkey root.key -CA root.pem -out out",
        "x509 -req -in rsa.csr -signkey root.key -extfile good.cnf -extensions noids -out out"],
    "a certificate is signed again": [
        "x509 -in leaf.pem -CA root.pem -CAkey root.key -out out",
        "x509 -in leaf.pem -signkey leaf.key -out out",
        "x509 -in leaf.pem -signkey leaf.key -preserve_dates -out out",
        "x509 -in leaf.pem -signkey leaf.key -clrext -out out",
        "x509 -in leaf.pem -signkey leaf.key -set_serial 9 -subj /CN=new -out out",
        "x509 -in leaf.pem -signkey leaf.key -extfile ext.cnf -out out",
        "x509 -in leaf.pem -x509toreq -key leaf.key -out out",
        "x509 -in leaf.pem -x509toreq -signkey leaf.key -copy_extensions copy -out out",
        "x509 -in leaf.pem -x509toreq -signkey leaf.key -subject -issuer",
        "x509 -in root.pem -x509toreq -key root.key -text -certopt no_validity",
        "x509 -in leaf.pem -x509toreq -out out", "x509 -new -subj /CN=n -key root.key -out out",
        "x509 -new -key root.key -out out",
        "x509 -new -subj /CN=n -CA root.pem -CAkey root.key -force_pubkey leaf.pub -out out",
        "x509 -new -subj /CN=n -CA root.pem -CAkey root.key -out out",
        "x509 -new -subj /CN=n -in leaf.pem -key root.key -out out"],
    "RSA-PSS": [
        f"{SIGN} {PSS}", f"{SIGN} {PSS} -sha512 -sigopt rsa_pss_saltlen:digest",
        f"{SIGN} {PSS} -sigopt rsa_pss_saltlen:0", f"{SIGN} {PSS} -sha1 -sigopt rsa_pss_saltlen:20",
        f"{SIGN} {PSS} -sigopt rsa_pss_saltlen:max -sigopt rsa_mgf1_md:sha512", f"{SIGN} {PSS} "
        "-sigopt rsa_mgf1_md:SHA1", f"{SIGN} {PSS} -sigopt rsa_pss_saltlen:-3 -sha512-256",
        f"{SIGN} {PSS} -sigopt rsa_pss_saltlen:-4", f"{SIGN} {PSS} -sigopt rsa_pss_saltlen:300",
        f"{SIGN} {PSS} -md5", f"{SIGN} {PSS} -sigopt rsa_mgf1_md:nope",
        f"{SIGN} -sigopt rsa_pss_saltlen:20 {PSS}", f"{SIGN} -sigopt nope",
        f"{SIGN} -sigopt rsa_padding_mode:pkcs1", f"{SIGN} -CA ed.pem -CAkey ed.key {PSS}",
        f"{SIGN} -CA middle.pem -CAkey middle.key {PSS}", f"{SIGN} {PSS} -sha3-256",
        f"{NEW} -key root.key {PSS}", f"{NEW} {PSS}", f"{NEW} -key root.key {PSS} -noout -verify",
        f"{SELF} {PSS}", f"x509 -in root.pem -signkey root.key {PSS} -out out",
        f"x509 -in root.pem -x509toreq -key root.key {PSS} -out out",
        "req -in asks.csr -noout -sigopt nope", "x509 -in leaf.pem -noout -sigopt nope"],
    "what a line does not need is read all the same": [
        "x509 -in leaf.pem -copy_extensions x -copy_extensions copy -noout", "x509 -in leaf.pem "
        "-passin x -noout", "req -in asks.csr -copy_extensions x -copy_extensions copy -noout",
        "req -in asks.csr -passin x -noout",
        "req -in asks.csr -passout x -noout", f"{NEW} -passout x",
        f"{NEW} -noenc -passout x -keyout key", f"{NEW} -noenc -passout pass:x -keyout key",
        "x509 -in leaf.pem -passin pass:x -noout", "req -in asks.csr -passin env:NOSUCH -noout",
        "x509 -in leaf.pem -nameopt x -nameopt oneline -noout"],
    "-ext keeps what it names": [
        f"{SIGN} -copy_extensions copy -ext keyUsage",
        f"{SIGN} -copy_extensions copy -ext subjectAltName,keyUsage",
        f"{SIGN} -copy_extensions copy -ext nope", f"{SIGN} -extfile ext.cnf -ext keyUsage",
        "x509 -in leaf.pem -signkey leaf.key -ext keyUsage -out out",
        "x509 -in leaf.pem -signkey leaf.key -ext nope -out out",
        "x509 -in leaf.pem -signkey leaf.key -ext keyUsage -clrext -out out",
        "x509 -in other.pem -CA root.pem -CAkey root.key -ext basicConstraints -out out",
        "x509 -in leaf.pem -x509toreq -key leaf.key -copy_extensions copy -ext keyUsage -out out",
        "x509 -in leaf.pem -noout -text -ext keyUsage", "x509 -in leaf.pem -noout -text -ext nope",
        "x509 -in leaf.pem -ext keyUsage", "x509 -in leaf.pem -noout -ext keyUsage,,subjectAltName",
        "x509 -in leaf.pem -noout -ext keyUsage,keyUsage",
        "x509 -in leaf.pem -noout -ext ' keyUsage'"],
    "trust settings": [
        "x509 -in root.pem -trustout",
        "x509 -in root+both.pem -trustout", "x509 -in root+both.pem -trustout -outform DER",
        "x509 -in root.pem -addtrust serverAuth -addtrust 1.2.3.4 -addreject emailProtection -text",
        "x509 -in root.pem -addtrust nope", "x509 -in root.pem -addtrust nope -noout",
        "x509 -in root.pem -clrtrust -text", "x509 -in root+both.pem -clrtrust",
        "x509 -in root+both.pem -clrtrust -trustout", "x509 -in root+both.pem -clrreject "
        "-trustout -text", "x509 -in root+both.pem -clrtrust -addtrust clientAuth", "x509 -in "
        "root+server.pem -addtrust clientAuth -noout -text", "x509 -in root+both.pem -noout -text",
        "x509 -in root+both.pem -noout -text -certopt no_aux", "x509 -in root+alias.pem -noout "
        "-alias -text", "x509 -in root+alias.pem -setalias new -noout -alias",
        "x509 -in root.pem -setalias 'a ü' -text -out out", "x509 -in root.pem -setalias '' -alias",
        "x509 -in root+both.pem -signkey root.key -set_serial 1 -trustout",
        f"{SIGN} -addtrust serverAuth", "x509 -in root+alias.pem -x509toreq -key root.key -alias "
        "-out out", "x509 -in cut.pem -noout -alias"],
    "a look": [
        "x509 -in leaf.pem -noout -text", "x509 -in root.pem -noout -text -certopt no_sigdump",
        "x509 -in ofed.pem -noout -text", "x509 -in leaf.pem -noout -subject -issuer",
        "x509 -in leaf.pem -noout -issuer -subject -nameopt RFC2253", "x509 -in leaf.pem -noout "
        "-serial -dates", "x509 -in leaf.pem -noout -dates -dateopt iso_8601",
        "x509 -in leaf.pem -noout -dateopt x -dateopt iso_8601", "x509 -in leaf.pem",
        "x509 -in leaf.pem -noout -fingerprint", "x509 -in leaf.pem -noout -fingerprint -md5-sha1",
        "x509 -in leaf.pem -noout -fingerprint -blake2b512", "x509 -in leaf.pem "
        "-noout -fingerprint -BLAKE2s-256", "x509 -in leaf.pem -noout -fingerprint -shake128",
        "x509 -in leaf.pem -noout -fingerprint -sm3",
        "x509 -in leaf.pem -noout -fingerprint -RSA-SHA256", f"{NEW} -RSA-SHA256",
        f"{NEW} -sm3", f"{NEW} -key ed.key -sm3", "x509 -in leaf.pem -noout -serial -next_serial",
        "x509 -in leaf.pem -noout -fingerprint -sha256", "x509 -in leaf.pem -noout -pubkey",
        "x509 -in root.pem -noout -modulus", "x509 -in leaf.pem -noout -modulus",
        "x509 -in leaf.pem -noout -purpose", "x509 -in root.pem -noout -purpose",
        "x509 -in plain.pem -noout -purpose", "x509 -in proxy.pem -noout -purpose", "x509 "
        "-in leaf.pem -noout -ext subjectAltName,keyUsage", "x509 -in leaf.pem -noout -ext nope",
        "x509 -in leaf.pem -noout -checkend 60", "x509 -in leaf.pem -noout -checkend 999999999",
        "x509 -in leaf.pem -noout -checkhost node.example.com",
        "x509 -in leaf.pem -noout -checkhost other", "x509 -in leaf.pem -noout -checkip 10.0.0.9",
        "x509 -in leaf.pem -noout -checkemail a@b", "x509 -in leaf.pem -noout -hash",
        "x509 -in leaf.pem -noout -issuer_hash -subject_hash_old", "x509 -in leaf.pem -noout "
        "-ocspid", "x509 -in leaf.pem -noout -email", "x509 -in leaf.pem -noout -alias",
        "x509 -in leaf.der -inform DER -out out", "x509 -in leaf.pem -outform DER -out out",
        "x509 -in root+server.pem -out out", "x509 -in root+server.pem -noout -subject",
        "x509 -in missing.pem -noout", "x509 -in asks.csr -noout", "x509 -in leaf.pem -noout extra",
        "x509 -in held.pem -noout -text", "x509 -in needs.pem -noout -text",
        "x509 -in maps.pem -noout -ext policyMappings", "x509 -in limits.pem -noout -text"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what the lines read."""
    folder = tmp_path_factory.mktemp("lines")
    make(folder)
    return folder


@pytest.fixture
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the folder, without what earlier lines wrote."""
    monkeypatch.chdir(made)
    monkeypatch.delenv("OPENSSL_CONF", raising=False)
    return made


def written(folder: Path, words: list[str]) -> dict[str, object]:
    """What a line wrote, without what is drawn at random, and away with it."""
    found: dict[str, object] = {}
    for name in ("out", "key"):
        if (folder / name).exists():
            found[name] = shown((folder / name).read_bytes(), words)
            (folder / name).unlink()
    return found


def shown(data: bytes, words: list[str]) -> object:
    """Output with each certificate and request less what is random, each key by its label alone."""
    if data[:1] == b"\x30":
        return _steady(data, words)
    parts: list[object] = []
    for text in re.split(rb"(?s)(-----BEGIN [^-]+-----.*?-----END [^-]+-----\n)", data):
        label = re.match(rb"-----BEGIN ([^-]+)-----\n", text)
        if label is None or b"PUBLIC" in label[1]:
            parts.append(text)
        elif b"KEY" in label[1]:
            parts.append(label[1])
        else:
            signed, *trust = items(base64.b64decode(b"".join(text.splitlines()[1:-1])))
            parts += [label[1], _steady(signed, words), *trust]
    return parts


def _steady(der: bytes, words: list[str]) -> bytes:
    """A request without its signature, a certificate also without its dates and a serial number
    drawn at random.

    Of one for a new key the algorithm alone.
    """
    signed, algorithm, _ = items(content(der))
    if "-newkey" in words:
        return algorithm
    if "-x509toreq" in words or (words[0] == "req" and not {"-x509", "-CA"} & set(words)):
        return signed + algorithm
    fields = items(content(signed))
    if "-set_serial" not in words:
        del fields[fields[0][0] == 0xA0]
    return b"".join(field for field in fields if not is_validity(field)) + algorithm


@pytest.mark.parametrize("line", parameters(REQUESTS, CERTIFICATES))
def test_a_line_does_what_openssl_does(here: Path, line: str, monkeypatch: pytest.MonkeyPatch,
                                       capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The same status, the same on standard output, the same in the files."""
    words = shlex.split(line)
    written(here, words)
    done = subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, capture_output=True)
    theirs = written(here, words) if done.returncode == 0 else {}
    written(here, words)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    capfdbinary.readouterr()
    status = main(words)
    out = capfdbinary.readouterr().out
    assert (status, shown(out, words), written(here, words)) == (done.returncode,
                                                                 shown(done.stdout, words), theirs)


@pytest.mark.parametrize(("line", "file"), [
    ("req -in - -noout -text", "asks.csr"),
    ("req -new -key leaf.key -config - -noout -text", "good.cnf"),
    ("x509 -req -in - -signkey leaf.key -set_serial 1 -noout -subject", "asks.csr"),
    ("x509 -in - -noout -subject", "leaf.pem"),
    ("x509 -req -in asks.csr -signkey - -noout", "leaf.key")])
def test_a_dash_is_standard_input_for_requests_and_configurations(
        here: Path, line: str, file: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """kpki searches the file of that name for a certificate and a key, as openssl does."""
    data = (here / file).read_bytes()
    theirs = subprocess.run(["openssl", *line.split()], input=data, capture_output=True)
    ours = subprocess.run([sys.executable, "-m", "kpki", *line.split()], input=data,
                          capture_output=True)
    shown = [(done.returncode, done.stdout.partition(b"Signature Value:")[0])
             for done in (ours, theirs)]
    assert shown[0] == shown[1]


def test_one_file_for_key_and_certificate_keeps_both(here: Path) -> None:
    """openssl writes the certificate over the key if the two paths of the file are not spelled
    alike."""
    assert main(shlex.split("req -x509 -newkey ed25519 -nodes -keyout ./key -out key "
                            "-config good.cnf")) == 0
    assert [block.label
            for block in pem.blocks((here / "key").read_bytes())] == ["PRIVATE KEY", "CERTIFICATE"]
