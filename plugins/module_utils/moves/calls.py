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
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    EVENT,
    JOB,
    LEASE,
    MUTATING_POLICY,
    MUTATING_POLICY_BINDING,
    NAMESPACE,
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
    VALIDATING_POLICY,
    VALIDATING_POLICY_BINDING,
    VOLUME_ATTACHMENT,
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
_ON_ENDPOINTS: Tuple[Right, ...] = tuple((v, ENDPOINT_SLICE, "") for v in ("list", "watch"))
_ON_REPLICA_SETS: Tuple[Right, ...] = tuple(
    (v, REPLICA_SET, "") for v in ("create", "list", "watch", "patch", "delete")
)
# What a strategy cannot do without: its preflight asks for each of these.
RIGHTS: Dict[str, Tuple[Right, ...]] = {
    "adopt": (*_ON_PODS, *_ON_ENDPOINTS),
    "recreate": (*_ON_PODS, *_ON_SECRETS),
    "shadow": (*_ON_PODS, *_ON_ENDPOINTS, *_ON_REPLICA_SETS),
    "surge": _ON_PODS,
    "replace": _ON_PODS,
    "steer": _ON_PODS,
    "evict": tuple(r for r in _ON_PODS if r not in (("create", POD, ""), ("delete", POD, ""))),
}
# What each way of ``steer`` needs more: verb, kind, and whether in the namespace of the pod only.
WAY_RIGHTS: Dict[str, Tuple[Tuple[str, Kind, bool], ...]] = {
    "static": (
        *((v, CONFIG_MAP, True) for v in ("get", "create", "delete")),
        ("list", MUTATING_POLICY_BINDING, False),
    ),
    "block": (
        *((v, VALIDATING_POLICY, False) for v in ("get", "list", "create", "patch", "delete")),
        *((v, VALIDATING_POLICY_BINDING, False) for v in ("get", "list", "create", "delete")),
        ("get", CONTROLLER_REVISION, True),
    ),
    "policy": tuple(
        (v, kind, False)
        for kind in (MUTATING_POLICY, MUTATING_POLICY_BINDING)
        for v in ("get", "list", "create", "delete")
    ),
    "hold": (("get", CONTROLLER_REVISION, True),),
}


def _reads(verbs: str, *kinds: Kind) -> Tuple[Right, ...]:
    return tuple((verb, kind, "") for kind in kinds for verb in verbs.split())


_COMMON = (
    *_reads("get list", POD),
    *_reads("get list watch", LEASE),
    *_reads("get", NODE, PVC, PV),
    # A pod's spread and affinity are judged by nodes, and by namespaces where they select these. A
    # move warns where it is not allowed to see them.
    *_reads("list", NODE),
    *_reads("get list", NAMESPACE),
    ("create", ACCESS_REVIEW, ""),
    ("create", EVENT, ""),  # a move does without where it is not allowed
)
_OF_CONTROLLERS = (
    *_reads("get watch", DEPLOYMENT),
    *_reads("get list", REPLICA_SET, REPLICATION_CONTROLLER),
    *_reads("list", STATEFUL_SET, DAEMON_SET, JOB, SERVICE, NETWORK_POLICY),
)
_READS: Dict[str, Tuple[Right, ...]] = {
    "adopt": (*_COMMON, *_OF_CONTROLLERS),
    "recreate": _COMMON,
    "shadow": (*_COMMON, *_OF_CONTROLLERS),
    "surge": _COMMON,
    # A move does without the attachments where it is not allowed to see them.
    "replace": (*_COMMON, *_OF_CONTROLLERS, *_reads("list watch", VOLUME_ATTACHMENT)),
    "evict": (*_COMMON, *_OF_CONTROLLERS, *_reads("get", STATEFUL_SET, JOB)),
    # A recovery does without the ConfigMaps where it is not allowed to see them.
    "steer": (*_COMMON, *_reads("get", STATEFUL_SET, NAMESPACE), *_reads("list", CONFIG_MAP)),
}


def _call(right: Right) -> Call:
    verb, kind, subresource = right
    return verb, kind.group, "/".join(filter(None, (kind.plural, subresource)))


API_CALLS: Dict[str, Tuple[Call, ...]] = {
    strategy: tuple(sorted({_call(r) for r in (*rights, *_READS[strategy])}))
    for strategy, rights in RIGHTS.items()
}
API_CALLS.update(
    {
        "steer, " + way: tuple(
            sorted(
                {*API_CALLS["steer"], *(_call((verb, kind, "")) for verb, kind, *rest in rights)}
            )
        )
        for way, rights in WAY_RIGHTS.items()
    }
)
