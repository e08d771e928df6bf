# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a move that has ended says of itself: an item of the result, or the error of the task."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

from ..api import Object
from ..errors import PlacementError
from ..resources import meta, uid
from .journal import Entry
from .machine import Machine
from .scene import Step


def moved_item(
    entry: Entry, namespace: str, machine: Optional[Machine] = None, new: Optional[Object] = None
) -> Dict[str, Any]:
    """The item of ``moved``; without a machine, for a move that another run has finished."""
    new = new or (machine.replacement if machine is not None else None) or {}
    times: Mapping[str, float] = {} if machine is None else machine.vigil.times
    start = min(times.values(), default=0.0)
    ready, stopping = times.get("ready"), times.get("terminating", times.get("gone"))
    downtime = max(0.0, ready - stopping) if ready is not None and stopping is not None else 0.0
    return {
        **({} if machine is None else machine.details),
        "namespace": namespace,
        "pod": entry.pod,
        "uid": entry.pod_uid,
        "new_pod": meta(new).get("name", ""),
        "new_uid": uid(new),
        "from_node": entry.from_node,
        "to_node": (new.get("spec") or {}).get("nodeName", ""),
        "strategy": entry.strategy,
        "victim_mismatch": machine is not None and machine.mismatch,
        "downtime": round(downtime, 3),
        "timings": {
            event.replace(" ", "_"): round(at - start, 3) for event, at in sorted(times.items())
        },
    }


def failure_of(
    step: Step, entry: Entry, namespace: str, machine: Optional[Machine] = None
) -> PlacementError:
    """The error of a move that was rolled back, was never begun, or lost its pod on the way."""
    restored = entry.strategy == "recreate" and machine is not None and machine.entry.id != entry.id
    disrupted = machine is not None and machine.disrupted
    return PlacementError(
        step.code,
        step.why or "the move did not happen",
        object="Pod %s/%s" % (namespace, entry.pod),
        step="move",
        hint=_gone_hint(step.code) if disrupted else _hint(step.code),
        changed=restored or disrupted,
        result={"rolled_back": not disrupted},
    )


def _gone_hint(code: str) -> str:
    """After an eviction there is no way back, but always a controller."""
    hints = {
        "VictimMismatch": "Move that pod, or leave it where it is.",
        "VolumeStillAttached": "Look at the volume's driver and at the old node.",
        "TerminationTimeout": "Look at the old pod's node and finalizers.",
        "JobFailed": "The Job counts an evicted pod as a failure; see its backoffLimit.",
    }
    return hints.get(code, "The old pod is gone; its controller sees to another. Look at that one.")


def _hint(code: str) -> str:
    hints = {
        "PodGone": "Its controller or a person deleted it; name a pod that runs.",
        "OwnerGone": "The workload was deleted meanwhile; there is nothing to move.",
        "RolloutInProgress": "Run the task again when the rollout is complete.",
        "WorkloadNotReady": "All pods of the workload must be Ready first; look at the others.",
        "Cancelled": "Run the task again to go on.",
        "MaxFailures": "Look at the moves that failed, remove the cause and run the task again.",
        "DeadlineReached": "Run the task again in the next window, or give it more time.",
        "PdbBlocked": "The budget refuses, with a Ready replacement counted; see its other pods.",
        "EvacuationTriggered": "An operator moves this pod itself; see how far it is, then go on.",
        "ReplacementDiffers": "Set accept_differences: true when the new pod is what you want.",
        "NotScheduled": "Check that a scheduler of that name runs.",
        "Unschedulable": "Choose another node, or make room on this one.",
    }
    return hints.get(code, "The old pod serves as before. Remove the cause and run the task again.")
