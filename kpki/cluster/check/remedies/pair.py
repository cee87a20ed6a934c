"""The remedy for a pair at any path: the documentation's steps, by kpki's openssl verbs.

The request has the subject that authorization asks for, the names that clients use, and every usage
of the pair.
"""
from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence

from cryptography.hazmat.primitives.asymmetric import rsa

from .leaf import find_intermediate, key_beside, signing_files
from .lines import command, comment
from .names import PLACEHOLDERS, missing_names, own_addresses, service_names
from .subject import subject_option
from .target import RepairTarget, inside
from ...finding import Finding
from ...observed.owners import ROOT, user_id
from ...rules.facts import Pair
from ...rules.names import names_asked, wanted_names
from ...rules.subjects import subject_fault
from .... import files
from ....kubernetes import reading
from ....kubernetes.profiles import USUAL_NAMES, get_profile, identity_of
from ....kubernetes.purposes import Purpose
from ....stages.names import load_name

_DAYS = 365
# faults of a key, or of a pair whose key is the wrong half: the key is made anew
_OF_THE_KEY = ("encrypted-key", "key-cert-mismatch", "shared-key", "weak-signature-or-key")
# faults of a kubelet's certificate whose names may be another node's
_OF_ANOTHER = ("wrong-node-identity", "hostname-case-fqdn", "missing-san-dns")
_P256 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def pair_remedy(finding: Finding, pair: Pair, target: RepairTarget) -> Iterator[str]:
    """The commands that put a new certificate, and a new key if needed, at the paths of a pair.

    All files are made in the current folder first: until then no command changes the host. A new
    key has a new certificate in each of its pairs.
    """
    anew = needs_key(finding, pair)
    key, new_key = target.at(pair.key_path), f"{_stem(pair.key_path)}.new.key"
    pairs = [other for other in target.pairs if other.key_path == pair.key_path
             and other.path != pair.path] \
        if anew else []
    embedded, kubeconfig = "#" in pair.path, target.at(pair.path.partition("#")[0])
    if anew:
        key = new_key
        yield command("kpki", "genpkey", *_algorithm(pair), "-out", key)
    elif embedded:      # whose key stays
        key = f"{_stem(pair.path.partition('#')[0])}.key"
        yield command("install", "-m", "600", "/dev/null", key)
        read = command("sed", "-n", "s/^ *client-key-data: *//p", kubeconfig)
        yield f"{read} | base64 -d > {command(key)}"
    made = {}
    for user in (pair, *pairs):
        made[user.path] = f"{_stem(user.path.partition('#')[0])}.new.crt"
        yield from _certified(finding, user, key, made[user.path], target)
    if pair.key_path == pair.path and not embedded:
        yield from _stored(pair, made[pair.path], key, target)
        return
    for user in (pair, *pairs):
        if embedded:
            yield from _put_in(kubeconfig,
                               "client-certificate-data: "
                               f"$(base64 -w 0 {command(made[user.path])})")
        else:
            yield from _placed(made[user.path], user.path, target)
    if anew and not embedded:
        if not target.inventory.file(pair.key_path).missing:
            # `cp` leaves mode and owner unchanged
            yield command("chmod", "600", target.at(pair.key_path))
        yield from _placed(key, pair.key_path, target)
        yield from _owned(pair, target)


def _stem(path: str) -> str:
    """The names of new files for a path: no two paths have the same names."""
    return posixpath.splitext(path)[0].replace("/", "-")


def _certified(finding: Finding, pair: Pair, key: str, made: str,
               target: RepairTarget) -> Iterator[str]:
    """The commands that make a certificate for a key: a request, which the CA signs."""
    profile = get_profile(pair.row) if pair.row else None
    authority, authority_key, which_ca = signing_files(pair.purposes, profile, target, pair.chain)
    request = f"{made.removesuffix('.new.crt')}.csr"
    names = _names(finding, pair, target)
    yield from (comment(words) for word, words in PLACEHOLDERS.items() if f"IP:{word}" in names)
    extensions = [*([f"subjectAltName={','.join(names)}"] if names else []),
                  f"extendedKeyUsage={','.join(_usages(pair))}"]
    yield command("kpki", "req", "-new", "-key", key, "-subj",
                  _subject(finding, pair, names, target), *(
        word for extension in extensions for word in ("-addext", extension)), "-out", request)
    if authority_key is None:
        yield comment("at the CA")
        yield comment(f"(copy {request} there)")
    yield from which_ca
    yield command("kpki", "x509", "-req", "-in", request, "-CA", authority, "-CAkey",
                  authority_key or key_beside(authority), "-days", str(_DAYS), "-copy_extensions",
                  "copy", "-out", made)
    if is_chained(pair, target):
        yield f"{command('cat', authority)} >> {command(made)}"
    if authority_key is None:
        yield comment(f"on {target.node}: (copy {made} to this folder)")


def is_chained(pair: Pair, target: RepairTarget) -> bool:
    """Whether verifiers know the root alone, so that a file needs the intermediate CA as well."""
    trusted = [certificate for file in target.trust_files for certificate in file.certificates]
    return find_intermediate(pair.chain, trusted, target) is not None


def needs_key(finding: Finding, pair: Pair) -> bool:
    """Whether a key is useless for this pair and for every other pair with the key."""
    if pair.key is None:
        return True
    if finding.cause == "key-cert-mismatch" and pair.key_proved:
        return False
    return finding.cause in _OF_THE_KEY or finding.path == pair.key_path != pair.path


def _put_in(kubeconfig: str, field: str) -> Iterator[str]:
    """The command that gives a field of a kubeconfig, on a line of its own, another value.

    A copy of the old file stays beside it.
    """
    name = field.partition(":")[0]
    yield command("cp", "-p", kubeconfig, f"{kubeconfig}.aside")
    old = command(f"{kubeconfig}.aside")
    yield f'sed "s|^\\( *\\){name}: .*|\\1{field}|" {old} > {command(kubeconfig)}'


def _placed(new: str, path: str, target: RepairTarget) -> Iterator[str]:
    """The command that puts a new file in place; a copy of the old file stays beside it."""
    place, folder = target.at(path), posixpath.dirname(path)
    if files.read_entry(target.root, folder).kind == "missing":
        yield command("mkdir", "-p", target.at(folder))
    if target.holds(path):
        yield command("cp", "-p", place, f"{place}.aside")
    yield command("cp", new, place)


def _owned(pair: Pair, target: RepairTarget) -> Iterator[str]:
    """The command that gives a new key to the user who runs its component."""
    components = {use.component for use in pair.uses}
    user = next((running.user for running in target.inventory.running
                 if running.component in components
                 and running.user), "root")
    if not target.holds(pair.key_path) and user not in ("root", "0"):
        yield owned_by(user, pair.key_path, target)


def owned_by(user: str, path: str, target: RepairTarget) -> str:
    """The command that changes a file's owner; in a copied tree, by the tree's number."""
    known = user if target.root == os.sep or user == ROOT else user_id(user, target.inventory.root)
    words = command("chown", str(user if known is None else known), target.at(path))
    return comment(f"where user {user} is known: {words}") if known is None else words


def _stored(pair: Pair, certificate: str, key: str, target: RepairTarget) -> Iterator[str]:
    """The commands that put key and certificate into one file, and link the kubelet's store."""
    if not pair.path.endswith("-current.pem"):
        new = f"{_stem(pair.path)}.new.pem"
        yield command("kpki", "pkey", "-in", key, "-out", new)
        yield f"{command('cat', certificate)} >> {command(new)}"
        yield from _placed(new, pair.path, target)
        yield command("chmod", "600", target.at(pair.path))
        yield from _owned(pair, target)
        return
    folder, name = posixpath.dirname(pair.path), posixpath.basename(pair.path)
    link = posixpath.join(target.root, inside(target.inventory.root, folder), name)
    kept = posixpath.join(posixpath.dirname(link), name.replace("-current.pem", "-kept.pem"))
    yield command("kpki", "pkey", "-in", key, "-out", kept)
    yield f"{command('cat', certificate)} >> {command(kept)}"
    yield command("ln", "-sf", posixpath.basename(kept), link)


def _algorithm(pair: Pair) -> tuple[str, ...]:
    """The algorithm of the new key: that of the certificate's key, else P-256."""
    key = pair.chain[0].public_key() if pair.chain else None
    if isinstance(key, rsa.RSAPublicKey):
        return "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{max(key.key_size, 2048)}"
    return _P256


def _usages(pair: Pair) -> list[str]:
    """Every usage that a purpose of the pair needs or wishes, and those of the old certificate."""
    wished = (usage for purpose in pair.purposes for usage in (*purpose.usages, *purpose.wishes))
    return sorted(dict.fromkeys(wished), reverse=True)


def _is_swapped(finding: Finding, pair: Pair) -> bool:
    """Whether the certificate at the path is for another key, so that none of its names counts."""
    return finding.cause == "key-cert-mismatch" and finding.path == pair.path


def _subject(finding: Finding, pair: Pair, names: Sequence[str], target: RepairTarget) -> str:
    """The subject of the certificate, if it is this pair's and authorized; else a new subject."""
    if pair.chain and not _is_swapped(finding, pair) \
        and subject_fault(pair, target.inventory, target.node) is None:
        return subject_option(load_name(reading.subject_der(pair.chain[0])))
    allowed = [name for purpose in pair.purposes for name in _allowed(purpose, target)]
    if not allowed and not pair.row:
        allowed = [name.partition(":")[2] for name in names] or [pair.uses[0].component]
    if allowed:
        return f"/CN={allowed[0]}"
    from ....kubernetes.values import subject_name  # with what signs, which few remedies need
    return subject_option(subject_name(identity_of(get_profile(pair.row), node=target.node,
                                                   administrators=target.inventory.layout.administrators)))


def _allowed(purpose: Purpose, target: RepairTarget) -> Sequence[str]:
    """The CNs that a flag allows, if the purpose depends on them."""
    setting = {"front-proxy": "requestheader-allowed-names",
               "etcd-peer": "peer-cert-allowed-cn"}.get(
        purpose.subject, "")
    return [name for running in target.inventory.running
            for name in running.settings.get(setting, ())]


def has_other_name(pair: Pair, target: RepairTarget) -> bool:
    """Whether a flag allows names for a pair, but not the name that kpki issues."""
    allowed = [name for purpose in pair.purposes for name in _allowed(purpose, target)]
    return bool(allowed) and identity_of(
        get_profile(pair.row), node=target.node,
        administrators=target.inventory.layout.administrators).user not in allowed


def _names(finding: Finding, pair: Pair, target: RepairTarget) -> list[str]:
    """The names of the certificate, the missing names, and those in the host's other files."""
    missing = missing_names(finding)
    dns, addresses = [*missing.dns], [*missing.addresses]
    kinds = {purpose.names for purpose in pair.purposes} - {"none"}
    own = reading.names_of(reading.extensions_of(pair.chain[0])) if pair.chain \
        and not _is_swapped(finding, pair) \
        else None
    if own and not (finding.cause in _OF_ANOTHER
                    and all(purpose.names in ("kubelet", "none") for purpose in pair.purposes)):
        dns, addresses = [*own.dns, *dns], [*own.addresses, *addresses]
    if pair.serves("apiserver-sni"):
        return [f"DNS:{name}" for name in dict.fromkeys((*dns, *(
            name for running in target.inventory.running for name in names_asked(running, pair))))]
    if not kinds and "serverAuth" not in pair.usages:
        return []
    dns_wanted, addresses_wanted = wanted_names(kinds, target.inventory, target.node)
    dns += dns_wanted
    addresses += addresses_wanted
    if "apiserver" in kinds:
        services = service_names(target)
        dns, addresses = [*dns, *USUAL_NAMES["apiserver"][0], *services.dns], [*addresses,
                                                                               *services.addresses]
    if not addresses:
        addresses = own_addresses(target) or ([] if dns else [next(iter(PLACEHOLDERS))])
    return [*(f"DNS:{name}" for name in dict.fromkeys(dns)),
            *(f"IP:{address}" for address in dict.fromkeys(addresses))]
