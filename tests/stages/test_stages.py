"""The stages as a library: values in, values out, no disk, no clock but the one given."""
from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta

import pytest

import kpki
from kpki.stages.config import Config, Setting
from kpki.stages.extensions.context import ExtensionContext
from kpki.stages.extensions.table import section_extensions
from kpki.stages.keys import SigningKey
from kpki.stages.names import load_name, name_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEXT = """\
[req]
prompt = no
distinguished_name = dn
req_extensions = e
[dn]
CN = a
O = b
[e]
keyUsage = critical, digitalSignature
subjectAltName = @n
[n]
DNS.1 = x
"""


@pytest.fixture(scope="module")
def key() -> SigningKey:
    """A P-256 key."""
    return kpki.genpkey("EC", curve="P-256")


def test_a_text_becomes_sections() -> None:
    """parse_config gives the sections in order, each setting with its line; a missing one is
    None."""
    config = kpki.parse_config(TEXT)
    assert config.settings("dn") == (Setting("CN", "a", 6), Setting("O", "b", 7))
    assert (config.settings("none") is None and config.get("req", "prompt") == "no"
            and config.get("req", "x") is None)
    assert config == kpki.parse_config(TEXT) != Config()


def test_values_are_frozen() -> None:
    """A configuration, a setting, a name and an extension cannot be changed."""
    config = kpki.parse_config(TEXT)
    made = section_extensions(ExtensionContext(config), "e")
    for value, field in ((config, "sections"), (config.sections["dn"][0], "value"),
                         (kpki.parse_subject("/CN=a"), "rdns"),
                         (made[0], "value")):
        with pytest.raises((FrozenInstanceError, AttributeError)):
            setattr(value, field, None)


def test_the_environment_and_included_files_are_given() -> None:
    """Without an environment $ENV:: is refused, without *read* an .include is; with them both
    work."""
    text = "a = $ENV::X\n.include more\n"
    config = kpki.parse_config(text, environment={"X": "1"}, read=lambda name: [(name, "b = 2\n")])
    assert (config.get("default", "a"),
            config.find("default", "b")) == ("1", Setting("b", "2", 1, "more"))
    for environment, read in (({}, lambda name: []), ({"X": "1"}, None)):
        with pytest.raises(kpki.ConfigurationError):
            kpki.parse_config(text, environment=environment, read=read)


def test_a_section_becomes_ordered_extensions() -> None:
    """Each extension with its criticality, in the section's order."""
    made = section_extensions(ExtensionContext(kpki.parse_config(TEXT)), "e")
    assert [(item.oid, item.critical) for item in made] == [("2.5.29.15", True),
                                                            ("2.5.29.17", False)]


def test_an_error_has_its_line() -> None:
    """What is wrong in a configuration is a ConfigurationError with the line, the text and
    openssl's words."""
    with pytest.raises(kpki.ConfigurationError,
                       match="line 2: keyUsage = foo: unknown bit string") as raised:
        section_extensions(ExtensionContext(kpki.parse_config("[e]\nkeyUsage = foo\n")), "e")
    assert raised.value.line == 2


def test_names_go_to_der_and_back() -> None:
    """A name survives its DER, and without one attribute it keeps the others."""
    name = kpki.parse_subject("/O=b/CN=a+OU=c/emailAddress=x@y")
    assert load_name(name.dump()) == name
    assert name_of([("O", "b")]) == kpki.parse_subject("/O=b") != name
    assert [attribute.text for attribute in name.attributes("2.5.4.3")] == ["a"]
    assert name.without("1.2.840.113549.1.9.1") == kpki.parse_subject("/O=b/CN=a+OU=c")


def test_time_and_serial_number_are_arguments(key: SigningKey) -> None:
    """`now` and `serial_number` fix what is otherwise drawn, and nothing else is random but an
    ECDSA signature."""
    ca = kpki.req_x509(key, subject="/CN=ca", days=10, now=NOW, serial_number=7)
    assert (ca.serial_number, ca.not_valid_before_utc,
            ca.not_valid_after_utc) == (7, NOW, NOW + timedelta(days=10))
    with pytest.raises(kpki.InputError):
        kpki.req_x509(key, subject="/CN=ca", days=10**7, now=NOW)


def test_questions_are_answered_by_a_function(key: SigningKey) -> None:
    """*ask* is called with each question; without it the defaults are taken."""
    text = "[req]\ndistinguished_name = dn\n[dn]\nCN = Your name\nCN_default = nobody\n"
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "me"

    csr = kpki.req_new(key, config=text, ask=answer)
    assert csr.subject.rfc4514_string() == "CN=me" and asked[0].endswith("Your name [nobody]:")
    assert kpki.req_new(key, config=text).subject.rfc4514_string() == "CN=nobody"


def test_sign_gives_what_a_request_gives(key: SigningKey) -> None:
    """`sign_certificate` of a request's values is x509_req's certificate but for serial number,
    dates and signature."""
    ca = kpki.req_x509(key, subject="/CN=ca", now=NOW)
    leaf = kpki.genpkey("EC", curve="P-256")
    csr = kpki.req_new(leaf, config=TEXT)
    by_request = kpki.x509_req(csr, ca, key, copy_extensions="copy", now=NOW, serial_number=1)
    values = kpki.Values(kpki.parse_subject("/CN=a/O=b"),
                         section_extensions(ExtensionContext(kpki.parse_config(TEXT)), "e"))
    public_key = kpki.dump_public_key(leaf.public_key(), encoding="DER")
    for public in (leaf.public_key(), public_key):
        by_values = kpki.sign_certificate(values, public, ca, key, not_before=NOW,
                                          not_after=NOW + timedelta(days=30), serial_number=1)
        assert by_values.tbs_certificate_bytes == by_request.tbs_certificate_bytes
    with pytest.raises(kpki.RefusedError):
        kpki.sign_certificate(values, public_key, ca, leaf, not_before=NOW, not_after=NOW)


def test_a_configuration_read_twice_means_the_same(key: SigningKey) -> None:
    """What is remembered of a configuration depends on no subject, key or issuer."""
    text = (TEXT.replace("keyUsage", "subjectKeyIdentifier = hash\nkeyUsage")
            .replace("DNS.1 = x", "email.1 = copy"))
    config = kpki.parse_config(text)
    for mail in ("a@b", "c@d"):
        csr = kpki.req_new(kpki.genpkey("EC"), config=config, subject=f"/emailAddress={mail}")
        fresh = kpki.req_new(kpki.genpkey("EC"), config=text, subject=f"/emailAddress={mail}")
        assert mail.encode() in csr.extensions[2].value.public_bytes()
        assert csr.extensions[2] == fresh.extensions[2] and csr.extensions[0] != fresh.extensions[0]
