"""`kpki graph`: the tree, the other forms, and files that cannot be read."""
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_the_tree(kpki: Callable[..., Any], issue: Callable[..., Any],
                  monkeypatch: pytest.MonkeyPatch) -> None:
    """The CA, the leaf, its file and the call; a colour on a terminal; ASCII if the terminal has no
    other."""
    issue()
    plain = kpki("graph", "nodes/worker-1").out
    assert plain.splitlines()[1:3] == ["│  trusted by kubelet", plain.splitlines()[2]]
    assert plain.splitlines()[2].startswith("└─ system:node:worker-1  (kubelet)  ends ")
    assert plain.splitlines()[3:] == ["      kubelet etc/kubernetes/ssl/worker.pem", "",
                                      "kubelet → kube-apiserver  as system:node:worker-1"]
    (Path("nodes/worker-1/etc/kubernetes/ssl/worker-key.pem")).unlink()
    late = kpki("graph", "nodes/worker-1", "--at", "2100-01-01").out
    assert "  ended " in late and "worker.pem  (no key)" in late
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[31mended " in kpki("graph", "nodes/worker-1", "--at", "2100-01-01").out
    assert "\x1b[" not in plain


def test_an_answer_in_a_file(kpki: Callable[..., Any], issue: Callable[..., Any]) -> None:
    """`--out` has what stdout would have; a wrong form is refused."""
    issue()
    for form in ("tree", "mermaid", "dot", "svg"):
        shown = kpki("graph", "nodes/worker-1", "--format", form).out
        assert kpki("graph", "nodes/worker-1", "--format", form, "--out", f"x.{form}").out == ""
        assert Path(f"x.{form}").read_text() == shown
    assert kpki("graph", "nodes/worker-1", "--format", "png", status=2).refusal() \
        == "--format: 'png' is none of tree, mermaid, dot, svg"


def test_an_intermediate_without_its_root(kpki: Callable[..., Any], openssl: Callable[..., str],
                                          tmp_path: Path) -> None:
    """A certificate whose CA is not there stands alone, with the CA's name."""
    for line in ("ecparam -name prime256v1 -genkey -noout -out k", "req -x509 -new -key k "
                 "-subj /CN=root -days 9 -out ca.pem", "req -new -key k -subj /CN=leaf -out r",
                 "x509 -req -in r -CA ca.pem -CAkey k -days 9 -out leaf.pem"):
        openssl(tmp_path, line)
    assert "signed by CN=root, which is not here" in kpki("graph", "leaf.pem").out
    shown = kpki("graph", ".").out.splitlines()
    assert shown[0].startswith("CN=root  ends ") and "└─ leaf  ends " in "\n".join(shown)


def test_what_cannot_be_drawn(kpki: Callable[..., Any], issue: Callable[..., Any],
                              tmp_path: Path) -> None:
    """A broken file is named and makes the status 2, the rest is drawn; without a certificate
    nothing is drawn."""
    issue()
    Path("nodes/worker-1/etc/kubernetes/ssl/worker.pem").write_text("")
    told = kpki("graph", "nodes/worker-1", status=2)
    assert (told.out.startswith("CN=kube-ca")
            and "etc/kubernetes/ssl/worker.pem: the file has no certificate" in told.err)
    (tmp_path / "root/etc/kubernetes").mkdir(parents=True)
    empty = kpki("graph", "root", status=2)
    assert (empty.out, empty.err) == ("", "kpki: root: no certificate\n")


def test_explain(kpki: Callable[..., Any], issue: Callable[..., Any]) -> None:
    """`--explain` names the openssl commands."""
    issue()
    assert ("openssl x509 -noout -subject -issuer -enddate"
            in kpki("graph", "nodes/worker-1", "--explain").err)
