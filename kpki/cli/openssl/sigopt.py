"""`-sigopt`: how an RSA key signs, by PKCS#1 v1.5 or by RSASSA-PSS."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .options import TEXT, GivenOptions, Option, is_number, to_number
from ...errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

SIGOPT = Option("sigopt", TEXT,
                "how an RSA key signs (repeatable): rsa_padding_mode:pss, then "
                "rsa_pss_saltlen:N, rsa_mgf1_md:DIGEST")
_SALTS = {"digest": -1, "auto": -2, "max": -2, "-2": -2, "-3": -2}


def signing_digest(given: GivenOptions, digest: str, key: PrivateKeyTypes) -> str:
    """The digest for *key*'s signature; it also states RSASSA-PSS, if -sigopt asks for it.

    Raises InputError for an option that openssl refuses, and for a key that is no RSA key.
    """
    texts = given.all("sigopt")
    if not texts:
        return digest
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from ...stages.keys import LONGEST_SALT, Pss
    pss, mask, salt = False, None, LONGEST_SALT
    for text in texts:
        name, _, value = text.partition(":")
        if not isinstance(key, RSAPrivateKey) or (name != "rsa_padding_mode" and not pss):
            raise _refused(text)
        match name:
            case "rsa_padding_mode":
                pss = _is_pss(value)
            case "rsa_mgf1_md":
                mask = value
            case "rsa_pss_saltlen" if value in _SALTS or is_number(value):
                salt = _SALTS[value] if value in _SALTS else to_number(value)
            case _:
                raise _refused(text)
    return Pss(digest, mask=mask, salt=salt) if pss else digest


def _is_pss(mode: str) -> bool:
    if mode not in ("pss", "pkcs1"):
        raise UnsupportedError(f"openssl's -sigopt rsa_padding_mode:{mode} is not supported",
                               hint="rsa_padding_mode:pss or rsa_padding_mode:pkcs1")
    return mode == "pss"


def _refused(text: str) -> InputError:
    return InputError(f"parameter error: -sigopt {text}", hint="for an RSA key: "
                      "rsa_padding_mode:pss, then rsa_pss_saltlen:N and rsa_mgf1_md:DIGEST")
