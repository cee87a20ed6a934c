"""The uses of components that a tree does not start: the files of the layout."""
from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from .components import kubeconfig_uses
from .tree import Tree
from .use import Use
from ...kubernetes.components import APISERVER, COMPONENTS, KUBELET_COMPONENT, Component, Flag
from ...kubernetes.layouts import KUBELET_CURRENT, Layout, Place
from ...kubernetes.profiles import CA, get_profile
from ...kubernetes.purposes import PURPOSES
from ...kubernetes.restarts import own_files
from ...kubernetes.settings import SETTINGS, UsePart
from ...kubernetes.units import FOLDERS as UNITS

# the rows of people, whose kubeconfigs no component reads, and their purposes
_PEOPLE = {"admin": "admin-client", "super-admin": "super-admin-client",
           "etcd-healthcheck-client": "etcd-client"}


def layout_uses(tree: Tree, layout: Layout, started: Container[str],
                read: Container[str]) -> Iterator[Use]:
    """The uses of the components that are not in *started*, if *tree* has a file of their own.

    A kubelet is assumed if nothing else runs on the host, and the tree has no systemd units.
    People's kubeconfigs, and the keys of CAs, count if they exist and no component has *read* them.
    """
    runs = [component for component in COMPONENTS if component.name not in started and any(
        map(tree.there, _marks(layout, component)))]
    if not (runs or any(component.name in started for component in COMPONENTS)
            or any(map(tree.there, UNITS))):
        runs = [KUBELET_COMPONENT]
    for component in runs:
        uses = [use for flag in component.flags for use in _uses(tree, layout, component, flag)]
        yield from (use for use in uses if component == KUBELET_COMPONENT
                    or _is_wanted(use, uses, tree, layout))
    if KUBELET_COMPONENT in runs and KUBELET_CURRENT not in read and tree.there(KUBELET_CURRENT):
        yield from (_use("kubelet", "--cert-dir", KUBELET_CURRENT, "kubelet-client", part,
                         optional=True)
                    for part in _PAIR)
    for place in layout.places:
        yield from (use for use in _of_people(tree, place) if use.file not in read)


_PAIR: tuple[UsePart, UsePart] = ("certificate", "key")


def _marks(layout: Layout, component: Component) -> set[str]:
    """The files that show that a component runs here: an API server's own, not its clients'."""
    serving = {path for place in layout.places if place.row == "apiserver"
               for path in place.files()}
    return serving if component == APISERVER else own_files(layout, component)


def _is_wanted(use: Use, uses: Sequence[Use], tree: Tree, layout: Layout) -> bool:
    """Whether a component beside a kubelet needs a file: half of an existing pair, or its CA."""
    group = {other.file for other in uses if other.group == use.group}
    if use.part == "authority" and not any(map(tree.there, group)):
        row = get_profile(PURPOSES[use.purpose].row)
        return row != CA \
            and any(tree.there(path) for place in layout.places for path in place.files()
                    if get_profile(place.row).signer == row.name)
    return any(map(tree.there, group)) or use.path.startswith(tuple(f"{path}#" for path in group))


def _uses(tree: Tree, layout: Layout, component: Component, flag: Flag) -> Iterator[Use]:
    """The use that a flag of a component would have in the layout."""
    setting = next((setting for setting in SETTINGS[component.name] if setting.name == flag.name),
                   None)
    place = _place(tree, layout, flag)
    if setting is None or place is None:
        return
    optional = place.only != "" or flag.needs == "ca-key"
    # a CA without its key is an external CA
    if flag.needs == "ca-key" and not tree.there(place.key):
        return
    if flag.needs == "kubelet-ca" and not layout.verifies_kubelets:
        return
    use = _use(component.name, f"--{flag.name}", getattr(place, flag.part), setting.purpose,
               setting.part, group=f"{component.name} {setting.pair}", optional=optional)
    yield from kubeconfig_uses(tree, use, f"/{use.path}") if use.part == "kubeconfig" else [use]


def _place(tree: Tree, layout: Layout, flag: Flag) -> Place | None:
    """The place of a flag's file: the preferred one, else the first with a file, else the first."""
    places = [place for place in layout.places if place.row in flag.rows
              and getattr(place, flag.part)
              and (not place.only or any(map(tree.there, place.files())))]
    if flag.prefer == "every host's":
        places = [place for place in places if "" in place.holders] or places
    return next((place for place in places if flag.prefer == "signer" and place.only == "signer"),
                None) \
        or next(iter(places), None)


def _of_people(tree: Tree, place: Place) -> Iterator[Use]:
    """The uses of people and of kubeadm at a place."""
    purpose = _PEOPLE.get(place.row, "")
    if purpose and any(map(tree.there, place.files())):
        if place.kubeconfig and (tree.there(place.kubeconfig) or not place.certificate):
            use = _use("kubectl", "--kubeconfig", place.kubeconfig, purpose, "kubeconfig",
                       group=place.kubeconfig)
            yield from kubeconfig_uses(tree, use, f"/{place.kubeconfig}")
        if place.certificate:
            yield from (_use("people", part, getattr(place, part), purpose, part,
                             group=place.certificate)
                        for part in _PAIR)
    if get_profile(place.row).kind == "ca" and place.key and tree.there(place.key):
        yield _use("kubeadm", "key", place.key, "authority-key", "key", group=place.certificate,
                   optional=True)


def _use(component: str, setting: str, path: str, purpose: str, part: UsePart, *, group: str = "",
         optional: bool = False) -> Use:
    return Use(component=component, setting=setting, source="", path=path, purpose=purpose,
               part=part, group=group or path, default=True, optional=optional)
