"""`--explain` of the node commands and of `kpki sign`: the openssl commands that do the same.

The commands are for the files as they were before, and end with the same paths, modes and owners.
"""
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from .. import files, pem
from ..cluster.authority import CA_DAYS, key_algorithm
from ..cluster.desired.token import is_in_token
from ..cluster.node.placing import (
    BY_HAND,
    Part,
    away,
    file_part,
    free_places,
    group,
    placed,
    with_data,
)
from ..cluster.script.shell import NEEDS_PROVIDER, make_key, passin_option, pem_block
from ..cluster.workspace import BACKUP
from ..errors import InputError
from ..kubernetes.kubeconfig import load_kubeconfig
from ..kubernetes.layouts import CERTIFICATE_MODE
from ..kubernetes.profiles import (
    CA,
    KUBELET_PROFILE,
    Identity,
    ca_extensions,
    get_profile,
    leaf_extensions,
    sans_text,
)
from ..stages.keys import public_key_der

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from ..cluster.authority import Authority
    from ..cluster.node.install_order import Installed
    from ..cluster.node.orders import Done
    from ..cluster.offline.bundle import Request

_DAY = timedelta(days=1)
KEY_FILE, CSR_FILE, CERTIFICATE_FILE, _EXTENSIONS, _CA = (
    f"{BY_HAND}/{name}" for name in ("key.pem", "request.csr", "certificate.pem", "extensions",
                                     "ca.pem"))
User = tuple[int, int]


class SigningSteps(NamedTuple):
    """A CA whose certificate and key are in files, and what a person said about them."""

    authority: Authority
    ca: str
    """The path of the certificate."""
    ca_key: str
    """The path of the key."""
    passin: str | None
    """The source of the key's passphrase."""
    now: datetime
    """The present moment for the certificates."""

    def commands(self, csr: str, extensions: Sequence[tuple[str, str]],
                 days: int) -> Iterator[str]:
        """The commands that sign *csr*; the certificate ends with the CA if the CA ends before."""
        first, second, *rest = (quote(f"{field}={value}") for field, value in extensions)
        yield f"printf '%s\\n' {first} {second} \\"
        yield f"    {' '.join(rest)} > {_EXTENSIONS}"
        own, ca = pem.load_certificates(files.read(self.ca)), quote(self.ca)
        if own[0] != self.authority.certificate:
            number = own.index(self.authority.certificate) + 1
            yield f"{pem_block(ca, number)} > {_CA}"
            ca = _CA
        days = min(days, self.days_until(self.authority.certificate))
        if is_in_token(self.ca_key):
            yield NEEDS_PROVIDER
        yield (f"openssl x509 -req -in {quote(csr)} -CA {ca} -CAkey {quote(self.ca_key)}"
               f"{passin_option(self.passin)} \\")
        yield (f"    -days {days} -{self.authority.digest} -extfile {_EXTENSIONS} "
               f"-out {CERTIFICATE_FILE}")

    def days_until(self, certificate: Certificate) -> int:
        """The whole days until the end of a certificate."""
        return (certificate.not_valid_after_utc - self.now.replace(microsecond=0)) // _DAY

    def bundle(self) -> Part:
        """What nodes get as their CA."""
        bundle, data = self.authority.bundle, files.read(self.ca)
        if data == bundle:
            return file_part(data, self.ca)
        if len(pem.load_certificates(data)) == 1:
            return Part(bundle, f"openssl x509 -in {quote(self.ca)}", self.ca)
        return Part(bundle, "sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p' "
                            f"{quote(self.ca)}")


def issue_steps(done: Done, *, passin: str | None, now: datetime, user: User) -> Iterator[str]:
    """The openssl commands that do the same as `node issue`."""
    yield "kpki node issue makes a key, a request and a certificate; right files stay."
    if done.row.profile == KUBELET_PROFILE:
        yield "The certificate is for client and server: the API server authenticates the node by"
        yield "the subject, and verifies the kubelet's names and addresses."
    yield from block(_issue(done, _signer(done, passin, now), user))


def request_steps(done: Done, *, user: User) -> Iterator[str]:
    """The openssl commands that do the same as `node request`."""
    yield "kpki node request makes a key, which stays on the node, and a request for the CA."
    yield from block(_asked(done, user))


def sign_steps(done: Done, path: str, *, passin: str | None, now: datetime,
               user: User) -> Iterator[str]:
    """The openssl commands that do the same as `node sign`."""
    signer, (answer, _) = _signer(done, passin, now), done.written[0]
    assert done.csr is not None     # `node sign` always has a request
    certificate = pem.load_certificates(answer.data)[0]
    yield "kpki node sign checks the request, and issues a node's certificate; the request adds no"
    yield "name."
    yield from block([
        f"openssl req -noout -text -verify -in {quote(path)}",
        *signer.commands(path, _extensions(done, certificate), signer.days_until(certificate)),
        *_placed(done, [file_part(pem.dump_certificate(certificate), CERTIFICATE_FILE),
                        signer.bundle()], user)])


def install_steps(source: str, done: Installed, *, root: str, key: str | None,
                  user: User) -> Iterator[str]:
    """The openssl commands that do the same as `node install`."""
    from ..cluster.node.by_hand import install_commands
    yield "kpki node install checks the pair, its signer, its subject and its dates, then replaces"
    yield "all files at once."
    yield from block(install_commands(source, done, root=root, key=key, user=user))


def bundle_steps(folder: str, requests: Sequence[Request], authorities: Mapping[str, Authority],
                 paths: Mapping[str, tuple[str, str]], *, passin: str | None, now: datetime,
                 user: User) -> Iterator[str]:
    """The openssl commands that do the same as `kpki sign`; *paths* of the CAs by their rows."""
    yield "kpki sign checks each request, and gives its certificate what the row has; the request"
    yield "adds no name and no usage."
    commands = list[str]()
    for request in requests:
        csr, answer = (os.path.join(folder, path) for path in (request.file, request.answer))
        rsa = isinstance(pem.load_csr(files.read(csr)).public_key(), RSAPublicKey)
        extensions = leaf_extensions(get_profile(request.row), request.identity, rsa=rsa)
        signer = SigningSteps(authorities[request.signer], *paths[request.signer], passin, now)
        commands += [f"openssl req -noout -text -verify -in {quote(csr)}",
                     *signer.commands(csr, extensions, request.days),
                     *placed(files.File(request.answer, b"", CERTIFICATE_MODE), answer,
                             [file_part(b"", CERTIFICATE_FILE)], user=user)]
    yield from block(commands)


def block(commands: Iterable[str]) -> Iterator[str]:
    """The commands as they are printed, and an empty line."""
    lines = [*commands]
    if lines:
        yield "The same by hand, for the files as they were before:"
        yield from (f"  {line}" for line in group(lines))
    else:
        yield "Each file was right already, so no openssl command does the same."
    yield ""


def _signer(done: Done, passin: str | None, now: datetime) -> SigningSteps:
    assert done.authority is not None
    return SigningSteps(done.authority, done.ca, done.ca_key, passin, now)


def _issue(done: Done, signer: SigningSteps, user: User) -> Iterator[str]:
    """The commands that make and place the files that were not right."""
    changed = {file.path for file, action in done.written if action != "keep"}
    if not changed:
        return
    if done.example:
        yield from _example(signer, user)
    halves = _halves(done)
    parts = [signer.bundle()]
    if halves:
        key_data, certificate_data = halves
        commands, key = _key_of(key_data, done, changed)
        parts = [*parts, key]
        yield from commands
        kept, certificate = _kept(certificate_data, done, changed, CERTIFICATE_FILE)
        yield from kept
        if certificate is None:
            certificate = file_part(certificate_data, CERTIFICATE_FILE)
            made = pem.load_certificates(certificate_data)[0]
            yield from _request(key.path, done.row.identity)
            yield from signer.commands(CSR_FILE, _extensions(done, made), signer.days_until(made))
        parts = [*parts, certificate]
    yield from _placed(done, [*parts, *_archive(done)], user)


def _asked(done: Done, user: User) -> Iterator[str]:
    """The commands that make and place a key and its request, if one of them was not right."""
    if all(action == "keep" for _, action in done.written):
        return
    (key, _), (csr, _) = done.written
    commands, part = _key_of(key.data, done, {key.path})
    yield from (*commands, *_request(part.path, done.node.identity))
    yield from _placed(done, [part, file_part(csr.data, CSR_FILE)], user)


def _example(signer: SigningSteps, user: User) -> Iterator[str]:
    """The commands that make the throw-away CA."""
    certificate = files.read(signer.ca)
    algorithm, extensions = signer.authority.algorithm, (
        *ca_extensions(CA), ("subjectKeyIdentifier", "hash"))
    adding = " ".join(f"-addext {quote(f'{name}={value}')}" for name, value in extensions)
    yield f"mkdir -p {quote(os.path.dirname(signer.ca))}"
    yield make_key(algorithm, KEY_FILE).rstrip()
    yield f"openssl req -x509 -new -config /dev/null -key {KEY_FILE} -subj /CN={CA.common_name} \\"
    yield f"    -days {CA_DAYS} -{signer.authority.digest} -out {CERTIFICATE_FILE} \\"
    yield f"    {adding}"
    written = [(files.File(path, data, 0), "create") for path, data in (
        (signer.ca, certificate), (signer.ca_key, files.read(signer.ca_key)))]
    yield from free_places("", written)
    for (file, _), source in zip(written, (CERTIFICATE_FILE, KEY_FILE), strict=True):
        yield from placed(file, file.path, [file_part(file.data, source)], user=user)


def _halves(done: Done) -> tuple[bytes, bytes] | None:
    """Key and certificate of the row's pair; None if the pair's own files name others."""
    data = {file.path: file.data for file, _ in done.written}
    prefix = f"{os.path.basename(os.path.abspath(done.out))}/{done.node.name}/"
    place = done.row.place
    if place.certificate:
        return data[prefix + place.key], data[prefix + place.certificate]
    kubeconfig = load_kubeconfig(data[prefix + place.kubeconfig])
    if kubeconfig.key.data is None or kubeconfig.certificate.data is None:
        return None
    return kubeconfig.key.data, kubeconfig.certificate.data


def _key_of(data: bytes, done: Done, changed: set[str]) -> tuple[list[str], Part]:
    """The commands that bring the key *data* into a file, and that file."""
    commands, part = _kept(data, done, changed, KEY_FILE)
    if part is not None:
        return commands, part
    public = public_key_der(pem.load_key(data))
    for old in _old_parts(done):
        with suppress(InputError):
            if b"PRIVATE KEY-" in old.data and public_key_der(pem.load_key(old.data)) == public:
                return ([f"{old.through('openssl pkey -traditional')} -out {KEY_FILE}"],
                        file_part(data, KEY_FILE))
    algorithm = key_algorithm(pem.load_key(data).public_key())
    assert algorithm is not None    # kpki has made the key
    return [make_key(algorithm, KEY_FILE).rstrip()], file_part(data, KEY_FILE)


def _kept(data: bytes, done: Done, changed: set[str], target: str) -> tuple[list[str], Part | None]:
    """What was there already: in a file that stays, or by commands in the file *target*."""
    old = next((part for part in _old_parts(done) if part.data == data), None)
    if old is None:
        return [], None
    folder = _folder(done)
    if old.whole and old.path not in {os.path.join(folder, path) for path in changed}:
        return [], old
    return [f"{old.command} > {target}"], file_part(data, target)


def _old_parts(done: Done) -> Iterator[Part]:
    for path, data in done.found.items():
        yield from with_data(file_part(data, os.path.join(_folder(done), path)))


def _folder(done: Done) -> str:
    """The workspace, from here."""
    folder, name = os.path.split(done.out.rstrip(os.sep))
    return folder if name not in ("", os.curdir, os.pardir) \
        else os.path.dirname(os.path.abspath(done.out))


def _request(key: str, identity: Identity) -> Iterator[str]:
    subject = quote("".join(f"/O={group}" for group in identity.groups) + f"/CN={identity.user}")
    names = sans_text(identity)
    yield f"openssl req -new -key {quote(key)} -subj {subject} \\"
    yield "    " + f"-addext subjectAltName={names} " * bool(names) + f"-out {CSR_FILE}"


def _extensions(done: Done, certificate: Certificate) -> list[tuple[str, str]]:
    return leaf_extensions(done.row.profile, done.row.identity,
                           rsa=isinstance(certificate.public_key(), RSAPublicKey))


def _archive(done: Done) -> Iterator[Part]:
    """The archive of the tree, which tar makes of the files in their places."""
    tree, name = done.out, done.node.name
    for archive, _ in done.written:
        if archive.path.endswith(f"/{name}.tar"):
            names = " ".join(quote(path.partition("/")[2]) for path in (
                file.path for file, _ in done.written if file != archive))
            yield Part(archive.data, f"tar -C {quote(tree)} -c {names}")


def _placed(done: Done, parts: Sequence[Part], user: User) -> Iterator[str]:
    """The commands that put the files of a workspace in their places."""
    folder = _folder(done)
    yield from free_places(folder, done.written)
    yield from away(folder, done.written, BACKUP)
    tree = os.path.join(done.out, done.node.name)
    inside = any(file.path.count("/") > 1 for file, action in done.written if action == "create")
    yield f"mkdir -p {quote(tree if inside else done.out)}"
    for file, action in done.written:
        if action != "keep":
            yield from placed(file, os.path.join(folder, file.path), parts, user=user)
