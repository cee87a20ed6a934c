"""A host's tree as a value: rows of certificates, and paths with what lies there; and the faults
that befall it."""
from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.hosts.pki import PAST, Row, Shelf

CURRENT = "var/lib/kubelet/pki/kubelet-client-current.pem"
# of a pair that serves and calls, either is right
EXPIRED = "expired-client-cert expired-server-cert"

Maker = Callable[[Shelf], bytes]


@dataclass(frozen=True)
class Link:
    """A symbolic link, to an absolute path of the host or a relative one."""

    target: str


Made = str | Maker | Link | None    # None: the file is gone, its folder is there
Files = Mapping[str, Made]


@dataclass(frozen=True)
class Host:
    """A healthy host."""

    rows: Mapping[str, Row]
    files: Files
    seen: str = ""  # what verifiers see, a line each: leaf, CA file, purpose, names
    node: str | None = None                 # the node's name, if no file tells it
    warnings: tuple[str, ...] = ()          # the causes of the warnings that it may have
    # option of check → the CA's row, if a person brings its key
    given: Mapping[str, str] = field(default_factory=dict)
    address: str = ""                       # the node's, if no file tells it
    modes: Mapping[str, int] = field(default_factory=dict)
    # folder as a container sees it → as the host has it
    mounts: Mapping[str, str] = field(default_factory=dict)
    absent: str = ""                        # files that its texts name and that nobody reads there

    def lay(self, shelf: Shelf, root: Path) -> Path:
        """Write the tree."""
        for path, made in self.files.items():
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if made is None:
                continue
            if isinstance(made, Link):
                place.symlink_to(made.target)
                continue
            data = _bytes(made, shelf)
            place.write_bytes(data)
            secret = any(word in data for word in (b"PRIVATE KEY", b"client-key-data", b"token: "))
            place.chmod(self.modes.get(path, 0o600 if secret else 0o644))
        return root


def _bytes(made: Made, shelf: Shelf) -> bytes:
    assert made is not None and not isinstance(made, Link)
    return made.encode() if isinstance(made, str) else made(shelf)


# What a file holds

def crt(*names: str) -> Maker:
    """Certificates, one after the other."""
    return lambda shelf: b"".join(map(shelf.certificate, names))


def key(name: str) -> Maker:
    return lambda shelf: shelf.key(name)


def public(name: str) -> Maker:
    return lambda shelf: shelf.public(name)


def joined(*made: Maker) -> Maker:
    return lambda shelf: b"".join(item(shelf) for item in made)


def pair(certificate: str, secret: str, name: str) -> dict[str, Made]:
    """The two files of a row."""
    return {certificate: crt(name), secret: key(name)}


def pairs(folder: str, *names: str, crt: str = "{}.crt", key: str = "{}.key") -> dict[str, Made]:
    """Pairs named after their rows."""
    found: dict[str, Made] = {}
    for name in names:
        found |= pair(f"{folder}/{crt.format(name)}", f"{folder}/{key.format(name)}", name)
    return found


def kubeconfig(user: str, server: str, authority: str | Maker,
               *login: str | Maker, cluster: str = "kubernetes", context: str = "", token: str = "",
               exec: str = "") -> Maker:
    """A kubeconfig: a text is a path, a maker's bytes are embedded; *login* is certificate and key,
    if any."""
    context = context or f"{user}@{cluster}"

    def given(name: str, value: str | Maker, shelf: Shelf) -> str:
        return (f"{name}: {value}" if isinstance(value, str)
                else f"{name}-data: {b64encode(value(shelf)).decode()}")

    def make(shelf: Shelf) -> bytes:
        known = [given(name, value, shelf)
                 for name, value in zip(("client-certificate", "client-key"), login)]
        known += [f"token: {token}"] if token else []
        known += [f"exec:\n{exec}"] if exec else []
        lines = "".join(f"    {line}\n" for line in known)
        return f"""apiVersion: v1
clusters:
- cluster:
    {given("certificate-authority", authority, shelf)}
    server: {server}
  name: {cluster}
contexts:
- context:
    cluster: {cluster}
    user: {user}
  name: {context}
current-context: {context}
kind: Config
preferences: {{}}
users:
- name: {user}
  user:
{lines}""".encode()
    return make


def embedded(user: str, server: str, authority: str, login: str, **more: str) -> Maker:
    """A kubeconfig that embeds the certificates of two rows and a key."""
    return kubeconfig(user, server, crt(authority), crt(login), key(login), **more)


def pod(name: str, flags: str, mounts: Mapping[str, str] | None = None, program: str = "") -> str:
    """A static pod that runs *program* with *flags* (a word each); *mounts*: path in the container
    → on the host."""
    words = "".join(f"    - {_scalar(word)}\n"
                    for word in (program or name).split() + flags.split())
    mounts = mounts or {"/etc/kubernetes/pki": "/etc/kubernetes/pki"}
    inside = "".join(f"    - mountPath: {there}\n      name: v{nth}\n      readOnly: true\n"
                     for nth, there in enumerate(mounts))
    outside = "".join(f"  - hostPath:\n      path: {here}\n    name: v{nth}\n" for nth,
                      here in enumerate(mounts.values()))
    return f"""apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: kube-system
spec:
  containers:
  - command:
{words}    image: example.test/{name}:v1
    name: {name}
    volumeMounts:
{inside}  hostNetwork: true
  priorityClassName: system-node-critical
  volumes:
{outside}"""


def _scalar(word: str) -> str:
    return f'"{word}"' if word[0] in "*&!%@`{[\"'" or ": " in word else word


def unit(program: str, flags: str = "", *lines: str) -> str:
    """A unit whose flags stand on continued lines, as guides write them; *lines* stand before
    ExecStart."""
    words = " \\\n  ".join((program, *flags.split()))
    before = "".join(f"{line}\n" for line in lines)
    return (f"[Unit]\nDescription={program.split(maxsplit=1)[0]}\n\n[Service]\n{before}ExecStart="
            f"{words}\nRestart=on-failure\nRestartSec=5\n\n[Install]\nWantedBy=multi-user.target\n")


def kubelet_config(client_ca: str, *lines: str) -> str:
    """A KubeletConfiguration: its client CA, then further lines."""
    more = "".join(f"{line}\n" for line in lines)
    return f"""apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous:
    enabled: false
  webhook:
    cacheTTL: 0s
    enabled: true
  x509:
    clientCAFile: {client_ca}
authorization:
  mode: Webhook
{more}"""


def proxy_config(path: str) -> str:
    return ("apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
            f"clientConnection:\n  kubeconfig: {path}\nmode: iptables\n"
            "clusterCIDR: 10.200.0.0/16\n")


# What befalls a host

@dataclass(frozen=True)
class Change:
    """What is done to a healthy host."""

    name: str
    apply: Callable[[Host], Host]

    def __add__(self, other: Change) -> Change:
        return Change(f"{self.name}, {other.name}", lambda host: other.apply(self.apply(host)))


@dataclass(frozen=True)
class Fault:
    """A healthy host, what befalls it, and the one finding that it has then."""

    host: str
    change: Change
    cause: str                  # or two, of which either is right
    path: str
    mended: str = "commands"    # or by whom else
    said: str = ""              # https://API-SERVER:6443, if this fault took its name from the host

    def __str__(self) -> str:
        return f"{self.host}: {self.change.name}"


def put(name: str, files: Files) -> Change:
    """Other files, or more."""
    def apply(host: Host) -> Host:
        return replace(host, files={**host.files, **files})
    return Change(name, apply)


def gone(*paths: str) -> Change:
    def apply(host: Host) -> Host:
        assert {*paths} <= {*host.files}, [path for path in paths if path not in host.files]
        return replace(host, files={**host.files, **dict.fromkeys(paths)})
    return Change(f"no {' '.join(paths)}", apply)


def there(path: str, change: Change) -> Change:
    """A change of a file that is there."""
    def apply(host: Host) -> Host:
        assert path in host.files, path
        return change.apply(host)
    return Change(change.name, apply)


def empty(path: str) -> Change:
    return there(path, put(f"0 bytes in {path}", {path: ""}))


def cut(path: str) -> Change:
    """The file's first half alone."""
    def apply(host: Host) -> Host:
        made = host.files[path]

        def half(shelf: Shelf) -> bytes:
            data = _bytes(made, shelf)
            return data[:len(data) // 2]
        return replace(host, files={**host.files, path: half})
    return Change(f"half of {path}", apply)


def holds(path: str, made: Made, what: str = "") -> Change:
    """Something else in a file that is there."""
    return there(path, put(f"{what or 'another'} in {path}", {path: made}))


def mode(path: str, bits: int) -> Change:
    def apply(host: Host) -> Host:
        return replace(host, modes={**host.modes, path: bits})
    return there(path, Change(f"{bits:o} {path}", apply))


def text(path: str, old: str, new: str) -> Change:
    """Other words in a file."""
    def apply(host: Host) -> Host:
        made = host.files[path]

        def changed(shelf: Shelf) -> bytes:
            data = _bytes(made, shelf)
            assert old.encode() in data, (path, old)
            return data.replace(old.encode(), new.encode())
        return replace(host, files={**host.files, path: changed})
    return Change(f"{new or 'nothing'} for {old} in {path}", apply)


def made_so(row: str, *, at: str = "", **fields: Any) -> Change:
    """A certificate with other fields, of the same key: everywhere, or at one path only."""
    def apply(host: Host) -> Host:
        other = {row: replace(host.rows[row], **fields)}
        if not at:
            return replace(host, rows={**host.rows, **other})
        made = host.files[at]
        return replace(host,
                       files={**host.files, at: lambda shelf: _bytes(made, shelf.changed(other))})
    told = " ".join(f"{name}={value}" for name, value in fields.items())
    return Change(f"{row} with {told}" + (f" in {at}" if at else ""), apply)


def expired(row: str, *, at: str = "") -> Change:
    """A certificate that has ended."""
    return replace(made_so(row, at=at, dates=PAST),
                   name=f"{row} expired" + (f" in {at}" if at else ""))


def by_stray(row: str, *, at: str = "") -> Change:
    """A certificate by a CA that has the right one's name and another key."""
    def apply(host: Host) -> Host:
        return made_so(row, at=at, ca=f"{host.rows[row].ca}!").apply(host)
    return Change(f"{row} of another installation" + (f" in {at}" if at else ""), apply)
