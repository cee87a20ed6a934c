"""A CA's certificate brought back: a copy that is there, or its own key; its key itself nothing can
bring back.
"""
from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from .leaf import leaf_remedy, own_key
from .lines import command, comment
from .situation import Situation, no_option
from .subject import subject_option
from ...authority import find_key_fault
from ...finding import Finding
from ...leaf_files import ca_path
from ...observed.contents import private_key_in, read_certificates, read_key
from ...observed.inventory import ObservedFile, kubeconfig_of
from ...rules.certificate import ca_fault, signer_of
from ...rules.facts import Pair
from ....kubernetes import reading
from ....kubernetes.layouts import Place, get_layout
from ....kubernetes.profiles import get_profile
from ....stages.der import UTF8
from ....stages.keys import public_key_der
from ....stages.names import load_name

_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,./:=?-]*")     # X.680 §41.4
OF_THE_CA = ("outlives-ca", "strict-refused")       # no fault of it to the cluster
# what is said of a private key that Go does not load
_UNLOADED = ("bad-pem", "weak-signature-or-key")
_CA_DAYS = 3650
_MAY_SIGN = ("basicConstraints=critical,CA:TRUE",
             "keyUsage=critical,digitalSignature,keyCertSign,cRLSign")


def authority_remedy(finding: Finding, place: Place, path: str, here: Situation) -> Iterator[str]:
    """What brings a CA's certificate back: a copy that is there, its own key; its key itself
    nothing can bring back.
    """
    inventory = here.inventory
    key = read_key(inventory.file(_key_path(place, here)), place.row)[0]
    if finding.mild and finding.cause not in (*OF_THE_CA, "expiring-soon"):
        yield comment(
            f"if the clients of {here.at(path)} are of another CA, put that there; nothing here "
            "tells")
    elif path == place.key:
        yield from _authority_key(finding, place, here)
    elif finding.cause in ("expired-ca", "not-yet-valid", "expiring-soon"):
        yield from _renewed(place, here)
    elif finding.cause in OF_THE_CA and key is None:
        yield comment(
            "Kubernetes takes it; the CA certificate that strict clients want is made with the "
            "CA's key")
    elif finding.cause == "key-unreadable" and place not in inventory.layout.node_places():
        yield comment(
            f"what lies at {here.at(path)} is no file: move it elsewhere, and check again")
    elif finding.cause == "key-unreadable" \
        or (here.workspace and place.certificate == ca_path(inventory.layout)):
        yield from leaf_remedy(inventory.layout.kubelet.row, here)
    elif made := (finding.cause not in OF_THE_CA and [*_copied(place, here)]) or (key and [
            *_made_again(place, public_key_der(key), here)]):
        folder = posixpath.dirname(path)
        if folder not in {posixpath.dirname(path) for path, found in inventory.found.items()
                          if not found.missing}:
            yield command("mkdir", "-p", here.at(folder))
        yield from _kept(path, here)
        yield from made
    elif place in inventory.layout.node_places() and (
            _untold(path, here) or place in get_layout(inventory.layout.name).node_places()):
        yield from leaf_remedy(inventory.layout.kubelet.row, here)
    elif asked := [pair for pair in _asked(path, place, here) if not _untold(path, here)]:
        issuer = reading.issuer_text(asked[0].chain[-1])
        yield comment(
            f"put the certificate of CA {issuer} at {here.at(path)}: that CA signed "
            f"{asked[0].path}, and no "
                      "file here holds the certificate")
    elif not _untold(path, here):
        yield comment(
            f"put the CA at {here.at(path)} that signs those whom {_readers(path, here)} verifies: "
            "no file "
                      "here tells which")
    else:
        yield comment(
            f"copy the cluster's {path} from another control-plane host: nothing here tells how it "
            "was made")


def _kept(path: str, here: Situation) -> Iterator[str]:
    """The command that keeps a copy of what is to be replaced."""
    if here.holds(path):
        yield command("cp", "-p", here.at(path), f"{here.at(path)}.aside")


def _authority_key(finding: Finding, place: Place, here: Situation) -> Iterator[str]:
    path = here.at(place.key)
    if finding.cause == "encrypted-key" \
        or (finding.cause in _UNLOADED and _can_be_rewritten(place, here)):
        yield command("kpki", "pkey", "-in", path, "-out", path)
    elif place.row == "ca" and here.ca_key is not None and finding.cause != "key-unreadable":
        if here.holds(place.key):
            yield command("install", "-m", "600", path, f"{path}.aside")
        yield command("kpki", "pkey", "-in", here.ca_key, "-traditional", "-out", path)
    else:
        yield comment(
            f"no command makes a CA's key again: copy {place.key} from another control-plane host; "
            "if it is "
                      "lost on all of them, everything that it signed stays good until it ends, "
                      "and then a new CA is needed")


def _can_be_rewritten(place: Place, here: Situation) -> bool:
    """Whether a key that no component loads is only written as none reads it, as with a curve's
    parameters in full.
    """
    key = private_key_in(here.inventory.file(place.key))
    return key is not None and find_key_fault(key.public_key()) is None


def _renewed(place: Place, here: Situation) -> Iterator[str]:
    """A CA's certificate with new dates: the same name and key, so that what it signed stays good.
    """
    certificate, key = here.at(place.certificate), _proved_key(place, here)
    old = read_certificates(here.inventory.file(place.certificate), place.row)[0]
    if key is None or len(old) != 1:
        yield comment(
            f"at the CA: kpki x509 -in CA -signkey CA-KEY -days {_CA_DAYS} -out CA renews it; then "
            "copy it "
                      f"to {place.certificate} on every host")
        return
    yield from renewal(certificate, key)
    for other in here.inventory.layout.places:
        kubeconfig = kubeconfig_of(here.inventory.found, other)
        embedded = kubeconfig and kubeconfig.authority.data
        if embedded \
            and any(certificate in old
                    for certificate in read_certificates(ObservedFile("", embedded), "ca")[0]):
            yield from leaf_remedy(other.row, here)


def renewal(certificate: str, key: str) -> Iterator[str]:
    """The commands that give a CA's certificate new dates by the key that it is for; a copy of it
    is kept.
    """
    yield command("cp", "-p", certificate, f"{certificate}.aside")
    yield command("kpki", "x509", "-in", certificate, "-signkey", key, "-days", str(_CA_DAYS),
                  "-out", certificate)


def _proved_key(place: Place, here: Situation) -> str | None:
    """The file of the key that a CA's certificate is for, None where no file at hand is proved to
    hold it.
    """
    certificates = read_certificates(here.inventory.file(place.certificate), place.row)[0]
    own = read_key(here.inventory.file(_key_path(place, here)), place.row)[0]
    keys = {here.ca_key: here.ca_public_key, here.at(_key_path(place, here)): own
            and public_key_der(own)}
    return next((path for path, public_key in keys.items() if path and public_key and any(
        reading.has_public_key(certificate, public_key) for certificate in certificates)), None)


def _untold(path: str, here: Situation) -> bool:
    """Whether no file of the host names a CA file: then the layout speaks, with one CA for clients
    and servers.
    """
    return not any(use.source and not use.default for use in here.inventory.uses
                   if use.path == path)


def _readers(path: str, here: Situation) -> str:
    uses = (use for use in here.inventory.uses if use.path == path)
    return ", ".join(dict.fromkeys(f"{use.component} ({use.setting})" for use in uses))


def _key_path(place: Place, here: Situation) -> str:
    """Where the key of a CA lies: as a component is told, else as the layout has it."""
    beside = own_key(place.certificate, here)
    return beside if here.inventory.file(beside).there else place.key


def _asked(path: str, place: Place, here: Situation) -> list[Pair]:
    """The pairs that verifiers verify by a CA file: on this host, else those that most clusters'
    do.
    """
    uses = {use.purpose for use in here.inventory.uses if use.path == path
            and use.part == "authority"}
    pairs = [pair for pair in here.pairs if pair.chain
             # a kubelet's own is of no CA
             and not reading.is_named_issuer(pair.chain[-1], pair.chain[-1])]
    sure = [pair for pair in pairs if any(uses & {*purpose.verifiers} for purpose in pair.purposes)]
    if not uses or _untold(path, here):
        return [pair for pair in pairs if pair.row and get_profile(pair.row).signer == place.row]
    return sure \
        or [pair for pair in pairs if any(uses & {*purpose.likely} for purpose in pair.purposes)]


def _copied(place: Place, here: Situation) -> Iterator[str]:
    """The command that takes a CA's certificate from where it is at hand: what a person named, a
    file, a kubeconfig.

    It is the CA that signed what the file is to verify. If there is nothing to verify, it is the
    one CA of its kind.
    """
    path, target = place.certificate, here.at(place.certificate)
    asked = _asked(path, place, here)
    named = {"ca": here.ca, **{row: files[0] for row, files in here.given.items()}}
    found = [(certificates, command("cp", no_option(named[row] or ""), target))
             for row, certificates in here.authorities.items() if row == place.row or asked]
    for file in here.trust_files:
        source, _, entry = file.path.partition("#")
        data = here.inventory.file(source).data or b""
        if file.path == path or not (file.row == place.row or asked):
            continue
        if not entry:
            found.append((file.certificates, command("cp", here.at(source), target)))
        elif re.search(rb"^ *certificate-authority-data: [A-Za-z0-9+/=]+\r?$", data, re.MULTILINE):
            field = command("sed", "-n", "s/^ *certificate-authority-data: //p", here.at(source))
            found.append((file.certificates, f"{field} | base64 -d > {command(target)}"))
    good = [(certificates, line) for certificates, line in found if certificates and not any(
        ca_fault("", "", certificate, here.now or certificate.not_valid_before_utc)
        for certificate in certificates)]
    if not asked:
        every = [certificate for certificates, _ in good for certificate in certificates]
        good = good \
            if all(reading.is_same_authority(every[0], certificate) for certificate in every) \
                else []
    yield from [line for certificates, line in good
                if all(signer_of(pair.chain, certificates) for pair in asked)][:1]


def _made_again(place: Place, public_key: bytes, here: Situation) -> Iterator[str]:
    """A CA's certificate made of its key: under the name that the leaves have for their issuer,
    byte for byte. Nothing where no leaf proves that this is their CA's key.
    """
    leaves = [*(certificate for pair in here.pairs for certificate in pair.chain), *(
        leaf for other in here.inventory.layout.places if get_profile(other.row).signer == place.row
        for leaf in read_certificates(here.inventory.file(other.certificate), other.row)[0])]
    leaf = next((leaf for leaf in leaves if reading.is_signed_by_key(public_key, leaf)), None)
    if leaf is None:
        return
    name = load_name(reading.issuer_der(leaf))
    # Go, like kubeadm, writes a PrintableString where the characters allow it; openssl a UTF8String
    # all the same
    plain = any(attribute.tag == UTF8 and _PRINTABLE.fullmatch(attribute.text) for rdn in name.rdns
                for attribute in rdn)
    mask = "utf8only" if plain else "MASK:0x2002"
    identifier = reading.authority_key_identifier(leaf)
    config = command("printf", "%s\\n", "[req]", "distinguished_name=dn", f"string_mask={mask}",
                     "utf8=yes", "x509_extensions=ca", "[dn]", "[ca]", *_MAY_SIGN,
                     f"subjectKeyIdentifier={identifier.hex() if identifier else 'hash'}")
    key = here.at(_key_path(place, here))
    request = command("kpki", "req", "-x509", "-new", "-config", "/dev/stdin", "-key", key, "-subj",
                      subject_option(name), "-days", str(_CA_DAYS), "-out",
                      here.at(place.certificate))
    yield request if request.startswith("#") else f"{config} | {request}"
