"""What is wrong with one row: what is found of it held against what is wanted of it."""
from __future__ import annotations

from dataclasses import replace

from .authorities import judge_authority, judge_service_accounts
from .judged import Judged, Look
from .kubeconfigs import judge_kubeconfig
from .leaves import Judge
from .pair import judge_pair
from ..desired.rows import Row


def judge(row: Row, look: Look, by: Judge) -> Judged:
    """Hold what is found of a row against what is wanted of it. Raises nothing for what is in the tree."""
    if row.profile.kind == "ca":
        return judge_authority(row, look, by)
    if row.profile.kind == "key":
        return judge_service_accounts(row, look, by)
    place, judged = row.place, Judged()
    if place.certificate or place.key:
        certificate, key = (look(path) if path else None for path in (place.certificate, place.key))
        judged = judge_pair(row, certificate, key, by)
    if place.kubeconfig:
        config = judge_kubeconfig(row, look, by)
        judged.kubeconfig_right = config.kubeconfig_right
        judged.findings += [one for one in config.findings if one not in judged.findings]
        if not place.certificate:
            judged = replace(config, findings=judged.findings)
    return judged
