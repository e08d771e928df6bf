# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the table at the head of moves/adopt.py: what is seen, what is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    DELETION_COST,
    EPOCH,
    GOES_FIRST,
    MOVE_ID,
    MOVED_FROM_UID,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import (
    DONE,
    WAIT,
)
from tests.unit.moves.adopt_stage import OWNER, Stage, case, changed, new, old, other
from tests.unit.moves.objects import (
    Object,
    endpoints,
    entry,
    pod,
)
from tests.unit.moves.swap_rows import assert_decides, shared

FAILED: dict[str, Any] = {"phase": "Failed", "ready": False}
TABLE = [
    *shared(new, "labelled"),
    case(
        "a pod of another move of O, nobody's: none of this move's business",
        "create",
        pod("stray", labels={"app": "web", MOVED_FROM_UID: "uid-old", MOVE_ID: "another"}),
        old(),
        other(),
    ),
    case(
        "an owner of a kind that is not known here: gone",
        "roll_back",
        new(),
        old(),
        other(),
        moved=entry(owner_kind="CloneSet"),
        code="OwnerGone",
    ),
    case(
        "no R, O serves and is marked, in a recovery: take the mark off",
        "unmark",
        old(marked=True),
        other(),
        resume=True,
    ),
    case(
        "no R, O serves and is fenced, in a recovery: take the fence off",
        "unmark",
        old(annotations={EPOCH: "1"}),
        other(),
        resume=True,
    ),
    case(
        "no R, O carries its user's own lowest cost, in a recovery: leave it",
        DONE,
        old(marked=True),
        other(),
        resume=True,
        moved=entry(cost=GOES_FIRST),
        code="RolledBack",
    ),
    case(
        "no R, O stops, heir owned: wait until it is gone",
        WAIT,
        new(finished=True),
        old(terminating=True),
        other(),
    ),
    case(
        "no R, O stops, heir owned, not to be waited for: done",
        DONE,
        new(finished=True),
        old(terminating=True),
        wait=False,
    ),
    case("no R, O released: done, gone", DONE, pod("old"), other(), code="PodGone"),
    case("no R, O failed on its own: done, gone", DONE, old(**FAILED), code="PodGone"),
    case(
        "no R, O released while it was marked: take the mark off",
        "unmark",
        pod("old", annotations={DELETION_COST: GOES_FIRST}),
        other(),
    ),
    case(
        "no R, owner gone: done, gone",
        DONE,
        old(),
        other(),
        owner=None,
        code="OwnerGone",
    ),
    case(
        "R detached, owner being deleted: roll back",
        "roll_back",
        new(),
        old(),
        owner=changed(OWNER, deletionTimestamp="now"),
        code="OwnerGone",
    ),
    case(
        "R failed: roll back",
        "roll_back",
        new(**FAILED),
        old(),
        other(),
        code="KubeletRefused: Failed",
    ),
    case(
        "R's target gone: roll back",
        "roll_back",
        new(ready=False),
        old(),
        other(),
        no_target=True,
        code="NodeNotFound",
    ),
    case(
        "R detached, not Ready, in a recovery: roll back",
        "roll_back",
        new(ready=False),
        old(),
        other(),
        resume=True,
        code="RolledBack",
    ),
    case(
        "R detached and Ready, O stops, owner short: hand over",
        "hand_over",
        new(),
        old(terminating=True),
        other(),
    ),
    case(
        "R detached and Ready, O gone, owner has pods that start: R stays so long",
        WAIT,
        new(),
        other(),
        other(name="third", ready=False),
    ),
    case(
        "R detached and Ready, O gone, others do not start in time: hand over",
        "hand_over",
        new(),
        other(),
        other(name="third", ready=False),
        seconds=0,
    ),
    case(
        "R detached, not Ready, O gone: roll back",
        "roll_back",
        new(ready=False),
        other(),
        code="PodGone",
    ),
    case(
        "R Ready, a sibling not Ready at the deadline: roll back",
        "roll_back",
        new(),
        old(),
        other(ready=False),
        seconds=0,
        code="WorkloadNotReady",
    ),
    case(
        "R Ready, a Service does not send to it: wait",
        WAIT,
        new(),
        old(),
        other(),
        endpoints("web", old=True),
        code="EndpointMissing",
    ),
    case(
        "R Ready, gates open, in a recovery: mark O",
        "mark",
        new(),
        old(),
        other(),
        resume=True,
    ),
    case(
        "R Ready, gates open, past the deadline: mark O",
        "mark",
        new(),
        old(),
        other(),
        seconds=0,
    ),
    case("R soaks: wait", WAIT, new(), old(), other(), soak=5.0, code="NotReady"),
    case(
        "R adopted, O alive, none too many: O was spared",
        "spare",
        new(adopted=True),
        old(marked=True),
    ),
    case(
        "R adopted but failed, O alive, none too many: O was spared",
        "spare",
        new(adopted=True, **FAILED),
        old(marked=True),
        other(),
    ),
    case(
        "R adopted, O terminating: wait until it is gone",
        WAIT,
        new(adopted=True),
        old(terminating=True),
        other(),
    ),
    case(
        "R adopted, O terminating, not to be waited for: finalize",
        "finalize",
        new(adopted=True),
        old(terminating=True),
        other(),
        wait=False,
    ),
    case(
        "R adopted, O still terminating at the deadline: finalize",
        "finalize",
        new(adopted=True),
        old(terminating=True),
        other(),
        seconds=0,
    ),
    case("R adopted, O released: finalize", "finalize", new(adopted=True), pod("old"), other()),
]


@pytest.mark.parametrize(("objects", "how", "verb", "code"), TABLE)
def test_what_is_seen_is_what_is_done(
    objects: tuple[Object, ...], how: dict[str, Any], verb: str, code: str, tmp_path: Path
) -> None:
    assert_decides(Stage(tmp_path, *objects, **how), verb, code)
