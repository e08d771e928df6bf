# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API calls of k8s_pod_move, as data: its documentation grants these and no more.

A test compares them with the audit log.
"""

from __future__ import annotations

from typing import Dict, Tuple

from ..resources import (
    ACCESS_REVIEW,
    DAEMON_SET,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    JOB,
    LEASE,
    NETWORK_POLICY,
    NODE,
    PDB,
    POD,
    PV,
    PVC,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Kind,
)

Right = Tuple[str, Kind, str]  # verb, kind, subresource
Call = Tuple[str, str, str]  # verb, API group, resource or resource/subresource

_ON_PODS: Tuple[Right, ...] = (
    ("watch", POD, ""),
    ("create", POD, ""),
    ("patch", POD, ""),
    ("delete", POD, ""),
    ("create", POD, "eviction"),
    ("create", LEASE, ""),
    ("patch", LEASE, ""),
    ("delete", LEASE, ""),
    ("list", PDB, ""),
    ("watch", PDB, ""),
)
_ON_SECRETS: Tuple[Right, ...] = tuple(
    (v, SECRET, "") for v in ("create", "get", "patch", "delete")
)
# What a strategy cannot do without: its preflight asks for each of these.
RIGHTS: Dict[str, Tuple[Right, ...]] = {
    "adopt": (*_ON_PODS, ("list", ENDPOINT_SLICE, ""), ("watch", ENDPOINT_SLICE, "")),
    "recreate": (*_ON_PODS, *_ON_SECRETS),
    "surge": _ON_PODS,
}


def _reads(verbs: str, *kinds: Kind) -> Tuple[Right, ...]:
    return tuple((verb, kind, "") for kind in kinds for verb in verbs.split())


_COMMON = (
    *_reads("get list", POD),
    *_reads("get list watch", LEASE),
    *_reads("get", NODE, PVC, PV),
    ("create", ACCESS_REVIEW, ""),
)
_OF_CONTROLLERS = (
    *_reads("get watch", DEPLOYMENT),
    *_reads("get list", REPLICA_SET, REPLICATION_CONTROLLER),
    *_reads("list", STATEFUL_SET, DAEMON_SET, JOB, SERVICE, NETWORK_POLICY),
)
_READS: Dict[str, Tuple[Right, ...]] = {
    "adopt": (*_COMMON, *_OF_CONTROLLERS),
    "recreate": _COMMON,
    "surge": _COMMON,
}


def _call(right: Right) -> Call:
    verb, kind, subresource = right
    return verb, kind.group, "/".join(filter(None, (kind.plural, subresource)))


API_CALLS: Dict[str, Tuple[Call, ...]] = {
    strategy: tuple(sorted({_call(r) for r in (*rights, *_READS[strategy])}))
    for strategy, rights in RIGHTS.items()
}
