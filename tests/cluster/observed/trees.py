"""Trees of hosts for the readers: files by path, as plain text."""
from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

Files = dict[str, str | None]  # path → text; None: a link to /dev/null; `PATH -> TARGET`: a link
DATA = b64encode(b"PEM").decode()


def plant(root: Path, files: Mapping[str, str | None]) -> Path:
    """Write a tree's files."""
    for path, text in files.items():
        path, _, target = path.partition(" -> ")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if target or text is None:
            (root / path).symlink_to(target or "/dev/null")
        else:
            (root / path).write_bytes(text.encode())
    return root


def kubeconfig(user: str = f"client-certificate-data: {DATA}, client-key-data: {DATA}",
               authority: str = f"certificate-authority-data: {DATA}",
               server: str = "https://10.0.0.1:6443") -> str:
    """A kubeconfig of user `u`, cluster `c` and context `x`; *user* and *authority* are their
    fields."""
    return (f"apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: '{server}', "
            f"{authority}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\ncurrent-context: x\n"
            "contexts: [{name: x, context: {cluster: c, user: u}}]\n")


def pod(*words: str, mounts: dict[str, str] | None = None, env: dict[str, str] | None = None,
        args: bool = False) -> str:
    """A static pod whose container has these words; *mounts* are path in the container → path on
    the host."""
    lines = ["apiVersion: v1", "kind: Pod", "metadata: {name: p}", "spec:", "  containers:",
             "  - name: c", f"    {'args' if args else 'command'}:",
             *(f"    - {json.dumps(word)}" for word in words)]
    if env:
        lines += ["    env:",
                  *(f"    - {{name: {name}, value: {value!r}}}" for name, value in env.items())]
    if mounts:
        lines += ["    volumeMounts:",
                  *(f"    - {{name: v{n}, mountPath: {at}}}" for n, at in enumerate(mounts)),
                  "  volumes:",
                  *(f"  - {{name: v{n}, {host if ':' in host else f'hostPath: {{path: {host}}}'}}}"
                    for n, host in enumerate(mounts.values()))]
    return "\n".join(lines) + "\n"


def unit(*lines: str) -> str:
    """A service with these lines."""
    return "\n".join(("[Service]", *lines, ""))


def configuration(*lines: str) -> str:
    """A KubeletConfiguration with these lines."""
    return "\n".join(("apiVersion: kubelet.config.k8s.io/v1beta1", "kind: KubeletConfiguration",
                      *lines, ""))
