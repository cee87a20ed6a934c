"""A new certificate where a component reads one, whatever the layout: the manual steps, as kpki's openssl verbs.

The request says all: the subject that authorization asks, the names that clients use, every usage of the pair.
"""
from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence

from cryptography.hazmat.primitives.asymmetric import rsa

from .leaf import key_beside, signing_files
from .lines import command, comment
from .names import UNTOLD, missing_names, own_addresses, service_names
from .situation import Situation
from .subject import subject_option
from ...finding import Finding
from ...node.node import USUAL_NAMES
from ...rules.facts import Pair
from ...rules.names import wanted_names
from ...rules.subjects import subject_fault
from .... import files
from ....kubernetes import reading
from ....kubernetes.profiles import find_profile, identity_of, subject_name
from ....kubernetes.purposes import Purpose
from ....stages.keys import public_key_der
from ....stages.names import load_name

_DAYS = 365
# Faults of a key, or that a key can have, or of a pair whose key is the wrong half: the key is made anew.
_OF_THE_KEY = ("encrypted-key", "key-cert-mismatch", "shared-key", "weak-signature-or-key")
# Faults of a kubelet's certificate whose names may be another node's.
_OF_ANOTHER = ("wrong-node-identity", "hostname-case-fqdn", "missing-san-dns")
_P256 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def pair_remedy(finding: Finding, pair: Pair, here: Situation) -> Iterator[str]:
    """The commands that put a new certificate, and a new key if the old one is of no use, at the paths of a pair.

    Both are made in the current folder: until they are there, no command touches the host.
    """
    profile = find_profile(pair.row)
    authority, authority_key = signing_files(pair.purposes, profile, here, pair.chain)
    stem = posixpath.splitext(pair.path)[0].replace("/", "-")   # no two pairs have one name, which printing once needs
    request, made, key = f"{stem}.csr", f"{stem}.new.crt", here.at(pair.key_path)
    names = _names(finding, pair, here)
    untold = [comment(words) for word, words in UNTOLD.items() if f"IP:{word}" in names]
    yield from untold
    anew = _needs_key(finding, pair, here)
    if anew:
        key = f"{stem}.new.key"
        yield command("kpki", "genpkey", *_algorithm(pair), "-out", key)
    extensions = [*([f"subjectAltName={','.join(names)}"] if names else []),
                  f"extendedKeyUsage={','.join(_usages(pair))}"]
    yield command("kpki", "req", "-new", "-key", key, "-subj", _subject(pair, here), *(
        word for extension in extensions for word in ("-addext", extension)), "-out", request)
    if authority_key is None:
        yield comment("at the CA")
        yield comment(f"(copy {request} there)")
    yield command("kpki", "x509", "-req", "-in", request, "-CA", authority, "-CAkey",
                  authority_key or key_beside(authority), "-days", str(_DAYS), "-copy_extensions", "copy", "-out", made)
    if authority_key is None:
        yield comment(f"on {here.node}: (copy {made} to this folder)")
    if pair.key_path == pair.path:
        yield from _stored(pair, made, key, here)
        return
    yield from _placed(made, pair.path, here)
    if anew:
        if not here.inventory.look(pair.key_path).missing:
            yield command("chmod", "600", here.at(pair.key_path))   # `cp` leaves the mode, and the owner, as they are
        yield from _placed(key, pair.key_path, here)
        yield from _owned(pair, here)


def _needs_key(finding: Finding, pair: Pair, here: Situation) -> bool:
    """Whether a key is of no use, to this pair and to every other that reads the key."""
    if pair.key is None:
        return True
    public_key = public_key_der(pair.key)
    shared = any(one.key_path == pair.key_path and one.path != pair.path and one.chain
                 and reading.certifies(one.chain[0], public_key) for one in here.pairs)
    if finding.cause == "key-cert-mismatch" and shared:
        return False
    return finding.cause in _OF_THE_KEY or finding.path == pair.key_path != pair.path


def _placed(new: str, path: str, here: Situation) -> Iterator[str]:
    """What puts a new file in place; a copy of the old one stays beside."""
    place, folder = here.at(path), posixpath.dirname(path)
    if files.look(here.root, folder).kind == "missing":
        yield command("mkdir", "-p", here.at(folder))
    if here.holds(path):
        yield command("cp", "-p", place, f"{place}.aside")
    yield command("cp", new, place)


def _owned(pair: Pair, here: Situation) -> Iterator[str]:
    """What gives a key that was not there to the user who runs its component."""
    components = {use.component for use in pair.uses}
    user = next((one.user for one in here.inventory.running if one.component in components and one.user), "root")
    if not here.holds(pair.key_path) and user not in ("root", "0"):
        words = command("chown", user, here.at(pair.key_path))
        yield words if user.isdecimal() or here.root == os.sep else comment(f"where user {user} is known: {words}")


def _stored(pair: Pair, certificate: str, key: str, here: Situation) -> Iterator[str]:
    """What puts a certificate into the kubelet's store: key and certificate in one file, and the link to the file."""
    name = posixpath.basename(pair.path).replace("-current.pem", "-kept.pem")
    link = posixpath.join(here.root, pair.path)
    kept = posixpath.join(posixpath.dirname(link), name)
    yield command("kpki", "pkey", "-in", key, "-out", kept)
    yield f"{command('cat', certificate)} >> {command(kept)}"
    yield command("ln", "-sf", name, link)


def _algorithm(pair: Pair) -> tuple[str, ...]:
    """The kind of key: the certificate's as it is, else P-256."""
    key = pair.chain[0].public_key() if pair.chain else None
    if isinstance(key, rsa.RSAPublicKey):
        return "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{max(key.key_size, 2048)}"
    return _P256


def _usages(pair: Pair) -> list[str]:
    """Every usage that a purpose of the pair asks, or wishes; those that the certificate has are no harm."""
    wished = (usage for purpose in pair.purposes for usage in (*purpose.usages, *purpose.wishes))
    return sorted(dict.fromkeys(wished), reverse=True)


def _subject(pair: Pair, here: Situation) -> str:
    """The subject that the certificate has, if authorization takes that; else the profile's."""
    fault = subject_fault(pair, here.inventory, here.node) if pair.chain else None
    if pair.chain and (fault is None or fault.severity == "warning"):
        return subject_option(load_name(reading.subject_der(pair.chain[0])))
    allowed = [name for purpose in pair.purposes for name in _allowed(purpose, here)]
    identity = identity_of(find_profile(pair.row), node=here.node, administrators=here.inventory.layout.administrators)
    return f"/CN={allowed[0]}" if allowed else subject_option(subject_name(identity))


def _allowed(purpose: Purpose, here: Situation) -> Sequence[str]:
    """A CN that a flag allows, if the purpose depends on one."""
    setting = {"front-proxy": "requestheader-allowed-names", "etcd-peer": "peer-cert-allowed-cn"}.get(
        purpose.subject, "")
    return [name for running in here.inventory.running for name in running.settings.get(setting, ())][:1]


def _names(finding: Finding, pair: Pair, here: Situation) -> list[str]:
    """The names of the certificate as it is, those that are missing, and those by which the host's files reach it."""
    missing = missing_names(finding)
    dns, addresses = [*missing.dns], [*missing.addresses]
    own = reading.names_of(reading.extensions_of(pair.chain[0])) if pair.chain else None
    if own and not (finding.cause in _OF_ANOTHER and all(one.names in ("kubelet", "none") for one in pair.purposes)):
        dns, addresses = [*own.dns, *dns], [*own.addresses, *addresses]
    kinds = {purpose.names for purpose in pair.purposes} - {"none"}
    if not kinds:
        return []
    dns_wanted, addresses_wanted = wanted_names(kinds, here.inventory, here.node)
    dns += dns_wanted
    addresses += addresses_wanted
    if "apiserver" in kinds:
        services = service_names(here)
        dns, addresses = [*dns, *USUAL_NAMES["apiserver"][0], *services.dns], [*addresses, *services.addresses]
    if not addresses:
        addresses = own_addresses(here) or ([] if dns else [next(iter(UNTOLD))])
    return [*(f"DNS:{name}" for name in dict.fromkeys(dns)), *(f"IP:{one}" for one in dict.fromkeys(addresses))]
