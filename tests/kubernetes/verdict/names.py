"""Chains that a name decides: what is asked, and what stands in the certificate."""
from __future__ import annotations

from kpki.stages import der
from tests.kubernetes.verdict.writer import (
    SAN,
    Chain,
    Facts,
    address,
    ask,
    cn,
    dns,
    email,
    leaf,
    named,
    san,
    uri,
)


def named_so(host: str, *names: str) -> Chain:
    """Asked for *host*, a leaf with these DNS names and another CN."""
    return ask(leaf(named(*names)), host=host)


def at(host: str, *addresses: str) -> Chain:
    """Asked for *host*, a leaf with these addresses."""
    return ask(leaf(san(*map(address, addresses))), host=host)


def by_cn(host: str, name: str = "api") -> Chain:
    """Asked for *host*, a leaf whose only name is its CN."""
    return ask(leaf(subject=cn(name), without=[SAN]), host=host)


SERVICE = "kubernetes.default.svc"

FACTS: Facts = {
    "a CN is no name": {
        "the CN is asked": by_cn("api"),
        "the CN is a pattern": by_cn("a.svc", "*.svc"),
        "the CN in other letters": by_cn("API"),
        "the CN with a trailing dot": by_cn("api."),
        "another is asked": by_cn("other"),
        "an address": by_cn("10.0.0.5", "10.0.0.5"),
        "none is asked": ask(leaf(without=[SAN]), host=None),
        "the asked name is empty": ask(leaf(without=[SAN]), host=""),
        "no CN either": ask(leaf(subject=der.sequence(), without=[SAN])),
        "an empty SAN beside it": ask(leaf(san(), subject=cn("api"))),
        "an empty critical SAN beside it": ask(leaf(san(critical=True), subject=cn("api")),
                                               host=None),
        "a directory name beside it, critical": ask(
            leaf(san(der.tlv(0xA4, cn("x")), critical=True), subject=cn("api")), host=None),
        "an e-mail address beside it": ask(leaf(san(email("a@a.example")), subject=cn("api"))),
        "a DNS name beside it": ask(leaf(named("api"), subject=cn("other")))},
    "an address is no DNS name": {
        "as dNSName": named_so("10.0.0.5", "10.0.0.5"),
        "as iPAddress": at("10.0.0.5", "10.0.0.5"),
        "a DNS name asked, addresses there": at("api", "10.0.0.5")},
    "another name": {
        "of one": named_so("other", "api"),
        "of two": named_so("other", "api", "api.default"),
        "the second of two": named_so("api.default", "api", "api.default"),
        "of 99": named_so("other", *(f"n{number}" for number in range(99))),
        "of 100": named_so("other", *(f"n{number}" for number in range(100))),
        "the last of 100": named_so("n99", *(f"n{number}" for number in range(100))),
        "of an e-mail address and a URI": ask(leaf(san(email("a@api"), uri("http://api")))),
        "of names that hold commas": named_so("other", "a, b", "")},
    "another address": {
        "of one": at("10.0.0.6", "10.0.0.5"),
        "of two kinds": at("10.0.0.6", "10.0.0.5", "fd00::5"),
        "the second": at("fd00::5", "10.0.0.5", "fd00::5"),
        "of 100": at("10.0.1.0", *(f"10.0.0.{number}" for number in range(100))),
        "of IPv6 with zeros": at("fd00::6", "fd00:0:0:1::5", "::1", "fd00::1:0:0:0",
                                 "1:0:2:0:0:3:0:4", "::"),
        "of IPv4 in IPv6": at("10.0.0.6", "::ffff:10.0.0.5", "::10.0.0.5", "64:ff9b::10.0.0.5")},
    "*.svc is one label and .svc": {
        "one": named_so("kubernetes.svc", "*.svc"),
        "two": named_so("kubernetes.default.svc", "*.svc"),
        "none": named_so("svc", "*.svc"),
        "itself": named_so("*.svc", "*.svc"),
        "other letters": named_so("Kubernetes.SVC", "*.svc"),
        "of three labels": named_so(SERVICE, "*.default.svc"),
        "with an underscore": named_so("x_y.svc", "*.svc")},
    "a star alone": {
        "for one label": named_so("api", "*"),
        "for two": named_so("api.svc", "*"),
        "for itself": named_so("*", "*")},
    "a star in a label, or not in the first": {
        "kube*": named_so(SERVICE, "kube*.default.svc"),
        "kube*, literally": named_so("kube*.default.svc", "kube*.default.svc"),
        "*etes": named_so(SERVICE, "*etes.default.svc"),
        "in the second": named_so(SERVICE, "kubernetes.*.svc"),
        "two": named_so(SERVICE, "*.*.svc")},
    "an underscore is a letter": {
        "*.a_b.svc": named_so("x.a_b.svc", "*.a_b.svc"),
        "a_b": named_so("a_b", "a_b"),
        "another": named_so("x.a_c.svc", "*.a_b.svc")},
    "a hyphen does not begin a label": {
        "inside": named_so("a-b.svc", "*.svc"),
        "at the end": named_so("a-.svc", "*.svc"),
        "at the beginning": named_so("-a.svc", "*.svc"),
        "at the beginning, literally": named_so("-a.svc", "-a.svc")},
    "a trailing dot that is asked": {
        "is dropped": named_so("api.", "api"),
        "before a pattern": named_so("kubernetes.svc.", "*.svc"),
        "is dropped once": named_so("api..", "api"),
        "alone": named_so(".", "api")},
    "a trailing dot in the certificate": {
        "not asked": named_so("api", "api."),
        "asked": named_so("api.", "api."),
        "in a pattern": named_so("a.svc.", "*.svc.")},
    "an address asked as a name": {
        "in brackets": at("[fd00::5]", "fd00::5"),
        "IPv4 in brackets": at("[10.0.0.5]", "10.0.0.5"),
        "in brackets, another": at("[fd00::6]", "fd00::5"),
        "as one is not written": at("FD00:0::0005", "fd00::5"),
        "with a zone": at("fe80::1%eth0", "fe80::1"),
        "with a zero before it": at("10.0.0.05", "10.0.0.5"),
        "half in brackets": at("[fd00::5", "fd00::5"),
        "with a trailing dot": at("10.0.0.5.", "10.0.0.5"),
        "IPv6 that ends in IPv4": at("fd00::10.0.0.5", "fd00::a00:5"),
        "with a blank": at("10.0.0.5 ", "10.0.0.5"),
        "short": at("127.1", "127.0.0.1")},
    "what is no host name is compared as it stands": {
        "a blank": named_so("a b", "a b"),
        "a blank, other letters": named_so("A B", "a b"),
        "a port": named_so("api:6443", "api:6443"),
        "a port in the certificate alone": named_so("api", "api:6443"),
        "a port in the question alone": named_so("api:6443", "api"),
        "an empty label": named_so("a..b", "a..b"),
        "an empty label, and a pattern": named_so("a..b", "*..b"),
        "an empty name": named_so("api", ""),
        "a dot": named_so(".", ".")},
    "letters of any size": {
        "asked": named_so("API", "api"),
        "in the certificate": named_so("api", "API"),
        "not ASCII": named_so("b\u00fcro", "api"),
        "a dotless i": named_so("\u0131", "i"),
        "the sign for kelvin": named_so("\u212a", "k")},
    "SAN's criticality and the subject do not matter": {
        "critical": ask(leaf(san(dns("api"), critical=True))),
        "an empty subject": ask(leaf(subject=der.sequence())),
        "both": ask(leaf(san(dns("api"), critical=True), subject=der.sequence())),
        "another name": ask(leaf(san(dns("other"), critical=True), subject=der.sequence()))},
}
