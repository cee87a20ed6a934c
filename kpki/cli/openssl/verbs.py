"""openssl's verbs: the module of each, and the parts of its help page beside its options."""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_CIPHER = "The name of a cipher (-aes256, -aes128, -des3) encrypts the key."
_DIGEST = "The name of a digest (-sha256) is the hash of the signature."


class Verb(NamedTuple):
    """One verb: *module*, what it *does*, *example*, the *words* after its options, last *note*."""

    module: str
    does: str
    example: str
    words: str = ""
    note: str = ""


VERBS = {
    "genrsa": Verb("genrsa", "Make an RSA key.", "kpki genrsa -out ca.key 2048", "[numbits]",
                   _CIPHER),
    "genpkey": Verb("genpkey", "Make a key of any algorithm.",
                    "kpki genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key",
                    note=_CIPHER),
    "ecparam": Verb("ecparam", "Make a key on an elliptic curve, or show the curve.",
                    "kpki ecparam -name prime256v1 -genkey -noout -out ca.key"),
    "rsa": Verb("pkey", "Read, show and convert an RSA key.",
                "kpki rsa -in sa.key -pubout -out sa.pub", note=_CIPHER),
    "ec": Verb("pkey", "Read, show and convert a key on an elliptic curve.",
               "kpki ec -in ca.key -noout -text", note=_CIPHER),
    "pkey": Verb("pkey", "Read, show and convert a key of any algorithm.",
                 "kpki pkey -in worker-key.pem -pubout", note=_CIPHER),
    "req": Verb("req", "Make, sign or show a certificate request.",
                "kpki req -new -key server.key -subj /CN=server -out server.csr", note=_DIGEST),
    "x509": Verb("x509", "Show a certificate, or sign a request.",
                 "kpki x509 -in worker.pem -noout -subject -enddate", note=_DIGEST),
    "verify": Verb("verify", "Verify the chain of a certificate.",
                   "kpki verify -CAfile ca.pem worker.pem", "[cert...]"),
}


def run_verb(verb: str, argv: Sequence[str]) -> int:
    """Run a verb with the words after its name, and return the exit status."""
    status: int = _module(verb).run(verb, argv)
    return status


def table_of(verb: str) -> Sequence[Any]:
    """The options of a verb (records of `options.Option`), without those of every verb."""
    table: Sequence[Any] = _module(verb).TABLES[verb]
    return table


def _module(verb: str) -> ModuleType:
    return import_module(f".{VERBS[verb].module}", __package__)
