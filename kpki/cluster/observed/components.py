"""The uses of one component: its settings' files, the files that they name, and defaults."""
from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .configurations import ConfiguredSettings
from .starts import Started
from .tree import Tree, inner
from .use import Use
from ...errors import InputError
from ...kubernetes.commands import Start
from ...kubernetes.kubeconfig import Material, load_kubeconfig, load_users
from ...kubernetes.purposes import ADMISSION, WEBHOOKS
from ...kubernetes.settings import SETTINGS, FileSetting, SettingValue, UsePart, values_of


def uses_of(tree: Tree, running: Started, settings: ConfiguredSettings) -> Iterator[Use]:
    """The uses of one component; for each purpose, the use that the component prefers."""
    uses: list[Use] = []
    server = next(iter((*_values(settings, "master"), *_values(settings, "api-servers"))), "")
    for setting in SETTINGS[running.start.component]:
        if running.start.component == "etcd" and _is_plain(settings, setting.name):
            continue
        for number, value in enumerate(settings.get(setting.name, ())):
            if use := _setting_use(running, setting, value, f" {number + 1}" if number else ""):
                uses += kubeconfig_uses(tree, use, value.path, running.start, server=server) if (
                    use.part == "kubeconfig") else [use]
    more = _MORE.get(running.start.component)
    # a default in a folder of the container alone is no file of the host
    yield from (use for use in (more(tree, running, settings, uses) if more else uses) if use.path)


def _is_plain(settings: ConfiguredSettings, name: str) -> bool:
    """Whether etcd ignores a setting, because it listens without TLS (server/embed/etcd.go)."""
    names = ("listen-peer-urls",) if name.startswith("peer-") \
        else ("listen-client-urls", "listen-client-http-urls")
    urls = [url for flag in names for url in _values(settings, flag)]
    return names[0] in settings and not any(url.startswith(("https:", "unixs:")) for url in urls)


def _values(settings: ConfiguredSettings, name: str) -> tuple[str, ...]:
    return values_of(name, settings.get(name, ()))


def _is_on(settings: ConfiguredSettings, name: str) -> bool:
    return _values(settings, name) in (("true",), ("1",))


def _setting_use(running: Started, setting: FileSetting, value: SettingValue,
                 which: str = "") -> Use | None:
    """The use of a setting; None if the setting names no file of the host."""
    place = running.start.on_host(value.path)
    return Use(component=running.start.component, setting=value.written, source=value.word.source,
               path=inner(place),
               purpose=setting.purpose, part=setting.part, default=running.default,
               optional=running.default,
               group=f"{running.key} {setting.pair}{which}") if place \
        else None


def kubeconfig_uses(tree: Tree, use: Use, path: str, start: Start | None = None, *,
                    server: str = "") -> Iterator[Use]:
    """The use of a kubeconfig, and of its context's files; *path* is the component's path.

    *server* is the API server of --master; with it the kubeconfig needs no server. An unreadable
    kubeconfig names no file, but for the users of a kubeconfig for admission. A token or a plug-in
    is no certificate.
    """
    data = tree.read(use.path, use.source) or b""
    return uses_in_kubeconfig(data, use, path, start, server=server)


def uses_in_kubeconfig(data: bytes, use: Use, path: str, start: Start | None = None, *,
                       server: str = "") -> Iterator[Use]:
    """`kubeconfig_uses` for the content of the kubeconfig."""
    try:
        found = load_kubeconfig(data, server=server)
    except InputError:
        yield use
        for name, pair in load_users(data).items() if use.purpose == ADMISSION else ():
            for part, material in zip(_PAIR, pair, strict=True):
                entry = replace(use, part=part, group=f"{use.path}#users/{name}")
                yield from _material(entry, f"users/{name}", material, path, start)
        return
    use = replace(use, group=f"{use.path}#contexts/{found.context_name}")
    yield use
    authority = "webhook-ca" if use.purpose in WEBHOOKS else "apiserver-ca"
    cluster, user = f"clusters/{found.cluster_name}", f"users/{found.user_name}"
    yield from _material(replace(use, part="authority", purpose=authority), cluster,
                         found.authority, path, start)
    yield from _material(replace(use, part="certificate"), user, found.certificate, path, start)
    yield from _material(replace(use, part="key"), user, found.key, path, start)


def _material(use: Use, where: str, material: Material, kubeconfig: str,
              start: Start | None) -> Iterator[Use]:
    """The use of a kubeconfig's field: embedded data, or a path relative to its folder."""
    entry = replace(use, source=use.path, default=False)
    if material.data is not None:
        yield replace(entry, setting=f"{where}/{_FIELDS[use.part]}-data",
                      path=f"{use.path}#{where}")
    elif material.path:
        path = posixpath.join(posixpath.dirname(kubeconfig), material.path)
        if place := start.on_host(path) if start else path:
            yield replace(entry, setting=f"{where}/{_FIELDS[use.part]}", path=inner(place))


_FIELDS: Mapping[UsePart, str] = {"authority": "certificate-authority",
                               "certificate": "client-certificate", "key": "client-key"}


def _default(running: Started, setting: str, path: str, purpose: str, part: UsePart,
             pair: str) -> Use:
    return Use(component=running.start.component, setting=setting, source=running.source,
               path=inner(running.start.on_host(path)),
               purpose=purpose, part=part,
               group=f"{running.key} {pair}",
               default=True, optional=True)


def _default_pair(running: Started, purpose: str, stem: str) -> Iterator[Use]:
    """A pair that a component makes for itself if it is missing."""
    yield _default(running, "--tls-cert-file", f"{stem}.crt", purpose, "certificate",
                   "tls-cert-file")
    yield _default(running, "--tls-private-key-file", f"{stem}.key", purpose, "key",
                   "tls-cert-file")


def _store(running: Started, folder: str, name: str, purpose: str) -> Iterator[Use]:
    """The certificate and key in one file of the kubelet's store, by the file's name."""
    for part in ("certificate", "key"):
        yield _default(running, "--cert-dir", f"{folder}/{name}-current.pem", purpose, part, name)


def _kubelet(tree: Tree, running: Started, settings: ConfiguredSettings,
             uses: list[Use]) -> Iterator[Use]:
    """The kubelet's client and serving pairs (pkg/kubelet/certificate, cmd/kubelet/app/server.go).

    The kubelet needs its kubeconfig or a bootstrap kubeconfig. If it rotates its client
    certificate, it uses the pair of its store, then the kubeconfig's pair. If it requests its
    serving certificate, it uses the pair of its store, then the configured pair. Without any pair
    it makes one.
    """
    folder = "".join(_values(settings, "cert-dir")) or "/var/lib/kubelet/pki"
    bootstraps = any(use.purpose == "kubelet-bootstrap" and tree.there(use.file) for use in uses)
    free = {use.group for use in uses if use.purpose == "kubelet-bootstrap" or (bootstraps and (
        use.purpose == "kubelet-client"))}
    uses = [replace(use, optional=True) if use.group in free else use for use in uses]
    identity = [use for use in uses if use.purpose == "kubelet-client"]
    store = [*_store(running, folder, "kubelet-client", "kubelet-client")]
    if identity and _is_on(settings, "rotate-certificates") and tree.there(store[0].path) and (
            store[0].path not in [use.path for use in identity]):
        yield from store
        uses = [replace(use, optional=True) if use in identity and use.part != "kubeconfig" else use
                for use in uses]
    serving = any(use.purpose == "kubelet-serving" for use in uses)
    if _is_on(settings, "rotate-server-certificates"):
        yield from _store(running, folder, "kubelet-server", "kubelet-serving")
    elif not serving:
        yield from _default_pair(running, "kubelet-serving", f"{folder}/kubelet")
    yield from uses


def _apiserver(tree: Tree, running: Started, settings: ConfiguredSettings,
               uses: list[Use]) -> Iterator[Use]:
    """The uses of an API server beside its table: own pair, pairs by name, configurations."""
    yield from uses
    if not running.default and not any(use.purpose == "apiserver-serving" for use in uses):
        folder = "".join(_values(settings, "cert-dir")) or "/var/run/kubernetes"
        yield from _default_pair(running, "apiserver-serving", f"{folder}/apiserver")
    for number, value in enumerate(settings.get("tls-sni-cert-key", ())):
        paths = value.word.text.partition(":")[0].split(",")
        for path, part in zip(paths, _PAIR, strict=False):
            named = value._replace(word=value.word._replace(text=path))
            setting = FileSetting(value.name, "apiserver-sni", part, value.name)
            if use := _setting_use(running, setting, named, f" {number + 1}"):
                yield use
    for name, rows in _FURTHER.items():
        for value in settings.get(name, ()):
            place = inner(running.start.on_host(value.path))
            yield from _further(tree, running, rows, tree.document(place, value.word.source), place)


_PAIR: tuple[UsePart, UsePart] = ("certificate", "key")
# flag of a configuration file → the fields in the file with paths: the way to a mapping, the
# mapping's field, and the purpose
_Rows = tuple[tuple[tuple[str, ...], str, str, UsePart], ...]
_TLS = ("egressSelections", "connection", "transport", "tcp", "tlsConfig")
_PLUGIN: _Rows = (((), "kubeConfigFile", ADMISSION, "kubeconfig"),
                  (("imagePolicy",), "kubeConfigFile", "webhook-client", "kubeconfig"))
_FURTHER: Mapping[str, _Rows] = {
    "egress-selector-config-file": ((_TLS, "caBundle", "egress-ca", "authority"),
                                    (_TLS, "clientCert", "egress-client", "certificate"),
                                    (_TLS, "clientKey", "egress-client", "key")),
    "admission-control-config-file": (*((("plugins", "configuration", *way), field, purpose, part)
                                        for way, field, purpose, part in _PLUGIN),
                                      (("plugins",), "path", "", "kubeconfig")),
    "authorization-config": ((("authorizers", "webhook", "connectionInfo"), "kubeConfigFile",
                              "webhook-client", "kubeconfig"),)}


def _further(tree: Tree, running: Started, rows: _Rows, document: Any,
             source: str) -> Iterator[Use]:
    """The uses of the files that a configuration names (k8s.io/apiserver/pkg/apis/apiserver)."""
    for way, field, purpose, part in rows:
        for number, holder in enumerate(_each(document, *way)):
            path = str((holder.get(field) if isinstance(holder, dict) else "") or "")
            place = running.start.on_host(path) if path else ""
            if place and not purpose:       # a plug-in's configuration in a file of its own
                own = inner(place if posixpath.isabs(path)
                            else posixpath.join(posixpath.dirname(source), path))
                yield from _further(tree, running, _PLUGIN, tree.document(own, source), own)
            elif place:
                use = Use(component=running.start.component, setting=".".join((*way[-1:], field)),
                          source=source,
                          path=inner(place), purpose=purpose, part=part, default=running.default,
                          optional=running.default, group=f"{source} {purpose} {number + 1}")
                yield from kubeconfig_uses(tree, use, path, running.start) if part == "kubeconfig" \
                    else [use]


def _each(document: Any, *steps: str) -> Iterator[Any]:
    """The values at a path of fields, each item of the lists on the way."""
    if isinstance(document, list):
        for item in document:
            yield from _each(item, *steps)
    elif not steps:
        yield document
    elif isinstance(document, dict):
        yield from _each(document.get(steps[0]), *steps[1:])


_ETCDCTL: tuple[tuple[str, str, str, UsePart, str], ...] = (
    ("ETCDCTL_CACERT", "", "etcd-server-ca", "authority", "etcdctl ca"),
    ("ETCDCTL_CERT", "healthcheck-client.crt", "etcd-client", "certificate", "etcdctl"),
    ("ETCDCTL_KEY", "healthcheck-client.key", "etcd-client", "key", "etcdctl"))


def _etcd(tree: Tree, running: Started, _: ConfiguredSettings, uses: list[Use]) -> Iterator[Use]:
    """The uses of etcd and of etcdctl: etcdctl's variables, else the client that kubeadm makes."""
    yield from uses
    folders = {posixpath.dirname(use.path) for use in uses if use.purpose == "etcd-serving"}
    for name, file, purpose, part, pair in _ETCDCTL:
        word = running.start.environment.get(name)
        named = [(name, word.source, inner(place))] if word and word.text and (
            place := running.start.on_host(word.text)) else []
        kubeadm = [(f"--{part[:4]}", running.source, path) for folder in sorted(folders)
                   if file and not word and tree.there(path := f"{folder}/{file}")]
        for setting, source, path in (*named, *kubeadm):
            yield Use(component="etcdctl", setting=setting, source=source, path=path,
                      purpose=purpose, part=part, group=f"{source} {pair}", default=not named,
                      optional=True)


_MORE: Mapping[str, Callable[[Tree, Started, ConfiguredSettings, list[Use]], Iterator[Use]]] = {
    "kubelet": _kubelet, "kube-apiserver": _apiserver, "etcd": _etcd}
