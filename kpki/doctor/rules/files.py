"""Rows for files that are missing, or closed to the reader."""
from __future__ import annotations

from .parts import CURRENT, FILE_NAME, MISSING
from .rule import LogRule

FILES = (
    LogRule("key-unreadable", "ermission denied", rf"{FILE_NAME}.{{0,60}}?(?i:permission denied)",
            unless=r"oom_score_adj|\.sock\b"),
    LogRule("key-unreadable", "ermission denied",
            rf"(?i:permission denied).{{0,60}}?{FILE_NAME}", unless=r"oom_score_adj|\.sock\b"),
    LogRule("key-unreadable", "ermission denied",
            r"mkdir (?P<file>/\S{1,200}): permission denied", where=r"(?i:cert)"),
    LogRule("kubelet-client-current-broken", "client-current.pem",
            rf"{CURRENT}.{{0,200}}?(?i:no such file|too many levels|could not|unable|cannot"
            r"|not (?:found|gen)|does not exist|PEM data|failed)"),
    LogRule("kubelet-client-current-broken", "client-current.pem",
            rf"(?i:unable to (?:read|load)|cannot (?:read|load|find)|not (?:found|generated)"
            r"|missing|fail(?:ed)? to (?:read|load)|couldn't (?:read|load)|doesn't exist)"
            rf".{{0,200}}?{CURRENT}"),
    LogRule("bootstrap-kubeconfig-missing-or-token-expired", "o such file",
            r"unable to load bootstrap kubeconfig.*?(?P<file>/[^\s:\"]+)"),
    # journalctl and systemctl cut a line at the terminal's width
    LogRule("file-missing", "client CA file",
            rf"unable to load client CA file {FILE_NAME}: o(?:p(?:e(?:n(?: ?/\S*)?)?)?)?$"),
    LogRule("file-missing", "o such file|is a directory|n't exist| cannot |ertific",
            rf"{FILE_NAME}.{{0,120}}?{MISSING}",
            unless=r"wrong CA cert|cannot statx?|/cni/net\.d|/config\.yaml|resolv\.conf|\.sock\b"
                   r"|(?:will|to) (?:be )?(?:generat|creat)|using self-signed|No .{0,40}ignoring"
                   r"|bootstrap-kubeconfig.*skipping"),
    LogRule("file-missing", "o such file",
            rf"(?i:no such file or directory)[^/\w]{{0,60}}?{FILE_NAME}",
            unless=r"cannot statx?"),
    LogRule("file-missing", "o such file",
            rf"(?i:no such file or directory):\S{{0,80}}?bss_file\.c:\d+:(?:calling )?"
            rf"fopen\([\"']?{FILE_NAME}"),
    LogRule("file-missing", "ertific", r"the CA files do not exist, please run `?kubeadm"
            r"|error reading (?P<file>\S{1,300}), certificate and key must be supplied as a pair"),
    LogRule("file-missing", "SSL", r"SSLError(?:\(|: )(?:FileNotFoundError"
            r"|\[Errno 2\])"),
    LogRule("file-missing", "o such file| cannot ", rf"X509 key pair.{{0,300}}?{MISSING}"),
    LogRule("file-missing", "ertific", r"curl: \(77\)"
            r"|certificate verify locations"
            rf"(?:.*?{FILE_NAME})?"),
    LogRule("file-missing", "o such file|ertific|rivate key",
            rf"(?:Could not open file or uri for loading .*? from|Can't open"
            rf"|bundle, invalid path:|TLS certificate file, invalid path:) "
            rf"[\"']?{FILE_NAME}", unless=r"(?i:permission denied)"),
    LogRule("file-missing", "ertific|rivate key|o such file",
            rf"(?:(?:certificate|key) (?:file )?not found|FileNotFound).{{0,200}}?{FILE_NAME}"),
)
