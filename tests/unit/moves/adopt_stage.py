# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles of an adoption, and a machine that looks at them: O is the old pod, R the new one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.adopt import (
    Adopt,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.journal import Entry
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    DELETION_COST,
    GOES_FIRST,
    MOVE_ID,
    MOVED_FROM_UID,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import (
    Step,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.swap import Swap
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import (
    Object,
    controller,
    entry,
    held_lock,
    holder,
    node,
    pod,
    settings,
)

OWNER = controller()


def changed(obj: Object, **metadata: Any) -> Object:
    """The object with other metadata."""
    return {**obj, "metadata": {**obj["metadata"], **metadata}}


def old(**more: Any) -> Object:
    """O: owned, Ready, on node a; `marked` for the swap, or as it was."""
    annotations = {DELETION_COST: GOES_FIRST} if more.pop("marked", False) else {}
    annotations |= more.pop("annotations", {})
    return pod("old", owner=more.pop("owner", OWNER), annotations=annotations, **more)


def other(**more: Any) -> Object:
    """The workload's second pod."""
    return pod(more.pop("name", "other"), owner=more.pop("owner", OWNER), **more)


def new(**more: Any) -> Object:
    """R: detached unless `labelled`, nobody's unless `adopted`, an ordinary pod if `finished`."""
    labels = {"app": "web", MOVED_FROM_UID: "uid-old", MOVE_ID: entry().id}
    adopted = more.pop("adopted", False)
    finished = more.pop("finished", False)
    if more.pop("labelled", False) or adopted or finished:
        labels["tier"] = "front"
    if finished:
        del labels[MOVE_ID]
    owner = OWNER if adopted or finished else None
    return pod("new", on=more.pop("on", "b"), owner=owner, labels=labels, **more)


class Stage:
    """A machine before a world, with its lock held."""

    def __init__(self, folder: Path, *objects: Object, **how: Any) -> None:
        resume = how.pop("resume", False)
        kind: type[Swap] = how.pop("kind", Adopt)
        moved: Entry = how.pop("moved", entry())
        owner = how.pop("owner", OWNER)
        targets = [] if how.pop("no_target", False) else [node("b")]
        owners = [owner] if owner is not None else []
        self.api = FakeApi(*targets, *owners, *objects)
        who = holder(folder)
        lock = held_lock(self.api, who, moved)
        options = settings(self.api.clock, who, **how)
        self.machine = kind(self.api, lock, moved, options, owner or OWNER, resume=resume)

    def step(self) -> Step:
        return self.machine.decide(self.machine.look())


def case(sentence: str, verb: str, *objects: Object, code: str = "", **how: Any) -> Any:
    return pytest.param(objects, how, verb, code, id=sentence)
