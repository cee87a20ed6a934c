"""Lines of `verify` in the shape of OpenSSL's own tests, by openssl and by kpki: the same errors at
the same depths.

One line is one process of openssl and one call of kpki in a folder of files that openssl made.
"""
from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from kpki.cli.main import main
from tests.cli.openssl.lines import make, parameters

CHAIN = "verify -trusted root.pem -untrusted middle.pem"
POLICIES = "verify -CAfile root.pem -untrusted"
VERIFICATIONS = {
    "a path": [
        f"{CHAIN} leaf.pem", f"{CHAIN} client.pem", "verify -trusted root.pem leaf.pem",
        "verify -trusted other.pem -untrusted middle.pem leaf.pem", "verify -CAfile root.pem "
        "-untrusted middle.pem leaf.pem", "verify -untrusted middle.pem leaf.pem",
        "verify -trusted middle.pem leaf.pem", "verify -trusted middle.pem -partial_chain leaf.pem",
        "verify -trusted leaf.pem -partial_chain leaf.pem", "verify -trusted leaf.pem leaf.pem",
        "verify -trusted root.pem root.pem", "verify root.pem",
        "verify -trusted plain.pem plain.pem", "verify -trusted plain.pem ofplain.pem",
        "verify -trusted nosign.pem ofnosign.pem", "verify -trusted ed.pem ofed.pem",
        "verify -trusted root.pem -untrusted nocas.pem ofnocas.pem",
        "verify -trusted root.pem -untrusted short.pem deep.pem", "verify -trusted root.pem "
        "-untrusted short.pem -untrusted deep.pem ofshort.pem", f"{CHAIN} odd.pem",
        f"{CHAIN} -ignore_critical odd.pem", f"{CHAIN} leaf.pem client.pem odd.pem",
        f"{CHAIN} missing.pem", f"{CHAIN} asks.csr", "verify -trusted missing.pem leaf.pem",
        "verify -CAfile root.pem -trusted root.pem leaf.pem", f"{CHAIN} -show_chain leaf.pem",
        f"{CHAIN} -verbose leaf.pem", f"{CHAIN} -verify_depth 0 leaf.pem",
        f"{CHAIN} -verify_depth 1 leaf.pem", f"{CHAIN} leaf.der", f"{CHAIN} -attime 1000 leaf.pem",
        f"{CHAIN} -attime 1000 -no_check_time leaf.pem",
        f"{CHAIN} -no_check_time leaf.pem", f"{CHAIN} -no_alt_chains -trusted_first leaf.pem",
        f"{CHAIN} -issuer_checks leaf.pem", f"{CHAIN} -check_ss_sig leaf.pem",
        "verify -trusted root.pem -untrusted limits.pem oflimits.pem", f"{CHAIN} -nope leaf.pem",
        f"{CHAIN} -x509_strict leaf.pem", "verify -trusted plain.pem -x509_strict ofplain.pem",
        "verify -trusted root.pem -untrusted nocas.pem -x509_strict ofnocas.pem"],
    "purposes, names": [
        f"{CHAIN} -purpose sslserver leaf.pem", f"{CHAIN} -purpose sslclient leaf.pem",
        f"{CHAIN} -purpose sslclient client.pem",
        f"{CHAIN} -purpose sslserver client.pem", f"{CHAIN} -purpose any leaf.pem",
        f"{CHAIN} -purpose crlsign leaf.pem", f"{CHAIN} -purpose ocsphelper leaf.pem",
        f"{CHAIN} -purpose timestampsign leaf.pem", f"{CHAIN} -purpose smimesign leaf.pem",
        f"{CHAIN} -purpose nssslserver leaf.pem", f"{CHAIN} -purpose nope leaf.pem",
        f"{CHAIN} -verify_name ssl_server leaf.pem", f"{CHAIN} -verify_name ssl_client leaf.pem",
        f"{CHAIN} -verify_name smime_sign leaf.pem", f"{CHAIN} -verify_name pkcs7 leaf.pem",
        f"{CHAIN} -verify_name default leaf.pem", f"{CHAIN} -verify_name nope leaf.pem",
        f"{CHAIN} -purpose sslserver -verify_name ssl_client leaf.pem",
        f"{CHAIN} -verify_name ssl_client -purpose sslserver leaf.pem", f"{CHAIN} "
        "-verify_hostname node.example.com leaf.pem", f"{CHAIN} -verify_hostname other leaf.pem",
        f"{CHAIN} -verify_ip 10.0.0.9 leaf.pem", f"{CHAIN} -verify_ip 10.0.0.8 leaf.pem",
        f"{CHAIN} -verify_ip x leaf.pem", f"{CHAIN} -verify_email a@b leaf.pem"],
    "trust settings": [
        f"verify {how} -trusted {root}.pem -untrusted middle.pem leaf.pem"
        for how in ("", "-purpose sslserver", "-purpose sslclient", "-purpose any",
                    "-purpose crlsign")
        for root in ("root+server", "root+client", "root-server", "root-client", "root+any",
                     "root-any", "root+alias", "root+both")] + [
        f"verify {how} -trusted {middle}.pem leaf.pem"
        for how in ("", "-purpose sslserver", "-partial_chain", "-partial_chain -purpose sslserver")
        for middle in ("middle+server", "middle-server", "middle+any")] + [
        "verify -CAfile root+server.pem -untrusted middle.pem -purpose sslserver leaf.pem",
        "verify -CAfile mixed.pem -untrusted middle.pem leaf.pem",
        "verify -CAfile mixed.pem ofplain.pem",
        "verify -CAfile mixed.pem -purpose sslclient -untrusted middle.pem client.pem",
        "verify -trusted plain+server.pem -purpose sslserver ofplain.pem",
        "verify -trusted plain+server.pem -purpose sslclient ofplain.pem",
        "verify -trusted root.pem -untrusted middle-server.pem -purpose sslserver leaf.pem",
        "verify -CAfile cut.pem -untrusted middle.pem leaf.pem"],
    "each purpose is read": [
        f"{CHAIN} -purpose nope -purpose sslserver leaf.pem",
        f"{CHAIN} -purpose sslclient -purpose sslserver leaf.pem",
        f"{CHAIN} -verify_name nope -verify_name ssl_server leaf.pem",
        f"{CHAIN} -verify_ip x -verify_ip 10.0.0.9 leaf.pem",
        f"{CHAIN} -verify_name ssl_client -purpose sslserver leaf.pem",
        f"{CHAIN} -purpose sslserver -verify_name ssl_client leaf.pem",
        "verify -trusted root+server.pem -untrusted middle.pem -verify_name ssl_server "
        "-purpose sslserver leaf.pem",
        "verify -trusted root+server.pem -untrusted middle.pem -verify_name default "
        "-purpose sslclient leaf.pem"],
    "a store": [
        "verify -CAstore root.pem -untrusted middle.pem leaf.pem",
        "verify -CAstore root.der root.pem", "verify -CAstore root.key root.pem",
        "verify -CAstore missing root.pem", "verify -CAstore . root.pem",
        "verify -CAstore other.pem -CAstore root.pem root.pem other.pem",
        "verify -CAstore root.pem -trusted other.pem root.pem", "verify -CAfile other.pem "
        "-CAstore root.pem root.pem other.pem", "verify -CAstore file:root.pem root.pem",
        "verify -CAstore root+server.pem -purpose sslclient root.pem"],
    "levels of strength": [
        f"{path} -auth_level {level} {leaf}.pem" for path, leaf in (
            (CHAIN, "leaf"), (CHAIN, "sha1"), (CHAIN, "small"),
            ("verify -trusted weak.pem", "ofweak"), ("verify -trusted ed.pem", "ofed"),
            (CHAIN, "big")) for level in (0, 1, 2, 3, 5)] + [
        f"{CHAIN} -auth_level -1 leaf.pem", f"{CHAIN} -auth_level 9 leaf.pem",
        f"{CHAIN} -auth_level x leaf.pem", "verify -trusted weak.pem -auth_level 2 weak.pem"],
    "policies": [
        f"{POLICIES} {middle}.pem {how} {leaf}.pem"
        for middle, leaf in (("policy", "held"), ("policy", "notheld"), ("any", "ofany"),
                             ("needs", "ofneeds"), ("needs", "heldneeds"), ("maps", "mapped"))
        for how in ("-policy_check", "-policy 1.2.3", "-policy 1.2.3 -explicit_policy",
                    "-explicit_policy", "-policy 1.2.5 -explicit_policy -policy_print",
                    "-policy anyPolicy -explicit_policy -policy_print", "-policy 2.5.29.32.0 "
                    "-explicit_policy -inhibit_any", "-policy 1.2.3 -explicit_policy -inhibit_map",
                    "-policy_check -policy_print")] + [
        f"{POLICIES} policy.pem -policy nope held.pem",
        f"{POLICIES} middle.pem -policy_check -policy_print leaf.pem"],
    "proxies": [
        f"{CHAIN} -untrusted leaf.pem proxy.pem",
        f"{CHAIN} -untrusted leaf.pem -allow_proxy_certs proxy.pem",
        f"{CHAIN} -untrusted leaf.pem -untrusted proxy.pem -allow_proxy_certs proxy2.pem",
        f"{CHAIN} -untrusted leaf.pem -allow_proxy_certs -purpose sslserver proxy.pem",
        f"{CHAIN} -untrusted leaf.pem -allow_proxy_certs -x509_strict proxy.pem"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what the lines read."""
    folder = tmp_path_factory.mktemp("lines")
    make(folder)
    return folder


@pytest.fixture
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the folder, without what earlier lines wrote."""
    monkeypatch.chdir(made)
    monkeypatch.delenv("OPENSSL_CONF", raising=False)
    return made


def told(text: bytes) -> list[bytes]:
    """The lines in which openssl and kpki speak alike: errors, the subjects before them, policies,
    the end."""
    return [line for line in text.splitlines() if not re.match(
        rb"kpki: |verify: |[0-9A-F]{12,}:error:|Unable to load|Could not|Error loading|Unrecog|"
        rb"Invalid|Use -help|x509: |error loading|usage: |Recognized|  \w+ +\w", line)]


@pytest.mark.parametrize("line", parameters(VERIFICATIONS))
def test_a_verdict_is_openssls(here: Path, line: str,
                               capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The same status, the same words on standard output, the same errors at the same depths."""
    words = shlex.split(line)
    none = (["-no-CAfile", "-no-CApath", "-no-CAstore"] if "-trusted" not in words
            and "-CAfile" not in words else [])
    done = subprocess.run(["openssl", words[0], *none, *words[1:]], stdin=subprocess.DEVNULL,
                          capture_output=True, env={"PATH": os.environ["PATH"]})
    capfdbinary.readouterr()
    status = main([words[0], "--quiet", *words[1:]])
    out, err = capfdbinary.readouterr()
    assert (status, out, told(err)) == (done.returncode, done.stdout, told(done.stderr))


def test_two_uses_are_one_too_many(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """openssl asks a root's settings about -verify_name and the certificates about -purpose; kpki
    refuses."""
    line = ("verify -trusted root+server.pem -untrusted middle.pem -verify_name ssl_client "
            "-purpose sslserver leaf.pem")
    assert main(line.split()) == 1
    assert "-verify_name with another -purpose is not supported" in capfd.readouterr().err
