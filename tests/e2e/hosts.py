"""A host made of namespaces, with systemd as its process 1."""
from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.commands import run, wait_for, words_of

HERE = Path(__file__).parent


@dataclass
class Host:
    """One host: its name, the pid of its process 1 as the machine sees it, and its files."""

    name: str
    pid: int
    "Of process 1, as the machine counts."
    _unshare: subprocess.Popen[bytes]
    services: list[str] = field(default_factory=list)
    "Components that have a unit, in the order in which they were made."

    @classmethod
    def start(cls, name: str, folder: Path) -> Host:
        """Start process 1 and wait until its systemd takes commands."""
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--uts", "--ipc",
                   "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                   str(HERE / "host-init"), name, str(folder)]
        log = folder / f"{name}.log"
        with log.open("wb") as output:
            unshare = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                       stderr=output)
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
        with suppress(AssertionError):
            wait_for(f"{name} has a process 1",
                     lambda: unshare.poll() is None and children.read_text(), seconds=10)
        if unshare.poll() is not None:
            raise AssertionError(f"{name} did not start: {log.read_text().strip()}")
        host = cls(name, int(children.read_text()), unshare)
        wait_for(f"{name} is up; {log}", lambda: unshare.poll() is not None or host.is_up(),
                 seconds=30)
        if unshare.poll() is not None:
            raise AssertionError(f"{name} did not start: {log.read_text().strip()}")
        return host

    def is_up(self) -> bool:
        """Whether this host's systemd takes commands."""
        return (self.path("/run/systemd/private").exists()
                and self.run("systemctl list-jobs", check=False).returncode == 0)

    def end(self) -> None:
        """Kill process 1, and with it everything on the host."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._unshare.wait()

    def path(self, name: str) -> Path:
        """Where the machine sees a file of the host, /etc/… as well as /var/…."""
        return Path(f"/proc/{self.pid}/root{name}")

    def write(self, name: str, text: str | bytes, mode: int = 0o644) -> None:
        """Write a file of the host."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)

    def run(self, command: str | Sequence[str], *, check: bool = True, given: str | None = None
            ) -> subprocess.CompletedProcess[str]:
        """Run a command, or a line for the shell, on the host, stderr apart."""
        return run([*self.enter(), *words_of(command)], check=check, given=given)

    def enter(self) -> list[str]:
        """The beginning of a command that is to run on the host."""
        return ["nsenter", "-t", str(self.pid), *"-m -u -i -n -p -C --wd=/run --".split(), "env",
                "TMPDIR=/run", "HOME=/run"]

    # Services

    def service(self, name: str, command: Sequence[str], *, options: Sequence[str] = ()) -> None:
        """Write the unit of a component; its output goes to a log that each start begins anew."""
        self.services += [name] if name not in self.services else []
        words = " \\\n  ".join(shlex.quote(word) for word in command)
        self.write(f"/etc/systemd/system/{name}.service", "\n".join([
            "[Unit]", "DefaultDependencies=no", "[Service]", "Type=exec", *options,
            f"ExecStart={words}", f"StandardOutput=truncate:{log_of(name)}",
            "StandardError=inherit", ""]))
        self.run("systemctl daemon-reload")

    def restart(self, name: str) -> None:
        """Start a component, after an end of the one that runs, with a new log."""
        # it may end at once
        self.run(f"systemctl reset-failed {name} || :; systemctl restart {name}", check=False)

    def stop(self, name: str) -> None:
        """End a component."""
        self.run(f"systemctl stop {name}")

    def ended(self, name: str) -> bool:
        """Whether a component has ended by itself, or was never there."""
        return self.run(f"systemctl is-active {name}",
                        check=False).stdout.strip() in {"failed", "inactive"}

    def log(self, name: str) -> str:
        """What a component has said since its last start."""
        path = self.path(log_of(name))
        return path.read_text(errors="replace") if path.exists() else ""

    def pids(self, name: str) -> Iterator[int]:
        """The processes of a component, as the host counts."""
        yield from map(int, self.run(f"systemctl show -P MainPID {name}").stdout.split())


def log_of(name: str) -> str:
    """The log of a component, on its host."""
    return f"/var/log/{name}.log"


def wire(center: Host, hosts: Mapping[str, Host], addresses: Mapping[str, str]) -> None:
    """Connect hosts to *center*, which holds a bridge, each with its address of 10.99.0.0/24 and a
    route to all pods.

    The pods of the Nth host have 10.244.N.0/24.
    """
    center.run(f"ip link add rig0 type bridge; ip addr add {addresses[center.name]}/24 dev rig0; "
               "ip link set rig0 up")
    for number, (name, host) in enumerate(hosts.items(), start=1):
        address = addresses[name]
        run(["nsenter", "-t", str(center.pid), "-n", "ip", "link", "add", f"port{number}", "type",
             "veth", "peer", "name", "eth0", "netns", str(host.pid)])
        host.run(f"ip addr add {address}/24 dev eth0; ip link set eth0 up; "
                 f"ip route add default via {addresses[center.name]}")
        center.run(f"ip link set port{number} master rig0 up; ip route add 10.244.{number}.0/24 "
                   f"via {address}")
