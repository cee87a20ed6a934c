"""The keys that sign service accounts' tokens, and the CA that signs certificates for the cluster."""
from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime

from .certificate import ca_fault
from .judged import exposed
from ..finding import Finding
from ..observed.contents import read_certificates, read_key, read_public_keys
from ..observed.inventory import SECRET, Inventory
from ...kubernetes import reading
from ...kubernetes.profiles import SERVICE_ACCOUNTS
from ...stages.keys import public_key_der


def service_account_faults(inventory: Inventory) -> Iterator[Finding]:
    """The API server must know the public half of every key that signs tokens on this host."""
    known: dict[str, list[bytes]] = {}
    signing: dict[str, bytes] = {}
    for use in inventory.uses:
        found = inventory.look(use.path)
        if found.missing or use.path in known or use.path in signing:
            continue
        if use.purpose == "service-account-verify":
            keys, finding = read_public_keys(found, SERVICE_ACCOUNTS)
            known[use.path] = keys
            yield from [finding] if finding else exposed(found, SERVICE_ACCOUNTS) \
                if SECRET in (found.data or b"") else []
        elif use.purpose == "service-account-sign":
            key, finding = read_key(found, SERVICE_ACCOUNTS)
            yield from [finding] if finding else []
            if key is not None:
                signing[use.path] = public_key_der(key)
    every = [key for keys in known.values() for key in keys]
    if every and any(key not in every for key in signing.values()):
        alone = len({*signing.values()}) == 1
        yield from (Finding("sa-key-mismatch", path, SERVICE_ACCOUNTS, "public key is not of the key that signs the "
                            "service accounts' tokens: every token is refused") for path in [*known][:1] if alone)
        yield from (Finding("sa-key-mismatch", path, SERVICE_ACCOUNTS, "key signs tokens that the API server refuses: "
                            "--service-account-key-file lacks the public half")
                    for path, key in signing.items() if not alone and key not in every)


def signing_faults(inventory: Inventory, now: datetime, wrong: Container[str]) -> Iterator[Finding]:
    """The CA that the controller manager signs with: one certificate, its own key (pkg/controller/certificates/signer),
    and the keys of CAs beside their certificates. Of files that are *wrong* all is said."""
    pairs: dict[str, dict[str, str]] = {}
    for use in inventory.uses:
        if use.purpose.startswith("cluster-signing") or use.purpose == "authority-key":
            pairs.setdefault(use.group, {})[use.part] = use.path
            if use.purpose == "authority-key":
                pairs[use.group].setdefault("certificate", use.group)
    told = {use.path for use in inventory.uses if use.purpose.startswith("cluster-signing")
            and use.part == "certificate"}
    for halves in pairs.values():
        certificate, key = halves.get("certificate", ""), halves.get("key", "")
        if certificate in wrong:
            continue
        found = inventory.look(certificate)
        row = "etcd-ca" if "etcd" in certificate else "front-proxy-ca" if "front-proxy" in certificate else "ca"
        chain, finding = ([], None) if found.missing else read_certificates(found, row)
        yield from [finding] if finding else []
        faults = [ca_fault(certificate, row, one, now) for one in chain]
        if faults and all(faults) and faults[0]:
            yield faults[0]
            continue        # by a certificate that is wrong nothing can be said of the key
        if certificate in told and len(chain) > 1:
            yield Finding("signing-bundle", certificate, row, f"file holds {len(chain)} certificates, and "
                          "kube-controller-manager does not start: expected 1 certificate", got=str(len(chain)),
                          expected="1")
        there = inventory.look(key)
        if not key or there.missing:
            continue
        own, finding = read_key(there, row)
        if own is not None and chain and not any(reading.certifies(one, public_key_der(own)) for one in chain):
            finding = Finding("key-cert-mismatch", key, row, "private key is not the CA certificate's")
        yield from [finding] if finding else []
