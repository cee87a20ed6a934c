"""New dates for a certificate, on a host that holds its CA's key."""
from __future__ import annotations

from .lines import command
from .target import RepairTarget
from ...finding import Finding
from ...observed.contents import read_key
from ...rules.facts import signing_pairs_of
from ....kubernetes import reading
from ....stages.keys import public_key_der

# The causes that new dates repair, with the same key and the same names.
_OF_TIME = frozenset({"expired-client-cert", "expired-server-cert", "expiring-soon"})


def renewal(finding: Finding, target: RepairTarget) -> str:
    """The command that renews the certificate of a finding; "" if something else must be done.

    The pair must be in order but for its dates, and the key of the CA that signed the certificate
    must be on the host. If a person named a CA, the certificate is issued by that CA.
    """
    if finding.cause not in _OF_TIME or target.workspace or target.trees is not None \
            or target.ca or target.given or not target.inventory.layout.name:
        return ""
    pair = next((pair for pair in target.pairs if pair.path == finding.path), None)
    if pair is None or not pair.row or not pair.chain or pair.key is None or not pair.matches:
        return ""
    # the keys that `kpki renew` finds on a host
    known = [(certificate, signer.key_path) for signer in signing_pairs_of(target.inventory)
             for certificate in signer.chain]
    for certificate, path in known:
        key = read_key(target.inventory.file(path), "")[0] if path else None
        if key and reading.has_public_key(certificate, public_key_der(key)) \
                and reading.is_signed_by(pair.chain[0], certificate):
            return command("kpki", "renew", "--root", target.root, pair.row)
    return ""
