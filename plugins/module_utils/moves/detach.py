# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which label keeps a replacement out of its controller's sight, and whether anyone else would
claim it.
"""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Tuple

from ..api import Api, Object
from ..errors import PlacementError
from ..resources import (
    DAEMON_SET,
    JOB,
    NETWORK_POLICY,
    PDB,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    SERVICE,
    STATEFUL_SET,
    Kind,
    describe,
    meta,
    uid,
)
from ..rules.selectors import matches_labels
from ..workloads import TEMPLATE_HASH, selector, template

Labels = Mapping[str, str]
_CLAIMERS: Tuple[Kind, ...] = (REPLICA_SET, REPLICATION_CONTROLLER, STATEFUL_SET, DAEMON_SET, JOB)


def choose_key(api: Api, kind: str, owner: Object) -> Tuple[str, str]:
    """The detach key and its value: a label without which the owner does not match and everyone
    else still does.

    Of a Deployment's ReplicaSet it is always ``pod-template-hash``. Raises ``NoDetachKey`` when
    every selector key of a bare owner also is in the selector of a Service, budget or network
    policy that selects its pods.
    """
    wanted = selector(kind, owner)
    labels = dict(meta(template(kind, owner)).get("labels") or {})
    own = (meta(owner).get("labels") or {}).get(TEMPLATE_HASH)
    if TEMPLATE_HASH in (wanted.get("matchLabels") or {}) and own:
        return TEMPLATE_HASH, own
    others = _other_selectors(api, str(meta(owner)["namespace"]))
    for key in sorted(_keys(wanted)):
        without = {k: v for k, v in labels.items() if k != key}
        if key in labels and not matches_labels(wanted, without) and _same(others, labels, without):
            return key, labels[key]
    raise PlacementError(
        "NoDetachKey",
        "every selector key of the controller also is in a selector of a Service, budget or "
        "network policy",
        object=describe(kind, owner),
        step="preflight",
        hint="Give the controller's selector one more label that nothing else selects on.",
    )


def _keys(wanted: Mapping[str, Any]) -> List[str]:
    expressions = wanted.get("matchExpressions") or []
    return [*(wanted.get("matchLabels") or {}), *(e["key"] for e in expressions)]


def _other_selectors(api: Api, namespace: str) -> List[Mapping[str, Any]]:
    services = api.list(SERVICE, namespace)[0]
    found: List[Mapping[str, Any]] = [
        {"matchLabels": s["spec"]["selector"]}
        for s in services
        if (s.get("spec") or {}).get("selector")
    ]
    found += [(b.get("spec") or {}).get("selector") or {} for b in api.list(PDB, namespace)[0]]
    for policy in api.list(NETWORK_POLICY, namespace)[0]:
        spec = policy.get("spec") or {}
        found.append(spec.get("podSelector") or {})
        found += [
            peer["podSelector"]
            for direction, side in (("ingress", "from"), ("egress", "to"))
            for rule in spec.get(direction) or []
            for peer in rule.get(side) or []
            if peer.get("podSelector") and not peer.get("namespaceSelector")
        ]
    return found


def _same(selectors: List[Mapping[str, Any]], labels: Labels, without: Labels) -> bool:
    """The replacement is selected by exactly those who select the pod."""
    return all(matches_labels(s, labels) == matches_labels(s, without) for s in selectors)


def refuse_other_claimer(api: Api, namespace: str, owner_uid: str, labels: Labels) -> None:
    """Raise ``SelectorOverlap`` when another controller would adopt a controller-less pod with
    these labels (trap 28).
    """
    claimer = _claimer(api, namespace, owner_uid, labels)
    if claimer is None:
        return
    kind, found = claimer
    raise PlacementError(
        "SelectorOverlap",
        "%s would adopt the replacement: its selector matches these pods too"
        % describe(kind, found),
        object=describe(kind, found),
        step="preflight",
        hint="Two controllers must not select the same pods; make their selectors disjoint.",
    )


def _claimer(
    api: Api, namespace: str, owner_uid: str, labels: Labels
) -> Optional[Tuple[str, Object]]:
    for kind in _CLAIMERS:
        for found in api.list(kind, namespace)[0]:
            wanted = selector(kind.kind, found)
            named = bool(wanted.get("matchLabels") or wanted.get("matchExpressions"))
            if uid(found) != owner_uid and named and matches_labels(wanted, labels):
                return kind.kind, found
    return None
