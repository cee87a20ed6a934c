"""Which certificates of a cluster one could be: the table of profiles, read backwards."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from ...errors import InputError
from ..layouts import LAYOUTS
from ..profiles import (ADMINISTRATORS, LONGEST_NAME, MASTERS_GROUP, NODE_PREFIX, PROFILES, Profile, check_node_name)
from ..reading import Names, Subject
from .shown import Use

_NODE = "{node}"
_ADMINISTRATORS = {MASTERS_GROUP, *(layout.administrators for layout in LAYOUTS)}
_FIXED = {name for profile in PROFILES for name in (profile.common_name, *profile.former) if _NODE not in name}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_USES: dict[str, Use] = {"serverAuth": "server", "clientAuth": "client"}
# By the row's kind of names: whether such names serve it. A node is reached by any; etcd calls itself at its own host.
# The API server's certificate is known by its subject alone.
_SERVES: dict[str, Callable[[set[str]], bool]] = {
    "node": bool, **dict.fromkeys(("etcd-server", "etcd-peer"), lambda names: bool(_LOOPBACK & names)),
    **dict.fromkeys(("none", "apiserver"), lambda names: True)}


def rows_of(subject: Subject, names: Names, uses: Collection[Use]) -> tuple[str, ...]:
    """The rows whose subject (present or former), kind and usages a certificate or request has.

    A CA may have any name; one that has a row's is taken for that row's.
    """
    if "sign" in uses:
        authorities = [one for one in PROFILES if one.kind == "ca"]
        named = [one.name for one in authorities if one.common_name == subject.user]
        return tuple(named or (one.name for one in authorities))
    return tuple(_leaves(subject, names, uses))


def _leaves(subject: Subject, names: Names, uses: Collection[Use]) -> Iterator[str]:
    for profile in PROFILES:
        if (profile.kind == "leaf" and _is_user(profile, subject.user) and _is_in_groups(profile, subject.groups)
                and all(_USES[usage] in uses for usage in profile.usages)
                and _SERVES[profile.sans]({*names.dns, *names.addresses})):
            yield profile.name


def _is_user(profile: Profile, user: str) -> bool:
    if profile.was_called(user):
        return True
    if profile.common_name == NODE_PREFIX + _NODE:
        return user.startswith(NODE_PREFIX) and user != NODE_PREFIX
    return user == profile.common_name if profile.common_name != _NODE else user not in _FIXED and _is_host(user)


def _is_host(user: str) -> bool:
    try:
        return bool(check_node_name(user, longest=LONGEST_NAME))
    except InputError:
        return False


def _is_in_groups(profile: Profile, groups: Collection[str]) -> bool:
    return all(_ADMINISTRATORS & {*groups} if group == ADMINISTRATORS else group in groups
               for group in profile.organizations)
