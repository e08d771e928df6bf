# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which controller replaced a pod that is gone, and by which pod: a second run needs to know.

A pod's name is its controller's name and a random suffix. A controller that has the wanted
scheduler name, and that carries our record of the change, has replaced every pod it had before: the
named one was among them.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import re
from typing import Any, List, Mapping, Optional, Tuple

from .api import Api, Object
from .resources import (
    DAEMON_SET,
    DEPLOYMENT,
    POD,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    STATEFUL_SET,
    Kind,
    annotation,
    meta,
    uid,
)
from .rules.pod_state import is_terminating
from .scheduler_name import PREVIOUS, scheduler_of
from .workloads import controller_ref, owner_chain, selector, selector_string, template

Found = Tuple[Kind, Object]
# What the API server appends to generateName, and where it cuts what stands before it.
_SUFFIX = re.compile(r"-(m[0-9a-f]{5}|[a-z0-9]{5})$")
_BASE_LIMIT = 57
_HASH = re.compile(r"-[a-z0-9]{1,10}$")


def replaced_by_controller(
    api: Api, namespace: str, name: str, scheduler_name: str
) -> Optional[Found]:
    """The controller that made the pod of this name, if we have given it that scheduler since."""
    base = _SUFFIX.sub("", name)
    if base == name:
        return None
    for kind in (REPLICATION_CONTROLLER, REPLICA_SET, DAEMON_SET, DEPLOYMENT):
        made_by = _HASH.sub("", base) if kind is DEPLOYMENT else base
        for obj in api.list(kind, namespace)[0]:
            if meta(obj)["name"][:_BASE_LIMIT] == made_by and _changed_by_us(
                kind, obj, scheduler_name
            ):
                return kind, obj
    return None


def _changed_by_us(kind: Kind, obj: Object, scheduler_name: str) -> bool:
    """Not a ReplicaSet under a Deployment: its annotations are copies of the Deployment's."""
    if controller_ref(obj) is not None and kind is REPLICA_SET:
        return False
    return (
        annotation(obj, PREVIOUS) is not None
        and scheduler_of(template(kind.kind, obj)) == scheduler_name
    )


def heir_of(
    api: Api,
    kind: Kind,
    controller: Object,
    scheduler_name: str,
    *,
    instead_of: Optional[Mapping[str, Any]] = None,
) -> Optional[Object]:
    """A pod of the controller under that scheduler: the one in the old pod's place, if any."""
    found, _version = api.list(
        POD,
        meta(controller)["namespace"],
        label_selector=selector_string(selector(kind.kind, controller)),
    )
    heirs = [p for p in found if scheduler_of(p) == scheduler_name and not is_terminating(p)]
    heirs = [p for p in heirs if any(link.uid == uid(controller) for link in owner_chain(api, p))]
    if instead_of is not None:
        heirs = _in_place_of(kind, instead_of, heirs)
    return max(
        heirs, key=lambda p: (meta(p).get("creationTimestamp", ""), meta(p)["name"]), default=None
    )


def _in_place_of(kind: Kind, pod: Mapping[str, Any], heirs: List[Object]) -> List[Object]:
    """A StatefulSet's pod returns under its name, a DaemonSet's on its node; others have none."""
    if kind is STATEFUL_SET:
        return [p for p in heirs if meta(p)["name"] == meta(pod)["name"]]
    if kind is DAEMON_SET:
        return [p for p in heirs if _pinned_to(p) == pod["spec"].get("nodeName")]
    return heirs


def _pinned_to(pod: Mapping[str, Any]) -> Optional[str]:
    """The node of a DaemonSet's pod; before it is bound, what is in its affinity."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    for term in (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get(
        "nodeSelectorTerms"
    ) or []:
        for want in term.get("matchFields") or []:
            if want.get("key") == "metadata.name" and want.get("values"):
                return str(want["values"][0])
    return None
