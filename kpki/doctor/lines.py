"""One line of a log as its writer meant the line: plain text, who wrote the line, and when."""
from __future__ import annotations

import re
from typing import NamedTuple


class Line(NamedTuple):
    """What a rule reads of a line."""

    text: str
    """The line without colours, control characters and escaped quotes."""
    message: str
    """The text without time, host, level and process number, which differ from line to line."""
    program: str
    """The program that journald or syslog names before the message; empty if there is none."""
    time: str
    """The moment, as the line writes it; empty if the line has none."""


# Colours, titles and cursor movements of terminals; then what else a terminal would obey.
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f"
                      r"\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")
# What JSON, Go's %q and shells put before a character.
_ESCAPED = re.compile(r"(?<!\\)\\++(?:u00(?:(22)|(27)|(26)|(3c)|(3e))|([\"'/])|[nrt](?![a-z]))")
_UNESCAPED = ("", '"', "'", "&", "<", ">")

_PROGRAMS = ("kube-apiserver|kube-controller-manager|kube-scheduler|kube-proxy|kubelet|kubeadm"
             "|kubectl|etcdctl|etcd|containerd|dockerd|crio|cri-o|metrics-server|coredns|k3s|rke2"
             "|nginx|haproxy|curl|openssl|calico|flannel|konnectivity|cert-manager|helm|cilium")
# The component → how its lines begin or whom they name; the first row that matches counts.
_WRITERS: tuple[tuple[str, str], ...] = (
    (r"\1", rf"^[^\"{{]{{0,90}}?[ /\[]?\b({_PROGRAMS})(?:\[\d+\]|\.service)?(?:: |\[\d+\])"),
    ("curl", r"^curl: \(\d+\)|\bcurl: \(\d+\)"),
    ("nginx", r"^nginx: |\[emerg\]"),
    ("kubelet", r"pkg/kubelet/|kubelet_node_status\.go|kubelet\.go:|failed to run Kubelet"
                r"|\bkubelet dependencies|k8s\.io/kubernetes/cmd/kubelet|kubelet-server-cert-files"
                r"|Unable to register (?:node|\S+ with the apiserver)|\bbootstrap kubeconfig"
                r"|bootstrap client (?:config|certificate)|active client certificate"
                r"|csi_plugin\.go|CSINode|node lease"),
    ("metrics-server", r"fully (?:scrape|collect) metrics|Failed to scrape node|metrics-server"),
    ("kube-controller-manager", r"controllermanager\.go|kube-system/kube-controller-manager\b"
                                r"|client_builder(?:_dynamic)?\.go|[Cc]ertificate controller"),
    ("kube-scheduler", r"kube-system/kube-scheduler\b|pkg/scheduler/"),
    ("kube-proxy", r"pkg/proxy/|cmd/kube-proxy"),
    ("etcdctl", r"check the health of member|etcd-endpoints://"),
    ("etcd", r"\"caller\":\"(?:embed|rafthttp|etcdserver|etcdmain|transport|etcdhttp)/"
             r"|\b(?:etcdmain|rafthttp|etcdserver|embed): |\brejected connection\b"
             r"|health check for peer|go\.etcd\.io/etcd"),
    ("kube-apiserver", r"Unable to authenticate the request|client-?ca-bundle|apiserver received an"
                       r"|(?:authentication|handlers)\.go:|addrConn\.createTransport failed"
                       r"|oidc authenticator|failed calling webhook|\bNODE DENY|\bRBAC DENY"
                       r"|\bapiserver was unable|storage_factory|request-header::|etcd_client"
                       r"|[Ii]nvalid [Aa]uthentication [Cc]onfig|reading public key file"),
    ("kubeadm", r"\[(?:discovery|bootstrap|preflight|kubelet-check|certs|kubeconfig|etcd|init|join"
                r"|upload-certs|control-plane)(?:[-/][a-z-]*)?\] |error execution phase"
                r"|failed to check server version|cluster-info ConfigMap|certs renew"
                r"|failure loading (?:[a-z-]+ certificate|certificate for)"),
    ("kubectl", r"^Error from server|^(?:error: )?You must be logged in|^error: You must"
                r"|^Unable to connect to the server|^The connection to the server"
                r"|couldn't (?:get current|read version)|^error: (?:unable|error) (?:to|loading"
                r"|up)"),
    ("openssl", r"error \d+ at \d+ depth|verify error:num|:SSL routines:|:PEM routines:"
                r"|^Could not (?:read|open|find)|^(?:unable|Unable) to load "),
    ("python", r"_ssl\.c:\d|SSLError|ssl\.SSL"),
)
_WRITER = [(name, re.compile(pattern)) for name, pattern in _WRITERS]
# 2024-05-01T03:04:05.6Z · Nov 30 04:13:36 · E1130 04:13:36 · 30/Nov/2026:04:13:36
_TIME = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
                   r"|\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?"
                   r"|\b(?<=[EWIF])\d{4} \d\d:\d\d:\d\d(?:\.\d+)?")
# How a line begins that is no rest of the line before.
_BEGINNING = re.compile(r"\s*(?:[EWIFD]\d{4} \d\d:|\d{4}[-/.]\d\d|[A-Z][a-z]{2} +\d+ \d\d:|\d+月|\{"
r"|time="
                        r"|level=|ts=|msg=|\[[a-z]|<\d+>|goroutine |\tat |-- |[#$] |curl: "
                        r"|kube\w+: "
                        r"|(?:[Ee]rror|Unable|Failed|Warning|WARN\w*|INFO|ERRO|FATA|The|panic)\b)")
# What journald or syslog, a container's log, klog, zap and logfmt write before a message.
_HEAD = re.compile(r"(?:<\d+>)?(?:[A-Z][a-z]{2} [ \d]\d [\d:.]{8,} \S+ ([\w.@-]+)(?:\[\d+\])?: )?"
                   r"(?:\d{4}-\d\d-\d\d[T ][\d:.]{8,}\S* (?:std(?:out|err) [FP] )?)?"
                   r"(?:[EWIF]\d{4} [\d:.]{8,} +\d+ |\{\"level\":\"\w+\",\"ts\":\"?[^\",]*\"?,"
                   r"|time=\"[^\"]*\" )?")
_TIME_WITHIN = 200      # characters from a line's beginning


def read_line(raw: str) -> Line:
    """The text, the message, the program and the time of a line."""
    text = plain(raw)
    head = _HEAD.match(text)
    found = _TIME.search(text, 0, _TIME_WITHIN)
    return Line(text, text[head.end():] if head else text, head[1] or "" if head else "",
                found[0] if found else "")


def plain(raw: str) -> str:
    r"""*raw* without what terminals obey; `\"` of JSON and of quoted errors is `"`."""
    text = _TERMINAL.sub("", raw)
    if "\\" in text:
        text = _ESCAPED.sub(_unescaped, text)
    return _CONTROL.sub("", text.replace("\t", " ")).strip()


def _unescaped(found: re.Match[str]) -> str:
    return found[6] or (_UNESCAPED[found.lastindex] if found.lastindex else " ")


def writer(program: str, message: str) -> str:
    """The component that wrote a message, as far as its program and its words say."""
    text = f"{program}: {message}" if program else message
    for name, pattern in _WRITER:
        if found := pattern.search(text):
            return found[1] if name == r"\1" else name
    return ""


def begins_record(raw: str) -> bool:
    """Whether a line has a beginning of its own: a time, a level, a brace, a program."""
    return _BEGINNING.match(raw) is not None
