"""What a certificate may be used for: OpenSSL's CA check and purposes (`-purpose`).

An answer is OpenSSL's number: 0 is no, 1 is yes, and more is yes by an old rule:

- 2: a leaf with the Netscape type of an SSL client
- 3: a self-signed root of version 1
- 4: a CA by its key usage, without basicConstraints
- 5: a CA by its Netscape type
"""
from __future__ import annotations

from collections.abc import Callable

from .facts import Facts

_SERVER, _CLIENT, _EMAIL, _TIME = (f"1.3.6.1.5.5.7.3.{number}" for number in (1, 2, 4, 8))
_GATED = {"1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"}
# The usages that OpenSSL has a bit for; OpenSSL ignores any other, also beside time stamping.
_KNOWN = {*(f"1.3.6.1.5.5.7.3.{number}" for number in (1, 2, 3, 4, 8, 9, 10)), *_GATED,
          "2.5.29.37.0"}
_SIGNING = {"digitalSignature", "nonRepudiation"}

PurposeTest = Callable[[Facts, bool], int]


def check_ca(facts: Facts) -> int:
    """Whether the certificate may be a CA (X509_check_ca(3))."""
    if not _usable(facts, {"keyCertSign"}):
        return 0
    if facts.ca is not None:
        return int(facts.ca)
    if facts.version == 0 and facts.self_signed:
        return 3
    if facts.key_usage is not None:
        return 4
    return 5 if facts.netscape_type and facts.netscape_type & {"sslCA", "emailCA", "objCA"} else 0


def _usable(facts: Facts, usages: set[str]) -> bool:
    return facts.key_usage is None or bool(facts.key_usage & usages)


def _extended(facts: Facts, usages: set[str]) -> bool:
    return facts.extended_key_usage is None or bool(facts.extended_key_usage & usages)


def _typed(facts: Facts, kind: str) -> bool:
    return facts.netscape_type is None or kind in facts.netscape_type


def _ca_of(facts: Facts, kind: str) -> int:
    """`check_ca`, but a CA by its Netscape type alone must have the type *kind*."""
    answer = check_ca(facts)
    return 0 if answer == 5 and not _typed(facts, kind) else answer


def _ssl(facts: Facts, as_ca: bool, usages: set[str], kind: str) -> int:
    """Whether the certificate may serve TLS; a CA by an old rule counts as any CA."""
    if as_ca:
        return min(1, _ca_of(facts, "sslCA"))
    return int(_usable(facts, usages) and _typed(facts, kind))


def _ssl_client(facts: Facts, as_ca: bool) -> int:
    usages = {"digitalSignature", "keyAgreement"}
    return _extended(facts, {_CLIENT}) and _ssl(facts, as_ca, usages, "client")


def _ssl_server(facts: Facts, as_ca: bool) -> int:
    usages = {"digitalSignature", "keyEncipherment", "keyAgreement"}
    return _extended(facts, {_SERVER, *_GATED}) and _ssl(facts, as_ca, usages, "server")


def _netscape_server(facts: Facts, as_ca: bool) -> int:
    answer = _ssl_server(facts, as_ca)
    return answer if as_ca or _usable(facts, {"keyEncipherment"}) else 0


def _smime(usages: set[str]) -> PurposeTest:
    def answer(facts: Facts, as_ca: bool) -> int:
        if not _extended(facts, {_EMAIL}):
            return 0
        if as_ca:
            return _ca_of(facts, "emailCA")
        if not _usable(facts, usages):
            return 0
        return 1 if _typed(facts, "email") else 2 if _typed(facts, "client") else 0
    return answer


def _crl_sign(facts: Facts, as_ca: bool) -> int:
    return check_ca(facts) if as_ca else int(_usable(facts, {"cRLSign"}))


def _time_stamp(facts: Facts, as_ca: bool) -> int:
    """RFC 3161 §2.3: the extended key usage is time stamping alone, and critical."""
    if as_ca:
        return check_ca(facts)
    if facts.key_usage is not None and not facts.key_usage <= _SIGNING:
        return 0
    usages = facts.extended_key_usage
    return int(usages is not None and usages & _KNOWN == {_TIME} and "2.5.29.37" in facts.critical)


# The name of openssl's -purpose → a function of the facts, and of whether the certificate is a CA
# of the path.
OPENSSL_PURPOSES: dict[str, PurposeTest] = {
    "sslclient": _ssl_client,
    "sslserver": _ssl_server,
    "nssslserver": _netscape_server,
    "smimesign": _smime(_SIGNING),
    "smimeencrypt": _smime({"keyEncipherment"}),
    "crlsign": _crl_sign,
    "any": lambda _facts, _as_ca: 1,
    "ocsphelper": lambda facts, as_ca: check_ca(facts) if as_ca else 1,
    "timestampsign": _time_stamp,
}
