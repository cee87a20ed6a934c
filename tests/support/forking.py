"""kpki for many commands without the start of a Python for each: a server that forks.

`python forking.py SOCKET` serves. The text CLIENT is the program that stands for `kpki`.
"""
from __future__ import annotations

import gc
import io
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOP = Path(__file__).parents[2]

# Python's start is most of its time: only what is built in is imported.
CLIENT = """
import _socket, posix, sys
server = _socket.socket(_socket.AF_UNIX)
server.connect(sys.argv[1])
words = [word.encode("utf-8", "surrogateescape") for word in sys.argv[2:]]
words = [posix.getcwd().encode(), b"%d" % len(words), *words]
words += [name + b"=" + value for name, value in posix.environ.items()]
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
data = b"\\0".join(words) + b"\\0\\0"
sent = server.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
server.sendall(data[sent:])
posix._exit(int(server.recv(4) or b"99"))
"""


@contextmanager
def forking(folder: Path) -> Iterator[list[str]]:
    """The words that run kpki, with a server's socket in *folder*."""
    path = folder / "socket"
    environment = os.environ | {"PYTHONPATH": str(TOP)}
    with subprocess.Popen([sys.executable, __file__, path], env=environment,
                          stdout=subprocess.PIPE) as server:
        assert server.stdout and server.stdout.readline() == b"ready\n"
        yield [sys.executable, "-I", "-S", "-c", CLIENT, str(path)]
        server.kill()


def with_kpki(folder: Path, words: list[str], **others: str) -> dict[str, str]:
    """An environment with a folder of programs: `kpki`, which *words* run, and *others*, name by
    shell text."""
    for name, text in {"kpki": f'exec {shlex.join(words)} "$@"', **others}.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(TOP),
                         "LC_ALL": "C"}


def serve(path: str) -> None:
    import kpki
    from kpki.cli import app, main  # noqa: F401  what a command needs is loaded once
    for name in kpki.__all__:
        getattr(kpki, name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()     # a collection would copy all pages of a child
    gc.disable()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(32)
        print("ready", flush=True)
        while True:
            client, _ = server.accept()
            if os.fork() == 0:
                answer(client)
            client.close()


def answer(client: socket.socket) -> None:
    """One command, in a child of the server's."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    data, streams, _, _ = socket.recv_fds(client, 1 << 20, 3)
    while not data.endswith(b"\0\0"):
        data += client.recv(1 << 20)
    status = 99
    try:
        for wanted, got in enumerate(streams):
            os.dup2(got, wanted)
        folder, count, *rest = os.fsdecode(data[:-2]).split("\0")
        os.chdir(folder)
        os.environ.clear()
        for entry in rest[int(count):]:
            name, _, value = entry.partition("=")
            os.environ[name] = value
        sys.argv = ["kpki", *rest[:int(count)]]
        sys.stdin = os.fdopen(0, "r")
        # as PYTHONUNBUFFERED makes it: both outputs may lead to one place
        sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", buffering=0), write_through=True)
        sys.stderr = os.fdopen(2, "w", buffering=1)
        from kpki.cli.main import main
        try:
            status = main(sys.argv[1:])
        except SystemExit as end:       # how completion ends
            status = int(end.code or 0)
    finally:
        client.sendall(str(status).encode())
        os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
