# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who placed a pod, and when, from the most that is still known of it.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from ..api import Api, Object
from ..binding.write import COMPONENT, SCHEDULED_AT
from ..errors import Forbidden
from ..resources import EVENT, annotation, meta, uid
from ..rules.pod_state import is_mirror
from ..scheduled_event import reporter

SELECTOR = "reason=Scheduled"
Placements = Dict[str, Tuple[str, str]]  # pod uid -> who, when


def placements(api: Api, namespaces: Optional[Iterable[str]], warnings: List[str]) -> Placements:
    """What the ``Scheduled`` events of these namespaces, or of the cluster, say. They live an hour;
    a user who may not list them is warned.
    """
    found: Placements = {}

    def look(event: Object) -> None:
        told = event.get("involvedObject") or {}
        at = event.get("eventTime") or event.get("firstTimestamp")
        found[str(told.get("uid"))] = (
            reporter(event),
            str(at or meta(event).get("creationTimestamp") or ""),
        )

    try:
        if namespaces is None:
            api.scan(EVENT, look, field_selector=SELECTOR)
        for namespace in sorted(namespaces or ()):
            for event in api.list(EVENT, namespace, field_selector=SELECTOR)[0]:
                look(event)
    except Forbidden as err:
        warnings.append("who placed the pods is told by events: %s" % err.message)
    return found


def placed(pod: Mapping[str, Any], events: Placements) -> Dict[str, str]:
    """``by``, ``at``, and the ``source`` of both: event, annotation, condition or static."""
    if not (pod.get("spec") or {}).get("nodeName"):
        return _told("", "", "")
    event = events.get(uid(pod))
    if event is not None:
        return _told(*event, "event")
    stamped = annotation(pod, SCHEDULED_AT)
    if stamped:
        return _told(COMPONENT, stamped, "annotation")
    if is_mirror(pod):
        return _told("kubelet", str(meta(pod).get("creationTimestamp") or ""), "static")
    return _told("", _scheduled_at(pod), "condition")


def _told(by: str, at: str, source: str) -> Dict[str, str]:
    return {"by": by, "at": at, "source": source}


def _scheduled_at(pod: Mapping[str, Any]) -> str:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "True":
            return str(condition.get("lastTransitionTime") or "")
    return ""
