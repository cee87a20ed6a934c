"""A CA's certificate brought back: a copy that is there, or its own key; its key itself nothing can bring back."""
from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from shlex import quote
from typing import TYPE_CHECKING

from .leaf import leaf_remedy
from .situation import Situation
from ...finding import Finding
from ...leaf_files import ca_path
from ...observed.contents import read_certificates, read_key
from ...observed.inventory import Found, kubeconfig_of
from ...rules.leaves import ca_fault
from ....kubernetes import reading
from ....kubernetes.layouts import Place
from ....kubernetes.profiles import ca_identity, find_profile, subject_name
from ....stages.der import UTF8
from ....stages.names import load_name
from ....stages.objects import by_oid

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,./:=?-]*")     # X.680 §41.4
OF_THE_CA = ("outlives-ca", "strict-refused")       # no fault of it to the cluster
_CA_DAYS = 3650
_MAY_SIGN = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,digitalSignature,keyCertSign,cRLSign")


def authority_remedy(finding: Finding, place: Place, path: str, here: Situation) -> Iterator[str]:
    """What brings a CA's certificate back: a copy that is there, its own key; its key itself nothing can bring back."""
    inventory = here.inventory
    own_key = read_key(inventory.look(place.key), place.row)[0] if place.key else None
    if path == place.key:
        yield from _authority_key(finding, place, here)
    elif finding.cause in ("expired-ca", "not-yet-valid"):
        yield from _renewed(place, own_key is not None, here)
    elif finding.cause in OF_THE_CA and own_key is None:
        yield "# Kubernetes takes it; the CA certificate that strict clients want is made with the CA's key"
    elif place.row == "ca" and here.ca is not None:
        yield f"cp {quote(here.ca)} {here.at(path)}"
    elif here.workspace and place.certificate == ca_path(inventory.layout):
        yield from leaf_remedy(inventory.layout.kubelet.row, here)
    elif (copy := _copy(place, here)) or own_key is not None:
        folder = posixpath.dirname(path)
        if not inventory.look(path).missing and finding.cause != "key-unreadable":
            yield f"cp -p {here.at(path)} {here.at(path)}.aside"
        elif folder not in {posixpath.dirname(one) for one, found in inventory.found.items() if not found.missing}:
            yield f"mkdir -p {here.at(folder)}"
        yield from [copy] if copy else _made_again(place, here)
    elif place in inventory.layout.node_places():
        yield from leaf_remedy(inventory.layout.kubelet.row, here)
    else:
        yield f"# copy the cluster's {path} from another control-plane host: without its key nothing can make it again"


def _authority_key(finding: Finding, place: Place, here: Situation) -> Iterator[str]:
    path = here.at(place.key)
    if finding.cause == "encrypted-key":
        yield f"kpki pkey -in {path} -out {path}"
    elif place.row == "ca" and here.ca_key is not None:
        yield f"install -m 600 {quote(here.ca_key)} {path}"
    else:
        yield (f"# no command makes a CA's key again: copy {place.key} from another control-plane host; if it is lost "
               "on all of them, everything that it signed stays good until it ends, and then a new CA is needed")


def _renewed(place: Place, has_key: bool, here: Situation) -> Iterator[str]:
    """A CA's certificate with new dates: the same name and key, so that what it signed stays good."""
    certificate = here.at(place.certificate)
    key = quote(here.ca_key) if place.row == "ca" and here.ca_key else here.at(place.key) if has_key else None
    if key is None:
        yield (f"# at the CA: kpki x509 -in CA -signkey CA-KEY -days {_CA_DAYS} -out CA renews it; then copy it to "
               f"{place.certificate} on every host")
        return
    yield f"cp -p {certificate} {certificate}.aside"
    yield f"kpki x509 -in {certificate} -signkey {key} -days {_CA_DAYS} -out {certificate}"
    old = read_certificates(here.inventory.look(place.certificate), place.row)[0]
    for other in here.inventory.layout.places:
        kubeconfig = kubeconfig_of(here.inventory.found, other)
        embedded = kubeconfig and kubeconfig.authority.data
        if embedded and any(one in old for one in read_certificates(Found("", embedded), "ca")[0]):
            yield from leaf_remedy(other.row, here)


def _copy(place: Place, here: Situation) -> str | None:
    """The command that takes a CA's certificate from where the tree has it too: another file, or a kubeconfig."""
    inventory = here.inventory
    wanted = _signed(place.row, here)
    for other in inventory.layout.places:
        if other.row == place.row and other.certificate and other.certificate != place.certificate \
                and _is_one_of(inventory.look(other.certificate), wanted, here):
            return f"cp {here.at(other.certificate)} {here.at(place.certificate)}"
    for other in inventory.layout.places if place.row == "ca" else ():
        data = inventory.look(other.kubeconfig).data if other.kubeconfig else None
        kubeconfig = kubeconfig_of(inventory.found, other)
        if data and kubeconfig and kubeconfig.authority.data \
                and re.search(rb"^ *certificate-authority-data: [A-Za-z0-9+/=]+\r?$", data, re.MULTILINE) \
                and _is_one_of(Found("", kubeconfig.authority.data), wanted, here):
            return (f"sed -n 's/^ *certificate-authority-data: //p' {here.at(other.kubeconfig)} | base64 -d > "
                    f"{here.at(place.certificate)}")
    return None


def _signed(row: str, here: Situation) -> Sequence[Certificate]:
    """The leaves of a tree that a CA is to have signed."""
    found = []
    for place in here.inventory.layout.places:
        if find_profile(place.row).signer == row:
            kubeconfig = kubeconfig_of(here.inventory.found, place)
            data = here.inventory.look(place.certificate).data if place.certificate else \
                kubeconfig.certificate.data if kubeconfig else None
            found += read_certificates(Found("", data), place.row)[0][:1] if data else []
    return found


def _is_one_of(found: Found, leaves: Sequence[Certificate], here: Situation) -> bool:
    """Whether a file holds a CA, and one that signed some of these leaves, if there are any."""
    certificates = read_certificates(found, "ca")[0]
    return bool(certificates) and not any(ca_fault("", "", one, here.now or one.not_valid_before_utc)
                                          for one in certificates) \
        and (not leaves or any(reading.signed_by(leaf, one) for leaf in leaves for one in certificates))


def _made_again(place: Place, here: Situation) -> Iterator[str]:
    """A CA's certificate made of its key: under the name that the leaves have for their issuer, byte for byte."""
    leaves = _signed(place.row, here)
    name = load_name(reading.issuer_der(leaves[0])) if leaves else subject_name(
        ca_identity(find_profile(place.row)))
    # Go, like kubeadm, writes a PrintableString where the characters allow it; openssl a UTF8String all the same
    plain = any(one.tag == UTF8 and _PRINTABLE.fullmatch(one.text) for rdn in name.rdns for one in rdn)
    mask = "utf8only" if plain else "MASK:0x2002"
    subject = "".join("/" + "+".join(f"{_short(one.oid)}={_escaped(one.text)}" for one in rdn) for rdn in name.rdns)
    identifier = reading.authority_key_identifier(leaves[0]) if leaves else None
    lines = ["[req]", "distinguished_name=dn", f"string_mask={mask}", "utf8=yes", "x509_extensions=ca", "[dn]", "[ca]",
             *_MAY_SIGN, f"subjectKeyIdentifier={identifier.hex() if identifier else 'hash'}"]
    yield f"printf '%s\\n' {' '.join(map(quote, lines))} > ca.cnf"
    yield (f"kpki req -x509 -new -config ca.cnf -key {here.at(place.key)} -subj {quote(subject)} -days {_CA_DAYS} "
           f"-out {here.at(place.certificate)}")
    yield "rm ca.cnf"


def _short(oid: str) -> str:
    """What `-subj` calls an attribute."""
    known = by_oid().get(oid)
    return known.short_name if known else oid


def _escaped(text: str) -> str:
    """A value as `-subj` takes it."""
    return re.sub(r"([\\/+])", r"\\\g<1>", text)
