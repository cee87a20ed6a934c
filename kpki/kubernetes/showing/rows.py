"""Subject, names and usages of a certificate → the rows of the profiles table that it matches."""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from .shown import ShownUse
from ..layouts import LAYOUTS
from ..profiles import (
    ADMINISTRATORS,
    LONGEST_NAME,
    MASTERS_GROUP,
    NODE_PREFIX,
    PROFILES,
    Profile,
    validate_node_name,
)
from ..reading import Names, Subject
from ...errors import InputError

_NODE = "{node}"
_ADMINISTRATORS = {MASTERS_GROUP, *(layout.administrators for layout in LAYOUTS)}
_FIXED = {name for profile in PROFILES for name in (profile.common_name, *profile.former)
          if _NODE not in name}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_USES: dict[str, ShownUse] = {"serverAuth": "server", "clientAuth": "client"}
# The row's kind of names → whether a certificate's names fit. A node has any names; etcd's clients
# on the same host use the loopback address. The API server's certificate is known by its subject
# alone.
_SERVES: dict[str, Callable[[set[str]], bool]] = {
    "node": bool, **dict.fromkeys(("etcd-server", "etcd-peer"),
                                  lambda names: bool(_LOOPBACK & names)),
    **dict.fromkeys(("none", "apiserver"), lambda _names: True)}


def rows_of(subject: Subject, names: Names, uses: Collection[ShownUse]) -> tuple[str, ...]:
    """The rows with the subject (present or former), kind and usages of a certificate or request.

    A CA with the common name of a row matches that row, any other CA every CA's row.
    """
    if "sign" in uses:
        authorities = [profile for profile in PROFILES if profile.kind == "ca"]
        named = [authority.name for authority in authorities
                 if authority.common_name == subject.user]
        return tuple(named or (authority.name for authority in authorities))
    return tuple(_leaves(subject, names, uses))


def _leaves(subject: Subject, names: Names, uses: Collection[ShownUse]) -> Iterator[str]:
    for profile in PROFILES:
        if (profile.kind == "leaf" and _is_user(profile, subject.user)
            and _is_in_groups(profile, subject.groups)
                and all(_USES[usage] in uses for usage in profile.usages)
                and _SERVES[profile.sans]({*names.dns, *names.addresses})):
            yield profile.name


def _is_user(profile: Profile, user: str) -> bool:
    if profile.has_former_name(user):
        return True
    if profile.common_name == NODE_PREFIX + _NODE:
        return user.startswith(NODE_PREFIX) and user != NODE_PREFIX
    if profile.common_name == _NODE:
        return user not in _FIXED and _is_host(user)
    return user == profile.common_name


def _is_host(user: str) -> bool:
    try:
        return bool(validate_node_name(user, longest=LONGEST_NAME))
    except InputError:
        return False


def _is_in_groups(profile: Profile, groups: Collection[str]) -> bool:
    return all(_ADMINISTRATORS & {*groups} if group == ADMINISTRATORS else group in groups
               for group in profile.organizations)
