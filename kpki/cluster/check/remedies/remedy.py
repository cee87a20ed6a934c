"""A finding → the shell commands that repair it, in order.

A line that begins with `#` says where to run the next commands, or what no command can do. No
command removes a file before its replacement exists. A run that stops half way leaves the host as
it was.
"""
from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .authority import authority_remedy
from .leaf import leaf_remedy
from .lines import command, comment
from .pair import has_other_name, is_chained, needs_key, owned_by, pair_remedy
from .renewal import renewal
from .target import RepairTarget
from ...finding import Finding
from ...observed.contents import read_key
from ...observed.inventory import TOPS, root_of
from ...observed.restarts import restart_commands
from ...rules.certificate import signer_of
from ...rules.facts import Pair, pairs_of, trust_files_of
from .... import files
from ....kubernetes import reading
from ....kubernetes.components import KUBELET_COMPONENT
from ....kubernetes.layouts import KUBELET_CURRENT, Layout, Place, get_layout
from ....kubernetes.profiles import SERVICE_ACCOUNTS, get_profile
from ....kubernetes.purposes import PURPOSES
from ....stages.keys import public_key_der

# causes after which no component needs a restart
_NO_RESTART = ("key-exposed", "ca-key-on-worker")
_LONGEST_NAME = 255     # octets of a file's name: NAME_MAX of Linux
# the words of a CA file that holds another CA
_OTHER_CA = ("unknown-authority", "kubeconfig-wrong-ca")


def with_remedies(findings: Sequence[Finding], target: RepairTarget) -> list[Finding]:
    """The findings, each with the commands that repair it."""
    if not findings:
        return []
    wrong = {finding.path for finding in findings if finding.cause in _OTHER_CA
             and not finding.mild}
    target = target._replace(pairs=pairs_of(target.inventory), trust_files=[
        file for file in trust_files_of(target.inventory) if file.path not in wrong])
    return [replace(finding, remedy=tuple(_remedy(finding, target))) for finding in findings]


def _remedy(finding: Finding, target: RepairTarget) -> Iterator[str]:
    path = finding.path.partition("#")[0]
    place = next((place for place in target.inventory.layout.places if path in place.files()
                  and place.row == finding.row), None)
    kind = get_profile(place.row).kind if place else ""
    if any(len(os.fsencode(name)) > _LONGEST_NAME for name in path.split("/")):
        yield comment(
            "no file can have a name this long: let the setting that names the file name another")
    elif finding.cause in ("key-exposed", "key-unreadable") \
        and finding.expected.startswith("owner "):
        yield owned_by(finding.expected.removeprefix("owner "), path, target)
    elif finding.cause == "key-exposed":
        yield command("chmod", "600", target.at(path))
    elif line := renewal(finding, target):
        yield line
    elif (not finding.row or (finding.cause == "file-missing" and place is None)) \
        and (pair := _pair_elsewhere(finding.path, target)):
        yield from pair_remedy(finding, pair, target)
    elif finding.cause == "file-missing" and place is None \
        and (named := _setting_of(path, target, finding.row)):
        setting, source = named
        yield comment(
            f"put {target.at(path)} there, or let {setting} in {target.at(source)} name the right "
            "file")
    elif finding.cause == "file-missing" and target.inventory.running and not finding.row:
        yield comment(f"put {target.at(path)} there, or let what names the file name the right one")
    elif not target.inventory.layout.name \
        or (place is None and not finding.row and finding.cause != "flags-mismatch"):
        yield _elsewhere(path, target)
    elif finding.cause == "flags-mismatch":
        yield from _flags(finding, target)
    elif finding.cause == "signing-bundle":
        signer = f"{posixpath.splitext(path)[0]}-signer.crt"
        yield comment(
            f"write the certificate of the CA's key, that one alone, to {target.at(signer)}, and "
            "let "
            f"--cluster-signing-cert-file of kube-controller-manager name /{signer}")
    elif finding.cause == "ca-key-on-worker":
        yield _away(path, target)
    elif kind in ("ca", "key") and place \
        and any(target.inventory.file(path).unread for path in place.files()):
        yield comment(
            "what mends it depends on a file that this user may not read: kpki check as root tells")
    elif kind == "key" and place:
        yield from _service_accounts(finding, place, target)
    elif kind == "ca" and place:
        yield from authority_remedy(finding, place, path, target)
    elif finding.cause == "kubelet-client-current-broken" and finding.mild:
        current, kept = target.at(KUBELET_CURRENT), "kubelet-client-kept.pem"
        yield command("cp", "-p", current, posixpath.join(posixpath.dirname(current), kept))
        yield command("ln", "-sf", f"/{posixpath.dirname(KUBELET_CURRENT)}/{kept}", current)
    elif (pair := _pair_elsewhere(finding.path, target)) \
        and not ("#" in pair.path and needs_key(finding, pair)):
        yield from pair_remedy(finding, pair, target)
    elif not target.workspace and _has_several(target) and any(
            use.part == "kubeconfig" for use in target.inventory.uses if use.path == path):
        trusts = next((file for file in target.trust_files
                       if file.serves("apiserver-ca", "root-ca")),
                      None)
        yield comment(
            f"clients and servers have a CA each here: put a kubeconfig at {target.at(path)} by "
            "hand, whose "
            f"certificate the clients' CA signs, and which trusts "
            f"{target.at(trusts.path) if trusts else 'the CA of the API server'}")
    else:
        yield from leaf_remedy(finding.row or target.inventory.layout.kubelet.row, target, finding)


def _pair_elsewhere(path: str, target: RepairTarget) -> Pair | None:
    """The pair of a finding, if its path has no place in kpki's layout, or serves several rows."""
    if target.workspace or not target.inventory.layout.name:
        return None
    layout = get_layout(target.inventory.layout.name)
    pairs = [pair for pair in target.pairs if path in (pair.path, pair.key_path)
             and any(use.source for use in pair.uses)
             and (_is_stored(pair, target) or _is_elsewhere(pair, layout)
                  or _is_embedded(pair, target) or has_other_name(pair, target)
                  or ((_has_several(target) or is_chained(pair, target)) and "#" not in pair.path
                      and pair.key_path not in ("", pair.path)))]
    # of several pairs with the key, the pair whose certificate is another key's
    return min(pairs, key=lambda pair: (pair.path != path, pair.matches), default=None)


def _is_stored(pair: Pair, target: RepairTarget) -> bool:
    """Whether certificate and key are one file.

    The client's file in the kubelet's store has another remedy if the kubelet reads kubeadm's
    kubeconfig, which is made anew with it. A file without a key needs no certificate from the API
    server.
    """
    kubeadm = get_layout("kubeadm").kubelet.kubeconfig
    return pair.key_path == pair.path and "#" not in pair.path and (
        not pair.path.endswith("-current.pem")
        or (not any(use.path == kubeadm and use.part == "kubeconfig"
                    for use in target.inventory.uses)
            if pair.serves("kubelet-client") else pair.key is not None))


def _is_elsewhere(pair: Pair, layout: Layout) -> bool:
    """Whether a pair of two files is at no place of its row, or serves several rows."""
    rows = (pair.row, layout.kubelet.row) if pair.row.startswith("kubelet-") else (pair.row,)
    own = {file for place in layout.places if place.row in rows for file in place.files()}
    served = {PURPOSES[use.purpose].row for use in pair.uses}
    return pair.key_path not in ("", pair.path) and "#" not in pair.path and (
        pair.path not in own or len(served - {"kubelet-client"}) > 1)


def _has_several(target: RepairTarget) -> bool:
    """Whether clients and servers have different CAs, so that one pair cannot serve both."""
    every = [certificate for file in target.trust_files if file.row == "ca"
             for certificate in file.certificates]
    return not all(reading.is_same_authority(every[0], certificate) for certificate in every)


def _is_embedded(pair: Pair, target: RepairTarget) -> bool:
    """Whether a kubeconfig embeds a sound key and trusts another CA than the signer of its pair.

    Each field has a line of its own. A kubeconfig that kpki issues would trust the signer.
    """
    data = target.inventory.file(pair.path.partition("#")[0]).data or b""
    if "#" not in pair.path or pair.key is None or any(
            len(_fields(name, data)) != 1
            for name in (b"client-certificate-data", b"client-key-data")):
        return False
    if is_chained(pair, target):
        return True
    groups = {use.group for use in pair.uses}
    trusts = [certificate for file in target.trust_files
              if any(use.group in groups for use in file.uses)
              for certificate in file.certificates]
    sure = [file for file in target.trust_files
            if any(file.serves(*purpose.verifiers) for purpose in pair.purposes)]
    signs = [certificate for file in sure or target.trust_files for certificate in file.certificates
             if sure or (pair.chain and signer_of(pair.chain, [certificate]))]
    return bool(trusts and signs) and not any(
        reading.is_same_authority(certificate, other) for certificate in trusts for other in signs)


def _fields(name: bytes, data: bytes) -> list[bytes]:
    return re.findall(rb"^ *" + name + rb": *[A-Za-z0-9+/=]+\r?$", data, re.MULTILINE)


def restarts(findings: Sequence[Finding], target: RepairTarget) -> Iterator[str]:
    """Comments that name the restarts on the host after the commands of these findings."""
    changed = {finding.path.partition("#")[0] for finding in findings
               if finding.cause not in _NO_RESTART
               and any(not line.startswith("#") for line in finding.remedy)}
    for line in restart_commands(target.inventory, changed):
        yield comment(f"then, on {target.node}: {line}")


def _setting_of(path: str, target: RepairTarget, row: str) -> tuple[str, str] | None:
    """The setting that names a file, and its source; None if only the kubelet reads *row*."""
    return next(((use.setting, use.source) for use in target.inventory.uses if use.source
                 and use.path == path
                 and not (row and use.component == KUBELET_COMPONENT.name)), None)


def _elsewhere(path: str, target: RepairTarget) -> str:
    """The comment for a file that was checked alone: only its tree, if any, tells its owner."""
    root, inner = root_of(posixpath.join(target.inventory.root, path))
    if inner.startswith(TOPS):
        given = [word for pair in (("--ca", target.ca), ("--ca-key", target.ca_key)) if pair[1]
                 for word in pair]
        words = command("kpki", "check", os.path.relpath(root), "--node", "NODE", *map(str, given))
        return comment(f"the commands that mend it: {words}")
    return comment("no setting here names this file: make a new file where the old file was made")


def _away(path: str, target: RepairTarget) -> str:
    """The commands that remove a CA's key from a worker, if another file is known to have it."""
    key = read_key(target.inventory.file(path), "ca")[0]
    if key is not None and public_key_der(key) == target.ca_public_key \
        and not _is_same(target.ca_key or "", target.at(path)):
        return command("rm", target.at(path))
    return comment(
        f"take {target.at(path)} away once a control-plane host, or a place that is locked away, "
        "holds it; "
        "kpki check --ca CERT --ca-key KEY says how")


def _is_same(first: str, other: str) -> bool:
    """Whether two paths lead to one file of this machine."""
    return files.resolve(os.sep, os.path.abspath(first)) == files.resolve(os.sep,
                                                                          os.path.abspath(other))


def _flags(finding: Finding, target: RepairTarget) -> Iterator[str]:
    """The commands that change a setting to the existing file, in the setting's own source.

    A drop-in cannot replace a value of an environment file (systemd.exec(5)), nor flags in
    ExecStart=.
    """
    source = target.at(finding.path)
    written = re.compile(re.escape(finding.got) + r"(?![\w./-])")
    data = (target.inventory.file(finding.path).data or b"").decode("utf-8", "replace")
    if not finding.got.startswith("/") or not written.search(data) \
        or not finding.expected.startswith("/"):
        yield comment(f"in {source}: {finding.expected or 'what is wrong'}")
        return
    plain = re.sub(r"[][\\.*^$|]", r"\\\g<0>", finding.got)
    yield command("cp", "-p", source, f"{source}.aside")
    words = command("sed",
                    f"s|{plain}\\([^[:alnum:]_./-]\\)|{finding.expected}\\1|g; "
                    f"s|{plain}$|{finding.expected}|",
                    f"{source}.aside")
    yield f"{words} > {command(source)}"
    yield comment(f"then, on {target.node}: systemctl daemon-reload, if the file is a unit's")


def _service_accounts(finding: Finding, place: Place, target: RepairTarget) -> Iterator[str]:
    key, fault = read_key(target.inventory.file(place.key), SERVICE_ACCOUNTS) if place.key \
        else (None, None)
    if key is None or fault is not None or not place.certificate:
        yield comment(
            f"no command makes this key again: copy {place.key} from another control-plane host; "
            "if it is "
            "lost on all of them, a new pair makes every service account's token void")
    elif finding.cause == "key-unreadable":
        yield comment(
            f"what lies at {target.at(place.certificate)} is no file: move it elsewhere, and check "
            "again")
    else:
        public = target.at(place.certificate)
        if target.holds(place.certificate):
            yield command("cp", "-p", public, f"{public}.aside")
        yield command("kpki", "pkey", "-in", target.at(place.key), "-pubout", "-out", public)
