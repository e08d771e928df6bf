# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set which scheduler serves a controller's pods, remember the previous one, and put it back.

The name lives in the controller's pod template, so it is one guarded patch. Deployment, StatefulSet
and DaemonSet then replace their pods by themselves; ReplicationController and bare ReplicaSet do
not, and ``roll`` does it for them, one make-before-break move a pod. ``podplacement.io/previous-
scheduler`` holds the name before the *first* change of ours, however often the name is set; it goes
with the patch that leads back to that name.

Everything is judged before anything is written: one refusal, and no controller is touched.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Protocol, Tuple

from .api import Api, Object
from .errors import ApiError, Conflict, NotFound, OutcomeUnknown, PlacementError, api_to_placement
from .moves.names import DOMAIN
from .moves.order import Settings
from .moves.recovery import settle
from .probe import prove_alive, rehearse
from .resources import (
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    STATEFUL_SET,
    Kind,
    annotation,
    describe,
    meta,
    uid,
)
from .rollout import holds_back, left_behind, progress, rolls_itself, wait_complete
from .scheduler_guards import check_controller, check_name
from .scheduler_roll import interrupted, rehearse_roll, roll_pods, stale_pods
from .workloads import is_paused, template, template_path

PREVIOUS = DOMAIN + "/previous-scheduler"
DEFAULT = "default-scheduler"
KINDS: Dict[str, Kind] = {
    k.kind: k
    for k in (REPLICATION_CONTROLLER, REPLICA_SET, DEPLOYMENT, STATEFUL_SET, DAEMON_SET, CRON_JOB)
}
ROLLED_BY_US = (REPLICATION_CONTROLLER, REPLICA_SET)
_TRIES = 10


@dataclass(frozen=True)
class Request:
    """Which controllers, by name or labels; ``restore`` puts the recorded name back."""

    kind: Kind
    namespace: str
    name: Optional[str] = None
    label_selectors: Tuple[str, ...] = ()
    scheduler_name: Optional[str] = None
    restore: bool = False
    roll: bool = False
    verify: bool = False
    force: bool = False


@dataclass(frozen=True)
class Change:
    """The name now and then; ``record`` is what the annotation says afterwards (None: no such)."""

    before: str
    after: str
    recorded: Optional[str] = None
    record: Optional[str] = None

    @property
    def writes(self) -> bool:
        """The template has to be patched."""
        return self.before != self.after


class HasResult(Protocol):
    """What a task has done so far."""

    warnings: List[str]

    def result(self) -> Dict[str, Any]:
        """The keys of the module's result."""


@dataclass
class Outcome:
    """The module's result so far; ``before`` and ``after`` are the diff."""

    changed: bool = False
    controllers: List[Dict[str, Any]] = field(default_factory=list)
    warnings: List[str] = field(default_factory=list)
    before: Dict[str, Any] = field(default_factory=dict)
    after: Dict[str, Any] = field(default_factory=dict)

    def result(self) -> Dict[str, Any]:
        """The keys of the module's result."""
        diff = {"before": self.before, "after": self.after}
        return {
            "changed": self.changed,
            "controllers": self.controllers,
            "warnings": self.warnings,
            "diff": diff,
        }


@dataclass(frozen=True)
class _Job:
    """A controller as read, what becomes of it, and the pods that we have to replace."""

    obj: Object
    change: Change
    stale: List[Object]

    @property
    def idle(self) -> bool:
        return not self.change.writes and not self.stale


def scheduler_of(spec_holder: Mapping[str, Any]) -> str:
    """The scheduler of a pod or a pod template; an absent name is the cluster's default one."""
    return str((spec_holder.get("spec") or {}).get("schedulerName") or DEFAULT)


def plan_change(
    kind: Kind, obj: Mapping[str, Any], scheduler_name: Optional[str], *, restore: bool
) -> Change:
    """What the request means for this controller as it is now."""
    before = scheduler_of(template(kind.kind, obj))
    recorded = annotation(obj, PREVIOUS)
    if restore:
        after = (
            before if recorded is None else check_name(recorded, object=describe(kind.kind, obj))
        )
        return Change(before, after, recorded, None)
    after = check_name(scheduler_name)
    first = before if recorded is None else recorded
    return Change(before, after, recorded, None if first == after else first)


def set_scheduler(api: Api, request: Request, settings: Settings) -> Outcome:
    """Carry out the request. A failure halfway carries in its ``result`` what had been done."""
    if not request.restore:
        check_name(request.scheduler_name)
    outcome = Outcome()
    try:
        found = _find(api, request)
        if not found:
            chosen = ",".join(request.label_selectors)
            outcome.warnings.append(
                "no %s in %s matches %s" % (request.kind.kind, request.namespace, chosen)
            )
        jobs = [_job(api, request, obj) for obj in found]
        if _finish_interrupted(api, request, settings, found, outcome):
            jobs = [_job(api, request, obj) for obj in found]
        _preflight(api, request, settings, jobs, outcome)
        for job in jobs:
            _carry_out(api, request, settings, job, outcome)
    except ApiError as err:
        raise partial(
            api_to_placement(err, step=err.request or "request", object=_named(request)), outcome
        ) from err
    except PlacementError as err:
        raise partial(err, outcome) from err
    return outcome


def _named(request: Request) -> str:
    return "%s %s/%s" % (
        request.kind.kind,
        request.namespace,
        request.name or ",".join(request.label_selectors),
    )


def partial(err: PlacementError, outcome: HasResult) -> PlacementError:
    """The error, with what had been done before it."""
    warnings = outcome.warnings + list(err.result.get("warnings", []))
    err.result = dict(outcome.result(), **dict(err.result, warnings=warnings))
    err.changed = err.result.pop("changed") or err.changed
    return err


def _find(api: Api, request: Request) -> List[Object]:
    kind = request.kind
    if request.name:
        try:
            return [api.get(kind, request.name, request.namespace)]
        except NotFound:
            raise PlacementError(
                "ControllerNotFound",
                "there is no %s %s in namespace %s" % (kind.kind, request.name, request.namespace),
                object=_named(request),
                step="read",
                hint="Check kind, name and namespace.",
            ) from None
    selector = ",".join(s for s in request.label_selectors if s.strip())
    if not selector:
        raise PlacementError(
            "InvalidSelector",
            "neither name nor label_selectors says which %s is meant" % kind.kind,
            step="check arguments",
            hint="An empty selector would mean every %s of the namespace; name them." % kind.kind,
        )
    found, _version = api.list(kind, request.namespace, label_selector=selector)
    return [obj for obj in found if not meta(obj).get("deletionTimestamp")]


def _job(api: Api, request: Request, obj: Object) -> _Job:
    change = plan_change(request.kind, obj, request.scheduler_name, restore=request.restore)
    stale = stale_pods(api, request.kind, obj, change.after) if _rolls(request) else []
    job = _Job(obj, change, stale)
    if not job.idle:
        check_controller(request.kind, obj, force=request.force)
    return job


def _rolls(request: Request) -> bool:
    return request.roll and request.kind in ROLLED_BY_US


def _finish_interrupted(
    api: Api, request: Request, settings: Settings, found: List[Object], outcome: Outcome
) -> bool:
    """Finish or undo the moves that a killed roll left; True if there were any, and it is done."""
    uids = {uid(obj) for obj in found}
    leases = (
        interrupted(api, request.namespace, lambda e: e.owner_uid in uids)
        if _rolls(request)
        else []
    )
    outcome.changed = outcome.changed or bool(leases)
    for lease in leases:
        if settings.check:
            outcome.warnings.append(
                "%s would be finished or undone first" % describe("Lease", lease)
            )
        else:
            settle(api, lease, settings)
    return bool(leases) and not settings.check


def _preflight(
    api: Api, request: Request, settings: Settings, jobs: List[_Job], outcome: Outcome
) -> None:
    """Without touching a controller: would each replacement work, does each scheduler live?"""
    for job in jobs:
        told = rehearse_roll(api, job.stale, settings)
        outcome.warnings += told if settings.check else []
    if not request.verify:
        return
    for name in sorted({job.change.after for job in jobs if not job.idle}):
        if settings.check:
            outcome.warnings.append(rehearse(api, request.namespace, name))
        else:
            prove_alive(api, settings.clock, request.namespace, name, settings.deadline.left())


def _carry_out(api: Api, request: Request, settings: Settings, job: _Job, outcome: Outcome) -> None:
    kind, change, obj = request.kind, job.change, job.obj
    named = describe(kind.kind, obj)
    if change.writes:
        obj = write(api, request, obj, dry_run=settings.check)
        outcome.before[named] = {"schedulerName": change.before}
        outcome.after[named] = {"schedulerName": change.after}
    outcome.changed = outcome.changed or not job.idle
    item = _item(kind, obj, change)
    outcome.controllers.append(item)
    outcome.warnings += _reservations(item, named)
    if rolls_itself(kind):
        item["rolled"] = _follow(api, kind, obj, change, settings, item)
    elif job.stale:
        if not settings.check:
            outcome.warnings += roll_pods(api, kind, obj, change.after, settings)
        item["rolled"] = True


def _item(kind: Kind, obj: Object, change: Change) -> Dict[str, Any]:
    untouched = change.writes or left_behind(kind, obj)
    return {
        "kind": kind.kind,
        "namespace": meta(obj)["namespace"],
        "name": meta(obj)["name"],
        "before": change.before,
        "after": change.after,
        "rolled": False,
        "pending": bool(untouched and holds_back(kind, obj)),
        "pending_unpause": bool(untouched and kind is DEPLOYMENT and is_paused(obj)),
    }


def _reservations(item: Mapping[str, Any], named: str) -> List[str]:
    """Warnings about pods that keep the old scheduler although the template has the new one."""
    if item["pending_unpause"]:
        return ["%s is paused: its running pods keep their scheduler until it is resumed" % named]
    if item["pending"]:
        return [
            "the update strategy of %s keeps running pods as they are until they are deleted"
            % named
        ]
    return []


def _follow(
    api: Api, kind: Kind, obj: Object, change: Change, settings: Settings, item: Mapping[str, Any]
) -> bool:
    """Wait for the controller's own rollout; True if it has replaced, or would, its pods."""
    if item["pending_unpause"] or not settings.wait:
        return False
    if not settings.check and (change.writes or not progress(kind, obj).replaced):
        wait_complete(api, kind, obj, settings.deadline)
    return change.writes and not item["pending"]


def write(api: Api, request: Request, obj: Object, *, dry_run: bool) -> Object:
    """Patch the template, guarded by uid and resourceVersion; what changed is judged again."""
    kind = request.kind
    for _try in range(_TRIES):
        change = plan_change(kind, obj, request.scheduler_name, restore=request.restore)
        if not change.writes:
            return obj
        check_controller(kind, obj, force=request.force)
        try:
            return api.patch(
                kind,
                meta(obj)["name"],
                _body(kind, obj, change),
                request.namespace,
                dry_run=dry_run,
            )
        except (Conflict, OutcomeUnknown):
            fresh = api.get(kind, meta(obj)["name"], request.namespace)
            if uid(fresh) != uid(obj):
                break
            obj = fresh
    raise PlacementError(
        "Conflict",
        "%s is changed by someone else all the time, or was replaced" % describe(kind.kind, obj),
        object=describe(kind.kind, obj),
        step="set schedulerName",
        hint="Find out who writes it, and run the task again.",
    )


def _body(kind: Kind, obj: Object, change: Change) -> Dict[str, Any]:
    body: Dict[str, Any] = {"schedulerName": change.after}
    for step in reversed((*template_path(kind.kind), "spec")):
        body = {step: body}
    guards: Dict[str, Any] = {"uid": uid(obj), "resourceVersion": meta(obj)["resourceVersion"]}
    if change.record != change.recorded:
        guards["annotations"] = {PREVIOUS: change.record}
    return dict(body, metadata=guards)
