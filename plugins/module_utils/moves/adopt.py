# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``adopt``: make-before-break for a controller's pod, with the controller's spec untouched
(moves.md, f2).

The replacement R is created without the detach key, so that the ReplicaSet cannot claim it; it
runs, becomes Ready, serves. Then the old pod O is marked as the preferred victim, and one patch
makes R claimable: the controller adopts R, counts one too many, and deletes O. Upstream:
``claimObject`` (pkg/controller/controller_ref_manager.go) and
``ActivePodsWithRanks.Less`` (pkg/controller/controller_utils.go).

What is seen                                   what is done
no R, O serves                                 create R (a recovery stops here and undoes)
no R, O gone, its heir owned                   done: moved
no R, O gone, no heir                          done: gone
R detached, owner gone or another revision     roll back: delete R
R detached, failed or hopeless                 roll back
R detached, not Ready                          wait; roll back at the deadline
R detached, O gone, owner short                hand over: R is the capacity that is left
R detached, O gone, owner complete             roll back: R is one too many
R detached, Ready, a sibling not Ready         wait (it would be deleted in O's place)
R detached, Ready, gates open, O unmarked      mark O
R detached, Ready, gates open, O marked        hand over
R labelled, nobody's                           wait for adoption; undo after a minute
R adopted, O alive, one pod too many           wait for the controller
R adopted, O alive, none too many              O was spared (theft, scale-up): try again
R adopted, O terminating                       wait until it is gone
R adopted, O gone                              finalize: R becomes O's heir
"""

from __future__ import annotations

from typing import Any, Dict, Optional

from ..api import Api, Object
from ..errors import (
    AlreadyExists,
    Forbidden,
    Invalid,
    NotFound,
    PlacementError,
    api_to_placement,
)
from ..resources import DEPLOYMENT, POD, annotation, label, meta, uid
from ..rules.pod_state import is_ready, is_terminal, is_terminating
from ..rules.selectors import matches_labels
from ..workloads import (
    active_pods,
    controller_ref,
    desired,
    known_kind,
    min_ready_seconds,
    owned_by,
    selector,
    selector_string,
)
from .gates import closed_gate
from .journal import Entry
from .lock import Lock
from .machine import Machine
from .manifest import from_template, own_cost
from .names import (
    DELETION_COST,
    EPOCH,
    GOES_FIRST,
    GOES_LAST,
    MOVE_ID,
    MOVED_FROM_UID,
    replacement_name,
)
from .order import Settings
from .scene import DONE, WAIT, Scene, Step
from .vigil import Vigil

ADOPTION_SECONDS = 60.0
LEAVING_SECONDS = 30.0
MAX_TRIES = 3
REVISION = "deployment.kubernetes.io/revision"


class Adopt(Machine):
    """One move by adoption."""

    def __init__(
        self,
        api: Api,
        lock: Lock,
        entry: Entry,
        settings: Settings,
        owner: Object,
        *,
        resume: bool = False,
    ) -> None:
        super().__init__(api, lock, entry, settings, resume=resume)
        self.owner_selector = selector(entry.owner_kind, owner)
        self.selector = selector_string(self.owner_selector, without=entry.detach_key)
        soak = max(settings.soak, min_ready_seconds(owner))
        self.vigil = Vigil(settings.clock, entry.node, soak)
        self.tries = 0

    # ---- looking

    def look(self) -> Scene:
        """One list of pods, and the owner as it is now."""
        pods, version = self.api.list(POD, self.namespace, label_selector=self.selector)
        scene = Scene(versions={POD.kind: version})
        scene.owner = self._read(self.entry.owner_kind, self.entry.owner_name, self.entry.owner_uid)
        if self.entry.deployment:
            scene.deployment = self._read(DEPLOYMENT.kind, self.entry.deployment, "")
        for pod in pods:
            if uid(pod) == self.entry.pod_uid:
                scene.old = None if is_terminal(pod) else pod
            elif label(pod, MOVED_FROM_UID) != self.entry.pod_uid:
                continue
            elif is_terminating(pod):
                scene.leaving = pod
            elif label(pod, MOVE_ID) == self.entry.id:
                scene.new = self.replacement = pod
            elif owned_by(pod, self.entry.owner_uid):
                scene.heir = self.replacement = pod
        others = active_pods(pods, self.entry.owner_uid)
        scene.siblings = [p for p in others if p is not scene.old and p is not scene.new]
        if scene.new is not None and not is_ready(scene.new) and self.entry.node:
            scene.node = self.node(self.entry.node)
        return scene

    def _read(self, kind_name: str, name: str, wanted: str) -> Optional[Object]:
        kind = known_kind(kind_name, "v1" if kind_name == "ReplicationController" else "apps/v1")
        if kind is None:
            return None
        try:
            found = self.api.get(kind, name, self.namespace)
        except NotFound:
            return None
        return None if is_terminating(found) or (wanted and uid(found) != wanted) else found

    # ---- deciding

    def decide(self, scene: Scene) -> Step:
        """See the table at the head of this file."""
        if scene.new is None:
            return self._without_replacement(scene)
        if owned_by(scene.new, self.entry.owner_uid):
            return self._adopted(scene, scene.new)
        if self.failure is not None or not self._claimable(scene.new):
            return self._detached(scene, scene.new)
        return self._unclaimed(scene)

    def _claimable(self, new: Object) -> bool:
        return matches_labels(self.owner_selector, meta(new).get("labels") or {})

    def _serving(self, scene: Scene) -> bool:
        """The old pod still is what the move is about."""
        old = scene.old
        return old is not None and not is_terminating(old) and owned_by(old, self.entry.owner_uid)

    def _owner_changed(self, scene: Scene) -> Optional[Step]:
        if scene.owner is None:
            return Step(
                "roll_back",
                "%s %s is gone" % (self.entry.owner_kind, self.entry.owner_name),
                "OwnerGone",
            )
        if not self.entry.deployment:
            return None
        if scene.deployment is None:
            return Step("roll_back", "Deployment %s is gone" % self.entry.deployment, "OwnerGone")
        ref = controller_ref(scene.owner)
        if ref is None or ref["uid"] != uid(scene.deployment):
            return Step(
                "roll_back", "the ReplicaSet no longer belongs to the Deployment", "OwnerGone"
            )
        if (annotation(scene.deployment, REVISION) or "") != self.entry.revision:
            return Step("roll_back", "a rollout began meanwhile", "RolloutInProgress")
        return None

    def _without_replacement(self, scene: Scene) -> Step:
        if self._serving(scene) and (self.failure is not None or self.resume):
            return self._restored(scene)
        if not self._serving(scene):
            if scene.heir is None:
                text = "the pod is gone: deleted or released by someone else"
                self.failure = self.failure or Step(DONE, text, "PodGone")
                return self._restored(scene)
            return self._old_gone(scene) or Step(DONE)
        changed = self._owner_changed(scene)
        if changed is not None:
            self.failure = changed
            return self._restored(scene)
        if self.tries >= MAX_TRIES:
            self.failure = Step(
                DONE, "the controller deleted another pod %d times" % self.tries, "VictimMismatch"
            )
            return self._restored(scene)
        return Step("create")

    def _restored(self, scene: Scene) -> Step:
        """The way back ends when the old pod carries no mark of ours and the other one is gone."""
        if scene.leaving is not None and self.settings.wait:
            waited = self.settings.clock.monotonic() - self.vigil.seen("rolling back")
            if waited < LEAVING_SECONDS:
                return Step(WAIT, "waiting until the replacement is gone")
        if scene.old is not None and not is_terminating(scene.old) and self._marked(scene.old):
            return Step("unmark")
        return self.ended()

    def _marked(self, old: Object) -> bool:
        ours = own_cost(old) == GOES_FIRST and self.entry.cost != GOES_FIRST
        return ours or annotation(old, EPOCH) is not None

    def _detached(self, scene: Scene, new: Object) -> Step:
        if self.failure is not None:
            return self.failure
        changed = self._owner_changed(scene)
        if changed is not None:
            return changed
        verdict = self.vigil.judge(new, scene.node)
        if not self._serving(scene):
            return self._after_loss(scene, ready=is_ready(new))
        if verdict.code == "WrongNode" and self.tries + 1 < MAX_TRIES:
            return Step("retry")
        if verdict.code:
            return Step("roll_back", verdict.why, verdict.code)
        if self.resume and not is_ready(new):
            return Step("roll_back", "the interrupted move had no Ready replacement", "RolledBack")
        if not verdict.ready:
            return self._or_give_up(Step(WAIT, verdict.why, verdict.late, limit=verdict.limit))
        accept = self.settings.accept_differences
        closed = closed_gate(self.api, self.namespace, self.entry, scene, accept_differences=accept)
        if closed is not None:
            return self._or_give_up(closed)
        return Step("hand_over" if own_cost(scene.old or {}) == GOES_FIRST else "mark")

    def _or_give_up(self, waiting: Step) -> Step:
        """A wait, or at the deadline the way back."""
        if waiting.verb != WAIT or not self.settings.deadline.passed():
            return waiting
        why = "not done within %ss: %s" % (self.settings.deadline.seconds, waiting.why)
        return Step("roll_back", why, waiting.code or "Timeout")

    def _after_loss(self, scene: Scene, *, ready: bool) -> Step:
        """Somebody else took the old pod: R is surplus once its owner is whole without it, capacity
        until then.
        """
        wanted = desired(scene.owner or {})
        whole = sum(1 for p in scene.siblings if is_ready(p))
        if not ready or whole >= wanted:
            return Step(
                "roll_back", "the pod was deleted or released by someone else meanwhile", "PodGone"
            )
        if len(scene.siblings) < wanted or self.settings.deadline.passed():
            return Step("hand_over")
        return Step(WAIT, "waiting until the workload is whole without the replacement")

    def _unclaimed(self, scene: Scene) -> Step:
        changed = self._owner_changed(scene)
        if changed is not None:
            return changed
        waited = self.settings.clock.monotonic() - self.vigil.seen("handed over")
        if waited >= ADOPTION_SECONDS:
            return Step(
                "undo", "the controller did not adopt the replacement", "ControllerNotResponding"
            )
        return Step(WAIT, "waiting for the controller", limit=ADOPTION_SECONDS - waited)

    def _adopted(self, scene: Scene, new: Object) -> Step:
        self.vigil.seen("adopted")
        if not self._serving(scene):
            return self._old_gone(scene) or Step("finalize")
        count = len(scene.siblings) + (1 if is_terminal(new) else 2)
        if count > desired(scene.owner or {}):
            if (
                self.settings.deadline.passed()
                and self.settings.clock.monotonic() - self.vigil.seen("adopted") > ADOPTION_SECONDS
            ):
                raise self._stuck()
            return Step(WAIT, "waiting until the controller deletes the old pod")
        return Step("spare")

    def _old_gone(self, scene: Scene) -> Optional[Step]:
        """Wait while the old pod still stops; None when it is gone, or need not be waited for."""
        if scene.old is None or not owned_by(scene.old, self.entry.owner_uid):
            self.vigil.seen("gone")
            return None
        self.vigil.seen("terminating")
        if self.settings.wait and not self.settings.deadline.passed():
            return Step(WAIT, "waiting until the old pod is gone")
        return None

    def _stuck(self) -> PlacementError:
        return PlacementError(
            "ControllerNotResponding",
            "the controller adopted the replacement but does not delete the old pod",
            object="Pod %s/%s" % (self.namespace, self.entry.pod),
            step="swap",
            hint="Look at kube-controller-manager; run the task again, it finishes what is left.",
            changed=True,
        )

    # ---- acting

    def do_create(self, scene: Scene, _step: Step) -> None:
        """A former try that still terminates, or an earlier move's pod, has the name: take the
        next.
        """
        name = replacement_name(self.entry.owner_name, self.entry.id, self.attempt)
        body = from_template(scene.owner or {}, self.entry, scene.old or {}, name)
        body["metadata"]["ownerReferences"] = [self.lock.owner_reference()]
        try:
            self.api.create(POD, body, self.namespace)
        except AlreadyExists:
            found = self.pod(name)
            if found is None or is_terminating(found) or label(found, MOVE_ID) != self.entry.id:
                self.attempt += 1
        except (Forbidden, Invalid) as err:
            self.failure = Step(DONE, err.message, api_to_placement(err, step="create").code)

    def do_mark(self, scene: Scene, _step: Step) -> None:
        """First half of the swap: the old pod is the one to go."""
        self.patch_pod(scene.old, {"annotations": {DELETION_COST: GOES_FIRST}})

    def do_unmark(self, scene: Scene, _step: Step) -> None:
        """The old pod stays, as its user had it."""
        marks: Dict[str, Any] = {EPOCH: None}
        if own_cost(scene.old or {}) == GOES_FIRST:
            marks[DELETION_COST] = self.entry.cost
        self.patch_pod(scene.old, {"annotations": marks})

    def do_hand_over(self, scene: Scene, _step: Step) -> None:
        """Second half, in one write: claimable by the owner, no longer tied to the Lease."""
        change = {
            "labels": {self.entry.detach_key: self.entry.detach_value},
            "annotations": {DELETION_COST: GOES_LAST},
            "ownerReferences": None,
        }
        self.patch_pod(scene.new, change)
        self.vigil.seen("handed over")

    def do_undo(self, scene: Scene, step: Step) -> None:
        """Nobody adopted it: out of the owner's sight again, and back."""
        self.failure = Step("roll_back", step.why, step.code)
        tie = [self.lock.owner_reference()]
        change = {"labels": {self.entry.detach_key: None}, "ownerReferences": tie}
        self.patch_pod(scene.new, change)

    def do_roll_back(self, scene: Scene, step: Step) -> None:
        """The old pod serves on; the replacement goes."""
        self.failure = step
        self.delete_pod(scene.new)

    def do_retry(self, scene: Scene, _step: Step) -> None:
        """A mere preference was not followed: ask again with a new pod."""
        self.delete_pod(scene.new)
        self.tries += 1
        self.attempt += 1

    def do_spare(self, scene: Scene, step: Step) -> None:
        """The replacement stays as an ordinary pod; the old one is moved by another."""
        self.do_finalize(scene, step)
        self.warnings.append(
            "the controller kept pod %s and deleted another pod that was not Ready, or was scaled "
            "up meanwhile; moved again" % self.entry.pod
        )
        self.tries += 1
        self.attempt += 1

    def do_finalize(self, scene: Scene, _step: Step) -> None:
        """The replacement is an ordinary pod now; the old one's own deletion cost goes with it."""
        marks = {DELETION_COST: self.entry.cost, EPOCH: None}
        self.patch_pod(scene.new, {"labels": {MOVE_ID: None}, "annotations": marks})
        self.vigil.seen("finalized")
