# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A swap: the replacement R serves beside the old pod O; then its controller is given one pod too
many, and deletes O.

What ``adopt`` and ``shadow`` have in common: the guards, the mark that makes O the preferred
victim, and what follows once the controller has R. They differ in what holds R until then, and in
the one write that lets it go (``held`` and the ``do_`` methods that are not here).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Dict, List, Optional, Set, cast

from ..api import Api, Cached, Object
from ..errors import NotFound, PlacementError
from ..resources import DEPLOYMENT, POD, annotation, label, meta, uid
from ..rules.pod_state import is_ready, is_terminal, is_terminating
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
from .gates import Gate, closed_budget, closed_gate, not_asked, unsettled
from .journal import Entry
from .lock import Lock
from .machine import Machine
from .manifest import own_cost
from .names import DELETION_COST, EPOCH, MOVE_ID, MOVED_FROM_UID, is_mark, mark
from .order import Settings
from .scene import DONE, WAIT, Scene, Step
from .together import hand_over

ADOPTION_SECONDS = 60.0
LEAVING_SECONDS = 30.0
MAX_TRIES = 3
REVISION = "deployment.kubernetes.io/revision"


class Swap(Machine):
    """One move of a pod whose controller adopts the replacement."""

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
        self.vigil = self.new_vigil(soak)
        self.tries = 0
        self.company: Set[str] = set()  # the workload's other pods in the last look of the swap
        self.cache = cast(Cached, api)  # if it is one
        self.sure = not hasattr(api, "fresh")  # that what is looked at is no cache's
        self.last = False  # this look is the last one before the swap, past the cache
        self.marked = float("-inf")  # when, by this run

    # ---- looking

    def look(self) -> Scene:
        """One list of pods, and the owner as it is now."""
        scene = self.first_look()
        pods, version = self.api.list(POD, self.namespace, label_selector=self.selector)
        scene.versions[POD.kind] = version
        scene.owner = self._read(self.entry.owner_kind, self.entry.owner_name, self.entry.owner_uid)
        if self.entry.deployment:
            scene.deployment = self._read(DEPLOYMENT.kind, self.entry.deployment, "")
        self.cast(scene, pods)
        scene.siblings = self._siblings(scene, pods)
        if scene.new is not None and not is_ready(scene.new) and self.entry.node:
            scene.node = self.node(self.entry.node)
        return scene

    def _siblings(self, scene: Scene, pods: List[Object]) -> List[Object]:
        """The owner's other pods; of a swap of this lock that the controller has not answered yet
        the new one.
        """
        flying = {old: new for old, new in self.lock.flying.items() if old != self.entry.pod_uid}
        mine = [p for p in active_pods(pods, self.entry.owner_uid) if uid(p) not in flying]
        coming = [p for p in pods if uid(p) in flying.values() and not is_terminating(p)]
        known = {uid(p): p for p in mine + coming}.values()
        return [p for p in known if p is not scene.old and p is not scene.new]

    def first_look(self) -> Scene:
        """What must be read before the pods."""
        return Scene()

    def cast(self, scene: Scene, pods: List[Object]) -> None:
        """Who is who among the pods."""
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
        """See the table at the head of the strategy's file."""
        if scene.new is None:
            return self._without_replacement(scene)
        if owned_by(scene.new, self.entry.owner_uid):
            return self._adopted(scene, scene.new)
        if self.held(scene, scene.new):
            self.lock.flying.pop(self.entry.pod_uid, None)
            return self._held(scene, scene.new)
        self._take_off(scene.new)
        return self._unclaimed(scene)

    @abstractmethod
    def held(self, scene: Scene, new: Object) -> bool:
        """The owner cannot adopt the replacement yet: this is before the point of no return."""

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
        if self.tries and scene.old is not None and is_mark(own_cost(scene.old)):
            return Step("unmark")  # or it would go in the place of the next that is marked
        self.mismatch = self.mismatch or "handed over" in self.vigil.times  # R went, not O
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
        ours = is_mark(own_cost(old)) and not is_mark(self.entry.cost)
        return ours or annotation(old, EPOCH) is not None

    def _held(self, scene: Scene, new: Object) -> Step:
        if self.failure is not None and (self.failure.verb != DONE or self._serving(scene)):
            return Step("roll_back", self.failure.why, self.failure.code)
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
            return self.or_give_up(Step(WAIT, verdict.why, verdict.late, limit=verdict.limit))
        return self._ready(scene)

    def _ready(self, scene: Scene) -> Step:
        """The two halves of the swap, as soon as nothing stands against it."""
        marked = is_mark(own_cost(scene.old or {}))
        if marked:
            self.lock.line.setdefault(self.entry.id, self)
        if not self._may_go(marked):
            why = "waiting until another pod of the workload is handed over"
            return self.or_give_up(Step(WAIT, why, "WorkloadNotReady"))
        if marked and not (self.sure or self.last):
            return unsettled(scene) or self.unseen(scene) or Step("confirm")
        closed = self.closed_gate(scene)
        if closed is not None:
            return self.or_give_up(closed)
        self.company = {uid(p) for p in scene.siblings}
        return Step("hand_over" if marked else "mark")

    def _may_go(self, marked: bool) -> bool:
        """No pod is evicted meanwhile. Those that are marked go in that order; without a cache, one
        at a time is marked.
        """
        if self.lock.turn not in ("", self.entry.id):
            return False
        head = next(iter(self.lock.line), self.entry.id)
        return self.last or head == self.entry.id or not (marked or self.sure)

    def closed_gate(self, scene: Scene) -> Optional[Step]:
        """The guard of the swap that does not hold yet; with a cache the budget is asked when all
        others hold.
        """
        return closed_gate(
            self.api,
            self.namespace,
            self.entry,
            scene,
            accept_differences=self.settings.accept_differences,
            budget=self.budget() if self.sure else not_asked,
        )

    def budget(self) -> Gate:
        """How the old pod's budget is asked."""
        return closed_budget

    def unseen(self, scene: Scene) -> Optional[Step]:
        """A cache is as new as our mark when the watch has told of the mark."""
        version = meta(scene.old or {})["resourceVersion"]
        if self.cache.has_seen(POD, self.namespace, version):
            return None
        return Step(WAIT, "waiting for the watch to catch up", limit=0.5)

    def or_give_up(self, waiting: Step) -> Step:
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
        self._take_off(new)
        if not self._serving(scene):
            self.lock.flying.pop(self.entry.pod_uid, None)
            return self._old_gone(scene) or Step("finalize")
        count = len(scene.siblings) + (1 if is_terminal(new) else 2)
        if count > desired(scene.owner or {}):
            if (
                self.settings.deadline.passed()
                and self.settings.clock.monotonic() - self.vigil.seen("adopted") > ADOPTION_SECONDS
            ):
                raise self._stuck(
                    "the controller adopted the replacement but does not delete the old pod"
                )
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

    def _take_off(self, new: Object) -> None:
        """Handed over: the controller deletes the old pod, and the next one may be marked."""
        self.lock.flying[self.entry.pod_uid] = uid(new)
        self.lock.line.pop(self.entry.id, None)

    def _stuck(self, why: str) -> PlacementError:
        return PlacementError(
            "ControllerNotResponding",
            why,
            object="Pod %s/%s" % (self.namespace, self.entry.pod),
            step="swap",
            hint="Look at kube-controller-manager; run the task again, it finishes what is left.",
            changed=True,
        )

    # ---- acting

    def do_confirm(self, scene: Scene, _step: Step) -> Optional[Step]:
        """Ask the budget, look past all caches, and hand over."""
        return hand_over(self, scene, self.cache)

    def do_mark(self, scene: Scene, _step: Step) -> None:
        """First half of the swap: the old pod is the one to go, after those that were marked and
        handed over before it.
        """
        self.lock.marks += 1
        self.marked = self.settings.clock.monotonic()
        self.patch_pod(scene.old, {"annotations": {DELETION_COST: mark(self.lock.marks - 1)}})

    def do_unmark(self, scene: Scene, _step: Step) -> None:
        """The old pod stays, as its user had it."""
        self.lock.line.pop(self.entry.id, None)
        marks: Dict[str, Any] = {EPOCH: None}
        if is_mark(own_cost(scene.old or {})):
            marks[DELETION_COST] = self.entry.cost
        self.patch_pod(scene.old, {"annotations": marks})

    def do_retry(self, scene: Scene, _step: Step) -> None:
        """A mere preference was not followed: ask again with a new pod."""
        self.delete_pod(scene.new)
        self.vigil.times.pop("handed over", None)
        self.tries += 1
        self.attempt += 1

    def do_spare(self, scene: Scene, step: Step) -> None:
        """The replacement stays as an ordinary pod; the old one is moved by another."""
        self.lock.flying.pop(self.entry.pod_uid, None)
        lost = self.company - {uid(p) for p in scene.siblings}
        self.mismatch = self.mismatch or bool(lost) or is_terminal(scene.new or {})
        self.vigil.times.pop("handed over", None)
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
