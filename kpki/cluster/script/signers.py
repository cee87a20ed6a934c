"""A cluster's CA as the script sees it: which files it signs with, for how many days, with which hash."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from shlex import quote
from typing import TYPE_CHECKING

from .kept import copied
from ..authority import day, leaf_algorithm, signing_digest
from ..plan.plan import Plan
from ..plan.roots import Root
from ...errors import RefusedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from cryptography.x509 import Certificate

DAY = timedelta(days=1)
_SPARE = timedelta(hours=1)     # how long the script may run before its certificates would outlive an existing CA


def whole_days(validity: timedelta, now: datetime, *, least: int = 1) -> int:
    """The days that openssl is told for a validity: whole ones, at least *least*, at most to the year 9999."""
    return max(least, min(validity // DAY, (datetime.max.replace(tzinfo=timezone.utc) - now) // DAY))


@dataclass(frozen=True)
class Signer:
    """A CA of the plan. All files are words for the shell, as they will be once the workspace's own steps are done."""

    plan: Plan
    root: Root

    @cached_property
    def _data(self) -> bytes | None:
        """What the workspace's own certificate file holds, None if it is not there."""
        return self.plan.look(self.root.row.place.certificate).data

    @property
    def made(self) -> bool:
        """Whether the script makes it."""
        return self.root.bundle is None

    @property
    def _plain(self) -> bool:
        return self.made or self._data is None or self._data == self.root.bundle

    @property
    def bundle(self) -> str:
        """The file with all its certificates and nothing else, for hosts and kubeconfigs."""
        return quote(self.root.row.place.certificate) if self._plain else f'"$work/{self.root.row.name}.crt"'

    @property
    def certificate(self) -> str:
        """The file whose first certificate signs."""
        return self.bundle if self._place == 0 else f'"$work/{self.root.row.name}-signer.crt"'

    @property
    def key(self) -> str:
        """The file with its key."""
        return _word(self.root.key_path if self.root.given else self.root.row.place.key)

    @property
    def source(self) -> str:
        """The file that its certificates were read from."""
        return _word(self.root.certificate_path)

    @property
    def _place(self) -> int:
        signer = self.root.signer
        return [*self.root.certificates].index(signer) if signer else 0

    def _cut(self, source: str) -> str:
        """The command that gives the certificate that signs alone."""
        return f"awk '/^-----BEGIN CERTIFICATE-----/ {{ n++ }} n == {self._place + 1}' {source}"

    def alone(self) -> str:
        """The command that gives the certificate that signs, and nothing else."""
        return self._cut(self.bundle)

    def prepared(self) -> str:
        """The commands after which its files are there, "" where they are as they lie."""
        text = "" if self._plain else copied(self._data or b"", [*self.root.certificates],
                                             quote(self.root.row.place.certificate), self.bundle)
        return text + (f"{self._cut(self.bundle)} > {self.certificate}\n" if self._place else "")

    @cached_property
    def _signing(self) -> Certificate | None:
        """The certificate that signs, None where it is to be made. Raises InputError where the key alone tells it."""
        if self.made:
            return None
        return self.root.certificates[0] if len(self.root.certificates) == 1 else self.root.ready().certificate

    @property
    def _public_key(self) -> PublicKeyTypes | None:
        if self._signing is not None:
            return self._signing.public_key()
        return self.root.kept.public_key() if self.root.kept else None

    @property
    def algorithm(self) -> str:
        """The algorithm of its key, and of the leaves' where nobody says another."""
        key = self._public_key
        return self.plan.algorithm if key is None else leaf_algorithm(key)

    @property
    def hash(self) -> str:
        """The hash of its signatures: SHA-256, but a P-384 or P-521 key's own size."""
        key = self._public_key
        if key is None:
            return "sha384" if self.plan.algorithm == "ECDSA-P384" else "sha256"
        return signing_digest(key)

    @property
    def own_days(self) -> int:
        """How long it is valid where the script makes it: a day longer than the shortest certificate."""
        return whole_days(self.plan.cluster.ca_validity, self.plan.now, least=2)

    @cached_property
    def days(self) -> int:
        """How long what it signs is valid: never past its own end. Raises RefusedError where that is near."""
        wanted = whole_days(self.plan.cluster.validity, self.plan.now)
        if self._signing is None:
            return min(wanted, self.own_days - 1) if wanted >= self.own_days else wanted
        end = self._signing.not_valid_after_utc
        left = (end - self.plan.now - _SPARE) // DAY
        if left < 1:
            raise RefusedError(f"{self.root.certificate_path}: the CA ends on {day(end)}; openssl counts whole days",
                               hint="kpki apply makes certificates that end with their CA")
        return min(wanted, left)

    def told(self) -> str:
        """What is to be said about its days, "" where they are the description's."""
        if self.days == whole_days(self.plan.cluster.validity, self.plan.now):
            return ""
        ends = f"is valid for {self.own_days} days" if self._signing is None else \
            f"ends on {day(self._signing.not_valid_after_utc)}"
        return f"{self.root.certificate_path} {ends}, so what it signs is valid for {self.days} days"

    def checked(self) -> str:
        """The command before the first change that sees whether the CA lasts long enough, "" for a new one."""
        if self._signing is None:
            return ""
        ends = f"openssl x509 -noout -checkend {self.days * 86400} > /dev/null"
        command = f"{self._cut(self.source)} | {ends}" if self._place else f"{ends} -in {self.source}"
        said = quote(f"{self.root.certificate_path}: the CA ends before what it is to sign, nothing was changed")
        return f"{command} || stop {said}\n"

    def copied_key(self, target: str) -> str:
        """The command that gives a host its key, in the traditional form."""
        key = self.root.kept or (self.root.authority.key if self.root.authority else None)
        raw = self.root.key_pem or self.plan.look(self.root.row.place.key).data
        return f"cp {self.key} {target}\n" if key is None else copied(raw or b"", key, self.key, target)


def _word(path: str) -> str:
    """A path as a word that no command takes for an option."""
    return quote(f"./{path}" if path.startswith("-") else path)
