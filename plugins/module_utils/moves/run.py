# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move one pod: find it, repair what an earlier run left, plan, lock, drive, report.

A strategy is a state machine that reads the live objects, decides one step and does it; nothing it
needs after a crash is kept in memory, so the first run and the recovery are the same code. Nothing
in this package knows Ansible or HTTP.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from ..api import Api, Object
from ..errors import ApiError, NotFound, PlacementError, api_to_placement
from ..resources import POD, meta, uid
from ..rules.pod_state import is_terminating
from ..workloads import controller_ref
from .announce import Announcer
from .engine import drive
from .journal import decode
from .lock import Lock
from .machine import Machine
from .names import lease_name, successor_of
from .order import Order, Report, Settings
from .plan import Plan, make_plan
from .recovery import describe_recovery, finish_all, recover, settle, unfinished
from .results import failure_of, moved_item
from .scene import Step
from .strategies import machine_for

__all__ = ["carry_out", "recover"]
MAX_ROUNDS = 20


def carry_out(api: Api, order: Order, settings: Settings) -> Report:
    """Move ``order.name`` (or what an earlier move made of it) to ``order.node``.

    Raises PlacementError: a refusal before the first write, or a failure after which the move was
    rolled back, or (code LockLost, OutcomeUnknown, TerminationTimeout, NameTaken) is left to the
    next run.
    """
    report = Report()
    for _round in range(MAX_ROUNDS):
        plan = prepare(api, order, settings, report)
        if plan is None:
            return report
        if settings.check:
            _predicted(report, plan)
            return report
        if _execute(api, settings, plan, report):
            return report
    raise _overrun(order)


def prepare(api: Api, order: Order, settings: Settings, report: Report) -> Optional[Plan]:
    """Find the pod, repair what an earlier run left, and plan; None when nothing is to be done."""
    for _round in range(MAX_ROUNDS):
        pod = find(api, order)
        interrupted = _interrupted(api, order, pod)
        if interrupted is not None and settings.check:
            report.recovered = [
                describe_recovery(order.namespace, e, "interrupted") for e in decode(interrupted)
            ]
            report.changed = True
        elif interrupted is not None:
            recovered = settle(api, interrupted, settings)
            report.recovered += recovered
            report.changed = report.changed or bool(recovered)
            continue
        if pod is None:
            raise _not_found(order)
        if already_there(pod, order):
            _unchanged(report, pod)
            return None
        if settings.stop():
            raise _cancelled(order)
        plan = make_plan(api, order, settings, pod)
        report.warnings = plan.warnings
        return plan
    raise _overrun(order)


def _overrun(order: Order) -> PlacementError:
    return PlacementError(
        "Conflict",
        "other runs kept moving pods of this workload",
        object="Pod %s/%s" % (order.namespace, order.name),
        step="lock",
        hint="Run the task again when they are done.",
    )


def find(api: Api, order: Order) -> Optional[Object]:
    """The named pod; if it is gone or going, the pod that a move made out of it."""
    pod: Optional[Object]
    try:
        pod = api.get(POD, order.name, order.namespace)
    except NotFound:
        pod = None
    if pod is not None and not is_terminating(pod):
        return pod
    return successor_of(api, order.namespace, order.name) or pod


def already_there(pod: Object, order: Order) -> bool:
    """Nothing to do: on the node, under the scheduler name that was asked for."""
    if is_terminating(pod):
        return False
    spec = pod["spec"]
    wanted = order.scheduler_name
    placed = not order.node or spec.get("nodeName") == order.node
    served = not wanted or spec.get("schedulerName", "default-scheduler") == wanted
    moved_by_name = not order.node and not wanted and meta(pod)["name"] != order.name
    return placed and served and bool(order.node or wanted or moved_by_name)


def _interrupted(api: Api, order: Order, pod: Optional[Object]) -> Optional[Object]:
    """The Lease of a move of this pod's workload that is in progress, live or dead."""
    names = {order.name}
    locks = set()
    if pod is not None:
        ref = controller_ref(pod)
        locks.add(lease_name(ref["uid"] if ref is not None else uid(pod)))
        names.add(str(meta(pod)["name"]))
    for lease in unfinished(api, order.namespace):
        if meta(lease)["name"] in locks or any(e.pod in names for e in decode(lease)):
            return lease
    return None


def _execute(api: Api, settings: Settings, plan: Plan, report: Report) -> bool:
    """Lock and drive; False when the plan is stale because another run was here in between."""
    entry = plan.entry
    namespace = str(meta(plan.pod)["namespace"])
    workload = entry.owner_uid or entry.pod_uid
    lock = Lock(
        api,
        settings.clock,
        settings.holder,
        namespace,
        lease_name(workload),
        settings.lock_duration,
    )
    if not lock.acquire([entry], settings.deadline, settings.stop):
        report.recovered += finish_all(api, lock, settings)
        report.changed = True
        return False
    if not _still_planned(api, plan):
        lock.release()
        return False
    machine = machine_for(api, lock, entry, settings, plan.owner)
    step = _announced(api, settings, machine, report)
    lock.release()
    if step.code:
        err = failure_of(step, entry, namespace, machine)
        err.changed = err.changed or report.changed
        err.result.update(recovered=report.recovered, warnings=report.warnings)
        raise err
    report.warnings = report.warnings + machine.warnings
    note_moved(report, plan, moved_item(entry, namespace, machine), settings)
    return True


def note_moved(report: Report, plan: Plan, moved: Dict[str, Any], settings: Settings) -> None:
    """The move is done; ``DowntimeExceeded`` where it took the pod away for too long."""
    report.changed = True
    report.moved = moved
    report.plan = plan.as_item()
    _diff(report, plan, str(moved["new_pod"]), str(moved["to_node"]))
    _check_downtime(settings, report)


def _still_planned(api: Api, plan: Plan) -> bool:
    """The pod is as it was planned for: nobody moved it while the lock was waited for."""
    try:
        now = api.get(POD, plan.entry.pod, str(meta(plan.pod)["namespace"]))
    except NotFound:
        return False
    return uid(now) == plan.entry.pod_uid and not is_terminating(now)


def _announced(api: Api, settings: Settings, machine: Machine, report: Report) -> Step:
    """Drive, with an event on the pod at both ends."""
    entry, announcer = machine.entry, Announcer(api, settings, machine.namespace)
    announcer.moving(entry)
    try:
        step = _drive(api, settings, machine)
    except PlacementError as err:
        announcer.failed(entry, err.code, err.message)
        raise
    if step.code and machine.disrupted:
        announcer.failed(entry, step.code, step.why)
    elif step.code:
        announcer.rolled_back(entry, step.code, step.why)
    else:
        announcer.moved(entry, machine.replacement or {})
    report.warnings = report.warnings + announcer.warnings
    return step


def _drive(api: Api, settings: Settings, machine: Machine) -> Step:
    """Run the machine; an API error that stops it halfway turns it round once, so that it undoes
    what it can.
    """
    try:
        return drive(machine, api, settings.clock)
    except ApiError as err:
        problem = api_to_placement(err, step=err.request or "move")
        machine.failure = Step("roll_back", problem.message, problem.code)
        try:
            return drive(machine, api, settings.clock)
        except ApiError:
            raise problem from err


def _unchanged(report: Report, pod: Object) -> None:
    node = pod["spec"].get("nodeName", "")
    report.before = report.after = {"pod": meta(pod)["name"], "node": node}


def _predicted(report: Report, plan: Plan) -> None:
    item = plan.as_item()
    report.changed = True
    report.plan = item
    report.moved = {
        "namespace": item["namespace"],
        "pod": item["pod"],
        "uid": item["uid"],
        "new_pod": item["new_pod"],
        "new_uid": "",
        "from_node": item["from_node"],
        "to_node": item["to_node"],
        "strategy": item["strategy"],
        "victim_mismatch": False,
        "downtime": 0.0,
        "timings": {},
    }
    _diff(report, plan, item["new_pod"], item["to_node"])


def _diff(report: Report, plan: Plan, new_pod: str, to_node: str) -> None:
    spec = plan.replacement["spec"]
    before: Dict[str, Any] = {"pod": plan.entry.pod, "node": plan.entry.from_node}
    after: Dict[str, Any] = {
        "pod": new_pod if meta(plan.replacement)["name"] else "named by its controller",
        "node": to_node if plan.entry.node else "chosen by the scheduler",
    }
    if spec.get("schedulerName") != plan.pod["spec"].get("schedulerName"):
        before["schedulerName"] = plan.pod["spec"].get("schedulerName")
        after["schedulerName"] = spec.get("schedulerName")
    report.before, report.after = before, after


def _check_downtime(settings: Settings, report: Report) -> None:
    moved = report.moved or {}
    limit = settings.max_downtime
    if limit is None or moved.get("downtime", 0.0) <= limit:
        return
    raise PlacementError(
        "DowntimeExceeded",
        "the pod was away for %ss, %ss were allowed" % (moved["downtime"], limit),
        object="Pod %s/%s" % (moved["namespace"], moved["pod"]),
        step="move",
        hint="The move is done. Use strategy: surge, or allow more.",
        changed=True,
        result={"moved": [moved]},
    )


def _cancelled(order: Order) -> PlacementError:
    return PlacementError(
        "Cancelled",
        "the task was cancelled before this move began",
        object="Pod %s/%s" % (order.namespace, order.name),
        step="move",
        hint="Run the task again to go on.",
    )


def _not_found(order: Order) -> PlacementError:
    return PlacementError(
        "PodNotFound",
        "there is no such pod, and no earlier move left one in its place",
        object="Pod %s/%s" % (order.namespace, order.name),
        step="preflight",
        hint="Check namespace and name; a controller's pod has a new name when it is replaced.",
    )
