# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles of a recreation: O the old pod, N the new one of that name, S the Secret."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ansible_collections.podplacement.core.plugins.module_utils.moves.journal import Entry
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    LEASE_UID,
    MOVE_ID,
    MOVED_FROM_UID,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.recreate import (
    MANIFEST,
    Recreate,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import Step
from ansible_collections.podplacement.core.plugins.module_utils.resources import SECRET
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import (
    NS,
    Object,
    entry,
    held_lock,
    holder,
    node,
    pod,
    settings,
)

FORWARD = entry("recreate")
BACK = FORWARD.going_back("NotReady|too slow")
FAILED: dict[str, Any] = {"phase": "Failed", "ready": False}
REFUSED: dict[str, Any] = {**FAILED, "reason": "OutOfcpu"}


def old(**more: Any) -> Object:
    """O, on node a."""
    return pod("old", **more)


def new(move: Entry = FORWARD, *, final: bool = False, **more: Any) -> Object:
    """N, on node b; with the move's id until it is `final`."""
    labels = {"app": "web", MOVED_FROM_UID: "uid-old"} | ({} if final else {MOVE_ID: move.id})
    reason = more.pop("reason", None)
    found = pod("old", on=more.pop("on", "b"), labels=labels, **more)
    found["metadata"]["uid"] = "uid-new"
    found["status"] |= {"reason": reason} if reason else {}
    return found


def foreign() -> Object:
    """A pod of that name that somebody else made."""
    found = pod("old")
    found["metadata"]["uid"] = "uid-foreign"
    return found


class Stage:
    """A machine before a world, with its lock held; `saved`: S holds O's manifest."""

    def __init__(self, folder: Path, *objects: Object, **how: Any) -> None:
        resume = how.pop("resume", False)
        self.move: Entry = how.pop("move", FORWARD)
        saved = how.pop("saved", False)
        nodes = [node(name) for name in how.pop("nodes", "ab")]
        self.api = FakeApi(*nodes, *objects)
        self.who = holder(folder)
        self.lock = held_lock(self.api, self.who, self.move)
        options = settings(self.api.clock, self.who, **how)
        self.machine = Recreate(self.api, self.lock, self.move, options, resume=resume)
        if saved:
            self.save()

    def save(self, manifest: Object | None = None, lease: str | None = None) -> None:
        """Write S as this machine does; `manifest` and `lease`: as another would have."""
        scene = self.machine.look()
        scene.old, scene.secret = manifest or old(), None
        self.machine.act("save", scene, Step("save"))
        if lease is not None:
            mark = {"metadata": {"annotations": {LEASE_UID: lease}}}
            self.api.change(SECRET, self.lock.name, NS, mark)

    def step(self) -> Step:
        return self.machine.decide(self.machine.look())

    def act(self, verb: str, step: Step | None = None) -> None:
        self.machine.act(verb, self.machine.look(), step or Step(verb))

    def secrets(self) -> list[Object]:
        return self.api.list(SECRET, NS)[0]

    def manifest_text(self) -> str:
        (secret,) = self.secrets()
        return base64.b64decode(secret["data"][MANIFEST]).decode()
