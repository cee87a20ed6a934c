"""Which CA must have signed which certificate, by the CA files of this host's verifiers.

If certificate and CA file do not fit, one of them is at fault, not both. The CA file is at fault if
no other certificate fits it, and another CA of this host verifies the certificate. Otherwise the
certificate is at fault.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from cryptography.x509 import Certificate

from .certificate import (
    bundle_fault,
    ca_fault,
    called,
    fingerprint,
    other_authority,
    signed_by_another,
    signer_of,
)
from .facts import Pair, TrustFile
from ..finding import Finding
from ...kubernetes import reading
from ...kubernetes.profiles import get_profile
from ...kubernetes.purposes import Purpose

if TYPE_CHECKING:
    from ..observed.use import Use

Certificates = Sequence[Certificate]


class Verifiers(NamedTuple):
    """The CA files of a host, and the known CAs beside them."""

    files: Sequence[TrustFile]
    """Every CA file that a component reads."""
    pairs: Sequence[Pair]
    """Every pair that a component presents."""
    started: frozenset[str]
    """The components that the tree starts.

    For other components the layout counts, with one CA for clients and servers.
    """
    etcd_is_here: bool
    """Whether the API server uses the etcd of this host."""
    now: datetime
    keys: Mapping[str, bytes] = {}
    """The public halves (DER) of the CA keys on this host, by the CA certificate's path."""
    given: Mapping[str, Certificates] = {}
    """The CAs of the command line or of the caller, by row."""

    def sure(self, pair: Pair) -> list[TrustFile]:
        """The CA files that verifiers on this host verify the pair with."""
        return [file for file in self.files if any(self._verifies(use, purpose) for use in file.uses
                                                   for purpose in pair.purposes
                                                   if use.purpose in purpose.verifiers)]

    def likely(self, pair: Pair) -> list[TrustFile]:
        """The files with the CA of a verifier on another host, as in most clusters."""
        if any(self._verifies(use, purpose) for purpose in pair.purposes for file in self.files
               for use in file.uses
               if purpose.likely and use.purpose in purpose.verifiers):
            return []
        return [file for file in self.files if any(
            use.purpose in purpose.likely
            and (use.purpose != "apiserver-ca" or _is_own(use, pair, purpose))
            for use in file.uses for purpose in pair.purposes)]

    def _verifies(self, use: Use, purpose: Purpose) -> bool:
        match use.purpose:
            case "apiserver-ca":    # with pairs by name, each client sees another pair
                return not any(pair.serves("apiserver-sni") for pair in self.pairs)
            case "requestheader-ca":
                return use.component == "kube-apiserver"
            case "etcd-server-ca" | "etcd-client-ca":
                return self.etcd_is_here \
                    or not (use.component == "kube-apiserver" or "apiserver" in purpose.name)
            case _:
                return True


def _is_own(use: Use, pair: Pair, purpose: Purpose) -> bool:
    """Whether a kubeconfig's CA belongs to the pair's kubeconfig, or to the serving kubelet."""
    return any(use.group == own.group
               or (purpose.name == "kubelet-serving" and use.component == "kubelet")
               for own in pair.uses)


class TrustCheck(NamedTuple):
    """The result of the check: the faults of CA files and signers, and the CAs for each pair."""

    findings: tuple[Finding, ...]
    """The findings for CA files."""
    faults: Mapping[str, Finding]
    """The pairs that another CA has signed, by path."""
    trusted: Mapping[str, Certificates]
    """The CA certificates that verify a pair, by the pair's path."""
    files: Sequence[TrustFile]
    """The CA files that are not at fault."""


def check_trust(verifiers: Verifiers) -> TrustCheck:
    """Check every pair against the CA files that verify it."""
    findings = {file.path: fault for file in verifiers.files
                if (fault := _file_fault(file, verifiers))}
    good = [file for file in verifiers.files
            if any(not ca_fault("", "", certificate, verifiers.now)
                   for certificate in file.certificates)]
    for file in good:
        if fault := _against_given(file, good, verifiers):
            findings[file.path] = fault
    faults: dict[str, Finding] = {}
    trusted: dict[str, Certificates] = {}
    readable = [pair for pair in verifiers.pairs if pair.chain]
    broken = [(file, pair) for pair in readable for file in _asked(pair, verifiers)
              if file in good and file.path not in findings and not _fits(file, pair)]
    for file, _ in broken:
        # a key of another certificate tells nothing about the CA
        pairs = [pair for other, pair in broken if other == file and pair.matches]
        if pairs and file.path not in findings \
            and _is_at_fault(file, pairs, good, readable, verifiers):
            findings[file.path] = _wrong_file(file, pairs[0])
    for file, pair in broken:
        if file.path not in findings:
            faults.setdefault(pair.path, stranger(pair, file.certificates, file.row))
    for pair in readable:
        if pair.path not in faults and (fault := _by_given(pair, verifiers)):
            faults[pair.path] = fault
        trusted[pair.path] = _trusted(pair, [file for file in good if file.path not in findings],
                                      verifiers)
    return TrustCheck(tuple(findings.values()), faults, trusted,
                      [file for file in good if file.path not in findings])


def _file_fault(file: TrustFile, verifiers: Verifiers) -> Finding | None:
    """The fault of a CA file by itself; a bundle may contain a former CA beside a good CA."""
    if "#" in file.path \
        and any(_are_same(other.certificates, file.certificates) for other in verifiers.files
                if "#" not in other.path):
        return file.fault       # the finding stands at the file, not at its copy in a kubeconfig
    return file.fault or bundle_fault(file.path, file.owner, file.certificates, verifiers.now)


def _asked(pair: Pair, verifiers: Verifiers) -> list[TrustFile]:
    """The files that must verify a pair: its verifiers' files, or else likely files."""
    sure, likely = verifiers.sure(pair), verifiers.likely(pair)
    if any(file.unread for file in (*sure, *likely)):
        return sure     # a known CA replaces no unknown CA
    # any CA of the right name may be the signer
    if not any(purpose.verifiers for purpose in pair.purposes):
        likely = [] if any(_fits(file, pair) for file in likely) else likely
        return [file for file in likely if _has_name_of_issuer(file, pair)]
    by_layout = verifiers.started.isdisjoint(use.component for use in pair.uses)
    several = len({use.purpose for file in likely for use in file.uses}) > 1 and all(
        _are_same(likely[0].certificates, file.certificates) for file in likely)
    if by_layout or (several and not any(_fits(file, pair) for file in verifiers.files)):
        return sure + likely
    return sure + [file for file in likely if _has_name_of_issuer(file, pair)]


def _has_name_of_issuer(file: TrustFile, pair: Pair) -> bool:
    """Whether a CA of the file has the name of the CA that signed the pair."""
    return any(reading.is_named_issuer(ca, pair.chain[-1])
               or reading.is_named_issuer(ca, pair.chain[0])
               for ca in file.certificates)


def _fits(file: TrustFile, pair: Pair) -> bool:
    return signer_of(pair.chain, file.certificates) is not None


def _are_same(some: Certificates, others: Certificates) -> bool:
    return any(reading.is_same_authority(certificate, other) for certificate in some
               for other in others)


def _is_at_fault(file: TrustFile, pairs: Sequence[Pair], good: Sequence[TrustFile],
                 readable: Sequence[Pair], verifiers: Verifiers) -> bool:
    """Whether a CA file is wrong, rather than the pairs that it does not verify."""
    if file.row in verifiers.given:
        return not _are_same(file.certificates, verifiers.given[file.row])
    key = verifiers.keys.get(file.path)
    if key is not None \
        and any(reading.has_public_key(certificate, key) for certificate in file.certificates):
        return False
    if key is not None and any(reading.is_signed_by_key(key, pair.chain[0]) for pair in pairs):
        return True
    if any(_fits(file, pair) for pair in readable if file in _asked(pair, verifiers)):
        return False
    if all(any(_fits(other, pair) for other in good) for pair in pairs):
        return True
    return len(pairs) > 1 and len({reading.issuer_der(pair.chain[-1]) for pair in pairs}) == 1 \
        and not any(
        _fits(other, pair) for pair in readable for other in good
        if _are_same(other.certificates, file.certificates))


def _wrong_file(file: TrustFile, pair: Pair) -> Finding:
    issuer = reading.issuer_text(pair.chain[0])
    return other_authority(file.path, file.owner, f"{called(file.row)} that signed {pair.path}",
                           file.certificates, [issuer], issuer)


def _against_given(file: TrustFile, good: Sequence[TrustFile],
                   verifiers: Verifiers) -> Finding | None:
    """The fault of a CA file without a CA that the caller gives; the host may use several CAs.

    A file that verifies the right pairs is right. A file may have no pair to verify on this host.
    Then it has a warning only if every other CA file, and every certificate, is of the given CA.
    """
    given = verifiers.given.get(file.row, ())
    if not given or _are_same(file.certificates, given):
        return None
    named, mild = {reading.subject_text(certificate) for certificate in given}, False
    # another CA, which may be in use beside the given CA
    if named.isdisjoint(map(reading.subject_text, file.certificates)):
        pairs = [pair for pair in verifiers.pairs if pair.chain]
        others = [other for other in good if other.row == file.row and other != file]
        asked = [pair for pair in pairs if file in verifiers.sure(pair)]
        counts = any(_are_same(other.certificates, given) for other in others) or any(
            signer_of(pair.chain, given) for pair in pairs)
        if not file.row or (counts and any(_fits(file, pair) for pair in asked or pairs)):
            return None
        mild = counts and not asked \
            and not verifiers.started.isdisjoint(use.component for use in file.uses)
        if mild and not (all(_are_same(other.certificates, given) for other in others) and all(
                signer_of(pair.chain, given) for pair in pairs if signer_row(pair) == file.row)):
            return None
    return other_authority(file.path, file.owner, called(file.row), file.certificates, named,
                           fingerprint(given[0]), mild=mild)


def _by_given(pair: Pair, verifiers: Verifiers) -> Finding | None:
    """Whether a pair is of a given CA, or of another CA that is in use for the same row."""
    row = signer_row(pair)
    given = verifiers.given.get(row, ())
    files = [file for file in verifiers.files if file.certificates and file.row == row != ""]
    if not given or signer_of(pair.chain, given) is not None or any(
            _fits(file, pair) and _against_given(file, verifiers.files, verifiers) is None
            for file in files):
        return None
    if not verifiers.sure(pair) \
        and not all(_are_same(file.certificates, files[0].certificates) for file in files) \
            and not any(reading.is_named_issuer(certificate, pair.chain[0])
                        for certificate in given):
        return None     # with several CAs, the CA of verifiers on other hosts is unknown
    return stranger(pair, given, row)


def signer_row(pair: Pair) -> str:
    """The row of the CA that signs such a pair, "" if no purpose says which."""
    return next((signer for use in pair.purposes if use.row
                 and (signer := get_profile(use.row).signer)), "")


def stranger(pair: Pair, expected: Certificates, row: str) -> Finding:
    """The finding for a certificate that another CA has signed."""
    cause = next((purpose.cause for purpose in pair.purposes if purpose.verifiers),
                 "unknown-authority")
    return signed_by_another(cause, pair.path, pair.row, row, pair.chain[0], expected)


def _trusted(pair: Pair, good: Sequence[TrustFile], verifiers: Verifiers) -> Certificates:
    """The CA certificates that verify a pair: its verifiers', else likely ones, else any."""
    given = verifiers.given.get(signer_row(pair), ())
    if given and signer_of(pair.chain, given) is not None:
        return given
    for files in (verifiers.sure(pair), verifiers.likely(pair), good):
        fitting = [certificate for file in files if file in good and _fits(file, pair)
                   for certificate in file.certificates]
        if fitting:
            return [*dict.fromkeys(fitting)]
    return ()
