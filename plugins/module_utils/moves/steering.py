# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to bring the next pod of a StatefulSet to a named node, although its controller names
none (moves.md, f5).

way      what is put in place                                  who creates the pod
static   a ConfigMap, read by the policy of role               the controller; admission pins it
         placement_policies (Kubernetes 1.36)
block    a ValidatingAdmissionPolicy that denies the pod to    this run, as the controller would
         everybody else and lapses by itself
policy   a MutatingAdmissionPolicy for this one move           the controller; admission pins it
hold     a finalizer on the old pod                            this run, in a race with the
                                                               controller
plain    nothing: any node will do                             the controller

``static`` needs no right beyond the namespace. Rights on policies amount to those of a cluster
admin, so ``policy`` is for whoever asks for it; so is ``hold``, which may lose its race.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import List, Optional

from ..api import Api, Object
from ..errors import Forbidden, NotFound
from ..resources import (
    MUTATING_POLICY_BINDING,
    NAMESPACE,
    NODE,
    POD,
    STATEFUL_SET,
    label,
    meta,
)
from ..rules.selectors import matches_labels
from ..workloads import selector, selector_string
from .calls import WAY_RIGHTS
from .journal import Entry
from .manifest import sanitized
from .names import DOMAIN
from .order import Order, Settings
from .refusals import refuse
from .stateful import next_pod, obstacle, ordinal, revision_for, revision_of

STATIC, BLOCK, POLICY, HOLD, PLAIN = "static", "block", "policy", "hold", "plain"
AUTOMATIC = (STATIC, BLOCK)
CREATING = (BLOCK, HOLD)

STEER = DOMAIN + "/steer"
HOSTNAME = "kubernetes.io/hostname"


# ---- the plan


def prepare_steer(
    api: Api, order: Order, settings: Settings, entry: Entry, pod: Object, owner: Object
) -> Entry:
    """The way, and the revision of the next pod. Refused with ``RolloutInProgress`` and
    ``WorkloadNotReady`` where the StatefulSet would not heal, and with ``SteerUnavailable``.
    """
    if order.scheduler_name:
        text = "its StatefulSet names the scheduler of the next pod"
        hint = "Use podplacement.core.k8s_controller_scheduler."
        raise refuse("StrategyUnavailable", pod, text, hint)
    wanted = revision_for(owner, ordinal(entry.pod))
    revision = wanted if settings.accept_differences else revision_of(pod)
    entry = replace(entry, revision=revision)
    found = obstacle(owner, _pods(api, order.namespace, owner), entry.pod, revision)
    if found is not None:
        raise refuse(found[0], pod, found[1], _HINTS[found[0]])
    node: Optional[Object] = None
    if entry.node:
        with suppress(NotFound):  # the check of the target says so
            node = api.get(NODE, entry.node)
    return replace(entry, way=choose_way(api, settings, entry, pod, node))


_HINTS = {
    "OwnerGone": "The garbage collector deletes this pod.",
    "PodGone": "The controller deletes this pod; there is nothing to move.",
    "RolloutInProgress": "Run the task again when the rollout is complete; accept_differences: "
    "true takes another revision.",
    "WorkloadNotReady": "Run the task again when the pods before it are Ready.",
}


def steered_pod(entry: Entry, pod: Object, owner: Object) -> Object:
    """The next pod as a plan can know it: of the newest template, else as the present one is."""
    template = owner["spec"]["template"]
    if (owner.get("status") or {}).get("updateRevision") != entry.revision:
        template = sanitized(pod)
    return next_pod(owner, template, entry)


def _pods(api: Api, namespace: str, owner: Object) -> List[Object]:
    chosen = selector_string(selector(STATEFUL_SET.kind, owner))
    return api.list(POD, namespace, label_selector=chosen)[0]


# ---- choosing


def choose_way(
    api: Api, settings: Settings, entry: Entry, pod: Object, node: Optional[Object]
) -> str:
    """The first way that this cluster and the rights of this user allow, or ``SteerUnavailable``
    with what is missing for each.
    """
    if not entry.node:
        return PLAIN
    wanted = AUTOMATIC if settings.steer == "auto" else (settings.steer,)
    reasons = []
    for way in wanted:
        missing = _missing(api, way, entry, str(meta(pod)["namespace"]), node or {})
        if missing is None:
            return way
        reasons.append("%s: %s" % (way, missing))
    raise refuse(
        "SteerUnavailable",
        pod,
        "nothing can bring the next pod of its StatefulSet to a named node (%s)"
        % "; ".join(reasons),
        "Have role placement_policies install the static policy (Kubernetes 1.36), or grant the "
        "rights of another way (docs/rbac.md); fallback: evict does without a named node.",
    )


def _missing(api: Api, way: str, entry: Entry, namespace: str, node: Object) -> Optional[str]:
    for verb, kind, scoped in WAY_RIGHTS[way]:
        if not api.may(verb, kind, namespace if scoped else None):
            return "no right to %s %s" % (verb, kind.plural)
    if way in CREATING:
        return None
    if entry.placement != "schedule":
        return "it pins, and placement is %s" % entry.placement
    if not label(node, HOSTNAME):
        return "node %s has no label %s" % (entry.node, HOSTNAME)
    try:
        bindings = api.list(MUTATING_POLICY_BINDING, label_selector=STEER + "=true")[0]
    except NotFound:
        return "this cluster serves no MutatingAdmissionPolicy v1"
    if way == STATIC and not any(_covers(api, b, namespace) for b in bindings):
        return "the static policy is not installed for namespace %s" % namespace
    return None


def _covers(api: Api, binding: Object, namespace: str) -> bool:
    """The binding's namespace selector takes the namespace in; if that can be seen."""
    selector = ((binding.get("spec") or {}).get("matchResources") or {}).get("namespaceSelector")
    if not selector:
        return True
    try:
        found = api.get(NAMESPACE, namespace)
    except (Forbidden, NotFound):
        return True  # the probe before the eviction will tell
    return matches_labels(selector, meta(found).get("labels") or {})
