# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_pod_bind: a pod that has no node gets one, exactly once, and is followed until it runs.

One named pod goes to one node or the task fails with every reason; all pods that wait for a
scheduler name go over the fitting nodes, and those that fit nowhere are reported as leftovers.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..api import Api, Object
from ..clock import Clock, Deadline
from ..errors import ApiError, PlacementError, api_to_placement
from ..preflight import (
    NOT_TERMINAL,
    claims_in_use,
    exclusive_claims,
    find_node,
    judge,
    not_judged,
    not_ready_to_bind,
    refusal,
    refuse_or_warn,
    target_view,
    unbindable,
    volumes_of,
)
from ..resources import NODE, POD, describe, meta, uid
from ..rules.fit import View
from ..rules.pod_state import is_scheduled
from .plan import Board, Decision, decide, in_order
from .wait import has_started, until_running
from .write import STEP, Binder, find_pod, identity

Params = Mapping[str, Any]

# Every request this module makes: verb, API group, resource.
API_CALLS = (
    ("get", "", "namespaces"),  # expected_cluster
    ("get", "", "nodes"),
    ("list", "", "nodes"),
    ("get", "", "pods"),
    ("list", "", "pods"),
    ("watch", "", "pods"),
    ("get", "", "persistentvolumeclaims"),
    ("get", "", "persistentvolumes"),
    ("create", "", "pods/binding"),
    ("create", "", "events"),
    ("create", "authorization.k8s.io", "selfsubjectaccessreviews"),
)


def bind_pods(params: Params, api: Api, clock: Clock, check: bool) -> Dict[str, Any]:
    """Carry out one task of k8s_pod_bind and return its result."""
    _refuse_empty(params, ("name", "namespace", "node", "scheduler_name"))
    deadline = Deadline(clock, params["wait_timeout"])
    binder = Binder(api, clock, check=check)
    flow = _bind_named if params.get("name") else _bind_pending
    try:
        try:
            flow(binder, params, deadline)
        except ApiError as err:
            raise api_to_placement(err, step=err.request or STEP) from err
    except PlacementError as err:
        # A task that fails halfway still tells what it did.
        err.result = binder.result()
        err.changed = bool(binder.bound)
        raise
    return binder.result()


def _refuse_empty(params: Params, names: Sequence[str]) -> None:
    """An empty name would turn a request for one object into one for all of them."""
    for name in names:
        if params.get(name) is not None and not str(params[name]).strip():
            hint = "Give %s a value, or leave it out." % name
            raise PlacementError("InvalidArgument", "%s is empty" % name, step="read", hint=hint)


# ---- one named pod


def _bind_named(binder: Binder, params: Params, deadline: Deadline) -> None:
    name, namespace, node = params["name"], params["namespace"], params["node"]

    def examine(pod: Object) -> None:
        warnings = _examine(binder.api, pod, node, params["validate"])
        binder.require_rights([namespace], wait=params["wait"])
        binder.warn(*warnings)

    pod = binder.bind(find_pod(binder.api, name, namespace), node, examine)
    if not params["wait"] or has_started(pod):
        return
    until_running(
        binder.api,
        [dict(identity(pod), node=node)],
        deadline,
        namespace=namespace,
        field_selector="metadata.name=%s" % name,
        patient=not binder.check,
    )


def _examine(api: Api, pod: Object, node: str, validate: str) -> List[str]:
    """Judge pod and node: warnings, or PlacementError with all reasons."""
    if validate == "none":
        view = View(node=find_node(api, node), volumes=volumes_of(api, pod))
    else:
        view = target_view(api, node, pod)
    volumes = view.volumes
    never = unbindable(pod, volumes)
    if exclusive_claims(volumes):
        others, _version = api.list(POD, meta(pod)["namespace"])
        never += claims_in_use(pod, volumes, filter(is_scheduled, others))
    if never:
        raise _never(pod, never)
    if validate == "none":
        return []
    return refuse_or_warn(validate, pod, node, judge(pod, view), step="preflight") + not_judged(pod)


def _never(pod: Object, rejections: Sequence[Any]) -> PlacementError:
    message = "%s cannot be bound" % describe("Pod", pod)
    hint = "Remove what the message names; validate does not overrule it."
    return refusal(pod, rejections, message, step="preflight", hint=hint)


# ---- all pods that wait for a scheduler name


def _bind_pending(binder: Binder, params: Params, deadline: Deadline) -> None:
    api, namespace = binder.api, params.get("namespace")
    mine = "spec.schedulerName=%s" % params["scheduler_name"]
    nodes = _candidates(api, params.get("nodes"), params.get("node_selectors"))
    pending, _version = api.list(
        POD,
        namespace,
        field_selector="spec.nodeName=,%s,%s" % (mine, NOT_TERMINAL),
        label_selector=",".join(params.get("label_selectors") or []),
    )
    if not pending:
        return
    board, decisions = _plan(api, nodes, pending, params)
    targets = [meta(d.pod)["namespace"] for d in decisions if d.node]
    binder.require_rights(targets, wait=params["wait"])
    for decision in decisions:
        _carry_out(binder, board, decision, params["validate"])
    if binder.leftovers:
        told = len(binder.leftovers), len(decisions)
        binder.warn("%d of %d pending pods were not bound, see leftovers" % told)
    if params["wait"] and binder.bound and not binder.check:
        until_running(api, binder.bound, deadline, namespace=namespace, field_selector=mine)


def _candidates(
    api: Api, names: Optional[Sequence[str]], selectors: Optional[Sequence[str]]
) -> List[Object]:
    """The nodes that the task allows; a name that does not exist is an error, not a smaller set."""
    nodes, _version = api.list(NODE, label_selector=",".join(selectors or []))
    if names is not None:
        for name in sorted(set(names) - {meta(node)["name"] for node in nodes}):
            find_node(api, name)
        nodes = [node for node in nodes if meta(node)["name"] in names]
    if not nodes:
        raise PlacementError(
            "NoNodes",
            "no node matches nodes and node_selectors",
            step="preflight",
            hint="Check the labels with: kubectl get nodes --show-labels",
        )
    return nodes


def _plan(
    api: Api, nodes: Sequence[Object], pending: Sequence[Object], params: Params
) -> Tuple[Board, List[Decision]]:
    """Decide for every pending pod, on one reading of the cluster."""
    pods, _version = api.list(POD, field_selector="spec.nodeName!=,%s" % NOT_TERMINAL)
    taken = {uid(pod) for pod in pods}  # bound by somebody between the two readings
    board = Board(nodes, pods)
    policy, validate = params["policy"], params["validate"]
    return board, [
        decide(board, pod, volumes_of(api, pod), policy=policy, validate=validate)
        for pod in in_order(pending)
        if uid(pod) not in taken
    ]


def _carry_out(binder: Binder, board: Board, decision: Decision, validate: str) -> None:
    """Bind one pod of many: what others did to it meanwhile costs that pod, not the task."""
    pod, node = decision.pod, decision.node
    if not node:
        binder.leave(pod, decision.code, decision.reason)
        return

    def judge_again(now: Object) -> None:
        never = not_ready_to_bind(now)
        if never:
            raise _never(now, never)
        if validate == "strict":
            rejections = judge(now, board.view(node, decision.volumes))
            refuse_or_warn(validate, now, node, rejections, step=STEP)

    try:
        binder.bind(pod, node, judge_again)
        binder.warn(*decision.warnings)
    except PlacementError as err:
        if err.code.startswith("RbacDenied"):
            raise
        binder.leave(pod, err.code, err.message)
