"""The plan for a workspace on disk."""
from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta

from .plan import Plan, make_plan
from ..desired.description import Cluster
from ..observed.inventory import Found
from ..workspace import looker_in, read_cluster
from ... import files


def plan_of(folder: str, *, now: datetime, cluster: Cluster | None = None, passphrase: bytes | None = None,
            host_name: str | None = None, look: Callable[[str], Found] | None = None,
            renew_before: timedelta | None = None) -> Plan:
    """The plan for a workspace: its description (or *cluster*) against what lies in it, or what *look* shows of it.

    *host_name* is as for `read_cluster`, *renew_before* as for `make_plan`.
    """
    if cluster is None:
        cluster = read_cluster(folder, host_name=host_name)
    return make_plan(cluster, look=look or looker_in(folder), now=now, passphrase=passphrase,
                     renew_before=renew_before,
                     read=lambda path: files.read(os.path.join(folder, path)))
