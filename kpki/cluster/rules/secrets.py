"""The rules for exposed private keys and tokens, and for CA keys on hosts without a CA's work."""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .checked_row import ca_key_on_worker, exposed
from .facts import TrustFile, row_of
from ..finding import Finding
from ..observed.contents import private_key_in
from ..observed.inventory import CERTIFICATE_BEGIN, SECRET, Inventory
from ...kubernetes import reading
from ...kubernetes.layouts import BOOTSTRAP
from ...kubernetes.profiles import SERVICE_ACCOUNTS
from ...stages.keys import public_key_der

# in a kubeconfig
_SECRET = re.compile(rb"(?<![\w-])(client-key-data|token)[\"']?:\s*[\"']?[\w.]")
# components that run only on control-plane and etcd hosts
_CONTROL = frozenset({"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"})


def secret_findings(inventory: Inventory, files: Sequence[TrustFile]) -> Iterator[Finding]:
    """The findings for every exposed private key of the host, and for CA keys on a worker."""
    rows = {use.file: use for use in inventory.uses if use.part not in ("certificate", "authority")
            or "#" in use.path}
    places = dict(inventory.layout.authority_keys())
    # another rule reports a key alone there
    shown = {use.file for use in inventory.uses} - {*rows}
    worker = is_worker(inventory)
    authorities = [certificate for file in files if file.row == "ca"
                   for certificate in file.certificates]
    read = {file.data for path, file in inventory.found.items() if path in rows and file.link}
    for path, found in inventory.found.items():
        data = found.data or b""
        if path not in rows and found.data in read:    # a link leads to the file
            continue
        row = row_of([use for use in inventory.uses if use.file == path]) if path in rows else ""
        if path in shown and CERTIFICATE_BEGIN not in data:
            continue
        if SECRET in data:
            key = private_key_in(found)
            if worker and path in places:
                yield ca_key_on_worker(path, places[path])
            elif worker and key is not None \
                and any(reading.has_public_key(certificate, public_key_der(key))
                        for certificate in authorities):
                yield ca_key_on_worker(path, "ca")
            elif key is not None:       # a file without a readable key exposes nothing
                yield from exposed(found, row)
        elif path == BOOTSTRAP:
            yield from exposed(found, row, "the token in it")
        elif _SECRET.search(data):
            yield from exposed(found, row, "the key or token in it")


def is_worker(inventory: Inventory) -> bool:
    """Whether a host is a worker: no control-plane component or etcd runs, no key signs tokens."""
    signs = any(inventory.file(path).there for place in inventory.layout.places
                if place.row == SERVICE_ACCOUNTS
                for path in place.files())
    return not inventory.uncertain and not signs and inventory.layout.name != "" and not any(
        use.component in _CONTROL for use in inventory.uses)
