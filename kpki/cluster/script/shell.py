"""How the script says things in POSIX sh: its head, its few functions, and values put into it so that they stay values.

Every function gives text that ends with a line end. A *word* is text that the shell takes for one argument: quoted, or
with a variable of the script in it.
"""
from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection, Sequence
from dataclasses import replace

from ...kubernetes.kubeconfig import Kubeconfig, Material, dump_kubeconfig
from ...kubernetes.profiles import Identity

HEAD = """\
#!/bin/sh
# Keys, certificates and kubeconfigs of a Kubernetes cluster, with plain openssl commands (3.0 or newer).
#
# Run it in the folder that holds pki/, nodes/ and users/, or is to hold them. Each step can be run by itself: the lines
# up to "The steps" once in a shell, then any of them. They are the documentation's own commands:
#   https://kubernetes.io/docs/tasks/administer-cluster/certificates/#openssl
#   https://kubernetes.io/docs/setup/best-practices/certificates/
#
# What a certificate says, and who reads it:
#   CN, O                   who its owner is: Kubernetes takes CN for the user, each O for a group
#   basicConstraints        whether it may sign other certificates: only a CA may
#   keyUsage                what its key does: a CA's signs certificates, another's the handshake (RSA: and encrypts)
#   extendedKeyUsage        serverAuth, it may be called; clientAuth, it may call
#   subjectAltName          the names and addresses it may be called by; its CN is none of them
#   subjectKeyIdentifier    the key's short name; authorityKeyIdentifier: its CA's, by which the CA is found
# "critical" means: who does not understand this must refuse the certificate.
# Keys are in their traditional form, PKCS#1 (RSA) and SEC1 (elliptic curves), as kubeadm writes them.
"""
START = """\

set -eu     # stop at the first command that fails, and at a variable that nobody has set
umask 077   # what is made is its owner's alone from its first moment on; chmod opens what others may read

# ---- Before the first change ----
# openssl is new enough; what is to be made is not there; what is to be replaced or read is; no link leads what is
# written out of here.

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
        new*) if [ -e "$file" ] || [ -L "$file" ]; then stop "$file: is there already, nothing was changed"; fi ;;
        *) if [ ! -f "$file" ]; then stop "$file: is not there any more, nothing was changed"; fi ;;
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

# Configurations, requests and files that are not to stay: in a folder of its own, which goes when the shell ends.
work=$(mktemp -d ./.openssl.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
"""
# What the steps call → its text; only what is called is in the script.
FUNCTIONS = {
    "folders": """\

# folders MODE FOLDER...: make those that are not there; one that is there stays as it is.
folders() {
    mode=$1
    shift
    for folder; do
        [ -d "$folder" ] || mkdir -m "$mode" "$folder"
    done
}
""",
    "away": """\

# What is replaced or removed is kept, in a folder with the time of this run.
started=$(date -u +%Y%m%dT%H%M%SZ)
backup=backup/$started
number=2
while [ -e "$backup" ]; do
    backup=backup/$started-$number
    number=$((number + 1))
done

# away FILE: into the backup with it.
away() {
    mkdir -p "$backup/${1%/*}"
    mv "$1" "$backup/$1"
}
""",
    "sign": """\

# sign KEY CERTIFICATE CA CA-KEY DAYS HASH: a certificate for KEY, with the names and extensions of $work/csr.conf.
# First the request, which KEY signs: the public key and the names in [ dn ]. Then the CA's answer: it says the same,
# with the extensions in [ v3_ext ], and is valid from now on for so many whole days. Its serial number is random, as
# openssl takes one unless told otherwise (-CAcreateserial would count in a file beside the CA).
sign() {
    openssl req -new -config "$work/csr.conf" -key "$1" -out "$work/csr.pem"
    openssl x509 -req -CA "$3" -CAkey "$4" -in "$work/csr.pem" -days "$5" -"$6" \\
        -extfile "$work/csr.conf" -extensions v3_ext -out "$2"PASSIN
}
""",
    "embed": """\

# embed FIELD FILE: a line of a kubeconfig, with the file in it in base64.
embed() {
    printf '    %s-data: ' "$1"
    openssl base64 -A -in "$2"
    echo
}
""",
}
# Said where a CA's key is encrypted; the variable is openssl's -passin for all of them.
LOCKED = """\

# A CA's key is encrypted: openssl asks for its passphrase each time it signs. To say it once, put where it is to be
# found into PASSIN: PASSIN=file:PATH or PASSIN=env:NAME (see openssl-passphrase-options(1)).
"""
_PASSIN = ' \\\n        ${PASSIN:+-passin "$PASSIN"}'
_CURVES = {"P-256": "prime256v1", "P-384": "secp384r1"}
_MATERIALS = ("certificate-authority", "client-certificate", "client-key")


def functions(names: Collection[str], *, locked: bool) -> str:
    """The functions that the steps call; with *locked* a CA's key wants a passphrase."""
    text = "".join(FUNCTIONS[name] for name in FUNCTIONS if name in names)
    return (LOCKED if locked else "") + text.replace("PASSIN\n}", (_PASSIN if locked else "") + "\n}")


def comment(text: str) -> str:
    """A comment; nothing in its text can end its line."""
    return "# " + "".join(one if one.isprintable() else "?" for one in text) + "\n"


def here(command: str, text: str) -> str:
    """A command with a text as its standard input, which the shell does not look into."""
    return f"{command} <<'END'\n{text}END\n"


def make_key(algorithm: str, bits: int, curve: str, target: str) -> str:
    """The command that makes a key (a word names the file), in its traditional form."""
    if algorithm == "RSA":
        return f"openssl genrsa -traditional -out {target} {bits}\n"
    return f"openssl ecparam -name {_CURVES[curve]} -genkey -noout -out {target}\n"


def configuration(identity: Identity, extensions: Sequence[tuple[str, str]], *, section: str) -> str:
    """The configuration of a certificate: the owner in `[ dn ]`, O before CN, and the extensions in *section*."""
    organizations = [(f"{number}.O" if len(identity.groups) > 1 else "O", one)
                     for number, one in enumerate(identity.groups)]
    own = [("x509_extensions", section)] if section == "v3_ca" else []
    parts = (("req", [("prompt", "no"), ("distinguished_name", "dn"), *own]),
             ("dn", [*organizations, ("CN", identity.user)]), (section, extensions))
    return "".join(f"[ {name} ]\n" + "".join(f"{field} = {_value(text)}\n" for field, text in fields)
                   for name, fields in parts)


def _value(text: str) -> str:
    """A value as a configuration has it (config(5)): what openssl would take for more than itself is escaped."""
    return re.sub(r"([\\$#\"'`])", r"\\\1", text)


def kubeconfig(document: Kubeconfig, words: Sequence[str], target: str) -> str:
    """The commands that write a kubeconfig which embeds the files that *words* name: CA, certificate, key."""
    marks = dict(zip((f"    {name}-data: {b64encode(name.encode()).decode()}" for name in _MATERIALS),
                     (f"    embed {name} {word}\n" for name, word in zip(_MATERIALS, words))))
    authority, certificate, key = (Material(data=name.encode()) for name in _MATERIALS)
    marked = replace(document, authority=authority, certificate=certificate, key=key)
    text, lines = "{\n", ""
    for line in dump_kubeconfig(marked).decode().removesuffix("\n").split("\n"):
        if line in marks:
            text += (here("    cat", lines) if lines else "") + marks[line]
            lines = ""
        else:
            lines += f"{line}\n"
    return f"{text}{here('    cat', lines)}}} > {target}\n"
