"""Wanted − found → steps and files, in memory: what is made, what stays, what waits, and which CA
is taken."""
from __future__ import annotations

import subprocess
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from kpki import pem
from kpki.cluster.authority import key_algorithm, make_authority, make_key
from kpki.cluster.desired.description import Cluster, load_cluster
from kpki.cluster.desired.example import example_description
from kpki.cluster.observed.inventory import ObservedFile
from kpki.cluster.plan.plan import Plan, make_plan
from kpki.errors import FileError, InputError, KpkiError, RefusedError
from kpki.files import File
from kpki.kubernetes.private_key import verify_private_key
from kpki.kubernetes.profiles import get_profile
from kpki.stages.keys import genpkey, public_key_der

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEXT = """\
apiVersion: kpki/v1
kind: Cluster
nodes:
- {name: cp-1, roles: [control-plane, etcd], addresses: [10.0.0.10]}
- {name: cp-2, roles: [control-plane, etcd], addresses: [10.0.0.11]}
- {name: w-1, addresses: [10.0.0.21]}
- {name: w-2, addresses: [10.0.0.22]}
"""
GIVEN = "certificateAuthorities:\n  kubernetes: {certificate: /ca/ca.crt, key: /ca/ca.key}\n"
PKI = "etc/kubernetes/pki"
Change = tuple[str, str, str]


@dataclass
class Disk:
    """A workspace in memory."""

    cluster: Cluster
    files: dict[str, File] = field(default_factory=dict)

    def observe(self, path: str) -> ObservedFile:
        file = self.files.get(path)
        return (ObservedFile(path, missing=True) if file is None
                else ObservedFile(path, file.data, file.mode))

    def plan(self, *, now: datetime = NOW, passphrase: bytes | None = None,
             given: dict[str, bytes] | None = None) -> Plan:
        return make_plan(self.cluster, observe=self.observe, now=now, passphrase=passphrase,
                         read=None if given is None else given.__getitem__)

    def apply(self, plan: Plan) -> list[str]:
        """Do what a plan says; the paths that it wrote."""
        made, complete = [], plan.with_roots()
        for host in plan.hosts():
            folder = f"nodes/{host.host}/" if host.host else ""
            for step in host.steps:
                if step.action == "remove":
                    del self.files[folder + step.path]
            for file in complete.make(host, warnings=[]):
                self.files[file.path] = file
                made.append(file.path)
        return made

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self.files[path] = File(path, data, mode)

    def copy(self, source: str, target: str) -> None:
        self.files[target] = replace(self.files[source], path=target)

    def lose(self, prefix: str) -> None:
        self.files = {path: file for path, file in self.files.items()
                      if not path.startswith(prefix)}


@cache
def made(text: str = TEXT) -> tuple[tuple[str, File], ...]:
    disk = Disk(load_cluster(text))
    disk.apply(disk.plan())
    return tuple(disk.files.items())


@pytest.fixture
def disk() -> Disk:
    """A workspace in which all is right."""
    return Disk(load_cluster(TEXT), dict(made()))


def steps(plan: Plan) -> list[Change]:
    """(action, where, causes) of every step."""
    return [(step.action, f"{step.host or ''}:{step.path}", " ".join(step.causes))
            for step in plan.steps()]


def certificate(disk: Disk, path: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(disk.files[path].data)


def test_where_nothing_is_everything_is_made_signers_first() -> None:
    """Each wanted file is a step, created for it is missing: the workspace's, then each host's, CAs
    before leaves."""
    disk = Disk(load_cluster(TEXT))
    plan = disk.plan()
    found = steps(plan)
    assert {(action, causes) for action, _, causes in found} == {("create", "file-missing")}
    assert [where.partition(":")[0] for _, where, _ in found] == sorted(
        (where.partition(":")[0] for _, where, _ in found),
        key=["", "cp-1", "cp-2", "w-1", "w-2"].index)
    for host in ("cp-1", "cp-2"):
        order = [where.partition(f"{PKI}/")[2] for _, where, _ in found
                 if where.startswith(f"{host}:{PKI}")]
        for ca, leaf in (("ca.crt", "apiserver.crt"), ("etcd/ca.crt", "etcd/server.crt"),
                         ("front-proxy-ca.crt", "front-proxy-client.crt")):
            assert order.index(ca) < order.index(leaf)
    assert [*plan.waiting()] == []


def test_the_files_are_the_steps_and_then_nothing_is_left_to_do() -> None:
    """files() gives one file for each step that writes; over these files a plan has no step."""
    disk = Disk(load_cluster(TEXT))
    plan = disk.plan()
    wanted = [f"nodes/{step.host}/{step.path}" if step.host else step.path for step in plan.steps()]
    assert disk.apply(plan) == wanted
    assert len(set(wanted)) == len(wanted)
    assert steps(disk.plan()) == [] and [*disk.plan().files()] == []


def test_every_layout_is_right_as_it_is_made() -> None:
    """The example of each layout, made, leaves nothing to do."""
    for layout in ("kubeadm", "ssl", "hard-way"):
        disk = Disk(load_cluster(example_description(layout)))
        disk.apply(disk.plan())
        assert steps(disk.plan()) == []


def lost(*paths: str) -> Callable[[Disk], None]:
    def change(disk: Disk) -> None:
        for path in paths:
            del disk.files[path]
    return change


def cut(path: str) -> Callable[[Disk], None]:
    def change(disk: Disk) -> None:
        disk.put(path, disk.files[path].data[:60], disk.files[path].mode)
    return change


def copied(source: str, target: str) -> Callable[[Disk], None]:
    return lambda disk: disk.copy(source, target)


def opened(path: str) -> Callable[[Disk], None]:
    def change(disk: Disk) -> None:
        disk.files[path] = replace(disk.files[path], mode=0o644)
    return change


def edited(path: str, old: str, new: str) -> Callable[[Disk], None]:
    def change(disk: Disk) -> None:
        text = disk.files[path].data.decode()
        assert old in text
        disk.put(path, text.replace(old, new).encode(), 0o600)
    return change


@pytest.mark.parametrize(("change", "wanted"), [
    (lost(f"nodes/cp-1/{PKI}/apiserver.crt"),
     [("create", f"cp-1:{PKI}/apiserver.crt", "file-missing")]),
    (lost(f"nodes/cp-1/{PKI}/apiserver.key"),
     [("replace", f"cp-1:{PKI}/apiserver.crt", "file-missing"),
      ("create", f"cp-1:{PKI}/apiserver.key", "file-missing")]),
    (cut(f"nodes/cp-2/{PKI}/etcd/peer.crt"), [("replace", f"cp-2:{PKI}/etcd/peer.crt", "bad-pem")]),
    (cut(f"nodes/cp-2/{PKI}/etcd/peer.key"), [("replace", f"cp-2:{PKI}/etcd/peer.crt", "bad-pem"),
                                              ("replace", f"cp-2:{PKI}/etcd/peer.key", "bad-pem")]),
    (lost("nodes/w-1/etc/kubernetes/kubelet.conf"),
     [("create", "w-1:etc/kubernetes/kubelet.conf", "file-missing")]),
    (lost("users/admin.conf"), [("create", ":users/admin.conf", "file-missing")]),
    (lost(f"nodes/w-1/{PKI}/ca.crt"), [("create", f"w-1:{PKI}/ca.crt", "file-missing")]),
    (copied("nodes/w-2/etc/kubernetes/kubelet.conf", "nodes/w-1/etc/kubernetes/kubelet.conf"),
     [("replace", "w-1:etc/kubernetes/kubelet.conf", "wrong-node-identity")]),
    (copied("pki/etcd/ca.crt", f"nodes/w-2/{PKI}/ca.crt"),
     [("replace", f"w-2:{PKI}/ca.crt", "unknown-authority")]),
    (copied(f"nodes/cp-1/{PKI}/front-proxy-client.crt",
            f"nodes/cp-1/{PKI}/apiserver-kubelet-client.crt"),
     [("replace", f"cp-1:{PKI}/apiserver-kubelet-client.crt", "key-cert-mismatch")]),
    (opened(f"nodes/cp-1/{PKI}/ca.key"), [("replace", f"cp-1:{PKI}/ca.key", "key-exposed")]),
    (opened("pki/sa.key"), [("replace", ":pki/sa.key", "key-exposed")]),
    (opened("nodes/w-1/etc/kubernetes/kubelet.conf"),
     [("replace", "w-1:etc/kubernetes/kubelet.conf", "key-exposed")]),
    (edited("nodes/w-1/etc/kubernetes/kubelet.conf", "https://10.0.0.10:6443",
            "https://10.9.9.9:6443"),
     [("replace", "w-1:etc/kubernetes/kubelet.conf", "kubeconfig-broken")]),
    (copied("pki/ca.key", f"nodes/w-1/{PKI}/ca.key"),
     [("remove", f"w-1:{PKI}/ca.key", "ca-key-on-worker")]),
    (copied("pki/etcd/ca.key", f"nodes/w-1/{PKI}/etcd/ca.key"),
     [("remove", f"w-1:{PKI}/etcd/ca.key", "ca-key-on-worker")]),
    (copied("pki/ca.key", f"nodes/cp-2/{PKI}/etcd/ca.key"),
     [("replace", f"cp-2:{PKI}/etcd/ca.key", "key-cert-mismatch")]),
])
def test_each_fault_is_mended_and_nothing_else_is_touched(
        disk: Disk, change: Callable[[Disk], None], wanted: list[Change]) -> None:
    """A fault gives the steps that mend it, with its cause; done, nothing is left to do."""
    change(disk)
    plan = disk.plan()
    assert steps(plan) == wanted
    before = dict(disk.files)
    written = disk.apply(plan)
    assert {path for path in before if disk.files.get(path) != before[path]} <= {
        f"nodes/{where.replace(':', '/')}".removeprefix("nodes//") for _, where, _ in wanted}
    assert len(written) == len([item for item in wanted if item[0] != "remove"])
    assert steps(disk.plan()) == []


def test_a_sound_key_stays_under_a_new_certificate(disk: Disk) -> None:
    """Where time has run out, or names are missing, the certificate is made anew for the key that
    is there."""
    later = NOW + timedelta(days=400)
    keys_before = {path: file.data for path, file in disk.files.items() if path.endswith(".key")}
    plan = disk.plan(now=later)
    causes = {cause for _, _, cause in steps(plan)}
    assert causes == {"expired-client-cert", "expired-server-cert"}
    before = embedded(disk, "nodes/w-1/etc/kubernetes/kubelet.conf")
    disk.apply(plan)
    assert {path: disk.files[path].data for path in keys_before} == keys_before
    after = embedded(disk, "nodes/w-1/etc/kubernetes/kubelet.conf")
    assert after["client-key-data"] == before["client-key-data"]
    assert after["client-certificate-data"] != before["client-certificate-data"]
    assert steps(disk.plan(now=later)) == []


def embedded(disk: Disk, path: str) -> dict[str, bytes]:
    user = yaml.safe_load(disk.files[path].data)["users"][0]["user"]
    return {name: b64decode(data) for name, data in user.items()}


def test_a_new_name_in_the_description_is_a_new_certificate_where_it_belongs(disk: Disk) -> None:
    """A SAN more replaces the API servers' certificates, and those alone; one less replaces nothing
    that works."""
    disk.cluster = load_cluster(TEXT + "apiServer: {certSANs: [api.example.internal]}\n")
    wanted = [("replace", f"{host}:{PKI}/apiserver.crt", "missing-san-dns")
              for host in ("cp-1", "cp-2")]
    plan = disk.plan()
    assert steps(plan) == wanted
    disk.apply(plan)
    disk.cluster = load_cluster(TEXT)
    assert steps(disk.plan()) == []


def test_another_nodes_key_is_not_kept(disk: Disk) -> None:
    """Who has a neighbour's kubeconfig gets a key of its own."""
    disk.copy("nodes/w-2/etc/kubernetes/kubelet.conf", "nodes/w-1/etc/kubernetes/kubelet.conf")
    disk.apply(disk.plan())
    mine, theirs = (embedded(disk, f"nodes/{name}/etc/kubernetes/kubelet.conf")
                    for name in ("w-1", "w-2"))
    assert mine["client-key-data"] != theirs["client-key-data"]


# The CAs


def given_ca(algorithm: str = "ECDSA-P256", *, passphrase: bytes | None = None) -> dict[str, bytes]:
    """A CA as somebody else made it."""
    key = make_key(algorithm)
    authority = make_authority(replace(get_profile("ca"), common_name="company"), key,
                               validity=timedelta(days=900), now=NOW - timedelta(days=9))
    return {"/ca/ca.crt": authority.bundle, "/ca/ca.key": pem.dump_key(key, passphrase=passphrase)}


def test_a_given_ca_signs_and_is_never_written_over() -> None:
    """Hosts get the given CA and what it signed; the workspace its certificate, never its key."""
    disk, given = Disk(load_cluster(TEXT + GIVEN)), given_ca()
    disk.apply(disk.plan(given=given))
    assert (disk.files["pki/ca.crt"].data == given["/ca/ca.crt"]
            == disk.files[f"nodes/w-1/{PKI}/ca.crt"].data)
    assert "pki/ca.key" not in disk.files and f"nodes/cp-1/{PKI}/ca.key" in disk.files
    ca = x509.load_pem_x509_certificate(given["/ca/ca.crt"])
    certificate(disk, f"nodes/cp-1/{PKI}/apiserver.crt").verify_directly_issued_by(ca)
    assert steps(disk.plan(given=given)) == []
    with pytest.raises(InputError,
                       match="/ca/ca.crt: the description names this CA, and make_plan has no "
                       "function to read the CA"):
        disk.plan()


def test_a_given_ca_does_not_take_the_place_of_another(disk: Disk) -> None:
    """A workspace with another CA than the description's is refused, with both names."""
    disk.cluster = load_cluster(TEXT + GIVEN)
    with pytest.raises(InputError, match="pki/ca.crt: another CA than /ca/ca.crt"):
        disk.plan(given=given_ca())


def test_what_a_ca_without_its_key_would_sign_waits() -> None:
    """All else is made; each row that waits says for which file, and nothing of it is a step."""
    given = given_ca()
    disk = Disk(load_cluster(TEXT
                             + "certificateAuthorities: {kubernetes: {certificate: /ca/ca.crt}}\n"))
    plan = disk.plan(given=given)
    waiting = {(file.host, file.row) for file in plan.waiting()}
    assert {file.needs for file in plan.waiting()} == {"the key of /ca/ca.crt"}
    assert waiting == {*((host, row) for host in ("cp-1", "cp-2") for row in (
        "apiserver", "apiserver-kubelet-client", "admin", "kube-controller-manager",
        "kube-scheduler")),
        ("cp-1", "super-admin"), (None, "admin"),
        *((host, "kubelet-client") for host in ("cp-1", "cp-2", "w-1", "w-2"))}
    assert not {(step.host, step.row) for step in plan.steps()} & waiting
    disk.apply(plan)
    assert disk.files[f"nodes/w-1/{PKI}/ca.crt"].data == given["/ca/ca.crt"]
    assert not [path for path in disk.files if path.endswith("/ca.key") and "etcd" not in path]
    assert {f"nodes/cp-1/{PKI}/{name}" for name in ("etcd/server.crt",
                                                    "front-proxy-client.key")} <= {*disk.files}
    again = disk.plan(given=given)
    assert steps(again) == [] and {(file.host, file.row) for file in again.waiting()} == waiting


def test_an_encrypted_key_stays_where_it_is() -> None:
    """With its passphrase the CA signs, and no host gets the key; without, what it is to sign
    cannot be made."""
    disk, given = Disk(load_cluster(TEXT + GIVEN)), given_ca(passphrase=b"secret")
    with pytest.raises(InputError, match="/ca/ca.key: the CA's private key is encrypted") as caught:
        [*disk.plan(given=given).files()]
    assert caught.value.hint is not None and "--passin" in caught.value.hint
    with pytest.raises(KpkiError, match="/ca/ca.key"):
        disk.plan(given=given, passphrase=b"wrong")
    disk.apply(disk.plan(given=given, passphrase=b"secret"))
    assert not [path for path in disk.files if path.endswith("/pki/ca.key")]
    assert (f"nodes/cp-1/{PKI}/etcd/ca.key" in disk.files
            and f"nodes/cp-1/{PKI}/apiserver.crt" in disk.files)
    assert steps(disk.plan(given=given)) == []  # to see that nothing is to do needs no passphrase


def test_a_ca_that_only_a_host_still_has_is_taken_back(disk: Disk) -> None:
    """The workspace's own folder is lost: CAs and sa pair come back from a control plane's tree,
    byte for byte."""
    own = {path: file.data for path, file in disk.files.items() if path.startswith("pki/")}
    disk.lose("pki/")
    plan = disk.plan()
    assert sorted(steps(plan)) == sorted(("create", f":{path}", "file-missing") for path in own)
    disk.apply(plan)
    assert {path: disk.files[path].data for path in own} == own


@pytest.mark.parametrize("name", ["ca.key", "etcd/ca.key", "front-proxy-ca.key"])
def test_a_cas_key_that_only_a_host_still_has_is_taken_back(disk: Disk, name: str) -> None:
    """Nothing waits for a key that a control plane holds; another CA's key in its place does not
    count."""
    before = dict(disk.files)
    del disk.files[f"pki/{name}"]
    disk.copy("pki/sa.key", f"nodes/cp-1/{PKI}/{name}")
    plan = disk.plan()
    assert steps(plan) == [("create", f":pki/{name}", "file-missing"),
                           ("replace", f"cp-1:{PKI}/{name}", "key-cert-mismatch")]
    assert [*plan.waiting()] == []
    disk.apply(plan)
    assert disk.files == before


def test_the_workspaces_own_key_counts_beside_a_hosts_certificate(disk: Disk) -> None:
    """The certificate comes back to the key that is there, in one run; to another's key it does
    not."""
    before = dict(disk.files)
    for path in ("pki/ca.crt", f"nodes/cp-1/{PKI}/ca.key", f"nodes/cp-2/{PKI}/ca.key"):
        del disk.files[path]
    disk.apply(disk.plan())
    assert disk.files == before
    del disk.files["pki/ca.crt"]
    disk.put("pki/ca.key", pem.dump_key(make_key("ECDSA-P256")), 0o600)
    with pytest.raises(RefusedError, match=f"nodes/cp-1/{PKI}/ca.crt and pki/ca.key do not match"):
        disk.plan()


def test_an_encrypted_key_is_no_less_the_workspaces_own(disk: Disk) -> None:
    """A host's plain copy does not take its place, and goes to no further host."""
    disk.put("pki/ca.key",
             pem.dump_key(pem.load_key(disk.files["pki/ca.key"].data), passphrase=b"secret"), 0o600)
    for path in ("pki/ca.crt", f"nodes/cp-1/{PKI}/ca.key"):
        del disk.files[path]
    for passphrase in (None, b"secret"):
        assert (steps(disk.plan(passphrase=passphrase))
                == [("create", ":pki/ca.crt", "file-missing")])


def test_a_key_that_nobody_has_is_kept_elsewhere(disk: Disk) -> None:
    """A CA certificate without its key anywhere: nothing to do for it, and what it is to sign waits
    for the key."""
    disk.files = {path: file for path, file in disk.files.items()
                  if not path.endswith("pki/ca.key")}
    assert steps(disk.plan()) == [] and [*disk.plan().waiting()] == []
    del disk.files[f"nodes/cp-1/{PKI}/apiserver.crt"], disk.files[f"nodes/cp-1/{PKI}/etcd/peer.crt"]
    plan = disk.plan()
    assert steps(plan) == [("create", f"cp-1:{PKI}/etcd/peer.crt", "file-missing")]
    assert [(file.host, file.path, file.row, file.needs) for file in plan.waiting()] == [
        ("cp-1", f"{PKI}/apiserver.crt", "apiserver", "pki/ca.key")]


@pytest.mark.parametrize(("data", "error", "words"), [
    (b"", InputError, "pki/ca.crt: "),
    (b"-----BEGIN CERTIFICATE-----\nMIIB", InputError, "pki/ca.crt: "),
    (b"leaf", RefusedError, "pki/ca.crt: the certificate is not a CA"),
    (b"other", RefusedError, "pki/ca.crt and pki/ca.key do not match")])
def test_a_ca_that_is_of_no_use_is_refused_and_not_replaced(
        disk: Disk, data: bytes, error: type[KpkiError], words: str) -> None:
    """A CA file that is empty, cut off, no CA or another's ends the plan with the file's name."""
    stand_in = {b"leaf": disk.files[f"nodes/cp-1/{PKI}/apiserver.crt"].data,
                b"other": disk.files["pki/front-proxy-ca.crt"].data}
    disk.put("pki/ca.crt", stand_in.get(data, data))
    with pytest.raises(error, match=f"^{words}"):
        disk.plan()


def test_a_ca_past_its_end_is_refused(disk: Disk) -> None:
    """An expired CA signs nothing any more, and kpki makes no other in its place."""
    later = NOW + timedelta(days=4000)
    with pytest.raises(RefusedError,
                       match="pki/.*ca.crt: the CA certificate expired on 2035-12-31"):
        disk.plan(now=later)
    disk.files = {path: file for path, file in disk.files.items() if not path.endswith("ca.key")}
    with pytest.raises(RefusedError,
                       match="pki/.*ca.crt: the CA certificate expired on 2035-12-31"):
        disk.plan(now=later)
    with pytest.raises(RefusedError,
                       match="pki/.*ca.crt: the CA certificate is not valid before 2026-01-02"):
        disk.plan(now=NOW - timedelta(days=9))


def test_a_ca_that_cannot_be_read_is_not_taken_for_missing(disk: Disk) -> None:
    """A file that the disk does not give is an error with its name."""
    observe = disk.observe

    def broken(path: str) -> ObservedFile:
        return (ObservedFile(path, problem="permission denied") if path == "pki/ca.crt"
                else observe(path))

    with pytest.raises(FileError, match="pki/ca.crt: permission denied"):
        make_plan(disk.cluster, observe=broken, now=NOW)


def test_a_bundle_goes_to_every_host_and_its_signer_alone_to_control_planes() -> None:
    """Of a CA file with two certificates the key says which one signs; both are trusted
    everywhere."""
    given, old = given_ca(), given_ca()
    bundle = old["/ca/ca.crt"] + given["/ca/ca.crt"]
    disk, given["/ca/ca.crt"] = Disk(load_cluster(TEXT + GIVEN)), bundle
    disk.apply(disk.plan(given=given))
    assert disk.files[f"nodes/w-1/{PKI}/ca.crt"].data == bundle
    signer = x509.load_pem_x509_certificates(bundle)[1]
    assert certificate(disk, f"nodes/cp-1/{PKI}/ca-signer.crt") == signer
    assert f"nodes/w-1/{PKI}/ca-signer.crt" not in disk.files
    certificate(disk, f"nodes/cp-1/{PKI}/apiserver.crt").verify_directly_issued_by(signer)
    assert steps(disk.plan(given=given)) == []
    disk.put(f"nodes/cp-1/{PKI}/ca.key", old["/ca/ca.key"], 0o600)
    disk.copy(f"nodes/cp-1/{PKI}/ca.crt", f"nodes/cp-1/{PKI}/ca-signer.crt")
    assert steps(disk.plan(given=given)) == [("replace", f"cp-1:{PKI}/ca.key", "key-cert-mismatch"),
                                             ("replace", f"cp-1:{PKI}/ca-signer.crt",
                                              "unknown-authority")]


def test_a_signer_alone_is_for_hosts_that_sign() -> None:
    """Where no host gets the CA's key, none gets the signer of its bundle alone, and nothing is to
    do."""
    given = given_ca()
    key = pem.load_key(given["/ca/ca.key"])
    given["/ca/ca.crt"] = given_ca()["/ca/ca.crt"] + given["/ca/ca.crt"]
    given["/ca/ca.key"] = pem.dump_key(key, passphrase=b"secret")
    disk = Disk(load_cluster(TEXT + GIVEN))
    disk.apply(disk.plan(given=given, passphrase=b"secret"))
    assert not [path for path in disk.files if path.endswith(("ca-signer.crt", "pki/ca.key"))]
    assert (steps(disk.plan(given=given)) == steps(disk.plan(given=given, passphrase=b"secret"))
            == [])


def test_a_lost_ca_certificate_is_made_again_for_its_key(disk: Disk) -> None:
    """Nobody has the certificate, the key is there: it stays the CA's key."""
    key = disk.files["pki/ca.key"].data
    for path in [path for path in disk.files if path.endswith("pki/ca.crt")]:
        del disk.files[path]
    disk.apply(disk.plan())
    assert disk.files["pki/ca.key"].data == key
    assert certificate(disk, "pki/ca.crt").public_key() == pem.load_key(key).public_key()
    assert steps(disk.plan()) == []


# The service accounts' pair


_OTHER = pem.dump_public_key(make_key("ECDSA-P256").public_key())


@pytest.mark.parametrize(("change", "wanted"), [
    (lost("pki/sa.key", "pki/sa.pub"), [("create", ":pki/sa.pub", "file-missing"),
                                        ("create", ":pki/sa.key", "file-missing")]),
    (lost("pki/sa.key"), [("create", ":pki/sa.key", "file-missing")]),
    (cut("pki/sa.key"), [("replace", ":pki/sa.key", "bad-pem")]),
    (lost(f"nodes/cp-2/{PKI}/sa.key"), [("create", f"cp-2:{PKI}/sa.key", "file-missing")]),
    (lambda disk: disk.put("pki/sa.pub", _OTHER, 0o600),
     [("replace", ":pki/sa.pub", "sa-key-mismatch")]),
    (lambda disk: disk.put(f"nodes/cp-1/{PKI}/sa.pub", _OTHER, 0o600),
     [("replace", f"cp-1:{PKI}/sa.pub", "sa-key-mismatch")]),
    (copied("pki/etcd/ca.key", f"nodes/cp-1/{PKI}/sa.key"),
     [("replace", f"cp-1:{PKI}/sa.key", "sa-key-mismatch")])])
def test_the_service_accounts_key_is_not_made_twice(disk: Disk, change: Callable[[Disk], None],
                                                    wanted: list[Change]) -> None:
    """Lost or broken in one place it comes from another; a public key that is not its half is
    replaced."""
    before = dict(disk.files)
    change(disk)
    plan = disk.plan()
    assert steps(plan) == wanted
    disk.apply(plan)
    assert steps(disk.plan()) == []
    assert disk.files == before


def test_a_service_accounts_key_that_nobody_has_any_more_is_made_anew(disk: Disk) -> None:
    """Without any copy there is a new pair everywhere: the tokens of the old one are lost with
    it."""
    before = disk.files["pki/sa.key"].data
    for path in [path for path in disk.files if path.endswith("sa.key")]:
        disk.put(path, b"", 0o600)
    plan = disk.plan()
    assert {where.rpartition("/")[2] for _, where, _ in steps(plan)} == {"sa.key", "sa.pub"}
    disk.apply(plan)
    assert (disk.files["pki/sa.key"].data == disk.files[f"nodes/cp-2/{PKI}/sa.key"].data
            not in (b"", before))
    assert steps(disk.plan()) == []


def test_a_broken_service_accounts_key_is_told_though_a_public_key_is_there(disk: Disk) -> None:
    """A broken service accounts' key in the workspace is replaced by a new pair: no other file has
    that key."""
    for host in ("cp-1", "cp-2"):
        del disk.files[f"nodes/{host}/{PKI}/sa.key"]
    disk.put("pki/sa.key", b"", 0o600)
    plan = disk.plan()
    assert ("replace", ":pki/sa.key", "bad-pem") in steps(plan)
    disk.apply(plan)
    assert steps(disk.plan()) == []


def test_further_public_keys_stay_for_the_tokens_of_former_keys(disk: Disk) -> None:
    """A file of several public keys stays if the signing key is among them: kube-apiserver verifies
    tokens with each."""
    own = disk.files["pki/sa.pub"].data
    for data in (_OTHER + own, own + b"words\n" + _OTHER):
        for path in [path for path in disk.files if path.endswith("sa.pub")]:
            disk.put(path, data, 0o600)
        assert steps(disk.plan()) == []
    disk.lose("pki/sa")
    disk.lose(f"nodes/cp-2/{PKI}/sa")
    disk.apply(disk.plan())
    assert (disk.files["pki/sa.pub"].data == disk.files[f"nodes/cp-2/{PKI}/sa.pub"].data == own
            + b"words\n" + _OTHER)
    disk.put("pki/sa.pub", _OTHER + _OTHER, 0o600)
    assert steps(disk.plan()) == [("replace", ":pki/sa.pub", "sa-key-mismatch")]


def test_an_encrypted_service_accounts_key_is_not_replaced(disk: Disk) -> None:
    """An encrypted service accounts' key may still sign tokens: kpki refuses, asks for the key in
    the clear, and makes no other."""
    disk.put("pki/sa.key", pem.dump_key(make_key("ECDSA-P256"), passphrase=b"secret"), 0o600)
    with pytest.raises(RefusedError, match="pki/sa.key: the service accounts' key is encrypted"):
        disk.plan()


def test_a_public_key_alone_is_enough(disk: Disk) -> None:
    """If only the public key is in the workspace, no private key is made, and no host gets one."""
    for path in [path for path in disk.files if path.endswith("sa.key")]:
        del disk.files[path]
    assert steps(disk.plan()) == []


def test_a_short_service_accounts_key_still_signs(disk: Disk) -> None:
    """1024 bits are few, but every token hangs on that key: it stays."""
    key = genpkey("RSA", bits=1024)
    for path in [path for path in disk.files if path.endswith(("sa.key", "sa.pub"))]:
        data = pem.dump_key(key) if path.endswith(".key") else pem.dump_public_key(key.public_key())
        disk.put(path, data, 0o600)
    assert steps(disk.plan()) == []


def test_a_service_accounts_key_is_not_lost_for_its_form(disk: Disk) -> None:
    """With the parameters of its curve in full, which Go does not read, it is the same key, written
    anew."""
    before = disk.files["pki/sa.key"].data
    done = subprocess.run(["openssl", "ec", "-param_enc", "explicit"], input=before, check=True,
                          capture_output=True)
    paths = [path for path in disk.files if path.endswith("sa.key")]
    for path in paths:
        disk.put(path, done.stdout, 0o600)
    assert {change for _, change, _ in steps(disk.plan())} == {
        ":pki/sa.key", f"cp-1:{PKI}/sa.key", f"cp-2:{PKI}/sa.key"}
    disk.apply(disk.plan())
    assert {public_key_der(pem.load_key(disk.files[path].data)) for path in paths} == {
        public_key_der(pem.load_key(before))}
    assert {verify_private_key(disk.files[path].data, tokens=True).cause
            for path in paths} == {None}
    assert steps(disk.plan()) == []


def test_a_plan_is_a_value() -> None:
    """Making the CAs, or the files, changes nothing of a plan; nobody sets anything of it, each
    look starts anew."""
    disk = Disk(load_cluster(TEXT))
    plan = disk.plan()
    before, complete = replace(plan), plan.with_roots()
    assert [root.bundle for root in complete.roots.values()].count(None) == 0
    assert len([*plan.files()]) == len(steps(plan)) == len(steps(complete))
    assert (plan == before != complete
            and [root.bundle for root in plan.roots.values()] == [None] * 3)
    with pytest.raises(AttributeError):
        setattr(plan, "now", NOW)
    with pytest.raises(AttributeError):
        setattr(plan.roots["ca"], "bundle", b"")


# Algorithms


@pytest.mark.parametrize(("said", "ca", "leaves", "digest"), [
    ("", None, "ECDSA-P256", "sha256"), ("ECDSA-P384", None, "ECDSA-P384", "sha384"),
    ("", "ECDSA-P384", "ECDSA-P384", "sha384"),
    ("ECDSA-P256", "ECDSA-P384", "ECDSA-P256", "sha384"), ("", "RSA-2048", "RSA-2048", "sha256"),
    ("ECDSA-P256", "RSA-2048", "ECDSA-P256", "sha256")])
def test_the_algorithm_is_the_descriptions_else_the_given_cas(said: str, ca: str | None,
                                                              leaves: str, digest: str) -> None:
    """encryptionAlgorithm decides, else the given CA's key, else P-256; a signature's hash goes
    with the CA's key."""
    text = "apiVersion: kpki/v1\nkind: Cluster\nnodes:\n- {name: w, addresses: [10.0.0.21]}\n" \
        "controlPlaneEndpoint: api\netcd: {external: {caFile: /c, certFile: /d, keyFile: /e}}\n"
    text += f"encryptionAlgorithm: {said}\n" if said else ""
    disk, given = Disk(load_cluster(text + (GIVEN if ca else ""))), given_ca(ca) if ca else None
    disk.apply(disk.plan(given=given))
    pair = embedded(disk, "nodes/w/etc/kubernetes/kubelet.conf")
    assert key_algorithm(pem.load_key(pair["client-key-data"])) == leaves
    used = x509.load_pem_x509_certificate(pair["client-certificate-data"]).signature_hash_algorithm
    assert used is not None and used.name == digest


def test_another_algorithm_in_the_description_changes_no_key_that_works(disk: Disk) -> None:
    """Existing things win: a description that says RSA now leaves sound keys on P-256 as they
    are."""
    disk.cluster = load_cluster(TEXT + "encryptionAlgorithm: RSA-2048\n")
    assert steps(disk.plan()) == []
    key = pem.load_key(disk.files[f"nodes/cp-1/{PKI}/apiserver.key"].data)
    assert isinstance(key, ec.EllipticCurvePrivateKey)


@pytest.mark.parametrize("change", ["nothing", "server", "authority", "file"])
def test_a_kubeconfig_that_is_right_for_one_host_says_nothing_of_another(change: str) -> None:
    """Kubeconfigs that name files are alike on all workers: of these one that is changed, or gone,
    is found all the same."""
    disk = Disk(load_cluster(TEXT.replace("nodes:", "layout: ssl\nnodes:")))
    disk.apply(disk.plan())
    path = "etc/kubernetes/worker-kubeconfig.yaml"
    file = disk.files[f"nodes/w-2/{path}"]
    assert file.data == disk.files[f"nodes/w-1/{path}"].data
    old, new = {"server": (b"10.0.0.10", b"10.9.9.9"),
                "authority": (b"/ca.pem", b"/xx.pem")}.get(change, (b"", b""))
    disk.files[f"nodes/w-2/{path}"] = replace(file, data=file.data.replace(old, new) if old
                                              else file.data)
    if change == "file":
        del disk.files[f"nodes/w-2/{path}"]
    found = [(finding.host, finding.path.partition("#")[0]) for finding in disk.plan().findings()]
    wrong = "etc/kubernetes/ssl/xx.pem" if change == "authority" else path
    assert found == ([] if change == "nothing" else [("w-2", wrong)])
