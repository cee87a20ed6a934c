"""kpki makes, checks and repairs the certificates of a Kubernetes cluster, one openssl step at a time.

The front door: each name below is loaded from its room when it is first used, so that a program pays only for what it
calls. Functions take and give values: no disk, no printing, no global state.
"""
from __future__ import annotations

TYPE_CHECKING = False  # the name type checkers know: typing itself would cost every verb some milliseconds
if TYPE_CHECKING:
    from .cluster.authority import Authority, load_authority
    from .cluster.check.check import Report, check
    from .cluster.desired.description import Cluster, load_cluster
    from .cluster.desired.rows import Row, wanted_rows
    from .cluster.finding import Finding
    from .cluster.node.node import issue_node
    from .cluster.observed.hosts import inspect
    from .cluster.observed.inventory import Inventory, Unread
    from .cluster.plan.plan import Plan, make_plan
    from .cluster.rules.host import check_node
    from .errors import (AccessError, ConfigurationError, FileError, InputError, KpkiError, RefusedError,
                         UnsupportedError)
    from .kubernetes.verdict import KubernetesVerdict, verify_kubernetes
    from .pem.certificates import dump_certificate, dump_csr, load_certificate, load_certificates, load_csr
    from .pem.keys import dump_key, dump_public_key, load_key, load_public_key
    from .stages.certificates import Values, req_x509, sign, x509_req
    from .stages.config import Config, parse_config
    from .stages.handshake import Handshake, handshake
    from .stages.keys import genpkey, genrsa
    from .stages.names import Name, parse_subject
    from .stages.requests import req_new
    from .stages.text.certificate import certificate_text, request_text
    from .stages.text.name import name_text
    from .stages.verification.verify import Verdict, verify

__version__ = "0.1.0"

_ROOMS = {
    "cluster.authority": "Authority load_authority",
    "cluster.check.check": "Report check",
    "cluster.desired.description": "Cluster load_cluster",
    "cluster.rules.host": "check_node",
    "cluster.observed.hosts": "inspect",
    "cluster.observed.inventory": "Inventory Unread",
    "cluster.finding": "Finding",
    "cluster.node.node": "issue_node",
    "cluster.plan.plan": "Plan make_plan",
    "cluster.desired.rows": "Row wanted_rows",
    "errors": "AccessError ConfigurationError FileError InputError KpkiError RefusedError UnsupportedError",
    "kubernetes.verdict": "KubernetesVerdict verify_kubernetes",
    "pem.certificates": "dump_certificate dump_csr load_certificate load_certificates load_csr",
    "pem.keys": "dump_key dump_public_key load_key load_public_key",
    "stages.certificates": "Values req_x509 sign x509_req",
    "stages.config": "Config parse_config",
    "stages.handshake": "Handshake handshake",
    "stages.keys": "genpkey genrsa",
    "stages.text.name": "name_text",
    "stages.names": "Name parse_subject",
    "stages.requests": "req_new",
    "stages.text.certificate": "certificate_text request_text",
    "stages.verification.verify": "Verdict verify",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}

__all__ = [
    "AccessError", "Authority", "Cluster", "Config", "ConfigurationError", "FileError", "Finding", "Handshake",
    "InputError", "Inventory", "KpkiError", "KubernetesVerdict", "Name", "Plan", "RefusedError", "Report", "Row",
    "Unread", "UnsupportedError", "Values", "Verdict", "certificate_text", "check", "check_node", "dump_certificate",
    "dump_csr", "dump_key", "dump_public_key", "genpkey", "genrsa", "handshake", "inspect", "issue_node",
    "load_authority", "load_certificate", "load_certificates", "load_cluster", "load_csr", "load_key",
    "load_public_key", "make_plan", "name_text", "parse_config", "parse_subject", "req_new", "req_x509", "request_text",
    "sign", "verify", "verify_kubernetes", "wanted_rows", "x509_req",
]


def __getattr__(name: str) -> object:
    from importlib import import_module
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{_ROOM_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOM_OF})
