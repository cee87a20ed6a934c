"""The findings of a host: each file that components read is checked as its verifiers check it."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .certificate import serial_reused
from .context import WITHIN, TreeContext
from .facts import Pair, row_of
from .kubeconfig import kubeconfig_faults
from .pair import certificate_faults, pair_findings
from .secrets import is_worker, secret_findings
from .service_accounts import service_account_faults, signing_faults
from ..finding import Finding
from ..fleet.survey import serial_mark
from ..observed.inventory import Inventory
from ..observed.use import Use
from ...clock import utc_now
from ...kubernetes.components import COMPONENT_NAMES, KUBELET_COMPONENT
from ...kubernetes.layouts import LAYOUTS
from ...kubernetes.profiles import NODE_PREFIX
from ...kubernetes.settings import SETTINGS

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def check_node(inventory: Inventory, *, node: str, now: datetime | None = None,
               authorities: Mapping[str,
                                    Sequence[Certificate]] | Sequence[Certificate] | None = None,
               within: timedelta = WITHIN) -> list[Finding]:
    """The findings of a host's tree; empty, or only warnings, if the components can work.

    *node* is the name of the tree's node, "" if unknown. *authorities* are the CAs by row (`ca`,
    `etcd-ca`, `front-proxy-ca`); a sequence is the cluster's CA, None the CAs in the tree. *now* is
    the moment (None: the clock). A certificate that expires *within* this time has a warning.
    Raises nothing for faults in the tree.

    >>> inventory = kpki.inspect_host(host)
    >>> {finding.cause for finding in kpki.check_host(inventory, node="worker-1", now=now)}
    {'file-missing'}
    """
    given = authorities if isinstance(authorities, Mapping) else {"ca": authorities} \
        if authorities else {}
    context = TreeContext.from_tree(inventory, node=node, now=now or utc_now(), within=within,
                                    given=given)
    findings = [*missing_files(inventory), *half_pairs(inventory), *context.trust.findings]
    for pair in _without_alternatives(context):
        asked = context.asked(pair) if pair.chain else None
        findings += pair_findings(pair, asked, certificate_faults(pair, asked) if asked else ())
    findings += kubeconfig_faults(inventory, context.pairs)
    findings += configuration_faults(inventory)
    findings += service_account_faults(inventory)
    if not is_worker(inventory):
        findings += signing_faults(context.signing, context.now,
                                   {fault.path for fault in context.trust.findings})
    findings += _reused_serials(context)
    findings += secret_findings(inventory, context.files)
    findings += _contradictions(context)
    return [*{(finding.cause, finding.path): finding
              for finding in reversed(findings)}.values()][::-1]


def missing_files(inventory: Inventory) -> Iterator[Finding]:
    """The missing files without which a component does not start, a finding for each file."""
    wanted: dict[str, list[Use]] = {}
    for use in inventory.uses:
        if inventory.file(use.file).missing and use.component not in inventory.uncertain and (
                not use.optional or _is_half(use, inventory) or _dangles(use, inventory)):
            wanted.setdefault(use.file, []).append(use)
    for running in inventory.running:
        for path, _, flag in running.configurations:
            if flag and inventory.file(path).missing:
                setting, source = running.origins[flag]
                yield Finding("file-missing", path, "",
                              f"file is missing, and {running.component} ({setting} in "
                              f"{source}) reads the file")
    for path, uses in sorted(wanted.items(), key=lambda item: _order(item[1])):
        row, first = row_of(uses), uses[0]
        other = _meant(first, inventory)
        if first.source and other and not first.default:
            yield Finding("flags-mismatch", first.source, row,
                          f"{first.setting} of {first.component} names /{path}, "
                          f"which is not there; /{other} is", got=f"/{path}", expected=f"/{other}")
            continue
        broken = inventory.file(path).link and path.endswith("-current.pem")
        if broken:
            yield Finding("kubelet-client-current-broken", path, row,
                          "link to the kubelet's own client certificate "
                          "leads nowhere")
        else:
            yield Finding("file-missing", path, row,
                          f"file is missing, and {_readers(uses)} reads the file")


def half_pairs(inventory: Inventory) -> Iterator[Finding]:
    """The settings that name one half of a pair, without which the component does not start."""
    halves: dict[str, dict[str, Use]] = {}
    for use in inventory.uses:
        if use.purpose in _WHOLE and not use.default and use.part in _OTHER:
            halves.setdefault(use.group, {})[use.part] = use
    for use in (use for group in halves.values() if len(group) == 1 for use in group.values()):
        other = next(setting.name for setting in SETTINGS[use.component]
                     if setting.purpose == use.purpose and setting.part == _OTHER[use.part])
        # without URLs, etcd listens without TLS
        urls = _LISTENS.get(use.purpose, "")
        if not any(other in running.origins or (urls and urls not in running.origins)
                   for running in inventory.running if use.group.startswith(f"{running.key} ")):
            yield Finding("flags-mismatch", use.source, row_of([use]),
                          f"{use.setting} of {use.component} has no {_OTHER[use.part]} beside it: "
                          f"{use.component} does not start", expected=f"--{other} as well")


_LISTENS = {"etcd-serving": "listen-client-urls", "etcd-peer": "listen-peer-urls"}
_OTHER = {"certificate": "key", "key": "certificate"}
# The purposes of pairs that a component refuses by half: cmd/kubelet/app/server.go,
# apiserver/pkg/server/options/serving.go, etcd client/pkg/transport/listener.go.
_WHOLE = ("kubelet-serving", "apiserver-serving", "etcd-serving", "etcd-peer",
          "apiserver-etcd-client")


def configuration_faults(inventory: Inventory) -> Iterator[Finding]:
    """The configuration files that their components cannot read, so that these do not start.

    An empty file has a finding only if the component requires a kind.
    """
    for running in inventory.running:
        for path, kind, _ in running.configurations:
            data = inventory.file(path).data
            if data is None or (not kind and not data.strip()):
                continue
            from ...documents import load_first
            document = load_first(data)
            if not isinstance(document, dict) or (kind and document.get("kind") != kind):
                what = f"no {kind}" if isinstance(document, dict) \
                    else "no YAML or JSON document with fields"
                yield Finding("flags-mismatch", path, "",
                              f"file holds {what}, and {running.component} does not start "
                              "with the file", expected=f"a document of kind {kind}" if kind
                              else "a document")


def _readers(uses: Sequence[Use]) -> str:
    """The components that read a file, each with the settings that name the file."""
    settings: dict[str, list[str]] = {}
    for use in uses:
        settings.setdefault(use.component, []).extend([use.setting] if use.source else [])
    return ", ".join(f"{component} ({', '.join(dict.fromkeys(names))})" if names else component
                     for component, names in settings.items())


def _is_half(use: Use, inventory: Inventory) -> bool:
    """Whether the other half of the pair exists: a component makes its own pair anew without it."""
    return use.part in ("certificate", "key") \
        and use.purpose not in ("kubelet-serving", "apiserver-serving") and any(
        not inventory.file(other.file).missing for other in inventory.uses
        if other.group == use.group and other.part in ("certificate", "key"))


def _dangles(use: Use, inventory: Inventory) -> bool:
    """Whether a link of the kubelet's store is broken, and no bootstrap kubeconfig helps."""
    return use.purpose == "kubelet-client" and inventory.file(use.file).link and not any(
        other.purpose == "kubelet-bootstrap" and not inventory.file(other.file).missing
        for other in inventory.uses)


def _order(uses: Sequence[Use]) -> tuple[bool, int]:
    """The order of findings: CA files first, because others depend on them, then components."""
    places = [COMPONENT_NAMES.index(use.component) for use in uses
              if use.component in COMPONENT_NAMES]
    return all(use.part != "authority" for use in uses), min(places, default=len(COMPONENT_NAMES))


def _meant(use: Use, inventory: Inventory) -> str:
    """The existing file that a missing file should be: the layout's, if no component reads it."""
    for layout in LAYOUTS:
        for component_flag in KUBELET_COMPONENT.flags if use.component == KUBELET_COMPONENT.name \
            else ():
            if use.setting not in (f"--{component_flag.name}", component_flag.field):
                continue
            for place in layout.places:
                path = getattr(place, component_flag.part)
                if place.row in component_flag.rows and path \
                        and not inventory.file(path).missing:
                    return str(path)
    return ""


def _without_alternatives(context: TreeContext) -> Iterator[Pair]:
    """The pairs that the kubelet and the other components use.

    An expired pair in the kubelet's store is left out if its kubeconfig has a valid pair: the
    kubelet then uses that pair (client-go, util/certificate: getCurrentCertificateOrBootstrap).
    """
    kubelets = [pair for pair in context.pairs if pair.serves("kubelet-client") and pair.chain]
    sound = [pair for pair in kubelets if pair.chain[0].not_valid_after_utc >= context.now]
    for pair in context.pairs:
        if not (pair in kubelets and pair not in sound and sound
                and all(use.optional for use in pair.uses)):
            yield pair


def _reused_serials(context: TreeContext) -> Iterator[Finding]:
    """A warning for each serial number that an issuer has used before: no component checks it."""
    first: dict[bytes, bytes] = {}
    for pair in context.pairs:
        if pair.chain:
            mark, owner = serial_mark(pair.chain[0])
            if first.setdefault(mark, owner) != owner:
                yield serial_reused(pair.path, pair.row, pair.chain[0], mild=True)


def _contradictions(context: TreeContext) -> Iterator[Finding]:
    """The finding for a kubelet whose settings name another node than the node that is checked."""
    for running in context.inventory.running:
        name = running.value("hostname-override").lower() \
            if running.component == KUBELET_COMPONENT.name else ""
        if name and context.node and name != context.node:
            setting, source = running.origins["hostname-override"]
            yield Finding("flags-mismatch", source, "",
                          f"{setting} calls this node {name}, expected {context.node}",
                          got=f"CN={NODE_PREFIX}{name}", expected=f"CN={NODE_PREFIX}{context.node}")
