"""The script's POSIX sh: its head, its functions, and the quoting of values.

Every function returns text that ends with a line end. A *word* is text that the shell reads as one
argument: quoted text, or text with a variable of the script.
"""
from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection, Sequence
from dataclasses import replace
from shlex import quote

from ..authority import ALGORITHMS
from ...kubernetes.kubeconfig import Kubeconfig, Material, dump_kubeconfig
from ...kubernetes.profiles import Identity

HEAD = """\
#!/bin/sh
# Keys, certificates and kubeconfigs of a Kubernetes cluster, with plain openssl commands (3.0 or
# newer).
#
# Run this script in the folder that holds, or will hold, pki/, nodes/ and users/. You can also run
# single steps in a shell: first all lines up to "The steps", then any step. The commands are those
# of the documentation:
#   https://kubernetes.io/docs/tasks/administer-cluster/certificates/#openssl
#   https://kubernetes.io/docs/setup/best-practices/certificates/
#
# What a certificate says, and who reads it:
#   CN, O                   the owner: Kubernetes reads CN as the user, each O as a group
#   basicConstraints        whether the certificate may sign other certificates: only a CA may
#   keyUsage                what the key does: a CA's signs certificates, a leaf's the handshake
#                           (RSA: and encrypts)
#   extendedKeyUsage        serverAuth: for servers; clientAuth: for clients
#   subjectAltName          the server's names and addresses; TLS clients ignore the CN
#   subjectKeyIdentifier    the key's short name
#   authorityKeyIdentifier  the short name of the CA's key
# "critical" means: a program that does not know the extension must refuse the certificate.
# Keys are in their traditional form, PKCS#1 (RSA) and SEC1 (elliptic curves), as kubeadm's are.
"""
START = """\

set -eu     # stop at the first command that fails, and at a variable that nobody has set
umask 077   # new files are closed to others from the first byte; chmod opens some files

# ---- Before the first change ----
# Check: openssl is new enough; no new file exists; every file to replace or read exists; no link
# leads a new file out of this folder.

stop() {
    printf '%s\\n' "$1" >&2
    exit 1
}

case $(openssl version) in
    "OpenSSL "[3-9]*) ;;
    *) stop "openssl 3.0 or newer is needed, this is $(openssl version)" ;;
esac

here=$(pwd -P)
while IFS= read -r line; do
    file=${line#* }
    case $line in
        new*) if [ -e "$file" ] || [ -L "$file" ]; then
            stop "$file: the file exists already, nothing was changed"
        fi ;;
        *) if [ ! -f "$file" ]; then stop "$file: the file is missing, nothing was changed"; fi ;;
    esac
    folder=./${file%/*}
    while [ ! -d "$folder" ]; do folder=${folder%/*}; done
    case $line,$(cd "$folder" && pwd -P)/ in
        use*,* | *,"${here%/}"/*) ;;
        *) stop "$folder: a link leads out of $here, nothing was changed" ;;
    esac
done <<'END'
"""
STEPS = """\

# ---- The steps ----
"""
WORK = """\

# Configurations, requests and other temporary files lie in a folder that is removed when the shell
# ends.
work=$(mktemp -d ./.openssl.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
"""
# Function → its text; the script has only the functions that the steps call.
FUNCTIONS = {
    "folders": """\

# folders MODE FOLDER...: make the missing folders; an existing folder stays unchanged.
folders() {
    mode=$1
    shift
    for folder; do
        [ -d "$folder" ] || mkdir -m "$mode" "$folder"
    done
}
""",
    "away": """\

# Replaced and removed files go into a folder with the time of this run.
started=$(date -u +%Y%m%dT%H%M%SZ)
backup=backup/$started
number=2
while [ -e "$backup" ]; do
    backup=backup/$started-$number
    number=$((number + 1))
done

# away FILE: move the file into the backup.
away() {
    mkdir -p "$backup/${1%/*}"
    mv "$1" "$backup/$1"
}
""",
    "sign": """\

# sign KEY CERTIFICATE CA CA-KEY DAYS HASH: make a certificate for KEY, with the names and
# extensions of $work/csr.conf. First KEY signs the request: the public key and the names in [ dn ].
# Then the CA signs the certificate: the same key and names, the extensions in [ v3_ext ], and a
# validity of DAYS whole days from now. The serial number is random, openssl's default (with
# -CAcreateserial openssl would count in a file beside the CA).
sign() {
    openssl req -new -config "$work/csr.conf" -key "$1" -out "$work/csr.pem"
    openssl x509 -req -CA "$3" -CAkey "$4" -in "$work/csr.pem" -days "$5" -"$6" \\
        -extfile "$work/csr.conf" -extensions v3_ext -out "$2"PASSIN
}
""",
    "embed": """\

# embed FIELD FILE: print a line of a kubeconfig with the file in base64.
embed() {
    printf '    %s-data: ' "$1"
    openssl base64 -A -in "$2"
    echo
}
""",
}
# Printed if a CA's key is encrypted; the variable holds openssl's -passin for all CAs.
LOCKED = """\

# A CA's key is encrypted: openssl asks for the passphrase at each signature. To give the passphrase
# once, set PASSIN to its source: PASSIN=file:PATH or PASSIN=env:NAME (see
# openssl-passphrase-options(1)).
"""
_PASSIN = ' \\\n        ${PASSIN:+-passin "$PASSIN"}'
_CURVES: dict[str | int, str] = {"P-256": "prime256v1", "P-384": "secp384r1"}
_MATERIALS = ("certificate-authority", "client-certificate", "client-key")


def functions(names: Collection[str], *, locked: bool) -> str:
    """The text of the functions that the steps call; *locked*: a CA's key is encrypted."""
    text = "".join(FUNCTIONS[name] for name in FUNCTIONS if name in names)
    return (LOCKED if locked else "") + text.replace("PASSIN\n}",
                                                     (_PASSIN if locked else "") + "\n}")


def comment(text: str) -> str:
    """A comment; no character of *text* can end the comment's line."""
    return "# " + "".join(character if character.isprintable() else "?"
                          for character in text) + "\n"


def here_document(command: str, text: str) -> str:
    """A command with *text* as its standard input; the shell does not expand the text."""
    return f"{command} <<'END'\n{text}END\n"


def make_key(algorithm: str, target: str) -> str:
    """The command that makes a key in its traditional form.

    *algorithm* is a name of ALGORITHMS, *target* a word for the file.
    """
    options = ALGORITHMS[algorithm]
    if options["algorithm"] == "RSA":
        return f"openssl genrsa -traditional -out {target} {options['bits']}\n"
    return f"openssl ecparam -name {_CURVES[options['curve']]} -genkey -noout -out {target}\n"


# A comment beside what a key in a token signs.
NEEDS_PROVIDER = "# openssl reads a key in a token through a provider, such as pkcs11-provider"


def pem_block(word: str, number: int, label: str = "CERTIFICATE") -> str:
    """The command that prints one PEM block of a file, by its number among those of a label."""
    return f"awk '/-BEGIN {label}-/ {{n++}} n == {number}' {word}"


def passin_option(source: str | None, option: str = "-passin") -> str:
    """openssl's option for a passphrase in a file or a variable; openssl asks for others."""
    kind = (source or "").partition(":")[0]
    return f" {option} {quote(source or '')}" if kind in ("env", "file") else ""


def configuration(identity: Identity, extensions: Sequence[tuple[str, str]], *,
                  section: str) -> str:
    """The configuration of a certificate: `[ dn ]` with O before CN, extensions in *section*."""
    organizations = [(f"{number}.O" if len(identity.groups) > 1 else "O", group)
                     for number, group in enumerate(identity.groups)]
    own = [("x509_extensions", section)] if section == "v3_ca" else []
    parts = (("req", [("prompt", "no"), ("distinguished_name", "dn"), *own]),
             ("dn", [*organizations, ("CN", identity.user)]), (section, extensions))
    return "".join(f"[ {name} ]\n" + "".join(f"{field} = {_value(text)}\n"
                                             for field, text in fields)
                   for name, fields in parts)


def _value(text: str) -> str:
    """A value of a configuration (config(5)), with openssl's special characters escaped."""
    return re.sub(r"([\\$#\"'`])", r"\\\1", text)


def kubeconfig(document: Kubeconfig, words: Sequence[str], target: str) -> str:
    """The commands that write a kubeconfig with the files *words*: CA, certificate, key."""
    marks = {f"    {name}-data: {b64encode(name.encode()).decode()}": f"    embed {name} {word}\n"
             for name, word in zip(_MATERIALS, words, strict=True)}
    authority, certificate, key = (Material(data=name.encode()) for name in _MATERIALS)
    marked = replace(document, authority=authority, certificate=certificate, key=key)
    text, lines = "{\n", ""
    for line in dump_kubeconfig(marked).decode().removesuffix("\n").split("\n"):
        if line in marks:
            text += (here_document("    cat", lines) if lines else "") + marks[line]
            lines = ""
        else:
            lines += f"{line}\n"
    return f"{text}{here_document('    cat', lines)}}} > {target}\n"
