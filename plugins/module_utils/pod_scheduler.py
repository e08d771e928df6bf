# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a running pod another scheduler, and prove by its ``Scheduled`` event who placed it.

A pod's ``schedulerName`` cannot be changed. A bare pod is therefore made anew under the other
scheduler (copy, delete, create, with a journal). An owned pod follows its controller: the name is
set there, and the pod is replaced, by a move where the controller leaves running pods alone, by the
controller's own rollout, which replaces its siblings as well, where it does not. Before anything is
touched a probe pod proves that a scheduler of that name lives.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional

from .api import Api, Object
from .errors import ApiError, NotFound, PlacementError, api_to_placement
from .moves.names import DO_NOT_MOVE, successor_of
from .moves.order import Order, Settings
from .moves.recovery import settle
from .moves.run import carry_out
from .probe import prove_alive, rehearse
from .resources import DEPLOYMENT, JOB, POD, Kind, annotation, describe, meta, uid
from .rollout import holds_back, partition, unscheduled_reason
from .rules.pod_state import is_mirror, is_scheduled, is_terminal, is_terminating
from .scheduled_event import scheduled_by
from .scheduler_guards import check_controller, check_name
from .scheduler_name import (
    KINDS,
    ROLLED_BY_US,
    Request,
    partial,
    scheduler_of,
    set_scheduler,
)
from .scheduler_roll import interrupted, rehearse_roll, replace_pod
from .successors import heir_of, replaced_by_controller
from .watching import named, watch_for
from .workloads import Owner, is_paused, owner_chain, template


@dataclass
class Outcome:
    """The module's result so far."""

    pod: str
    new_pod: Optional[str] = None
    changed: bool = False
    scheduled_by: Optional[str] = None
    warnings: List[str] = field(default_factory=list)
    before: Dict[str, Any] = field(default_factory=dict)
    after: Dict[str, Any] = field(default_factory=dict)

    def result(self) -> Dict[str, Any]:
        """The keys of the module's result."""
        return {
            "changed": self.changed,
            "pod": self.pod,
            "new_pod": self.new_pod,
            "scheduled_by": self.scheduled_by,
            "warnings": self.warnings,
            "diff": {"before": self.before, "after": self.after},
        }


@dataclass(frozen=True)
class _Task:
    """What every step needs."""

    api: Api
    namespace: str
    name: str
    scheduler_name: str
    settings: Settings


def set_pod_scheduler(
    api: Api, namespace: str, name: str, scheduler_name: str, settings: Settings
) -> Outcome:
    """Run the pod under that scheduler. A failure carries in ``result`` what had been done."""
    task = _Task(api, namespace, name, check_name(scheduler_name), settings)
    outcome = Outcome(pod=name)
    try:
        if _interrupted(task, outcome):
            return outcome
        pod = _find(task, outcome)
        if pod is not None and scheduler_of(pod) != scheduler_name:
            _check_pod(pod, force=settings.force)
            pod = _change(task, pod, outcome)
        if pod is not None:
            outcome.new_pod = meta(pod)["name"]
            if not settings.check:
                _prove(task, pod, outcome)
    except ApiError as err:
        problem = api_to_placement(err, step=err.request or "request", object=_key(task))
        raise partial(problem, outcome) from err
    except PlacementError as err:
        raise partial(err, outcome) from err
    return outcome


def _key(task: _Task) -> str:
    return "Pod %s/%s" % (task.namespace, task.name)


def _interrupted(task: _Task, outcome: Outcome) -> bool:
    """Finish what a killed run left of this pod; in check mode say so, True: no more is known."""
    leases = interrupted(task.api, task.namespace, lambda entry: entry.pod == task.name)
    for lease in leases:
        outcome.changed = True
        if task.settings.check:
            text = "%s would be finished or undone first" % describe("Lease", lease)
            outcome.warnings.append(text)
        else:
            settle(task.api, lease, task.settings)
    return bool(leases) and task.settings.check


def _find(task: _Task, outcome: Outcome) -> Optional[Object]:
    """The pod, or the one that took its place; None when a rollout replaced it by no single one."""
    try:
        pod = task.api.get(POD, task.name, task.namespace)
        if not is_terminating(pod):
            return pod
    except NotFound:
        pod = None
    heir = successor_of(task.api, task.namespace, task.name)
    if heir is not None:
        return heir
    found = replaced_by_controller(task.api, task.namespace, task.name, task.scheduler_name)
    if found is not None:
        kind, controller = found
        text = "pod %s is gone: %s, which has schedulerName %s by now, replaced it"
        outcome.warnings.append(
            text % (task.name, describe(kind.kind, controller), task.scheduler_name)
        )
        return heir_of(task.api, kind, controller, task.scheduler_name)
    if pod is not None:
        raise _refusal("PodTerminating", pod, "is being deleted", "Name a pod that runs.")
    raise PlacementError(
        "PodNotFound",
        "there is no pod %s in namespace %s, and none that took its place"
        % (task.name, task.namespace),
        object=_key(task),
        step="read",
        hint="Check name and namespace.",
    )


def _check_pod(pod: Object, *, force: bool) -> None:
    if is_terminal(pod):
        raise _refusal(
            "PodFinished",
            pod,
            "has ended",
            "Only a pod that runs or waits can get another scheduler.",
        )
    if is_mirror(pod):
        raise _refusal(
            "OwnerUnsupported: Node",
            pod,
            "comes from a file on its node",
            "No scheduler ever places such a pod.",
        )
    if annotation(pod, DO_NOT_MOVE) == "true" and not force:
        raise _refusal(
            "OptedOut", pod, "is annotated %s" % DO_NOT_MOVE, "Remove the annotation, or set force."
        )


def _change(task: _Task, pod: Object, outcome: Outcome) -> Optional[Object]:
    """Do it as the pod's owner calls for; the pod that took its place, if it can be told."""
    chain = owner_chain(task.api, pod)
    key = describe("Pod", pod)
    if chain:
        owner = _topmost(pod, chain)
        heir = _through_controller(task, pod, owner, outcome)
    else:
        heir = _recreate(task, pod, outcome)
    outcome.before[key] = {"schedulerName": scheduler_of(pod)}
    outcome.after[key] = {"schedulerName": task.scheduler_name}
    outcome.changed = True
    return heir


def _recreate(task: _Task, pod: Object, outcome: Outcome) -> Optional[Object]:
    order = Order(
        task.namespace, meta(pod)["name"], strategy="recreate", scheduler_name=task.scheduler_name
    )
    planned = carry_out(task.api, order, replace(task.settings, check=True))
    _verify(task, outcome)
    if task.settings.check:
        outcome.warnings += planned.warnings
        return None
    outcome.warnings += carry_out(task.api, order, task.settings).warnings
    return task.api.get(POD, meta(pod)["name"], task.namespace)


def _topmost(pod: Object, chain: List[Owner]) -> Owner:
    """The controller whose template decides; refuses owners whose template is not ours."""
    owner = chain[-1]
    kind = owner.resource
    named_owner = "%s %s" % (owner.kind, owner.name)
    if kind is not None and owner.obj is None:
        raise _refusal(
            "OwnerGone",
            pod,
            "belongs to %s, which is gone" % named_owner,
            "The garbage collector takes it.",
        )
    if JOB in [link.resource for link in chain]:
        text = "belongs to a Job (%s), whose template cannot be changed" % chain[0].name
        raise _refusal(
            "OwnerUnsupported: Job", pod, text, "A CronJob's next Jobs: k8s_controller_scheduler."
        )
    if kind is None or kind.kind not in KINDS:
        text = "is controlled by %s, which this collection does not know" % named_owner
        raise _refusal(
            "OwnerUnsupported: %s" % owner.kind, pod, text, "Change the scheduler name there."
        )
    _check_replaces(pod, kind, owner.obj or {})
    return owner


def _check_replaces(pod: Object, kind: Kind, controller: Object) -> None:
    """Refuse controllers that would leave this pod as it is."""
    owner = describe(kind.kind, controller)
    if kind is DEPLOYMENT and is_paused(controller):
        raise _refusal(
            "DeploymentPaused", pod, "belongs to %s, which is paused" % owner, "Resume it first."
        )
    if holds_back(kind, controller) and not partition(controller):
        text = "belongs to %s with update strategy OnDelete" % owner
        raise _refusal(
            "UpdateOnDelete", pod, text, "Use k8s_controller_scheduler, then delete the pod."
        )
    if partition(controller) > _ordinal(pod):
        text = "is below the partition (%d) of %s and keeps its revision" % (
            partition(controller),
            owner,
        )
        raise _refusal("PartitionHolds", pod, text, "Lower the partition first.")


def _ordinal(pod: Object) -> int:
    last = str(meta(pod)["name"]).rpartition("-")[2]
    return int(last) if last.isdigit() else 0


def _through_controller(
    task: _Task, pod: Object, owner: Owner, outcome: Outcome
) -> Optional[Object]:
    kind, controller = owner.resource, owner.obj
    if kind is None or controller is None:
        return None
    alone = kind in ROLLED_BY_US
    check = task.settings.check
    if scheduler_of(template(kind.kind, controller)) != task.scheduler_name:
        check_controller(kind, controller, force=task.settings.force)
    planned = rehearse_roll(task.api, [pod], task.settings) if alone else []
    _verify(task, outcome)
    request = Request(
        kind,
        task.namespace,
        name=owner.name,
        scheduler_name=task.scheduler_name,
        force=task.settings.force,
    )
    done = set_scheduler(task.api, request, task.settings)
    outcome.before.update(done.before)
    outcome.after.update(done.after)
    outcome.changed = outcome.changed or done.changed
    outcome.warnings += done.warnings + (planned if check else [])
    if not alone:
        text = "%s replaces all of its pods, not only %s, to give them the scheduler %s"
        outcome.warnings.append(
            text % (describe(kind.kind, controller), meta(pod)["name"], task.scheduler_name)
        )
    if check or not (alone or task.settings.wait):
        return None
    if alone:
        report = replace_pod(task.api, pod, task.settings)
        outcome.changed = True
        if report is not None and report.moved is not None:
            outcome.warnings += report.warnings
            return task.api.get(POD, report.moved["new_pod"], task.namespace)
    return heir_of(task.api, kind, controller, task.scheduler_name, instead_of=pod)


def _verify(task: _Task, outcome: Outcome) -> None:
    if task.settings.check:
        outcome.warnings.append(rehearse(task.api, task.namespace, task.scheduler_name))
    else:
        left = task.settings.deadline.left()
        prove_alive(task.api, task.settings.clock, task.namespace, task.scheduler_name, left)


def _prove(task: _Task, pod: Object, outcome: Outcome) -> None:
    """Name who placed the pod; after a change that includes waiting for it, and for the event."""
    settings = task.settings
    if settings.wait and not is_scheduled(pod):
        pod = _wait_scheduled(task, pod)
    patience = settings.deadline.left() if outcome.changed and settings.wait else 0.0
    outcome.scheduled_by = (
        scheduled_by(task.api, settings.clock, pod, patience) if is_scheduled(pod) else None
    )
    if outcome.changed and outcome.scheduled_by != task.scheduler_name:
        text = "pod %s was placed by %s according to its events, not by %s"
        outcome.warnings.append(
            text % (meta(pod)["name"], outcome.scheduled_by or "nobody", task.scheduler_name)
        )


def _wait_scheduled(task: _Task, pod: Object) -> Object:
    name = meta(pod)["name"]
    last = pod

    def look(found: List[Object]) -> Optional[Object]:
        nonlocal last
        if not found or uid(found[0]) != uid(pod):
            raise _refusal(
                "PodNotFound", pod, "was deleted before it was scheduled", "Run the task again."
            )
        last = found[0]
        return last if is_scheduled(last) else None

    deadline = task.settings.deadline
    seen = watch_for(
        task.api, POD, look, namespace=task.namespace, deadline=deadline, field_selector=named(name)
    )
    if seen is None:
        text = "was not scheduled within %d s: %s" % (deadline.seconds, unscheduled_reason(last))
        raise _refusal(
            "NotScheduled", pod, text, "Start the scheduler, or make room for the pod.", step="wait"
        )
    return seen


def _refusal(
    code: str, pod: Mapping[str, Any], text: str, hint: str, *, step: str = "preflight"
) -> PlacementError:
    key = describe("Pod", pod)
    return PlacementError(code, "%s %s" % (key, text), object=key, step=step, hint=hint)
