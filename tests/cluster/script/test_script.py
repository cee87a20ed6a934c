"""The script, run with the real sh and the real openssl, beside what apply makes."""
from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from kpki import pem
from kpki.cluster import workspace
from kpki.cluster.desired.description import (
    Cluster,
    ExternalEtcd,
    GivenAuthority,
    load_cluster,
)
from kpki.cluster.desired.example import example_description
from kpki.cluster.observed.inventory import observe_file
from kpki.cluster.plan.plan import Plan, make_plan
from kpki.cluster.script.script import script_of
from kpki.files import File
from kpki.kubernetes.kubeconfig import Material, dump_kubeconfig, load_kubeconfig
from kpki.kubernetes.layouts import LAYOUT_NAMES

SHELLS = [shell for shell in ("dash", "bash", "busybox") if (found := shutil.which(shell))
          and not os.path.samefile(found, shutil.which("sh") or "")]
IDENTIFIERS = ("2.5.29.14", "2.5.29.35")
ADMIN = "nodes/cp-1/etc/kubernetes/admin.conf"
API, KUBELET = ("nodes/cp-1/etc/kubernetes/pki/apiserver",
                "nodes/worker-1/etc/kubernetes/kubelet.conf")

Snapshot = dict[str, tuple[int, bytes | None, int]]


@cache
def cluster_of(layout: str, algorithm: str | None = None) -> Cluster:
    cluster = replace(load_cluster(example_description(layout)), algorithm=algorithm)
    if algorithm != "RSA-2048":
        return cluster
    # RSA keys take their time
    etcd = ExternalEtcd("/etcd/ca.crt", "/etcd/client.crt", "/etcd/client.key")
    return replace(cluster, external_etcd=etcd,
                   hosts=(replace(cluster.hosts[0], roles=frozenset({"control-plane"})),))


def clock() -> datetime:
    """openssl has no other time."""
    return datetime.now(UTC)


def plan_in(folder: Path, cluster: Cluster, *, passphrase: bytes | None = None) -> Plan:
    return make_plan(cluster, observe=lambda path: observe_file(str(folder), path), now=clock(),
                     passphrase=passphrase, read=lambda path: (folder / path).read_bytes())


def nothing_left(folder: Path, cluster: Cluster) -> bool:
    """Whether all is as it should be: what check says too."""
    plan = plan_in(folder, cluster)
    return not [*plan.steps()] and not [*plan.waiting()]


def text_of(plan: Plan) -> str:
    return "".join(script_of(plan))


def run(folder: Path, script: str, *, shell: str = "sh", status: int = 0,
        **environment: str) -> str:
    """What the script says on stderr, run with a shell in a folder; nothing may come to stdout."""
    command = ["busybox", "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(command, cwd=folder, input=script, env=os.environ | environment,
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    return done.stderr


def snapshot(folder: Path) -> Snapshot:
    """Everything below a folder: its mode, its bytes, its time."""
    found = {}
    for path in sorted(folder.rglob("*")):
        seen = path.lstat()
        data = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (stat.S_IMODE(seen.st_mode), data, seen.st_mtime_ns)
    return found


def modes(folder: Path) -> dict[str, int]:
    return {path: mode for path, (mode, _, _) in snapshot(folder).items()}


def certificate_fields(data: bytes) -> list[object]:
    """What a file of certificates says, but for serial numbers, dates, keys and what follows from
    those."""
    found: list[object] = []
    for certificate in pem.load_certificates(data):
        key: Any = certificate.public_key()
        extensions = [(oid := extension.oid.dotted_string, extension.critical,
                       None if oid in IDENTIFIERS else extension.value.public_bytes())
                      for extension in certificate.extensions]
        found.append((certificate.subject.public_bytes(), certificate.issuer.public_bytes(),
                      certificate.version, type(key), key.key_size,
                      certificate.signature_algorithm_oid.dotted_string, extensions))
    return found


def fields(data: bytes) -> object:
    """What a file says, but for what is random or a time in it."""
    if b"-----BEGIN CERTIFICATE-----" in data:
        return certificate_fields(data)
    if b"-----BEGIN" in data:
        label = data.splitlines()[0]
        key: Any = pem.load_public_key(data) if b"PUBLIC" in label else pem.load_key(data)
        return label, type(key), key.key_size
    read = load_kubeconfig(data)
    if read.key.data is None:
        return data
    assert read.certificate.data is not None and read.authority.data is not None
    blank = dump_kubeconfig(replace(read, authority=Material(), certificate=Material(),
                                    key=Material()))
    assert dump_kubeconfig(read) == data
    return (blank, certificate_fields(read.authority.data),
            certificate_fields(read.certificate.data), fields(read.key.data))


def written(folder: Path, files: list[File]) -> Path:
    workspace.write(str(folder), files, trees="nodes", now=clock())
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A workspace as apply makes it, once for each layout and algorithm; not to be changed."""
    @cache
    def make(layout: str, algorithm: str | None = None) -> Path:
        folder = tmp_path_factory.mktemp("made")
        return written(folder, [*make_plan(cluster_of(layout, algorithm), now=clock()).files()])
    return make


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A workspace as the script makes it, once for each layout, algorithm and shell; not to be
    changed."""
    @cache
    def make(layout: str, algorithm: str | None = None, shell: str = "sh") -> Path:
        folder = tmp_path_factory.mktemp("scripted")
        run(folder, text_of(plan_in(folder, cluster_of(layout, algorithm))), shell=shell)
        return folder
    return make


@pytest.fixture
def there(made: Callable[..., Path], tmp_path: Path) -> Callable[[str], Path]:
    """A workspace of a layout that a test may break."""
    def copy(layout: str) -> Path:
        return Path(shutil.copytree(made(layout), tmp_path / "workspace"))
    return copy


def given_ca(folder: Path, subject: str = "/CN=kubernetes", *, days: int = 3650,
             curve: str = "P-256", name: str = "given") -> None:
    """A CA that openssl makes: NAME.crt and NAME.key."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    f"ec_paramgen_curve:{curve}", "-noenc", "-keyout", f"{name}.key", "-subj",
                    subject, "-days", str(days), "-out", f"{name}.crt",
                    "-addext", "keyUsage=critical,keyCertSign,cRLSign"], cwd=folder, check=True,
                   capture_output=True)


# An empty folder

@pytest.mark.parametrize(("layout", "algorithm", "shell"), [
    ("kubeadm", None, "sh"), ("ssl", None, "sh"), ("hard-way", None, "sh"),
    ("hard-way", "RSA-2048", "sh"), ("ssl", "ECDSA-P384", "sh"),
    *(("kubeadm", None, shell) for shell in SHELLS)])
def test_in_an_empty_folder_it_makes_what_apply_makes(
        layout: str, algorithm: str | None, shell: str, made: Callable[..., Path],
        scripted: Callable[..., Path]) -> None:
    """Same paths, folders too, same modes, same fields but for keys, serial numbers and dates;
    nothing else is left."""
    folder, expected = scripted(layout, algorithm, shell), made(layout, algorithm)
    assert modes(folder) == modes(expected)
    for path, (_, data, _) in snapshot(expected).items():
        if data is not None:
            assert fields((folder / path).read_bytes()) == fields(data), path
    assert nothing_left(folder, cluster_of(layout, algorithm))


def test_serial_numbers_are_random_and_dates_whole_days(scripted: Callable[..., Path]) -> None:
    """No two certificates of a run have one serial number, and each ends whole days after it
    began."""
    certificates = [certificate
                    for path in scripted("hard-way", None, "sh").rglob("nodes/**/kube*.crt")
                    for certificate in pem.load_certificates(path.read_bytes())]
    assert len({certificate.serial_number for certificate in certificates}) == len(certificates) > 2
    assert all(certificate.serial_number.bit_length() > 64 for certificate in certificates)
    assert {certificate.not_valid_after_utc - certificate.not_valid_before_utc
            for certificate in certificates} == {timedelta(days=365)}


@pytest.mark.parametrize(("validity", "ca_validity", "leaf", "ca"), [
    (8761, 87601, 365, 3650), (1, 1, 1, 2), (8760, 8760, 364, 365), (10_000, 90, 2, 3)])
def test_days_are_whole_and_end_with_the_ca(validity: int, ca_validity: int, leaf: int,
                                            ca: int) -> None:
    """Hours are rounded down, to a day at least; what a new CA signs a moment later ends before
    it."""
    cluster = replace(cluster_of("ssl"), validity=timedelta(hours=validity),
                      ca_validity=timedelta(hours=ca_validity))
    script = text_of(make_plan(cluster, now=clock()))
    assert {int(days) for days in re.findall(r"openssl req -x509 .* -days (\d+)", script)} == {ca}
    assert {int(days) for days in re.findall(r"(?m)^sign .* (\d+) sha256$", script)} == {leaf}
    assert (f"so its leaves are valid for {leaf} days" in script) == (validity >= ca_validity > 1)


def test_days_end_with_the_calendar() -> None:
    """A validity beyond the last date that a certificate can say is cut to it, as apply does."""
    cluster = replace(cluster_of("ssl"), ca_validity=timedelta(days=9_000_000))
    [days] = {int(days) for days in re.findall(r"-days (\d+) -sha256",
                                               text_of(make_plan(cluster, now=clock())))}
    assert (clock() + timedelta(days=days)).year == 9999


def test_what_is_not_a_whole_number_of_days_is_said() -> None:
    """A comment says what the description wanted, where openssl cannot give it; else there is
    none."""
    cluster = cluster_of("ssl")
    odd = text_of(make_plan(replace(cluster, validity=timedelta(hours=36)), now=clock()))
    assert ("# Certificates are valid for 1 days from the moment they are made (the description "
            "says 36 hours" in odd)
    assert "the description says" not in text_of(make_plan(cluster, now=clock()))


def test_odd_names_stay_names(tmp_path: Path) -> None:
    """Nothing in a description is a command: a cluster's name, a folder or a CA's path that would
    be one for sh."""
    odd = """$(touch pwned) `touch pwned` "; touch pwned #' \\ END"""
    given_ca(tmp_path)
    (tmp_path / "$(touch pwned)' x.crt").write_bytes((tmp_path / "given.crt").read_bytes())
    (tmp_path / "-in $HOME.key").write_bytes((tmp_path / "given.key").read_bytes())
    cluster = replace(cluster_of("kubeadm"), name=odd, certificates_dir="/etc/$(touch pwned) 'pki",
                      authorities={"kubernetes": GivenAuthority("$(touch pwned)' x.crt",
                                                                "-in $HOME.key")})
    run(tmp_path, text_of(plan_in(tmp_path, cluster)))
    assert not [*tmp_path.rglob("pwned")]
    assert load_kubeconfig((tmp_path / ADMIN).read_bytes()).cluster_name == odd
    assert nothing_left(tmp_path, cluster)


# What it must never do

@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_shellcheck_finds_nothing(layout: str, there: Callable[[str], Path]) -> None:
    """shellcheck has nothing to say of a whole script, nor of one that mends, nor of one with
    nothing to do."""
    shellcheck = Path(sys.executable).with_name("shellcheck")
    folder = there(layout)
    nothing = text_of(plan_in(folder, cluster_of(layout)))
    for path in [*folder.rglob("*.conf"), *folder.rglob("*config*"),
                 *folder.rglob("front-proxy-client*")]:
        if path.is_file():
            path.chmod(0o644)
    shutil.rmtree(folder / "nodes/worker-1")
    whole, mending = (text_of(make_plan(cluster_of(layout), now=clock())),
                      text_of(plan_in(folder, cluster_of(layout))))
    for script in (whole, mending, nothing):
        done = subprocess.run([shellcheck if shellcheck.exists() else "shellcheck", "-"],
                              input=script, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stdout
    assert "\n# There is nothing to do.\n" in nothing


def test_it_is_plain_openssl(there: Callable[[str], Path]) -> None:
    """No other tool's name is in it, and its commands are POSIX's and openssl's."""
    folder = there("kubeadm")
    (folder / KUBELET).chmod(0o644)
    allowed = {*"set umask printf exit while do done case esac if fi shift for echo trap".split(),
               *"openssl mkdir mv cp cat chmod sed".split(),
               *"away folders sign embed stop".split()}
    for script in (text_of(make_plan(cluster_of("kubeadm", "RSA-2048"), now=clock())),
                   text_of(plan_in(folder, cluster_of("kubeadm")))):
        assert "kpki" not in script
        code = re.sub(r"(?ms)<<'END'\n.*?^END$", "", script)
        words = {line.split()[0] for line in code.splitlines() if line.strip()
                 and not line.strip().startswith("#")}
        assert {word for word in words if word.isalpha()} <= allowed
    assert "openssl genrsa -traditional -out" in text_of(
        make_plan(cluster_of("kubeadm", "RSA-2048"), now=clock()))


def test_no_secret_is_in_it_nor_on_a_command_line(there: Callable[[str], Path],
                                                  tmp_path: Path) -> None:
    """The text holds no key, and no command gets one as an argument: each openssl that runs is
    given files' names."""
    folder = there("kubeadm")
    for path in (ADMIN, KUBELET, f"{API}.key", "pki/sa.key"):
        (folder / path).chmod(0o644)
    script = text_of(plan_in(folder, cluster_of("kubeadm")))
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("openssl", "sed", "cat", "cp", "mv"):
        (tools / name).write_text(f'#!/bin/sh\nprintf \'%s\\n\' "$@" >> {tmp_path}/said\n'
                                  f'exec {shutil.which(name)} "$@"\n')
        (tools / name).chmod(0o755)
    run(folder, script, PATH=f"{tools}:{os.environ['PATH']}")
    said = (tmp_path / "said").read_text()
    keys = [path.read_text() for path in folder.rglob("*.key")]
    keys += [(load_kubeconfig(path.read_bytes()).key.data or b"").decode()
             for path in folder.rglob("*.conf")]
    for line in {line for key in keys for line in key.splitlines() if len(line) > 30
                 and "-----" not in line}:
        assert line not in said + script
    assert "client-key-data" in said and "PRIVATE KEY" not in said + script


def test_no_key_is_ever_readable_by_others(tmp_path: Path) -> None:
    """Whatever openssl, cat and cp have just written is its owner's alone, even under a wide
    umask."""
    tools = tmp_path / "tools"
    tools.mkdir()
    wide = tmp_path / "wide"
    for name in ("openssl", "cp", "chmod"):
        real = shutil.which(name)
        (tools / name).write_text(f'#!/bin/sh\n{real} "$@" || exit\n'
                                  'find . -type f -perm /077 ! -name "*.crt" ! '
                                  f'-name "*.pub" >> {wide}\n')
        (tools / name).chmod(0o755)
    folder = tmp_path / "workspace"
    folder.mkdir()
    run(folder, "umask 0\n" + text_of(plan_in(folder, cluster_of("hard-way"))),
        PATH=f"{tools}:{os.environ['PATH']}")
    assert wide.read_text() == ""


def test_a_host_more_costs_a_host_more() -> None:
    """The script comes in pieces, host by host, and none of them grows with the number of hosts."""
    cluster = load_cluster(example_description("ssl"))
    workers = tuple(replace(cluster.hosts[-1], name=f"w-{number}", addresses=(f"10.1.{number}.1",))
                    for number in range(100))
    few, many = ([*map(len,
                       script_of(make_plan(replace(cluster, hosts=cluster.hosts + more),
                                           now=clock())))]
                 for more in (workers[:10], workers))
    assert max(many) == max(few) and sum(many) < 8 * sum(few)


def test_the_identifiers_are_the_keys_own(scripted: Callable[..., Path]) -> None:
    """What the comparison with apply leaves out: the identifiers come last, and the authority's is
    its CA's."""
    folder = scripted("kubeadm", None, "sh")
    [leaf] = pem.load_certificates((folder / f"{API}.crt").read_bytes())
    assert [extension.oid.dotted_string for extension in leaf.extensions][-2:] == [*IDENTIFIERS]
    [ca] = pem.load_certificates((folder / "pki/ca.crt").read_bytes())
    identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert (leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
            == x509.AuthorityKeyIdentifier(
                identifier.digest, None, None))
