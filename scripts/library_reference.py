"""Writes docs/library-reference.md: every public name of the library, from its signature and its
docstring.

usage: library_reference.py [--check]      --check: say with status 1 that the page is not what
would be written
"""
from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import kpki
from kpki.arguments import described, resolved

TOP = Path(__file__).resolve().parent.parent
PAGE = TOP / "docs" / "library-reference.md"
# A table has no docstring of its own.
TABLES = {"LOG_RULES": """\
The rows of `LogRule` that `diagnose` compares lines with, in order: the first that fits counts.

>>> "file-missing" in {rule.cause for rule in kpki.LOG_RULES}
True
"""}
INTERNAL = "Internal: "     # how the docstring of a member begins that is not public
GROUPS = {"what it issues": "Certificate authorities", "a host": "Hosts and their faults",
          "log says": "Logs", "end": "The end of certificates",
          "servers present": "Servers", "running host": "A host as it runs",
          "an exchange": "Exchanges of a CA", "who signs": "The graph of certificates",
          "a cluster": "Clusters and their plans",
          "verdicts": "Verdicts on a certificate", "openssl": "openssl's steps",
          "keys": "Keys, requests and certificates as PEM or DER", "errors": "Errors"}
# What the examples speak of: run before each of them.
SETUP = r'''
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
import kpki

now = datetime(2026, 1, 31, tzinfo=timezone.utc)
ca_key = kpki.genpkey("EC", curve="P-256")
ca = kpki.req_x509(ca_key, subject="/CN=kubernetes", days=3650, now=now)
key = kpki.genpkey("EC", curve="P-256")
csr = kpki.req_new(key, subject="/O=system:nodes/CN=system:node:worker-1")
certificate = kpki.x509_req(csr, ca, ca_key, days=365, now=now, extfile="""
subjectAltName = DNS:worker-1, IP:10.0.0.21
extendedKeyUsage = serverAuth, clientAuth""")
description = """
apiVersion: kpki/v1
kind: Cluster
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}
- {name: worker-1, addresses: [10.0.0.21]}
"""
cluster = kpki.load_cluster(description)
temporary = TemporaryDirectory()
host = Path(temporary.name)         # worker-1's files, but for its kubeconfig
for path, text in {
        "etc/kubernetes/pki/ca.crt": kpki.dump_certificate(ca).decode(),
        "etc/systemd/system/kubelet.service":
            "[Service]\nExecStart=/usr/bin/kubelet --kubeconfig=/etc/kubernetes/kubelet.conf "
            "--config=/var/lib/kubelet/config.yaml",
        "var/lib/kubelet/config.yaml": "apiVersion: kubelet.config.k8s.io/v1beta1\n"
            "kind: KubeletConfiguration\n"
            "authentication: {x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}}",
        "proc/42/cmdline": "/usr/bin/kubelet\0",        # a kubelet that runs since 1970
        "proc/42/stat": "42 (kubelet) S" + " 0" * 19,
        "srv/damaged.crt": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"}.items():
    (host / path).parent.mkdir(parents=True, exist_ok=True)
    (host / path).write_text(text)
workspace = host / "srv/workspace"
for file in (kpki.File("cluster.yaml", description.encode(), 0o644),
             *kpki.make_plan(cluster, now=now).files()):
    (workspace / file.path).parent.mkdir(parents=True, exist_ok=True)
    (workspace / file.path).write_bytes(file.data)
    (workspace / file.path).chmod(file.mode)
'''.strip()
HEAD = """# The library, name by name

This page is written by `scripts/library_reference.py` from the signatures and docstrings; a test
holds the page against them and runs the examples. [The library's first page](library.md) shows the
names at work.

**Public and stable** is what stands here: names of `kpki.__all__`, their parameters, and the
members that are listed. A change of them is announced one release before by a `DeprecationWarning`.
Modules below `kpki`, members that are not listed and the words of messages are not public.

**Types.** `Certificate`, `CertificateSigningRequest`, `PrivateKeyTypes` and `PublicKeyTypes` are
[cryptography's](https://cryptography.io/). Sizes of keys are in bits, `days` in days of 24 hours,
and file modes are permission bits. Texts of configurations are what openssl reads. PEM and DER are
`bytes`.

**Times** are datetimes with a zone; `now` is the present moment if none is given. **Errors**: each
function raises `TypeError`, with the parameter's name, for a value of another type. It raises
`InputError` for a datetime without a zone. The descriptions name what else is raised.

The examples follow on these lines:
"""


def groups() -> Iterator[tuple[str, list[str]]]:
    """The groups of `kpki.__all__`, as the comments there part them."""
    text = re.split(r"__all__ = \[|^\]", (TOP / "kpki/__init__.py").read_text(),
                    flags=re.MULTILINE)[1]
    for comment, body in re.findall(r"# (.*)\n((?:[^#]*))", text):
        title = next(title for words, title in GROUPS.items() if words in comment)
        yield title, sorted(re.findall(r'"(\w+)"', body), key=str.lower)


def page() -> str:
    """The text of the page."""
    parts = [HEAD, f"```python\n{SETUP}\n```\n"]
    for title, names in groups():
        parts.append(f"## {title}\n")
        parts.append(" · ".join(f"[`{name}`](#{name.lower()})" for name in names) + "\n")
        parts += [entry(name) for name in names]
    return "\n".join(parts)


def entry(name: str) -> str:
    """A public name: what it is, its parameters, members and example."""
    value = getattr(kpki, name)
    parts = [f"### {name}\n"]
    if name in TABLES:
        return "\n".join([*parts, *words(TABLES[name])])
    if not isinstance(value, type):
        return "\n".join([*parts, *function(name, value)])
    if issubclass(value, Exception):
        bases = " and ".join(f"`{base.__name__}`" for base in value.__bases__)
        return "\n".join([*parts, f"A kind of {bases}.", "", *words(docstring(value))])
    parts += words(docstring(value))
    parts += field_table(value)
    for member, inner in public_members(value):
        if isinstance(inner, property):
            parts.append(f"- `{member}` → `{described(resolved(inner.fget)['return'])}`: "
                         f"{first_line(inner)}")
    parts.append("") if parts[-1].startswith("- ") else None
    for member, inner in public_members(value):
        if not isinstance(inner, property):
            parts += [f"#### {name}.{member}\n", *function(f"{name}.{member}", inner)]
    return "\n".join(parts)


def public_members(value: type) -> Iterator[tuple[str, Any]]:
    """The methods and properties of a class that are public: with a docstring, and not internal."""
    for name, inner in vars(value).items():
        inner = getattr(inner, "__func__", inner)
        text = getattr(inner, "__doc__", None) or ""
        if not name.startswith("_") and text and not text.startswith(INTERNAL) and (
                isinstance(inner, property) or inspect.isfunction(inner)):
            yield name, inner


def public_fields(value: Any) -> dict[str, Any]:
    """The public fields of a dataclass or a NamedTuple, and their defaults."""
    fields = {name: value._field_defaults.get(name, MISSING)
              for name in getattr(value, "_fields", ())}
    fields |= {name: field.default
               for name, field in getattr(value, "__dataclass_fields__", {}).items() if field.init}
    texts = field_words(value) if fields else {}
    return {name: default for name, default in fields.items()
            if not name.startswith("_") and not texts.get(name, "").startswith(INTERNAL)}


def field_table(value: type) -> Iterator[str]:
    """The table of a class's fields, with the words that stand below each field."""
    fields = public_fields(value)
    if not fields:
        return
    texts = field_words(value)
    titles = ("field", "type", "default",
              *(["meaning"] if any(texts[name] for name in fields) else []))
    yield f"| {' | '.join(titles)} |"
    yield "|---" * len(titles) + "|"
    for name, standard in fields.items():
        default = "" if standard is MISSING else cell(repr(standard))
        cells = (cell(name), cell(described(resolved(value)[name])), default, texts[name])
        yield f"| {' | '.join(cells[:len(titles)])} |"
    yield ""


def field_words(value: type) -> dict[str, str]:
    """Field → the string below it, or the comment beside it, "" for neither."""
    source = textwrap.dedent(inspect.getsource(value))
    lines = source.splitlines()
    body = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)).body
    found = {}
    for node, following in zip(body, [*body[1:], None]):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            _, _, comment = lines[node.lineno - 1].partition("  # ")
            below = following.value.value if isinstance(following, ast.Expr) and isinstance(
                following.value, ast.Constant) else ""
            found[node.target.id] = " ".join(str(below).split()) or comment.strip()
    return found


def function(name: str, value: Callable[..., object]) -> list[str]:
    """The signature of a function, its words and its example."""
    hints, parts = resolved(value), list[str]()
    for parameter in inspect.signature(value).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        default = ("" if parameter.default is parameter.empty
                   else f" = {default_text(parameter.default)}")
        parts.append(f"{parameter.name}: {described(hints[parameter.name])}{default}")
    opening = f"{name}("
    lines = [f"{opening}{', '.join(parts)}) -> {described(hints['return'])}"]
    if len(lines[0]) > 100:
        lines = [opening, *(f"    {part}," for part in parts), f") -> {described(hints['return'])}"]
    return ["```text", *lines, "```", *words(docstring(value))]


def default_text(value: object) -> str:
    """A default as it is written in a signature."""
    return getattr(value, "__name__", repr(value)) if callable(value) else repr(value)


def docstring(value: object) -> str:
    """The docstring of a value, without its indentation."""
    return inspect.cleandoc(getattr(value, "__doc__", "") or "")


def words(text: str) -> list[str]:
    """A docstring as Markdown: parameters as code, the example as a block."""
    before, example = split(text)
    before = re.sub(r"(?<![`\w*])\*(\w+)\*(?![`\w*])", r"`\1`", before)
    return [before, "", *(["```pycon", example, "```", ""] if example else [])]


def split(text: str) -> tuple[str, str]:
    """The words of a docstring, and the example that ends it."""
    before, mark, example = text.partition(">>> ")
    return before.strip(), (mark + example).strip()


def first_line(value: object) -> str:
    return " ".join((getattr(value, "__doc__", "") or "").split())


def cell(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


if __name__ == "__main__":
    wanted = page()
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text() == wanted else f"{PAGE}: not what {sys.argv[0]} writes")
    PAGE.write_text(wanted)
