# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles of a shadow move: O is the old pod, R the new one, S the temporary ReplicaSet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.podplacement.core.plugins.module_utils.moves.journal import Entry
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    MOVE_ID,
    MOVED_FROM_UID,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import Step
from ansible_collections.podplacement.core.plugins.module_utils.moves.shadow import (
    Shadow,
    holder_for,
)
from tests.unit.moves import adopt_stage
from tests.unit.moves.adopt_stage import OWNER
from tests.unit.moves.objects import NS, Object, entry, pod

LABELS = {**OWNER["spec"]["template"]["metadata"]["labels"], MOVED_FROM_UID: "uid-old"}


def shadow_entry(**more: Any) -> Entry:
    """A move of pod `old` by way of a temporary ReplicaSet."""
    return replace(entry(), strategy="shadow", detach_key="", detach_value="", **more)


def temporary(*, going: bool = False, refused: str = "", replicas: int = 1) -> Object:
    """S: there to stay, or `going`; `refused` is the server's message to its controller."""
    found = holder_for(OWNER, shadow_entry(), pod("old", owner=OWNER), 0)
    found["metadata"]["uid"] = "uid-holder"
    found["spec"]["replicas"] = replicas
    if going:
        found["metadata"] |= {"deletionTimestamp": "now", "finalizers": ["orphan", "theirs"]}
    if refused:
        condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
        found["status"] = {"conditions": [{**condition, "message": refused}]}
    return found


def new(**more: Any) -> Object:
    """R: held by S, or `loose`, or `adopted`, or `finished`."""
    found = more.pop("name", "new")
    owner: Object | None = temporary()
    if more.pop("loose", False):
        owner = None
    labels = {**LABELS, MOVE_ID: shadow_entry().id}
    finished = more.pop("finished", False)
    if more.pop("adopted", False) or finished:
        owner = OWNER
    if finished:
        del labels[MOVE_ID]
    return pod(found, on=more.pop("on", "b"), owner=owner, labels=labels, **more)


class Stage(adopt_stage.Stage):
    """The same, with a machine that is a shadow's."""

    def __init__(self, folder: Path, *objects: Object, **how: Any) -> None:
        super().__init__(folder, *objects, **{"kind": Shadow, "moved": shadow_entry(), **how})

    def act(self, verb: str, step: Step | None = None) -> None:
        self.machine.act(verb, self.machine.look(), step or Step(verb))

    def metadata(self, kind: Any, name: str) -> Any:
        return self.api.get(kind, name, NS)["metadata"]
