"""The rules for the keys that sign tokens, and for the CA that signs CertificateSigningRequests."""
from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from datetime import datetime

from .authorities import OTHER_KEY, key_of_another, known_keys
from .certificate import bundle_fault
from .facts import Pair
from ..finding import Finding
from ..observed.contents import read_key
from ..observed.inventory import Inventory
from ...kubernetes.profiles import SERVICE_ACCOUNTS
from ...stages.keys import public_key_der


def service_account_faults(inventory: Inventory) -> Iterator[Finding]:
    """The finding for a key that signs tokens, if the API server lacks its public half."""
    known: dict[str, list[bytes]] = {}
    signing: dict[str, bytes] = {}
    for use in inventory.uses:
        found = inventory.file(use.path)
        if found.missing or use.path in known or use.path in signing:
            continue
        if use.purpose == "service-account-verify":
            known[use.path], findings = known_keys(found)
            yield from findings
        elif use.purpose == "service-account-sign":
            key, finding = read_key(found, SERVICE_ACCOUNTS)
            yield from [finding] if finding else []
            if key is not None:
                signing[use.path] = public_key_der(key)
    every = [key for keys in known.values() for key in keys]
    if every and any(key not in every for key in signing.values()):
        alone = len({*signing.values()}) == 1
        yield from (Finding("sa-key-mismatch", path, SERVICE_ACCOUNTS, OTHER_KEY)
                    for path in [*known][:1] if alone)
        yield from (Finding("sa-key-mismatch", path, SERVICE_ACCOUNTS,
                            "key signs tokens that the API server refuses: "
                            "--service-account-key-file lacks the public half")
                    for path, key in signing.items() if not alone and key not in every)


def signing_faults(pairs: Iterable[Pair], now: datetime,
                   wrong: Container[str]) -> Iterator[Finding]:
    """The findings for the CA of the controller manager: one certificate, and its own key.

    The rule is pkg/controller/certificates/signer. The keys of CAs beside their certificates are
    checked too. Files in *wrong* have a finding already.
    """
    for pair in pairs:
        if pair.path in wrong:
            continue
        if fault := bundle_fault(pair.path, pair.row, pair.chain, now):
            yield fault
            continue        # a wrong certificate tells nothing about the key
        if len(pair.chain) > 1 and any(use.part == "certificate" for use in pair.uses):
            yield Finding("signing-bundle", pair.path, pair.row,
                          f"file holds {len(pair.chain)} certificates, and "
                          "kube-controller-manager does not start: expected 1 certificate",
                          got=str(len(pair.chain)), expected="1")
        yield from pair.faults
        if fault := key_of_another(pair.key_path, pair.row, pair.key, pair.chain):
            yield fault
