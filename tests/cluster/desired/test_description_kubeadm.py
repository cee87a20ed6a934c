"""kubeadm's own documents, as they are: what counts in them, what is let pass, what is refused."""
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from kpki.cluster.desired.description import Cluster, ExternalEtcd, Host, load_cluster
from kpki.errors import ConfigurationError

V4, V3 = "kubeadm.k8s.io/v1beta4", "kubeadm.k8s.io/v1beta3"
NAMED = f"apiVersion: {V4}\nkind: InitConfiguration\nnodeRegistration: {{name: CP-1}}\n"
ENDPOINT = "localAPIEndpoint: {advertiseAddress: 10.0.0.10}\n"
INIT = NAMED + ENDPOINT
CLUSTER = f"apiVersion: {V4}\nkind: ClusterConfiguration\n"
JOIN = f"apiVersion: {V4}\nkind: JoinConfiguration\nnodeRegistration: {{name: worker-1}}\n"
# As `kubeadm config print init-defaults --component-configs
# KubeletConfiguration,KubeProxyConfiguration` prints them, and with every other field of kubeadm's
# API reference.
EVERYTHING = """\
apiVersion: kubeadm.k8s.io/v1beta4
bootstrapTokens:
- groups: [system:bootstrappers:kubeadm:default-node-token]
  token: abcdef.0123456789abcdef
  ttl: 24h0m0s
  usages: [signing, authentication]
certificateKey: e6a2eb8581237ab72a4f494f30285ec12a9694d750b9785706a83bfcbbbd2204
dryRun: false
kind: InitConfiguration
localAPIEndpoint:
  advertiseAddress: 1.2.3.4
  bindPort: 7443
nodeRegistration:
  criSocket: unix:///var/run/containerd/containerd.sock
  ignorePreflightErrors: [IsPrivilegedUser]
  imagePullPolicy: IfNotPresent
  imagePullSerial: true
  kubeletExtraArgs: [{name: v, value: "4"}]
  name: " Node.Example "
  taints: null
patches: {directory: /p}
skipPhases: [preflight]
timeouts: {controlPlaneComponentHealthCheck: 4m0s, discovery: 5m0s}
---
apiServer:
  certSANs: [10.100.1.1, ec2.example.com, "*.example.com"]
  extraArgs: [{name: authorization-mode, value: "Node,RBAC"}]
  extraEnvs: [{name: A, value: b}]
  extraVolumes: [{name: v, hostPath: /a, mountPath: /b, readOnly: false, pathType: File}]
  timeoutForControlPlane: 4m0s
apiVersion: kubeadm.k8s.io/v1beta4
caCertificateValidityPeriod: 87601h0m0s
certificateValidityPeriod: 8761h0m0s
certificatesDir: /etc/kubernetes/tls
clusterName: example-cluster
controlPlaneEndpoint: 10.100.0.1
controllerManager: {extraArgs: [{name: node-cidr-mask-size, value: "20"}]}
dns: {imageTag: v1}
encryptionAlgorithm: ECDSA-P256
etcd:
  local:
    dataDir: /var/lib/etcd
    extraArgs: [{name: listen-client-urls, value: "http://10.100.0.1:2379"}]
    imageRepository: registry.example
    imageTag: 3.2.24
    peerCertSANs: [10.100.0.2]
    serverCertSANs: [ec2.example.com]
featureGates: {NodeLocalCRISocket: true}
imageRepository: registry.example
kind: ClusterConfiguration
kubernetesVersion: 1.34.0
networking: {dnsDomain: c.local, podSubnet: 10.244.0.0/24, serviceSubnet: 10.97.0.0/16}
proxy: {disabled: false}
scheduler: {extraArgs: []}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
clusterDNS: [10.96.0.10]
anything: {at: [all]}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: ""
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ResetConfiguration
force: true
"""
DEFAULTS = Cluster(
    name="kubernetes", layout="kubeadm", endpoint=None, port=6443,
    service_subnets=("10.96.0.0/12",), dns_domain="cluster.local", api_sans=(),
    etcd_server_sans=(), etcd_peer_sans=(), algorithm="RSA-2048", validity=timedelta(days=365),
    ca_validity=timedelta(days=3650), authorities={}, kubelet_serving=False, external_etcd=None,
    certificates_dir="/etc/kubernetes/pki", from_kubeadm=True,
    hosts=(Host("cp-1", frozenset({"control-plane", "etcd"}), ("10.0.0.10",)),))


def refusal(text: str, *, host_name: str | None = None) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load_cluster(text, host_name=host_name)
    return caught.value


def test_every_field_of_kubeadm_is_taken() -> None:
    """What bears on certificates comes through, everything else is let pass, and kinds without
    certificates too."""
    assert load_cluster(EVERYTHING) == Cluster(
        name="example-cluster", layout="kubeadm", endpoint=("10.100.0.1", 7443), port=7443,
        service_subnets=("10.97.0.0/16",), dns_domain="c.local",
        api_sans=("10.100.1.1", "ec2.example.com", "*.example.com"),
        etcd_server_sans=("ec2.example.com",), etcd_peer_sans=("10.100.0.2",),
        algorithm="ECDSA-P256", validity=timedelta(hours=8761), ca_validity=timedelta(hours=87601),
        authorities={}, kubelet_serving=False, external_etcd=None,
        certificates_dir="/etc/kubernetes/tls", from_kubeadm=True,
        hosts=(Host("node.example", frozenset({"control-plane", "etcd"}), ("1.2.3.4",)),))


@pytest.mark.parametrize("text", [
    INIT,
    f"apiVersion: {V3}\nkind: InitConfiguration\nnodeRegistration: {{name: CP-1}}\n" + ENDPOINT,
    INIT + "---\n" + CLUSTER, CLUSTER + "---\n" + INIT, INIT + "---\n"
    + CLUSTER + "clusterName: ''\nencryptionAlgorithm: ''\netcd: {local: {dataDir: ''}}\n"
    "networking: {}", INIT + "---\n" + JOIN,
    NAMED + "localAPIEndpoint: {advertiseAddress: 10.0.0.10, bindPort: 0}\n",
], ids=range(7))
def test_what_is_left_out_has_kubeadm_s_default(text: str) -> None:
    """Both versions, alone or together, in any order: kubeadm's defaults, RSA-2048 among them."""
    assert load_cluster(text) == DEFAULTS


def test_the_host_s_own_name_stands_in_for_a_missing_one() -> None:
    """nodeRegistration.name wins; without it the host name, in lower case; without both the field
    is named."""
    bare = f"apiVersion: {V4}\nkind: InitConfiguration\n" + ENDPOINT
    assert (load_cluster(bare, host_name="CP-1\n") == load_cluster(INIT, host_name="other")
            == DEFAULTS)
    assert (refusal(bare).message
            == "line 1: nodeRegistration.name: missing, and this host's name is not known")
    assert refusal(bare, host_name="a_b").message.startswith(
        "line 1: nodeRegistration.name: node name 'a_b' is no DNS")


def test_a_joining_control_plane_has_its_address_below_control_plane() -> None:
    """JoinConfiguration.controlPlane makes a control-plane host with etcd of its own; without it, a
    worker."""
    text = CLUSTER + "controlPlaneEndpoint: api:443\n---\n" + JOIN
    control = (text + "controlPlane: {localAPIEndpoint: {advertiseAddress: 10.0.0.11, bindPort: "
               "7443}}\n")
    found = load_cluster(control)
    assert (found.hosts, found.port, found.endpoint) == (
        (Host("worker-1", frozenset({"control-plane", "etcd"}), ("10.0.0.11",)),), 7443,
        ("api", 443))
    assert refusal(text + "controlPlane: {}\n").message.startswith(
        "line 8: controlPlane.localAPIEndpoint.advertiseAddress: missing")
    for worker in (text, text + "controlPlane:\n"):
        assert load_cluster(worker).hosts == (Host("worker-1", frozenset(), ()),)


def test_a_worker_finds_the_api_server_where_it_discovers_it() -> None:
    """discovery's apiServerEndpoint stands in for the endpoint that a worker's documents do not
    give."""
    discovery = ("discovery: {bootstrapToken: {apiServerEndpoint: 'kube:6443', token: x, "
                 "caCertHashes: [y]}}\n")
    assert load_cluster(JOIN + discovery).endpoint == ("kube", 6443)
    assert load_cluster(CLUSTER + "controlPlaneEndpoint: api\n---\n" + JOIN
                        + discovery).endpoint == ("api", 6443)
    assert load_cluster(JOIN + "discovery: {file: {kubeConfigPath: /x}}\n").endpoint is None
    control_plane = "controlPlane: {localAPIEndpoint: {advertiseAddress: 10.0.0.1}}\n"
    assert load_cluster(JOIN + discovery + control_plane).endpoint is None


def test_an_external_etcd_s_files_are_left_alone() -> None:
    """etcd.external takes the role from the host; its files may be absent together, as for an etcd
    without TLS."""
    def external(body: str) -> str:
        return (INIT + "---\n" + CLUSTER
                + f"etcd: {{external: {{endpoints: ['https://e:2379']{body}}}}}\n")
    wanted = replace(DEFAULTS, hosts=(Host("cp-1", frozenset({"control-plane"}), ("10.0.0.10",)),))
    assert load_cluster(external(", caFile: /a, certFile: /b, keyFile: /c")) == replace(
        wanted, external_etcd=ExternalEtcd("/a", "/b", "/c"))
    assert load_cluster(external("")) == replace(wanted,
                                                 external_etcd=ExternalEtcd(None, None, None))
    assert load_cluster(external(", caFile: /a")).external_etcd == ExternalEtcd("/a", None, None)
    for body, message in ((", caFile: /a, certFile: /b", "keyFile: missing beside certFile"),
                          (", caFile: /a, keyFile: /b", "certFile: missing beside keyFile"),
                          (", certFile: /a, keyFile: /b", "caFile: missing beside certFile"),
                          (", caFile: a", "caFile: 'a' is not an absolute path")):
        assert refusal(external(body)).message == f"line 8: etcd.external.{message}"
    assert refusal(INIT + "---\n" + CLUSTER + "etcd: {external: {}, local: {}}\n").message == \
        "line 8: etcd: local and external exclude each other"


DOTS = "---\n"


@pytest.mark.parametrize(("text", "message"), [
    (CLUSTER, "line 1: InitConfiguration.localAPIEndpoint.advertiseAddress: missing: the API "
     "server's certificate needs this address, and kpki does not guess addresses"),
    (NAMED + "localAPIEndpoint: {bindPort: 1}\n",
     "line 4: localAPIEndpoint.advertiseAddress: missing: "
     "the API server's certificate needs this address, and kpki does not guess addresses"),
    (NAMED + "localAPIEndpoint: {advertiseAddress: 0.0.0.0}\n",
     "line 4: localAPIEndpoint.advertiseAddress: 0.0.0.0 is "
     "no address at which other hosts find this host"),
    (NAMED + "localAPIEndpoint: {advertiseAddress: ff02::1}\n",
     "line 4: localAPIEndpoint.advertiseAddress: ff02::1 is "
     "no address at which other hosts find this host"),
    (NAMED + "localAPIEndpoint: {advertiseAddress: 0.0.0.0.0}\n",
     "line 4: localAPIEndpoint.advertiseAddress: '0.0.0.0.0' is not an IP address"),
    (NAMED + "localAPIEndpoint: {advertiseAddress: 10.0.0.256}\n",
     "line 4: localAPIEndpoint.advertiseAddress: '10.0.0.256' is not an IP address"),
    (NAMED + "localAPIEndpoint: {advertisedAddress: 10.0.0.10}\n",
     "line 4: localAPIEndpoint.advertisedAddress: no such field: did you mean advertiseAddress?"),
    (f"apiVersion: {V4}\nkind: InitConfiguration\nnodeRegistration: {{name: cp_1}}\n" + ENDPOINT,
     "line 3: nodeRegistration.name: node name 'cp_1' is no DNS "
     "name: lower-case letters, digits, '-' and '.' only"),
    (INIT + DOTS + CLUSTER + "apiServer: {certSANs: [ok, a_b]}\n",
     "line 8: apiServer.certSANs[1]: 'a_b' is no DNS name: lower-case letters, digits, '-' and '.' "
     "only"),
    (INIT + DOTS + CLUSTER + "etcd: {local: {peerCertSANs: ['*']}}\n",
     "line 8: etcd.local.peerCertSANs[0]: '*' is no DNS name: lower-case letters, digits, '-' and "
     "'.' only"),
    (INIT + DOTS + CLUSTER + "\nencryptionAlgorithm: RSA-1024\n", "line 9: encryptionAlgorithm: "
     "'RSA-1024' is none of RSA-2048, RSA-3072, RSA-4096, ECDSA-P256, ECDSA-P384"),
    (INIT + DOTS + CLUSTER + "networking: {serviceSubnet: 10.96.0.0/12 }\nclustername: x\n",
     "line 9: clustername: no such field: did you mean clusterName?"),
    (INIT + DOTS + f"apiVersion: {V3}\nkind: ClusterConfiguration\nencryptionAlgorithm: RSA-2048\n",
     "line 8: encryptionAlgorithm: v1beta3 has no such field, and kubeadm would ignore the field"),
    (INIT + DOTS + INIT, "line 7: kind: 'InitConfiguration' is there twice"),
    ("apiVersion: kubeadm.k8s.io/v1beta2\nkind: InitConfiguration\n" + ENDPOINT,
     "line 1: apiVersion: 'v1beta2' is not v1beta4 or v1beta3"),
    (f"apiVersion: {V4}\nkind: IntConfiguration\n" + ENDPOINT,
     "line 2: kind: 'IntConfiguration' is no kind of kubeadm's API: did you mean "
     "InitConfiguration?"),
    (f"apiVersion: {V4}\nkind: Secret\n" + ENDPOINT,
     "line 2: kind: 'Secret' is no kind of kubeadm's API"),
    (INIT + DOTS + "kind: KubeletConfiguration\n", "line 6: apiVersion: missing"),
    ("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n",
     "the file has neither a kpki/v1 Cluster nor a kubeadm configuration"),
])
def test_what_kubeadm_refuses_is_refused_with_line_and_field(text: str, message: str) -> None:
    """Names, addresses and slips are refused, never skipped; the line counts through all
    documents."""
    assert refusal(text).message == message


def test_a_field_that_kubeadm_may_get_one_day_is_let_pass() -> None:
    """What is like no field of kubeadm's is taken for one without bearing on certificates."""
    assert load_cluster(INIT + "zebra: {stripes: 3}\n---\n" + CLUSTER + "quux: 1\n") == DEFAULTS
