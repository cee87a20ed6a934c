"""Chains that a grammar makes, and the options that ask about them: `openssl verify` against `kpki
verify`.

`scripts/fuzz N` tries N anew; here it is always the same few dozen.
"""
from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import HealthCheck, given, settings, strategies as st

from kpki import pem
from kpki.cli.main import main
from kpki.stages import keys
from kpki.stages.config import parse_config
from kpki.stages.extensions.context import ExtensionContext, Issuer
from kpki.stages.extensions.table import section_extensions
from kpki.stages.names import parse_subject
from kpki.stages.signing import encoded

TRIES = os.environ.get("KPKI_FUZZ")
EXAMPLES = settings(max_examples=int(TRIES or 80), derandomize=TRIES is None, deadline=None,
                    database=None, suppress_health_check=[HealthCheck.function_scoped_fixture,
                                                          HealthCheck.too_slow])

POLICY = st.sampled_from("1.2.3 1.2.4 1.2.3.4 2.5.29.32.0 2.16.840.1.1 1.2.3".split())
POLICIES = st.lists(POLICY, min_size=1, max_size=4, unique=True).map(",".join)
EXTENSIONS = st.lists(st.one_of(
    st.tuples(st.sampled_from(["certificatePolicies=", "certificatePolicies=critical,"]),
              POLICIES).map("".join),
    st.tuples(st.sampled_from(["certificatePolicies=", "certificatePolicies=critical,"]),
              POLICIES).map("".join),
    st.just("certificatePolicies=1.2.3,@notice"),
    st.just("certificatePolicies=@notice,2.5.29.32.0"),
    st.lists(st.sampled_from(["1.2.3:1.2.4", "1.2.4:1.2.3", "1.2.3:1.2.3.4", "1.2.3:1.2.3",
                              "1.2.3.4:2.16.840.1.1", "1.2.3:2.5.29.32.0"]),
             min_size=1, max_size=3,
             unique=True).map(lambda pairs: "policyMappings=" + ",".join(pairs)),
    st.sampled_from(["policyConstraints=requireExplicitPolicy:0",
                     "policyConstraints=critical,requireExplicitPolicy:1",
                     "policyConstraints=inhibitPolicyMapping:0",
                     "policyConstraints=requireExplicitPolicy:0,inhibitPolicyMapping:1"]),
    st.sampled_from(["inhibitAnyPolicy=0", "inhibitAnyPolicy=critical,1"]),
    st.sampled_from(["certificatePolicies=DER:3000", "certificatePolicies=DER:0500",
                     "policyConstraints=DER:3000",
                     "certificatePolicies=DER:300c300406022a03300406022a03"]),
    st.sampled_from(["1.2.3.4=critical,DER:0500", "extendedKeyUsage=serverAuth",
                     "extendedKeyUsage=clientAuth", "subjectAltName=DNS:a,IP:1.2.3.4,email:a@b",
                     "extendedKeyUsage=critical,timeStamping",
                     "extendedKeyUsage=emailProtection,OCSPSigning", "keyUsage=nonRepudiation",
                     "nsCertType=server", "proxyCertInfo=critical,language:id-ppl-inheritAll",
                     "proxyCertInfo=critical,language:id-ppl-anyLanguage,pathlen:0"])),
                      max_size=4).map("\n".join)
NOTICE = ("\n[notice]\npolicyIdentifier=1.2.4\nCPS.1=http://a\nuserNotice.1=@text\n[text]\n"
          "explicitText=a b\norganization=o\nnoticeNumbers=1,2\n")
CA = st.sampled_from(["basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"] * 5
                     + ["basicConstraints=critical,CA:TRUE,pathlen:0\n",
                        "basicConstraints=CA:FALSE\n", "",
                        "basicConstraints=CA:TRUE\nkeyUsage=digitalSignature\n"])
KEY = st.sampled_from(["P-256"] * 4 + ["P-384", "P-224", "RSA-1024", "RSA-2048"])
DIGEST = st.sampled_from(["sha256"] * 4 + ["sha1", "sha512", "sha224"])
NAME = st.sampled_from(["own"] * 6 + ["issuer", "issuer+CN"])       # self-issued, or a proxy's
CERTIFICATE = st.tuples(CA, EXTENSIONS, KEY, DIGEST, NAME)
LEAF = st.tuples(st.sampled_from(["", "basicConstraints=CA:FALSE\n"]), EXTENSIONS, KEY, DIGEST,
                 NAME)
OPTIONS = st.lists(st.sampled_from([
    "-policy_check", "-policy_check", "-explicit_policy", "-inhibit_any", "-inhibit_map",
    "-policy_print", "-policy 1.2.3", "-policy 1.2.4", "-policy 2.5.29.32.0", "-policy 1.2.3.4",
    "-allow_proxy_certs", "-auth_level 1", "-auth_level 2", "-auth_level 3", "-auth_level 4",
    "-auth_level 5", "-x509_strict", "-ignore_critical", "-purpose sslserver", "-purpose sslclient",
    "-verify_name ssl_server", "-verify_name default", "-partial_chain", "-no_alt_chains",
    "-verify_depth 1", "-verify_depth 0", "-attime 2000000000", "-attime 1000 -no_check_time",
    "-no_check_time", "-verify_hostname a", "-verify_hostname b", "-verify_ip 1.2.3.4",
    "-verify_email a@b", "-show_chain", "-nameopt oneline", "-nameopt multiline", "-check_ss_sig",
    "-trusted_first -issuer_checks", "-purpose crlsign",
    "-purpose smimesign", "-purpose smimeencrypt", "-purpose nssslserver", "-purpose timestampsign",
    "-purpose ocsphelper", "-purpose any", "-verify_name smime_sign", "-verbose"]),
                   max_size=5).map(" ".join)
TRUST = st.sampled_from([""] * 4 + [
    "-addtrust serverAuth", "-addtrust clientAuth", "-addreject serverAuth",
    "-addtrust anyExtendedKeyUsage", "-addreject anyExtendedKeyUsage",
    "-addtrust emailProtection -addreject clientAuth", "-setalias a", "-clrtrust"])
TWO_USES = "-verify_name with another -purpose is not supported with trust settings"
Description = tuple[str, str, str, str, str]


@cache
def key(kind: str, number: int) -> keys.SigningKey:
    """The key of that kind that the certificate at that place has."""
    return rsa.generate_private_key(65537, int(kind[4:])) if kind.startswith("RSA-") \
        else ec.generate_private_key(keys.get_curve(kind)())


def chain(descriptions: list[Description]) -> list[bytes]:
    """The certificates from the root down, in PEM."""
    start = datetime.now(UTC) - timedelta(days=1)
    made = []
    issuer_name, signer, issuer = "/CN=root", None, None
    for number, (constraints, extensions, kind, digest, name) in enumerate(descriptions):
        own = key(kind, number)
        subject = {"own": f"/CN={number or 'root'}", "issuer": issuer_name,
                   "issuer+CN": issuer_name + "/CN=proxy"}[name if number else "own"]
        public_key = keys.public_key_der(own)
        identifier = keys.key_identifier(public_key)
        text = f"[x]\n{constraints}{extensions}\nsubjectKeyIdentifier=hash\n"
        text += "authorityKeyIdentifier=keyid\n" if issuer else ""
        context = ExtensionContext(parse_config(text + NOTICE), subject=parse_subject(subject),
                                   key_identifier=identifier, issuer=issuer)
        made.append(encoded(section_extensions(context, "x"), parse_subject(issuer_name).dump(),
                            parse_subject(subject).dump(), public_key, signer or own, digest,
                            number + 1, start, start + timedelta(days=10)))
        issuer_name, signer = subject, own
        issuer = Issuer(parse_subject(subject).dump(), number + 1, identifier, None)
    return [pem.dump_certificate(certificate) for certificate in made]


@EXAMPLES
@given(top=CERTIFICATE, between=st.lists(CERTIFICATE, max_size=3), leaf=LEAF, options=OPTIONS,
       trust=TRUST, trusted=st.sampled_from(["root.pem"] * 3 + ["both.pem", "second.pem"]))
def test_verify(bench_folder: Path, monkeypatch: pytest.MonkeyPatch,
                capfd: pytest.CaptureFixture[str], top: Description, between: list[Description],
                leaf: Description, options: str, trust: str, trusted: str) -> None:
    """Each error, its depth, the policies that hold and the exit status are openssl's."""
    monkeypatch.chdir(bench_folder)
    root, *others, last = chain([top, *between, leaf])
    settled = root
    if trust:
        settled = subprocess.run(["openssl", "x509", "-trustout", *trust.split()], input=root,
                                 check=True, capture_output=True).stdout
    second = others[0] if others else root
    if trust and trusted != "root.pem":
        second = subprocess.run(["openssl", "x509", "-trustout", *trust.split()], input=second,
                                check=True, capture_output=True).stdout
    for name, data in (("root.pem", settled), ("both.pem", settled + second),
                       ("second.pem", second), ("between.pem", b"".join(others) or root),
                       ("last.pem", last)):
        (bench_folder / name).write_bytes(data)
    words = ["verify", "-CAfile", trusted, "-untrusted", "between.pem", *options.split(),
             "last.pem"]
    done = subprocess.run(["openssl", *words[:1], "-no-CApath", "-no-CAstore", *words[1:]],
                          capture_output=True, text=True)
    capfd.readouterr()
    status = main([*words[:1], "--quiet", *words[1:]])
    out, err = capfd.readouterr()
    if TWO_USES in err:     # docs/verify.md
        assert trust and status == 1
        return
    assert (status, out, told(err)) == (done.returncode, done.stdout, told(done.stderr))


def told(text: str) -> list[str]:
    """The lines in which openssl and kpki speak alike: all but those of openssl's error stack."""
    return [line for line in text.splitlines() if not re.match("kpki: |[0-9A-F]{12,}:error:", line)]
