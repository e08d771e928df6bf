# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was on the node survives the node: a ConfigMap that a later run, anywhere, brings back from.

It is written before the first move and deleted when everything is back. Pods of a controller are
counted, because a moved one has another name; bare pods are named.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..api import Api, Object
from ..errors import AlreadyExists, Conflict, NotFound, OutcomeUnknown, PlacementError
from ..moves.controllers import COUNTED, top_controller
from ..moves.names import DOMAIN
from ..resources import CONFIG_MAP, describe, meta, uid
from ..rules.pod_state import is_mirror, is_terminal, is_terminating
from ..workloads import owner_chain

EVACUATION = DOMAIN + "/evacuation"
SCHEMA = 1
STATE = "state.json"

Controller = Tuple[str, str, str]  # namespace, kind, name


@dataclass(frozen=True)
class Record:
    """How the node was before: ``controllers`` has how many pods of each were there."""

    node: str
    began: str
    was_unschedulable: bool
    controllers: Dict[Controller, int] = field(default_factory=dict)
    pods: Tuple[Tuple[str, str], ...] = ()

    def merged(self, newer: Record) -> Record:
        """What was there at first, and what came meanwhile."""
        counts = dict(newer.controllers)
        for key, count in self.controllers.items():
            counts[key] = max(count, counts.get(key, 0))
        pods = sorted({*self.pods, *newer.pods})
        return replace(self, controllers=counts, pods=tuple(pods))

    def is_empty(self) -> bool:
        """Nothing was there that could be brought back."""
        return not self.controllers and not self.pods

    def text(self) -> str:
        """As it is kept."""
        counted = [
            {"namespace": key[0], "kind": key[1], "name": key[2], "count": count}
            for key, count in sorted(self.controllers.items())
        ]
        bare = [{"namespace": namespace, "name": name} for namespace, name in self.pods]
        found = {k: v for k, v in asdict(self).items() if k not in ("node", "controllers", "pods")}
        return json.dumps(dict(found, controllers=counted, pods=bare), sort_keys=True)


def record_name(node: str) -> str:
    """A name that fits, whatever the node is called."""
    return "podplacement-evacuation-" + hashlib.sha256(node.encode()).hexdigest()[:10]


def take_stock(
    api: Api, node: str, pods: Sequence[Object], *, began: str, was_unschedulable: bool
) -> Record:
    """The record of these pods, less those that belong to the node or are over."""
    counts: Dict[Controller, int] = {}
    bare: List[Tuple[str, str]] = []
    for pod in pods:
        if is_terminal(pod) or is_terminating(pod) or is_mirror(pod):
            continue
        namespace = str(meta(pod)["namespace"])
        chain = owner_chain(api, pod)
        if not chain:
            bare.append((namespace, str(meta(pod)["name"])))
            continue
        owner = top_controller(chain)
        if owner is not None and owner.kind in COUNTED:
            key = (namespace, owner.kind, owner.name)
            counts[key] = counts.get(key, 0) + 1
    return Record(node, began, was_unschedulable, counts, tuple(sorted(bare)))


# ---- in the cluster


def find(api: Api, namespace: str, node: str) -> Optional[Object]:
    """The ConfigMap of that node, or None."""
    try:
        found = api.get(CONFIG_MAP, record_name(node), namespace)
    except NotFound:
        return None
    owner = str((found.get("data") or {}).get("node"))
    if owner != node:
        raise _unreadable(found, "it is of node %s" % owner)
    return found


def read(config_map: Mapping[str, Any]) -> Record:
    """The record in a ConfigMap; one of a later version is refused, not guessed at."""
    data = config_map.get("data") or {}
    try:
        if int(data["schema"]) > SCHEMA:
            raise PlacementError(
                "RecordTooNew",
                "the record of the evacuation has schema %s, this version knows up to %d"
                % (data["schema"], SCHEMA),
                object=describe("ConfigMap", config_map),
                step="record",
                hint="Use the newer version of this collection that wrote it.",
            )
        state = json.loads(data[STATE])
        return Record(
            node=data["node"],
            began=str(state["began"]),
            was_unschedulable=bool(state["was_unschedulable"]),
            controllers={
                (c["namespace"], c["kind"], c["name"]): int(c["count"])
                for c in state["controllers"]
            },
            pods=tuple((p["namespace"], p["name"]) for p in state["pods"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        raise _unreadable(config_map, repr(err)) from err


def save(api: Api, namespace: str, record: Record) -> Object:
    """Write the record, over an older one of that node."""
    while True:
        found = find(api, namespace, record.node)
        data = {"node": record.node, "schema": str(SCHEMA), STATE: record.text()}
        if found is not None and found.get("data") == data:
            return found
        try:
            if found is None:
                return api.create(CONFIG_MAP, _manifest(namespace, record.node, data), namespace)
            guard = {"uid": uid(found), "resourceVersion": meta(found)["resourceVersion"]}
            body = {"metadata": guard, "data": data}
            return api.patch(CONFIG_MAP, str(meta(found)["name"]), body, namespace)
        except (AlreadyExists, Conflict, NotFound, OutcomeUnknown):
            continue  # the next look shows what is true


def remove(api: Api, config_map: Mapping[str, Any]) -> None:
    """Everything is back: forget it, if it is the record that was read."""
    found = meta(config_map)
    with suppress(NotFound, OutcomeUnknown):
        api.delete(CONFIG_MAP, found["name"], found["namespace"], uid=found["uid"])


def _manifest(namespace: str, node: str, data: Mapping[str, str]) -> Object:
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.kind,
        "metadata": {
            "name": record_name(node),
            "namespace": namespace,
            "labels": {EVACUATION: "true"},
        },
        "data": dict(data),
    }


def _unreadable(config_map: Mapping[str, Any], why: str) -> PlacementError:
    return PlacementError(
        "RecordUnreadable",
        "the record of the evacuation cannot be read: %s" % why,
        object=describe("ConfigMap", config_map),
        step="record",
        hint="Look at it; delete it when nothing is to be brought back.",
    )
