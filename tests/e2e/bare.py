"""A host that is a folder: components run as this user, without root's powers, on an address of
loopback."""
from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.commands import run, words_of

# What of a host's own folders a command names; in a bare host they lie below its folder.
PATH = re.compile(r"(?<![\w/.])/(?:etc|var/lib)/")

STOP = 2        # seconds for an end in good order: an API server waits a minute for those who watch


class Bare:
    """A host without namespaces: the same calls as `Host`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.folder.mkdir()
        (self.folder / "log").mkdir()
        self._commands: dict[str, list[str]] = {}
        self.services: list[str] = []
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def here(self, text: str) -> str:
        """A text with the host's paths as they are on the machine."""
        return PATH.sub(lambda found: f"{self.folder}{found[0]}", text)

    def path(self, name: str) -> Path:
        """Where the machine has a file of the host."""
        return Path(f"{self.folder}{name}")

    def run(self, command: str | Sequence[str], *, check: bool = True, given: str | None = None
            ) -> subprocess.CompletedProcess[str]:
        """Run a command, or a line for the shell, with this host's paths."""
        return run([self.here(word) for word in words_of(command)], check=check, given=given)

    def adopt_paths(self) -> None:
        """Let the kubeconfigs that were just installed name files where they are on the machine."""
        for path in self.folder.rglob("*"):
            if path.is_file() and b"\nkind: Config\n" in (data := path.read_bytes()):
                path.write_text(self.here(data.decode()))

    def service(self, name: str, command: Sequence[str], *, options: Sequence[str] = ()) -> None:
        """Note how a component is started."""
        self.services.append(name)
        assert not options, "a bare host has no systemd"
        self._commands[name] = [self.here(word) for word in command]

    def restart(self, name: str) -> None:
        """Start a component, after an end of the one that runs, with a new log."""
        self.stop(name)
        powerless = [] if os.geteuid() else ["--bounding-set=-all", "--inh-caps=-all"]
        with (self.folder / "log" / name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                ["setpriv", *powerless, "--no-new-privs", "--pdeathsig=KILL",
                 *self._commands[name]], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self, name: str) -> None:
        """End a component."""
        if name in self._running:
            process = self._running.pop(name)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ended(self, name: str) -> bool:
        """Whether a component has ended by itself, or was never there."""
        return name not in self._running or self._running[name].poll() is not None

    def log(self, name: str) -> str:
        """What a component has said since its last start."""
        path = self.folder / "log" / name
        return path.read_text(errors="replace") if path.exists() else ""

    def end(self) -> None:
        """Kill everything on the host."""
        for process in self._running.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def loopback_address() -> str:
    """An address of 127.0.0.0/8 of one's own: two runs at once do not meet on a port."""
    return f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"


def free_port(address: str) -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind((address, 0))
        port: int = listener.getsockname()[1]
        return port
