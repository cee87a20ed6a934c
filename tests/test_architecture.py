"""The arrows of the house: who may import whom, and who may touch the disk, the clock, the network,
the terminal.

Each rule is a function from sources (path → text) to its complaints, so that it can be shown to
fail on made-up ones.
"""
from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

Sources = dict[str, str]
Rule = Callable[[Sources], list[str]]

TOP = Path(__file__).parent.parent
TREE: Sources = {
    path.relative_to(TOP).as_posix(): path.read_text()
    for folder in ("kpki", "tests") for path in sorted((TOP / folder).rglob("*.py"))
}

# Room → the other rooms it may import. "front" is kpki/__init__.py: a table of the library's names.
BELOW_CLUSTER = {"errors", "arguments", "pem", "clock", "documents", "stages", "kubernetes",
                 "files", "hsm"}
BELOW_CLI = BELOW_CLUSTER | {"cluster", "doctor", "lessons"}
ARROWS = {
    "errors": set[str](),
    "arguments": {"errors"},
    "pem": {"errors"},
    "files": {"errors"},
    "hsm": {"errors"},
    "clock": set[str](),
    "documents": {"errors"},
    "stages": {"errors", "pem", "clock"},
    "kubernetes": {"errors", "pem", "clock", "documents", "stages"},
    "cluster": BELOW_CLUSTER,
    "doctor": BELOW_CLUSTER | {"cluster"},
    "lessons": BELOW_CLUSTER | {"cluster", "doctor", "front"},
    "testing": BELOW_CLI,
    "front": BELOW_CLI,
    "cli": BELOW_CLI | {"front", "testing"},
    "__main__": {"cli"},
}

# The rooms of cluster/ → the rooms beside them that they may import, and what those may import.
CLUSTER = {
    "authority": set[str](), "finding": set[str](), "desired": set[str](), "fleet": set[str](),
    "observed": {"desired", "finding"},
    "rules": {"observed", "fleet", "authority"},
    "leaf_files": {"rules"},
    "workspace": {"observed"},
    "flags": {"workspace", "authority"}, "kubeconfig_order": set(),
    "authority_source": {"authority", "desired"},
    "users": {"workspace", "authority_source", "kubeconfig_order"},
    "plan": {"leaf_files", "workspace"}, "node": {"leaf_files", "workspace", "authority_source"},
    "script": {"plan"},
    "adopt": {"workspace", "authority"},
    "check": {"flags", "users", "plan", "node", "script", "adopt"},
    "offline": {"plan", "node"},
    "lifecycle": {"plan", "node", "script", "offline"}, "leak": {"lifecycle"},
    "graph": {"check", "lifecycle"},
}

# What only some rooms may name → the rooms (a path's beginning), and the parameter that makes it
# right elsewhere: a function that lets its caller give the value may have the world's own as the
# default.
WORLD: dict[str, tuple[str, tuple[str, ...], str | None]] = {
    "disk": (
        r"open|(io|os|codecs)\.open|os\.(fdopen|renames?|replace|remove|removedirs|unlink|rmdir|"
        r"mkdir|makedirs|mkfifo|listdir|scandir|f?walk|l?stat|[lf]?chmod|[lf]?chown|link|symlink|"
        r"readlink|truncate|utime|access|f?sync)|os\.path\.(l?exists|isfile|isdir|islink|getsize|"
        r"getmtime|realpath|samefile)|(shutil|tempfile|glob|fileinput|fcntl|mmap)(\..*)?"
        r"|pathlib\.(Posix)?Path(\..*)?|.*\.(read|write)_(text|bytes)",
        ("kpki/files",), None),
    "network": (r"(http|urllib\.request|ssl)(\..*)?|socket\.(?!gethostname|getfqdn).*",
                ("kpki/doctor/probe.py", "kpki/testing/"), None),
    "programs": (r"subprocess(\..*)?|os\.(system|popen|fork|exec\w+|spawn\w+|posix_spawnp?)",
                 ("kpki/lessons/", "kpki/doctor/journal.py"), None),
    "terminal": (r"print|input|sys\.(stdin|stdout|stderr)(\..*)?", ("kpki/cli/",), None),
    "printed text": (r"print|typer\.s?echo|sys\.(stdout|stderr)\.(write|writelines|buffer(\..*)?)",
                     ("kpki/cli/terminal.py",), None),
    "clock": (r"datetime\.datetime\.(now|utcnow|today)|datetime\.date\.today|time\.(time(_ns)?|"
              r"localtime|gmtime)", ("kpki/clock.py", "kpki/cli/"), None),
    "environment": (r"os\.(environb?(\..*)?|getenvb?|putenv)", ("kpki/cli/",), None),
    "host name": (r"socket\.(gethostname|getfqdn)|platform\.node|os\.uname", ("kpki/cli/",), None),
    "randomness": (r"random(\..*)?|uuid(\..*)?|secrets(\..*)?|os\.u?random|"
                   r"cryptography\.x509\.random_serial_number",
                   # salts, of no meaning
                   ("kpki/cli/", "kpki/files", "kpki/stages/encryption.py"), "serial_number"),
}

# Modules that cost a start-up some milliseconds → where they may be imported outside a function.
COSTLY = {"yaml": (), "rich": (), "OpenSSL": (), "importlib.metadata": (), "pydantic": (),
          "typer": ("kpki/cli/",)}
ONLY_IN = {"typer": "kpki/cli/", "rich": "kpki/cli/"}
LONGEST = 400
# What a script needs is gathered while its pieces are written, by and for one function.
AT_WORK = {"kpki/cluster/script/steps.py"}
DATA_ONLY = {"kpki/stages/objects.py"}


parsed = cache(ast.parse)


@pytest.fixture(scope="module", autouse=True)
def memory() -> Iterator[None]:
    """The trees of all modules are large, and each test that forks would copy their pages."""
    yield
    parsed.cache_clear()


def package(sources: Sources) -> Iterator[tuple[str, ast.Module]]:
    return ((path, parsed(text)) for path, text in sources.items() if path.startswith("kpki/"))


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "front"


def imports(tree: ast.AST, path: str) -> Iterator[tuple[int, str, str, str | None]]:
    """Each imported name as (line, local name, module, name in it or None), relative ones made
    absolute."""
    here = path.removesuffix(".py").split("/")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.asname or alias.name, alias.name, None
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[:len(here) - node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            yield from ((node.lineno, alias.asname or alias.name, module, alias.name)
                        for alias in node.names)


def is_typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING",
                                                                   "typing.TYPE_CHECKING"}


def at_once(node: ast.AST) -> Iterator[ast.stmt]:
    """The import statements under *node* that run when its module is loaded."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not isinstance(child,
                            ast.FunctionDef | ast.AsyncFunctionDef) and not is_typing_only(child):
            yield from at_once(child)


def edges(sources: Sources) -> Iterator[tuple[str, int, str]]:
    """(path, line, module of kpki that it imports)."""
    known = {module_of(path) for path in sources if path.startswith("kpki/")}
    for path, tree in package(sources):
        for line, _, module, name in imports(tree, path):
            if module.split(".")[0] == "kpki":
                inner = f"{module}.{name}"
                yield (path, line,
                       inner if inner in known or (module == "kpki" and name in ARROWS) else module)


def arrows(sources: Sources) -> list[str]:
    """A room imports itself and what stands below it; nothing imports cli."""
    known = [(path, line, room_of(module_of(path)), room_of(module))
             for path, line, module in edges(sources)]
    strange = [f"{path}: no such room" for path, _ in package(sources)
               if room_of(module_of(path)) not in ARROWS]
    return strange + [f"{path}:{line} imports {there}" for path, line, here, there in known
                      if here != there and there not in ARROWS.get(here, ())]


def reachable(table: Mapping[str, set[str]], start: str) -> set[str]:
    """What *start* may import by a table of arrows, directly or by way of others."""
    seen, waiting = set[str](), [start]
    while waiting:
        new = table.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen


def cluster_arrows(sources: Sources) -> list[str]:
    """A room of cluster/ imports itself and what stands below it."""
    inner = [(path, line, room_of(module_of(path).removeprefix("kpki.")),
              room_of(module.removeprefix("kpki.")))
             for path, line, module in edges(sources)
             if all(is_of(item, "kpki.cluster") for item in (module_of(path), module))]
    strange = [f"{path}: no such room" for path, _ in package(sources)
               if path.startswith("kpki/cluster/")
               and room_of(module_of(path).removeprefix("kpki.")) not in {*CLUSTER, "front"}]
    return strange + [f"{path}:{line} imports {there}" for path, line, here, there in inner
                      if there not in {here, "front", *reachable(CLUSTER, here)}]


def front_door(sources: Sources) -> list[str]:
    """kpki/__init__.py loads no room by itself, and has never heard of cli."""
    door = "kpki/__init__.py"
    if door not in sources:
        return []
    tree = ast.parse(sources[door])
    loaded = [node for node in at_once(tree)
              if any(is_of(module, "kpki") for _, _, module, _ in imports(node, door))]
    named = [node for node in ast.walk(tree)
             if isinstance(node, ast.Constant)
             and re.match(r"(kpki\.|\.)?cli(\.|$)", str(node.value))]
    return [f"{door}:{node.lineno} loads a room at once" for node in loaded] \
        + [f"{door}:{node.lineno} names cli" for node in named]


def cycles(sources: Sources) -> list[str]:
    """No module reaches itself, imports inside functions included; the front door's typing block is
    left out."""
    graph: dict[str, set[str]] = {}
    for path, _, module in edges(sources):
        if path != "kpki/__init__.py" and module != module_of(path):
            graph.setdefault(module_of(path), set()).add(module)

    return [f"{module} imports itself, by way of others" for module in graph
            if module in reachable(graph, module)]


def world(sources: Sources) -> list[str]:
    """Disk, network, programs, terminal, clock, environment, host name and randomness each have
    their rooms."""
    complaints = []
    for path, tree in package(sources):
        for name, line, parameters in names(tree, meanings(tree, path), frozenset()):
            for what, (pattern, rooms, parameter) in WORLD.items():
                if (re.fullmatch(pattern, name) and not path.startswith(rooms)
                    and parameter not in parameters):
                    complaints.append(f"{path}:{line} {what}: {name}")
    return complaints


def meanings(tree: ast.Module, path: str) -> dict[str, str]:
    """Local name → what it stands for in full; a name that was not imported and is no builtin
    stands for nothing."""
    full = {"open": "open", "print": "print", "input": "input"}
    for _, local, module, name in imports(tree, path):
        top = local.split(".")[0]
        full[top] = top if "." in local else f"{module}.{name}" if name else module
    return full


def names(node: ast.AST, full: dict[str, str],
          parameters: frozenset[str]) -> Iterator[tuple[str, int, frozenset[str]]]:
    """Each dotted name read under *node*, by its full name, with the parameters of the functions
    round it."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        parameters |= {argument.arg for argument in given}
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        head, _, rest = ast.unparse(node).partition(".")
        yield f"{full.get(head, '')}.{rest}".removesuffix("."), node.lineno, parameters
        if re.fullmatch(r"[\w.]+", f"{head}.{rest}"):
            return  # a plain dotted name: its beginning is no name of its own
    for child in ast.iter_child_nodes(node):
        yield from names(child, full, parameters)


def is_of(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def costly(sources: Sources) -> list[str]:
    """What is slow to import is imported inside functions; typer and rich belong to cli alone."""
    complaints = []
    for path, tree in package(sources):
        everywhere = {(line, f"{module}.{name}") for line, _, module, name in imports(tree, path)}
        first = {(line, f"{module}.{name}") for node in at_once(tree)
                 for line, _, module, name in imports(node, path)}
        complaints += [f"{path}:{line} imports {slow} outside a function" for line, module in first
                       for slow, rooms in COSTLY.items() if is_of(module, slow)
                       and not path.startswith(tuple(rooms))]
        complaints += [f"{path}:{line} imports {theirs}" for line, module in everywhere
                       for theirs, room in ONLY_IN.items() if is_of(module, theirs)
                       and not path.startswith(room)]
    return complaints


def length(sources: Sources) -> list[str]:
    """No room is over 400 lines, but for pure tables."""
    return [f"{path}: {lines} lines" for path, text in sources.items()
            if path.startswith("kpki/") and path not in DATA_ONLY
            and (lines := text.count("\n")) > LONGEST]


def docstrings(sources: Sources) -> list[str]:
    """Every module of kpki and every test says in words what it is or proves."""
    complaints = [f"{path}: no docstring" for path, tree in package(sources)
                  if not ast.get_docstring(tree)]
    for path, text in sources.items():
        if path.startswith("tests/"):
            complaints += [f"{path}:{node.lineno} {node.name}: no docstring"
                           for node in ast.walk(parsed(text))
                           if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                           and node.name.startswith("test_") and not ast.get_docstring(node)]
    return complaints


def values(sources: Sources) -> list[str]:
    """The dataclasses of cluster/ are frozen, and nobody sets an attribute of what is not his
    own."""
    complaints = []
    for path, tree in package(sources):
        for node in (ast.walk(tree) if path.startswith("kpki/cluster/") and path not in AT_WORK
                     else ()):
            if isinstance(node, ast.ClassDef):
                said = [ast.unparse(item) for item in node.decorator_list]
                complaints += [f"{path}:{node.lineno} {node.name} is not frozen" for item in said
                               if item.startswith("dataclass") and "frozen=True" not in item]
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del) \
                    and ast.unparse(node.value) not in ("self", "cls"):
                complaints.append(f"{path}:{node.lineno} sets {ast.unparse(node)}")
    return complaints


RULES: list[Rule] = [arrows, cluster_arrows, front_door, cycles, world, costly, length, docstrings,
                     values]

PEM, STAGE, A, B = ("kpki/pem.py", "kpki/stages/keys.py", "kpki/cluster/plan/a.py",
                    "kpki/cluster/plan/b.py")
RUN, CLI, DOOR, TEST = ("kpki/lessons/runner.py", "kpki/cli/main.py", "kpki/__init__.py",
                        "tests/test_x.py")
TERMINAL = "kpki/cli/terminal.py"
BAD: list[tuple[Rule, Sources]] = [
    (arrows, {PEM: "import kpki.stages.keys"}),
    (arrows, {PEM: "from kpki import files"}),
    (arrows, {STAGE: "def f():\n    from ..kubernetes import profiles"}),
    (arrows, {STAGE: "from kpki import genrsa"}),
    (arrows, {"kpki/kubernetes/verdict.py": "from kpki.files import read"}),
    (arrows, {RUN: "from kpki.cli.main import run"}),
    (arrows, {"kpki/helpers.py": ""}),
    (cluster_arrows, {"kpki/cluster/observed/uses.py": "from ..rules.context import WITHIN"}),
    (cluster_arrows,
     {"kpki/cluster/desired/rows.py": "def f():\n    from kpki.cluster.plan import plan"}),
    (cluster_arrows, {"kpki/cluster/helpers.py": ""}),
    (front_door, {DOOR: "from kpki.pem import load_key"}),
    (front_door, {DOOR: "TABLE = {'run': 'cli.main'}"}),
    (front_door, {DOOR: "TABLE = {'run': 'kpki.cli.main'}"}),
    (cycles,
     {A: "from kpki.cluster.plan import b", B: "def f():\n    from kpki.cluster.plan import a"}),
    (cycles, {A: "if TYPE_CHECKING:\n    from . import b", B: "from .a import f"}),
    (world, {A: "open('x')"}),
    (world, {A: "import os as o\no.replace('x', 'y')"}),
    (world, {A: "from os import rename as move\nmove('x', 'y')"}),
    (world, {A: "import os.path\nos.path.exists('x')"}),
    (world, {A: "from pathlib import Path\nPath('x').read_text()"}),
    (world, {A: "import shutil\nshutil.copy('x', 'y')"}),
    (world, {A: "import tempfile\ntempfile.mkdtemp().strip()"}),
    (world, {A: "import socket\nsocket.create_connection(('::1', 1))"}),
    (world, {CLI: "import subprocess\nsubprocess.run([])"}),
    (world, {A: "print('x')"}),
    (world, {A: "import sys\nsys.stdout.write('x')"}),
    (world, {CLI: "print('x')"}),
    (world, {CLI: "import sys\nsys.stderr.write('x')"}),
    (world, {CLI: "from sys import stdout\nstdout.buffer.write(b'x')"}),
    (world, {CLI: "import typer\ntyper.echo('x')"}),
    (world, {A: "from datetime import datetime\ndef f(day):\n    return datetime.now()"}),
    (world, {A: "import datetime as dt\ndt.date.today()"}),
    (world, {A: "import time\ntime.time()"}),
    (world, {A: "import os\nos.environ.get('x')"}),
    (world, {A: "import os\ndef f(now):\n    return os.environ['x']"}),
    (world, {A: "from pathlib import Path\nPath('x').open()"}),
    (world, {A: "import socket\nsocket.gethostname()"}),
    (world, {A: "from platform import node\nnode()"}),
    (world, {A: "import os\nos.urandom(8)"}),
    (world, {A: "import random\nrandom.choice([1])"}),
    (world, {STAGE: "from cryptography import x509\nx509.random_serial_number()"}),
    (costly, {A: "import yaml"}),
    (costly, {A: "try:\n    import importlib.metadata\nexcept ImportError:\n    pass"}),
    (costly, {STAGE: "from OpenSSL import crypto"}),
    (costly, {STAGE: "class K:\n    import pydantic"}),
    (costly, {A: "from importlib import metadata"}),
    (costly, {A: "def f():\n    import typer"}),
    (costly, {CLI: "from rich.table import Table"}),
    (length, {PEM: "x = 1\n" * 401}),
    (values, {A: "@dataclass\nclass A:\n    x: int"}),
    (values, {A: "@dataclass(slots=True)\nclass A:\n    x: int"}),
    (values, {A: "plan.shared = x"}),
    (values, {A: "self.plan.shared |= x"}),
    (docstrings, {PEM: "x = 1"}),
    (docstrings, {TEST: "class TestX:\n    def test_y(self):\n        assert True"}),
]
GOOD: list[tuple[Rule, Sources]] = [
    (arrows, {CLI: "from kpki import genrsa, files\nimport kpki.doctor.logs"}),
    (arrows, {A: "from . import b\nfrom kpki import pem"}),
    (cluster_arrows,
     {"kpki/cluster/plan/plan.py": "from ..observed.inventory import Found\nfrom . import roots",
      "kpki/cluster/check/check.py": "from ..flags import f"}),
    (front_door,
     {DOOR: "TABLE = {'a': 'client'}\nif TYPE_CHECKING:\n    from kpki.pem import load_key"}),
    (cycles,
     {A: "from . import b, c", B: "from .c import f", "kpki/cluster/plan/c.py": "import os"}),
    (cycles, {DOOR: "if TYPE_CHECKING:\n    from kpki.cli import main", CLI: "import kpki"}),
    (values, {A: "@dataclass(frozen=True)\nclass A:\n    x: int\n    def f(self):\n"
              "        self.y = plan.shared",
              STAGE: "@dataclass\nclass A:\n    x: int"}),
    (world, {"kpki/files.py": "import os\nopen('x')\nos.rename('x', 'y')"}),
    (world, {A: "import os\ndef f(name):\n    return os.path.join(name, opener.open)"}),
    (world, {A: "ssl = random = 1\nf(ssl, random.choice, time.time)"}),
    (world, {CLI: "import socket\nsocket.gethostname()"}),
    (world,
     {"kpki/clock.py": "from datetime import datetime\ndef f():\n    return datetime.now()"}),
    (world,
     {STAGE: "import os\ndef f(serial_number=None):\n    return serial_number or os.urandom(20)"}),
    (world, {CLI: "import sys\nsys.stdin.read()\nsys.stdout.flush()"}),
    (world, {TERMINAL: "import sys\nsys.stderr.write('x')"}),
    (world, {RUN: "import subprocess\nsubprocess.run([])"}),
    (costly,
     {A: "def f():\n    import yaml\nif TYPE_CHECKING:\n    import OpenSSL", CLI: "import typer"}),
    (length,
     {PEM: "x = 1\n" * 400, "kpki/stages/objects.py": "x = 1\n" * 900, TEST: "x = 1\n" * 900}),
    (docstrings,
     {PEM: '"""Bytes."""', TEST: 'def test_y():\n    """Two is two."""\ndef helper():\n    pass'}),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_each_rule(rule: Rule) -> None:
    """The sources of kpki and of its tests give no complaint."""
    assert rule(TREE) == []


@pytest.mark.parametrize(("rule", "sources"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_each_rule_can_fail(rule: Rule, sources: Sources) -> None:
    """A rule names the source that breaks it."""
    complaints = rule(sources)
    assert complaints and all(complaint.startswith(tuple(map(module_of, sources)) + tuple(sources))
                              for complaint in complaints)


@pytest.mark.parametrize(("rule", "sources"), GOOD,
                         ids=lambda value: getattr(value, "__name__", ""))
def test_each_rule_lets_the_right_pass(rule: Rule, sources: Sources) -> None:
    """What comes close to breaking a rule and does not is left in peace."""
    assert rule(sources) == []


def test_every_rule_has_its_yes_and_its_no() -> None:
    """No rule is held that was never seen to fail, or never to pass."""
    assert {rule for rule, _ in BAD} == {rule for rule, _ in GOOD} == set(RULES)


def test_the_table_of_contributing_is_the_one_that_is_held() -> None:
    """CONTRIBUTING.md names every room, each after those that it may import, with the arrows of
    this page."""
    table = re.findall(r"^\| `(\w+)(?:\.py|/)` \| .* \| (.*) \|$",
                       (TOP / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    above = set[str]()
    for room, may_import in table:
        named = {"nothing": set[str](), "all above": above, "everything": above}
        assert ARROWS[room] - {"front"} == (named[may_import] if may_import in named
                                            else set(may_import.split(", ")))
        above = above | {room}
    assert above == set(ARROWS) - {"front", "__main__"}


def test_the_rooms_of_cluster_in_contributing_are_those_that_are_held() -> None:
    """CONTRIBUTING.md names every room of cluster/, with the arrows of this page."""
    page = (TOP / "CONTRIBUTING.md").read_text()
    table = re.findall(r"^\| `cluster/(\w+)(?:\.py|/)` \| .* \| (.*) \|$", page, re.MULTILINE)
    assert {room: {*may_import.split(", ")} - {"nothing"} for room, may_import in table} == CLUSTER
