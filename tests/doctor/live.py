"""Real servers on loopback: openssl's, one built with Go, and those that are no TLS servers at
all."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kubernetes.verdict.golang import environment

SOURCE = Path(__file__).parent / "server"
LOOPBACK = "127.0.0.1"


def build(folder: Path) -> Path:
    """The Go server, compiled into *folder*."""
    program = folder / "server"
    subprocess.run(["go", "build", "-o", program, "."], cwd=SOURCE, env=environment(), check=True)
    return program


@contextmanager
def running(*command: str | Path) -> Iterator[str]:
    """A server while the block runs; its address, which the server prints: the last word of its
    line with a port."""
    with subprocess.Popen(
        [*map(str, command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL,
    ) as server:
        assert server.stdout
        try:
            line = next(
                (line for line in server.stdout if re.search(r"127\.[\d.]+:\d", line)), None
            )
            assert line, f"{command} has ended"
            yield line.split()[-1]
        finally:
            server.kill()


@contextmanager
def openssl_server(folder: Path, *options: str | Path, pair: str = "server") -> Iterator[str]:
    """`openssl s_server -www`, with a pair of the folder."""
    with running(
        "openssl",
        "s_server",
        "-accept",
        f"{LOOPBACK}:0",
        "-cert",
        folder / f"{pair}.crt",
        "-key",
        folder / f"{pair}.key",
        "-www",
        *options,
    ) as address:
        yield address


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what the function does."""

    def talk(link: socket.socket) -> None:
        with link:
            answer(link)

    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    link, _ = listener.accept()
                except OSError:  # the block has ended
                    return
                threading.Thread(target=talk, args=[link], daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def silent(link: socket.socket) -> None:
    """Never answer, until the other side goes."""
    while link.recv(65536):
        pass


def http(link: socket.socket) -> None:
    """Answer as Go's plain HTTP server does: wait for a whole line, and refuse what is no
    request."""
    octets = b""
    while b"\n" not in octets and (more := link.recv(65536)):
        octets += more
    link.sendall(
        b"HTTP/1.1 200 OK\r\n\r\n"
        if octets.startswith(b"GET ")
        else b"HTTP/1.1 400 Bad Request\r\n\r\n"
    )


def http_by_lines(link: socket.socket) -> None:
    """Answer a request alone: what is none is waited out."""
    octets = link.recv(65536)
    if octets.startswith(b"GET "):
        link.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    else:
        silent(link)


def ssh(link: socket.socket) -> None:
    """Speak first, and no TLS."""
    link.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    silent(link)


def closes(link: socket.socket) -> None:
    """Hang up without a word."""
    link.recv(1)
