# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``shadow``: make-before-break where no label can be spared, or where a controller must create the
pod (moves.md, f3).

A temporary ReplicaSet S holds the replacement R, which carries all labels of its siblings: the
source ReplicaSet leaves it alone, because it has a controller. One DELETE of S with propagation
Orphan is the hand-over: the garbage collector cuts R loose, the source adopts it, counts one too
many, and deletes O, which was marked as the preferred victim. The pod is created by the
ReplicaSet controller, so admission that depends on the creator (OpenShift's security context
constraints, policies against bare pods) sees what it always sees.

S is labelled with the move's id only, so that no Deployment adopts it, and hangs on the Lease.

What is seen                                   what is done
no S, no R, O serves                           create S (a recovery stops here and undoes)
no S, no R, O gone                             done: moved if there is an heir, else gone
S without a pod, refused (quota, admission)    roll back: delete S, and R with it
S without a pod                                wait; roll back after a minute, or at the deadline
S goes, without a pod                          wait until it is gone, then look again
R held by S, owner gone or another revision    roll back
R held by S, failed                            halt S, which would replace it without end
R held by S, failed, S halted; or hopeless     roll back
R held by S, not Ready                         wait; roll back at the deadline
R held by S, O gone, owner short               hand over: R is the capacity that is left
R held by S, O gone, owner complete            roll back: R is one too many
R held by S, Ready, a sibling not Ready        wait (it would be deleted in O's place)
R held by S, Ready, gates open, O unmarked     mark O
R held by S, Ready, gates open, O marked       hand over: delete S, orphaning R
R loose, or S goes                             wait for adoption; undo after a minute: delete R
R loose, failed                                try again
R of an S that is gone                         wait for the garbage collector; then delete R
R adopted, S still there                       wait until it is gone
R adopted                                      as in ``adopt``: wait, spare, finalize
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ..api import Api, Object
from ..errors import AlreadyExists, Conflict, Forbidden, Invalid, api_to_placement
from ..resources import REPLICA_SET, label, meta
from ..rules.pod_state import is_terminal, is_terminating
from ..workloads import controller_ref, desired, owned_by
from .budget import budget_beside_holders
from .gates import Gate
from .journal import Entry
from .manifest import from_template
from .names import DELETION_COST, GOES_LAST, MOVE_ID, replacement_name
from .order import Order, Settings
from .scene import DONE, WAIT, Scene, Step
from .swap import ADOPTION_SECONDS, LEAVING_SECONDS, Swap

ORPHAN = "orphan"


class Shadow(Swap):
    """One move by way of a temporary ReplicaSet."""

    # ---- looking

    def first_look(self) -> Scene:
        """Its holder is read before the pods, so that none seems to have lost it too soon."""
        wanted = "%s=%s" % (MOVE_ID, self.entry.id)
        found, version = self.api.list(REPLICA_SET, self.namespace, label_selector=wanted)
        scene = Scene(versions={REPLICA_SET.kind: version})
        scene.holder = min(found, key=is_terminating, default=None)
        if scene.holder is not None and is_terminating(scene.holder):
            self.vigil.seen("releasing")
        return scene

    def cast(self, scene: Scene, pods: List[Object]) -> None:
        """A ReplicaSet replaces a pod that failed: of several, the one that matters now is R."""
        super().cast(scene, pods)
        mine = [p for p in pods if label(p, MOVE_ID) == self.entry.id and not is_terminating(p)]
        holding = _holds(scene.holder)

        def rank(pod: Object) -> Tuple[bool, bool]:
            """What the owner has; then, while S holds, a failure, and afterwards a live pod."""
            return not owned_by(pod, self.entry.owner_uid), is_terminal(pod) is not holding

        scene.new = min(mine, key=rank, default=None)
        self.replacement = scene.new or scene.heir or self.replacement

    # ---- deciding

    def decide(self, scene: Scene) -> Step:
        """See the table at the head of this file."""
        new, holder = scene.new, scene.holder
        if new is None:
            return super().decide(scene) if holder is None else self._empty(scene, holder)
        if owned_by(new, self.entry.owner_uid):
            return super().decide(scene) if holder is None else self._until_gone(holder)
        if holder is None and controller_ref(new) is not None:
            return self._abandoned()
        if is_terminal(new) and not _holds(holder):
            return Step("retry")
        if is_terminal(new) and desired(holder or {}) > 0:
            return Step("halt")
        return super().decide(scene)

    def held(self, scene: Scene, new: Object) -> bool:
        """The temporary ReplicaSet is its controller, and stays so."""
        return _holds(scene.holder)

    def budget(self) -> Gate:
        """A budget that expects the temporary ReplicaSet's pod too is asked without it."""
        return budget_beside_holders

    def _empty(self, scene: Scene, holder: Object) -> Step:
        """A temporary ReplicaSet without a pod: not yet, never, or no longer."""
        if not _holds(holder):
            return self._until_gone(holder)
        if self.failure is not None:
            return Step("roll_back", self.failure.why, self.failure.code)
        changed = self._owner_changed(scene)
        if changed is not None:
            return changed
        if not self._serving(scene):
            return Step("roll_back", "the pod was deleted or released meanwhile", "PodGone")
        if self.resume:
            return Step("roll_back", "the interrupted move had no replacement yet", "RolledBack")
        refused = _refusal(holder)
        if refused is not None:
            return refused
        if self._waited("held") >= ADOPTION_SECONDS:
            why = "the controller did not create the replacement"
            return Step("roll_back", why, "ControllerNotResponding")
        why = "waiting until the controller creates the replacement"
        return self.or_give_up(Step(WAIT, why, kind=REPLICA_SET))

    def _until_gone(self, holder: Object) -> Step:
        """The temporary ReplicaSet goes; its last finalizer is the garbage collector's, and ours to
        take when nobody does. A pod that was adopted past a living one has no more need of it.
        """
        if _holds(holder):
            return Step("dismiss")
        if self._waited("releasing") >= ADOPTION_SECONDS:
            return Step("strip")
        return Step(WAIT, "waiting until the temporary ReplicaSet is gone", kind=REPLICA_SET)

    def _abandoned(self) -> Step:
        """Its ReplicaSet was deleted, on the way back or by hand: the garbage collector's."""
        if self._waited("abandoned") >= LEAVING_SECONDS:
            return Step("undo", "the temporary ReplicaSet was deleted", "RolledBack")
        return Step(WAIT, "waiting until the garbage collector has deleted the replacement")

    def _waited(self, event: str) -> float:
        return self.settings.clock.monotonic() - self.vigil.seen(event)

    # ---- acting

    def do_create(self, scene: Scene, _step: Step) -> None:
        """The temporary ReplicaSet; its controller makes the pod."""
        body = holder_for(scene.owner or {}, self.entry, scene.old or {}, self.attempt)
        body["metadata"]["ownerReferences"] = [self.lock.owner_reference()]
        self.vigil.times.pop("held", None)
        try:
            self.api.create(REPLICA_SET, body, self.namespace)
        except AlreadyExists:
            self.attempt += 1  # another move's, or one that still goes
        except (Forbidden, Invalid) as err:
            self.failure = Step(DONE, err.message, api_to_placement(err, step="create").code)

    def do_hand_over(self, scene: Scene, _step: Step) -> None:
        """Second half of the swap, in one write: nobody's, so the owner's."""
        self._delete(scene.holder, "Orphan")
        self.vigil.seen("handed over")

    def do_roll_back(self, scene: Scene, step: Step) -> None:
        """The old pod serves on; the temporary ReplicaSet goes, and the replacement with it."""
        self.failure = step
        if _holds(scene.holder):
            self._delete(scene.holder, "Background")
        else:
            self.delete_pod(scene.new)

    def do_undo(self, scene: Scene, step: Step) -> None:
        """Nobody took it: the old pod serves still, so it can go."""
        self.failure = self.failure or Step("roll_back", step.why, step.code)
        self.delete_pod(scene.new)

    def do_halt(self, scene: Scene, _step: Step) -> None:
        """No more pods. Each one that fails changes the status, so a version would never hold: the
        annotations are the guard, because a fence is one.
        """
        found = meta(scene.holder or {})
        body = [
            {"op": "test", "path": "/metadata/uid", "value": found["uid"]},
            {"op": "test", "path": "/metadata/annotations", "value": found.get("annotations")},
            {"op": "replace", "path": "/spec/replicas", "value": 0},
        ]
        try:
            self.api.patch(REPLICA_SET, found["name"], body, self.namespace, json_patch=True)
        except Invalid as err:
            raise Conflict(409, "Conflict", err.message) from err

    def do_dismiss(self, scene: Scene, _step: Step) -> None:
        """Nothing depends on the temporary ReplicaSet any more."""
        self._delete(scene.holder, "Background")

    def do_strip(self, scene: Scene, _step: Step) -> None:
        """Do the last of the garbage collector's work in its stead."""
        found = meta(scene.holder or {})
        left = [f for f in found.get("finalizers") or [] if f != ORPHAN]
        guard = {"uid": found["uid"], "resourceVersion": found["resourceVersion"]}
        body = {"metadata": dict(guard, finalizers=left)}
        self.api.patch(REPLICA_SET, found["name"], body, self.namespace)

    def _delete(self, holder: Optional[Object], propagation: str) -> None:
        found = meta(holder or {})
        self.api.delete(
            REPLICA_SET,
            found["name"],
            self.namespace,
            uid=found["uid"],
            resource_version=found["resourceVersion"],
            propagation=propagation,
        )


def _holds(holder: Optional[Object]) -> bool:
    """The temporary ReplicaSet is there to stay."""
    return holder is not None and not is_terminating(holder)


def holder_for(owner: Object, entry: Entry, old: Object, attempt: int) -> Object:
    """The temporary ReplicaSet, named as an adopted replacement would be: its pod keeps the name of
    the workload as its own name's beginning.
    """
    name = replacement_name(entry.owner_name, entry.id, attempt)
    made = from_template(owner, entry, old, name)
    found: Dict[str, Any] = made["metadata"]
    marks = dict(found["annotations"], **{DELETION_COST: GOES_LAST})
    return {
        "apiVersion": REPLICA_SET.api_version,
        "kind": REPLICA_SET.kind,
        "metadata": {
            "name": name,
            "namespace": found["namespace"],
            "labels": {MOVE_ID: entry.id},
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {MOVE_ID: entry.id}},
            "template": {
                "metadata": {"labels": found["labels"], "annotations": marks},
                "spec": made["spec"],
            },
        },
    }


def prepare_shadow(
    api: Api, order: Order, _settings: Settings, entry: Entry, pod: Object, owner: Object
) -> Entry:
    """A dry run of the temporary ReplicaSet: quota, admission and rights answer."""
    body = holder_for(owner, entry, pod, 0)
    try:
        api.create(REPLICA_SET, body, order.namespace, dry_run=True)
    except AlreadyExists:
        pass  # left by an earlier run; this one takes the next name
    except (Forbidden, Invalid) as err:
        where = "ReplicaSet %s/%s" % (order.namespace, meta(body)["name"])
        raise api_to_placement(err, step="dry run", object=where) from err
    return entry


def _refusal(holder: Object) -> Optional[Step]:
    """Why the server does not let the controller create the pod."""
    for condition in (holder.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            why = str(condition.get("message") or "")
            if condition.get("reason") != "FailedCreate":
                continue
            err = Forbidden(403, "Forbidden", why, request="pods create")
            return Step("roll_back", why, api_to_placement(err, step="create").code)
    return None
