"""What a host's components are told: by static pods, systemd units and environment files, a kubelet's configuration.

Sources: https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ ; kubeadm's 10-kubeadm.conf
(https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/kubelet-integration/); systemd.unit(5).
"""
from __future__ import annotations

import re
from typing import Any

from ..errors import InputError
from .components import KUBELET, Component
from .manifests import MANIFESTS, component_flags

# Where it stands on a host. What comes later wins: flags over the configuration, and of a flag the last.
CONFIGURATIONS = ("var/lib/kubelet/config.yaml", "var/lib/kubelet/kubelet-config.yaml",
                  "etc/kubernetes/kubelet-config.yaml")
ENVIRONMENTS = ("var/lib/kubelet/kubeadm-flags.env", "etc/default/kubelet", "etc/sysconfig/kubelet",
                "etc/kubernetes/kubelet.env")
UNIT_FOLDERS = tuple(f"{folder}/systemd/system" for folder in ("lib", "usr/lib", "etc"))
NODE_IP, OVERRIDE, ADVERTISED, SERVICES, ISSUER = (
    "node-ip", "hostname-override", "advertise-address", "service-cluster-ip-range", "service-account-issuer")
ETCD_URLS = ("advertise-client-urls", "initial-advertise-peer-urls")
_SAID = (NODE_IP, OVERRIDE, ADVERTISED, SERVICES, ISSUER, *ETCD_URLS)
_WORD = re.compile(r"""--([a-z-]+)[= ]\\?["']?([^\s"'\\]+)""")
_COMMENT = re.compile(r"^[ \t]*[#;].*$", re.MULTILINE)


def sources_of(component: Component) -> tuple[str, ...]:
    """The files of a host that tell a component its flags, but for drop-ins of its unit."""
    units = [f"{folder}/{component.name}.service" for folder in UNIT_FOLDERS]
    if component == KUBELET:
        return (*CONFIGURATIONS, *units, *ENVIRONMENTS)
    return (f"{MANIFESTS}/{component.name}.yaml", *units)


def flags_in(component: Component, path: str, data: bytes) -> dict[str, str]:
    """What one of these files tells: flag, without dashes → value, of the flags that name files, or tell names
    and addresses.

    A configuration's fields stand for their flags. Nothing is told by bytes that are no such file.
    """
    if path in CONFIGURATIONS:
        return _configured(data)
    if path.startswith(MANIFESTS):
        found = component_flags(data)
    else:
        found = dict(_WORD.findall(_COMMENT.sub("", data.decode("utf-8", "replace"))))
    files = {flag.name for flag in component.flags if flag.rows}
    return {name: value for name, value in found.items() if _names_file(value) and name in files or name in _SAID}


def _names_file(value: Any) -> bool:
    """Whether a value is a path from the root; what holds a control character names no file."""
    return isinstance(value, str) and value.startswith("/") and value.isprintable()


def _configured(data: bytes) -> dict[str, str]:
    from ..documents import load_documents
    try:
        documents = load_documents(data)
    except InputError:
        return {}
    found = {}
    for flag in KUBELET.flags:
        value: Any = documents[0].value if documents and flag.field else None
        for step in flag.field.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if _names_file(value):
            found[flag.name] = value
    return found
