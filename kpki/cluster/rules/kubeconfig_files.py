"""What keeps client-go from using a kubeconfig, and where the kubeconfigs of a control plane lead."""
from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from .facts import row_of
from .names import certified_names, led_beside
from ..finding import Finding
from ..observed.contents import readable
from ..observed.inventory import Inventory
from ..observed.use import Use
from ...errors import InputError
from ...kubernetes.kubeconfig import KubeconfigError, Material, load_kubeconfig


def kubeconfig_faults(inventory: Inventory) -> Iterator[Finding]:
    """What is wrong with the kubeconfigs that components read, but for the pairs and CAs in them."""
    uses: dict[str, list[Use]] = {}
    for use in inventory.uses:
        if use.part == "kubeconfig":
            uses.setdefault(use.path, []).append(use)
    for path, readers in uses.items():
        yield from _faults(inventory, path, readers)
    yield from _misled(inventory, uses)


def _faults(inventory: Inventory, path: str, readers: list[Use]) -> Iterator[Finding]:
    found, row = inventory.look(path), row_of(readers)
    if found.missing:
        return
    data, finding = readable(found, row)
    if data is None:
        yield from [finding] if finding else []
        return
    if any(use.purpose == "webhook-client" for use in readers):     # it may lack a context
        return
    servers = [server for running in inventory.running for name in ("master", "api-servers")
               if any(use.component == running.component for use in readers) and (server := running.value(name))]
    try:
        kubeconfig = load_kubeconfig(data, server=next(iter(servers), ""))
    except InputError as error:
        where = f"{path}#{error.where}" if isinstance(error, KubeconfigError) else path
        yield Finding("kubeconfig-broken", where, row, error.message)
        return
    bootstrap = any(use.purpose == "kubelet-bootstrap" for use in readers)
    if kubeconfig.certificate == Material() and not kubeconfig.other_means and not bootstrap:
        yield Finding("kubeconfig-broken", f"{path}#users/{kubeconfig.user_name}", row,
                      f"user {kubeconfig.user_name!r} has no client-certificate")
    if kubeconfig.authority == Material() and inventory.started.isdisjoint(use.component for use in readers):
        yield Finding("kubeconfig-broken", f"{path}#clusters/{kubeconfig.cluster_name}", row,
                      f"cluster {kubeconfig.cluster_name!r} has no certificate-authority")
    if not _leads_somewhere(kubeconfig.server):
        yield Finding("kubeconfig-broken", f"{path}#clusters/{kubeconfig.cluster_name}", row,
                      f"{kubeconfig.server!r} leads to no server")


def _leads_somewhere(server: str) -> bool:
    try:
        url = urlsplit(server)
        return bool(url.hostname) and url.port != 0
    except ValueError:
        return False


def _misled(inventory: Inventory, uses: dict[str, list[Use]]) -> Iterator[Finding]:
    """Of the components beside an API server, one that leads elsewhere than the other and the server's certificate."""
    certified, led = certified_names(inventory), [*led_beside(inventory)]
    if any(host in certified for _, _, host in led):
        yield from (Finding("kubeconfig-broken", f"{path}#clusters/{found.cluster_name}", row_of(uses[path]),
                            f"server is {host}, and the API server's certificate is not for that", got=host,
                            expected=", ".join(sorted(certified)))
                    for path, found, host in led if host not in certified)
