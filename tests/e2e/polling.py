"""Clients that ask all the time, each request on a new TLS connection: run by a test in a host's
network.

`python polling.py CONFIG` reads a list of clients from a JSON file, and asks until its standard
input ends. The counts and the failures of each client are then in the file CONFIG.out.
`python polling.py balance ADDRESS BACKEND…` passes connections on to API servers that say that they
are ready. `python polling.py aggregated ADDRESS SERVER KUBECONFIG PAIR` is an aggregated API
server: it verifies who asks by the ConfigMap of the API servers, and answers with the user's name.
"""
from __future__ import annotations

import base64
import http.client
import http.server
import json
import os
import re
import selectors
import socket
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

TIMEOUT = 10
PAUSE = 0.15        # seconds between two requests of a client
AGAIN = re.compile("apiserver is shutting down")    # what client-go asks again, as it does an EOF
# What an API server answers for a moment after its start, by the kind of client: it has not asked
# an aggregated server yet, or it knows the user but no role. A client that asks on gets its answer.
SOON = {"aggregated": re.compile("service unavailable|page not found|could not find the requested"),
        "direct": re.compile("403 .*forbidden: User", re.DOTALL)}
# no server listens, or the server ends: nothing about a certificate or a token
AWAY = re.compile("ConnectionRefusedError|ConnectionResetError|SSLEOFError|RemoteDisconnected|"
                  "TimeoutError|503 .*apiserver is shutting down", re.DOTALL)
PATIENCE = 20       # seconds that a client asks on
GROUP = "demo.kpki.example"
CLIENT_CAS = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"


class Client:
    """One client: its files are read anew for each request."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.wanted, self.asked, self.again, self.away = wanted, 0, 0, 0
        self.failures: list[str] = []

    def run(self, end: threading.Event) -> None:
        """Ask until the end."""
        while not end.wait(PAUSE):
            failure, excused = self._ask()
            if failure and excused:
                self.again += 1
                time.sleep(0.3)
                failure, _ = self._ask()
            soon = [answer for kind, answer in SOON.items() if kind in self.wanted]
            latest = time.monotonic() + PATIENCE
            while any(answer.search(failure) for answer in soon) and time.monotonic() < latest:
                time.sleep(0.3)
                failure, _ = self._ask()
            self.asked += 1
            if failure and "direct" in self.wanted and AWAY.match(failure):
                self.away += 1      # the one server of this client is being restarted
                continue
            if failure:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {failure}")

    def _ask(self) -> tuple[str, bool]:
        """Why a request failed, and whether client-go would ask again; "" for a good answer."""
        try:
            host, _, port = self.wanted["server"].rpartition(":")
            connection = http.client.HTTPSConnection(host, int(port), timeout=TIMEOUT,
                                                     context=self._context())
            connection.request("GET", self.wanted["path"], headers=self._headers())
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            connection.close()
        except ssl.SSLCertVerificationError as error:
            return f"{error}", False
        except (ssl.SSLEOFError, ConnectionError, http.client.RemoteDisconnected) as error:
            return f"{type(error).__name__}: {error}", True
        except (OSError, ValueError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}", False
        if answer.status == 200:
            return "", False
        return f"{answer.status} {text[:200]}", bool(AGAIN.search(text))

    def document(self, path: str) -> dict[str, Any]:
        """What the server has at a path; empty if the request fails."""
        host, _, port = self.wanted["server"].rpartition(":")
        try:
            connection = http.client.HTTPSConnection(host, int(port), timeout=TIMEOUT,
                                                     context=self._context())
            connection.request("GET", path)
            answer = connection.getresponse()
            found: dict[str, Any] = json.loads(answer.read()) if answer.status == 200 else {}
            connection.close()
        except (OSError, ValueError, http.client.HTTPException):
            return {}
        return found

    def _headers(self) -> dict[str, str]:
        headers = dict(self.wanted.get("headers", {}))
        if token := self.wanted.get("token"):
            headers["Authorization"] = f"Bearer {Path(token).read_text().strip()}"
        return headers

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = True
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if kubeconfig := self.wanted.get("kubeconfig"):
            text = Path(kubeconfig).read_text()
            context.load_verify_locations(cadata=_embedded(text, "certificate-authority"))
            with tempfile.NamedTemporaryFile("w") as pair:
                pair.write(_embedded(text, "client-certificate") + _embedded(text, "client-key"))
                pair.flush()
                context.load_cert_chain(pair.name)
            return context
        context.load_verify_locations(cadata=Path(self.wanted["ca"]).read_text())
        if certificate := self.wanted.get("certificate"):
            context.load_cert_chain(certificate, self.wanted["key"])
        return context


def _embedded(text: str, name: str) -> str:
    found = re.search(rf"{name}-data: (\S+)", text)
    assert found
    return base64.b64decode(found[1]).decode()


def poll(config: Path) -> None:
    """Ask as all clients of a file, until standard input ends."""
    clients = {name: Client(wanted) for name, wanted in json.loads(config.read_text()).items()}
    end = threading.Event()
    threads = [threading.Thread(target=client.run, args=(end,)) for client in clients.values()]
    for thread in threads:
        thread.start()

    def write() -> None:
        found = {name: {"asked": client.asked, "again": client.again, "away": client.away,
                        "failures": client.failures} for name, client in clients.items()}
        staged = config.with_suffix(".new")
        staged.write_text(json.dumps(found))
        staged.rename(config.with_suffix(".out"))
    while not selected(0.3):
        write()
    end.set()
    for thread in threads:
        thread.join()
    write()


def selected(seconds: float) -> bool:
    """Whether standard input has ended, after at most so many seconds."""
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        return bool(selector.select(seconds)) and not os.read(0, 1)


def balance(address: str, backends: list[str]) -> None:
    """Pass each connection on to an API server that is ready, the next in turn."""
    ready = dict.fromkeys(backends, False)

    def watch(backend: str) -> None:
        host, _, port = backend.rpartition(":")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        while True:
            try:
                connection = http.client.HTTPSConnection(host, int(port), timeout=2,
                                                         context=context)
                connection.request("GET", "/readyz")
                ready[backend] = connection.getresponse().status == 200
                connection.close()
            except (OSError, http.client.HTTPException):
                ready[backend] = False
            time.sleep(0.3)

    def serve(client: socket.socket, number: int) -> None:
        order = sorted(backends, key=lambda backend: (not ready[backend],
                                                      (backends.index(backend) - number) % 2))
        for backend in order:
            host, _, port = backend.rpartition(":")
            try:
                server = socket.create_connection((host, int(port)), timeout=2)
            except OSError:
                continue
            server.settimeout(None)
            threading.Thread(target=copy, args=(client, server), daemon=True).start()
            copy(server, client)
            return
        client.close()

    for backend in backends:
        threading.Thread(target=watch, args=(backend,), daemon=True).start()
    host, _, port = address.rpartition(":")
    with socket.create_server((host, int(port)), backlog=128) as listening:
        number = 0
        while True:
            client, _ = listening.accept()
            number += 1
            threading.Thread(target=serve, args=(client, number), daemon=True).start()


def copy(source: socket.socket, target: socket.socket) -> None:
    """Copy all octets, then the end."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            end.close()


class Aggregated(http.server.BaseHTTPRequestHandler):
    """An aggregated API: what its group has, and for all else the name of the user who asks."""

    def do_GET(self) -> None:
        """Answer one request."""
        answer: dict[str, Any] = {"user": self.headers.get("X-Remote-User")}
        if self.path.partition("?")[0] == f"/apis/{GROUP}/v1":
            answer = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/v1",
                      "resources": []}
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Write no log."""


class AggregatedServer(http.server.ThreadingHTTPServer):
    """Verifies each client by the CAs that the ConfigMap has at that moment."""

    daemon_threads = True

    def __init__(self, address: str, asker: Client, pair: Path) -> None:
        host, _, port = address.rpartition(":")
        self.asker, self.pair, self.cas = asker, pair, ""
        threading.Thread(target=self._watch, daemon=True).start()
        super().__init__((host, int(port)), Aggregated)

    def _watch(self) -> None:
        while True:
            document = self.asker.document(CLIENT_CAS)
            self.cas = document.get("data", {}).get("requestheader-client-ca-file") or self.cas
            time.sleep(0.2)

    def get_request(self) -> tuple[Any, Any]:
        """A connection of a client whose certificate one of the CAs has signed."""
        connection, client = super().get_request()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=self.cas)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.pair)
        connection.settimeout(TIMEOUT)
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), \
            client

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that is refused."""


if __name__ == "__main__":
    if sys.argv[1] == "balance":
        balance(sys.argv[2], sys.argv[3:])
    elif sys.argv[1] == "aggregated":
        AggregatedServer(sys.argv[2], Client({"server": sys.argv[3], "kubeconfig": sys.argv[4]}),
                         Path(sys.argv[5])).serve_forever()
    else:
        poll(Path(sys.argv[1]))
