"""The remedy for a leaf: issue and install a new one, or request, sign and install."""
from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from cryptography.x509 import Certificate

from .lines import INSTALL, command, comment
from .names import PLACEHOLDERS, missing_names, names_options, server_url, tells_services
from .target import RepairTarget
from ...desired.rows import NODES_FOLDER
from ...finding import Finding
from ...observed.contents import read_certificates, read_key
from ...rules.certificate import intermediate_of, signer_of
from ...rules.facts import signing_pairs_of
from ....kubernetes import reading
from ....kubernetes.causes import RENEWED
from ....kubernetes.layouts import get_layout
from ....kubernetes.profiles import Profile, get_profile
from ....kubernetes.purposes import PURPOSES, Purpose
from ....stages import keys

_CA, _CA_KEY = "CA.pem", "CA-KEY.pem"


def leaf_remedy(row: str, target: RepairTarget, finding: Finding | None = None) -> Iterator[str]:
    """The commands that give a host a new certificate of a row, with key and kubeconfig.

    With the CA's key at hand they are issue and install. For a kubelet without it they are request,
    sign and install. A *finding* of that row tells which names are missing, and whether issue would
    leave the present files in place.
    """
    layout, node = target.inventory.layout, target.node
    place = next((place for place in layout.places if place.row == row), layout.kubelet)
    kubelet = place == layout.kubelet
    # the names that issue will use
    profile = get_profile(get_layout(layout.name).kubelet.row if kubelet else place.row)
    chain = next((pair.chain for pair in target.pairs if finding and finding.path == pair.path), ())
    purposes = [purpose for purpose in PURPOSES.values() if purpose.row == profile.name
                or (kubelet and purpose.name == "kubelet-client")]
    certificate, key, which_ca = signing_files(purposes, profile, target, chain)
    trees = target.trees
    # a tree in kpki's folder of trees: the CA is at hand
    if trees is not None and key is None and not target.workspace:
        certificate, key = target.ca or _CA, _CA_KEY
    names = [] if target.workspace \
        else names_options(place, profile, target, missing_names(finding))
    pods = {running.component for running in target.inventory.running if running.static}
    contained = place.by_path and any(use.path == place.kubeconfig and use.component in pods
                                      for use in target.inventory.uses)
    # the mounts of a container are unknown: a kubeconfig that embeds its data needs none
    common = [] if target.workspace or trees is not None \
        else ["--layout", "hard-way" if contained else layout.name]
    server = [] if target.workspace or not place.kubeconfig \
        else ["--server", server_url(place, target)]
    signs = [] if target.workspace \
        else ["--ca", certificate, "--ca-key", key or key_beside(certificate)]
    which = [] if kubelet else ["--row", place.row]
    renew = ["--renew"] if finding and finding.cause in RENEWED else []
    issue = ["kpki", "node", "issue", node, *which, *renew, *signs, *names, *server, *common]
    to_root = ["--node", node, "--root", target.root]
    tree = f"{NODES_FOLDER}/{node}"
    hints = [comment(words) for word, words in PLACEHOLDERS.items() if word in (*names, *server)
             and trees is None]
    hints += [] if target.workspace or trees is not None else which_ca
    if profile.sans == "apiserver" and not target.workspace and not tells_services(target):
        hints.append(
            comment("no file here tells how services reach it: add --address FIRST-SERVICE-ADDRESS "
                    "and --dns kubernetes.default.svc.DOMAIN"))
    if target.workspace or key is not None:
        yield from hints
        yield command(*issue, *([] if trees in (None, NODES_FOLDER) else ["--out", trees or ""]))
        if trees is None:
            yield command(*INSTALL, tree, *to_root, *common)
    elif kubelet:
        yield comment(f"on {node}")
        yield from hints
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
        yield from hints
        yield command(*issue)
        yield comment(f"on {node}")
        yield comment(f"(copy {tree} there)")
        yield command(*INSTALL, tree, *to_root, *common)


def authority_files(profile: Profile, target: RepairTarget) -> tuple[str, str | None]:
    """The files of the CA that signs a row: the given files, else the tree's own pair.

    Without a key at hand, the certificate's path is that of a control-plane host.
    """
    if profile.signer == "ca" and target.ca is not None:
        return target.ca, target.ca_key
    if named := target.given.get(profile.signer or ""):
        return named
    layout, observe = target.inventory.layout, target.inventory.file
    places = [place for place in layout.places if place.row == profile.signer and place.key]
    for place in places:
        key = read_key(observe(place.key), place.row)[0]
        found = read_certificates(observe(place.certificate), place.row)[0]
        # another remedy restores a missing or wrong certificate before
        if key and (not found
                    or any(reading.has_public_key(certificate, keys.public_key_der(key))
                           for certificate in found)):
            return target.at(place.certificate), target.at(place.key)
    return (f"/{places[0].certificate}" if places else _CA), None


def signing_files(purposes: Iterable[Purpose], profile: Profile | None, target: RepairTarget,
                  chain: Sequence[Certificate] = ()) -> tuple[str, str | None, list[str]]:
    """The files of the CA that must sign for these purposes, and comments that describe the CA.

    The CA is the one that this host's verifiers trust. Without a verifier here it is the one that
    signed the *chain*, else the one of most clusters' verifiers. Without a key at hand as
    `authority_files`. If several unlike CAs may sign, none is chosen.
    """
    purposes = [PURPOSES["apiserver-serving"] if purpose.name == "apiserver-sni" else purpose
                for purpose in purposes]
    sure, likely = ([file for file in target.trust_files if file.certificates and any(
        file.serves(*getattr(purpose, kind)) for purpose in purposes)]
                    for kind in ("verifiers", "likely"))
    files = sure or [file for file in target.trust_files if chain and file.certificates
                     and signer_of(chain, file.certificates)] or likely
    trusted = [certificate for file in files for certificate in file.certificates]
    # of several certificates, the one that signed before
    if chain and (signer := signer_of(chain, trusted)):
        trusted = [signer]
    named = {"ca": (target.ca, target.ca_key), **target.given}
    if intermediate := find_intermediate(chain, trusted, target):
        return _intermediate_files(intermediate, target)
    several = any(not reading.is_same_authority(trusted[0], certificate) for certificate in trusted)
    for row, certificates in target.authorities.items() if sure or not several else ():
        certificate, key = named.get(row, (None, None))
        if certificate and key \
            and (any(reading.is_same_authority(certificate, other) for certificate in certificates
                     for other in trusted)
                 or (not trusted and chain and signer_of(chain, certificates) is not None)):
            return certificate, key, []
    for file in target.trust_files if sure or not several else ():
        beside = own_key(file.path, target)
        own = read_key(target.inventory.file(beside), file.row)[0] if beside else None
        if own and any(certificate in trusted
                       and reading.has_public_key(certificate, keys.public_key_der(own))
                       for certificate in file.certificates):
            return target.at(file.path), target.at(beside), []
    every = [certificate for file in target.trust_files if file.row in {file.row for file in files}
             for certificate in file.certificates]
    if profile and all(reading.is_same_authority(trusted[0], certificate) for certificate in every):
        return *authority_files(profile, target), []
    names = [*dict.fromkeys(map(reading.subject_text, trusted))]
    which = names[0] if len(names) == 1 \
        else f"one of {'; '.join(names)}, and no file here tells which" if names else \
        "the one that clients of this server trust"
    return _CA, None, [_which(which)]


def find_intermediate(chain: Sequence[Certificate], trusted: Sequence[Certificate],
                      target: RepairTarget) -> Certificate | None:
    """The CA that signed a leaf, if verifiers trust the CA above it alone.

    The CA is one of the leaf's chain, or the controller manager's.
    """
    signing = [pair.chain[0] for pair in signing_pairs_of(target.inventory) if pair.chain]
    return intermediate_of([*chain, *signing], trusted) if chain else None


def _intermediate_files(intermediate: Certificate,
                        target: RepairTarget) -> tuple[str, str | None, list[str]]:
    """The files of an intermediate CA, given or the controller manager's, as `signing_files`."""
    named = {"ca": (target.ca, target.ca_key), **target.given}
    for row, (certificate, key) in named.items():
        if certificate and key and any(reading.is_same_authority(intermediate, signer)
                                       for signer in target.authorities.get(row, ())):
            return certificate, key, []
    for pair in signing_pairs_of(target.inventory):
        if pair.key is not None and pair.matches and pair.chain \
            and reading.is_same_authority(intermediate, pair.chain[0]):
            return target.at(pair.path), target.at(pair.key_path), []
    return _CA, None, [_which(reading.subject_text(intermediate))]


def _which(name: str) -> str:
    return comment(f"{_CA} and {_CA_KEY} are the certificate and the key of the CA that signs: "
                   f"{name}")


def own_key(certificate: str, target: RepairTarget) -> str:
    """The path of a CA certificate's key: the setting's, else by name; "" in a kubeconfig."""
    groups = {use.group for use in target.inventory.uses if use.path == certificate
              and use.part == "certificate"}
    paths = (use.path for use in target.inventory.uses if use.part == "key" and use.group in groups)
    return next(paths, "" if "#" in certificate else key_beside(certificate))


def key_beside(certificate: str) -> str:
    """The path of a CA certificate's key, by name."""
    stem, ending = os.path.splitext(certificate)
    if certificate == _CA:
        return _CA_KEY
    return f"{stem}.key" if ending == ".crt" else f"{stem}-key{ending}"
