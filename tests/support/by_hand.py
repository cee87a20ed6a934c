"""What commands that `--explain` prints leave behind, beside what kpki leaves behind."""
from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID


def block_of(told: str) -> str:
    """The commands of an explanation: its first indented lines."""
    block = re.search(r"^(?:  .*\n)+", told, re.MULTILINE)
    return re.sub(r"^  ", "", block[0], flags=re.MULTILINE) if block else ""


def run_all(told: str, folder: Path) -> str:
    """Run every indented line of an explanation in a plain shell; each must succeed."""
    lines = block_of(told)
    done = subprocess.run(["sh", "-ec", lines], cwd=folder, capture_output=True, text=True,
                          timeout=60, check=False)
    assert lines and done.returncode == 0, f"{done.stderr}\n{told}"
    return done.stdout


def contents(root: Path, *, keys: bool = True) -> dict[str, list[dict[str, object]]]:
    """What each certificate under a folder says, by its file; without *keys*, not of its key."""
    found = dict[str, list[dict[str, object]]]()
    for path in sorted(root.rglob("*")):
        data = path.read_bytes() if path.is_file() and "backup" not in path.parts else b""
        texts = [base64.b64decode(text) for text in re.findall(
            rb"(?:certificate|authority)-data[\": ]*([A-Za-z0-9+/=]+)", data)] or [data]
        if b"-BEGIN CERTIFICATE-" in b"".join(texts):
            found[str(path.relative_to(root))] = [
                {"subject": seen.subject, "issuer": seen.issuer,
                 "days": round((seen.not_valid_after_utc - datetime.now(UTC)).days, -1),
                 **({"key": seen.public_key()} if keys else {}),
                 "extensions": {item.oid: (item.critical, item.value) for item in seen.extensions
                                if keys or item.oid != ExtensionOID.SUBJECT_KEY_IDENTIFIER}}
                for text in texts for seen in x509.load_pem_x509_certificates(text)]
    return found


def files_of(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """Mode and content of each file of a workspace, without the backup and the lock."""
    return {path: file for path, file in tree(root).items()
            if not path.startswith("backup/") and not path.endswith(".kpki.lock")}


def tree(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """Mode and content of each file, the target of each link; kpki's own folder is left out."""
    return {str(path.relative_to(root)): (
        path.lstat().st_mode, os.readlink(path) if path.is_symlink() else path.read_bytes())
        for path in root.rglob("*") if not path.is_dir() and "var/lib/kpki" not in str(path)}


def rights(root: Path) -> dict[str, tuple[int, int, int]]:
    """Mode, owner and group of each file and folder of a workspace, without backup and
    lock."""
    return {str(path.relative_to(root)): (seen.st_mode, seen.st_uid, seen.st_gid)
            for path in root.rglob("*") if "backup" not in path.relative_to(root).parts
            and path.name not in (".kpki.lock", "lock") for seen in (path.lstat(),)}


def unlike(found: Mapping[str, object], wanted: Mapping[str, object]) -> list[str]:
    """The paths that only one of two folders has, or that differ."""
    return sorted(path for path in found.keys() | wanted.keys()
                  if path not in found or path not in wanted or found[path] != wanted[path])
