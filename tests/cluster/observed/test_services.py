"""systemd itself is the judge of the unit reader: what it loads from a tree's folders is what kpki
reads there."""
from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest

from kpki.cluster.observed.services import services
from kpki.cluster.observed.tree import Tree
from kpki.kubernetes.units import FOLDERS
from tests.cluster.observed.trees import Files, plant
from tests.ordinary_user.user import SECONDS, credentials

SYSTEMD = Path("/usr/lib/systemd/systemd")
TARGETS = "/usr/lib/systemd/system"      # where systemd's own basic.target and the like are
ETC, RUN, LIB, LOCAL = ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system",
                        "usr/local/lib/systemd/system")
Loaded = tuple[list[list[str]], dict[str, str], list[tuple[str, bool]], str]


# Each a unit u.service, without `[Service]` and Type=oneshot at its top; `->` in a name is a link.
TEXTS = (
    "ExecStart=/usr/bin/kubelet --config=/a --kubeconfig=/b",
    "ExecStart=/usr/bin/kubelet \\\n  --config=/a \\\n  --kubeconfig=/b",
    "ExecStart=/usr/bin/kubelet \\\n# a comment between\n  --config=/a \\\n   ; another\n"
    "  --kubeconfig=/b\n",
    "ExecStart=/usr/bin/kubelet --config=/a \\",
    "ExecStart=/usr/bin/kubelet --a \\\n\nExecStart=/usr/bin/kubelet --b",
    "ExecStart=/usr/bin/kubelet --a=one\\\\\nExecStart=/usr/bin/kubelet --b",
    "  ExecStart  =   /usr/bin/kubelet   --a\t--b  ",
    "ExecStart=/usr/bin/kubelet '--a=b c' \"--d=e f\"",
    "ExecStart=/usr/bin/kubelet --a=\"b c\"d --e='f'\"g\"",
    'ExecStart=/usr/bin/kubelet '
    '--requestheader-allowed-names="aggregator,system:aggregator:kube-apiserver"',
    "ExecStart=/usr/bin/kubelet \"\" '' --a=\"\"",
    "ExecStart=/usr/bin/kubelet a\\tb \\x41\\x2d \\101 \\u00e9 \\s \\\\ \\\" \\' \"\\\"\" '\\''",
    "ExecStart=/usr/bin/kubelet \\q \\x4 \\9 \\u12",
    'ExecStart=/usr/bin/kubelet "--a=b',
    "ExecStart=/usr/bin/kubelet --a 'b\nExecStart=/usr/bin/kubelet --c",
    "ExecStart=/usr/bin/kubelet --a; --b ;--c \"x ; y\" ';'",
    "ExecStart=/usr/bin/kubelet --a ; /usr/bin/etcd --b",
    "ExecStart=/usr/bin/kubelet --a \\; --b",
    "ExecStart=-/usr/bin/kubelet --a\nExecStart=+/usr/bin/kubelet --b\n"
    "ExecStart=!!/usr/bin/kubelet --c",
    "ExecStart=-+/usr/bin/kubelet --a\nExecStart=:-/usr/bin/kubelet --b\n"
    "ExecStart=!/usr/bin/kubelet --c",
    'ExecStart=/usr/bin/kubelet $A ${B} "$C" --d=$D --e=${E} $$F',
    "ExecStart=/usr/bin/kubelet --a\nExecStart=\nExecStart=/usr/bin/kubelet --b",
    "ExecStart=/usr/bin/kubelet --a\n[Install]\nExecStart=/usr/bin/kubelet --b\n[Service]\n"
    "ExecStart=/bin/etcd --c",
    "#ExecStart=/usr/bin/kubelet --a\n ; ExecStart=/usr/bin/kubelet --b\n"
    "ExecStart=/usr/bin/kubelet --c",
    "ExecStart=/usr/bin/kubelet --a # --b",
    "ExecStart=/usr/bin/kubelet --name=%n --N=%N --p=%p --pct=%% --E=%E --S=%S --t=%t --j=%j %-",
    "ExecStart=/usr/bin/kubelet --a='%%n' \"%N\" %%%N",
    "Environment=A=b C=d \"E=f g\" 'H=i \"j\"'\nExecStart=/usr/bin/kubelet",
    'Environment="A=b=c" B=\\x41 C= D="x"y\nEnvironment=A=z\nExecStart=/usr/bin/kubelet',
    "Environment=A=b\nEnvironment=\nEnvironment=C=d\nExecStart=/usr/bin/kubelet",
    "Environment=A=b C=\\q D=e\nExecStart=/usr/bin/kubelet",
    'Environment=A=b "C=d\nEnvironment=E=f\nExecStart=/usr/bin/kubelet',
    "Environment=1A=b A-B=c _A=d A B=e\nExecStart=/usr/bin/kubelet",
    "Environment=\"ARGS=--kubeconfig /a --config /b\" \\\n  'B=c \\\n d'\n"
    "ExecStart=/usr/bin/kubelet $ARGS",
    'Environment=A=%n B=%%n C="%E/x"\nExecStart=/usr/bin/kubelet',
    "Environment=  A=b\t B=c\nExecStart=/usr/bin/kubelet",
    "EnvironmentFile=/etc/a\nEnvironmentFile=-/etc/b\nExecStart=/usr/bin/kubelet",
    "EnvironmentFile=/etc/a\nEnvironmentFile=\nEnvironmentFile=-%E/default/%p\n"
    "ExecStart=/usr/bin/kubelet",
    "EnvironmentFile=-/etc/with blank\nEnvironmentFile=-/etc/*.env\nExecStart=/usr/bin/kubelet",
    "WorkingDirectory=/var/lib/kubelet\nExecStart=/usr/bin/kubelet",
    "WorkingDirectory=-%S/kubelet\nExecStart=/usr/bin/kubelet",
    "WorkingDirectory=/a\nWorkingDirectory=\nExecStart=/usr/bin/kubelet",
    "\ufeffExecStart=/usr/bin/kubelet --a",
    "ExecStart=/usr/bin/kubelet --a\r\nEnvironment=A=b\r\n",
    "No assignment\nExecStart=/usr/bin/kubelet --a\n=x\n",
)
DROPPED = "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet "
PLAIN = "[Service]\nType=oneshot\nExecStart=/usr/bin/kubelet --unit"
TREES: tuple[tuple[str, Files], ...] = (
    ("u.service", {f"{ETC}/u.service": f"{PLAIN}=etc", f"{LIB}/u.service": f"{PLAIN}=lib"}),
    ("u.service", {f"{RUN}/u.service": f"{PLAIN}=run", f"{LIB}/u.service": f"{PLAIN}=lib"}),
    ("u.service", {f"{LOCAL}/u.service": f"{PLAIN}=local", f"{LIB}/u.service": f"{PLAIN}=lib"}),
    ("u.service", {f"{LIB}/u.service": PLAIN, f"{LIB}/u.service.d/20.conf": f"{DROPPED}--twenty",
                   f"{ETC}/u.service.d/10.conf": f"{DROPPED}--ten"}),
    ("u.service", {f"{LIB}/u.service": PLAIN, f"{LIB}/u.service.d/10.conf": f"{DROPPED}--lib",
                   f"{ETC}/u.service.d/10.conf": f"{DROPPED}--etc",
                   f"{RUN}/u.service.d/10.conf": f"{DROPPED}--run"}),
    ("u.service", {f"{LIB}/u.service": PLAIN, f"{LIB}/u.service.d/10.conf": f"{DROPPED}--lib",
                   f"{ETC}/u.service.d/10.conf": None}),
    ("u.service", {f"{LIB}/u.service": PLAIN, f"{LIB}/u.service.d/10.conf": f"{DROPPED}--lib",
                   f"{ETC}/u.service.d/10.conf": ""}),
    ("u.service", {f"{LIB}/u.service": PLAIN, f"{ETC}/u.service.d/10.conf.bak": f"{DROPPED}--bak",
                   f"{ETC}/u.service.d/9.conf": f"{DROPPED}--nine",
                   f"{ETC}/u.service.d/10.conf": f"{DROPPED}--ten"}),
    ("u.service",
     {f"{LIB}/u.service": PLAIN,
      f"{ETC}/u.service.d/a.conf": "Environment=A=b\n[Service]\nEnvironment=C=d",
      f"{ETC}/u.service.d/b.conf": "[Service]\nEnvironment=\nEnvironmentFile=-/etc/x"}),
    ("u.service", {f"{LIB}/u.service": PLAIN + " \\",
                   f"{ETC}/u.service.d/a.conf": "[Service]\nEnvironment=C=d"}),
    ("u-v-w.service", {f"{LIB}/u-v-w.service": PLAIN, f"{ETC}/u-.service.d/z.conf": f"{DROPPED}--u",
                       f"{LIB}/u-v-.service.d/a.conf": f"{DROPPED}--u-v"}),
    ("u-v-w.service", {f"{LIB}/u-v-w.service": PLAIN, f"{LIB}/u-.service.d/a.conf": f"{DROPPED}--u",
                       f"{LIB}/u-v-.service.d/a.conf": f"{DROPPED}--u-v"}),
    ("u-v-w.service", {f"{LIB}/u-v-w.service": PLAIN, f"{ETC}/u-.service.d/a.conf": f"{DROPPED}--u",
                       f"{LIB}/u-v-w.service.d/a.conf": f"{DROPPED}--own"}),
    ("u.service",
     {f"{LIB}/u.service": PLAIN, f"{ETC}/service.d/a.conf": "[Service]\nEnvironment=ALL=1"}),
    ("u.service",
     {f"{LIB}/u.service": PLAIN, f"{ETC}/service.d/a.conf": "[Service]\nEnvironment=ALL=1",
      f"{LIB}/u.service.d/a.conf": "[Service]\nEnvironment=OWN=1"}),
    ("u.service", {f"{LIB}/u.service": PLAIN, f"{LIB}/u.service.d/10.conf": f"{DROPPED}--kubeadm",
                   f"{ETC}/u.service.d/20.conf": "[Service]\nExecStart=/usr/bin/kubelet --second"}),
    ("u.service", {f"{LIB}/u.service": PLAIN,
                   f"{ETC}/v.service -> ../../../usr/lib/systemd/system/u.service": "",
                   f"{ETC}/v.service.d/a.conf": f"{DROPPED}--by-alias"}),
    ("u.service",
     {f"{LIB}/other.service": f"{PLAIN}=linked", f"{ETC}/u.service -> ../../../files/u.service": "",
      "files/u.service": f"{PLAIN}=file"}),
)
PIECES = ("--a", "=", " ", "  ", "b", "/c", '"', "'", "\\", "\\\n ", "\\x41", "\\t", "$X", "${Y}",
          "%%", "%n", ";", " ; ", "\t", "é", "#", ",", "A=b", "\\\\", '\\"')


def made_up(number: int) -> str:
    """A unit of random pieces, the same in every run."""
    chosen = random.Random(number)
    lines = [chosen.choice(("ExecStart=/usr/bin/kubelet ", "Environment=", "ExecStart=-/bin/etcd ",
                            "Environment=Q=r "))
             + "".join(chosen.choices(PIECES, k=chosen.randrange(1, 12)))
             for _ in range(chosen.randrange(1, 4))]
    return "\n".join([*lines, "ExecStart=/usr/bin/kubelet --last"])


def body(text: str) -> str:
    mark = "\ufeff" * text.startswith("\ufeff")
    return f"{mark}[Service]\nType=oneshot\n{text.removeprefix(mark)}"


ALL = [body(text) for text in TEXTS] + [body(made_up(number)) for number in range(80)]
ONE_TREE: Files = {
    **{f"{ETC}/n{number}.service": text for number, text in enumerate(ALL)},
    f"{ETC}/all.target": "[Unit]\nWants="
    + " ".join(f"n{number}.service" for number in range(len(ALL)))}


LOADED = "\n\t\tUnit Load State: loaded\n"


def dump(root: Path, unit: str) -> dict[str, str]:
    """What systemd says of each service that it loads from a tree for the sake of *unit*; it starts
    nothing.

    systemd refuses --test to root, so that an ordinary user must be able to read the tree. No
    generators run: they take most of the time, and read the machine.
    """
    assert SYSTEMD.exists(), "systemd is not here: apt-get install systemd"
    folders = [str(root / folder) for folder in FOLDERS if (root / folder).is_dir()]
    done = subprocess.run(
        [SYSTEMD, "--test", "--system", f"--unit={unit}"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True,
        timeout=SECONDS, check=False, **credentials(),
        env={"SYSTEMD_UNIT_PATH": ":".join([*folders, TARGETS]), "SYSTEMD_GENERATOR_PATH": "",
             "SYSTEMD_ENVIRONMENT_GENERATOR_PATH": "", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"})
    units = {part.partition(":\n")[0]: part
             for part in re.split(r"^\t-> Unit ", done.stdout, flags=re.MULTILINE)}
    assert LOADED in units.get(unit, ""), (f"systemd ended with {done.returncode}, {unit} not "
                                           f"loaded:\n{done.stderr}")
    return {name: part for name, part in units.items() if "\n\t\tService State:" in part}


def loaded(part: str) -> Loaded | None:
    """What a dumped service says; None for one that systemd refuses."""
    if LOADED not in part:
        return None
    commands = [words(line)
                for line in re.findall(r"^\t\t\tCommand Line: (.*)$", part, re.MULTILINE)]
    environment = dict(line.split("=", 1)
                       for line in re.findall(r"^\t\tEnvironment: (.*)$", part, re.MULTILINE))
    files = [(path.removeprefix("-"), path.startswith("-"))
             for path in re.findall(r"^\t\tEnvironmentFile: (.*)$", part, re.MULTILINE)]
    folder = re.search(r"^\t\tWorkingDirectory: (.*)$", part, re.MULTILINE)
    return commands, environment, files, (folder[1] if folder else "") or "/"


_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_ESCAPED = re.compile(r"\\(x..|[0-7]{3}|.)", re.DOTALL)


def words(line: str) -> list[str]:
    """The words of a dumped command line."""
    plain = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
    return [_ESCAPED.sub(lambda found: plain.get(found[1], found[1]), quoted) if not bare else bare
            for quoted, bare in _QUOTED.findall(line)]


def read(root: Path) -> dict[str, Loaded]:
    """The same of each service of a tree, as kpki reads it."""
    return {service.name: (
        [[word.text for word in command.words] for command in reversed(service.commands)],
        {name: word.text for name, word in service.environment.items()},
        [(path, optional) for path, optional, _ in service.environment_files], service.folder)
        for _, service, _ in services(Tree(str(root)), re.compile(""))}


def test_a_unit_is_read_as_systemd_loads_it(shared_path: Path) -> None:
    """Commands, variables, environment files and working directory are those that systemd loads,
    unit by unit."""
    root = plant(shared_path / "root", ONE_TREE)
    theirs = {name: what for name, part in dump(root, "all.target").items() if name[0] == "n"
              if (what := loaded(part))}
    ours = read(root)
    assert len(theirs) > 100
    assert {name: ours[name] for name in theirs} == theirs


@pytest.mark.parametrize("number", range(len(TREES)))
def test_the_files_of_a_unit_are_those_of_systemd(number: int, shared_path: Path) -> None:
    """Of units, drop-ins, masks and aliases in several folders those count that count for systemd,
    in its order."""
    name, files = TREES[number]
    root = plant(shared_path / "root", files)
    theirs = loaded(dump(root, name)[name])
    assert theirs is not None
    assert read(root)[name] == theirs


@pytest.mark.parametrize("files", [
    {f"{LIB}/u.service": PLAIN, f"{ETC}/u.service": None},
    {f"{LIB}/u.service": PLAIN, f"{ETC}/u.service": ""},
    {f"{LIB}/u.service": PLAIN, f"{RUN}/u.service": None},
    {f"{LIB}/u@.service": PLAIN},
    {f"{LIB}/u.service.bak": PLAIN, f"{LIB}/u.conf": PLAIN,
     f"{LIB}/u.service.wants/v.service": PLAIN}])
def test_a_masked_unit_is_none(files: Files, tmp_path: Path) -> None:
    """A masked unit, a template and a file of another name start nothing."""
    assert read(plant(tmp_path, files)) == {}
