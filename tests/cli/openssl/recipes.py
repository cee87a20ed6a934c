"""Command lines about keys, run by openssl and by kpki in one folder: status, standard output and
files are compared.

What is drawn at random (new keys, salts) is compared by what it holds: kind, size, label, cipher,
and whose key it is.
"""
from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kpki import pem
from kpki.errors import InputError
from kpki.stages import der
from kpki.stages.keys import public_key_der

# a command line → exit status and standard output
Command = Callable[[list[str]], tuple[int, bytes]]
PASSPHRASE = b"abcd"
STEPS = """\
genrsa -out r.pem 1024
genrsa -out s.pem 2048
genrsa -3 -out three.pem 1024
ecparam -name prime256v1 -genkey -noout -out e.pem
ecparam -name secp384r1 -genkey -noout -out f.pem
ecparam -name secp256k1 -genkey -noout -out k.pem
genpkey -algorithm ED25519 -out d.pem
genpkey -algorithm ED448 -out g.pem
genpkey -algorithm X25519 -out x.pem
pkey -in e.pem -out e8.pem
rsa -in r.pem -traditional -out r1.pem
rsa -in r.pem -RSAPublicKey_out -out r1.pub
rsa -in r.pem -outform DER -out r.der
ec -in e.pem -outform DER -out e.der
pkcs8 -topk8 -nocrypt -in r.pem -outform DER -out r8.der
pkcs8 -topk8 -in r.pem -outform DER -passout pass:abcd -out r8enc.der
pkey -in d.pem -outform DER -out d.der
rsa -in r.pem -pubout -outform DER -out rpub.der
ecparam -name prime256v1 -out p.par
ecparam -name secp384r1 -out q.par
ecparam -name prime256v1 -outform DER -out p.der
ecparam -name prime256v1 -param_enc explicit -out explicit.par
ecparam -name prime256v1 -genkey -out pe.pem
req -x509 -new -key r.pem -subj /CN=x -days 3650 -out r.crt
req -new -key r.pem -subj /CN=x -out r.csr
pkey -in r.pem -aes256 -passout pass:abcd -out aes256.enc
pkey -in e.pem -aes128 -passout pass:abcd -out aes128.enc
pkey -in d.pem -aes192 -passout pass:abcd -out aes192.enc
pkey -in r.pem -des3 -passout pass:abcd -out des3.enc
pkey -in r.pem -aria256 -passout pass:abcd -out aria.enc
pkey -in r.pem -camellia128 -passout pass:abcd -out camellia.enc
pkey -in e.pem -sm4 -passout pass:abcd -out sm4.enc
pkey -in r.pem -aes-128-ofb -passout pass:abcd -out ofb.enc
rsa -in r.pem -traditional -des3 -passout pass:abcd -out des3.old
rsa -in r.pem -traditional -aes192 -passout pass:abcd -out aes192.old
rsa -in r.pem -traditional -camellia256 -passout pass:abcd -out camellia.old
ec -in e.pem -aes256 -passout pass:abcd -out aes256.old
ec -in e.pem -aria128 -passout pass:abcd -out aria.old
"""


class Result(NamedTuple):
    """What a command line gave: its status, its standard output, the files that were not there
    before."""

    status: int
    out: bytes
    files: dict[str, bytes]


def make(folder: Path) -> None:
    """Put keys of every kind and form into *folder*, made by openssl, and files that hold them in
    odd ways."""
    for line in STEPS.splitlines():
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    for name in "red":
        subprocess.run(["openssl", "pkey", "-in", f"{name}.pem", "-pubout", "-out", f"{name}.pub"],
                       cwd=folder, check=True)
    read = {path.name: path.read_bytes() for path in folder.iterdir()}
    key, certificate, mark = read["r.pem"], read["r.crt"], b"\xef\xbb\xbf"
    body = b"".join(key.splitlines()[1:-1])
    begin, end = b"-----BEGIN PRIVATE KEY-----\n", b"-----END PRIVATE KEY-----\n"
    for name, data in {
            "empty": b"", "plain.cnf": b"a = 1\n",
            "dn.cnf": b"[req]\nprompt = no\ndistinguished_name = dn\n[dn]\nCN = a\n",
            "text": b"no key at all\n", "cut.pem": key[:300], "cut.der": read["r.der"][:100],
            "mark.pem": mark + key, "mark.pub": mark + read["r.pub"], "mark.par": mark
            + read["p.par"], "mark.crt": mark + certificate, "marks.pem": mark + mark + key,
            "crlf.pem": key.replace(b"\n", b"\r\n"), "before.pem": b"words before\n\n" + key,
            "after.pem": key + b"words after\n", "crtkey.pem": certificate + key,
            "keycrt.pem": key + certificate,
            "two.pem": read["e.pem"] + key, "twopub.pem": read["r.pub"] + read["e.pub"],
            "indented.pem": b"".join(b"  " + line for line in key.splitlines(True)),
            "trailing.pem": b"".join(line + b"  \n" for line in key.splitlines()), "short.pem":
                begin + b"".join(body[at:at + 32] + b"\n" for at in range(0, len(body), 32)) + end,
            "long.pem": begin + body + b"\n" + end,
            "noend.pem": key.replace(b"-----END", b"----END"),
            "label.pem": key.replace(b"PRIVATE", b"PRIVAT"), "base64.pem": begin + b"@@@@\n" + end,
            "nonewline.pem": key.rstrip(b"\n"), "mixed.der": _swapped(read["e.der"], read["f.pem"]),
            "zero.pem": begin + end, "parkey.pem": read["p.par"] + read["e.pem"],
            "other.pem": key.replace(b"BEGIN PRIVATE", b"BEGIN RSA PRIVATE")
            .replace(b"END PRIVATE", b"END RSA PRIVATE")
    }.items():
        (folder / name).write_bytes(data)


def _swapped(key: bytes, other: bytes) -> bytes:
    """An EC key in SEC1 whose public half belongs to nobody."""
    return key[:-20] + bytes(20)


def run(folder: Path, words: list[str], command: Command) -> Result:
    """Run one command line in *folder* and take away the files that it wrote."""
    before = set(os.listdir(folder))
    status, out = command(words)
    files = {name: (folder / name).read_bytes()
             for name in sorted(set(os.listdir(folder)) - before)}
    for name in files:
        (folder / name).unlink()
    return Result(status, out, files)


def by_openssl(folder: Path) -> Command:
    """openssl in *folder*."""
    def command(words: list[str]) -> tuple[int, bytes]:
        done = subprocess.run(["openssl", *words], cwd=folder,
                              capture_output=True, stdin=subprocess.DEVNULL,
                              env={"PATH": os.environ["PATH"], "SECRET": "abcd"}, timeout=60)
        return done.returncode, done.stdout
    return command


def comparable(words: list[str], result: Result) -> object:
    """A result as it is compared: byte for byte, unless openssl draws something at random for such
    a line."""
    new = ((words[0] in ("genrsa", "genpkey") and "-genparam" not in words)
           or bool({"-genkey", "-newkey"} & set(words)))
    if not (new or "-passout" in words):
        return result
    # A file that a failed line leaves is empty, or half a key: kpki leaves none.
    of_req = words[0] == "req"
    files = ({name: list(held(data, new, of_req)) for name, data in result.files.items()}
             if result.status == 0 else {})
    return result.status, list(held(result.out, new, of_req)), files


def held(data: bytes, new: bool, of_req: bool) -> Iterator[object]:
    """What PEM, DER and text say, but for what is random: of a *new* key its kind, of another one
    its public half.

    Of a key *of_req* the cipher is left out: AES-256 here, triple DES there, as docs/stages.md
    says.
    """
    if data[:1] in (b"\x30", b"\x06"):      # parameters and a key, one behind the other
        yield [_key(item, new) if item[:1] == b"\x30" else item for item in der.items(data)]
        return
    for block in pem.blocks(data):
        if block.label in pem.KEY_LABELS:
            yield block.label, "" if of_req else _cipher(block), _key(block.armour, new)
        else:
            yield block.label, None if new and block.label != "EC PARAMETERS" else block.der
    yield re.sub(rb"(?s)-----BEGIN .*?-----END [^\n]*\n", b"",
                 re.sub(rb"( {4}[0-9a-f:]+\n)+", b"    ...\n", data))


def _cipher(block: pem.Block) -> str:
    """The cipher of a key: of a DEK-Info header, or of PBES2."""
    if block.headers:
        found = re.search(rb"DEK-Info: ([^,]+),", block.armour)
        assert found is not None
        return found[1].decode()
    if block.label != "ENCRYPTED PRIVATE KEY":
        return ""
    algorithm = der.items(der.content_of(der.items(der.content_of(block.der))[0]))
    derivation, scheme = der.items(der.content_of(algorithm[1]))
    return der.oid_text(der.items(der.content_of(scheme))[0])


def _key(data: bytes, new: bool) -> object:
    try:
        key = pem.load_key(data, PASSPHRASE)
    except InputError as error:
        return str(error)
    if not new:
        return public_key_der(key)
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA", key.key_size, key.private_numbers().public_numbers.e
    return key.curve.name if isinstance(key, ec.EllipticCurvePrivateKey) else type(key).__name__
