"""Uses: every way in which a component is told a file, each from the smallest tree that tells
it."""
from __future__ import annotations

from pathlib import Path

import pytest

from kpki.cluster.observed.use import Use
from kpki.cluster.observed.uses import HostUses, read_host
from tests.cluster.observed.trees import Files, configuration, kubeconfig, plant, pod, unit

KUBELET, PROXY, ETCD = (f"etc/systemd/system/{name}.service"
                        for name in ("kubelet", "kube-proxy", "etcd"))
CONFIG, PODS = "var/lib/kubelet/config.yaml", "etc/kubernetes/manifests"


def paths(host: HostUses, component: str = "") -> dict[str, str]:
    """Purpose and part → the paths, in order, of the uses of a component; what is a default stands
    in brackets."""
    found: dict[str, str] = {}
    for use in host.uses:
        if component in ("", use.component):
            name, path = f"{use.purpose} {use.part}", f"({use.path})" if use.default else use.path
            found[name] = f"{found[name]}, {path}" if name in found else path
    return found


def kubelet(host: HostUses) -> dict[str, str]:
    """What a kubelet is told; its own serving pair, which nobody tells, is left out."""
    return {name: path for name, path in paths(host, "kubelet").items() if path[0] != "("}


# How the flags --client-ca-file=/a and --tls-cert-file=/b reach a kubelet; and what else there is
# in that tree.
A, B = "--client-ca-file=/a", "--tls-cert-file=/b"
WAYS: dict[str, Files] = {
    "unit": {KUBELET: unit(f"ExecStart=/usr/bin/kubelet {A} {B}")},
    "lines": {KUBELET: unit(f"ExecStart=/usr/bin/kubelet \\\n  # no {A}x\n  {A} \\\n  {B}")},
    "quotes":
        {KUBELET: unit('ExecStart=/usr/bin/kubelet "--client-ca-file=/a" --tls-cert-file="/b"')},
    "blanks": {KUBELET: unit("ExecStart=/usr/bin/kubelet --client-ca-file /a --register-node "
                             "--tls-cert-file /b")},
    "underscores":
        {KUBELET: unit("ExecStart=/usr/bin/kubelet --client_ca_file=/a --tls_cert_file /b")},
    "twice": {KUBELET: unit(f"ExecStart=/usr/bin/kubelet --client-ca-file=/x {A} {B}x {B}")},
    "variable": {KUBELET: unit(f'Environment="ARGS={A} {B}"',
                               "ExecStart=/usr/bin/kubelet $ARGS $NONE")},
    "quoted variable": {KUBELET: unit(f'Environment="ARGS={A} {B}"',
                                      'ExecStart=/usr/bin/kubelet "$ARGS"')},
    "curly": {KUBELET: unit("Environment=CA=/a B=b", "ExecStart=/usr/bin/kubelet "
                            "--client-ca-file=${CA} --tls-cert-file=/${B}")},
    "not expanded": {KUBELET: unit("Environment=CA=/x",
                                   f"ExecStart=:/usr/bin/kubelet {A} {B} --kubeconfig= $CA")},
    "environment file": {KUBELET: unit("EnvironmentFile=-/etc/x.env",
                                       "ExecStart=/usr/bin/kubelet $ARGS"),
                         "etc/x.env": f'# no\nARGS="{A} \\\n {B}"\n'},
    "file over variable":
        {KUBELET: unit("EnvironmentFile=/etc/x.env", "Environment=ARGS=--client-ca-file=/x",
                       "ExecStart=/usr/bin/kubelet $ARGS"), "etc/x.env": f"ARGS={A} {B}\n"},
    "last file": {KUBELET: unit("EnvironmentFile=-/etc/[x-y].env",
                                "EnvironmentFile=-/none", "ExecStart=/usr/bin/kubelet $ARGS"),
                  "etc/x.env": "ARGS=--client-ca-file=/x",
                  "etc/y.env": f"ARGS={A} {B}"},
    "drop-in": {KUBELET: unit("ExecStart=/usr/bin/kubelet --client-ca-file=/x"),
                f"{KUBELET}.d/1.conf": unit("ExecStart=", f"ExecStart=/usr/bin/kubelet {A} {B}")},
    "drop-in of a package":
        {"lib/systemd/system/kubelet.service": unit("ExecStart=/usr/bin/kubelet"),
         "usr/lib/systemd/system/kubelet.service.d/1.conf": unit(
             "ExecStart=", f"ExecStart=/usr/bin/kubelet {A} {B}")},
    "drop-in alone": {f"{KUBELET}.d/1.conf": unit(f"ExecStart=/usr/bin/kubelet {A} {B}")},
    "manager": {"etc/systemd/system.conf": f'[Manager]\nDefaultEnvironment="ARGS={A} {B}"\n',
                KUBELET: unit("ExecStart=/usr/bin/kubelet $ARGS")},
    "another name":
        {"etc/systemd/system/node-agent.service": unit(f"ExecStart=/opt/kubelet {A} {B}")},
    "wrapper": {KUBELET: unit(f"ExecStart=/usr/lib/coreos/kubelet-wrapper {A} {B}")},
    "before": {KUBELET: unit(f"ExecStart=/usr/local/bin/kubenswrapper /usr/bin/kubelet {A} {B}")},
    "hyperkube": {KUBELET: unit(f"ExecStart=/hyperkube kubelet {A} {B}")},
    "nice": {KUBELET: unit(f"ExecStart=/usr/bin/nice -n 5 /usr/bin/env A=b kubelet {A} {B}")},
    "shell": {KUBELET: unit("ExecStart=/bin/bash -ec 'set "
                            f"-x; exec /usr/bin/kubelet {A} {B} 2>&1 | tee /x'")},
    "shell with a variable": {KUBELET: unit("Environment=CA=/a", 'ExecStart=/bin/sh -c "exec '
                                            'kubelet --client-ca-file=$CA --tls-cert-file=/b"')},
    "script": {KUBELET: unit(f"ExecStart=/opt/start {B}"),
               "opt/start": f'#!/bin/sh\nARGS="{A}"\nexec kubelet $ARGS "$@"\n'},
    "docker": {KUBELET: unit("ExecStartPre=-/usr/bin/docker rm kubelet",
                             "ExecStartPre=/usr/bin/docker run -d --name kubelet --net=host "
                             f"-v /etc/x:/y:ro --privileged example.org/x/kubelet:v1.29.3 {A} {B}",
                             "ExecStart=/usr/bin/docker logs -f kubelet")},
    "podman": {KUBELET: unit("ExecStart=/usr/bin/podman run --name kubelet "
                             f"--volume /srv:/certs example.org/kubelet:v1 {A} {B}")},
    "mounts": {KUBELET: unit("ExecStart=/usr/bin/docker run "
                             "-v /:/host:rslave --mount type=bind,src=/b,dst=/in/b img "
                             "kubelet --client-ca-file=/host/a --tls-cert-file=/in/b")},
    "configuration": {KUBELET: unit(f"ExecStart=/usr/bin/kubelet --config /{CONFIG}"),
                      CONFIG: configuration(
                          "authentication: {x509: {clientCAFile: /a}}", "tlsCertFile: /b")},
    "JSON": {KUBELET: unit(f"ExecStart=/usr/bin/kubelet --config=/{CONFIG}"), CONFIG:
             '{\t"authentication": {"x509": {"clientCAFile": "/a"}},\n\t"tlsCertFile": "/b"}'},
    "from its folder":
        {KUBELET: unit(f"ExecStart=/usr/bin/kubelet --config=/{CONFIG}"), CONFIG: configuration(
            "authentication: {x509: {clientCAFile: ../../../a}}", "tlsCertFile: ../../../x/../b")},
    "from the working directory": {KUBELET: unit("WorkingDirectory=/x",
                                                 "ExecStart=/usr/bin/kubelet "
                                                 "--client-ca-file=../a --tls-cert-file ../b")},
    "flags over the configuration":
        {KUBELET: unit(f"ExecStart=/usr/bin/kubelet {A} --config=/{CONFIG}"),
         CONFIG: configuration("authentication: {x509: {clientCAFile: /x}}",
                               "tlsCertFile: /b")},
    "folder of configurations": {
        KUBELET: unit(f"ExecStart=/usr/bin/kubelet --config=/{CONFIG} --config-dir=/d"),
        CONFIG: configuration("authentication: {x509: {clientCAFile: /x}}",
                              "tlsPrivateKeyFile: /c"),
        "d/10/x.conf": configuration("authentication: {x509: {clientCAFile: a}}",
                                     "tlsPrivateKeyFile: null"),
        "d/20.conf": configuration("tlsCertFile: b"), "d/30.yaml": configuration("tlsCertFile: /x"),
        "d/40.conf": "tlsCertFile: /x\n"},
    "folder alone": {KUBELET: unit("ExecStart=/usr/bin/kubelet --config-dir=/d"),
                     "d/1.conf": configuration(
                         "authentication: {x509: {clientCAFile: /a}}", "tlsCertFile: /b")},
    "unset": {KUBELET: unit(f"ExecStart=/usr/bin/kubelet {A} --config=/{CONFIG} --tls-cert-file=/b "
                            "--tls-private-key-file= --kubeconfig="),
              CONFIG: configuration("tlsPrivateKeyFile: /c")},
    "specifiers":
        {KUBELET: unit("ExecStart=/usr/bin/%p --client-ca-file=%E/../a --tls-cert-file=/b")},
    "MicroK8s": {"var/snap/microk8s/current/args/kubelet": "# no\n"
                 "--client-ca-file=${SNAP_DATA}/../../../../a\n\n"
                 '--tls-cert-file "/b"\n'},
    "Charmed Kubernetes": {"var/snap/kubelet/current/args": '--client-ca-file="/a"\n'
                           '--tls-cert-file="/b"\n'},
    "runit": {"etc/sv/kubelet/run": f"#!/bin/sh\nexec 2>&1\nexec kubelet {A} \\\n {B}\n"},
    "OpenRC": {"etc/init.d/kubelet": "#!/sbin/openrc-run\ncommand=/usr/bin/kubelet\ndepend() {\n"
               " need net\n}\n",
               "etc/conf.d/kubelet": f'command_args="{A} {B}"\n'},
    "kubeadm without its unit": {"var/lib/kubelet/kubeadm-flags.env": f'KUBELET_KUBEADM_ARGS="{A} '
                                 f'{B} --kubeconfig= --bootstrap-kubeconfig="\n'},
    "kubespray without its unit": {"etc/kubernetes/kubelet.env": f'KUBELET_ARGS="{A} \\\n{B} "\n'},
    "folder of links": {f"{KUBELET} -> ../../../opt/kubelet.service": "",
                        "opt/kubelet.service": unit(f"ExecStart=/usr/bin/kubelet {A} {B}")},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_kubelet_is_told(way: str, tmp_path: Path) -> None:
    """Each way in which the same two flags reach a kubelet gives the same two uses, and none that
    it loses to."""
    assert kubelet(read_host(str(plant(tmp_path, WAYS[way])))) == {
        "kubelet-client-ca authority": "a", "kubelet-serving certificate": "b"}


@pytest.mark.parametrize("files", [
    {KUBELET: unit("#ExecStart=/usr/bin/kubelet --client-ca-file=/a")},
    {KUBELET: "[Install]\nExecStart=/usr/bin/kubelet --client-ca-file=/a\n"},
    {KUBELET: unit("ExecStart=/usr/bin/kubectl --client-ca-file=/a")},
    {KUBELET: unit("ExecStart=/bin/mkdir -p /var/lib/kubelet",
                   "ExecStartPre=/bin/find /var/lib/etcd -name x")},
    {KUBELET: unit("ExecStart=/bin/docker logs kubelet --client-ca-file=/a")},
    {KUBELET: None, "usr/lib/systemd/system/kubelet.service":
         unit("ExecStart=/usr/bin/kubelet --client-ca-file=/a")},
    {f"{KUBELET}.bak": unit("ExecStart=/usr/bin/kubelet --client-ca-file=/a")},
    {KUBELET: unit("ExecStart=/usr/bin/kubelet-exporter --client-ca-file=/a")},
    {"etc/kubernetes/pki/ca.crt": "x", "var/lib/kubelet/pki/kubelet.crt": "x"}])
def test_no_kubelet_is_told(files: Files, tmp_path: Path) -> None:
    """Comments, other sections, other programs, masked units and backups start nothing; files alone
    tell nothing."""
    host = read_host(str(plant(tmp_path, files)))
    assert host.running == () and host.uses == ()


def test_who_says_so(tmp_path: Path) -> None:
    """A use names the setting as written, and the file in which this stands, whatever leads
    there."""
    host = read_host(str(plant(tmp_path, {
        KUBELET: unit("EnvironmentFile=/etc/default/kubelet", "ExecStart=/usr/bin/kubelet "
                      f"--client_ca_file /a $ARGS --config=/{CONFIG} --kubeconfig=/k/c"),
        "etc/default/kubelet": "ARGS=--tls-cert-file=/b\n",
        CONFIG: configuration("tlsPrivateKeyFile: key.pem"),
        "k/c": kubeconfig("client-certificate: x.pem, client-key: /y.pem")})))
    said = {use.path: (use.setting, use.source) for use in host.uses}
    assert said == {
        "a": ("--client_ca_file", KUBELET), "b": ("--tls-cert-file", "etc/default/kubelet"),
        "var/lib/kubelet/key.pem": ("tlsPrivateKeyFile", CONFIG), "k/c": ("--kubeconfig", KUBELET),
        "k/c#clusters/c": ("clusters/c/certificate-authority-data", "k/c"),
        "k/x.pem": ("users/u/client-certificate", "k/c"), "y.pem": ("users/u/client-key", "k/c")}


def groups(uses: tuple[Use, ...]) -> list[set[str]]:
    """The paths of each group."""
    found: dict[str, set[str]] = {}
    for use in uses:
        found.setdefault(use.group, set()).add(use.path)
    return sorted(found.values(), key=sorted)


def test_what_belongs_together(tmp_path: Path) -> None:
    """The halves of a pair are one group, and what belongs to one kubeconfig; two pairs are two
    groups."""
    host = read_host(str(plant(tmp_path, {
        f"{PODS}/a.yaml": pod("kube-apiserver", "--tls-cert-file=/a.crt",
                              "--tls-private-key-file=/a.key", "--tls-sni-cert-key=/s1.crt,/s1.key",
                              "--tls-sni-cert-key=/s2.crt,/s2.key:x,*.y", "--etcd-certfile=/e.crt",
                              "--etcd-keyfile=/e.key", "--etcd-cafile=/e.ca"),
        f"{PODS}/k.yaml": pod("kube-scheduler", "--kubeconfig=/k"), "k": kubeconfig()})))
    assert groups(host.uses) == [{"a.crt", "a.key"}, {"e.ca"}, {"e.crt", "e.key"}, {
        "k", "k#clusters/c", "k#users/u"}, {"s1.crt", "s1.key"}, {"s2.crt", "s2.key"}]


STORE, SERVER = ("var/lib/kubelet/pki/kubelet-client-current.pem",
                 "var/lib/kubelet/pki/kubelet-server-current.pem")
BY_STORE = kubeconfig(f"client-certificate: /{STORE}, client-key: /{STORE}")
FLAGS = f"ExecStart=/usr/bin/kubelet --kubeconfig=/k --bootstrap-kubeconfig=/b --config=/{CONFIG}"


@pytest.mark.parametrize(("files", "client", "serving"), [
    ({"k": kubeconfig()}, "k#users/u", "(var/lib/kubelet/pki/kubelet.crt)"),
    ({"k": kubeconfig(), STORE: "x"}, "k#users/u", "(var/lib/kubelet/pki/kubelet.crt)"),
    ({"k": BY_STORE, STORE: "x"}, STORE, "(var/lib/kubelet/pki/kubelet.crt)"),
    ({"k": kubeconfig(), CONFIG: configuration("rotateCertificates: true")}, "k#users/u",
     "(var/lib/kubelet/pki/kubelet.crt)"),
    ({"k": kubeconfig(), STORE: "x", CONFIG: configuration("rotateCertificates: true")},
     f"({STORE}), k#users/u", "(var/lib/kubelet/pki/kubelet.crt)"),
    ({"k": BY_STORE, STORE: "x", CONFIG: configuration("rotateCertificates: true")}, STORE,
     "(var/lib/kubelet/pki/kubelet.crt)"),
    ({"k": kubeconfig("token: t"), CONFIG: configuration("rotateCertificates: true")}, "",
     "(var/lib/kubelet/pki/kubelet.crt)"),
    ({"k": kubeconfig("exec: {command: aws, apiVersion: v1}"),
      CONFIG: configuration("serverTLSBootstrap: true")}, "", f"({SERVER})"),
    ({"k": kubeconfig(), CONFIG: configuration("serverTLSBootstrap: true", "tlsCertFile: /s")},
     "k#users/u", f"({SERVER}), s"),
    ({"k": kubeconfig(), CONFIG: configuration("tlsCertFile: /s", "tlsPrivateKeyFile: /t")},
     "k#users/u", "s"),
    ({"k": kubeconfig(), CONFIG: configuration("tlsPrivateKeyFile: /t")}, "k#users/u", ""),
    ({}, "", "(var/lib/kubelet/pki/kubelet.crt)")])
def test_the_identity_of_a_kubelet(files: Files, client: str, serving: str, tmp_path: Path) -> None:
    """With rotation the kubelet reads its own store before the kubeconfig's pair. Its requested
    serving certificate comes before the set one, and its self-signed one counts if none is set."""
    found = paths(read_host(str(plant(tmp_path, {KUBELET: unit(FLAGS), **files}))), "kubelet")
    assert (found.get("kubelet-client certificate", ""),
            found.get("kubelet-serving certificate", "")) == (
                client, serving)


@pytest.mark.parametrize(("files", "optional"), [
    ({"k": kubeconfig()}, {"b"}), ({"b": kubeconfig("token: t")}, {"k", "b", "b#clusters/c"}),
    ({}, {"b"}), ({"k": BY_STORE, "b": kubeconfig("token: t")},
                  {"k", "k#clusters/c", STORE, "b", "b#clusters/c"})])
def test_what_a_kubelet_starts_without(files: Files, optional: set[str], tmp_path: Path) -> None:
    """A bootstrap kubeconfig may be gone after the bootstrap; where one is there, it gives the
    kubelet the rest."""
    host = read_host(str(plant(tmp_path, {KUBELET: unit(FLAGS), **files})))
    assert {use.path for use in host.uses if use.optional
            and use.purpose != "kubelet-serving"} == optional


def test_a_kubelet_alone(tmp_path: Path) -> None:
    """Without a kubeconfig a kubelet has no identity, and a moved store is where its own pair
    is."""
    host = read_host(str(
        plant(tmp_path, {KUBELET: unit("ExecStart=/usr/bin/kubelet --cert-dir=/c --root-dir=/r"),
                         "c/kubelet-client-current.pem": "x"})))
    assert paths(host) == {"kubelet-serving certificate": "(c/kubelet.crt)",
                           "kubelet-serving key": "(c/kubelet.key)"}


KC = {"k": kubeconfig(), "other": kubeconfig()}


@pytest.mark.parametrize(("component", "files", "kubeconfig_there"), [
    ("kube-proxy", {PROXY: unit("ExecStart=/kube-proxy --kubeconfig=/k"), **KC}, "k"),
    ("kube-proxy", {PROXY: unit("ExecStart=/kube-proxy --config=/p --kubeconfig=/other"),
                    "p": "clientConnection: {kubeconfig: /k}\n", **KC}, "k"),
    ("kube-proxy", {PROXY: unit("ExecStart=/kube-proxy --config=/p --kubeconfig=/other"),
                    "p": "mode: x\n", **KC}, ""),
    ("kube-scheduler", {f"{PODS}/s": pod("kube-scheduler", "--kubeconfig=/k"), **KC}, "k"),
    ("kube-scheduler", {f"{PODS}/s": pod("kube-scheduler", "--config=/s", "--kubeconfig=/other"),
                        "s": "clientConnection: {kubeconfig: /k}\n", **KC}, "k"),
    ("kube-scheduler", {f"{PODS}/s": pod("kube-scheduler", "--config=/s", "--kubeconfig=/other"),
                        "s": "a: b\n", **KC}, "")])
def test_a_kubeconfig_by_configuration(component: str, files: Files, kubeconfig_there: str,
                                       tmp_path: Path) -> None:
    """kube-proxy and kube-scheduler pass --kubeconfig over where they have a configuration file."""
    host = read_host(str(plant(tmp_path, files)))
    assert {use.path for use in host.uses if use.component == component
            and use.part == "kubeconfig"} == (
                {kubeconfig_there} - {""})


PAIR = ("--cert-file=/s.crt", "--key-file=/s.key", "--trusted-ca-file=/s.ca",
        "--peer-cert-file=/p.crt", "--peer-key-file=/p.key", "--peer-trusted-ca-file=/p.ca")
SERVED = {"etcd-serving certificate": "s.crt", "etcd-serving key": "s.key",
          "etcd-client-ca authority": "s.ca"}
PEERS = {"etcd-peer certificate": "p.crt", "etcd-peer key": "p.key",
         "etcd-peer-ca authority": "p.ca"}
VARIABLES = ("ETCD_CERT_FILE=/s.crt\nETCD_KEY_FILE=/s.key\nETCD_TRUSTED_CA_FILE=/s.ca\n"
             "ETCD_PEER_CERT_FILE=/p.crt\nETCD_PEER_KEY_FILE=/p.key\n"
             "ETCD_PEER_TRUSTED_CA_FILE=/p.ca\n")
FILE = ("client-transport-security: {cert-file: /s.crt, key-file: /s.key, trusted-ca-file: /s.ca}\n"
        "peer-transport-security: {cert-file: /p.crt, key-file: /p.key, trusted-ca-file: /p.ca}\n")


@pytest.mark.parametrize(("files", "wanted"), [
    ({ETCD: unit(f"ExecStart=/usr/bin/etcd {' '.join(PAIR)}")}, SERVED | PEERS),
    ({ETCD: unit(f"ExecStart=/usr/bin/etcd {' '.join(PAIR).replace('--', '-')}")}, SERVED | PEERS),
    ({ETCD: unit("EnvironmentFile=-/etc/etcd/etcd.conf", "ExecStart=/usr/bin/etcd"),
      "etc/etcd/etcd.conf": VARIABLES},
     SERVED | PEERS),
    ({"etc/etcd.env": VARIABLES}, SERVED | PEERS),
    ({ETCD: unit("EnvironmentFile=/etc/etcd.env", "ExecStart=/opt/etcd"), "etc/etcd.env": VARIABLES,
      "opt/etcd": "#!/bin/bash\n/usr/bin/docker run --rm --net=host --env-file=/etc/etcd.env "
      '--name=etcd1 '
      '-v /etc/ssl/certs:/etc/ssl/certs:ro example.org/etcd:v3 /usr/local/bin/etcd "$@"\n'},
     SERVED | PEERS),
    ({ETCD: unit("ExecStart=/usr/bin/docker run --env-file /e.env "
                 "-v /etc/ssl/etcd:/certs img/etcd:v3.5"),
      "e.env": 'ETCD_CERT_FILE=/certs/etcd/s.crt\nETCD_NAME="x"\n'},
     {"etcd-serving certificate": "etc/ssl/etcd/etcd/s.crt"}),
    ({f"{PODS}/etcd": pod("etcd", "--config-file=/f", "--cert-file=/other"), "f": FILE},
     SERVED | PEERS),
    ({f"{PODS}/etcd": pod("etcd", "--cert-file=/other", env={"ETCD_CONFIG_FILE": "/f"}), "f": FILE},
     SERVED | PEERS),
    ({f"{PODS}/etcd": pod("etcd", *PAIR, "--listen-client-urls=https://127.0.0.1:2379,http://"
                          "127.0.0.1:2381", "--listen-peer-urls=http://10.0.0.1:2380")}, SERVED),
    ({f"{PODS}/etcd": pod("etcd", *PAIR, "--listen-client-urls=http://127.0.0.1:2379")}, PEERS),
    ({f"{PODS}/etcd": pod("etcd", "--client-cert-file=/c", "--client-key-file=/d",
                          "--peer-client-cert-file=/e", "--peer-client-key-file=/f")},
     {"etcd-own-client certificate": "c", "etcd-own-client key": "d",
      "etcd-peer-client certificate": "e", "etcd-peer-client key": "f"}),
    ({f"{PODS}/etcd": pod("etcd")}, {}),
    ({f"{PODS}/etcd": pod("etcd", "--cert-file=/e/server.crt"), "e/healthcheck-client.crt": "x"},
     {"etcd-serving certificate": "e/server.crt",
      "etcd-client certificate": "(e/healthcheck-client.crt)"}),
    ({ETCD: unit("Environment=ETCDCTL_CERT=/h.crt ETCDCTL_KEY=/h.key ETCDCTL_CACERT=/h.ca",
                 "ExecStart=/bin/etcd")},
     {"etcd-client certificate": "h.crt", "etcd-client key": "h.key",
      "etcd-server-ca authority": "h.ca"})])
def test_etcd(files: Files, wanted: dict[str, str], tmp_path: Path) -> None:
    """Flags, variables and the file, which alone counts where there is one; without TLS no file is
    read."""
    assert paths(read_host(str(plant(tmp_path, files)))) == wanted


@pytest.mark.parametrize(("files", "wanted"), [
    ({f"{PODS}/x.yaml": pod("kube-apiserver", "--client-ca-file=/a")}, "a"),
    ({f"{PODS}/x.manifest": pod("kube-apiserver", "--client-ca-file", "/a", args=True)}, "a"),
    ({f"{PODS}/x.yaml.bak": pod("/usr/local/bin/kube-apiserver", "--client-ca-file=/a")}, "a"),
    ({f"{PODS}/.x.yaml": pod("kube-apiserver", "--client-ca-file=/a")}, ""),
    ({f"{PODS}/old/x.yaml": pod("kube-apiserver", "--client-ca-file=/a")}, ""),
    ({f"{PODS}/x.yaml": pod("kube-apiserver", "--client-ca-file=/a")
      .replace("kind: Pod", "kind: List")}, ""),
    ({f"{PODS}/x.json": '{"kind": "Pod",\n\t"spec": {"containers": [{"command": ["/hyperkube", '
      '"apiserver", "--client-ca-file=/a"]}]}}'}, "a"),
    ({f"{PODS}/x.yaml": pod("sh", "-c",
                            "exec kube-apiserver --client-ca-file=/a >> /var/log/x 2>&1")}, "a"),
    ({f"{PODS}/x.yaml": pod("/bin/bash", "-ec", "x=1\nexec watch-termination --a=kube-apiserver/x "
                            "-- hyperkube kube-apiserver \\\n  --client-ca-file=/a\n")}, "a"),
    ({f"{PODS}/x.yaml": pod("kube-apiserver", "--client-ca-file=$(DIR)/a", env={"DIR": "/x/.."})},
     "a"),
    ({f"{PODS}/x.yaml": pod("kube-apiserver", "--client-ca-file=/in/c/a",
                            mounts={"/in": "/x", "/in/c": "/"})}, "a"),
    ({f"{PODS}/x.yaml": pod("kube-apiserver", "--client-ca-file=/in/a",
                            mounts={"/in": "secret: {}"})}, ""),
    ({f"{PODS}/x.yaml": pod("kube-apiserver", "--client-ca-file=/in/a",
                            mounts={"/in": "/d"}).replace(
                                "mountPath: /in}", "mountPath: /in, subPath: s}")}, "d/s/a"),
    ({f"{PODS}/x.yaml": pod("kube-apiserver", "--openshift-config=/r/c.yaml",
                            mounts={"/r": "/rev-7"}),
      "rev-7/c.yaml": "apiServerArguments: {client-ca-file: [/r/a]}\n"}, "rev-7/a"),
    ({KUBELET: unit("ExecStart=/kubelet --pod-manifest-path=/p"),
      "p/x": pod("kube-apiserver", "--client-ca-file=/a"),
      f"{PODS}/x.yaml": pod("kube-apiserver", "--client-ca-file=/other")}, "a"),
    ({KUBELET: unit("ExecStart=/kubelet --pod-manifest-path=/p"),
      "p": pod("kube-apiserver", "--client-ca-file=/a")}, "a"),
    ({KUBELET: unit(f"ExecStart=/kubelet --config=/{CONFIG}"),
      CONFIG: configuration("staticPodPath: p"),
      "var/lib/kubelet/p/x": pod("kube-apiserver", "--client-ca-file=/a")}, "a"),
    ({KUBELET: unit("ExecStart=/kubelet --config=/gone"),
      f"{PODS}/x.yaml": pod("kube-apiserver", "--client-ca-file=/a")}, "a"),
    ({KUBELET: unit("ExecStart=/kubelet --kubeconfig=/k"),
      f"{PODS}/x.yaml": pod("kube-apiserver", "--client-ca-file=/other")}, ""),
    ({"var/lib/rancher/rke2/agent/pod-manifests/a.yaml":
          pod("kube-apiserver", "--client-ca-file=/a")}, "a")])
def test_a_static_pod(files: Files, wanted: str, tmp_path: Path) -> None:
    """The kubelet's own folder, its files by its own rules, words behind wrappers, paths through
    the mounts."""
    host = read_host(str(plant(tmp_path, files)))
    assert paths(host, "kube-apiserver").get("apiserver-client-ca authority", "") == wanted


def test_every_setting_of_an_api_server(tmp_path: Path) -> None:
    """Repeated keys add up, of other flags the last counts; webhooks, egress and admission lead
    further."""
    host = read_host(str(plant(tmp_path, {
        f"{PODS}/a": pod(
            "kube-apiserver", "--service-account-key-file=/1.pub",
            "--service-account-key-file=/2.pub", "--service-account-signing-key-file=/sa.key",
            "--requestheader-client-ca-file=/f.ca", "--requestheader-allowed-names=a,b",
            "--requestheader-allowed-names=c", "--authorization-mode=Node,RBAC",
            "--proxy-client-cert-file=/f.crt", "--proxy-client-key-file=/f.key",
            "--kubelet-certificate-authority=/k.ca", "--kubelet-client-certificate=/old",
            "--kubelet-client-certificate=/k.crt", "--kubelet-client-key=/k.key",
            "--etcd-servers=https://a:1,https://b:2", "--audit-webhook-config-file=/w",
            "--egress-selector-config-file=/e", "--admission-control-config-file=/d/a.yaml",
            "--authorization-config=/z", "--tls-sni-cert-key=/s.crt,/s.key:*.x",
            "--oidc-ca-file=/o"),
        "w": kubeconfig("client-certificate: w.crt, client-key: w.key",
                        "certificate-authority: w.ca"),
        "e": "egressSelections:\n- {name: cluster, connection: {transport: {tcp: {url: "
        "'https://x', tlsConfig: {caBundle: /e.ca, clientCert: /e.crt, clientKey: /e.key}}}}}\n"
        "- {name: etcd, connection: {}}\n",
        "d/a.yaml": "plugins:\n- {name: ValidatingAdmissionWebhook, configuration: "
        "{kubeConfigFile: /v}}\n- {name: ImagePolicyWebhook, path: i.yaml}\n",
        "v": "users: [{name: '*.x', user: {client-certificate: v.crt, client-key: v.key}}]\n",
        "d/i.yaml": "imagePolicy: {kubeConfigFile: /i}\n", "i": kubeconfig("token: t"),
        "z": "authorizers: [{type: Webhook, webhook: {connectionInfo: {type: KubeConfigFile, "
        "kubeConfigFile: /y}}}]\n",
        "y": kubeconfig()})))
    assert paths(host) == {
        "apiserver-serving certificate": "(var/run/kubernetes/apiserver.crt)",
        "apiserver-serving key": "(var/run/kubernetes/apiserver.key)",
        "service-account-verify public-key": "1.pub, 2.pub", "service-account-sign key": "sa.key",
        "requestheader-ca authority": "f.ca", "front-proxy-client certificate": "f.crt",
        "front-proxy-client key": "f.key", "kubelet-serving-ca authority": "k.ca",
        "apiserver-kubelet-client certificate": "k.crt", "apiserver-kubelet-client key": "k.key",
        "oidc-ca authority": "o", "apiserver-sni certificate": "s.crt",
        "apiserver-sni key": "s.key", "egress-ca authority": "e.ca",
        "egress-client certificate": "e.crt", "egress-client key": "e.key",
        "webhook-client kubeconfig": "w, i, y", "admission-client kubeconfig": "v",
        "webhook-ca authority": "w.ca, i#clusters/c, y#clusters/c",
        "webhook-client certificate": "w.crt, y#users/u", "webhook-client key": "w.key, y#users/u",
        "admission-client certificate": "v.crt", "admission-client key": "v.key"}
    running, = host.running
    assert running.settings["requestheader-allowed-names"] == ("a", "b", "c")
    assert running.settings["etcd-servers"] == ("https://a:1", "https://b:2")
    assert running.settings["authorization-mode"] == ("Node", "RBAC")
    assert running.origins["authorization-mode"] == ("--authorization-mode", f"{PODS}/a")


def test_a_controller_manager(tmp_path: Path) -> None:
    """One kubeconfig for three settings, the CA that signs for all or for one signer, and no pair
    of its own."""
    host = read_host(str(plant(tmp_path, {
        f"{PODS}/m": pod("kube-controller-manager", "--kubeconfig=/k",
                         "--authentication-kubeconfig=/k", "--authorization-kubeconfig=/k",
                         "--cluster-signing-kubelet-serving-cert-file=/s.crt",
                         "--cluster-signing-kubelet-serving-key-file=/s.key", "--root-ca-file=/r",
                         "--service-account-private-key-file=/sa"), "k": kubeconfig()})))
    assert paths(host) == {
        "controller-manager-client kubeconfig": "k, k, k", "apiserver-ca authority": "k#clusters/c",
        "controller-manager-client certificate": "k#users/u",
        "controller-manager-client key": "k#users/u", "root-ca authority": "r",
        "service-account-sign key": "sa", "cluster-signing-kubelet-serving certificate": "s.crt",
        "cluster-signing-kubelet-serving key": "s.key"}


def test_what_leaves_the_root(tmp_path: Path) -> None:
    """A link that leads out of the root is said and never read; an absolute one begins at the
    root."""
    (tmp_path / "ca.pem").write_text("the machine's own")
    root = plant(tmp_path / "root", {
        KUBELET: unit("ExecStart=/kubelet --client-ca-file=/out --tls-cert-file=/in "
                      "--kubeconfig=/../../ca.pem"), "out -> ../ca.pem": "", "in -> /ca.pem": ""})
    host = read_host(str(root))
    assert host.outside == ((KUBELET, "out"),)
    assert (host.found["out"].missing, host.found["in"].missing,
            host.found["ca.pem"].missing) == (True, True, True)


def test_people(tmp_path: Path) -> None:
    """A kubeconfig of people is a use of kubectl, unless a component reads it."""
    files = {"etc/kubernetes/admin.conf": kubeconfig(), "root/.kube/config": "x"}
    assert paths(read_host(str(plant(tmp_path, files))), "kubectl")["admin-client kubeconfig"] == (
        "(etc/kubernetes/admin.conf), (root/.kube/config)")
    plant(tmp_path, {f"{PODS}/s": pod("kube-scheduler", "--kubeconfig=/etc/kubernetes/admin.conf")})
    assert (paths(read_host(str(tmp_path)), "kubectl")
            == {"admin-client kubeconfig": "(root/.kube/config)"})


def test_two_of_a_kind(tmp_path: Path) -> None:
    """Two etcds on a host, as kops has them, are two starts, and their pairs two groups."""
    host = read_host(str(plant(tmp_path,
                               {f"{PODS}/{name}.manifest": pod("etcd", f"--cert-file=/{name}")
                                for name in ("main", "events")})))
    assert [item.source for item in host.of("etcd")] == [f"{PODS}/events.manifest",
                                                         f"{PODS}/main.manifest"]
    assert len({use.group for use in host.uses}) == 2


K3S = "var/lib/rancher/k3s"


def test_the_children_of_a_program(tmp_path: Path) -> None:
    """k3s tells its children flags of its own, then those of its unit and configuration; files that
    are not there, and an etcd of another datastore, are none of theirs."""
    host = read_host(str(plant(tmp_path, {
        "etc/systemd/system/k3s.service": unit(
            "ExecStart=/usr/local/bin/k3s server --kube-apiserver-arg=client-ca-file=/a"),
        "etc/rancher/k3s/config.yaml": "node-name: N\nkubelet-arg: [tls-cert-file=/b]\n",
        "etc/rancher/k3s/config.yaml.d/1.yaml": "node-name: M\n",
        f"{K3S}/server/tls/client-ca.crt": "x", f"{K3S}/agent/client-ca.crt": "x"})))
    assert [running.component for running in host.running] == ["kubelet", "kube-apiserver"]
    assert host.of("kubelet")[0].value("hostname-override") == "M"
    found = paths(host)
    assert (found["apiserver-client-ca authority"],
            found["kubelet-serving certificate"]) == ("(a)", "(b)")
    assert "apiserver-etcd-client certificate" not in found
    assert all(use.default and use.optional for use in host.uses)
    plant(tmp_path,
          {f"{K3S}/server/db/etcd/config": "client-transport-security: {cert-file: /c}\n"})
    assert paths(read_host(str(tmp_path)))["etcd-serving certificate"] == "(c)"
    assert "apiserver-etcd-client certificate" in paths(read_host(str(tmp_path)))


def test_a_distribution_without_units(tmp_path: Path) -> None:
    """RKE's components run in containers of which no file tells: their files do."""
    files = {f"etc/kubernetes/ssl/{name}": "x" for name in (
        "kubecfg-kube-node.yaml", "kubecfg-kube-proxy.yaml", "kube-etcd-10-0-0-1.pem",
        "kube-etcd-10-0-0-1-key.pem")}
    found = paths(read_host(str(plant(tmp_path, files))))
    assert found["kubelet-client kubeconfig"] == "etc/kubernetes/ssl/kubecfg-kube-node.yaml"
    assert found["etcd-serving key"] == "etc/kubernetes/ssl/kube-etcd-10-0-0-1-key.pem"
    assert "apiserver-serving certificate" not in found


def test_a_path_with_a_control_character_names_no_file(tmp_path: Path) -> None:
    """Of what a field or a flag says so no word is read or printed; what is beside is read."""
    host = read_host(str(plant(tmp_path, {
        KUBELET: unit("ExecStart=/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml "
                      "--client-ca-file=/a"),
        CONFIG: '{"tlsCertFile": "/b\\nc", "tlsPrivateKeyFile": "/k"}'})))
    assert kubelet(host) == {"kubelet-client-ca authority": "a", "kubelet-serving key": "k"}


@pytest.mark.parametrize(("lines", "user"), [
    (["User=kube"], "kube"), (["User=a", "User=b"], "b"), (["User=a", "User="], ""),
    (["#User=a"], "")])
def test_who_runs_a_component(tmp_path: Path, lines: list[str], user: str) -> None:
    """The unit's last User= (systemd.exec(5)); a drop-in comes after the unit."""
    host = read_host(str(plant(tmp_path, {KUBELET: unit(f"ExecStart=/usr/bin/kubelet {A}"),
                                          f"{KUBELET}.d/1.conf": unit(*lines)})))
    assert [item.user for item in host.of("kubelet")] == [user]
