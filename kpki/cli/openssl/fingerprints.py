"""The digests of openssl's fingerprints: more than the digests of its signatures."""
from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives import hashes

from ...stages.keys import DIGESTS, get_digest

# digest that makes no signature → cryptography's class, and the number of octets in openssl
_UNSIGNED: dict[str, tuple[Any, ...]] = {
    "blake2b512": ("BLAKE2b", 64), "blake2s256": ("BLAKE2s", 32), "shake128": ("SHAKE128", 16),
    "shake256": ("SHAKE256", 32), "sm3": ("SM3",)}


def hashes_of(name: str) -> list[hashes.HashAlgorithm]:
    """The hashes of a digest: one, but of md5-sha1 two. Raises InputError for an unknown name."""
    plain = name.lower().replace("-", "")
    if plain == "md5sha1":
        return [*hashes_of("md5"), *hashes_of("sha1")]
    kind, *size = _UNSIGNED.get(plain) or DIGESTS[get_digest(name)][:1]
    return [getattr(hashes, kind)(*size)]
