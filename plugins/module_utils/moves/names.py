# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that a move leaves on objects, and how the next run finds them again."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, List, Mapping, Optional, Sequence

from ..api import Api, Object
from ..resources import POD, annotation, meta, uid
from ..rules.pod_state import is_terminating

DOMAIN = "podplacement.io"
MOVE = DOMAIN + "/move"
MOVE_ID = DOMAIN + "/move-id"
MOVED_FROM_UID = DOMAIN + "/moved-from-uid"
MOVED_FROM_NAME = DOMAIN + "/moved-from-name"
JOURNAL = DOMAIN + "/journal"
COMPANY = DOMAIN + "/company"
EPOCH = DOMAIN + "/epoch"
LEASE_UID = DOMAIN + "/lease-uid"
SCHEDULED_AT = DOMAIN + "/scheduled-at"
DO_NOT_MOVE = DOMAIN + "/do-not-move"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
# The bounds that the ReplicaSet controller accepts: the old pod goes first, the new one last.
GOES_FIRST = "-2147483648"
GOES_LAST = "2147483647"
MARKS = 4096  # costs from GOES_FIRST on, so that several old pods go in their order

NAME_LIMIT = 63  # as generateName: a pod's name becomes its hostname
_SUFFIX = re.compile(r"-m[0-9a-f]{5}$")
_REMEMBERED_NAMES = 20


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def move_id(pod_uid: str, destination: str) -> str:
    """The same pod to the same place is the same move, so a re-run finds its own objects."""
    return _digest("%s/%s" % (pod_uid, destination), 10)


def mark(place: int) -> str:
    """The deletion cost of the old pod whose swap is the ``place``-th of its lock."""
    return str(int(GOES_FIRST) + place % MARKS)


def is_mark(cost: Optional[str]) -> bool:
    """A deletion cost that a swap has given."""
    try:
        return 0 <= int(cost or "0") - int(GOES_FIRST) < MARKS
    except ValueError:
        return False


def lease_name(workload_uid: str) -> str:
    """The lock of a workload: named from the uid of the pod's controller, or of the bare pod
    itself.
    """
    return "podmove-" + _digest(workload_uid, 10)


def replacement_name(base: str, move: str, attempt: int) -> str:
    """A deterministic pod name; ``attempt`` tells it from an earlier one that still terminates."""
    stem = _SUFFIX.sub("", base)[: NAME_LIMIT - 7].rstrip("-.")
    return "%s-m%s" % (stem, _digest("%s/%d" % (move, attempt), 5))


def former_names(pod: Mapping[str, Any]) -> List[str]:
    """The names this pod had before it was moved, oldest first."""
    try:
        names = json.loads(annotation(pod, MOVED_FROM_NAME) or "[]")
    except ValueError:
        return []
    return [str(n) for n in names] if isinstance(names, list) else []


def names_after(pod: Mapping[str, Any]) -> str:
    """The annotation that the pod's replacement carries: its former names and its present one."""
    names: Sequence[str] = [*former_names(pod), str(meta(pod)["name"])]
    return json.dumps(names[-_REMEMBERED_NAMES:])


def successor_of(api: Api, namespace: str, name: str) -> Optional[Object]:
    """The youngest pod that a move made out of the pod of that name, or None."""
    moved, _version = api.list(POD, namespace, label_selector=MOVED_FROM_UID)
    heirs = [p for p in moved if name in former_names(p) and not is_terminating(p)]
    return max(heirs, key=lambda p: (meta(p).get("creationTimestamp", ""), uid(p)), default=None)
