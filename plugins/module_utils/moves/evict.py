# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``evict``: the old pod O goes by a guarded Eviction, and its controller makes a successor S
wherever the scheduler puts it. For owners that no lossless strategy knows, and only where the user
asked for it.

Better than an eviction alone: nobody but O itself can be hit, a budget's "no" is waited for, and
the move ends when S serves, not when O is gone. S is noted as O's heir, so that the task finds it
again.

What is seen                              what is done
O serves, a recovery or a failure         unmark, done: nothing was taken away
O serves, too late                        done: PdbBlocked, EvacuationTriggered or Timeout
O serves, an operator evacuates it        wait until it goes
O serves, siblings not in the journal     note them
O serves                                  evict
O terminating                             wait until it is gone
O gone, not by us                         done: gone
O gone, the Job has ended, no owner       done: there will be no S
O gone, S not Ready or the owner short    wait; at the deadline finalize, and say so
O gone, S Ready, as many as before        finalize: S becomes O's heir
O gone, heir                              done
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Dict, List, Optional, Tuple

from ..api import Api, Object
from ..errors import NotFound
from ..resources import JOB, POD, label, meta, uid
from ..rules.pod_state import is_ready, is_terminal, is_terminating, phase
from ..workloads import known_kind, owned_by
from .journal import Entry
from .lock import Lock
from .machine import Machine
from .names import EPOCH, MOVED_FROM_NAME, MOVED_FROM_UID, names_after
from .order import Order, Settings
from .refusals import refuse
from .scene import DONE, WAIT, Scene, Step

BACKOFF_LIMIT = 6  # of a Job that does not say
SUCCESSOR_SECONDS = 30.0  # how long a recovery waits for one


def prepare_evict(
    _api: Api, order: Order, _settings: Settings, entry: Entry, pod: Object, owner: Object
) -> Entry:
    """``JobWouldFail`` when the eviction would be one failure too many. The node that was asked for
    becomes a wish: an eviction cannot choose.
    """
    if owner.get("kind") == JOB.kind and _has_no_failure_left(owner):
        text = "an evicted pod counts as failed, and its Job has no failure left"
        raise refuse("JobWouldFail", pod, text, "Raise the Job's backoffLimit, or let it finish.")
    return replace(entry, node="", way=order.node or "")


def _has_no_failure_left(job: Object) -> bool:
    spec, status = job.get("spec") or {}, job.get("status") or {}
    rules = (spec.get("podFailurePolicy") or {}).get("rules") or []
    ignored = any(
        r.get("action") == "Ignore" and c.get("type") == "DisruptionTarget"
        for r in rules
        for c in r.get("onPodConditions") or []
    )
    if ignored or "backoffLimitPerIndex" in spec:
        return False
    limit = spec.get("backoffLimit")
    allowed = BACKOFF_LIMIT if limit is None else int(limit)
    return int(status.get("failed") or 0) + 1 > allowed


class Evict(Machine):
    """One pod's eviction, to its end."""

    def __init__(
        self,
        api: Api,
        lock: Lock,
        entry: Entry,
        settings: Settings,
        _owner: Object,
        *,
        resume: bool = False,
    ) -> None:
        super().__init__(api, lock, entry, settings, resume=resume)
        self.before = 1  # Ready pods of the owner, when the eviction was asked for
        self.refused: Optional[Step] = None  # the last answer that was not a yes
        self.names = json.dumps([entry.pod])
        self.outcome = Step(DONE)

    # ---- looking

    def look(self) -> Scene:
        """The pods of the owner: the old one, its heir, and who may become that."""
        pods, version = self.api.list(POD, self.namespace)
        scene = Scene(versions={POD.kind: version})
        heirs: List[Object] = []
        for pod in pods:
            if uid(pod) == self.entry.pod_uid:
                scene.old = None if is_terminal(pod) else pod
            elif owned_by(pod, self.entry.owner_uid) and not is_terminating(pod):
                scene.siblings.append(pod)
                if label(pod, MOVED_FROM_UID) == self.entry.pod_uid:
                    scene.heir = self.replacement = pod
                elif label(pod, MOVED_FROM_UID) is None and self._came_after(pod):
                    heirs.append(pod)
        scene.new = max(heirs, key=_fitness, default=None)
        if scene.new is not None:
            self.replacement = scene.new
        return scene

    def _came_after(self, pod: Object) -> bool:
        """Not noted before the eviction."""
        company = self.lock.company
        return company is not None and uid(pod) not in company and phase(pod) != "Failed"

    # ---- deciding

    def decide(self, scene: Scene) -> Step:
        """See the table at the head of this file."""
        if scene.old is None:
            return self._gone(scene)
        if is_terminating(scene.old):
            return self._going()
        if self.granted:
            return Step(WAIT, "waiting until the eviction shows", limit=0.5)
        if self.failure is not None or self.resume:
            return self._kept(scene)
        if self.settings.deadline.passed():
            timeout = Step(DONE, "not begun within %ss" % self.settings.deadline.seconds, "Timeout")
            refused = self.refused or timeout
            self.failure = Step(DONE, refused.why, refused.code)
            return self._kept(scene)
        if self.refused is not None and self.refused.code == "EvacuationTriggered":
            return self.refused
        return self.another_s_turn() or Step("evict" if self._noted(scene) else "note")

    def _noted(self, scene: Scene) -> bool:
        """The journal knows all the pods that are there before the eviction."""
        company = self.lock.company
        return company is not None and all(uid(p) in company for p in scene.siblings)

    def _kept(self, scene: Scene) -> Step:
        return Step("unmark") if self.fenced(scene) else self.ended()

    def _going(self) -> Step:
        self._taken("terminating")
        if not self.settings.wait:
            return Step(DONE)
        if self.settings.deadline.passed():
            return Step(DONE, "the old pod is still terminating", "TerminationTimeout")
        return Step(WAIT, "waiting until the old pod is gone")

    def _taken(self, event: str) -> None:
        self.vigil.seen(event)
        self.disrupted = self.disrupted or self.asked

    def _gone(self, scene: Scene) -> Step:
        self._taken("gone")
        if scene.heir is not None:
            return self.outcome
        unasked = not self.resume and "terminating" not in self.vigil.times
        if not self.disrupted and (unasked or self.lock.company is None):
            return Step(DONE, "the pod is gone: deleted by someone else", "PodGone")
        ended = self._owner_ended()
        if ended is not None:
            return ended
        if scene.new is None:
            return self._unreplaced()
        return self._replaced(scene, scene.new)

    def _unreplaced(self) -> Step:
        waited = self.settings.clock.monotonic() - self.vigil.seen("gone")
        if not self.settings.wait or (self.resume and waited >= SUCCESSOR_SECONDS):
            return Step(DONE)
        if self.settings.deadline.passed():
            return Step(DONE, "its controller has not replaced the evicted pod", "NotReplaced")
        return Step(WAIT, "waiting until the controller has replaced the pod")

    def _replaced(self, scene: Scene, new: Object) -> Step:
        verdict = self.vigil.judge(new, None)
        if verdict.code == "WrongNode":
            return Step("finalize", verdict.why, verdict.code)
        ready = [p for p in scene.siblings if is_ready(p)]
        whole = self.resume or len(ready) >= self._needed()
        if phase(new) == "Succeeded" or (verdict.ready and whole) or not self.settings.wait:
            return Step("finalize")
        why = verdict.why or "waiting until as many pods are Ready as before"
        if self.settings.deadline.passed():
            return Step("finalize", "not Ready in time: %s" % why, verdict.late)
        return Step(WAIT, why, limit=verdict.limit)

    def _needed(self) -> int:
        """As many as before, unless the owner was scaled down or is a Job, which ends in time."""
        if self.entry.owner_kind == JOB.kind:
            return 1
        wanted = ((self._owner() or {}).get("spec") or {}).get("replicas")
        return self.before if wanted is None else min(self.before, int(wanted))

    def _owner_ended(self) -> Optional[Step]:
        """Nobody will replace the pod: its owner is gone, or is a Job that has ended."""
        kind = known_kind(self.entry.owner_kind, self.entry.owner_api)
        if kind is None:
            return None
        owner = self._owner()
        if owner is None:
            self.warnings.append("the controller of pod %s is gone" % self.entry.pod)
            return Step(DONE)
        for condition in (owner.get("status") or {}).get("conditions") or []:
            if kind is not JOB or condition.get("status") != "True":
                continue
            if condition.get("type") == "Failed":
                why = "its Job has failed: %s" % condition.get("message")
                return Step(DONE, why, "JobFailed")
            if condition.get("type") == "Complete":
                return Step(DONE)
        return None

    def _owner(self) -> Optional[Object]:
        kind = known_kind(self.entry.owner_kind, self.entry.owner_api)
        if kind is None:
            return None
        try:
            found = self.api.get(kind, self.entry.owner_name, self.namespace)
        except NotFound:
            return None
        same = uid(found) == self.entry.owner_uid and not is_terminating(found)
        return found if same else None

    # ---- acting

    def do_note(self, scene: Scene, _step: Step) -> None:
        """So that this run and a recovery tell the successor from those that were there."""
        self.lock.note_company(uid(p) for p in scene.siblings)

    def do_evict(self, scene: Scene, _step: Step) -> Optional[Step]:
        """The old pod goes; a budget may hold it up until the deadline, an operator too."""
        self.before = sum(1 for p in (*scene.siblings, scene.old) if p and is_ready(p))
        self.names = names_after(scene.old or {})
        self.refused = self.evict_old(scene)
        return self.refused

    def do_finalize(self, scene: Scene, step: Step) -> None:
        """The successor tells whose heir it is."""
        new = scene.new or {}
        change: Dict[str, Any] = {"labels": {MOVED_FROM_UID: self.entry.pod_uid}}
        if meta(new)["name"] != self.entry.pod:
            change["annotations"] = {MOVED_FROM_NAME: self.names}
        self.patch_pod(new, change)
        self.lock.turn = ""
        self.vigil.seen("finalized")
        self.outcome = Step(DONE, step.why, step.code)
        on = (new.get("spec") or {}).get("nodeName")
        if self.entry.way and on != self.entry.way:
            text = "the controller of pod %s put its next pod on node %s, not on %s"
            self.warnings.append(text % (self.entry.pod, on, self.entry.way))

    def do_unmark(self, scene: Scene, _step: Step) -> None:
        """The old pod stays, without a trace."""
        self.patch_pod(scene.old, {"annotations": {EPOCH: None}})


def _fitness(pod: Object) -> Tuple[bool, bool, str]:
    """The one that serves, or will."""
    return phase(pod) == "Succeeded", is_ready(pod), str(meta(pod)["name"])
