"""The plain shell that installs a host's files from an archive, on a host where kpki cannot run."""
from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from shlex import quote

from ...files import File

_HEAD = """#!/bin/sh
# Installs files of {node} from a tar archive; kpki node install has checked them.
# usage: sh THIS-SCRIPT ARCHIVE [ROOT]        without ROOT the files go to /
# Replaced files are kept in ROOT/var/lib/kpki/backup. Nothing is changed if a file of the archive
# is not the checked one.
set -eu
umask 077
[ $# -gt 0 ] || {{ echo "usage: sh $0 ARCHIVE [ROOT]" >&2; exit 2; }}
archive=$1
root=${{2-}}
root=${{root%/}}
umask 022
mkdir -p "$root/var/lib/kpki"
umask 077
from=$(mktemp -d "$root/var/lib/kpki/install.XXXXXX")
trap 'rm -rf "$from"' EXIT
tar -xf "$archive" -C "$from"
backup=$root/var/lib/kpki/backup/$(date -u +%Y-%m-%dT%H-%M-%SZ)

prepare() {{ # prepare MODE PATH: save the old file, and lay the new file beside it
    target=$root/$2
    (umask 022; mkdir -p "${{target%/*}}")
    if [ -e "$target" ] || [ -L "$target" ]; then
        mkdir -p "$(dirname "$backup/$2")"
        cp -Pp "$target" "$backup/$2"
    fi
    cp -P "$from/$2" "$target.kpki-new"
    [ -L "$target.kpki-new" ] || chmod "$1" "$target.kpki-new"
}}

place() {{ # place MODE PATH: the new file takes the place of the old one
    mv -f "$root/$2.kpki-new" "$root/$2"
}}
"""


def install_script(changed: Sequence[File], *, node: str, commands: Sequence[str]) -> str:
    """The shell script that copies these files from an archive of the host's tree to the host.

    The script has the digest of each file, no file's content. *commands* are printed at the end:
    what the host must restart.
    """
    files = "".join(f"{sha256(file.data).hexdigest()}  {file.path}\n" for file in changed
                    if not file.link)
    each = "\n".join(f'    "$1" {file.mode:04o} {quote(file.path)}' for file in changed)
    ending = "\n".join(["everything is in place" if changed else "nothing is to be installed",
                      *(f"next: {command}" for command in commands)])
    return (_HEAD.format(node=node)
            + "\neach() {\n" + (f"{each}\n" if each else "    :\n") + "}\n\n"
            + f"(cd \"$from\" && sha256sum -c --quiet) <<'END'\n{files}END\n" * bool(files)
            + "each prepare\neach place\n"
            + f"cat <<'END'\n{ending}\nEND\n")
