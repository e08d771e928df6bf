# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events on the pods: `kubectl describe` tells who moved a pod, where to, and why a move went back.

They are told, not relied on: nothing reads them, one that cannot be written is left out, and a user
who may not create events in a namespace is warned once and not tried again there.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from ..api import Api
from ..errors import ApiError, Forbidden
from ..resources import EVENT, meta, uid
from .journal import Entry
from .order import Settings

COMPONENT = "podplacement"


class Announcer:
    """The events of one run in one namespace. ``warnings`` is for the run's result."""

    def __init__(self, api: Api, settings: Settings, namespace: str) -> None:
        self.api = api
        self.settings = settings
        self.namespace = namespace
        self.warnings: List[str] = []

    def moving(self, entry: Entry) -> None:
        """On the old pod: its move has begun."""
        where = "to node %s" % entry.node if entry.node else "to where its scheduler wants it"
        text = "Moving from node %s %s by strategy %s" % (entry.from_node, where, entry.strategy)
        self._tell(_old(entry), "Moving", text)

    def moved(self, entry: Entry, new: Mapping[str, Any]) -> None:
        """On the new pod: it has taken the old one's place."""
        node = (new.get("spec") or {}).get("nodeName", "")
        text = "Moved from node %s to %s in the place of pod %s" % (
            entry.from_node,
            node,
            entry.pod,
        )
        self._tell({"name": meta(new).get("name", ""), "uid": uid(new)}, "Moved", text)

    def rolled_back(self, entry: Entry, code: str, why: str) -> None:
        """On the old pod: it stays where it is."""
        self._tell(_old(entry), "MoveRolledBack", "%s: %s" % (code, why), kind="Warning")

    def failed(self, entry: Entry, code: str, why: str) -> None:
        """On the old pod: the move stopped halfway, and the next run settles it."""
        self._tell(_old(entry), "MoveFailed", "%s: %s" % (code, why), kind="Warning")

    def _tell(self, pod: Dict[str, str], reason: str, text: str, *, kind: str = "Normal") -> None:
        if self.settings.check or self.namespace in self.settings.silent or not pod["name"]:
            return
        event = _event(dict(pod, namespace=self.namespace), reason, text, kind)
        second = self.settings.clock.wall()[:19] + "Z"
        event.update(firstTimestamp=second, lastTimestamp=second)
        try:
            self.api.create(EVENT, event, self.namespace)
        except Forbidden as err:
            self.settings.silent.add(self.namespace)
            told = "no events about moves in namespace %s: %s"
            self.warnings.append(told % (self.namespace, err.message))
        except ApiError:
            return  # nobody waits for it


def _old(entry: Entry) -> Dict[str, str]:
    return {"name": entry.pod, "uid": entry.pod_uid}


def _event(pod: Dict[str, str], reason: str, text: str, kind: str) -> Dict[str, Any]:
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"generateName": pod["name"] + ".", "namespace": pod["namespace"]},
        "involvedObject": dict(pod, apiVersion="v1", kind="Pod"),
        "type": kind,
        "reason": reason,
        "message": text[:1024],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "action": "Move",
        "count": 1,
    }
