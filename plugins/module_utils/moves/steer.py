# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``steer``: a StatefulSet's pod to a named node (moves.md, f5). Break-before-make: an ordinal
cannot run twice, so the old pod O goes before the new one N of the same name comes.

Before O is evicted, a way is prepared that decides where N comes up (see steering), and it is
proved to have an effect. N and O are told apart by uid. Whatever happens, what was put in place is
taken away in the end, and the controller heals the StatefulSet as ever.

What is seen                                  what is done
O serves, a recovery or a failure             take away what is in place, done: nothing was lost
O serves, the way is not prepared             put it in place (or: hold O by a finalizer)
O serves, it has no effect yet                wait; after a while back
O serves, another pod of the set is missing   wait: the controller would not come to N
O serves                                      evict
O terminating                                 wait; the block is renewed while it takes longer
O held, its containers have ended             let it go and create N
no pod, N is ours to create                   create it from O's revision
no pod, the controller creates N              wait
N elsewhere, of a lost race, serves nobody    hold it and delete it: another race, five at most
N elsewhere                                   take away, done: WrongNode
N hopeless or late                            take away, delete N: the controller makes another,
                                              wherever the scheduler puts it
N ours, nobody left to adopt it               the same
N not Ready                                   wait
N Ready                                       take away, take our mark off N, done
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Optional, Tuple

from ..api import Api, Object
from ..errors import AlreadyExists, Forbidden, Invalid, NotFound, api_to_placement
from ..resources import CONTROLLER_REVISION, POD, STATEFUL_SET, label, meta, uid
from ..rules.pod_state import is_ready, is_terminating
from ..workloads import controller_ref, min_ready_seconds, owned_by, selector, selector_string
from .journal import Entry
from .lock import Lock
from .machine import Machine
from .names import DOMAIN, EPOCH, MOVE_ID
from .order import Settings
from .scene import DONE, WAIT, Scene, Step
from .stateful import next_pod, obstacle
from .steering import CREATING, HOLD, HOSTNAME
from .toolbox import Toolbox

FINALIZER = DOMAIN + "/hold"
EFFECT_SECONDS = 20.0
EFFECT_TICK = 0.2
RESTORE_SECONDS = 120.0
MAX_TRIES = 5  # of a race with the controller


class Steer(Machine):
    """One move of a StatefulSet's pod."""

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
        if owner:
            self.selector = selector_string(selector(STATEFUL_SET.kind, owner))
        else:
            self.fields = "metadata.name=" + entry.pod
        self.vigil = self.new_vigil(max(settings.soak, min_ready_seconds(owner)))
        self.tools = Toolbox(api, lock, entry, settings)
        self.given_up = ""  # the uid of a pod on the target that did not become Ready
        self.details["way"] = entry.way
        self.lost_races = 0

    # ---- looking

    def look(self) -> Scene:
        """The pods of the set, the set, the target, and what was put in place."""
        pods, version = self.api.list(
            POD, self.namespace, label_selector=self.selector, field_selector=self.fields
        )
        scene = Scene(versions={POD.kind: version}, siblings=pods)
        for pod in pods:
            if uid(pod) == self.entry.pod_uid:
                scene.old = pod
            elif meta(pod)["name"] == self.entry.pod:
                scene.new = None if is_terminating(pod) else pod
                scene.leaving = pod if is_terminating(pod) else None
        scene.owner = self._owner()
        if self.entry.node and (scene.new is None or not is_ready(scene.new)):
            scene.node = self.node(self.entry.node)
        self.tools.look()
        if scene.new is not None:
            self.replacement = scene.new
        return scene

    def _owner(self) -> Optional[Object]:
        try:
            found = self.api.get(STATEFUL_SET, self.entry.owner_name, self.namespace)
        except NotFound:
            return None
        return found if uid(found) == self.entry.owner_uid and not is_terminating(found) else None

    # ---- deciding

    def decide(self, scene: Scene) -> Step:
        """See the table at the head of this file."""
        if scene.old is not None:
            if is_terminating(scene.old):
                return self._going(scene, scene.old)
            return self._serving(scene, scene.old)
        self.vigil.seen("gone")
        self.disrupted = self.disrupted or self.asked or self.resume
        if scene.leaving is not None:
            return self._held_again(scene.leaving) or self._tidied(scene) or self._leaving()
        if scene.new is None:
            return self._missing(scene)
        return self._arrived(scene, scene.new)

    def _serving(self, scene: Scene, old: Object) -> Step:
        if self.failure is None and not self.resume:
            self.failure = self._changed(scene)
        if self.failure is not None or self.resume:
            return self._tidied(scene) or self.ended()
        if self.tools.renewal_due():
            return Step("renew")
        ready = self._unprepared(old) or self._unproved(scene, old)
        if ready is not None:
            return ready
        found = self._obstacle(scene)
        if found is not None:
            return Step(WAIT, found[1], found[0])
        if self.blocked is not None and self.blocked.code == "EvacuationTriggered":
            return self.blocked
        return Step("evict")

    def _changed(self, scene: Scene) -> Optional[Step]:
        """Why nothing shall be begun any more."""
        found = self._obstacle(scene)
        if found is not None and found[0] != "WorkloadNotReady":
            return Step(DONE, found[1], found[0])
        if not self.settings.deadline.passed():
            return None
        late = self.blocked or Step(DONE, found[1] if found else "", found[0] if found else "")
        why = late.why or "not begun within %ss" % self.settings.deadline.seconds
        return Step(DONE, why, late.code or "Timeout")

    def _obstacle(self, scene: Scene) -> Optional[Tuple[str, str]]:
        return obstacle(scene.owner, scene.siblings, self.entry.pod, self.entry.revision)

    def _unprepared(self, old: Object) -> Optional[Step]:
        if not self.tools.complete():
            return Step("install")
        if self.entry.way == HOLD and not _held(old):
            return Step("hold")
        return None

    def _unproved(self, scene: Scene, old: Object) -> Optional[Step]:
        """Asks the server for show until it answers as it shall."""
        why = self.tools.without_effect(old, scene.owner or {}, self._host(scene))
        if why is None:
            return None
        if self.settings.clock.monotonic() - self.vigil.seen("prepared") < EFFECT_SECONDS:
            return Step(WAIT, why, limit=EFFECT_TICK)
        self.failure = Step(DONE, why, "SteerUnavailable")
        return self._tidied(scene) or self.ended()

    def _host(self, scene: Scene) -> str:
        return label(scene.node or {}, HOSTNAME) or self.entry.node

    def _going(self, scene: Scene, old: Object) -> Step:
        self.vigil.seen("terminating")
        self.disrupted = self.disrupted or self.asked or self.resume
        if self.settings.deadline.passed():
            why = "the old pod is still terminating"
            self.failure = self.failure or Step(DONE, why, "TerminationTimeout")
            return self._tidied(scene) or self.ended()
        if self.failure is None and self.tools.renewal_due():
            return Step("renew")
        if self.entry.way == HOLD and _stopped(old):
            return Step("let_go")
        return Step(WAIT, "waiting until the old pod is gone")

    def _leaving(self) -> Step:
        if self.settings.deadline.passed() and self._restored_in_time():
            return self.ended()
        return Step(WAIT, "waiting until the new pod that failed is gone")

    def _missing(self, scene: Scene) -> Step:
        """There is no pod of that name."""
        ours = self.asked or self.resume or self.tools.effective or bool(self.given_up)
        found = self._obstacle(scene)
        if not ours or (found is not None and found[0] in ("OwnerGone", "PodGone")):
            code, why = found or ("PodGone", "the pod is gone: deleted by someone else")
            self.failure = self.failure or Step(DONE, why, code)
            return self._tidied(scene) or self.ended()
        if self.entry.way in CREATING and not self.given_up:
            return Step("create")
        if self.given_up:
            tidied = self._tidied(scene)
            if tidied is not None:
                return tidied
        if self.settings.deadline.passed() and self._restored_in_time():
            why = "the controller has not replaced the pod"
            self.failure = self.failure or Step(DONE, why, "NotReplaced")
            return self._tidied(scene) or self.ended()
        return Step(WAIT, "waiting for the controller")

    def _restored_in_time(self) -> bool:
        """Nothing more is waited for: the way back has its own time."""
        begun = self.vigil.times.get("given up")
        return begun is None or self.settings.clock.monotonic() - begun > RESTORE_SECONDS

    def _arrived(self, scene: Scene, new: Object) -> Step:
        if uid(new) == self.given_up:
            return self._tidied(scene, marks=False) or Step("discard")
        if _stranded(scene, new, self.entry.id):
            return Step("give_up", "the StatefulSet was deleted meanwhile", "OwnerGone")
        verdict = self.vigil.judge(new, scene.node)
        if self.given_up:
            if verdict.ready or (self.settings.deadline.passed() and self._restored_in_time()):
                return self._tidied(scene) or self.ended()
            return Step(WAIT, verdict.why, limit=verdict.limit)
        if verdict.code == "WrongNode":
            return self._elsewhere(scene, new, verdict.why)
        late = self.settings.deadline.passed() and not verdict.ready
        if verdict.code or late:
            return Step("give_up", verdict.why, verdict.code or verdict.late)
        if not verdict.ready:
            return Step(WAIT, verdict.why, limit=verdict.limit)
        return self._tidied(scene) or self._adopted(scene, new)

    def _elsewhere(self, scene: Scene, new: Object, why: str) -> Step:
        """The controller won the race for the name: what it made is held in its turn, so often,
        and as long as it serves nobody.
        """
        if self.entry.way == HOLD:
            why = "the controller was quicker %d times: %s" % (self.lost_races + 1, why)
        again = self.entry.way == HOLD and not (self.failure or self.resume or is_ready(new))
        if again and self.lost_races + 1 < MAX_TRIES and not self.settings.deadline.passed():
            return Step("discard" if _held(new) else "hold", why)
        self.failure = Step(DONE, why, "WrongNode")
        return self._tidied(scene) or self.failure

    def _held_again(self, leaving: Object) -> Optional[Step]:
        """Between a lost race and the next."""
        if not _held(leaving) or self.failure or self.resume:
            return None
        if self.settings.deadline.passed():
            self.failure = Step(DONE, "no time for another race with the controller", "WrongNode")
            return None
        stopped = _stopped(leaving)
        return Step("let_go") if stopped else Step(WAIT, "waiting until the pod has stopped")

    def _adopted(self, scene: Scene, new: Object) -> Step:
        self.vigil.seen("finalized")
        if owned_by(new, self.entry.owner_uid) or scene.owner is None:
            return Step(DONE)
        if self.settings.deadline.passed():
            self.warnings.append("the controller has not adopted pod %s yet" % self.entry.pod)
            return Step(DONE)
        return Step(WAIT, "waiting for the controller to adopt the pod")

    def _tidied(self, scene: Scene, *, marks: bool = True) -> Optional[Step]:
        """The next of our traces to take away, None when there is none."""
        if not self.tools.empty():
            return Step("remove")
        old, new = scene.old, scene.new
        if _holding(scene) is not None:
            return Step("release")
        if self.fenced(scene) and not is_terminating(old or {}):
            return Step("unmark")
        if new is not None and marks and (label(new, MOVE_ID) or _fence(new)):
            return Step("finalize")
        return None

    # ---- acting

    def do_install(self, scene: Scene, _step: Step) -> None:
        """One of the tools of the way."""
        try:
            self.tools.install(scene.old, self._host(scene))
        except (Forbidden, Invalid) as err:
            self.failure = Step(DONE, err.message, api_to_placement(err, step="steer").code)

    def do_renew(self, scene: Scene, _step: Step) -> None:
        """The block shall last."""
        self.tools.renew(scene.old)

    def do_hold(self, scene: Scene, _step: Step) -> None:
        """The name stays taken while the containers stop."""
        pod = scene.old or scene.new or {}
        self.patch_pod(pod, {"finalizers": [*(meta(pod).get("finalizers") or []), FINALIZER]})

    def do_release(self, scene: Scene, _step: Step) -> None:
        """Take the finalizer off again."""
        pod = _holding(scene) or {}
        kept = meta(pod).get("finalizers") or []
        self.patch_pod(pod, {"finalizers": [f for f in kept if f != FINALIZER] or None})

    def do_evict(self, scene: Scene, _step: Step) -> Optional[Step]:
        """From here on the move goes forward."""
        self.blocked = self.evict_old(scene)
        return self.blocked

    def do_let_go(self, scene: Scene, step: Step) -> None:
        """Two writes at once: the controller races for the name from the first one on."""
        body = self._successor(scene)
        self.do_release(scene, step)
        self.lost_races += scene.old is None
        self._create(body)

    def do_create(self, scene: Scene, _step: Step) -> None:
        """The pod that the controller would make, on the target."""
        self._create(self._successor(scene))

    def _successor(self, scene: Scene) -> Object:
        """From the revision that the old pod was of: the template may have changed meanwhile."""
        found = self.api.get(CONTROLLER_REVISION, self.entry.revision, self.namespace)
        template = dict(found["data"]["spec"]["template"])
        return next_pod(scene.owner or {}, template, self.entry)

    def _create(self, body: Object) -> None:
        try:
            self.api.create(POD, body, self.namespace)
        except AlreadyExists:
            return  # the controller was quicker: the next look tells where
        except (Forbidden, Invalid) as err:
            # The controller must do it, wherever that is.
            self._give_up(api_to_placement(err, step="create").code, err.message, "none")

    def do_give_up(self, scene: Scene, step: Step) -> None:
        """The target does not do: out of the way first, then away with the pod."""
        self._give_up(step.code, step.why, uid(scene.new or {}))

    def _give_up(self, code: str, why: str, pod_uid: str) -> None:
        self.failure = self.failure or Step(DONE, why, code)
        self.given_up = pod_uid
        self.entry = replace(self.entry, node="", away=False)
        self.vigil.node = self.vigil.avoid = ""
        self.vigil.seen("given up")

    def do_discard(self, scene: Scene, _step: Step) -> None:
        """The controller replaces it."""
        self.delete_pod(scene.new)

    def do_remove(self, _scene: Scene, _step: Step) -> None:
        """One of the tools."""
        self.tools.remove()

    def do_unmark(self, scene: Scene, _step: Step) -> None:
        """The old pod stays, without a trace."""
        self.patch_pod(scene.old, {"annotations": {EPOCH: None}})

    def do_finalize(self, scene: Scene, _step: Step) -> None:
        """The new pod is an ordinary one."""
        marks: Dict[str, Any] = {"labels": {MOVE_ID: None}, "annotations": {EPOCH: None}}
        self.patch_pod(scene.new, marks)

    def abandon(self) -> None:
        """Leave no tool in place that nobody takes away."""
        super().abandon()
        self.tools.abandon()


def _stranded(scene: Scene, new: Object, move: str) -> bool:
    """We made the pod, and its set was deleted before it could adopt it. A set that was deleted
    without its pods leaves others that have no controller either: then it stays like them.
    """
    if scene.owner is not None or controller_ref(new) or label(new, MOVE_ID) != move:
        return False
    others = [pod for pod in scene.siblings if uid(pod) != uid(new)]
    return all(controller_ref(pod) or is_terminating(pod) for pod in others)


def _held(pod: Object) -> bool:
    return FINALIZER in (meta(pod).get("finalizers") or [])


def _holding(scene: Scene) -> Optional[Object]:
    """The pod that carries our finalizer."""
    return next((p for p in (scene.old, scene.leaving, scene.new) if p and _held(p)), None)


def _stopped(old: Object) -> bool:
    """The kubelet has ended all containers: its last delete has no grace period."""
    statuses = (old.get("status") or {}).get("containerStatuses") or []
    ended = all("terminated" in (s.get("state") or {}) for s in statuses)
    return meta(old).get("deletionGracePeriodSeconds") == 0 or (bool(statuses) and ended)


def _fence(pod: Object) -> bool:
    return EPOCH in (meta(pod).get("annotations") or {})
