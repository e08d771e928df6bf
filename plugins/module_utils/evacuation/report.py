# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an evacuation to the module's result, or to its failure with the same lists in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List

from ..errors import ApiError, PlacementError, api_to_placement
from .plans import STAYING
from .record import record_name
from .request import Request
from .waves import STOPS, Waves

Data = Dict[str, Any]


@dataclass
class Report:
    """What is to be told beside the moves."""

    changed: bool = False
    cordoned: bool = False  # the node is cordoned, by an evacuation
    unschedulable: bool = False
    was_unschedulable: bool = False
    recorded: bool = False
    recovered: List[Data] = field(default_factory=list)
    warnings: List[str] = field(default_factory=list)


def result_of(request: Request, report: Report, waves: Waves) -> Data:
    """The module's result."""
    record = {"namespace": request.record_namespace, "name": record_name(request.node)}
    return {
        "changed": report.changed or bool(waves.moved or waves.recovered),
        "moved": waves.moved,
        "plan": list(waves.plans.values()),
        "leftovers": waves.leftovers(),
        "recovered": [*report.recovered, *waves.recovered],
        "cordoned": report.cordoned,
        "record": record if report.recorded else {},
        "summary": waves.summary(),
        "warnings": [*report.warnings, *waves.warnings],
        "diff": {
            "before": _state(request, report.was_unschedulable, waves.first),
            "after": _state(request, report.unschedulable, waves.remaining()),
        },
    }


def failure_of(request: Request, result: Data, stopped: str) -> PlacementError | None:
    """The error that such a result is, or None when all is well."""
    wanted = [item for item in result["leftovers"] if item["code"] not in STAYING]
    accepted = request.on_leftovers == "report" and stopped in ("", "DeadlineReached")
    if accepted or not (wanted or stopped == "Cancelled"):
        return None
    back = request.state == "returned"
    code = stopped or ("NotReturned" if back else "NotEvacuated")
    why, hint = STOPS.get(code, ("", "See the reason of each in leftovers."))
    text = "%d pods are not on node %s" if back else "%d pods are still on node %s"
    message = text % (len(wanted), request.node)
    if wanted:
        first = wanted[0]
        message += "; the first is %(namespace)s/%(name)s: %(code)s, %(reason)s" % first
    return PlacementError(
        code,
        "%s: %s" % (why, message) if why else message,
        object="Node %s" % request.node,
        step="return" if back else "evacuate",
        hint=hint,
        changed=bool(result["changed"]),
        result={k: v for k, v in result.items() if k != "changed"},
    )


def broken_off(err: Exception, request: Request, report: Report, waves: Waves) -> PlacementError:
    """The error that ended a run before its end, with what was done until then."""
    problem = (
        api_to_placement(err, step=err.request or "evacuate") if isinstance(err, ApiError) else err
    )
    if not isinstance(problem, PlacementError):
        raise err
    result = result_of(request, report, waves)
    problem.changed = problem.changed or bool(result.pop("changed"))
    problem.result = dict(result, **problem.result)
    return problem


def _state(request: Request, unschedulable: bool, pods: List[str]) -> Data:
    """One side of the diff: the cordon, and the pods that are not where they should be."""
    return {"node": request.node, "unschedulable": unschedulable, "pods_to_move": sorted(pods)}
