"""The files that make the shells complete kpki's lines: typer's own scripts."""
from __future__ import annotations

from typer import _completion_shared as completion

from .terminal import put, put_document
from ..errors import InputError

# By shell: the path of a program's script in a package, below the package's prefix.
PLACES = {"bash": "share/bash-completion/completions/kpki", "zsh": "share/zsh/site-functions/_kpki",
          "fish": "share/fish/vendor_completions.d/kpki.fish"}
_VARIABLE = "_KPKI_COMPLETE"
# zsh loads the file at the first completion; the last line of the file completes it.
_FIRST = '\n[[ $zsh_eval_context[-1] == loadautofunc ]] && _kpki_completion "$@"\n'


def script_of(shell: str) -> str:
    """The script for a shell. Raises InputError if typer has no script for the shell."""
    if shell not in PLACES:
        raise InputError(f"no completion for the shell {shell!r}", hint=", ".join(PLACES))
    text = completion.get_completion_script(prog_name="kpki", complete_var=_VARIABLE, shell=shell)
    return text + (_FIRST if shell == "zsh" else "\n")


def script(shell: str) -> None:
    """Print the script for a shell."""
    put_document(script_of(shell))


def install(shell: str) -> None:
    """Install the script for a shell in the user's home, as typer does."""
    script_of(shell)
    _, path = completion.install(shell=shell, prog_name="kpki", complete_var=_VARIABLE)
    put(f"{shell} completion installed in {path}", "It works in the next shell.")
