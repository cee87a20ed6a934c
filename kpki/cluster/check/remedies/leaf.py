"""A new leaf: issue and install, or request, sign and install."""
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from cryptography.x509 import Certificate

from .lines import INSTALL, command, comment
from .names import UNTOLD, missing_names, names_options, server_url, services_told
from .situation import Situation
from ...desired.rows import NODES_FOLDER
from ...finding import Finding
from ...leaf_files import RENEWED
from ...observed.contents import read_certificates, read_key
from ...rules.certificate import signer_of
from ....kubernetes import reading
from ....kubernetes.layouts import get_layout
from ....kubernetes.profiles import Profile, get_profile
from ....kubernetes.purposes import PURPOSES, Purpose
from ....stages import keys

_CA, _CA_KEY = "CA.pem", "CA-KEY.pem"


def leaf_remedy(row: str, here: Situation, finding: Finding | None = None) -> Iterator[str]:
    """The commands that give a host a new certificate of a row, with its key and kubeconfig, and
    its CA's certificate.

    With the CA's key in reach they are issue and install, for a kubelet without it request, sign
    and install. A *finding* of that row tells which names are missing, and whether issue would keep
    what is there as right by itself.
    """
    layout, node = here.inventory.layout, here.node
    place = next((place for place in layout.places if place.row == row), layout.kubelet)
    kubelet = place == layout.kubelet
    # what issue will make of it
    profile = get_profile(get_layout(layout.name).kubelet.row if kubelet else place.row)
    chain = next((pair.chain for pair in here.pairs if finding and finding.path == pair.path), ())
    purposes = [purpose for purpose in PURPOSES.values() if purpose.row == profile.name
                or (kubelet and purpose.name == "kubelet-client")]
    certificate, key, which_ca = signing_files(purposes, profile, here, chain)
    trees = here.trees
    # kpki's own folder of trees: the CA is at hand
    if trees is not None and key is None and not here.workspace:
        certificate, key = here.ca or _CA, _CA_KEY
    names = [] if here.workspace else names_options(place, profile, here, missing_names(finding))
    pods = {running.component for running in here.inventory.running if running.static}
    contained = place.by_path and any(use.path == place.kubeconfig and use.component in pods
                                      for use in here.inventory.uses)
    # what a container has mounted of the paths in a kubeconfig nobody knows: one that embeds all
    # needs none
    common = [] if here.workspace or trees is not None \
        else ["--layout", "hard-way" if contained else layout.name]
    server = [] if here.workspace or not place.kubeconfig else ["--server", server_url(place, here)]
    signs = [] if here.workspace \
        else ["--ca", certificate, "--ca-key", key or key_beside(certificate)]
    which = [] if kubelet else ["--row", place.row]
    renew = ["--renew"] if finding and finding.cause in RENEWED else []
    issue = ["kpki", "node", "issue", node, *which, *renew, *signs, *names, *server, *common]
    to_root = ["--node", node, "--root", here.root]
    tree = f"{NODES_FOLDER}/{node}"
    untold = [comment(words) for word, words in UNTOLD.items() if word in (*names, *server)
              and trees is None]
    untold += [] if here.workspace or trees is not None else which_ca
    if profile.sans == "apiserver" and not here.workspace and not services_told(here):
        untold.append(
            comment("no file here tells how services reach it: add --address FIRST-SERVICE-ADDRESS "
                    "and --dns kubernetes.default.svc.DOMAIN"))
    if here.workspace or key is not None:
        yield from untold
        yield command(*issue, *([] if trees in (None, NODES_FOLDER) else ["--out", trees or ""]))
        if trees is None:
            yield command(*INSTALL, tree, *to_root, *common)
    elif kubelet:
        yield comment(f"on {node}")
        yield from untold
        yield command("kpki", "node", "request", node, *names, *common)
        yield comment("at the CA")
        yield comment(f"(copy {tree}.csr there)")
        yield command("kpki", "node", "sign", f"{tree}.csr", "--node", node, *signs, *names,
                      *common)
        yield comment(f"on {node}")
        yield comment(f"(copy {tree}.pem there)")
        yield command(*INSTALL, f"{tree}.pem", *to_root, *server, *common)
    else:
        yield comment("at the CA")
        yield from untold
        yield command(*issue)
        yield comment(f"on {node}")
        yield comment(f"(copy {tree} there)")
        yield command(*INSTALL, tree, *to_root, *common)


def authority_files(profile: Profile, here: Situation) -> tuple[str, str | None]:
    """The certificate and key of the CA that signs a row: those that a person named, else the
    tree's own where it holds both; without a key in reach the certificate is where a
    control-plane host has it.
    """
    if profile.signer == "ca" and here.ca is not None:
        return here.ca, here.ca_key
    if named := here.given.get(profile.signer or ""):
        return named
    layout, observe = here.inventory.layout, here.inventory.file
    places = [place for place in layout.places if place.row == profile.signer and place.key]
    for place in places:
        key = read_key(observe(place.key), place.row)[0]
        found = read_certificates(observe(place.certificate), place.row)[0]
        # a certificate that is not there any more, or another's, is brought back before
        if key and (not found
                    or any(reading.has_public_key(certificate, keys.public_key_der(key))
                           for certificate in found)):
            return here.at(place.certificate), here.at(place.key)
    return (f"/{places[0].certificate}" if places else _CA), None


def signing_files(purposes: Iterable[Purpose], profile: Profile | None, here: Situation,
                  chain: Sequence[Certificate] = ()) -> tuple[str, str | None, list[str]]:
    """The certificate and key of the CA that is to sign for these purposes, and comments that say
    which CA is meant.

    It is the CA by which verifiers on this host verify; if none is here, the one that signed the
    *chain* as it is, else the one by which most clusters' verifiers do. Without a key in reach as
    `authority_files`; if several unlike CAs may sign, none is guessed.
    """
    purposes = [PURPOSES["apiserver-serving"] if purpose.name == "apiserver-sni" else purpose
                for purpose in purposes]
    sure, likely = ([file for file in here.trust_files if file.certificates and any(
        file.serves(*getattr(purpose, kind)) for purpose in purposes)]
                    for kind in ("verifiers", "likely"))
    files = sure or [file for file in here.trust_files if chain and file.certificates
                     and signer_of(chain, file.certificates)] or likely
    trusted = [certificate for file in files for certificate in file.certificates]
    # of a bundle, or of several, the one that signed before
    if chain and (signer := signer_of(chain, trusted)):
        trusted = [signer]
    named = {"ca": (here.ca, here.ca_key), **here.given}
    several = any(not reading.is_same_authority(trusted[0], certificate) for certificate in trusted)
    for row, certificates in here.authorities.items() if sure or not several else ():
        certificate, key = named.get(row, (None, None))
        if certificate and key \
            and (any(reading.is_same_authority(certificate, other) for certificate in certificates
                     for other in trusted)
                 or (not trusted and chain and signer_of(chain, certificates) is not None)):
            return certificate, key, []
    for file in here.trust_files if sure or not several else ():
        beside = own_key(file.path, here)
        own = read_key(here.inventory.file(beside), file.row)[0] if beside else None
        if own and any(certificate in trusted
                       and reading.has_public_key(certificate, keys.public_key_der(own))
                       for certificate in file.certificates):
            return here.at(file.path), here.at(beside), []
    every = [certificate for file in here.trust_files if file.row in {file.row for file in files}
             for certificate in file.certificates]
    if profile and all(reading.is_same_authority(trusted[0], certificate) for certificate in every):
        return *authority_files(profile, here), []
    names = [*dict.fromkeys(map(reading.subject_text, trusted))]
    which = names[0] if len(names) == 1 \
        else f"one of {'; '.join(names)}, and no file here tells which" if names else \
        "the one that clients of this server trust"
    return _CA, None, [
        comment(f"{_CA} and {_CA_KEY} are the certificate and the key of the CA that signs: {which}")]


def own_key(certificate: str, here: Situation) -> str:
    """Where the key of a CA's certificate lies: as a component is told, else by the name; "" in a
    kubeconfig.
    """
    groups = {use.group for use in here.inventory.uses if use.path == certificate
              and use.part == "certificate"}
    told = (use.path for use in here.inventory.uses if use.part == "key" and use.group in groups)
    return next(told, "" if "#" in certificate else key_beside(certificate))


def key_beside(certificate: str) -> str:
    """Where the key of a CA's certificate lies by its name."""
    stem, ending = os.path.splitext(certificate)
    if certificate == _CA:
        return _CA_KEY
    return f"{stem}.key" if ending == ".crt" else f"{stem}-key{ending}"
