# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``replace``: a controller's pod whose volume only one node, or one pod, can use (moves.md, f4).

The two cannot both run, so the old pod O goes first, by an Eviction. What makes it better than an
eviction alone: the replacement R already has its place on the target before O goes (of a volume
for one pod: the scheduler says that nothing but this volume is in the way), and becomes the
controller's right after. The controller may have made a pod X of its own by then; X has no node, or
a lower cost, and is the one that the controller deletes again.

Killed between the two writes, this is a plain eviction: the controller has X, and R is deleted, or
takes over if it is Ready first.

What is seen                                  what is done
no R, O serves, budget or siblings forbid     wait; give up at the deadline, nothing was done
no R, O serves                                create R (a recovery stops here and undoes)
R detached, O serves, R fails or is late      roll back: delete R
R detached, O serves, R without its place     wait
R running, O serves, budget or siblings       stand down: delete R, or two pods use the volume
R in its place, gates open                    evict O and hand R over
O evacuated by an operator, as it answers     wait until it goes; at the deadline roll back
R detached, O going, by this run              hand over
R detached, O going, owner short, or R Ready  hand over: R is the capacity, or the younger X goes
R detached, O going, owner whole              roll back: it was a plain eviction
R labelled, nobody's                          wait for adoption
R adopted, O terminating                      wait until it is gone
R adopted, cannot run there                   give up: delete R, the controller makes another
R adopted, not Ready                          wait; at the deadline finalize and say so
R adopted, Ready, volume not detached, X left wait
R adopted, Ready                              finalize: R becomes O's heir
no R, O gone, no heir                         the controller kept X: say so
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Optional

from ..api import Api, Object
from ..errors import Conflict, Invalid
from ..resources import POD, VOLUME_ATTACHMENT, describe, meta
from ..rules.pod_state import is_ready, is_running, is_scheduled, is_terminal, is_unschedulable
from ..rules.selectors import matches_labels
from ..workloads import desired, owned_by
from .adopt import Adopt
from .attachments import Attachments, exclusive_claims, of_one_pod, user_elsewhere
from .gates import closed_budget, unsettled
from .journal import Entry
from .lock import Lock
from .manifest import differences
from .names import DELETION_COST, GOES_LAST
from .order import Order, Settings
from .refusals import ONE_NODE, ONE_POD, refuse
from .scene import DONE, WAIT, Scene, Step
from .swap import ADOPTION_SECONDS, MAX_TRIES
from .vigil import Verdict

# In the scheduler's message about a pod that only such a claim keeps away. VolumeRestrictions
# is asked after ports, resources, taints and affinity; the first "no" of a node is the one told.
ONE_POD_MODE = "ReadWriteOncePod"


def prepare_replace(
    api: Api, _order: Order, _settings: Settings, entry: Entry, pod: Object, _owner: Object
) -> Entry:
    """Refuse what could never start on the target: ``VolumeInUse``, ``VolumeOnePod``."""
    claims = exclusive_claims(api, pod)
    other = user_elsewhere(api, pod, claims, entry.node)
    if other is not None:
        text = "claim %s is also used by %s on node %s" % (
            other[1],
            describe("Pod", other[0]),
            other[0]["spec"]["nodeName"],
        )
        hint = "A volume of one node takes all of its pods along: scale down to one, then move it."
        raise refuse("VolumeInUse", pod, text, hint)
    if of_one_pod(claims) and entry.placement == "bind":
        text = "only a scheduler keeps a second pod from a volume that is for one pod"
        raise refuse("VolumeOnePod", pod, text, "Use placement: schedule.")
    return replace(entry, way=ONE_POD if of_one_pod(claims) else ONE_NODE)


class Replace(Adopt):
    """One move by a guarded eviction."""

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
        super().__init__(api, lock, entry, settings, owner, resume=resume)
        self.attachments = Attachments(api, entry.from_node)
        self.outcome: Optional[Step] = None  # how a move ended that could not be rolled back

    # ---- before the eviction

    def decide(self, scene: Scene) -> Step:
        """See the table at the head of this file."""
        if not self._serving(scene):
            return self._after(scene)
        if scene.new is None:
            return self._not_begun(scene)
        return self._before(scene, scene.new)

    def _not_begun(self, scene: Scene) -> Step:
        step = self._without_replacement(scene)
        if step.verb != "create":
            return step
        closed = self._in_progress() or self._closed(scene)
        if closed is None or not self.settings.deadline.passed():
            return closed or step
        self.failure = self.or_give_up(closed)
        return self._restored(scene)

    def _before(self, scene: Scene, new: Object) -> Step:
        if self.granted:
            return Step(WAIT, "waiting until the eviction shows", limit=0.5)
        if self.failure is not None:
            return Step("roll_back", self.failure.why, self.failure.code)
        if self.resume:
            return Step("roll_back", "the interrupted move had taken nothing away", "RolledBack")
        changed = self._owner_changed(scene)
        if changed is not None:
            return changed
        unplaced = self._unplaced(scene, new)
        if unplaced is not None:
            return self.or_give_up(unplaced)
        closed = self._different(scene) or self._in_progress() or self._closed(scene)
        if closed is None:
            return Step("evict")
        if closed.verb == WAIT and is_running(new):
            return Step("stand_down", closed.why, closed.code)
        return self.or_give_up(closed)

    def _unplaced(self, scene: Scene, new: Object) -> Optional[Step]:
        """None when the replacement has its place, or only the volume of the old pod is in the
        way.
        """
        if self.entry.way == ONE_POD and _held_up_by_claim(new):
            return None
        verdict = self.vigil.judge(new, scene.node)
        if verdict.code == "WrongNode" and self.tries + 1 < MAX_TRIES:
            return Step("retry")
        if verdict.code:
            return Step("roll_back", verdict.why, verdict.code)
        if is_scheduled(new):
            return None
        return Step(WAIT, verdict.why, verdict.late, limit=verdict.limit)

    def _different(self, scene: Scene) -> Optional[Step]:
        if self.settings.accept_differences:
            return None
        found = differences(scene.old or {}, scene.new or {})
        return Step("roll_back", "; ".join(found), "ReplacementDiffers") if found else None

    def _closed(self, scene: Scene) -> Optional[Step]:
        """What the eviction has to wait for. Asked before a replacement is made, too: a volume that
        nothing attaches would let it run beside the old pod all the while.
        """
        closed = (
            self.another_s_turn()
            or unsettled(scene)
            or closed_budget(self.api, self.namespace, self.entry, scene)
        )
        # What is asked for show triggers nothing: that takes the eviction itself.
        return None if closed is not None and closed.code == "EvacuationTriggered" else closed

    def _in_progress(self) -> Optional[Step]:
        """An operator moves the old pod itself, as it has answered to the eviction."""
        told = self.blocked is not None and self.blocked.code == "EvacuationTriggered"
        return self.blocked if told else None

    # ---- after it: there is no way back

    def _after(self, scene: Scene) -> Step:
        new = scene.new
        self.disrupted = self.disrupted or self.asked
        if new is None:
            return self._ended(scene)
        if owned_by(new, self.entry.owner_uid):
            return self._adopted(scene, new)
        if scene.owner is None:
            return Step("roll_back", "the controller is gone", "OwnerGone")
        if matches_labels(self.owner_selector, meta(new).get("labels") or {}):
            return self._awaiting_adoption()
        return self._half_done(scene, new)

    def _half_done(self, scene: Scene, new: Object) -> Step:
        """The old pod goes, and the replacement is not the controller's yet."""
        if self.disrupted:
            return Step("hand_over")
        changed = self._owner_changed(scene)
        if changed is not None:
            return changed
        wanted = desired(scene.owner or {})
        if len(scene.siblings) < wanted or is_ready(new):
            return Step("hand_over")
        whole = sum(1 for p in scene.siblings if is_ready(p)) >= wanted
        if whole or is_terminal(new) or self.settings.deadline.passed():
            why = "the old pod went, and its controller has replaced it"
            return Step("roll_back", why, "PodGone")
        return Step(WAIT, "waiting until the workload is whole with either pod")

    def _awaiting_adoption(self) -> Step:
        waited = self.settings.clock.monotonic() - self.vigil.seen("handed over")
        if waited >= ADOPTION_SECONDS and self.settings.deadline.passed():
            raise self._stuck(
                "the old pod was evicted, and its controller does not adopt the replacement"
            )
        return Step(WAIT, "waiting for the controller")

    def _adopted(self, scene: Scene, new: Object) -> Step:
        self.vigil.seen("adopted")
        verdict = self._verdict(scene, new)
        late = self.settings.deadline.passed()
        going = self._old_gone(scene)
        if going is not None:
            return going
        if verdict.code and verdict.code != "WrongNode":
            return Step("give_up", verdict.why, verdict.code)
        if verdict.code:
            return Step("finalize", verdict.why, verdict.code)
        if not verdict.ready:
            return self._not_ready(scene, new, verdict, late=late)
        held = self.attachments.held(new)
        if held and not late:
            scene.versions[VOLUME_ATTACHMENT.kind] = self.attachments.version
            return Step(WAIT, self._holds(held), kind=VOLUME_ATTACHMENT)
        if held:
            self.warnings.append(self._holds(held))
        if len(scene.siblings) + 1 > desired(scene.owner or {}) and not late:
            return Step(WAIT, "waiting until the controller deletes the pod that it made itself")
        return Step("finalize")

    def _verdict(self, scene: Scene, new: Object) -> Verdict:
        """A pod that waits for the old one's volume is not late before that is free."""
        if _held_up_by_claim(new) or (scene.old is not None and not is_scheduled(new)):
            return Verdict(why="waiting for the scheduler", late="NotScheduled")
        return self.vigil.judge(new, scene.node)

    def _not_ready(self, scene: Scene, new: Object, verdict: Verdict, *, late: bool) -> Step:
        if not late:
            return Step(WAIT, verdict.why, limit=verdict.limit)
        held = self.attachments.held(new)
        if held:
            return Step("finalize", self._holds(held), "VolumeStillAttached")
        why = "not Ready in time: %s" % verdict.why
        if scene.old is not None:
            return Step("finalize", why, "TerminationTimeout")
        return Step("finalize" if is_scheduled(new) else "give_up", why, verdict.late)

    def _holds(self, volumes: list[str]) -> str:
        return "node %s still has volume %s attached" % (self.entry.from_node, ", ".join(volumes))

    def _ended(self, scene: Scene) -> Step:
        if self.outcome is not None:
            self.failure = self.outcome
            return self._restored(scene)
        if scene.heir is not None:
            return self._old_gone(scene) or Step(DONE)
        if not self.disrupted:
            return self._without_replacement(scene)
        self.replacement = max(scene.siblings, key=_age, default=None)
        where = (self.replacement or {}).get("spec", {}).get("nodeName") or "no node yet"
        if self._in_progress() is not None:
            why = "an operator took the pod away itself, and its controller's next pod is on %s"
            return Step(DONE, why % where, "PodGone")
        why = "the controller kept a pod of its own (on %s) and deleted the replacement" % where
        return Step(DONE, why, "VictimMismatch")

    # ---- acting

    def do_evict(self, scene: Scene, step: Step) -> Optional[Step]:
        """The old pod goes, and in the same breath the replacement becomes the controller's: so it
        need not make one.
        """
        self.blocked = self.evict_old(scene)
        if self.blocked is None:
            self.do_hand_over(scene, step)
        return self.blocked

    def do_hand_over(self, scene: Scene, _step: Step) -> None:
        """Guarded by what it changes and not by the version: in these very moments the kubelet
        writes the replacement's status. Whoever recovered this move has changed its owners.
        """
        found = meta(scene.new or {})
        label, cost = (k.replace("/", "~1") for k in (self.entry.detach_key, DELETION_COST))
        owners = found.get("ownerReferences")
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": found["uid"]},
            {"op": "test", "path": "/metadata/ownerReferences", "value": owners},
            {"op": "add", "path": "/metadata/labels/" + label, "value": self.entry.detach_value},
            {"op": "add", "path": "/metadata/annotations/" + cost, "value": GOES_LAST},
            {"op": "remove", "path": "/metadata/ownerReferences"},
        ]
        try:
            self.api.patch(POD, found["name"], operations, self.namespace, json_patch=True)
        except Invalid as err:  # so a test that does not hold is answered
            raise Conflict(409, "Conflict", err.message, request=err.request) from err
        self.vigil.seen("handed over")

    def do_stand_down(self, scene: Scene, _step: Step) -> None:
        """It runs already, and the old pod may not go yet: two pods must not use the volume."""
        self.delete_pod(scene.new)
        self.attempt += 1

    def do_give_up(self, scene: Scene, step: Step) -> None:
        """It will never run there. Without it the controller makes a pod that may run anywhere."""
        self.delete_pod(scene.new)
        self.outcome = Step(DONE, step.why, step.code)

    def do_finalize(self, scene: Scene, step: Step) -> None:
        """Ready, or left to its controller: an ordinary pod from here on."""
        super().do_finalize(scene, step)
        self.lock.turn = ""
        self.outcome = Step(DONE, step.why, step.code) if step.code else None
        if self.attachments.blind:
            self.warnings.append(
                "without the right to list volumeattachments nobody could see whether node %s has "
                "let go of the volume" % self.entry.from_node
            )


def _age(pod: Mapping[str, Any]) -> Any:
    return meta(pod).get("creationTimestamp", ""), meta(pod)["name"]


def _held_up_by_claim(pod: Mapping[str, Any]) -> bool:
    if not is_unschedulable(pod):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    told = [str(c.get("message")) for c in conditions if c.get("type") == "PodScheduled"]
    return any(ONE_POD_MODE in message for message in told)
