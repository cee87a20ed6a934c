"""A new leaf: issue and install, or request, sign and install."""
from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from shlex import quote

from .names import NO_ADDRESS, NO_SERVER, names_options, server_url, services_told
from .situation import Situation
from ...desired.rows import NODES_FOLDER
from ...observed.contents import read_certificates, read_key
from ....kubernetes import reading
from ....kubernetes.layouts import find_layout
from ....kubernetes.profiles import Profile, find_profile
from ....stages import keys

_CA, _CA_KEY = "CA.pem", "CA-KEY.pem"
_UNTOLD = {NO_ADDRESS: f"# {NO_ADDRESS} is the node's own, as `kubectl get nodes -o wide` shows it",
           NO_SERVER: f"# {NO_SERVER} is where another host's kubeconfig leads"}


def leaf_remedy(row: str, here: Situation) -> Iterator[str]:
    """The commands that give a host a new certificate of a row, with its key and kubeconfig, and its CA's certificate.

    With the CA's key in reach they are issue and install, for a kubelet without it request, sign and install.
    """
    layout, node = here.inventory.layout, here.node
    place = next((one for one in layout.places if one.row == row), layout.kubelet)
    kubelet = place == layout.kubelet
    profile = find_profile(find_layout(layout.name).kubelet.row if kubelet else place.row)  # what issue will make of it
    certificate, key = _authority_files(profile, here)
    trees = here.trees
    if trees is not None and key is None and not here.workspace:    # kpki's own folder of trees: the CA is at hand
        certificate, key = here.ca or _CA, _CA_KEY
    names = "" if here.workspace else names_options(place, profile, here)
    common = "" if here.workspace or trees is not None else f" --layout {layout.name}"
    server = "" if here.workspace or not place.kubeconfig else f" --server {quote(server_url(place, here))}"
    which = "" if kubelet else f" --row {place.row}"
    install = f"kpki node install {NODES_FOLDER}/{node} --node {node} --root {quote(here.inventory.root)}"
    out = "" if trees in (None, NODES_FOLDER) else f" --out {quote(trees or '')}"
    signs = "" if here.workspace else f" --ca {quote(certificate)} --ca-key {quote(key or _key_beside(certificate))}"
    issue = f"kpki node issue {node}{which}{signs}{names}{server}{common}"
    untold = [] if trees is not None else [
        words for word, words in _UNTOLD.items() if word in f"{names}{server}".split()]
    if profile.sans == "apiserver" and not here.workspace and not services_told(here):
        untold.append("# no file here tells how services reach it: add --address FIRST-SERVICE-ADDRESS and "
                      "--dns kubernetes.default.svc.DOMAIN")
    if here.workspace or key is not None:
        yield from untold
        yield issue + out
        if trees is None:
            yield install + common
    elif kubelet:
        yield f"# on {node}"
        yield from untold
        yield f"kpki node request {node}{names}{common}"
        yield "# at the CA"
        yield f"# (copy {NODES_FOLDER}/{node}.csr there)"
        yield f"kpki node sign {NODES_FOLDER}/{node}.csr --node {node}{signs}{names}{common}"
        yield f"# on {node}"
        yield f"# (copy {NODES_FOLDER}/{node}.pem there)"
        yield (f"kpki node install {NODES_FOLDER}/{node}.pem --node {node} --root {quote(here.inventory.root)}"
               f"{server}{common}")
    else:
        yield "# at the CA"
        yield from untold
        yield issue
        yield f"# on {node}"
        yield f"# (copy {NODES_FOLDER}/{node} there)"
        yield install + common


def _authority_files(profile: Profile, here: Situation) -> tuple[str, str | None]:
    """The certificate and key of the CA that signs a row: those that a person named, else the tree's own where it holds
    both; without a key in reach the certificate is where a control-plane host has it."""
    if profile.signer == "ca" and here.ca is not None:
        return here.ca, here.ca_key
    layout, look = here.inventory.layout, here.inventory.look
    places = [place for place in layout.places if place.row == profile.signer and place.key]
    for place in places:
        key = read_key(look(place.key), place.row)[0]
        found = read_certificates(look(place.certificate), place.row)[0]
        # a certificate that is not there any more, or another's, is brought back before
        if key and (not found or any(reading.certifies(one, keys.public_key_der(key)) for one in found)):
            return (posixpath.join(here.inventory.root, place.certificate),
                    posixpath.join(here.inventory.root, place.key))
    return (f"/{places[0].certificate}" if places else _CA), None


def _key_beside(certificate: str) -> str:
    """Where the key of a CA's certificate lies by its name."""
    stem, ending = os.path.splitext(certificate)
    return f"{stem}.key" if ending == ".crt" else f"{stem}-key{ending}"
