# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the table at the head of moves/replace.py: what is seen, what is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Conflict,
    Invalid,
    OutcomeUnknown,
    PlacementError,
    TooManyRequests,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    DELETION_COST,
    EPOCH,
    GOES_LAST,
    MOVE_ID,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.refusals import (
    ONE_NODE,
    ONE_POD,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.replace import Replace
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import (
    DONE,
    WAIT,
    Step,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.unit.moves.adopt_stage import OWNER, Stage, case, new, old, other
from tests.unit.moves.objects import NS, Object, budget, controller, entry, pod, reference

ENTRY = replace(entry(), strategy="replace", way=ONE_NODE)
ENTRY_POD = replace(ENTRY, way=ONE_POD)
MESSAGE = (
    "unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use"
)
STARTING: dict[str, Any] = {"phase": "Pending", "ready": False}
FAILED: dict[str, Any] = {"phase": "Failed", "ready": False}
GONE = old(terminating=True)
TABLE = [
    case("no R, O serves: create R", "create", old(), other()),
    case("no R, O serves, a sibling unready: wait", WAIT, old(), other(ready=False)),
    case(
        "no R, O serves, a sibling unready for too long: nothing was done",
        DONE,
        old(),
        other(ready=False),
        seconds=0,
        code="WorkloadNotReady",
    ),
    case("no R, O serves, in a recovery: done", DONE, old(), resume=True, code="RolledBack"),
    case("no R, O fenced, in a recovery", "unmark", old(annotations={EPOCH: "1"}), resume=True),
    case("R without a node: wait", WAIT, old(), other(), new(on="")),
    case("R on the target, starting: evict O", "evict", old(), other(), new(**STARTING)),
    case("R running already: evict O", "evict", old(), other(), new()),
    case("R on another node: ask again", "retry", old(), other(), new(on="c")),
    case(
        "R refused by its kubelet",
        "roll_back",
        old(),
        other(),
        new(**FAILED),
        code="KubeletRefused: Failed",
    ),
    case("R in place, a sibling unready: wait", WAIT, old(), other(ready=False), new(**STARTING)),
    case("R runs, a sibling unready: stand down", "stand_down", old(), other(ready=False), new()),
    case(
        "R in place, a sibling unready for too long: roll back",
        "roll_back",
        old(),
        other(ready=False),
        new(**STARTING),
        seconds=0,
        code="WorkloadNotReady",
    ),
    case(
        "R in place, in a recovery: roll back",
        "roll_back",
        old(),
        other(),
        new(),
        resume=True,
        code="RolledBack",
    ),
    case(
        "R in place, owner gone: roll back", "roll_back", old(), new(), owner=None, code="OwnerGone"
    ),
    case("R, O going, owner short: hand over", "hand_over", GONE, other(), new(**STARTING)),
    case("R Ready, O gone, owner whole: hand over", "hand_over", other(), other(name="x"), new()),
    case(
        "R not Ready, O gone, owner whole: it was an eviction",
        "roll_back",
        other(),
        other(name="x"),
        new(**STARTING),
        code="PodGone",
    ),
    case(
        "R not Ready, O gone, X not Ready: wait for the first of both",
        WAIT,
        other(),
        other(name="x", ready=False),
        new(**STARTING),
    ),
    case(
        "R not Ready, O gone, X not Ready, no time left: X stays",
        "roll_back",
        other(),
        other(name="x", ready=False),
        new(**STARTING),
        seconds=0,
        code="PodGone",
    ),
    case(
        "R tied, O going, owner gone: delete R",
        "roll_back",
        GONE,
        new(),
        owner=None,
        code="OwnerGone",
    ),
    case("R labelled, nobody's: wait", WAIT, GONE, other(), new(labelled=True)),
    case("R adopted, O going: wait", WAIT, GONE, other(), new(adopted=True)),
    case("R adopted, O gone, not Ready: wait", WAIT, other(), new(adopted=True, **STARTING)),
    case("R adopted, Ready, X there: wait", WAIT, other(), other(name="x"), new(adopted=True)),
    case("R adopted, Ready: finalize", "finalize", other(), new(adopted=True)),
    case(
        "R adopted, refused by its kubelet: give up",
        "give_up",
        other(),
        new(adopted=True, **FAILED),
        code="KubeletRefused: Failed",
    ),
    case(
        "R adopted, late: leave it and say so",
        "finalize",
        other(),
        new(adopted=True, **STARTING),
        seconds=0,
        code="NotReady",
    ),
    case(
        "R adopted, late, O still stops",
        "finalize",
        GONE,
        other(),
        new(adopted=True, **STARTING),
        seconds=0,
        code="TerminationTimeout",
    ),
    case(
        "R adopted, late and without a node: give up",
        "give_up",
        other(),
        new(adopted=True, on=""),
        seconds=0,
        code="NotScheduled",
    ),
    case("no R, O gone, heir: done", DONE, other(), new(finished=True)),
    case("no R, O gone, no heir, nothing asked for: gone", DONE, other(), code="PodGone"),
]


@pytest.mark.parametrize(("objects", "how", "verb", "code"), TABLE)
def test_what_is_seen_decides(
    objects: tuple[Object, ...], how: dict[str, Any], verb: str, code: str, tmp_path: Path
) -> None:
    step = Stage(tmp_path, *objects, kind=Replace, moved=ENTRY, **how).step()
    assert step.verb == verb, step
    assert verb in (WAIT, "stand_down") or step.code == code, step


def held_up(message: str) -> Object:
    """R, which no scheduler can place for that reason."""
    found = new(on="")
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    found["status"]["conditions"] = [{**condition, "message": message}]
    return found


@pytest.mark.parametrize(
    ("moved", "message", "verb"),
    [(ENTRY_POD, MESSAGE, "evict"), (ENTRY_POD, "Insufficient cpu", WAIT), (ENTRY, MESSAGE, WAIT)],
)
def test_a_volume_of_one_pod_may_keep_the_replacement_waiting_and_nothing_else(
    moved: Any, message: str, verb: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, old(), other(), held_up(message), kind=Replace, moved=moved)
    assert stage.step().verb == verb


def test_once_evicted_the_replacement_is_handed_over_although_the_controller_made_another(
    tmp_path: Path,
) -> None:
    pods = (GONE, other(), other(name="x"), new(**STARTING))
    stage = Stage(tmp_path, *pods, kind=Replace, moved=ENTRY)
    stage.machine.asked = True
    assert stage.step().verb == "hand_over"
    assert stage.machine.disrupted


def test_a_replacement_that_the_controller_deleted_is_told_with_the_pod_that_it_kept(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, other(), other(name="x", on="c"), kind=Replace, moved=ENTRY)
    stage.machine.asked = True
    step = stage.step()
    assert (step.verb, step.code) == (DONE, "VictimMismatch")
    assert "on c" in step.why
    assert stage.machine.replacement == stage.api.get(POD, "x", NS)


@pytest.mark.parametrize("verb", ["give_up", "finalize"])
def test_what_cannot_be_undone_ends_with_its_reason(verb: str, tmp_path: Path) -> None:
    objects = (other(), new(adopted=True, **FAILED))
    stage = Stage(tmp_path, *objects, kind=Replace, moved=ENTRY)
    machine = stage.machine
    machine.act(verb, machine.look(), Step(verb, "it cannot run", "KubeletRefused"))
    step = stage.step()
    assert (step.verb, step.code) == (DONE, "KubeletRefused")


def test_a_soft_stop_goes_back_before_the_eviction_and_on_after_it(tmp_path: Path) -> None:
    before = Stage(tmp_path, old(), other(), new(**STARTING), kind=Replace, moved=ENTRY)
    before.machine.stop()
    assert (before.step().verb, before.step().code) == ("roll_back", "Cancelled")
    after = Stage(tmp_path, GONE, other(), new(adopted=True), kind=Replace, moved=ENTRY)
    after.machine.stop()
    assert after.step().verb == WAIT


def test_nobody_waits_for_ever_for_an_adoption(tmp_path: Path) -> None:
    stage = Stage(tmp_path, other(), new(labelled=True), kind=Replace, moved=ENTRY, seconds=30)
    assert stage.step().verb == WAIT
    stage.api.clock.sleep(61)
    with pytest.raises(PlacementError) as caught:
        stage.step()
    assert caught.value.code == "ControllerNotResponding"
    assert "does not adopt the replacement" in caught.value.message


def test_a_sibling_of_another_controller_is_no_sibling(tmp_path: Path) -> None:
    foreign = controller(name="another")
    stage = Stage(
        tmp_path, GONE, other(), pod("y", owner=foreign), new(), kind=Replace, moved=ENTRY
    )
    assert stage.step().verb == "hand_over"
    assert OWNER["spec"]["replicas"] == 2


def placed(folder: Path) -> Stage:
    """R in its place, as the machine made it; O serves."""
    stage = Stage(folder, old(), other(), kind=Replace, moved=ENTRY)
    stage.machine.act("create", stage.machine.look(), Step("create"))
    return stage


def replacement(stage: Stage) -> Object:
    """R as it is now."""
    (found,) = [p for p in stage.api.list(POD, NS)[0] if MOVE_ID in p["metadata"]["labels"]]
    return found


def evict(stage: Stage) -> Step | None:
    return stage.machine.act("evict", stage.machine.look(), Step("evict"))


def test_the_eviction_and_the_hand_over_come_in_one_breath(tmp_path: Path) -> None:
    stage = placed(tmp_path)
    assert evict(stage) is None
    found = replacement(stage)["metadata"]
    assert found["labels"]["tier"] == "front"
    assert found["annotations"][DELETION_COST] == GOES_LAST
    assert not found.get("ownerReferences")


def test_a_change_of_its_status_does_not_hold_up_the_hand_over(tmp_path: Path) -> None:
    stage = placed(tmp_path)
    scene = stage.machine.look()
    name = replacement(stage)["metadata"]["name"]
    stage.api.change(POD, name, NS, {"status": {"phase": "Running"}})
    stage.machine.act("hand_over", scene, Step("hand_over"))
    assert replacement(stage)["metadata"]["labels"]["tier"] == "front"


def test_who_was_frozen_does_not_hand_over_what_is_another_s_by_now(tmp_path: Path) -> None:
    stage = placed(tmp_path)
    scene = stage.machine.look()
    name = replacement(stage)["metadata"]["name"]
    adopted = {"metadata": {"ownerReferences": [reference(OWNER)]}}
    stage.api.change(POD, name, NS, adopted)
    with pytest.raises(Conflict):
        stage.machine.act("hand_over", scene, Step("hand_over"))
    assert replacement(stage)["metadata"]["ownerReferences"] == [reference(OWNER)]


def test_a_test_that_does_not_hold_is_a_lost_race(tmp_path: Path) -> None:
    """The API server answers it with 422."""
    stage = placed(tmp_path)
    stage.api.before("patch", "pods", Invalid(422, "Invalid", "rejected our request"))
    with pytest.raises(Conflict):
        stage.machine.act("hand_over", stage.machine.look(), Step("hand_over"))


def test_who_stands_down_comes_back_under_another_name(tmp_path: Path) -> None:
    stage = placed(tmp_path)
    first = replacement(stage)["metadata"]["name"]
    for verb in ("stand_down", "create"):
        stage.machine.act(verb, stage.machine.look(), Step(verb))
    assert replacement(stage)["metadata"]["name"] != first


def test_an_eviction_whose_answer_is_lost_counts_as_asked_for(tmp_path: Path) -> None:
    stage = placed(tmp_path)
    stage.api.before("create", "pods/eviction", OutcomeUnknown(0, "OutcomeUnknown", "broken"))
    with pytest.raises(OutcomeUnknown):
        evict(stage)
    assert stage.machine.asked


def test_an_eviction_that_a_budget_refused_does_not(tmp_path: Path) -> None:
    stage = placed(tmp_path)
    stage.api.before("create", "pods/eviction", TooManyRequests(429, "TooManyRequests", "no"))
    waiting = evict(stage)
    assert waiting is not None
    assert waiting.code == "PdbBlocked"
    assert not stage.machine.asked


def test_an_eviction_that_does_not_show_yet_is_not_asked_for_again(tmp_path: Path) -> None:
    """Caches are a little behind."""
    stage = placed(tmp_path)
    stage.machine.granted = True
    assert stage.step().verb == WAIT


def test_one_pod_of_a_workload_goes_at_a_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path, old(), other(), kind=Replace, moved=ENTRY)
    stage.machine.lock.turn = "another"
    assert stage.step().verb == WAIT, "not even a replacement is made"
    stage = placed(tmp_path)
    stage.machine.lock.turn = "another"
    assert stage.step().verb == WAIT
    stage.machine.lock.turn = ""
    evict(stage)
    assert stage.machine.lock.turn == ENTRY.id
    stage.machine.act("finalize", stage.machine.look(), Step("finalize"))
    assert stage.machine.lock.turn == ""


EVACUATED = TooManyRequests(429, "TooManyRequests", "Eviction triggered evacuation")


def test_an_operator_that_moves_the_pod_itself_is_waited_for(tmp_path: Path) -> None:
    """What it answers to a dry run sets nothing going; what it answers to the eviction does."""
    stage = placed(tmp_path)
    stage.api.put(budget())
    bound = {"spec": {"nodeName": "b"}, "status": {"phase": "Pending"}}
    stage.api.change(POD, replacement(stage)["metadata"]["name"], NS, bound)
    for _time in range(2):
        stage.api.before("create", "pods/eviction", EVACUATED)
    assert stage.step().verb == "evict"
    waiting = evict(stage)
    assert waiting is not None
    assert (waiting.verb, waiting.code) == (WAIT, "EvacuationTriggered")
    assert stage.step() == waiting, "in progress: not asked for again"
    stage.api.clock.sleep(301)
    assert (stage.step().verb, stage.step().code) == ("roll_back", "EvacuationTriggered")
    stage.api.remove(POD, "old", NS)
    assert stage.step().verb == "hand_over"


def test_an_operator_that_takes_its_time_leaves_no_second_user_of_the_volume(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, old(), other(), new(), kind=Replace, moved=ENTRY)
    stage.api.before("create", "pods/eviction", EVACUATED)
    evict(stage)
    assert stage.step().verb == "stand_down"
    stage.machine.act("stand_down", stage.machine.look(), Step("stand_down"))
    assert (stage.step().verb, stage.step().code) == (WAIT, "EvacuationTriggered")
    stage.api.remove(POD, "old", NS)
    step = stage.step()
    assert (step.verb, step.code) == (DONE, "PodGone")
    assert "operator" in step.why
