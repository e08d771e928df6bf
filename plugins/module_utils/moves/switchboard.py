# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which crew an event of the cluster concerns: only that one looks again."""

from __future__ import annotations

import threading
from typing import Callable, Dict, FrozenSet, Iterable, List, Mapping, Set, Tuple

from ..api import Object
from ..resources import ENDPOINT_SLICE, PDB, POD, REPLICA_SET, Kind, label, meta, uid
from ..rules.selectors import matches_labels
from ..workloads import controller_ref
from .names import MOVE_ID, MOVED_FROM_UID
from .plan import Plan

Wake = Callable[[str, str], None]


class Switchboard:
    """Rings ``wake`` with the uid of a workload, and of the pod whose move it is about: empty where
    another pod or object of the workload has changed. Controllers are not listened to: their
    changes are rare, and a waiting move looks at them every other second anyway.
    """

    def __init__(self, plans: Iterable[Plan], wake: Wake) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._of_uid: Dict[str, str] = {}
        self._moves: Dict[str, str] = {}
        self._pods: Set[str] = set()
        self._labels: Dict[str, List[Tuple[str, Mapping[str, str]]]] = {}
        self._of_budget: Dict[str, FrozenSet[str]] = {}
        for plan in plans:
            entry = plan.entry
            workload = entry.owner_uid or entry.pod_uid
            self._of_uid[entry.pod_uid] = self._of_uid[workload] = workload
            self._moves[entry.id] = entry.pod_uid
            self._pods.add(entry.pod_uid)
            known = self._labels.setdefault(str(meta(plan.pod)["namespace"]), [])
            known.append((workload, meta(plan.pod).get("labels") or {}))

    def hear(self, kind: Kind, namespace: str, obj: Object) -> None:
        """One event: a subscriber of ``live.LiveApi``."""
        if kind is POD:
            self._hear_pod(obj)
        elif kind is REPLICA_SET:  # the temporary one of a move
            pod = self._moves.get(label(obj, MOVE_ID) or "")
            if pod is not None:
                self._wake(self._of_uid[pod], pod)
        else:
            for workload in self._concerned(kind, namespace, obj):
                self._wake(workload, "")

    def _concerned(self, kind: Kind, namespace: str, obj: Object) -> Iterable[str]:
        if kind is ENDPOINT_SLICE:
            targets = [(e.get("targetRef") or {}).get("uid") for e in obj.get("endpoints") or []]
            return {self._of_uid[t] for t in targets if t in self._of_uid}
        return self._under_budget(namespace, obj) if kind is PDB else ()

    def _hear_pod(self, pod: Object) -> None:
        former = label(pod, MOVED_FROM_UID) or ""
        ref = controller_ref(pod)
        for key in (former, uid(pod), ref["uid"] if ref is not None else ""):
            workload = self._of_uid.get(key)
            if workload is not None:
                self._wake(workload, key if key in self._pods else "")
        if former in self._pods:
            self._of_uid[uid(pod)] = self._of_uid[former]

    def _under_budget(self, namespace: str, budget: Object) -> Iterable[str]:
        with self._lock:
            key = "%s/%s" % (uid(budget), meta(budget).get("generation"))
            if key not in self._of_budget:
                wanted = (budget.get("spec") or {}).get("selector")
                self._of_budget[key] = frozenset(
                    workload
                    for workload, labels in self._labels.get(namespace, [])
                    if matches_labels(wanted, labels)
                )
            return self._of_budget[key]
