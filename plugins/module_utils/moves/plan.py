# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of one move: every check that needs no write, in the order that gives the most useful
refusal.

Check mode ends after this; the real run goes on from the same plan. The last check is a server-side
dry run of the very pod that would be created, so quota, admission and defaulting answer before
anything is touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Optional, Tuple

from ..api import Api, Object
from ..errors import ApiError, NotFound, PlacementError, api_to_placement
from ..preflight import judge, refuse_or_warn, target_view
from ..resources import (
    DEPLOYMENT,
    PDB,
    POD,
    annotation,
    describe,
    meta,
    uid,
)
from ..rules.selectors import matches_labels
from ..workloads import Owner, deployment_of, owner_chain, rollout_in_progress
from .calls import RIGHTS
from .choice import EVICTABLE_INSTEAD, choose_strategy
from .detach import choose_key, refuse_other_claimer
from .estimate import expected_downtime, measured_startup
from .journal import Entry
from .manifest import differences, own_cost
from .names import is_mark, move_id, replacement_name
from .order import Order, Settings
from .others import among_others
from .refusals import check_opt_out, check_state, check_volumes, refuse
from .strategies import DETACHING, REPLICATING, STRATEGIES, Strategy
from .swap import REVISION


@dataclass(frozen=True)
class Plan:
    """What will be done: the journal's entry, the pod, its owner, and the replacement as the server
    would make it.
    """

    entry: Entry
    pod: Object
    owner: Optional[Object]
    replacement: Object
    warnings: List[str] = field(default_factory=list)

    def as_item(self) -> Dict[str, Any]:
        """The ``plan`` item of a result."""
        entry = self.entry
        return {
            "namespace": meta(self.pod)["namespace"],
            "pod": entry.pod,
            "uid": entry.pod_uid,
            "from_node": entry.from_node,
            "to_node": entry.node,
            "strategy": entry.strategy,
            "placement": entry.placement,
            "new_pod": meta(self.replacement)["name"],
            "owner": "%s/%s" % (entry.owner_kind, entry.owner_name) if entry.owner_kind else "",
            "pinned": bool(entry.node) and entry.placement == "schedule",
            "loses_availability": STRATEGIES[entry.strategy].loses_availability,
            "expected_downtime": expected_downtime(entry.strategy, self.pod),
        }


def make_plan(api: Api, order: Order, settings: Settings, pod: Object) -> Plan:
    """Check everything about moving ``pod`` and say how; PlacementError with the first reason why
    not. With ``fallback: evict`` a workload that no lossless strategy can move is evicted.
    """
    try:
        return _plan(api, order, settings, pod)
    except PlacementError as err:
        instead = order.fallback == "evict" and order.strategy == "auto"
        if not instead or err.code not in EVICTABLE_INSTEAD:
            raise
        plan = _plan(api, replace(order, strategy="evict"), settings, pod)
        told = "%s is evicted, because %s" % (describe("Pod", pod), err.message)
        return replace(plan, warnings=[*plan.warnings, told])


def _plan(api: Api, order: Order, settings: Settings, pod: Object) -> Plan:
    entry, owner = judge_move(api, order, settings, pod)
    if entry.deployment and entry.strategy in REPLICATING:
        _await_rollout(api, settings, order.namespace, entry.deployment)
        # The rollout that was waited for may have taken the pod with it.
        pod = _still_there(api, pod)
        entry = _entry(api, order, entry.strategy, pod, owner_chain(api, pod))
    strategy = STRATEGIES[entry.strategy]
    if strategy.prepare is not None:
        entry = strategy.prepare(api, order, settings, entry, pod, owner or {})
    if strategy.body is None:
        nothing = {"metadata": {"name": ""}, "spec": pod["spec"]}
        return Plan(entry, pod, owner, nothing, _target_warnings(order, pod))
    body = strategy.body(entry, pod, owner or {})
    if entry.strategy in REPLICATING:
        refuse_other_claimer(api, order.namespace, entry.owner_uid, meta(body)["labels"])
    warnings = _check_target(api, order, settings, entry, body)
    created = _foresee(api, strategy, body, warnings)
    _check_differences(settings, pod, created, owner is not None)
    return Plan(entry, pod, owner, created, warnings)


def judge_move(
    api: Api, order: Order, settings: Settings, pod: Object
) -> Tuple[Entry, Optional[Object]]:
    """How the pod would be moved, and its owner: every check that needs neither a target nor a dry
    run. PlacementError with the first reason why not.
    """
    check_state(pod)
    chain = owner_chain(api, pod)
    strategy = choose_strategy(order, pod, chain, lambda: check_volumes(api, pod, settings))
    check_opt_out(pod, chain, settings)
    _check_budgets(api, pod)
    entry = _entry(api, order, strategy, pod, chain)
    _check_downtime(pod, entry.strategy, settings)
    _check_rights(api, order.namespace, entry.strategy, pod)
    return entry, chain[0].obj if chain else None


def _still_there(api: Api, pod: Object) -> Object:
    try:
        found = api.get(POD, str(meta(pod)["name"]), str(meta(pod)["namespace"]))
    except NotFound:
        found = {}
    if uid(found) != uid(pod):
        raise refuse(
            "PodGone",
            pod,
            "a rollout replaced the pod",
            "Name one of the new pods, or move by controller.",
        )
    check_state(found)
    return found


def _entry(api: Api, order: Order, strategy: str, pod: Object, chain: List[Owner]) -> Entry:
    entry = Entry(
        id=move_id(uid(pod), order.destination()),
        strategy=strategy,
        pod=str(meta(pod)["name"]),
        pod_uid=uid(pod),
        from_node=str(pod["spec"].get("nodeName") or ""),
        node=order.node or "",
        placement=order.placement,
        # Our own mark on a pod without a journal: its Lease was deleted by hand in mid-move.
        cost=None if is_mark(own_cost(pod)) else own_cost(pod),
        scheduler=order.scheduler_name or "",
        away=order.away,
    )
    if not chain:
        return entry
    owner, above = chain[0], deployment_of(chain)
    deployment = above.obj if above is not None else None
    entry = replace(
        entry,
        owner_kind=owner.kind,
        owner_name=owner.name,
        owner_uid=owner.uid,
        owner_api=owner.api_version,
        deployment=above.name if above is not None else "",
        revision=annotation(deployment or {}, REVISION) or "",
    )
    if strategy not in DETACHING or owner.obj is None:
        return entry
    try:
        key, value = choose_key(api, owner.kind, owner.obj)
    except PlacementError as err:
        if err.code == "NoDetachKey" and strategy == "adopt" and order.strategy == "auto":
            return replace(entry, strategy="shadow")
        raise
    return replace(entry, detach_key=key, detach_value=value)


def _target_warnings(order: Order, pod: Object) -> List[str]:
    if not order.node:
        return []
    text = "%s is evicted, and where its controller's next pod goes is not in our hands"
    return [text % describe("Pod", pod)]


# ---- single checks


def _check_downtime(pod: Object, strategy: str, settings: Settings) -> None:
    limit = settings.max_downtime
    if limit is not None and STRATEGIES[strategy].loses_availability:
        needed = measured_startup(pod) or 0.0
        if limit <= 0 or needed > limit:
            text = (
                "strategy %s stops the pod before it starts the new one, and its start took %.0fs"
            )
            raise refuse(
                "DowntimeNotAllowed",
                pod,
                text % (strategy, needed),
                "Allow a longer max_downtime; a bare pod can be moved with strategy: surge.",
            )
    if strategy == "surge" and (pod["spec"].get("hostname") or pod["spec"].get("subdomain")):
        raise refuse(
            "NameMatters", pod, "the pod is reached by its host name", "Use strategy: recreate."
        )


def _check_rights(api: Api, namespace: str, strategy: str, pod: Object) -> None:
    for verb, kind, subresource in RIGHTS[strategy]:
        if not api.may(verb, kind, namespace, subresource):
            what = "%s%s %s" % (kind.plural, "/" + subresource if subresource else "", verb)
            text = "strategy %s needs the right to %s %s" % (strategy, verb, what.split()[0])
            raise refuse(
                "RbacDenied: %s" % what,
                pod,
                text,
                "Grant it in namespace %s; see docs/rbac.md." % namespace,
            )


def _check_budgets(api: Api, pod: Object) -> None:
    namespace = str(meta(pod)["namespace"])
    labels = meta(pod).get("labels") or {}
    matching = [
        str(meta(b)["name"])
        for b in api.list(PDB, namespace)[0]
        if matches_labels((b.get("spec") or {}).get("selector"), labels)
    ]
    if len(matching) > 1:
        text = "more than one budget selects the pod: %s" % ", ".join(sorted(matching))
        raise refuse(
            "MultiplePdbs",
            pod,
            text,
            "The eviction API refuses such pods; leave one budget for them.",
        )


def _await_rollout(api: Api, settings: Settings, namespace: str, name: str) -> None:
    """Wait until no rollout is in progress; ``RolloutInProgress`` at the deadline, in check mode at
    once.
    """
    while True:
        try:
            deployment = api.get(DEPLOYMENT, name, namespace)
        except NotFound:
            raise PlacementError(
                "OwnerGone",
                "the Deployment was deleted meanwhile",
                object="Deployment %s/%s" % (namespace, name),
                step="preflight",
                hint="The garbage collector deletes its pods; there is nothing to move.",
            ) from None
        if not rollout_in_progress(deployment):
            return
        if settings.check or settings.deadline.passed():
            raise PlacementError(
                "RolloutInProgress",
                "a rollout is in progress",
                object=describe("Deployment", deployment),
                step="preflight",
                hint="Wait until it is complete (kubectl rollout status), or raise wait_timeout.",
            )
        api.wait_change(
            DEPLOYMENT,
            namespace,
            resource_version=str(meta(deployment)["resourceVersion"]),
            field_selector="metadata.name=" + name,
            timeout=max(0.05, min(5.0, settings.deadline.left())),
        )


def _check_target(
    api: Api, order: Order, settings: Settings, entry: Entry, body: Object
) -> List[str]:
    """The target must exist; whether the pod fits it is judged as ``validate`` says."""
    if not order.node:
        return []
    view = target_view(api, order.node, body)
    if settings.validate == "none":
        return []
    warnings: List[str] = []
    if not order.assigned:
        view, warnings = among_others(api, entry, body, view)
    probe = body
    if order.placement == "bind":
        probe = dict(body, spec=dict(body["spec"], nodeName=""))
    rejections = judge(probe, view, already_there={entry.pod_uid})
    told = refuse_or_warn(settings.validate, body, order.node, rejections, step="preflight")
    return [*told, *warnings]


def _foresee(api: Api, strategy: Strategy, body: Object, warnings: List[str]) -> Object:
    """The new pod as the server would make it. Where a controller makes it, admission may say no to
    this user and yes to that: no reason to refuse the move.
    """
    namespace, name = str(meta(body)["namespace"]), str(meta(body)["name"])
    try:
        created = _dry_run(api, body, namespace)
    except PlacementError as err:
        if not strategy.by_controller or err.code == "QuotaExceeded":
            raise
        warnings.append("this user may not create such a pod (%s); its controller must" % err)
        created = dict(body, metadata=dict(meta(body)))
    created["metadata"]["name"] = "" if strategy.by_controller else name
    return created


def _dry_run(api: Api, body: Object, namespace: str) -> Object:
    """Create for show. A bare pod's own name is taken, so the server is asked under another one."""
    name = str(meta(body)["name"])
    probe = dict(body, metadata=dict(meta(body), name=replacement_name(name, "dry-run", 0)))
    try:
        created = api.create(POD, probe, namespace, dry_run=True)
    except ApiError as err:
        raise api_to_placement(err, step="dry run", object="Pod %s/%s" % (namespace, name)) from err
    return created


def _check_differences(settings: Settings, pod: Object, created: Object, owned: bool) -> None:
    found = differences(pod, created) if owned and not settings.accept_differences else []
    if found:
        text = "the controller's template makes another pod than this one: %s" % "; ".join(found)
        raise refuse(
            "ReplacementDiffers",
            pod,
            text,
            "Set accept_differences: true when the new one is what you want.",
        )
