# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``recreate``: a bare pod elsewhere, under the same name (moves.md, f6). Break-before-make, so it
is journaled first.

O is the old pod, N the new one of the same name, S the Secret with O's whole manifest. S is written
before O goes and deleted only after N is Ready; it has no owner, so nothing but this code and a
person deletes it (corrections, item 4).

What is seen                        what is done
O serves, no S                      save S (a recovery stops here and undoes)
O serves, S is O's manifest         evict O, guarded by uid and resourceVersion
O terminating                       wait until it is gone
no pod, no S                        done: gone
no pod, S                           create N from S, on the target; on the way back: on the node it
came from N failed, hopeless or late          turn back: delete N, create it where it came from N
not Ready                         wait N Ready                             finalize N, delete S,
done: moved (or restored) another pod of that name            stop: S stays, a person decides
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any, Dict, List, Optional

from ..api import Api, Object
from ..clock import Deadline
from ..errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PlacementError,
    api_to_placement,
)
from ..resources import POD, SECRET, annotation, describe, label, meta, uid
from ..rules.node_state import node_not_ready
from ..rules.pod_state import failure, is_ready, is_terminating, phase
from .journal import Entry, decode_text, encode
from .lock import Lock
from .machine import Machine
from .manifest import from_pod, place, sanitized
from .names import EPOCH, LEASE_UID, MOVE, MOVE_ID, MOVED_FROM_UID
from .order import Settings
from .scene import DONE, WAIT, Scene, Step
from .vigil import Vigil

RESTORE_SECONDS = 120.0
MANIFEST = "pod.json"
MOVES = "moves.json"


class Recreate(Machine):
    """One move of a bare pod under its own name."""

    def __init__(
        self, api: Api, lock: Lock, entry: Entry, settings: Settings, *, resume: bool = False
    ) -> None:
        super().__init__(api, lock, entry, settings, resume=resume)
        self.fields = "metadata.name=" + entry.pod
        self.vigil = Vigil(settings.clock, self._target(), settings.soak)
        self.deadline = self._restore_deadline() if entry.restoring else settings.deadline
        self._lease_uid = uid(lock.held())
        self._refused = False  # by the node it ran on, on the way back

    def _target(self) -> str:
        return "" if self.entry.restoring else self.entry.node

    def _restore_deadline(self) -> Deadline:
        """The way back has its own time: the task's is often used up when it begins."""
        return Deadline(self.settings.clock, RESTORE_SECONDS)

    # ---- looking

    def look(self) -> Scene:
        """The pod of that name, whatever it is, and the Secret."""
        pods, version = self.api.list(POD, self.namespace, field_selector=self.fields)
        scene = Scene(versions={POD.kind: version})
        for pod in pods:
            if uid(pod) == self.entry.pod_uid:
                scene.old = pod
            elif label(pod, MOVED_FROM_UID) == self.entry.pod_uid:
                scene.new = self.replacement = pod
            else:
                scene.foreign = pod
        scene.secret = self._secret()
        if scene.new is not None and not is_ready(scene.new) and self._target():
            scene.node = self.node(self._target())
        return scene

    def _secret(self) -> Optional[Object]:
        try:
            return self.api.get(SECRET, self.lock.name, self.namespace)
        except NotFound:
            return None

    # ---- deciding

    def decide(self, scene: Scene) -> Step:
        """See the table at the head of this file."""
        if scene.old is not None:
            return self._with_old(scene, scene.old)
        if scene.foreign is not None:
            raise self._name_taken(scene)
        if scene.new is not None:
            return self._with_new(scene, scene.new)
        if scene.secret is None:
            return Step(DONE, "the pod is gone: deleted by someone else", "PodGone")
        return Step("create")

    def _with_old(self, scene: Scene, old: Object) -> Step:
        if is_terminating(old):
            self.vigil.seen("terminating")
            return self._until_gone("waiting until the old pod is gone")
        if self.failure is not None or self.resume:
            return self._undone(scene)
        if scene.secret is None or not self._is_journal(scene.secret, old):
            return Step("save")
        if self.settings.deadline.passed():
            late = Step(WAIT, "not begun within %ss" % self.settings.deadline.seconds, "Timeout")
            why = self.blocked or late
            self.failure = Step(DONE, why.why, why.code)
            return self._undone(scene)
        return Step("evict")

    def _undone(self, scene: Scene) -> Step:
        """Nothing was taken away yet: the way back is to leave no trace."""
        if scene.secret is not None:
            return Step("forget")
        return Step("unmark") if self.fenced(scene) else self.ended()

    def _until_gone(self, why: str) -> Step:
        if self.deadline.passed():
            raise PlacementError(
                "TerminationTimeout",
                "the old pod is still terminating",
                object="Pod %s/%s" % (self.namespace, self.entry.pod),
                step="wait until the old pod is gone",
                hint="Look at its node and finalizers; its manifest is in Secret %s. "
                "Run the task again to go on." % self.lock.name,
                changed=True,
            )
        return Step(WAIT, why)

    def _with_new(self, scene: Scene, new: Object) -> Step:
        if is_terminating(new):
            return self._until_gone("waiting until the failed replacement is gone")
        if label(new, MOVE_ID) is None:
            return Step("forget") if scene.secret is not None else self._finished()
        if label(new, MOVE_ID) != self.entry.id:
            return Step(
                "turn_back"
            )  # the one that failed on the target; a crash came before its deletion
        verdict = self.vigil.judge(new, scene.node)
        if self.entry.restoring and failure(new) not in ("", "Failed") and not self._refused:
            return Step("turn_back", verdict.why, verdict.code)
        finished = verdict.ready or phase(new) == "Succeeded"
        if finished or (self.entry.restoring and self.deadline.passed()):
            return Step("finalize")
        if not self.entry.restoring:
            if verdict.code:
                return Step("turn_back", verdict.why, verdict.code)
            if self.deadline.passed():
                return Step("turn_back", "not Ready in time: %s" % verdict.why, verdict.late)
        return Step(WAIT, verdict.why, limit=verdict.limit)

    def _finished(self) -> Step:
        if self.entry.restoring:
            code, _colon, why = self.entry.restoring.partition("|")
            return Step(DONE, why, code)
        return Step(DONE)

    def _name_taken(self, scene: Scene) -> PlacementError:
        return PlacementError(
            "NameTaken",
            "another pod of that name was created while the pod was moved",
            object="Pod %s/%s" % (self.namespace, self.entry.pod),
            step="create",
            hint="The moved pod's manifest is in Secret %s (key %s). Delete the other pod and run "
            "recover_moves, or delete this Secret and the Lease of the same name."
            % (self.lock.name, MANIFEST),
            changed=True,
        )

    # ---- acting

    def abandon(self) -> None:
        """Take back a Secret that this run wrote while it no longer held the lock.

        A create has no version to be guarded by. It is surely stray when it is of this lock, this
        lock's Lease is gone, and the pod is there; whoever adopted it has patched it, and the
        guard says so. Without a pod it stays: somebody may have deleted the Lease by hand.
        """
        super().abandon()
        secret = self._secret()
        if secret is None or annotation(secret, LEASE_UID) != self._lease_uid:
            return
        if self.lock.still_there(self._lease_uid) or not self._pod_lives():
            return
        found = meta(secret)
        with suppress(Conflict, NotFound):
            self.api.delete(
                SECRET,
                found["name"],
                self.namespace,
                uid=found["uid"],
                resource_version=found["resourceVersion"],
            )

    def _pod_lives(self) -> bool:
        """The old pod, or what was made of it, is there and stays."""
        scene = self.look()
        return any(p is not None and not is_terminating(p) for p in (scene.old, scene.new))

    def manifest(self, old: Object) -> Object:
        """What S holds: the pod as its user wrote it, with its uid as the only trace of the old
        one.
        """
        body = sanitized(old)
        body["metadata"]["uid"] = uid(old)
        return body

    def _saved(self, secret: Object) -> Any:
        return json.loads(base64.b64decode((secret.get("data") or {}).get(MANIFEST, "") or b"null"))

    def _is_journal(self, secret: Object, old: Object) -> bool:
        """The Secret holds the pod as it is now, and was written under this very lock."""
        ours = annotation(secret, LEASE_UID) == self._lease_uid
        return ours and bool(self._saved(secret) == self.manifest(old))

    def do_save(self, scene: Scene, _step: Step) -> None:
        """A Secret that a frozen run wrote too late becomes this run's by the patch."""
        mark = {"annotations": {LEASE_UID: self._lease_uid}}
        texts = {MANIFEST: json.dumps(self.manifest(scene.old or {})), MOVES: encode([self.entry])}
        data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        if scene.secret is not None:
            found = meta(scene.secret)
            guard = {"uid": found["uid"], "resourceVersion": found["resourceVersion"]}
            self.api.patch(
                SECRET,
                self.lock.name,
                {"metadata": dict(mark, **guard), "data": data},
                self.namespace,
            )
            return
        body = {
            "apiVersion": SECRET.api_version,
            "kind": SECRET.kind,
            "metadata": {
                "name": self.lock.name,
                "namespace": self.namespace,
                "labels": {MOVE: "true"},
                **mark,
            },
            "type": "podplacement.io/journal",
            "data": data,
        }
        self.api.create(SECRET, body, self.namespace)

    def do_evict(self, scene: Scene, _step: Step) -> Optional[Step]:
        """The old pod goes; its manifest is safe."""
        self.blocked = self.evict_old(scene)
        return self.blocked

    def do_create(self, scene: Scene, _step: Step) -> None:
        saved = self._saved(scene.secret or {})
        body = from_pod(saved, self.entry, self.entry.pod)
        if self.entry.restoring:
            body = from_pod(saved, _without_target(self.entry), self.entry.pod)
            self._place_back(body["spec"])
        self.vigil.seen("gone")
        try:
            self.api.create(POD, body, self.namespace)
        except (Forbidden, Invalid) as err:
            if self.entry.restoring:
                raise self._not_restored(api_to_placement(err, step="create")) from err
            self._turn_back(api_to_placement(err, step="create").code, err.message)

    def _place_back(self, spec: Dict[str, Any]) -> None:
        """Straight to the node it ran on: its room is still free, and a cordon does not matter to a
        pod that was there. Not a second time: if the kubelet refused, the room was taken.
        """
        if self._refused:
            return
        node = self.node(self.entry.from_node)
        if node is not None and node_not_ready(node) is None:
            place(spec, self.entry.from_node, "bind")

    def _not_restored(self, err: PlacementError) -> PlacementError:
        return PlacementError(
            err.code,
            "the pod can be created neither on the target nor again where it was: %s" % err.message,
            object="Pod %s/%s" % (self.namespace, self.entry.pod),
            step="restore",
            hint="Its manifest is in Secret %s; remove the cause and run recover_moves."
            % self.lock.name,
            changed=True,
        )

    def do_turn_back(self, scene: Scene, step: Step) -> None:
        """The journal says "back" before the new pod goes: after a crash nobody tries the target
        again.
        """
        if not self.entry.restoring:
            self._turn_back(step.code, step.why)
        elif label(scene.new or {}, MOVE_ID) == self.entry.id:
            self._refused = True
        self.delete_pod(scene.new)

    def _turn_back(self, code: str, why: str) -> None:
        back = self.entry.going_back("%s|%s" % (code, why))
        self.lock.write([back if e.id == self.entry.id else e for e in self.lock.entries])
        self.entry = back
        self.vigil = Vigil(self.settings.clock, "", 0.0)
        self.deadline = self._restore_deadline()

    def do_finalize(self, scene: Scene, _step: Step) -> None:
        self.vigil.seen("finalized")
        self.patch_pod(scene.new or {}, {"labels": {MOVE_ID: None}, "annotations": {EPOCH: None}})

    def do_unmark(self, scene: Scene, _step: Step) -> None:
        self.patch_pod(scene.old or {}, {"annotations": {EPOCH: None}})

    def do_forget(self, scene: Scene, _step: Step) -> None:
        found = meta(scene.secret or {})
        self.api.delete(SECRET, found["name"], self.namespace, uid=found["uid"])


def _without_target(entry: Entry) -> Entry:
    """The way back: as the pod was, with its own scheduler and no pin."""
    return replace(entry, node="", scheduler="")


def saved_moves(secret: Object) -> List[Entry]:
    """The moves that a journal Secret belongs to, for when its Lease was deleted by hand."""
    text = base64.b64decode((secret.get("data") or {}).get(MOVES, "")).decode(errors="replace")
    return decode_text(text, describe("Secret", secret))
