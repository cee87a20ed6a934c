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
from ....kubernetes.layouts import find_layout
from ....kubernetes.profiles import Profile, find_profile
from ....kubernetes.purposes import PURPOSES, Purpose
from ....stages import keys

_CA, _CA_KEY = "CA.pem", "CA-KEY.pem"


def leaf_remedy(row: str, here: Situation, finding: Finding | None = None) -> Iterator[str]:
    """The commands that give a host a new certificate of a row, with its key and kubeconfig, and its CA's certificate.

    With the CA's key in reach they are issue and install, for a kubelet without it request, sign and install. A
    *finding* of that row tells which names are missing, and whether issue would keep what is there as right by itself.
    """
    layout, node = here.inventory.layout, here.node
    place = next((one for one in layout.places if one.row == row), layout.kubelet)
    kubelet = place == layout.kubelet
    profile = find_profile(find_layout(layout.name).kubelet.row if kubelet else place.row)  # what issue will make of it
    certificate, key = signing_files((one for one in PURPOSES.values() if one.row == profile.name), profile, here)
    trees = here.trees
    if trees is not None and key is None and not here.workspace:    # kpki's own folder of trees: the CA is at hand
        certificate, key = here.ca or _CA, _CA_KEY
    names = [] if here.workspace else names_options(place, profile, here, missing_names(finding))
    common = [] if here.workspace or trees is not None else ["--layout", layout.name]
    server = [] if here.workspace or not place.kubeconfig else ["--server", server_url(place, here)]
    signs = [] if here.workspace else ["--ca", certificate, "--ca-key", key or key_beside(certificate)]
    which = [] if kubelet else ["--row", place.row]
    renew = ["--renew"] if finding and finding.cause in RENEWED else []
    issue = ["kpki", "node", "issue", node, *which, *renew, *signs, *names, *server, *common]
    to_root = ["--node", node, "--root", here.root]
    tree = f"{NODES_FOLDER}/{node}"
    untold = [comment(words) for word, words in UNTOLD.items() if word in (*names, *server) and trees is None]
    if profile.sans == "apiserver" and not here.workspace and not services_told(here):
        untold.append(comment("no file here tells how services reach it: add --address FIRST-SERVICE-ADDRESS and "
                              "--dns kubernetes.default.svc.DOMAIN"))
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
        yield command("kpki", "node", "sign", f"{tree}.csr", "--node", node, *signs, *names, *common)
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
    """The certificate and key of the CA that signs a row: those that a person named, else the tree's own where it holds
    both; without a key in reach the certificate is where a control-plane host has it."""
    if profile.signer == "ca" and here.ca is not None:
        return here.ca, here.ca_key
    if named := here.given.get(profile.signer or ""):
        return named
    layout, look = here.inventory.layout, here.inventory.look
    places = [place for place in layout.places if place.row == profile.signer and place.key]
    for place in places:
        key = read_key(look(place.key), place.row)[0]
        found = read_certificates(look(place.certificate), place.row)[0]
        # a certificate that is not there any more, or another's, is brought back before
        if key and (not found or any(reading.certifies(one, keys.public_key_der(key)) for one in found)):
            return here.at(place.certificate), here.at(place.key)
    return (f"/{places[0].certificate}" if places else _CA), None


def signing_files(purposes: Iterable[Purpose], profile: Profile, here: Situation,
                  chain: Sequence[Certificate] = ()) -> tuple[str, str | None]:
    """The certificate and key of the CA by which the verifiers of these purposes verify, else of the CA that signed the
    *chain* as it is: in a cluster of one CA that is the cluster's. Without such a key in reach as `authority_files`."""
    wanted = {name for purpose in purposes for name in (*purpose.verifiers, *purpose.likely)}
    trusted = [one for file in here.trust_files if file.serves(*wanted) for one in file.certificates]
    named = {"ca": (here.ca, here.ca_key), **here.given}
    for row, certificates in here.authorities.items():
        certificate, key = named.get(row, (None, None))
        if certificate and key and (any(reading.is_same_authority(one, other) for one in certificates
                                        for other in trusted)
                                    or not trusted and chain and signer_of(chain, certificates) is not None):
            return certificate, key
    for file in here.trust_files:
        beside = key_beside(file.path)
        own = read_key(here.inventory.look(beside), file.row)[0] if "#" not in file.path else None
        if own and any((one in trusted or not trusted and chain and signer_of(chain, [one]))
                       and reading.certifies(one, keys.public_key_der(own)) for one in file.certificates):
            return here.at(file.path), here.at(beside)
    return authority_files(profile, here)


def key_beside(certificate: str) -> str:
    """Where the key of a CA's certificate lies by its name."""
    stem, ending = os.path.splitext(certificate)
    return f"{stem}.key" if ending == ".crt" else f"{stem}-key{ending}"
