"""The peer, Go's crypto/x509: its verdicts from a small program where Go is there, and those that
were recorded.

`python -m tests.kubernetes.verdict.peer` at the top of the checkout records verdicts.json anew.
"""
from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from kpki.kubernetes.verdict import verify_kubernetes
from tests.kubernetes.verdict.chains import CHAINS
from tests.kubernetes.verdict.golang import HERE, WANTED, build, environment, go_version, is_live
from tests.kubernetes.verdict.writer import Chain

RECORD = HERE / "verdicts.json"

# What Go's net/netip says of an address, and a URI as its net/url writes it anew, where no
# constraint fits it.
_WORDING = re.compile(r"(?<=: ParseAddr\().*$|(?<=for this name: URI ).*(?= cannot be matched| is "
                      r"(?:not|excluded))")


class Verdict(NamedTuple):
    """Accepted or not, and if not, the sentence that says why."""

    ok: bool
    reason: str


Judge = Callable[[Iterable[Chain]], list[Verdict]]


def question(chain: Chain) -> str:
    """The chain as a line of the judge's input."""
    def text(der: bytes) -> str:
        return b64encode(der).decode()
    return json.dumps({"leaf": text(chain.leaf), "roots": [*map(text, chain.roots)],
                       "untrusted": [*map(text, chain.untrusted)], "purpose": chain.purpose,
                       "hostname": chain.hostname, "at": int(chain.at.timestamp())})


def go_says(judge: Path, chains: Iterable[Chain]) -> list[Verdict]:
    """Go's verdict on each chain, from one process."""
    done = subprocess.run([judge], input="\n".join(map(question, chains)), env=environment(),
                          capture_output=True, text=True, check=True)
    return [Verdict(**json.loads(line)) for line in done.stdout.splitlines()]


def kpki_says(chain: Chain) -> Verdict:
    """kpki's verdict on it."""
    verdict = verify_kubernetes(chain.leaf, chain.roots, untrusted=chain.untrusted,
                                purpose=chain.purpose, hostname=chain.hostname, now=chain.at)
    return Verdict(verdict.ok, "" if verdict.ok else verdict.reason)


def differences(said: dict[str, Verdict], meant: dict[str, Verdict]) -> list[str]:
    """A line for each name on which the two do not say the same, word for word."""
    return [f"{name}: {said.get(name)}, not {meant.get(name)}" for name in {**meant, **said}
            if said.get(name) != meant.get(name)]


def in_kind(verdict: Verdict) -> Verdict:
    """The verdict without what two may word differently: why an address in a URI is none, and how a
    URI is quoted."""
    return Verdict(verdict.ok, _WORDING.sub("", verdict.reason))


def recorded() -> dict[str, Verdict]:
    """The verdicts of verdicts.json, by the chain's name."""
    return {name: Verdict(not reason, reason)
            for name, reason in json.loads(RECORD.read_text())["verdicts"].items()}


def record() -> None:
    """Write verdicts.json anew: the reason of each refusal, nothing where Go accepts."""
    if not is_live(go_version()):
        sys.exit(f"{WANTED} is wanted, {go_version() or 'none'} is there")
    with tempfile.TemporaryDirectory() as folder:
        verdicts = go_says(build(Path(folder)), CHAINS.values())
    reasons = {name: verdict.reason for name, verdict in zip(CHAINS, verdicts, strict=True)}
    RECORD.write_text(json.dumps({"go": go_version(), "verdicts": reasons}, indent=0,
                                 ensure_ascii=False) + "\n")


if __name__ == "__main__":
    record()
