# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the strategies have in common: their parts, and the guarded writes on pods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Dict, List, Mapping, Optional

from ..api import Api, Object
from ..errors import NotFound, TooManyRequests
from ..resources import NODE, PDB, POD, annotation, meta
from .gates import refused_eviction
from .journal import Entry
from .lock import Lock
from .names import EPOCH
from .order import Settings
from .scene import DONE, WAIT, Scene, Step
from .vigil import Vigil

Metadata = Dict[str, Any]


class Machine(ABC):
    """One move of one pod. ``resume`` is True in a recovery: then nothing new is begun.

    ``failure`` is why the move goes back; it is set once and never cleared. ``replacement`` is the
    newest pod that was made, for the report.
    """

    def __init__(
        self, api: Api, lock: Lock, entry: Entry, settings: Settings, *, resume: bool = False
    ) -> None:
        self.api = api
        self.lock = lock
        self.entry = entry
        self.settings = settings
        self.resume = resume
        self.namespace = lock.namespace
        self.selector = ""
        self.fields = ""
        self.vigil = self.new_vigil(settings.soak)
        self.failure: Optional[Step] = None
        self.asked = False  # this run asked for an eviction, and may have got it
        self.granted = False  # it has
        self.mismatch = False  # the controller took another pod in the old one's place
        self.disrupted = False  # the old pod was taken away: an end with a failure is no way back
        self.blocked: Optional[Step] = None  # what the last eviction was told to wait for
        self.replacement: Optional[Object] = None
        self.warnings: List[str] = []
        self.details: Metadata = {}  # more of the move, for the report
        self.attempt = 0
        self.lost = 0  # replies in a row
        self.races = 0  # in a row

    def new_vigil(self, soak: float) -> Vigil:
        """Watch over a replacement, which must be Ready for ``soak`` seconds."""
        avoid = self.entry.from_node if self.entry.away else ""
        return Vigil(self.settings.clock, self.entry.node, soak, avoid=avoid)

    @abstractmethod
    def look(self) -> Scene:
        """Read the live objects."""

    @abstractmethod
    def decide(self, scene: Scene) -> Step:
        """The next step, from what was seen and nothing else that a crash could take."""

    def act(self, verb: str, scene: Scene, step: Step) -> Optional[Step]:
        """Dispatch to the method ``do_<verb>``: one write each; it may answer with a wait."""
        waiting: Optional[Step] = getattr(self, "do_" + verb)(scene, step)
        return waiting

    def stop(self) -> None:
        """The task was asked to end: back where that is still possible, else to the end."""
        if self.failure is None:
            self.failure = Step(DONE, "the task was cancelled", "Cancelled")

    def abandon(self) -> None:
        """Another run has the lock: forget it, and take back what only this run knows is stray."""
        self.lock.lease = None

    def ended(self) -> Step:
        """The last step of a way back."""
        if self.failure is None:
            return Step(DONE, "", "RolledBack")
        return Step(DONE, self.failure.why, self.failure.code)

    def fenced(self, scene: Scene) -> bool:
        """The old pod still carries the epoch of a recovery."""
        return scene.old is not None and annotation(scene.old, EPOCH) is not None

    def node(self, name: str) -> Optional[Object]:
        """The node as it is now, None when it is gone."""
        try:
            return self.api.get(NODE, name)
        except NotFound:
            return None

    def pod(self, name: str) -> Optional[Object]:
        """The pod of that name as it is now."""
        try:
            return self.api.get(POD, name, self.namespace)
        except NotFound:
            return None

    def patch_pod(self, pod: Optional[Mapping[str, Any]], metadata: Metadata) -> None:
        """Change a pod's metadata if it still is the very version that was looked at."""
        found = meta(pod or {})
        guard = {"uid": found["uid"], "resourceVersion": found["resourceVersion"]}
        self.api.patch(POD, found["name"], {"metadata": dict(metadata, **guard)}, self.namespace)

    def delete_pod(self, pod: Optional[Mapping[str, Any]]) -> None:
        """Delete a pod if it still is the very version that was looked at.

        Not by uid alone: a frozen former holder must not delete what another run made good.
        """
        found = meta(pod or {})
        self.api.delete(
            POD,
            found["name"],
            self.namespace,
            uid=found["uid"],
            resource_version=found["resourceVersion"],
        )

    def another_s_turn(self) -> Optional[Step]:
        """A wait while another pod of the workload goes: one at a time, budget or not."""
        if self.lock.turn in ("", self.entry.id) and not self.lock.line:
            return None
        return Step(WAIT, "waiting until another pod of the workload has been replaced")

    def evict_old(self, scene: Scene) -> Optional[Step]:
        """Evict the old pod, guarded. What is not a yes comes back as a wait."""
        found = meta(scene.old or {})
        version = self.api.list(PDB, self.namespace)[1]
        self.lock.keep()
        self.lock.turn = self.entry.id
        self.asked = True  # also when the answer is lost
        try:
            self.api.evict(
                self.entry.pod,
                self.namespace,
                uid=found["uid"],
                resource_version=found["resourceVersion"],
                grace_period=self.settings.terminate_grace_period,
            )
        except TooManyRequests as err:
            scene.versions[PDB.kind] = version
            refused = refused_eviction(err)
            if refused.code == "PdbBlocked":
                self.asked = False
                self.lock.turn = ""
            return refused
        self.granted = True
        self.vigil.seen("terminating")
        return None
