"""Certificates as recipes want them, made by the real openssl: a table of rows, and a shelf that
makes each once."""
from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

PAST, LATER = "230501000000Z-240501000000Z", "380101000000Z-390101000000Z"
ANOTHER = "!"   # after a row's name: the same certificate with another key

# How each maker shapes its certificates: the extensions beside extendedKeyUsage and subjectAltName.
SHAPES = {
    "plain": "",    # x509 -req without a file of extensions: version 1
    "san": "",
    # kubeadm, k3s, Talos and others that are built with client-go's or Go's own helpers
    "go-ca": "basicConstraints=critical,CA:TRUE\n"
    "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign\nsubjectKeyIdentifier=hash\n",
    "go": "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n"
          "authorityKeyIdentifier=keyid\n",
    "cfssl-ca": "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign,keyCertSign\n"
    "subjectKeyIdentifier=hash\n",
    "cfssl": "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,"
    "keyEncipherment\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    # `openssl req -x509` with its own v3_ca, and the v3_req of so many guides
    "req-ca": "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    "basicConstraints=critical,CA:TRUE\n",
    "v3_req": "basicConstraints=CA:FALSE\n"
    "keyUsage=nonRepudiation,digitalSignature,keyEncipherment\n",
    "nixos": "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    # Kubernetes the Hard Way, 2023: its ca.conf
    "hard-way-ca": "basicConstraints=CA:TRUE\nkeyUsage=cRLSign,keyCertSign\n",
    "hard-way": "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n"
                "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
}


@dataclass(frozen=True)
class Row:
    """One certificate of a recipe."""

    subject: str            # openssl's -subj
    ca: str = ""            # the row that signs it, "": itself
    usages: str = ""        # extendedKeyUsage, "": none
    names: str = ""         # subjectAltName, "": none
    shape: str = "go"       # which of SHAPES
    days: int = 365
    dates: str = ""         # START-END instead of *days* from now
    key: str = ""           # another row, whose key it has
    more: str = ""          # further extensions


def ca(subject: str, shape: str = "go-ca", **more: Any) -> Row:
    """The row of a root."""
    return Row(subject, shape=shape, **{"days": 3650, **more})


@dataclass
class Shelf:
    """The certificates and keys of a table of rows (PEM), each made when it is first asked for."""

    rows: Mapping[str, Row]
    folder: Path                                        # openssl's, for the work
    made: dict[object, bytes] = field(default_factory=dict)  # shared by the shelves of all tables

    def changed(self, rows: Mapping[str, Row]) -> Shelf:
        """The shelf of a table in which some rows are others; the keys stay."""
        return replace(self, rows={**self.rows, **rows})

    def row(self, name: str) -> Row:
        return self.rows[name.rstrip(ANOTHER)]

    def key(self, name: str) -> bytes:
        """A row's private key."""
        owner = name if name.endswith(ANOTHER) else self.row(name).key or name
        if owner not in self.made:
            self.made[owner] = openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                                       "ec_paramgen_curve:P-256")
        return self.made[owner]

    def public(self, name: str) -> bytes:
        """A row's public key."""
        key = self.key(name)
        if ("public", key) not in self.made:
            self.made["public", key] = openssl("pkey", "-pubout", given=key)
        return self.made["public", key]

    def certificate(self, name: str) -> bytes:
        """A row's certificate."""
        row, key = self.row(name), self.key(name)
        signer = (self.certificate(row.ca), self.key(row.ca)) if row.ca else None
        wanted = (replace(row, key=""), key, signer)
        if wanted not in self.made:
            self.made[wanted] = self.make(row, key, signer)
        return self.made[wanted]

    def make(self, row: Row, key: bytes, signer: tuple[bytes, bytes] | None) -> bytes:
        extensions = SHAPES[row.shape] + row.more
        extensions += f"extendedKeyUsage={row.usages}\n" if row.usages else ""
        extensions += f"subjectAltName={row.names}\n" if row.names else ""
        place = self.folder
        (place / "key").write_bytes(key)
        (place / "config").write_text(_CONFIG.format(folder=place, extensions=extensions))
        words = ["-config", f"{place}/config"]
        if signer is not None:
            (place / "ca").write_bytes(signer[0])
            (place / "ca-key").write_bytes(signer[1])
        if not row.dates:
            serial = sha256(repr(row).encode() + key).hexdigest()[:14]
            words += ["-x509", "-days", str(row.days), "-set_serial", f"0x1{serial}"]
            words += ["-extensions", "wanted"] if extensions else []
            words += ["-CA", f"{place}/ca", "-CAkey", f"{place}/ca-key"] if signer else []
            return openssl("req", *words, "-key", f"{place}/key", "-subj", row.subject)
        openssl("req", "-new", *words, "-key", f"{place}/key", "-subj", row.subject, "-out",
                f"{place}/request")
        (place / "index").write_text("")
        start, end = row.dates.split("-")
        signs = ["-cert", f"{place}/ca", "-keyfile", f"{place}/ca-key"] if signer else [
            "-selfsign", "-keyfile", f"{place}/key"]
        return openssl("ca", "-batch", "-notext", "-preserveDN", *words, "-in", f"{place}/request",
                       "-startdate", start, "-enddate", end,
                       *(["-extensions", "wanted"] if extensions else []), *signs)


_CONFIG = """[req]
distinguished_name = none
[none]
[ca]
default_ca = here
[here]
new_certs_dir = {folder}
database = {folder}/index
rand_serial = yes
default_md = sha256
unique_subject = no
policy = any
[any]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
[wanted]
{extensions}"""


def openssl(*words: str, given: bytes = b"") -> bytes:
    """What the command prints; it must succeed."""
    done = subprocess.run(["openssl", *words], input=given, capture_output=True, timeout=60,
                          check=False)
    assert done.returncode == 0, (words, done.stderr.decode())
    return done.stdout
