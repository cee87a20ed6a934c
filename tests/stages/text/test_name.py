"""Names as openssl prints them, in every display of `-nameopt`."""
from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kpki.errors import InputError
from kpki.stages import der, keys, records
from kpki.stages.names import Attribute, Name, load_name
from kpki.stages.text.name import (
    COMPAT,
    NAME_OPTIONS,
    flagged_name_text,
    lined,
    name_flags,
    name_text,
    slashed_name_text,
)

KEY = ec.generate_private_key(ec.SECP256R1())
THEN = datetime(2026, 1, 1, tzinfo=UTC)
C, O, OU, CN, EMAIL = "2.5.4.6", "2.5.4.10", "2.5.4.11", "2.5.4.3", "1.2.840.113549.1.9.1"
# Each is the CN between three plain attributes.
VALUES = [
    (der.PRINTABLE, b"plain"), (der.UTF8, "é€😀".encode()), (der.T61, b"caf\xe9"),
    (der.BMP, "aé€".encode("utf-16-be")), (der.UNIVERSAL, "a😀".encode("utf-32-be")),
    (der.UTF8, b" lead"), (der.UTF8, b"trail "), (der.UTF8, b" "),
    (der.UTF8, b"#hash"), (der.UTF8, b"#"), (der.UTF8, b'a,b+c"d\\e<f>g;h'), (der.UTF8, b"a,b"),
    (der.UTF8, b"\x01\x7f\n\t"), (der.UTF8, b"*()\\"), (der.UTF8, b"/x+y/CN=z/Cn=z"),
    (der.UTF8, b""), (der.UTF8, b"nul\0x"), (der.IA5, b"a@b"), (der.BIT_STRING, b"\0ab"),
    (der.NUMERIC, b"12 3"), (der.IA5, b"#=;"), (der.SEQUENCE, b"\x02\x01\x05"),
]
NAMES = [Name(((Attribute(C, der.PRINTABLE, b"US"),), (Attribute(O, der.UTF8, b"x"),),
               (Attribute(CN, *value),), (Attribute(OU, der.PRINTABLE, b"z"),)))
         for value in VALUES]
NAMES += [
    Name(),
    Name(((Attribute(CN, der.UTF8, b"a"), Attribute(O, der.UTF8, "é".encode())),
          (Attribute("1.2.3.4", der.UTF8, b"u"),),
          (Attribute(EMAIL, der.IA5, b"q@w"), Attribute(OU, der.UTF8, b"v"),
           Attribute("1.2.3.4", der.UTF8, b"u")))),
]
DISPLAYS = [
    "", *NAME_OPTIONS, "RFC2253", "rfc2253,-dn_rev", "oneline,-esc_msb", "oneline,-esc_msb,-utf8",
    "multiline,-esc_msb,utf8", "multiline,show_type", "oneline,dump_all,-dump_der",
    "oneline,nofname", "sep_multiline,lname,align", "oneline,-use_quote", "oneline,,utf8",
    "show_type,dump_nostr,dump_der", "esc_2253,esc_2254", "ca_default,+dn_rev", "oneline, -utf8",
    "compat,show_type"]


def certificate_with(subject: Name, issuer: Name) -> bytes:
    """A certificate (DER) with these names; nobody looks at its signature."""
    algorithm = keys.signature_algorithm(KEY, "sha256")
    info = records.certificate_info(version=0, serial_number=5, algorithm=algorithm,
                                issuer=issuer.dump(), not_before=THEN, not_after=THEN,
                                subject=subject.dump(), public_key=keys.public_key_der(KEY),
                                extensions=())
    return records.signed(info, algorithm, b"none")


def shown(name: Name, display: str) -> str:
    """A name as the line of `x509 -subject` has it."""
    flags = name_flags(*[display] if display else [])
    if flags == COMPAT:
        return slashed_name_text(name) + "\n"
    return (f"\n{flagged_name_text(name, flags, 4)}\n" if lined(flags)
            else flagged_name_text(name, flags) + "\n")


@pytest.mark.parametrize("display", dict.fromkeys(DISPLAYS))
def test_a_name_is_printed_as_openssl_prints_it(display: str) -> None:
    """Every name of the table, two a certificate, in this display."""
    loaded = [load_name(name.dump()) for name in NAMES]
    for subject, issuer in zip(loaded[::2], loaded[1::2], strict=True):
        done = subprocess.run(
            ["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-issuer",
             *(["-nameopt", display] if display else [])],
            input=certificate_with(subject, issuer), check=True, capture_output=True)
        text = f"subject={shown(subject, display)}issuer={shown(issuer, display)}"
        assert text.encode("utf-8", "surrogateescape") == done.stdout


def test_the_default_is_openssl_3s() -> None:
    """`default` is the display of openssl 3.0 without -nameopt."""
    name = Name(((Attribute(C, der.PRINTABLE, b"US"),), (Attribute(CN, der.UTF8, b"y"),)))
    assert name_text(name) == name_text(name, "oneline") == "C = US, CN = y"
    assert name_text(name, "RFC2253") == "CN=y,C=US"


@pytest.mark.parametrize("options", ["nosuch", "oneline,nosuch", "-", "oneline,+"])
def test_an_unknown_display_is_refused(options: str) -> None:
    """kpki refuses a word that openssl's -nameopt refuses."""
    der_bytes = certificate_with(NAMES[0], NAMES[0])
    done = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-nameopt",
                           options], input=der_bytes, capture_output=True, check=False)
    assert done.returncode != 0
    with pytest.raises(InputError, match="unknown name option"):
        name_flags(options)


def test_several_texts_add_up() -> None:
    """A second -nameopt goes on where the first ended."""
    assert (name_flags("oneline", "-esc_msb") == name_flags("oneline,-esc_msb")
            != name_flags("oneline"))
