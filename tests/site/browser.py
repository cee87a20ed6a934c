"""A headless chromium, driven over a pipe by its own protocol (Chrome DevTools Protocol)."""
from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 60    # for any one answer


@dataclass
class Page:
    """One tab: what it loaded, and what it complained of."""

    to: int
    back: int
    session: str = ""
    number: int = 0
    waiting: bytes = b""
    addresses: list[str] = field(default_factory=list)
    """The address of each request."""
    complaints: list[str] = field(default_factory=list)
    """Errors of the console and of scripts, and answers with an error status."""
    loaded: int = 0

    def call(self, method: str, **words: Any) -> Any:
        """The result of a method of the protocol."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": words}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        return self._until(lambda told: told.get("id") == message["id"])["result"]

    def open(self, address: str) -> None:
        """Load a page, and wait for its end."""
        before = self.loaded
        self.call("Page.navigate", url=address)
        self._until(lambda _: self.loaded > before)

    def value(self, script: str) -> Any:
        """The value of a script's expression."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                          awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The value of a script's expression as soon as it is true."""
        deadline = time.monotonic() + SECONDS
        while not (value := self.value(script)):
            assert time.monotonic() < deadline, f"{script} is never true"
            select.select([self.back], [], [], 0.05)
        return value

    def _until(self, is_awaited: Any) -> Mapping[str, Any]:
        deadline = time.monotonic() + SECONDS
        while True:
            while b"\0" in self.waiting:
                line, _, self.waiting = self.waiting.partition(b"\0")
                told: Mapping[str, Any] = json.loads(line)
                self._note(told)
                if is_awaited(told):
                    assert "error" not in told, told
                    return told
            assert select.select([self.back], [], [], max(0, deadline - time.monotonic()))[0]
            self.waiting += os.read(self.back, 1 << 20)

    def _note(self, told: Mapping[str, Any]) -> None:
        words = told.get("params", {})
        match told.get("method"):
            case "Page.loadEventFired":
                self.loaded += 1
            case "Network.requestWillBeSent":
                self.addresses.append(words["request"]["url"])
            case "Network.responseReceived" if words["response"]["status"] >= 400:
                self.complaints.append(f"{words['response']['status']} {words['response']['url']}")
            case "Network.loadingFailed" if not words.get("canceled"):
                self.complaints.append(f"not loaded: {words['errorText']}")
            case "Runtime.exceptionThrown":
                self.complaints.append(str(words["exceptionDetails"]))
            case "Log.entryAdded" if words["entry"]["level"] == "error":
                self.complaints.append(str(words["entry"]["text"]))
            case "Runtime.consoleAPICalled" if words["type"] in ("error", "assert"):
                self.complaints.append(str(words["args"]))


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A tab of a new browser, whose profile is in *folder*."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "the test of the site needs Debian's chromium"
    theirs, to = os.pipe()
    back, answers = os.pipe()
    line = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking",
            f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank"]
    # the browser reads descriptor 3 and writes descriptor 4
    high = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs, answers)]

    def join() -> None:
        for number, end in zip((3, 4), high, strict=True):
            os.dup2(end, number)
    with subprocess.Popen(line, pass_fds=(3, 4), preexec_fn=join,
                          stderr=subprocess.DEVNULL) as run:
        for end in high:
            os.close(end)
        os.close(theirs)
        os.close(answers)
        page = Page(to, back)
        try:
            target = page.call("Target.createTarget", url="about:blank")["targetId"]
            page.session = page.call("Target.attachToTarget", targetId=target,
                                     flatten=True)["sessionId"]
            for room in ("Page", "Network", "Runtime", "Log"):
                page.call(f"{room}.enable")
            yield page
        finally:
            run.terminate()
            os.close(to)
            os.close(back)
