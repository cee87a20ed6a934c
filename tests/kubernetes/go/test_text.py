"""How Go reads and writes small things: addresses, URIs, moments, quoted text, PEM. What Go 1.26
gave is the table."""
from __future__ import annotations

import pytest

from kpki.kubernetes.go import pem
from kpki.kubernetes.go.addresses import ip_text, is_address, parse_address, parse_ip
from kpki.kubernetes.go.der import GoError, Reader, dotted, oid
from kpki.kubernetes.go.text import is_domain, octets_text, quoted
from kpki.kubernetes.go.times import read_time
from kpki.kubernetes.go.urls import bare_host, parse_url
from kpki.stages import der


@pytest.mark.parametrize(("text", "printed"), [
    ("1.2.3.4", "1.2.3.4"), ("::ffff:1.2.3.4", "1.2.3.4"), ("::1.2.3.4", "::102:304"), ("::", "::"),
    ("FD00:0:0::1", "fd00::1"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
])
def test_an_address_is_printed_as_go_does(text: str, printed: str) -> None:
    """The longest run of zeros is left out, IPv4 in IPv6 is IPv4."""
    octets = parse_ip(text)
    assert octets is not None and len(octets) == 16 and ip_text(octets) == printed


@pytest.mark.parametrize(("text", "why"), [
    ("", "unable to parse IP"), ("%e", "missing IPv6 address"), ("1.2.3", "IPv4 address too short"),
    ("01.2.3.4", "IPv4 field has octet with leading zero"),
    ("1.2.3.256", "IPv4 field has value >255"),
    ("1.2.3.4.5", "IPv4 address too long"),
    ("1..2.3", 'IPv4 field must have at least one digit (at ".2.3")'),
    ("1.2.3.", 'IPv4 field must have at least one digit (at ".")'),
    ("1.2.3.x", 'unexpected character (at "x")'),
    ("1.2.3.4\n", 'unexpected character (at "\\n")'), ("::1%", "zone must be a non-empty string"),
    ("12345::", 'each group must have 4 or less digits (at "12345::")'),
    (":1", 'each colon-separated field must have at least one digit (at ":1")'),
    ("1:2.3.4.5",
     'embedded IPv4 address must replace the final 2 fields of the address (at "2.3.4.5")'),
    ("::1:2:3:4:5:6:7:1.2.3.4",
     'too many hex fields to fit an embedded IPv4 at the end of the address (at "1.2.3.4")'),
    ("1:g", 'each colon-separated field must have at least one digit (at "g")'),
    ("1g::", 'unexpected character, want colon (at "g::")'),
    ("1:", 'colon must be followed by more characters (at ":")'),
    ("1::2::3", 'multiple :: in address (at ":3")'),
    ("1:2:3:4:5:6:7:8:9", 'trailing garbage after address (at "9")'),
    ("1:2", "address string too short"),
    ("1::2:3:4:5:6:7:8", "the :: must expand to at least one field of zeros"),
])
def test_what_is_no_address_is_refused_in_gos_words(text: str, why: str) -> None:
    """Each slip has its own words; where a zone alone is wrong, net.ParseIP refuses it silently."""
    with pytest.raises(ValueError) as error:
        parse_address(text)
    assert str(error.value) == f"ParseAddr({quoted(text)}): {why}"
    assert parse_ip(text) is None and not is_address(text)


def test_a_zone_belongs_to_an_address_and_not_to_an_ip() -> None:
    """netip takes it, net does not."""
    assert is_address("fe80::1%eth0") and parse_ip("fe80::1%eth0") is None


@pytest.mark.parametrize(("uri", "text", "host"), [
    ("spiffe://a.b/x", "spiffe://a.b/x", "a.b"), ("HTTP://A.b:80", "http://A.b:80", "A.b:80"),
    ("mailto:x@y", "mailto:x@y", ""), ("*", "*", ""), ("a b", "a%20b", ""),
    ("//h?q#f g", "//h?q#f%20g", "h"), ("http://u:p@h/", "http://u:p@h/", "h"),
    ("http:///x", "http:///x", ""), ("http://", "http:", ""),
    ("//[fe80::1%25en0]:1/", "//[fe80::1%25en0]:1/", "[fe80::1%en0]:1"),
    ("x:///%2F", "x:///%2F", ""),
])
def test_a_uri_is_read_as_net_url_does(uri: str, text: str, host: str) -> None:
    """Its text is what Go writes again, its host keeps case and port."""
    assert parse_url(uri) == (text, host)


@pytest.mark.parametrize(("uri", "why"), [
    ("/%zz?", 'invalid URL escape "%zz"'), (":x", "missing protocol scheme"),
    ("a\tb", "net/url: invalid control character in URL"),
    ("1a:b", "first path segment in URL cannot contain colon"),
    ("http://a b", 'invalid character " " in host name'),
    ("http://%41", 'invalid URL escape "%41"'), ("http://a%", 'invalid URL escape "%"'),
    ("http://a:b:1", 'invalid port ":b:1" after host'), ("x://a[b", "invalid IP-literal"),
    ("x://[::1", "missing ']' in host"), ("x://[1.2.3.4]", "invalid IP-literal"),
    ("x://[::1]y", 'invalid port "y" after host'), ("x://u^@h", "net/url: invalid userinfo"),
    ("x://[y]", 'invalid host: ParseAddr("y"): unable to parse IP'),
    ("x://[::1%25^]", 'invalid character "^" in host name'),
    ("x://[::1%25%5E]", 'invalid URL escape "%5E"'),
])
def test_what_is_no_uri_is_refused_in_gos_words(uri: str, why: str) -> None:
    """The error says what was parsed, then why not."""
    with pytest.raises(ValueError) as error:
        parse_url(uri)
    assert str(error.value) == f"parse {quoted(uri)}: {why}"


@pytest.mark.parametrize(("uri", "host"), [
    ("x://A.b", "a.b"), ("x://A.b:1", "A.b"), ("x:y", None), ("x://1.2.3.4", None),
    ("x://[::1]:1", None), ("x://[::1]", None), ("x://a:b:1", None),
])
def test_constraints_want_a_host_by_name(uri: str, host: str | None) -> None:
    """Without a host, or with an address, a URI cannot be matched; one with a port keeps its case,
    as Go has it."""
    if host is None:
        with pytest.raises(ValueError, match="cannot (be matched|parse URI host)"):
            bare_host(parse_url(uri))
    else:
        assert bare_host(parse_url(uri)) == host


def test_domains() -> None:
    """Labels of octets 33 to 126, none empty; a constraint may begin with a dot."""
    for text in ("", "a", "a.b", "*.a", "a_b", "a:80"):
        assert is_domain(text) and is_domain(text, constraint=True)
    for text in (".", "a.", "a..b", "a b", "é", "a\n"):
        assert not is_domain(text) and not is_domain(text, constraint=True)
    assert (is_domain(".a", constraint=True) and not is_domain(".a")
            and not is_domain("..a", constraint=True))


@pytest.mark.parametrize(("octets", "text"), [
    (b"plain", '"plain"'), (b'"\\', r'"\"\\"'), (b"\n\x00\x7f", r'"\n\x00\x7f"'),
    (b"\xff", r'"\xff"'), ("é\u00a0\u200b😀\U000e0001".encode(), '"é\\u00a0\\u200b😀\\U000e0001"'),
])
def test_text_is_quoted_as_go_does(octets: bytes, text: str) -> None:
    """What cannot be printed is escaped; octets that are no UTF-8 are shown as such."""
    assert quoted(octets_text(octets)) == text


@pytest.mark.parametrize(("tag", "written", "seconds", "text"), [
    (23, "700101000000Z", 0, "1970-01-01T00:00:00Z"),
    (23, "491231235959Z", 2524607999, "2049-12-31T23:59:59Z"),
    (23, "500101000000Z", -631152000, "1950-01-01T00:00:00Z"),
    (23, "7001010001Z", 60, "1970-01-01T00:01:00Z"),
    (23, "700101000000+0100", -3600, "1970-01-01T00:00:00+01:00"),
    (23, "700101000000-2459", 89940, "1970-01-01T00:00:00-24:59"),
    (24, "20500101000000Z", 2524608000, "2050-01-01T00:00:00Z"),
    (24, "00000229000000Z", -62162121600, "0000-02-29T00:00:00Z"),
])
def test_a_time_is_read(tag: int, written: str, seconds: int, text: str) -> None:
    """UTCTime counts from 1950; its seconds may be missing; an offset stays in the printed time."""
    moment = read_time(Reader(der.tlv(tag, written.encode())))
    assert moment == (seconds * 1_000_000, text)


@pytest.mark.parametrize(("tag", "written"), [
    (23, "700101000000"), (23, "700101000000+0000"), (23, "700101000000-0000"),
    (23, "700101000000+0060"), (23, "700101000000+2500"), (23, "700101000060Z"),
    (23, "700229000000Z"), (23, "701301000000Z"), (23, "700101240000Z"), (23, "700101000000.5Z"),
    (23, "19700101000000Z"), (23, "7٠0101000000Z"), (24, "197001010000Z"),
    (24, "20000101000000.5Z"), (24, "700101000000Z"), (4, "700101000000Z"),
])
def test_what_is_no_time_is_refused(tag: int, written: str) -> None:
    """Fractions, leap seconds, offsets that Go would write otherwise, days that there are not."""
    with pytest.raises(GoError,
                       match="x509: (malformed (UTC|Generalized)Time|unsupported time format)"):
        read_time(Reader(der.tlv(tag, written.encode())))


BLOCK = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(("data", "count"), [
    (BLOCK, 1), (BLOCK * 3, 3), (b"x" + BLOCK, 0), (b"x\n" + BLOCK, 1),
    (b"-----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----\r\n", 1),
    (b"-----BEGIN CERTIFICATE-----\nAA AA \t\n-----END CERTIFICATE-----\n", 1),
    (b"-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n", 0),
    (b"-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n", 1),
    (b"-----BEGIN CERTIFICATE-----\nAB==\n-----END CERTIFICATE-----\n", 1),
    (b"-----BEGIN CERTIFICATE-----\nAB==AAAA\n-----END CERTIFICATE-----\n", 0),
    (b"-----BEGIN CERTIFICATE-----\nX: y\n\nAAAA\n-----END CERTIFICATE-----\n", 0),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", 1),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE----- \t", 1),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----x", 0),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----EN", 0),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----EN" + BLOCK, 0),
    (b"-----BEGIN X-----\n" + BLOCK, 1),
    (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END X-----\n" + BLOCK, 1),
    (b"-----BEGIN CERTIFICATE-----\nA:A\n-----END C:ERTIFICATE-----\n" + BLOCK, 0),
])
def test_certificates_are_found_in_pem(data: bytes, count: int) -> None:
    """Only whole blocks at the beginning of a line, with nothing after their end; what is broken is
    passed over."""
    assert len([*pem.certificates(data)]) == count


@pytest.mark.parametrize("octets", [b"", b"\x04", b"\x04\x01", b"\x04\x80", b"\x04\x81\x01a",
                                    b"\x04\x82\x00\x80", b"\x1f\x01\x00",
                                    b"\x04\x85\x00\x00\x00\x00\x01a", b"\x04\x84\xff\xff\xff\xff"])
def test_an_item_is_strict(octets: bytes) -> None:
    """Lengths in the fewest octets, tags below 31, nothing cut off."""
    with pytest.raises(GoError, match="^why$"):
        Reader(octets).any("why")
    assert Reader(b"\x04\x81\x80" + bytes(128)).any("why") == (4, bytes(128))


@pytest.mark.parametrize(("content", "is_right"), [
    (b"\x2a\x03", True), (b"", False), (b"\x80\x01", False), (b"\x2a\x80\x01", False),
    (b"\x2a\x83", False), (b"\x2a\x87\xff\xff\xff\x7f", True), (b"\x2a\x88\x80\x80\x80\x00", False),
])
def test_an_object_identifier_is_strict(content: bytes, is_right: bool) -> None:
    """Arcs in the fewest octets, and below 2**31."""
    reader = Reader(der.tlv(6, content))
    if is_right:
        assert oid(dotted(reader.oid("why"))) == content
    else:
        with pytest.raises(GoError, match="^why$"):
            reader.oid("why")


@pytest.mark.parametrize(("content", "value"), [
    (b"\0", 0), (b"\x7f", 127), (b"\xff", -1), (b"\0\x80", 128), (b"", None), (b"\0\x7f", None),
    (b"\xff\x80", None), (b"\x7f" + bytes(7), 0x7F << 56), (b"\x01" + bytes(8), None),
])
def test_an_integer_is_strict(content: bytes, value: int | None) -> None:
    """The fewest octets, and no more than fit."""
    reader = Reader(der.tlv(2, content))
    if value is None:
        with pytest.raises(GoError, match="^why$"):
            reader.integer("why")
    else:
        assert reader.integer("why") == value
