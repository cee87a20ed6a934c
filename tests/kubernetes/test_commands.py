"""Which component a command line starts, and what it is given; systemd's own rules of a command."""
from __future__ import annotations

import pytest

from kpki.kubernetes.commands import Start, component_named, find_start, read_script
from kpki.kubernetes.units import read_service
from kpki.kubernetes.words import Word


def started(line: str) -> Start | None:
    """What a plain command line starts."""
    return find_start([Word(word, "s") for word in line.split()], {"OUT": Word("out", "s")})


@pytest.mark.parametrize(("word", "before", "wanted"), [
    ("/usr/bin/kubelet", "", "kubelet"), ("kubelet-v1.29.3", "", "kubelet"),
    ("kubelet-wrapper", "", "kubelet"), ("registry.k8s.io/kube-proxy:v1.34.0", "", "kube-proxy"),
    ("x/etcd@sha256:0a", "", "etcd"), ("localhost:5000/x/kubelet:v1@sha256:0a", "", "kubelet"),
    ("kube-apiserver-amd64", "", "kube-apiserver"),
    ("apiserver", "hyperkube", "kube-apiserver"), ("proxy", "hyperkube", "kube-proxy"),
    ("apiserver", "", ""), ("/proxy-server", "", "konnectivity-server"),
    ("aws-cloud-controller-manager", "", "cloud-controller-manager"), ("etcdctl", "", ""),
    ("kubectl", "", ""), ("kubelet-exporter", "", ""), ("kubelet.service", "", ""), ("", "", "")])
def test_a_program_s_component(word: str, before: str, wanted: str) -> None:
    """A program and an image name a component by their last part, versions and digests aside."""
    assert component_named(word, before) == wanted


@pytest.mark.parametrize(("line", "component", "words"), [
    ("/usr/bin/kubelet --a", "kubelet", "--a"), ("kubelet", "kubelet", ""),
    ("/usr/bin/kubenswrapper /usr/bin/kubelet --a", "kubelet", "--a"),
    ("wrap --x y /opt/kubelet --a", "kubelet", "--a"),
    ("/hyperkube apiserver --a", "kube-apiserver", "--a"),
    ("env A=b nice kubelet", "kubelet", ""),
    ("/go-runner --log-file=/x/kube-proxy.log kube-proxy --a", "kube-proxy", "--a"),
    ("docker run img kubelet --a", "kubelet", "--a"),
    ("docker run --rm -it x/kubelet:v1 --a", "kubelet", "--a"),
    ("docker run --name kube-proxy -p 1:1 --net host x/kubelet:v1 --a", "kubelet", "--a"),
    ("docker run --name=x -d --entrypoint /usr/bin/etcd img --a", "etcd", "--a"),
    ("podman --log-level=x run img sh -c kubelet", "kubelet", "")])
def test_a_command_line_starts(line: str, component: str, words: str) -> None:
    """The component is found behind its wrappers, and its words are those behind its program."""
    found = started(line)
    assert found and (found.component,
                      " ".join(word.text for word in found.words)) == (component, words)


@pytest.mark.parametrize("line", [
    "mkdir -p /var/lib/kubelet", "mount --bind /var/lib/kubelet /x", "find /var/lib/etcd -type f",
    "docker logs kubelet", "docker run", "docker run --name kubelet busybox", "docker rm -f etcd",
    "sh -c", "systemctl restart kubelet", ""])
def test_a_command_line_starts_nothing(line: str) -> None:
    """A path, a container's name and a unit that are named like a component are no start of it."""
    assert started(line) is None


def test_what_a_container_is_given() -> None:
    """Mounts of each form, variables with their files, the working directory; a named volume is no
    file of the host."""
    found = started("docker run -v /etc/ssl/etcd:/certs:ro --volume=data:/data "
                    "--mount type=bind,src=/m,target=/in/m -e A=b --env OUT --env-file /e.env "
                    "-w /certs quay.io/etcd:v3 etcd --cert-file=x")
    assert found and found.environment == {"A": Word("b", "s"), "OUT": Word("out", "s")}
    assert found.environment_files == ("/e.env",)
    assert [found.on_host(path)
            for path in ("server.crt", "/data/x", "/in/m/x", "/in/mm", "/certsx", "/certs")] == [
                "/etc/ssl/etcd/server.crt", "", "/m/x", "/in/mm", "/certsx", "/etc/ssl/etcd"]


@pytest.mark.parametrize(("script", "words"), [
    ("exec kubelet --a --b=c", "--a --b=c"), ("kubelet --a \\\n  --b\n", "--a --b"),
    ("kubelet --a # --b", "--a"), ("# don't kubelet --x\nkubelet --a && echo x", "--a"),
    ("X='--a --b'\nkubelet $X ${NONE} \"--c=$Y\"", "--a --b --c=y"),
    ('kubelet "$@" --z', "--one two --z"),
    ("mkdir -p /var/lib/kubelet; kubelet '--a b' > /dev/null", "--a b"),
    ("(cd / && kubelet --a)", "--a"), ("if true; then kubelet --a; fi", "--a"),
    ("kubelet --a 'b", "")])
def test_a_script_starts(script: str, words: str) -> None:
    """Assignments, arguments and variables of a script count; what follows an operator is another
    command."""
    found = read_script(Word(script, "s"), [Word("--one", "u"), Word("two", "u")],
                        {"Y": Word("y", "u")})
    assert (" ".join(word.text for word in found.words) if found else "") == words


@pytest.mark.parametrize(("line", "wanted"), [
    ("/usr/bin/kubelet --a", ["/usr/bin/kubelet", "--a"]),
    ("@/usr/bin/kubelet me --a", ["/usr/bin/kubelet", "--a"]),
    ("-:/usr/bin/kubelet $X", ["/usr/bin/kubelet", "$X"]),
    ("/usr/bin/kubelet $X", ["/usr/bin/kubelet", "1", "2"]), ("$X kubelet", ["$X", "kubelet"])])
def test_the_words_of_a_service(line: str, wanted: list[str]) -> None:
    """With `@` the second word is a name, with `:` no variable counts, and the program is never a
    variable."""
    service = read_service([("u", f"[Service]\nExecStart={line}")], {})
    words = service.words(service.commands[0], {"X": Word("1 2", "e")})
    assert [word.text for word in words] == wanted
