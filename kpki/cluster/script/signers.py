"""A CA in the script: the files, the days and the hash of its signatures."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from shlex import quote
from typing import TYPE_CHECKING

from .extraction import copy_command
from ..authority import day, leaf_algorithm, signing_digest
from ..plan.plan import Plan
from ..plan.roots import PlannedAuthority
from ...errors import RefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from cryptography.x509 import Certificate

DAY = timedelta(days=1)
# If the script starts within this time, its certificates do not outlive an existing CA.
_SPARE = timedelta(hours=1)


def whole_days(validity: timedelta, now: datetime, *, least: int = 1) -> int:
    """A validity in whole days for openssl: at least *least*, at most to the year 9999."""
    return max(least,
               min(validity // DAY, (datetime.max.replace(tzinfo=UTC) - now) // DAY))


@dataclass(frozen=True)
class ScriptAuthority:
    """A CA of the plan.

    Its files are words for the shell, with their paths after the workspace's own steps.
    """

    plan: Plan
    """The plan."""
    root: PlannedAuthority
    """The CA."""

    @cached_property
    def _data(self) -> bytes | None:
        """The content of the workspace's own certificate file, None if the file is missing."""
        return self.plan.observe(self.root.row.place.certificate).data

    @property
    def made(self) -> bool:
        """Whether the script makes the CA."""
        return self.root.bundle is None

    @property
    def _plain(self) -> bool:
        return self.made or self._data is None or self._data == self.root.bundle

    @property
    def bundle(self) -> str:
        """The file with all certificates of the CA and no other text, for hosts and kubeconfigs."""
        return quote(self.root.row.place.certificate) if self._plain \
            else f'"$work/{self.root.row.name}.crt"'

    @property
    def certificate(self) -> str:
        """The file whose first certificate signs."""
        return self.bundle if self._place == 0 else f'"$work/{self.root.row.name}-signer.crt"'

    @property
    def key(self) -> str:
        """The file with the CA's key."""
        return _word(self.root.key_path if self.root.given else self.root.row.place.key)

    @property
    def source(self) -> str:
        """The file from which the plan read the CA's certificates."""
        return _word(self.root.certificate_path)

    @property
    def _place(self) -> int:
        signer = self.root.signer
        return [*self.root.certificates].index(signer) if signer else 0

    def _cut(self, source: str) -> str:
        """The command that prints the signing certificate of *source*."""
        return f"awk '/^-----BEGIN CERTIFICATE-----/ {{ n++ }} n == {self._place + 1}' {source}"

    def alone(self) -> str:
        """The command that prints the signing certificate."""
        return self._cut(self.bundle)

    def preparation(self) -> str:
        """The commands that make temporary files of the CA, "" if the existing files suffice."""
        source = quote(self.root.row.place.certificate)
        text = "" if self._plain else copy_command(self._data or b"", [*self.root.certificates],
                                                   source, self.bundle)
        return text + (f"{self._cut(self.bundle)} > {self.certificate}\n" if self._place else "")

    @cached_property
    def _signing(self) -> Certificate | None:
        """The signing certificate, None for a new CA.

        Raises InputError if only an encrypted key could determine it.
        """
        if self.made:
            return None
        return self.root.certificates[0] if len(self.root.certificates) == 1 \
            else self.root.ready().certificate

    @property
    def _public_key(self) -> PublicKeyTypes | None:
        if self._signing is not None:
            return self._signing.public_key()
        return self.root.existing_key.public_key() if self.root.existing_key else None

    @property
    def algorithm(self) -> str:
        """The algorithm of the CA's key, which is also the default for its leaves."""
        key = self._public_key
        return self.plan.algorithm if key is None else leaf_algorithm(key)

    @property
    def hash(self) -> str:
        """The hash of the CA's signatures: SHA-256, but a P-384 or P-521 key's own size."""
        key = self._public_key
        if key is None:
            return "sha384" if self.plan.algorithm == "ECDSA-P384" else "sha256"
        return signing_digest(key)

    @property
    def own_days(self) -> int:
        """The validity of a new CA in days: at least a day longer than the shortest leaf's."""
        return whole_days(self.plan.cluster.ca_validity, self.plan.now, least=2)

    @cached_property
    def days(self) -> int:
        """The validity of the CA's leaves in days, never past the CA's end.

        Raises RefusedError if that is near.
        """
        wanted = whole_days(self.plan.cluster.validity, self.plan.now)
        if self._signing is None:
            return min(wanted, self.own_days - 1) if wanted >= self.own_days else wanted
        end = self._signing.not_valid_after_utc
        left = (end - self.plan.now - _SPARE) // DAY
        if left < 1:
            raise RefusedError(f"{self.root.certificate_path}: the CA expires on {day(end)}; "
                               "openssl counts whole days",
                               hint="kpki apply makes certificates that end with their CA")
        return min(wanted, left)

    def days_note(self) -> str:
        """The script's note about the CA's days, "" if they are the description's."""
        if self.days == whole_days(self.plan.cluster.validity, self.plan.now):
            return ""
        ends = f"is valid for {self.own_days} days" if self._signing is None else \
            f"expires on {day(self._signing.not_valid_after_utc)}"
        return f"{self.root.certificate_path} {ends}, so its leaves are valid for {self.days} days"

    def end_check(self) -> str:
        """The command that checks that the CA outlives its leaves, "" for a new CA."""
        if self._signing is None:
            return ""
        ends = f"openssl x509 -noout -checkend {self.days * 86400} > /dev/null"
        command = f"{self._cut(self.source)} | {ends}" if self._place \
            else f"{ends} -in {self.source}"
        message = quote(f"{self.root.certificate_path}: the CA expires before its leaves, nothing "
                        "was changed")
        return f"{command} || stop {message}\n"

    def copy_key(self, target: str) -> str:
        """The command that copies the CA's key to *target*, in the traditional form."""
        key = self.root.existing_key or (self.root.authority.key if self.root.authority else None)
        raw = self.root.key_pem or self.plan.observe(self.root.row.place.key).data
        if key is None:
            return f"cp {self.key} {target}\n"
        return copy_command(raw or b"", key, self.key, target)


def _word(path: str) -> str:
    """A path as a word that no command reads as an option."""
    return quote(f"./{path}" if path.startswith("-") else path)
