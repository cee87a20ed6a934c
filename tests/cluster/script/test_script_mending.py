"""A half-broken workspace, and CAs that are there: what the script mends, what it keeps, what stops
it."""
from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kpki import pem
from kpki.cluster.desired.description import GivenAuthority
from kpki.errors import InputError, RefusedError
from kpki.kubernetes.kubeconfig import Material, dump_kubeconfig, load_kubeconfig
from tests.cluster.script.test_script import (
    ADMIN,
    API,
    KUBELET,
    cluster_of,
    fields,
    given_ca,
    made,
    nothing_left,
    plan_in,
    run,
    snapshot,
    text_of,
    there,
)

__all__ = ["made", "there"]     # fixtures
SCHEDULER = "nodes/cp-1/etc/kubernetes/scheduler.conf"
CONTROL_PLANE_PKI, WORKER_KUBELET = ("nodes/cp-1/etc/kubernetes/pki",
                                     "nodes/worker-1/var/lib/kubelet")


# A half-broken workspace

def gone(folder: Path, path: str) -> None:
    (folder / path).unlink()


def cut(folder: Path, path: str) -> None:
    (folder / path).write_bytes((folder / path).read_bytes()[:100])


def exposed(folder: Path, path: str) -> None:
    (folder / path).chmod(0o644)


def elsewhere(folder: Path, path: str) -> None:
    """A kubeconfig that leads to another cluster's API server."""
    text = (folder / path).read_text()
    (folder / path).write_text(re.sub('server: "?[^"\n]*"?', "server: https://192.0.2.1:6443",
                                      text))


def quoted(folder: Path, path: str) -> None:
    """As another tool writes it: data in quotes, a second user before the first; and it leads
    elsewhere."""
    elsewhere(folder, path)
    text = re.sub(r"data: (\S+)", r'data: "\1"', (folder / path).read_text())
    other = "".join(f"    {name}-data: Zm9v\n" for name in ("client-certificate", "client-key"))
    (folder / path).write_text(text.replace("users:\n", f"users:\n- name: other\n  user:\n{other}"))


def one_line(folder: Path, path: str) -> None:
    """A kubeconfig in JSON, exposed."""
    (folder / path).write_text(json.dumps(yaml.safe_load((folder / path).read_text())))
    (folder / path).chmod(0o644)


def as_pkcs8(folder: Path, path: str) -> None:
    """The key in the form that openssl writes unless told otherwise, and exposed."""
    (folder / path).write_bytes(b"a word\n"
                                + pem.dump_key(pem.load_key((folder / path).read_bytes())))
    (folder / path).chmod(0o640)


def loose(folder: Path, path: str) -> None:
    """A key or a certificate as other tools leave it: with words around it, the key in PKCS#8;
    right all the same."""
    data = (folder / path).read_bytes()
    (folder / path).write_bytes(b"a word\n" + (pem.dump_key(pem.load_key(data))
                                               if b"KEY-----" in data else data))


def embedding_pkcs8(folder: Path, path: str) -> None:
    """A kubeconfig with its key in PKCS#8 that leads elsewhere."""
    read = load_kubeconfig((folder / path).read_bytes())
    key = Material(data=pem.dump_key(pem.load_key(read.key.data or b"")))
    (folder / path).write_bytes(dump_kubeconfig(replace(read, key=key)))
    elsewhere(folder, path)


def of_files(folder: Path, path: str) -> None:
    """The pair in a file that the kubelet rotates, as kubeadm has it; the kubeconfig that names it
    leads elsewhere."""
    read = load_kubeconfig((folder / path).read_bytes())
    current = "var/lib/kubelet/pki/kubelet-client-current.pem"
    target = folder / "nodes/worker-1" / current
    target.parent.mkdir(parents=True)
    target.write_bytes((read.certificate.data or b"") + (read.key.data or b""))
    target.chmod(0o600)
    named = Material(path=f"/{current}")
    (folder / path).write_bytes(dump_kubeconfig(replace(read, certificate=named, key=named)))
    elsewhere(folder, path)


Damage = Callable[[Path, str], None]
# layout, damages, files that the script writes, files whose key stays what it was
DAMAGES: Mapping[str, tuple[str, list[tuple[Damage, str]], list[str], bool]] = {
    "a certificate": ("kubeadm", [(gone, f"{API}.crt")], [f"{API}.crt"], True),
    "a key": ("kubeadm", [(gone, f"{API}.key")], [f"{API}.crt", f"{API}.key"], False),
    "a cut certificate": ("kubeadm", [(cut, f"{API}.crt")], [f"{API}.crt"], True),
    "an exposed key": ("kubeadm", [(exposed, f"{API}.key")], [f"{API}.key"], True),
    "an exposed key in another form": ("kubeadm", [(as_pkcs8, f"{API}.key")], [f"{API}.key"], True),
    "a worker's tree": ("kubeadm",
                        [(gone, KUBELET), (gone, "nodes/worker-1/etc/kubernetes/pki/ca.crt")],
                        [KUBELET, "nodes/worker-1/etc/kubernetes/pki/ca.crt"], False),
    "an exposed kubeconfig": ("kubeadm", [(exposed, KUBELET)], [KUBELET], True),
    "a wrong server": ("kubeadm", [(elsewhere, KUBELET), (elsewhere, "users/admin.conf")],
                       [KUBELET, "users/admin.conf"], True),
    "a quoted kubeconfig": ("kubeadm", [(quoted, KUBELET)], [KUBELET], True),
    "a kubeconfig on one line": ("kubeadm", [(one_line, KUBELET)], [KUBELET], False),
    "a kubeconfig of files": ("kubeadm", [(of_files, KUBELET)], [KUBELET], True),
    "a kubeconfig with its pair beside it": ("hard-way", [(gone, f"{WORKER_KUBELET}/kubeconfig")],
                                             [f"{WORKER_KUBELET}/kubeconfig"], True),
    "a kubeconfig with a pair of another form beside it": (
        "hard-way",
        [(loose, f"{WORKER_KUBELET}/kubelet.key"), (loose, f"{WORKER_KUBELET}/kubelet.crt"),
         (gone, f"{WORKER_KUBELET}/kubeconfig")], [f"{WORKER_KUBELET}/kubeconfig"], True),
    "a kubeconfig with a key of another form": ("kubeadm", [(embedding_pkcs8, KUBELET)], [KUBELET],
                                                True),
    "the public key, the key is elsewhere": (
        "kubeadm", [(gone, "pki/sa.key"), (gone, f"{CONTROL_PLANE_PKI}/sa.key"),
                    (gone, "pki/sa.pub")], ["pki/sa.pub"], True),
    "a kubeconfig that names its pair":
        ("ssl", [(elsewhere, "nodes/worker-1/etc/kubernetes/worker-kubeconfig.yaml")],
         ["nodes/worker-1/etc/kubernetes/worker-kubeconfig.yaml"], True),
    "the workspace's CA": ("kubeadm", [(gone, "pki/ca.crt"), (gone, "pki/ca.key")],
                           ["pki/ca.crt", "pki/ca.key"], True),
    "the CA's key exposed": ("kubeadm", [(exposed, "pki/ca.key")], ["pki/ca.key"], True),
    "a host's CA": ("kubeadm", [(cut, f"{CONTROL_PLANE_PKI}/ca.crt")],
                    [f"{CONTROL_PLANE_PKI}/ca.crt"], True),
    "a host's CA key": ("kubeadm", [(gone, f"{CONTROL_PLANE_PKI}/ca.key")],
                        [f"{CONTROL_PLANE_PKI}/ca.key"], True),
    "the public key": ("kubeadm", [(gone, "pki/sa.pub")], ["pki/sa.pub"], True),
    "a host's public key": ("ssl", [(cut, "nodes/cp-1/etc/kubernetes/ssl/service-accounts.pem")],
                            ["nodes/cp-1/etc/kubernetes/ssl/service-accounts.pem"], True),
    "the workspace's pair": ("kubeadm", [(gone, "pki/sa.pub"), (gone, "pki/sa.key")],
                             ["pki/sa.pub", "pki/sa.key"], True),
    "the pair exposed": ("kubeadm", [(exposed, "pki/sa.key")], ["pki/sa.key"], True),
    "everything of a CA": (
        "kubeadm",
        [(gone, f"{where}/front-proxy-ca.{end}") for end in ("crt", "key")
         for where in ("pki", CONTROL_PLANE_PKI)],
        [*(f"{where}/front-proxy-ca.{end}" for end in ("crt", "key")
           for where in ("pki", CONTROL_PLANE_PKI)),
         f"{CONTROL_PLANE_PKI}/front-proxy-client.crt"], False),
    "a CA's certificates, its key is there": (
        "kubeadm", [(gone, f"{where}/front-proxy-ca.crt") for where in ("pki", CONTROL_PLANE_PKI)],
        [*(f"{where}/front-proxy-ca.{end}" for where, end in (
            ("pki", "crt"), (CONTROL_PLANE_PKI, "crt"), (CONTROL_PLANE_PKI, "key"))),
         f"{CONTROL_PLANE_PKI}/front-proxy-client.crt"], True),
}


def public_keys(data: bytes) -> list[bytes]:
    """The public keys of all that a file holds."""
    if b"PRIVATE KEY-----" in data:
        found = [pem.load_key(data).public_key()]
    elif b"-----BEGIN CERTIFICATE" in data:
        found = [certificate.public_key() for certificate in pem.load_certificates(data)]
    elif b"-----BEGIN PUBLIC" in data:
        found = [pem.load_public_key(data)]
    else:
        read = load_kubeconfig(data)
        return [] if read.key.data is None else public_keys(read.key.data)
    return [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in found]


@pytest.mark.parametrize("name", DAMAGES)
def test_it_mends_what_is_wrong_and_touches_nothing_else(name: str,
                                                         there: Callable[[str], Path]) -> None:
    """What is missing or wrong is written and no more, a sound key stays, the backup has the old;
    all is right then."""
    layout, damages, expected, same_key = DAMAGES[name]
    cluster, folder = cluster_of(layout), there(layout)
    healthy = snapshot(folder)
    for damage, path in damages:
        damage(folder, path)
    before = snapshot(folder)
    plan = plan_in(folder, cluster)
    assert sorted(expected) == sorted(f"nodes/{step.host}/{step.path}" if step.host else step.path
                                      for step in plan.steps())
    run(folder, text_of(plan))
    after = snapshot(folder)
    saved = {path.split("/", 2)[2]: data for path, (_, data, _) in after.items()
             if path.startswith("backup/") and data}
    assert saved == {path: before[path][1] for path in expected if path in before}
    for path, item in after.items():
        if path not in expected and not path.startswith("backup") and item[1] is not None:
            assert item == before[path], path
    for path in expected:
        (mode, data, _), (old_mode, old_data, _) = after[path], healthy[path]
        assert mode == old_mode and fields(data or b"") == fields(old_data or b""), path
        assert not same_key or public_keys(data or b"") == public_keys(old_data or b""), path
    assert nothing_left(folder, cluster)


def test_a_ca_key_on_a_worker_goes_into_the_backup(there: Callable[[str], Path]) -> None:
    """What is removed is moved away, with its bytes and its mode; a second backup gets another
    name."""
    folder, path = there("kubeadm"), "nodes/worker-1/etc/kubernetes/pki/ca.key"
    (folder / path).write_bytes((folder / "pki/ca.key").read_bytes())
    (folder / path).chmod(0o600)
    script = text_of(plan_in(folder, cluster_of("kubeadm")))
    run(folder, script)
    assert not (folder / path).exists()
    [saved] = folder.glob(f"backup/*/{path}")
    assert saved.read_bytes() == (folder / "pki/ca.key").read_bytes()
    shutil.copy(saved, folder / path)
    run(folder, f"date() {{ echo {saved.relative_to(folder).parts[1]}; }}\n{script}")
    assert len([*folder.glob(f"backup/*-2/{path}")]) == 1


@pytest.mark.parametrize("change", ["came", "went", "link", "kept key went"])
def test_a_target_that_is_not_as_it_was_stops_it_before_the_first_change(
        change: str, there: Callable[[str], Path]) -> None:
    """A file that is there now, or no more, is named, the exit status is 1, and nothing at all is
    changed."""
    folder = there("kubeadm")
    gone(folder, f"{API}.crt")
    cut(folder, SCHEDULER)
    script = text_of(plan_in(folder, cluster_of("kubeadm")))
    if change == "came":
        (folder / f"{API}.crt").write_bytes(b"")
    elif change == "link":
        (folder / f"{API}.crt").symlink_to("nowhere")
    else:
        gone(folder, SCHEDULER if change == "went" else f"{API}.key")
    before = snapshot(folder)
    named = {"came": f"{API}.crt", "link": f"{API}.crt", "went": SCHEDULER,
             "kept key went": f"{API}.key"}[change]
    assert run(folder, script, status=1).startswith(f"{named}: the file ")
    assert snapshot(folder) == before


@pytest.mark.parametrize("name", ["etc", "etc/kubernetes"])
def test_a_link_out_of_the_folder_stops_it_before_the_first_change(
        name: str, there: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is written through a link to another place; a CA that is only read may lie behind
    one."""
    folder, outside = there("kubeadm"), tmp_path_factory.mktemp("outside")
    gone(folder, KUBELET)
    script = text_of(plan_in(folder, cluster_of("kubeadm")))
    shutil.move(folder / "pki", outside / "pki")
    (folder / "pki").symlink_to(outside / "pki")
    shutil.copytree(folder, copy := outside / "copy", symlinks=True)
    run(copy, script)
    assert (copy / KUBELET).is_file()
    (outside / "elsewhere").mkdir()
    shutil.rmtree(folder / "nodes/worker-1" / name)
    (folder / "nodes/worker-1" / name).symlink_to(outside / "elsewhere")
    (outside / "elsewhere/kubernetes").mkdir()
    before = snapshot(outside)
    assert "a link leads out of" in run(folder, script, status=1)
    assert snapshot(outside) == before


def test_an_older_openssl_stops_it_before_the_first_change(tmp_path: Path) -> None:
    """openssl 1.1.1, or what is no openssl, is named; 3 and 4 are new enough."""
    script = text_of(plan_in(tmp_path, cluster_of("ssl")))
    check = script[:script.index("while IFS")]
    for version, status in (("OpenSSL 1.1.1w  11 Sep 2023", 1), ("LibreSSL 3.3.6", 1),
                            ("OpenSSL 3.0.19 27 Jan 2026", 0), ("OpenSSL 4.0.0", 0)):
        said = run(tmp_path, f"openssl() {{ echo '{version}'; }}\n{check}", status=status)
        assert (version in said) == bool(status)
    assert not [*tmp_path.iterdir()]


def test_a_replaced_file_keeps_the_stricter_mode(there: Callable[[str], Path]) -> None:
    """As with apply: a certificate that only its owner could read stays so, and a key that nobody
    could write."""
    folder = there("kubeadm")
    cut(folder, f"{API}.crt")
    cut(folder, f"{API}.key")
    (folder / f"{API}.crt").chmod(0o600)
    (folder / f"{API}.key").chmod(0o400)
    run(folder, text_of(plan_in(folder, cluster_of("kubeadm"))))
    assert [stat.S_IMODE((folder / f"{API}.{end}").stat().st_mode)
            for end in ("crt", "key")] == [0o600, 0o400]


# CAs that are there

def test_a_given_ca_signs_and_is_cut_to_its_end(tmp_path: Path) -> None:
    """The description's CA is used where it lies; nothing it signs outlives it; its key's hash is
    taken."""
    given_ca(tmp_path, days=100, curve="P-384")
    cluster = replace(cluster_of("kubeadm"),
                      authorities={"kubernetes": GivenAuthority("given.crt", "given.key")})
    script = text_of(plan_in(tmp_path, cluster))
    assert "so its leaves are valid for 99 days" in script
    run(tmp_path, script)
    [leaf] = pem.load_certificates((tmp_path / f"{API}.crt").read_bytes())
    [ca] = pem.load_certificates((tmp_path / "given.crt").read_bytes())
    assert (timedelta(0) < ca.not_valid_after_utc
            - leaf.not_valid_after_utc < timedelta(days=1, hours=2))
    assert (leaf.signature_hash_algorithm is not None
            and leaf.signature_hash_algorithm.name == "sha384")
    assert not (tmp_path / "pki/ca.key").exists() and not [*tmp_path.rglob("*.srl")]
    assert nothing_left(tmp_path, cluster)


def test_an_old_script_does_not_sign_past_the_cas_end(tmp_path: Path) -> None:
    """Days were counted when the script was written: it stops where the CA ends before them by
    now."""
    given_ca(tmp_path, days=100)
    cluster = replace(cluster_of("ssl"),
                      authorities={"kubernetes": GivenAuthority("given.crt", "given.key")})
    script = text_of(plan_in(tmp_path, cluster))
    given_ca(tmp_path, days=98)
    said = run(tmp_path, script, status=1)
    assert said == "given.crt: the CA expires before its leaves, nothing was changed\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given.crt", "given.key"]


def test_a_ca_that_ends_today_is_refused(tmp_path: Path) -> None:
    """openssl's shortest certificate is a day; a CA that has less is named, and apply with it."""
    given_ca(tmp_path, days=1)
    cluster = replace(cluster_of("ssl"),
                      authorities={"kubernetes": GivenAuthority("given.crt", "given.key")})
    with pytest.raises(RefusedError, match=r"^given\.crt: the CA expires on .*; openssl counts "
                       r"whole days [(]hint: "):
        text_of(plan_in(tmp_path, cluster))


@pytest.mark.parametrize("order", ["given first", "other first"])
def test_of_a_bundle_the_keys_certificate_signs(order: str, tmp_path: Path) -> None:
    """Hosts get the whole bundle, and the signing certificate in a file of its own, without the
    text around them."""
    given_ca(tmp_path)
    given_ca(tmp_path, "/CN=kubernetes-old", name="other")
    names = ["given", "other"] if order == "given first" else ["other", "given"]
    (tmp_path / "pki").mkdir(mode=0o700)
    (tmp_path / "pki/ca.crt").write_text("".join(f"{name}\n{(tmp_path / f'{name}.crt').read_text()}"
                                                 for name in names))
    shutil.copy(tmp_path / "given.key", tmp_path / "pki/ca.key")
    cluster = cluster_of("kubeadm")
    run(tmp_path, text_of(plan_in(tmp_path, cluster)))
    folder = tmp_path / "nodes/cp-1/etc/kubernetes/pki"
    whole = "".join((tmp_path / f"{name}.crt").read_text() for name in names)
    assert (folder / "ca.crt").read_text() == whole
    assert (folder / "ca-signer.crt").read_text() == (tmp_path / "given.crt").read_text()
    assert load_kubeconfig((tmp_path / ADMIN).read_bytes()).authority.data == whole.encode()
    assert "EC PRIVATE KEY" in (folder / "ca.key").read_text()
    assert nothing_left(tmp_path, cluster)


def test_an_encrypted_ca_key_stays_where_it_is(tmp_path: Path) -> None:
    """openssl asks for its passphrase, or finds it where PASSIN says; no host gets the key."""
    given_ca(tmp_path)
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", "given.key", "-passout", "pass:secret",
                    "-out", "locked.key"], cwd=tmp_path, check=True)
    cluster = replace(cluster_of("kubeadm"),
                      authorities={"kubernetes": GivenAuthority("given.crt", "locked.key")})
    script = text_of(plan_in(tmp_path, cluster))
    assert "openssl asks for the passphrase" in script and "secret" not in script
    run(tmp_path, script, PASSIN="env:CA_PASS", CA_PASS="secret")
    assert not (tmp_path / "nodes/cp-1/etc/kubernetes/pki/ca.key").exists()
    assert nothing_left(tmp_path, cluster)
    for folder in ("nodes", "pki"):
        shutil.rmtree(tmp_path / folder)
    (tmp_path / "given.crt").write_bytes((tmp_path / "given.crt").read_bytes() * 2)
    with pytest.raises(InputError,
                       match=r"^locked\.key: the CA's private key is encrypted [(]hint: "):
        text_of(plan_in(tmp_path, cluster))
    assert "sign " in text_of(plan_in(tmp_path, cluster, passphrase=b"secret"))


def test_what_waits_for_a_ca_stands_in_a_comment(tmp_path: Path) -> None:
    """A CA without its key: the rest is made, and each row that must wait is named with what it
    needs."""
    given_ca(tmp_path)
    cluster = replace(cluster_of("hard-way"),
                      authorities={"kubernetes": GivenAuthority("given.crt")})
    script = text_of(plan_in(tmp_path, cluster))
    assert "# nodes/worker-1/var/lib/kubelet/kubelet.crt (kubelet) waits for" in script
    run(tmp_path, script)
    after = plan_in(tmp_path, cluster)
    assert [*after.steps()] == [] and [*after.waiting()] != []
    idle = text_of(after)
    assert "# There is nothing to do.\n# users/admin.conf (admin) waits for" in idle
    assert run(tmp_path, idle) == ""
