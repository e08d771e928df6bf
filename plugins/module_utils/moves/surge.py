# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``surge``: a bare pod elsewhere under a new name, without a gap (moves.md, f6).

Nobody claims a bare pod, so the replacement R may serve beside the old pod O at once. R hangs on
the Lease until it is Ready; it is cut loose before O is evicted, so that deleting the Lease never
takes the last copy.

What is seen                        what is done
no R, O serves                      create R (a recovery stops here)
R tied, failed, hopeless or late    roll back: delete R
R tied, not Ready                   wait
R tied, Ready                       release: cut it from the Lease
R loose, O serves                   evict O, guarded
O terminating                       wait until it is gone
O gone, R there                     release, finalize: R becomes O's heir
O gone, heir                        done: moved
"""

from __future__ import annotations

from typing import Optional

from ..errors import AlreadyExists, Forbidden, Invalid, api_to_placement
from ..resources import LEASE, POD, label, meta, uid
from ..rules.pod_state import is_ready, is_terminal, is_terminating
from .machine import Machine
from .manifest import from_pod, lasting_owners
from .names import EPOCH, MOVE_ID, MOVED_FROM_UID, replacement_name
from .scene import DONE, WAIT, Scene, Step


class Surge(Machine):
    """One move of a bare pod to a new name."""

    # ---- looking

    def look(self) -> Scene:
        """The old pod and what was made of it."""
        pods, version = self.api.list(POD, self.namespace)
        scene = Scene(versions={POD.kind: version})
        for pod in pods:
            if uid(pod) == self.entry.pod_uid:
                scene.old = None if is_terminal(pod) else pod
            elif label(pod, MOVED_FROM_UID) != self.entry.pod_uid or is_terminating(pod):
                continue
            elif label(pod, MOVE_ID) == self.entry.id:
                scene.new = self.replacement = pod
            else:
                scene.heir = self.replacement = pod
        if scene.new is not None and not is_ready(scene.new) and self.entry.node:
            scene.node = self.node(self.entry.node)
        return scene

    # ---- deciding

    def decide(self, scene: Scene) -> Step:
        """See the table at the head of this file."""
        serving = scene.old is not None and not is_terminating(scene.old)
        if scene.new is None:
            return self._without_replacement(scene, serving=serving)
        owners = meta(scene.new).get("ownerReferences") or []
        tied = any(ref.get("kind") == LEASE.kind for ref in owners)
        if not serving:
            return Step("release") if tied else self._old_gone(scene) or Step("finalize")
        if self.failure is not None:
            return self.failure
        verdict = self.vigil.judge(scene.new, scene.node)
        if verdict.code:
            return Step("roll_back", verdict.why, verdict.code)
        if self.resume and not is_ready(scene.new):
            return Step("roll_back", "the interrupted move had no Ready replacement", "RolledBack")
        if self.settings.deadline.passed():
            return Step(
                "roll_back",
                verdict.why or "not done in time",
                "PdbBlocked" if verdict.ready else verdict.late,
            )
        if not verdict.ready:
            return Step(WAIT, verdict.why, limit=verdict.limit)
        return Step("release" if tied else "evict")

    def _without_replacement(self, scene: Scene, *, serving: bool) -> Step:
        if not serving:
            if scene.heir is None:
                return Step(DONE, "the pod is gone: deleted by someone else", "PodGone")
            return self._old_gone(scene) or Step(DONE)
        if self.failure is None and not self.resume:
            return Step("create")
        return Step("unmark") if self.fenced(scene) else self.ended()

    def _old_gone(self, scene: Scene) -> Optional[Step]:
        if scene.old is None:
            self.vigil.seen("gone")
            return None
        self.vigil.seen("terminating")
        if self.settings.wait and not self.settings.deadline.passed():
            return Step(WAIT, "waiting until the old pod is gone")
        return None

    # ---- acting

    def do_create(self, scene: Scene, _step: Step) -> None:
        """Beside the old pod, tied to the Lease."""
        name = replacement_name(self.entry.pod, self.entry.id, self.attempt)
        body = from_pod(scene.old or {}, self.entry, name)
        body["metadata"]["ownerReferences"] = [self.lock.owner_reference()]
        try:
            self.api.create(POD, body, self.namespace)
        except AlreadyExists:
            self.attempt += 1
        except (Forbidden, Invalid) as err:
            self.failure = Step(DONE, err.message, api_to_placement(err, step="create").code)

    def do_release(self, scene: Scene, _step: Step) -> None:
        """From here on the replacement stands for itself."""
        owners = lasting_owners(scene.old or {})
        self.patch_pod(scene.new, {"ownerReferences": owners or None})
        self.vigil.seen("handed over")

    def do_evict(self, scene: Scene, _step: Step) -> Optional[Step]:
        """The old pod goes; a budget may hold it up until the deadline."""
        return self.evict_old(scene)

    def do_roll_back(self, scene: Scene, step: Step) -> None:
        """The old pod serves on; the replacement goes."""
        self.failure = step
        self.delete_pod(scene.new)

    def do_finalize(self, scene: Scene, _step: Step) -> None:
        """The replacement is an ordinary pod now."""
        self.patch_pod(scene.new, {"labels": {MOVE_ID: None}, "annotations": {EPOCH: None}})

    def do_unmark(self, scene: Scene, _step: Step) -> None:
        """The old pod stays, without a trace."""
        self.patch_pod(scene.old, {"annotations": {EPOCH: None}})
