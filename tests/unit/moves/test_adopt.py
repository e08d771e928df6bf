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
    controller,
    endpoints,
    entry,
    pod,
)

FAILED: dict[str, Any] = {"phase": "Failed", "ready": False}
TABLE = [
    case("no R, O serves: create R", "create", old(), other()),
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
        "no R, O serves, in a recovery: nothing is begun",
        DONE,
        old(),
        other(),
        resume=True,
        code="RolledBack",
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
    case("no R, O gone, heir owned: done, moved", DONE, new(finished=True), other()),
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
    case("no R, O gone, no heir: done, gone", DONE, other(), code="PodGone"),
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
        "R detached, owner gone: roll back", "roll_back", new(), old(), owner=None, code="OwnerGone"
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
        "R detached, another owner of that name: roll back",
        "roll_back",
        new(),
        old(),
        owner=changed(OWNER, uid="uid-another"),
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
    case("R on another node: try again", "retry", new(on="z"), old(), other()),
    case("R detached, not Ready: wait", WAIT, new(ready=False), old(), other(), code="NotReady"),
    case(
        "R detached, not Ready at the deadline: roll back",
        "roll_back",
        new(ready=False),
        old(),
        other(),
        seconds=0,
        code="NotReady",
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
        "R detached and Ready, O gone, owner short: hand over",
        "hand_over",
        new(),
        other(),
    ),
    case(
        "R detached and Ready, O stops, owner short: hand over",
        "hand_over",
        new(),
        old(terminating=True),
        other(),
    ),
    case(
        "R detached and Ready, O gone, owner complete: roll back",
        "roll_back",
        new(),
        other(),
        other(name="third"),
        code="PodGone",
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
        "R Ready, a sibling not Ready: wait",
        WAIT,
        new(),
        old(),
        other(ready=False),
        code="WorkloadNotReady",
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
    case("R Ready, gates open, O unmarked: mark O", "mark", new(), old(), other()),
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
    case(
        "R Ready, gates open, O marked: hand over",
        "hand_over",
        new(),
        old(marked=True),
        other(),
    ),
    case("R soaks: wait", WAIT, new(), old(), other(), soak=5.0, code="NotReady"),
    case(
        "R labelled, nobody's: wait for adoption",
        WAIT,
        new(labelled=True),
        old(marked=True),
        other(),
    ),
    case(
        "R labelled, nobody's, owner gone: roll back",
        "roll_back",
        new(labelled=True),
        old(marked=True),
        owner=None,
        code="OwnerGone",
    ),
    case(
        "R adopted, O alive, one pod too many: wait for the controller",
        WAIT,
        new(adopted=True),
        old(marked=True),
        other(),
    ),
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
        "R adopted, O alive, scaled up meanwhile: O was spared",
        "spare",
        new(adopted=True),
        old(marked=True),
        other(),
        owner=controller(replicas=3),
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
    case("R adopted, O gone: finalize", "finalize", new(adopted=True), other()),
    case("R adopted, O released: finalize", "finalize", new(adopted=True), pod("old"), other()),
]


@pytest.mark.parametrize(("objects", "how", "verb", "code"), TABLE)
def test_what_is_seen_is_what_is_done(
    objects: tuple[Object, ...], how: dict[str, Any], verb: str, code: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, *objects, **how)
    step = stage.step()
    assert (step.verb, step.code) == (verb, code), step.why
    assert step.why or step.verb not in (WAIT, "roll_back")
    assert len(stage.api.writes()) == 1, "deciding writes nothing"
