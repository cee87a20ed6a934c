"""kpki makes, checks and repairs the certificates of a Kubernetes cluster, by openssl's own steps.

Each name is loaded from its module at its first use, so that a program loads only what it uses.
Functions accept and return values: they print nothing, have no global state, and read no disk.
`check_path`, `inspect_host`, `read_certificates`, `read_exchange`, `read_graph` and `examine_host`
alone read files; `rotate` also writes. `probe` and `examine_host` ask servers. A function raises
TypeError, with the name of the parameter or of the record's field, for a value of the wrong type.
A function raises InputError for a datetime without a zone.

The names of `__all__` are public and stable: a change is announced one release before, by a
warning. Modules below `kpki` are not public. docs/library-reference.md describes every name.
"""
from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing typing costs some milliseconds
if TYPE_CHECKING:
    from .cluster.authority import Authority, Issued, load_authority
    from .cluster.check.check import Report, check as check_path
    from .cluster.desired.description import (
        Cluster,
        ExternalEtcd,
        GivenAuthority,
        Host,
        load_cluster,
    )
    from .cluster.desired.rows import Row, wanted_rows
    from .cluster.finding import Finding
    from .cluster.graph.diagrams import dot_text, mermaid_text
    from .cluster.graph.graph import Call, Graph, GraphCertificate, Holder
    from .cluster.graph.reading import read_graph
    from .cluster.graph.svg import svg_text
    from .cluster.leaf_files import Step
    from .cluster.lifecycle.exchange_status import ExchangeStatus, HostExchange, read_exchange
    from .cluster.lifecycle.expiry import (
        CertificateList,
        DatedCertificate,
        SkippedFile,
        read_certificates,
    )
    from .cluster.lifecycle.following import Following
    from .cluster.lifecycle.holding import Anchor
    from .cluster.lifecycle.prometheus import prometheus_text
    from .cluster.lifecycle.rotate import Rotation, rotate
    from .cluster.node.node import issue_node as issue_node_files
    from .cluster.observed.hosts import inspect as inspect_host
    from .cluster.observed.inventory import Inventory, ObservedFile, Unread
    from .cluster.observed.use import Running, Use
    from .cluster.plan.host_plan import Waiting
    from .cluster.plan.plan import Plan, make_plan
    from .cluster.rules.host import check_node as check_host
    from .doctor.answers import Probe, probe
    from .doctor.host import HostCheck, HostReport, doctor as examine_host
    from .doctor.logs import Diagnosis, Root, UnknownLine, diagnose
    from .doctor.restarts import Restart
    from .doctor.roots import with_roots
    from .doctor.rules import LOG_RULES
    from .doctor.rules.rule import LogRule
    from .doctor.summary import summarize
    from .errors import (
        AccessError,
        ConfigurationError,
        FileError,
        InputError,
        KpkiError,
        RefusedError,
        UnsupportedError,
    )
    from .files.tree import File
    from .kubernetes.kubeconfig import Kubeconfig, Material
    from .kubernetes.layouts import Layout, Place
    from .kubernetes.profiles import Identity, Profile
    from .kubernetes.verdict import KubernetesVerdict, verify_kubernetes
    from .pem.blocks import Block
    from .pem.certificates import (
        dump_certificate,
        dump_csr,
        load_certificate,
        load_certificates,
        load_csr,
    )
    from .pem.keys import dump_key, dump_public_key, load_key, load_public_key
    from .stages.certificates import req_x509, x509_req
    from .stages.config import Config, Setting, parse_config
    from .stages.handshake import Handshake, Side, handshake
    from .stages.keys import genpkey, genrsa
    from .stages.names import Attribute, Name, parse_subject
    from .stages.records import Extension
    from .stages.requests import req_new
    from .stages.signing import Values, sign_certificate
    from .stages.strings import StringOptions
    from .stages.text.certificate import certificate_text, request_text
    from .stages.text.name import name_text
    from .stages.verification.policies import PolicyQuestion
    from .stages.verification.trust import Trust
    from .stages.verification.verdicts import Fault, Policy, PolicyAnswer, Verdict
    from .stages.verification.verify import verify
    check, inspect, sign, check_node, issue_node = (
        check_path, inspect_host, sign_certificate, check_host, issue_node_files)
    Found, Given = ObservedFile, GivenAuthority

__version__ = "0.1.0"

# Module → its public names; `public=name` if the module has another name for the function.
_ROOMS = {
    "cluster.authority": "Authority Issued load_authority",
    "cluster.check.check": "Report check_path=check",
    "cluster.desired.description": "Cluster ExternalEtcd GivenAuthority Host load_cluster",
    "cluster.desired.rows": "Row wanted_rows",
    "cluster.finding": "Finding",
    "cluster.graph.diagrams": "dot_text mermaid_text",
    "cluster.graph.graph": "Call Graph GraphCertificate Holder",
    "cluster.graph.reading": "read_graph",
    "cluster.graph.svg": "svg_text",
    "cluster.leaf_files": "Step",
    "cluster.lifecycle.expiry": "CertificateList DatedCertificate SkippedFile read_certificates",
    "cluster.lifecycle.exchange_status": "ExchangeStatus HostExchange read_exchange",
    "cluster.lifecycle.following": "Following",
    "cluster.lifecycle.holding": "Anchor",
    "cluster.lifecycle.prometheus": "prometheus_text",
    "cluster.lifecycle.rotate": "Rotation rotate",
    "cluster.node.node": "issue_node_files=issue_node",
    "cluster.observed.hosts": "inspect_host=inspect",
    "cluster.observed.inventory": "Inventory ObservedFile Unread",
    "cluster.observed.use": "Running Use",
    "cluster.plan.host_plan": "Waiting",
    "cluster.plan.plan": "Plan make_plan",
    "cluster.rules.host": "check_host=check_node",
    "doctor.answers": "Probe probe",
    "doctor.host": "HostCheck HostReport examine_host=doctor",
    "doctor.logs": "Diagnosis Root UnknownLine diagnose",
    "doctor.restarts": "Restart",
    "doctor.roots": "with_roots",
    "doctor.rules": "LOG_RULES",
    "doctor.rules.rule": "LogRule",
    "doctor.summary": "summarize",
    "errors": "AccessError ConfigurationError FileError InputError KpkiError RefusedError "
              "UnsupportedError",
    "files.tree": "File",
    "kubernetes.kubeconfig": "Kubeconfig Material",
    "kubernetes.layouts": "Layout Place",
    "kubernetes.profiles": "Identity Profile",
    "kubernetes.verdict": "KubernetesVerdict verify_kubernetes",
    "pem.blocks": "Block",
    "pem.certificates": "dump_certificate dump_csr load_certificate load_certificates load_csr",
    "pem.keys": "dump_key dump_public_key load_key load_public_key",
    "stages.certificates": "req_x509 x509_req",
    "stages.config": "Config Setting parse_config",
    "stages.handshake": "Handshake Side handshake",
    "stages.keys": "genpkey genrsa",
    "stages.names": "Attribute Name parse_subject",
    "stages.records": "Extension",
    "stages.requests": "req_new",
    "stages.signing": "Values sign_certificate",
    "stages.strings": "StringOptions",
    "stages.text.certificate": "certificate_text request_text",
    "stages.text.name": "name_text",
    "stages.verification.policies": "PolicyQuestion",
    "stages.verification.trust": "Trust",
    "stages.verification.verdicts": "Fault Policy PolicyAnswer Verdict",
    "stages.verification.verify": "verify",
}
_ROOM_OF = {name.partition("=")[0]: (room, name.rpartition("=")[2])
            for room, names in _ROOMS.items() for name in names.split()}
# The names of 0.1 → their present names; version 0.3 drops the old names.
_RENAMED = {"check": "check_path", "inspect": "inspect_host", "sign": "sign_certificate",
            "check_node": "check_host", "issue_node": "issue_node_files", "Found": "ObservedFile",
            "Given": "GivenAuthority"}
# Function → the old names of its parameters → the present names.
_RENAMED_PARAMETERS = {"make_plan": {"look": "observe"}}

# Each group is a noun, so the names are not in the order of the alphabet.
# ruff: noqa: RUF022
__all__ = [
    # a certificate authority, and what it issues
    "Authority", "File", "Issued", "issue_node_files", "load_authority",
    # a host and its faults
    "Finding", "Inventory", "ObservedFile", "Report", "Running", "Unread", "Use", "check_host",
    "check_path", "inspect_host",
    # what a log says
    "LOG_RULES", "Diagnosis", "LogRule", "Root", "UnknownLine", "diagnose", "summarize",
    "with_roots",
    # when certificates end
    "CertificateList", "DatedCertificate", "SkippedFile", "prometheus_text", "read_certificates",
    # who signs whom, who holds what, who calls whom
    "Call", "Graph", "GraphCertificate", "Holder", "dot_text", "mermaid_text", "read_graph",
    "svg_text",
    # what servers present
    "Probe", "probe",
    # what is wrong with a running host
    "HostCheck", "HostReport", "Restart", "examine_host",
    # an exchange of a CA
    "Anchor", "ExchangeStatus", "Following", "HostExchange", "Rotation", "read_exchange", "rotate",
    # a cluster and its plan
    "Cluster", "ExternalEtcd", "GivenAuthority", "Host", "Identity", "Kubeconfig", "Layout",
    "Material", "Place", "Plan", "Profile", "Row", "Step", "Waiting", "load_cluster", "make_plan",
    "wanted_rows",
    # verdicts on a certificate
    "Fault", "Handshake", "KubernetesVerdict", "Policy", "PolicyAnswer", "PolicyQuestion", "Side",
    "Trust", "Verdict", "handshake", "verify", "verify_kubernetes",
    # openssl's steps
    "Attribute", "Config", "Extension", "Name", "Setting", "StringOptions", "Values",
    "certificate_text", "genpkey", "genrsa", "name_text", "parse_config", "parse_subject",
    "req_new", "req_x509", "request_text", "sign_certificate", "x509_req",
    # keys, requests and certificates as PEM or DER
    "Block", "dump_certificate", "dump_csr", "dump_key", "dump_public_key", "load_certificate",
    "load_certificates", "load_csr", "load_key", "load_public_key",
    # errors
    "AccessError", "ConfigurationError", "FileError", "InputError", "KpkiError", "RefusedError",
    "UnsupportedError",
]

if not TYPE_CHECKING:       # with this function a type checker would accept every name
    def __getattr__(name: str) -> object:
        from importlib import import_module
        if name in _RENAMED:
            import warnings
            warnings.warn(f"kpki.{name} is called kpki.{_RENAMED[name]} now", DeprecationWarning,
                          stacklevel=2)
            return getattr(import_module(__name__), _RENAMED[name])
        if name not in _ROOM_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        room, inner = _ROOM_OF[name]
        value = getattr(import_module(f".{room}", __name__), inner)
        if callable(value) and not isinstance(value, type):
            value = _public(value, name)
        globals()[name] = value
        return value

    def _public(function: object, name: str) -> object:
        """A function of a module under its public name, with a check of its arguments."""
        from .arguments import renamed, validated
        public = validated(function)
        if name in _RENAMED_PARAMETERS:
            public = renamed(public, _RENAMED_PARAMETERS[name])
        public.__module__, public.__name__, public.__qualname__ = __name__, name, name
        return public


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOM_OF})
