"""The remedy for a CA's certificate: restore a copy, or make it anew from its key.

No command can restore a CA's key.
"""
from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from .leaf import leaf_remedy, own_key
from .lines import command, comment
from .subject import subject_option
from .target import RepairTarget, no_option
from ...authority import find_key_fault
from ...finding import Finding
from ...observed.contents import private_key_in, read_certificates, read_key
from ...rules.certificate import ca_fault, signer_of
from ...rules.facts import Pair, signing_pairs_of
from ....kubernetes import reading
from ....kubernetes.layouts import Place, ca_path, get_layout
from ....kubernetes.profiles import get_profile
from ....stages.der import UTF8
from ....stages.keys import public_key_der
from ....stages.names import load_name

_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,./:=?-]*")     # X.680 §41.4
OF_THE_CA = ("outlives-ca", "strict-refused")       # the cluster works all the same
# the words for a private key that Go cannot load
_UNLOADED = ("bad-pem", "weak-signature-or-key")
_CA_DAYS = 3650
_MAY_SIGN = ("basicConstraints=critical,CA:TRUE",
             "keyUsage=critical,digitalSignature,keyCertSign,cRLSign")


def authority_remedy(finding: Finding, place: Place, path: str,
                     target: RepairTarget) -> Iterator[str]:
    """The commands that restore a CA's certificate: from a copy, or from its own key."""
    inventory = target.inventory
    key = read_key(inventory.file(_key_path(place, target)), place.row)[0]
    if finding.mild and finding.cause not in (*OF_THE_CA, "expiring-soon"):
        yield comment(
            f"if the clients of {target.at(path)} are of another CA, put that there; nothing here "
            "tells")
    elif path == place.key:
        yield from _authority_key(finding, place, target)
    elif finding.cause in ("expired-ca", "not-yet-valid", "expiring-soon"):
        yield from _renewed(place, target)
    elif finding.cause in OF_THE_CA and key is None:
        yield comment(
            "Kubernetes accepts the certificate; the CA certificate that strict clients want is "
            "made with the CA's key")
    elif finding.cause == "key-unreadable" and place not in inventory.layout.node_places():
        yield comment(
            f"what lies at {target.at(path)} is no file: move it elsewhere, and check again")
    elif finding.cause == "key-unreadable" \
        or (target.workspace and place.certificate == ca_path(inventory.layout)):
        yield from leaf_remedy(inventory.layout.kubelet.row, target)
    elif made := (finding.cause not in OF_THE_CA and [*_copied(place, target)]) or (key and [
            *_made_again(place, public_key_der(key), target)]):
        folder = posixpath.dirname(path)
        if folder not in {posixpath.dirname(path) for path, found in inventory.found.items()
                          if not found.missing}:
            yield command("mkdir", "-p", target.at(folder))
        yield from _saved(path, target)
        yield from made
    elif place in inventory.layout.node_places() and (
            _is_without_setting(path, target)
            or place in get_layout(inventory.layout.name).node_places()):
        yield from leaf_remedy(inventory.layout.kubelet.row, target)
    elif asked := [pair for pair in _asked(path, place, target)
                   if not _is_without_setting(path, target)]:
        issuer = reading.issuer_text(asked[0].chain[-1])
        yield comment(
            f"put the certificate of CA {issuer} at {target.at(path)}: that CA signed "
            f"{asked[0].path}, and no "
            "file here holds the certificate")
    elif not _is_without_setting(path, target):
        yield comment(
            f"put the CA at {target.at(path)} that signs those whom {_readers(path, target)} "
            "verifies: no file "
            "here tells which")
    else:
        yield comment(
            f"copy the cluster's {path} from another control-plane host: nothing here tells how it "
            "was made")


def _saved(path: str, target: RepairTarget) -> Iterator[str]:
    """The command that saves a copy of a file before it is replaced."""
    if target.holds(path):
        yield command("cp", "-p", target.at(path), f"{target.at(path)}.aside")


def _authority_key(finding: Finding, place: Place, target: RepairTarget) -> Iterator[str]:
    path = target.at(place.key)
    if finding.cause == "encrypted-key" \
        or (finding.cause in _UNLOADED and _can_be_rewritten(place, target)):
        yield command("kpki", "pkey", "-in", path, "-out", path)
    elif place.row == "ca" and target.ca_key is not None and finding.cause != "key-unreadable":
        if target.holds(place.key):
            yield command("install", "-m", "600", path, f"{path}.aside")
        yield command("kpki", "pkey", "-in", target.ca_key, "-traditional", "-out", path)
    else:
        yield comment(
            f"no command makes a CA's key again: copy {place.key} from another control-plane host; "
            "if it is "
            "lost on all of them, everything that it signed stays good until it ends, "
            "and then a new CA is needed")


def _can_be_rewritten(place: Place, target: RepairTarget) -> bool:
    """Whether a key's only fault is an encoding that Go cannot read, as explicit parameters."""
    key = private_key_in(target.inventory.file(place.key))
    return key is not None and find_key_fault(key.public_key()) is None


def _renewed(place: Place, target: RepairTarget) -> Iterator[str]:
    """The commands that renew a CA's certificate: name and key stay, so its leaves stay valid."""
    certificate, key = target.at(place.certificate), _proved_key(place, target)
    old = read_certificates(target.inventory.file(place.certificate), place.row)[0]
    if key in [target.at(path) for path in _renewable(target)]:
        yield command("kpki", "renew", "--ca", "--root", target.root, place.row)
        return
    if key is None or len(old) != 1:
        yield comment(
            "at the CA: kpki renew --ca renews it; then copy it to "
            f"{place.certificate} on every host, and there: kpki renew --ca --root /")
        return
    yield command("cp", "-p", certificate, f"{certificate}.aside")
    yield command("kpki", "x509", "-in", certificate, "-signkey", key, "-days", str(_CA_DAYS),
                  "-out", certificate)
    yield command("kpki", "renew", "--ca", "--root", target.root)


def _renewable(target: RepairTarget) -> list[str]:
    """The paths of the CAs' keys that `kpki renew --ca` finds on a host."""
    if target.workspace or not target.inventory.layout.name:
        return []
    return [*(pair.key_path for pair in signing_pairs_of(target.inventory) if pair.key),
            *(place.key for place in target.inventory.layout.places
              if place.key and get_profile(place.row).kind == "ca")]


def _proved_key(place: Place, target: RepairTarget) -> str | None:
    """The file with the key of a CA's certificate, None if no file is proved to hold the key."""
    certificates = read_certificates(target.inventory.file(place.certificate), place.row)[0]
    own = read_key(target.inventory.file(_key_path(place, target)), place.row)[0]
    keys = {target.ca_key: target.ca_public_key, target.at(_key_path(place, target)): own
            and public_key_der(own)}
    return next((path for path, public_key in keys.items() if path and public_key and any(
        reading.has_public_key(certificate, public_key) for certificate in certificates)), None)


def _is_without_setting(path: str, target: RepairTarget) -> bool:
    """Whether no setting of the host names a CA file: then the layout counts, with one CA."""
    return not any(use.source and not use.default for use in target.inventory.uses
                   if use.path == path)


def _readers(path: str, target: RepairTarget) -> str:
    uses = (use for use in target.inventory.uses if use.path == path)
    return ", ".join(dict.fromkeys(f"{use.component} ({use.setting})" for use in uses))


def _key_path(place: Place, target: RepairTarget) -> str:
    """The path of a CA's key: the setting's, else the layout's."""
    beside = own_key(place.certificate, target)
    return beside if target.inventory.file(beside).there else place.key


def _asked(path: str, place: Place, target: RepairTarget) -> list[Pair]:
    """The pairs that verifiers verify with a CA file: on this host, else those of most clusters."""
    uses = {use.purpose for use in target.inventory.uses if use.path == path
            and use.part == "authority"}
    pairs = [pair for pair in target.pairs if pair.chain
             # no CA has signed a kubelet's own certificate
             and not reading.is_named_issuer(pair.chain[-1], pair.chain[-1])]
    sure = [pair for pair in pairs if any(uses & {*purpose.verifiers} for purpose in pair.purposes)]
    if not uses or _is_without_setting(path, target):
        return [pair for pair in pairs if pair.row and get_profile(pair.row).signer == place.row]
    return sure \
        or [pair for pair in pairs if any(uses & {*purpose.likely} for purpose in pair.purposes)]


def _copied(place: Place, target: RepairTarget) -> Iterator[str]:
    """The command that copies a CA's certificate from another file or from a kubeconfig.

    The certificate is the CA's that signed the pairs that the file must verify. Without such a
    pair, it is the only CA of its kind.
    """
    path, copy = place.certificate, target.at(place.certificate)
    asked = _asked(path, place, target)
    named = {"ca": target.ca, **{row: files[0] for row, files in target.given.items()}}
    found = [(certificates, command("cp", no_option(named[row] or ""), copy))
             for row, certificates in target.authorities.items() if row == place.row or asked]
    for file in target.trust_files:
        source, _, entry = file.path.partition("#")
        data = target.inventory.file(source).data or b""
        if file.path == path or not (file.row == place.row or asked):
            continue
        if not entry:
            found.append((file.certificates, command("cp", target.at(source), copy)))
        elif re.search(rb"^ *certificate-authority-data: [A-Za-z0-9+/=]+\r?$", data, re.MULTILINE):
            field = command("sed", "-n", "s/^ *certificate-authority-data: //p", target.at(source))
            found.append((file.certificates, f"{field} | base64 -d > {command(copy)}"))
    good = [(certificates, line) for certificates, line in found if certificates and not any(
        ca_fault("", "", certificate, target.now or certificate.not_valid_before_utc)
        for certificate in certificates)]
    if not asked:
        every = [certificate for certificates, _ in good for certificate in certificates]
        good = good \
            if all(reading.is_same_authority(every[0], certificate) for certificate in every) \
            else []
    yield from [line for certificates, line in good
                if all(signer_of(pair.chain, certificates) for pair in asked)][:1]


def _made_again(place: Place, public_key: bytes, target: RepairTarget) -> Iterator[str]:
    """The commands that make a CA's certificate from its key, with the leaves' issuer as its name.

    The name is the same octets. None if no leaf proves that this is their CA's key.
    """
    leaves = [*(certificate for pair in target.pairs for certificate in pair.chain), *(
        leaf for other in target.inventory.layout.places
        if get_profile(other.row).signer == place.row
        for leaf in read_certificates(target.inventory.file(other.certificate), other.row)[0])]
    leaf = next((leaf for leaf in leaves if reading.is_signed_by_key(public_key, leaf)), None)
    if leaf is None:
        return
    name = load_name(reading.issuer_der(leaf))
    # Go, like kubeadm, writes a PrintableString if the characters allow it; openssl writes a
    # UTF8String
    plain = any(attribute.tag == UTF8 and _PRINTABLE.fullmatch(attribute.text) for rdn in name.rdns
                for attribute in rdn)
    mask = "utf8only" if plain else "MASK:0x2002"
    identifier = reading.authority_key_identifier(leaf)
    config = command("printf", "%s\\n", "[req]", "distinguished_name=dn", f"string_mask={mask}",
                     "utf8=yes", "x509_extensions=ca", "[dn]", "[ca]", *_MAY_SIGN,
                     f"subjectKeyIdentifier={identifier.hex() if identifier else 'hash'}")
    key = target.at(_key_path(place, target))
    request = command("kpki", "req", "-x509", "-new", "-config", "/dev/stdin", "-key", key, "-subj",
                      subject_option(name), "-days", str(_CA_DAYS), "-out",
                      target.at(place.certificate))
    yield request if request.startswith("#") else f"{config} | {request}"
