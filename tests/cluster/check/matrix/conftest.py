"""Healthy trees, each made once, and the commands that break nothing: kpki in process, and a shell
that finds it."""
from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from kpki import files, pem
from kpki.cli.main import main
from kpki.clock import utc_now
from tests.cluster.check.matrix.mutations import Trial
from tests.cluster.check.matrix.trees import (
    ALGORITHMS,
    Healthy,
    Tree,
    beside,
    healthy,
    stray_authorities,
)
from tests.support.forking import with_kpki

Told = tuple[str, str, str | None, str]     # cause, severity, host, path
SECONDS = 60    # for any one command; none takes one


class Bench:
    """A folder with one tree in it, broken or not, and the commands that are run there."""

    def __init__(self, folder: Path, trial: Trial, cluster: Healthy, tree: Tree,
                 shell: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.trial, self.cluster, self.tree = folder, trial, cluster, tree
        self._shell, self._capsys = shell, capsys

    @property
    def check(self) -> str:
        """The command line that looks at the tree."""
        return {"workspace": "kpki check cluster",
                "given": f"kpki check host --node {self.trial.host} --ca ca/ca.crt --ca-key "
                "ca/ca.key"}.get(self.trial.situation, f"kpki check host --node {self.trial.host}")

    def findings(self) -> tuple[int, list[Told], list[tuple[str, ...]]]:
        """Exit status, what is wrong, and the remedy of each."""
        status, out = self._kpki(f"{self.check} --json")
        assert out.startswith("{"), out
        found = json.loads(out)["findings"]
        return (status, [(item["cause"], item["severity"], item["host"], item["path"])
                         for item in found], [tuple(item["remedy"]) for item in found])

    def printed(self) -> list[str]:
        """The lines of the remedies as a person sees them."""
        _, out = self._kpki(self.check)
        lines = [line.removeprefix(" " * 9) for line in out.splitlines()]
        return [line.removeprefix("$ ") for line in lines if line.startswith(("$ ", "#"))]

    def mend(self, remedies: Iterable[tuple[str, ...]]) -> None:
        """Run the lines of each remedy in order; one that is the last one's again was printed
        once."""
        for _ in self.each_line(remedies):
            pass

    def each_line(self, remedies: Iterable[tuple[str, ...]]) -> Iterator[str]:
        """The same, and each line once it has been run."""
        last: tuple[str, ...] = ()
        for remedy in remedies:
            for line in remedy if remedy != last else ():
                if not line.startswith("#"):
                    self._run(line)
                    yield line
            last = remedy

    def _run(self, line: str) -> None:
        line = self._at_the_ca(line)
        if line.startswith("kpki ") and not {*line} & {*"|&;<>()$`*?[]~#"}:
            status, out = self._kpki(line)
            assert status == 0, f"{line}\n{out}"
            return
        done = subprocess.run(["sh", "-ec", line], cwd=self.folder,
                              env=self._shell, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}"

    def _at_the_ca(self, line: str) -> str:
        """The words that name the CA where a control-plane host has it, as the paths of the one
        that is here."""
        if self.trial.situation != "alone":
            return line
        place = self.cluster.layout.place("ca")
        here = {f"/{place.certificate}": "ca/ca.crt", f"/{place.key}": "ca/ca.key"}
        return " ".join(here.get(word, word) for word in line.split(" "))

    def _kpki(self, line: str) -> tuple[int, str]:
        self._capsys.readouterr()
        status = main(shlex.split(line)[1:])
        told = self._capsys.readouterr()
        assert "Traceback" not in told.err
        return status, told.out if status == 0 or told.out else told.err


@pytest.fixture(scope="session")
def clusters() -> Callable[[str, str], tuple[Healthy, Tree]]:
    """The healthy cluster of a layout and a kind of keys, made once, and a tree that knows another
    cluster's CAs."""
    now, made = utc_now(), dict[tuple[str, str], tuple[Healthy, Tree]]()

    def cluster(layout: str, keys: str) -> tuple[Healthy, Tree]:
        if (layout, keys) not in made:
            model = healthy(layout, ALGORITHMS[keys], now)
            made[layout, keys] = model, Tree(Path(), "", model, stray_authorities(model))
        return made[layout, keys]
    return cluster


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory, kpki_words: list[str]) -> dict[str, str]:
    """An environment in which the command `kpki` is this checkout's."""
    return with_kpki(tmp_path_factory.mktemp("bin"), kpki_words)


def put(root: Path, found: Iterable[files.File]) -> None:
    """Files on disk, as quickly as it goes."""
    for item in found:
        path = root / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item.data)
        path.chmod(item.mode)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
          shell: dict[str, str],
          clusters: Callable[[str, str], tuple[Healthy, Tree]]) -> Callable[[Trial], Bench]:
    """A trial's healthy tree in a folder of its own, where the commands run."""
    monkeypatch.chdir(tmp_path)

    def make(trial: Trial) -> Bench:
        cluster, pattern = clusters(trial.layout, trial.keys)
        if trial.situation == "workspace":
            put(tmp_path / "cluster", cluster.files.values())
            (tmp_path / "cluster/cluster.yaml").write_text(cluster.description)
            root = tmp_path / "cluster/nodes" / trial.host
        else:
            root = tmp_path / "host"
            put(root, cluster.of_host(trial.host))
            put(root, (files.File(path, text.encode(), 0o644)
                       for path, text in beside(cluster, trial.host).items()))
        if trial.situation in ("given", "alone"):
            ca = cluster.roots["ca"]
            put(tmp_path / "ca",
                [files.File("ca.crt", ca.bundle, 0o644),
                 files.File("ca.key", pem.dump_key(ca.key, form="traditional"), 0o600)])
        return Bench(tmp_path, trial, cluster, Tree(root, trial.host, cluster, pattern.stray),
                     shell, capsys)
    return make
