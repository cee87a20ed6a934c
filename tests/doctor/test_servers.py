"""`kpki probe` on all servers of a host or a description, and its words, documents and statuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from kpki.cli.main import main
from tests.doctor.live import openssl_server, running
from tests.doctor.one_host import FOLDER, PORT, SERVERS, OneHost, make

Told = tuple[int, str, str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    """A line of kpki: status, standard output, standard error."""

    def line(*words: str | Path) -> Told:
        capsys.readouterr()
        status = main([*map(str, words)])
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return status, told.out, told.err

    return line


@pytest.fixture
def served(one_host: OneHost) -> Iterator[OneHost]:
    """The host with all of its servers."""
    with ExitStack() as servers:
        for name in SERVERS:
            servers.enter_context(one_host.serve(name))
        yield one_host


def answers(told: Told) -> dict[str, dict[str, object]]:
    """The documents of all servers, by component and address."""
    document = json.loads(told[1])
    found = [document, *document["others"]]
    return {f"{answer['component']} {answer['address']}": answer for answer in found}


def test_each_server_of_a_host_is_asked(served: OneHost, run: Callable[..., Told]) -> None:
    """API server, etcd, its peers and the kubelet, as the host itself serves and as its clients
    call."""
    told = run("probe", "--root", served.tree, "--json", "--quiet")
    found, address = answers(told), served.address
    assert told[0] == 0, told[1]
    assert {*found} == {
        f"kube-apiserver {address}:6443",
        f"etcd {address}:2379",
        f"etcd {address}:2380",
        f"kubelet {address}:10250",
        f"etcd, called by kube-apiserver {address}:2379",
        *(
            f"kube-apiserver, called by {client} {address}:6443"
            for client in (
                "kubelet",
                "kube-controller-manager",
                "kube-scheduler",
                "kube-proxy",
                "kubectl",
            )
        ),
    }
    own = [document for name, document in found.items() if "called" not in name]
    assert len(own) == 4 and all(document["same_as_file"] is True for document in own)
    assert [
        (name, document["client"], document["verdict"])
        for name, document in found.items()
        if (document["client"], document["verdict"]) != ("ok", "ok")
    ] == []


def test_each_server_of_a_description_is_asked(served: OneHost, run: Callable[..., Told]) -> None:
    """The workspace's files are compared with what the servers present, and its clients are
    accepted."""
    told = run("probe", "--workspace", served.workspace, "--json", "--quiet")
    found, address = answers(told), served.address
    assert {*found} == {
        f"cp: kube-apiserver {address}:6443",
        f"cp: etcd {address}:2379",
        f"cp: etcd {address}:2380",
        f"cp: kubelet {address}:10250",
    }
    assert told[0] == 0 and all(
        document["same_as_file"] and document["client"] == document["verdict"] == "ok"
        for document in found.values()
    ), told[1]


def test_a_server_that_must_be_restarted_is_named(
    one_host: OneHost, run: Callable[..., Told]
) -> None:
    """After a renewal the old certificate is stale-served, with the command; after the restart
    nothing is wrong."""
    with one_host.serve("kubelet"):
        assert run("renew", "cp", "--workspace", one_host.workspace)[0] == 0
        status, out, _ = run("probe", "--root", one_host.tree)
        assert (
            status == 1 and out.count("stale-served") == 1 and "$ systemctl restart kubelet" in out
        )
        assert run("probe", "--workspace", one_host.workspace)[1].count("stale-served") == 1
    with one_host.serve("kubelet"):
        status, out, err = run("probe", "--root", one_host.tree)
        assert "stale-served" not in out and status == 2
        assert "without an answer" in err


def test_one_silent_server_is_2_and_a_refusal_1(
    one_host: OneHost, run: Callable[..., Told]
) -> None:
    """No answer alone is 2; if another server refuses, that is the answer."""
    status, out, _ = run("probe", "--root", one_host.tree)
    assert status == 2 and "nothing listens there: connection refused" in out
    with one_host.serve("etcd", pair="apiserver"):
        status, out, _ = run("probe", "--root", one_host.tree)
    assert status == 1 and "unknown-authority" in out


def test_a_kubeconfig_names_server_ca_and_client(served: OneHost, run: Callable[..., Told]) -> None:
    """With --kubeconfig alone its server is asked; with HOST:PORT that server, by the kubeconfig's
    files."""
    kubeconfig = served.workspace / "users/admin.conf"
    assert run("probe", "--kubeconfig", kubeconfig, "--quiet")[1].count("  ok ") == 2
    status, out, _ = run("probe", f"{served.address}:2379", "--kubeconfig", kubeconfig)
    assert status == 1 and "unknown-authority" in out and "the server refuses" in out


def test_the_words_are_plain(pki: Path, run: Callable[..., Told]) -> None:
    """Text names certificate, names, CAs, verdict and file; several targets stand first after the
    other."""
    with (
        openssl_server(pki, "-Verify", "1", "-CAfile", pki / "ca.crt") as first,
        openssl_server(pki) as other,
    ):
        status, out, err = run(
            "probe", first, other, "--ca", pki / "ca.crt", "--file", pki / "server.crt", "--explain"
        )
        document = json.loads(run("probe", first, other, "--json")[1])
    assert status == 0 and [line for line in out.splitlines() if not line.startswith(" ")] == [
        f"{first}: TLSv1.3",
        f"{other}: TLSv1.3",
    ]
    assert "presents CN=kube-apiserver" in out and "for localhost, 127.0.0.1" in out
    assert "-     the server requires a client certificate signed by CN=kubernetes" in out
    assert "-     the server asks for no client certificate" in out
    assert f"ok    the server presents the certificate of {pki}/server.crt" in out
    assert f"openssl s_client -connect {first}" in err and "2 servers asked: nothing wrong" in err
    assert document["address"] == first and document["others"][0]["address"] == other
    assert document["verdict"] is None and document["client_cas"] == ["CN=kubernetes"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--ca", "ca.crt"),
        ("127.0.0.1:1", "--root", "/"),
        ("--root", "/", "--workspace", "."),
        ("127.0.0.1:1", "--key", "client.key"),
        ("127.0.0.1:1", "--timeout", "0"),
        ("127.0.0.1:1", "--timeout", "nan"),
        ("127.0.0.1:1", "--file", "client.key"),
        ("127.0.0.1:1", "--ca", "client.key"),
        ("127.0.0.1:1", "--cert", "client.key"),
        ("--kubeconfig", "ca.crt"),
        ("127.0.0.1", "--ca", "ca.crt"),
        ("--root", "."),
        ("127.0.0.1:1", "--cert", "client.crt"),
    ],
)
def test_a_line_that_cannot_be_done_is_2(
    pki: Path, run: Callable[..., Told], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """One message, nothing on standard output."""
    monkeypatch.chdir(pki)
    status, out, err = run("probe", *words)
    assert (status, out) == (2, "") and err.startswith("kpki: ") and len(err.splitlines()) <= 2, err


def test_no_secret_is_printed(served: OneHost, run: Callable[..., Told]) -> None:
    """Neither text nor JSON has a private key."""
    for form in ("--json", "--explain"):
        told = run("probe", "--root", served.tree, form)
        assert "PRIVATE KEY" not in "".join(map(str, told))


def test_an_ordinary_user_probes_without_the_keys(
    shared_path: Path,
    go_server: Path,
    run: Callable[..., Told],
    as_nobody: Callable[[], AbstractContextManager[None]],
) -> None:
    """Keys that the user may not read are named, and no client certificate is shown."""
    served = make(shared_path / "cluster", go_server)
    for folder in (served.workspace, served.tree.parent, served.tree):
        folder.chmod(0o755)
    with ExitStack() as servers:
        for name in SERVERS:
            servers.enter_context(served.serve(name))
        servers.enter_context(as_nobody())
        status, out, err = run("probe", "--root", served.tree, "--json")
    found = json.loads(out)
    documents = [found, *found["others"]]
    assert status == 0 and {document["client"] for document in documents} == {None}
    assert [
        document["requires_certificate"]
        for document in documents
        if document["address"].endswith(":2380")
    ] == [True]
    assert all(
        document["same_as_file"] for document in documents if "called" not in document["component"]
    )
    assert "etc/kubernetes/ssl/apiserver-key.pem: permission denied, not read" in err


def test_a_client_that_verifies_nothing_refuses_nothing(
    served: OneHost, run: Callable[..., Told], tmp_path: Path
) -> None:
    """insecure-skip-tls-verify: no verdict, and no refusal, whatever the certificate says."""
    kubeconfig = tmp_path / "insecure.conf"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n"
        "- {name: c, context: {cluster: k, user: u}}\nusers: [{name: u, user: {token: t}}]\n"
        "clusters:\n- name: k\n  cluster:\n    insecure-skip-tls-verify: true\n"
        f"    server: https://{served.address}:2379\n    tls-server-name: elsewhere\n"
    )
    status, out, _ = run("probe", "--kubeconfig", kubeconfig)
    assert status == 0 and "insecure-skip-tls-verify" in out


@pytest.mark.parametrize(
    ("names", "certified", "asked"),
    [
        (":api.example.org", "api.example.org", "api.example.org"),
        ("", "api.example.org", "api.example.org"),
        (":*.example.org", "*.example.org", "any.example.org"),
    ],
)
def test_a_pair_for_certain_names_is_asked_for_by_name(
    one_host: OneHost, run: Callable[..., Told], names: str, certified: str, asked: str
) -> None:
    """--tls-sni-cert-key: the client asks for the flag's first name, else the certificate's; a
    server that presents another pair for the name must be restarted."""
    pair, key = one_host.file("public"), one_host.file("public-key")
    command = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {key} "
        f"-out {pair} -subj /CN=public -addext subjectAltName=DNS:{certified} -days 30"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    add_flags(
        one_host,
        "kube-apiserver",
        f"--tls-sni-cert-key={FOLDER}/public.pem,{FOLDER}/public-key.pem{names}",
    )
    component = f"kube-apiserver, asked for {asked} {one_host.address}:{PORT}"
    named = ("-name", asked, "-name-cert", str(pair), "-name-key", str(key))
    with one_host.serve("kube-apiserver", *named):
        found = answers(run("probe", "--root", one_host.tree, "--json"))[component]
        assert (found["verdict"], found["same_as_file"]) == (None, True)    # no CA is known
    with one_host.serve("kube-apiserver"):
        status, out, _ = run("probe", "--root", one_host.tree)
        assert status == 1 and f"({component.rpartition(' ')[0]})" in out
        assert "stale-served" in out and "$ systemctl restart kube-apiserver" in out


@pytest.mark.parametrize("socket", [False, True])
def test_a_konnectivity_server_is_asked(
    one_host: OneHost, run: Callable[..., Told], socket: bool
) -> None:
    """Both of its ports, as the API server and as an agent; with a Unix socket the agents' port."""
    address = one_host.address
    pair, ca = f"{FOLDER}/apiserver.pem --%s-key={FOLDER}/apiserver-key.pem", f"{FOLDER}/ca.pem"
    (one_host.tree / "etc/systemd/system/konnectivity-server.service").write_text(
        f"[Service]\nExecStart=/proxy-server --server-cert={pair % 'server'} "
        f"--server-ca-cert={ca} --cluster-cert={pair % 'cluster'} --cluster-ca-cert={ca} "
        f"--server-bind-address={address} --agent-bind-address={address} --agent-port=8132"
        + (" --uds-name=/run/konnectivity.socket --server-port=0\n" if socket else "\n")
    )
    (one_host.tree / "etc/systemd/system/konnectivity-agent.service").write_text(
        f"[Service]\nExecStart=/proxy-agent --agent-cert={FOLDER}/worker.pem "
        f"--agent-key={FOLDER}/worker-key.pem --ca-cert={ca}\n"
    )
    (one_host.tree / "etc/kubernetes/egress.yaml").write_text(
        "apiVersion: apiserver.k8s.io/v1beta1\nkind: EgressSelectorConfiguration\n"
        "egressSelections:\n- name: cluster\n  connection:\n    proxyProtocol: HTTPConnect\n"
        f"    transport: {{tcp: {{url: 'https://{address}:8090', tlsConfig: {{caBundle: {ca}, "
        f"clientCert: {FOLDER}/apiserver-kubelet-client.pem, "
        f"clientKey: {FOLDER}/apiserver-kubelet-client-key.pem}}}}}}\n"
    )
    add_flags(
        one_host, "kube-apiserver", "--egress-selector-config-file=/etc/kubernetes/egress.yaml"
    )
    serving: list[str | Path] = [
        *("-cert", one_host.file("apiserver"), "-key", one_host.file("apiserver-key")),
        *("-ca", one_host.file("ca"), "-clients", "require"),
    ]
    with (
        running(one_host.server, "-address", f"{address}:8090", *serving),
        running(one_host.server, "-address", f"{address}:8132", *serving),
    ):
        found = answers(run("probe", "--root", one_host.tree, "--json"))
    found = {name: answer for name, answer in found.items() if name.startswith("konnectivity")}
    assert [*found] == [
        f"konnectivity-server {address}:{port}" for port in ((8132,) if socket else (8090, 8132))
    ]
    for answer in found.values():
        assert (answer["verdict"], answer["client"], answer["same_as_file"]) == ("ok", "ok", True)


def add_flags(host: OneHost, component: str, flags: str) -> None:
    """Start a component of the host with further flags."""
    unit = host.tree / f"etc/systemd/system/{component}.service"
    unit.write_text(unit.read_text().rstrip("\n") + f" {flags}\n")
