"""The uses of one component: what it is told, what that leads to, and its own defaults."""
from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...errors import InputError
from ...kubernetes.commands import Start
from ...kubernetes.kubeconfig import Material, load_kubeconfig, load_users
from ...kubernetes.settings import SETTINGS, Part, Said, Setting, values_of
from .configurations import Settings
from .starts import Started
from .tree import Tree, inner


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One fact about a host: a *component* reads the file *path* for a *purpose*, because a *setting* says so.

    *setting* is as written (`--tls-cert-file`, `tlsCertFile`, `ETCD_CERT_FILE`, `users/NAME/client-certificate`), of a
    default the flag that would say so; *source* is the file that says so, of a default the one that starts the
    component. Paths are relative to the root; inside a kubeconfig *path* is `etc/kubernetes/admin.conf#users/NAME`.
    *part* says what is read of it. *group* is the same string for both halves of a pair and for what belongs to one
    kubeconfig. *default*: nobody says so. *optional*: the component starts without the file.
    """

    component: str
    setting: str
    source: str
    path: str
    purpose: str
    part: Part
    group: str
    default: bool = False
    optional: bool = False

    @property
    def file(self) -> str:
        """The file that holds it: the path without the place in a kubeconfig."""
        return self.path.partition("#")[0]


def uses_of(tree: Tree, one: Started, settings: Settings) -> Iterator[Use]:
    """The uses of one component, of several for one purpose the one that it prefers first."""
    uses: list[Use] = []
    for setting in SETTINGS[one.start.component]:
        if one.start.component == "etcd" and _is_plain(settings, setting.name):
            continue
        for number, said in enumerate(settings.get(setting.name, ())):
            if use := _told(one, setting, said, f" {number + 1}" if number else ""):
                uses += kubeconfig_uses(tree, use, said.path, one.start) if use.part == "kubeconfig" else [use]
    more = _MORE.get(one.start.component)
    yield from more(tree, one, settings, uses) if more else uses


def _is_plain(settings: Settings, name: str) -> bool:
    """Whether etcd passes a setting over, because it listens without TLS there (server/embed/etcd.go)."""
    urls = _values(settings, "listen-peer-urls" if name.startswith("peer-") else "listen-client-urls")
    return bool(urls) and not any(url.startswith(("https:", "unixs:")) for url in urls)


def _values(settings: Settings, name: str) -> tuple[str, ...]:
    return values_of(name, settings.get(name, ()))


def _is_on(settings: Settings, name: str) -> bool:
    return _values(settings, name) in (("true",), ("1",))


def _told(one: Started, setting: Setting, said: Said, which: str = "") -> Use | None:
    """The use that a setting says; None where it names no file of the host."""
    place = one.start.on_host(said.path)
    return Use(component=one.start.component, setting=said.written, source=said.word.source, path=inner(place),
               purpose=setting.purpose, part=setting.part, default=one.default, optional=one.default,
               group=f"{one.source} {one.start.component} {setting.pair}{which}") if place else None


def kubeconfig_uses(tree: Tree, use: Use, path: str, start: Start | None = None) -> Iterator[Use]:
    """The use of a kubeconfig, and of what its context names or embeds; *path* is as the component sees it.

    One that cannot be read names nothing. A user with a token or a plugin has no certificate.
    """
    try:
        found = load_kubeconfig(tree.read(use.path, use.source) or b"")
    except InputError:
        yield use
        return
    use = replace(use, group=f"{use.path}#contexts/{found.context_name}")
    yield use
    authority = "webhook-ca" if use.purpose == "webhook-client" else "apiserver-ca"
    cluster, user = f"clusters/{found.cluster_name}", f"users/{found.user_name}"
    yield from _material(replace(use, part="authority", purpose=authority), cluster, found.authority, path, start)
    yield from _material(replace(use, part="certificate"), user, found.certificate, path, start)
    yield from _material(replace(use, part="key"), user, found.key, path, start)


def _material(use: Use, where: str, material: Material, kubeconfig: str, start: Start | None) -> Iterator[Use]:
    """The use of one field of a kubeconfig: data in itself, or a path that counts from the kubeconfig's folder."""
    entry = replace(use, source=use.path, default=False)
    if material.data is not None:
        yield replace(entry, setting=f"{where}/{_FIELDS[use.part]}-data", path=f"{use.path}#{where}")
    elif material.path:
        path = posixpath.join(posixpath.dirname(kubeconfig), material.path)
        if place := start.on_host(path) if start else path:
            yield replace(entry, setting=f"{where}/{_FIELDS[use.part]}", path=inner(place))


_FIELDS: Mapping[Part, str] = {"authority": "certificate-authority", "certificate": "client-certificate",
                               "key": "client-key"}


def _default(one: Started, setting: str, path: str, purpose: str, part: Part, pair: str) -> Use:
    return Use(component=one.start.component, setting=setting, source=one.source, path=inner(one.start.on_host(path)),
               purpose=purpose, part=part, group=f"{one.source} {one.start.component} {pair}", default=True,
               optional=True)


def _default_pair(one: Started, purpose: str, stem: str) -> Iterator[Use]:
    """A pair that a component makes for itself if it is not there."""
    yield _default(one, "--tls-cert-file", f"{stem}.crt", purpose, "certificate", "tls-cert-file")
    yield _default(one, "--tls-private-key-file", f"{stem}.key", purpose, "key", "tls-cert-file")


def _store(one: Started, folder: str, name: str, purpose: str) -> Iterator[Use]:
    """What the kubelet's store holds under a name: a certificate and its key in one file."""
    for part in ("certificate", "key"):
        yield _default(one, "--cert-dir", f"{folder}/{name}-current.pem", purpose, part, name)


def _kubelet(tree: Tree, one: Started, settings: Settings, uses: list[Use]) -> Iterator[Use]:
    """The kubelet's identity and its serving pair (pkg/kubelet/certificate, cmd/kubelet/app/server.go).

    It needs its kubeconfig or a bootstrap kubeconfig. If it rotates its client certificate, what is in its store comes
    first, then the kubeconfig's pair. If its serving certificate comes by request, what is in its store comes first,
    then the pair that it is told of; a pair of its own making stands in for both.
    """
    folder = "".join(_values(settings, "cert-dir")) or "/var/lib/kubelet/pki"
    bootstraps = any(use.purpose == "kubelet-bootstrap" and tree.there(use.file) for use in uses)
    uses = [replace(use, optional=True) if use.purpose == "kubelet-bootstrap" or bootstraps and (
        use.purpose == "kubelet-client") else use for use in uses]
    identity = [use for use in uses if use.purpose == "kubelet-client"]
    store = [*_store(one, folder, "kubelet-client", "kubelet-client")]
    if identity and _is_on(settings, "rotate-certificates") and tree.there(store[0].path) and (
            store[0].path not in [use.path for use in identity]):
        yield from store
        uses = [replace(use, optional=True) if use in identity and use.part != "kubeconfig" else use for use in uses]
    serving = any(use.purpose == "kubelet-serving" for use in uses)
    if _is_on(settings, "rotate-server-certificates"):
        yield from _store(one, folder, "kubelet-server", "kubelet-serving")
    elif not serving:
        yield from _default_pair(one, "kubelet-serving", f"{folder}/kubelet")
    yield from uses


def _apiserver(tree: Tree, one: Started, settings: Settings, uses: list[Use]) -> Iterator[Use]:
    """What an API server has beside its table: its own pair, pairs by name, and files that name further ones."""
    yield from uses
    if not one.default and not any(use.purpose == "apiserver-serving" for use in uses):
        folder = "".join(_values(settings, "cert-dir")) or "/var/run/kubernetes"
        yield from _default_pair(one, "apiserver-serving", f"{folder}/apiserver")
    for number, said in enumerate(settings.get("tls-sni-cert-key", ())):
        paths = said.word.text.partition(":")[0].split(",")
        for path, part in zip(paths, _PAIR):
            named = replace(said, word=replace(said.word, text=path))
            if use := _told(one, Setting(said.name, "apiserver-sni", part, said.name), named, f" {number + 1}"):
                yield use
    for name, fields in _FURTHER.items():
        for said in settings.get(name, ()):
            place = inner(one.start.on_host(said.path))
            document = tree.document(place, said.word.source)
            yield from fields(tree, one, document, place)


_PAIR: tuple[Part, Part] = ("certificate", "key")


def _each(document: Any, *steps: str) -> Iterator[Any]:
    """The values at a path of fields, each item of the lists on the way."""
    if isinstance(document, list):
        for item in document:
            yield from _each(item, *steps)
    elif not steps:
        yield document
    elif isinstance(document, dict):
        yield from _each(document.get(steps[0]), *steps[1:])


def _named(one: Started, field: str, path: Any, source: str, purpose: str, part: Part, pair: str) -> Iterator[Use]:
    """The use of a file that a field of another file names."""
    place = one.start.on_host(path) if isinstance(path, str) and path else ""
    if place:
        yield Use(component=one.start.component, setting=field, source=source, path=inner(place), purpose=purpose,
                  part=part, group=f"{source} {pair}", default=one.default, optional=one.default)


_EGRESS: tuple[tuple[str, str, Part], ...] = (("caBundle", "egress-ca", "authority"),
                                              ("clientCert", "egress-client", "certificate"),
                                              ("clientKey", "egress-client", "key"))


def _egress(tree: Tree, one: Started, document: Any, source: str) -> Iterator[Use]:
    """EgressSelectorConfiguration (staging/src/k8s.io/apiserver/pkg/apis/apiserver)."""
    for number, tls in enumerate(_each(document, "egressSelections", "connection", "transport", "tcp", "tlsConfig")):
        for field, purpose, part in _EGRESS:
            for path in _each(tls, field):
                yield from _named(one, f"tlsConfig.{field}", path, source, purpose, part, f"egress {number + 1}")


def _admission(tree: Tree, one: Started, document: Any, source: str) -> Iterator[Use]:
    """AdmissionConfiguration: of each plug-in the configuration in the file, or in a file of its own."""
    for plugin in _each(document, "plugins"):
        path = next(iter(_each(plugin, "path")), None)
        own = posixpath.join("/", posixpath.dirname(source), path) if isinstance(path, str) and path else ""
        configuration = tree.document(inner(own), source) if own else next(_each(plugin, "configuration"), None)
        source_of_it = inner(own) if own else source
        for path in _each(configuration, "kubeConfigFile"):
            yield from _webhook_users(tree, one, path, source_of_it)
        for path in _each(configuration, "imagePolicy", "kubeConfigFile"):
            yield from _webhook(tree, one, "imagePolicy.kubeConfigFile", path, source_of_it)


def _authorization(tree: Tree, one: Started, document: Any, source: str) -> Iterator[Use]:
    """AuthorizationConfiguration: the kubeconfig of each webhook."""
    for path in _each(document, "authorizers", "webhook", "connectionInfo", "kubeConfigFile"):
        yield from _webhook(tree, one, "connectionInfo.kubeConfigFile", path, source)


def _webhook(tree: Tree, one: Started, field: str, path: Any, source: str) -> Iterator[Use]:
    for use in _named(one, field, path, source, "webhook-client", "kubeconfig", str(path)):
        yield from kubeconfig_uses(tree, use, path, one.start)


def _webhook_users(tree: Tree, one: Started, path: Any, source: str) -> Iterator[Use]:
    """A kubeconfig whose users are hosts of webhooks; it needs no context (pkg/util/webhook/authentication.go)."""
    for use in _named(one, "kubeConfigFile", path, source, "webhook-client", "kubeconfig", str(path)):
        yield use
        try:
            users = load_users(tree.read(use.path, source) or b"")
        except InputError:
            continue
        for name, pair in users.items():
            entry = replace(use, group=f"{use.path}#users/{name}")
            for part, material in zip(_PAIR, pair, strict=True):
                yield from _material(replace(entry, part=part), f"users/{name}", material, path, one.start)


_ETCDCTL: tuple[tuple[str, str, Part, str], ...] = (("ETCDCTL_CACERT", "etcd-server-ca", "authority", "etcdctl ca"),
                                                    ("ETCDCTL_CERT", "etcd-client", "certificate", "etcdctl"),
                                                    ("ETCDCTL_KEY", "etcd-client", "key", "etcdctl"))


def _etcd(tree: Tree, one: Started, settings: Settings, uses: list[Use]) -> Iterator[Use]:
    """etcd's own, and what people's etcdctl finds: by variables beside etcd's, or kubeadm's client for its probes."""
    yield from uses
    for name, purpose, part, pair in _ETCDCTL:
        if (word := one.start.environment.get(name)) and word.text:
            yield from (replace(use, component="etcdctl", optional=True) for use in _named(
                one, name, word.text, word.source, purpose, part, pair))


_MORE: Mapping[str, Callable[[Tree, Started, Settings, list[Use]], Iterator[Use]]] = {
    "kubelet": _kubelet, "kube-apiserver": _apiserver, "etcd": _etcd}
_FURTHER: Mapping[str, Callable[[Tree, Started, Any, str], Iterator[Use]]] = {
    "egress-selector-config-file": _egress, "admission-control-config-file": _admission,
    "authorization-config": _authorization}
