# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods of a workload are handed over in one turn, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    ApiError,
    Conflict,
    PlacementError,
    TooManyRequests,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.adopt import Adopt
from ansible_collections.podplacement.core.plugins.module_utils.moves.engine import drive
from ansible_collections.podplacement.core.plugins.module_utils.moves.evict import Evict
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    DELETION_COST,
    MOVE_ID,
    MOVED_FROM_UID,
    mark,
    move_id,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import WAIT, Step
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD, Kind
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import (
    NS,
    Object,
    budget,
    controller,
    entry,
    held_lock,
    holder,
    node,
    pod,
    settings,
)

COUNT = 3
OWNER = controller(replicas=COUNT)
NUMBERS = range(1, COUNT + 1)
ENTRIES = {
    n: entry(id=move_id(f"uid-o{n}", "b"), pod=f"o{n}", pod_uid=f"uid-o{n}") for n in NUMBERS
}


class Cache(FakeApi):
    """A FakeApi that is asked as a cache is: `behind` are the pods whose marks it has not seen."""

    def __init__(self, *objects: Object) -> None:
        super().__init__(*objects)
        self.behind: set[str] = set()
        self.past: list[tuple[str, ...]] = []  # what was read past it, look by look

    @contextmanager
    def fresh(self, *kinds: Kind) -> Iterator[None]:
        self.past.append(tuple(kind.kind for kind in kinds))
        yield

    def has_seen(self, kind: Kind, namespace: str, version: str) -> bool:
        return version not in {
            self.get(POD, name, NS)["metadata"]["resourceVersion"] for name in self.behind
        }


def marked(n: int, **more: object) -> Object:
    """The n-th old pod, marked as the n-th to go."""
    return pod(f"o{n}", owner=OWNER, annotations={DELETION_COST: mark(n - 1)}, **more)


def ready(n: int, **more: object) -> Object:
    """Its replacement, detached."""
    labels = {"app": "web", MOVED_FROM_UID: f"uid-o{n}", MOVE_ID: ENTRIES[n].id}
    return pod(f"r{n}", on="b", labels=labels, **more)


class Stage:
    """A workload whose pods are all marked, and whose replacements are all Ready."""

    def __init__(self, folder: Path, *more: Object, stop: bool = False) -> None:
        pods = [make(n) for n in NUMBERS for make in (marked, ready)]
        self.api = Cache(node("b"), OWNER, *pods, *more)
        who = holder(folder)
        self.lock = held_lock(self.api, who, *ENTRIES.values())
        self.settings = settings(self.api.clock, who, stop=lambda: stop)
        self.swaps = {
            n: Adopt(self.api, self.lock, ENTRIES[n], self.settings, OWNER) for n in NUMBERS
        }
        for swap in self.swaps.values():
            swap.marked = self.api.clock.monotonic()
            swap.decide(swap.look())
        self.api.calls.clear()

    def go(self, n: int = 1) -> Step:
        """The n-th has its turn."""
        swap = self.swaps[n]
        scene = swap.look()
        step = swap.decide(scene)
        return step if step.verb == WAIT else swap.act(step.verb, scene, step) or step

    def gone(self) -> list[str]:
        """The replacements that were handed over, in order."""
        return [call.name for call in self.api.writes() if call.verb == "patch"]


def test_all_that_are_ready_go_in_one_turn_in_the_order_of_their_marks(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert stage.go().verb == "confirm"
    assert stage.gone() == ["r1", "r2", "r3"]
    assert len(stage.api.past) == 1, "one look past the cache for all"
    for swap in stage.swaps.values():
        swap.decide(swap.look())
    assert stage.lock.line == {}
    assert stage.lock.flying == {f"uid-o{n}": f"uid-r{n}" for n in NUMBERS}


def test_who_was_marked_later_waits_for_the_first(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert (stage.go(2).verb, stage.go(3).code) == (WAIT, "WorkloadNotReady")
    assert stage.gone() == []


@pytest.mark.parametrize("recent", [True, False])
def test_the_pods_are_read_anew_when_one_of_the_marks_is_old(recent: bool, tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.swaps[2].marked -= 0.5 if recent else 1.5
    stage.go()
    assert ("Pod" in stage.api.past[0]) is not recent


def test_none_goes_past_one_that_may_not(tmp_path: Path) -> None:
    """The controller would delete the old pod of the one in between, which is marked before."""
    stage = Stage(tmp_path)
    stage.api.put(ready(2, ready=False))
    stage.go()
    assert stage.gone() == ["r1"]


def test_a_pod_of_the_workload_that_is_not_ready_stops_all(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.api.put(marked(3, ready=False))
    step = stage.go()
    assert (step.verb, step.code) == (WAIT, "WorkloadNotReady")
    assert stage.gone() == []


def test_a_mark_that_the_watch_has_not_told_of_yet_ends_the_turn(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.api.behind = {"o3"}
    stage.go()
    assert stage.gone() == ["r1", "r2"]


@pytest.mark.parametrize(("allowed", "count"), [(3, 3), (2, 2), (1, 1), (0, 1)])
def test_as_many_go_as_the_budget_allows(allowed: int, count: int, tmp_path: Path) -> None:
    """For the first the server itself answers."""
    counted = {**budget(), "status": {"disruptionsAllowed": allowed}}
    stage = Stage(tmp_path, counted)
    stage.go()
    assert stage.gone() == ["r1", "r2", "r3"][:count]
    asked = [call.name for call in stage.api.calls if call.resource == "pods/eviction"]
    assert asked == ["o1", "o2", "o3"][:count]


def test_of_two_budgets_the_tighter_one_counts(tmp_path: Path) -> None:
    both = [{**budget(f"b{n}"), "status": {"disruptionsAllowed": n}} for n in (1, 3)]
    stage = Stage(tmp_path, *both)
    stage.go()
    assert stage.gone() == ["r1"]


def test_a_budget_that_refuses_the_first_is_waited_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path, budget())
    refusal = TooManyRequests(429, "TooManyRequests", "the budget")
    stage.api.before("create", "pods/eviction", refusal)
    step = stage.go()
    assert (step.verb, step.code, stage.gone(), stage.api.past) == (WAIT, "PdbBlocked", [], [])


def test_a_budget_that_refuses_until_the_deadline_is_the_way_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path, budget())
    stage.api.clock.sleep(301)
    stage.lock.keep()
    stage.api.calls.clear()
    refusal = TooManyRequests(429, "TooManyRequests", "the budget")
    stage.api.before("create", "pods/eviction", refusal)
    swap = stage.swaps[1]
    step = swap.act("confirm", swap.look(), Step("confirm"))
    assert step is not None
    assert (step.verb, step.code) == ("roll_back", "PdbBlocked")
    assert [(call.verb, call.name) for call in stage.api.writes()] == [("delete", "r1")]


def test_after_the_wish_to_stop_no_other_goes_along(tmp_path: Path) -> None:
    stage = Stage(tmp_path, stop=True)
    stage.go()
    assert stage.gone() == ["r1"]


@pytest.mark.parametrize(
    ("request_", "before"),
    [
        pytest.param(("create", "pods/eviction"), 1, id="budget"),
        pytest.param(("list", "pods"), 1, id="look before it"),
        pytest.param(("list", "pods"), 4, id="last look"),
        pytest.param(("patch", "pods"), 1, id="write"),
    ],
)
def test_an_error_about_another_pod_is_not_the_first_one_s(
    request_: tuple[str, str], before: int, tmp_path: Path
) -> None:
    """It comes when that one is the head of the line itself."""
    stage = Stage(tmp_path, {**budget(), "status": {"disruptionsAllowed": 3}})
    for _call in range(before):
        stage.api.before(*request_, lambda: None)
    stage.api.before(*request_, ApiError(500, "InternalError", "down"))
    assert stage.go().verb == "confirm"
    assert [name for name in stage.gone() if name != "r2"] == ["r1"]
    assert stage.api.get(POD, "r2", NS)["metadata"]["labels"].get("tier") is None


@pytest.mark.parametrize(
    ("request_", "before"),
    [
        pytest.param(("create", "pods/eviction"), 0, id="budget"),
        pytest.param(("get", "replicasets"), 2, id="last look"),
        pytest.param(("patch", "pods"), 0, id="write"),
    ],
)
def test_an_error_about_the_first_pod_is_raised(
    request_: tuple[str, str], before: int, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, {**budget(), "status": {"disruptionsAllowed": 3}})
    swap = stage.swaps[1]
    scene = swap.look()
    for _call in range(before):
        stage.api.before(*request_, lambda: None)
    stage.api.before(*request_, Conflict(409, "Conflict", "changed"))
    with pytest.raises(Conflict):
        swap.act("confirm", scene, Step("confirm"))
    assert set(stage.gone()) <= {"r1"}
    assert stage.api.get(POD, "r1", NS)["metadata"]["labels"].get("tier") is None


def test_a_lost_lock_ends_the_turn(tmp_path: Path) -> None:
    """It is asked for before each write: whoever was frozen in between finds out."""
    stage = Stage(tmp_path)

    def taken() -> None:
        stage.api.clock.sleep(20)
        stage.api.put({**stage.lock.held(), "spec": {"holderIdentity": "another"}})

    stage.api.before("patch", "pods", taken)
    swap = stage.swaps[1]
    with pytest.raises(PlacementError, match="took this workload over"):
        swap.act("confirm", swap.look(), Step("confirm"))
    assert [name for name in stage.gone() if name != stage.lock.name] == ["r1"]


def test_that_the_others_of_the_turn_lose_their_old_pods_is_no_theft(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.go()
    assert stage.swaps[1].company == {"uid-r2", "uid-r3"}
    assert stage.swaps[3].company == {"uid-r1", "uid-r2"}


def test_nobody_is_evicted_while_others_are_marked(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    moved = entry("evict", pod="x", pod_uid="uid-x")
    machine = Evict(stage.api, stage.lock, moved, stage.settings, OWNER)
    assert machine.another_s_turn() is not None
    for n in NUMBERS:
        stage.lock.forget(ENTRIES[n])
    assert machine.another_s_turn() is None


def test_one_that_goes_back_is_in_nobody_s_way(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    swap = stage.swaps[1]
    swap.act("unmark", swap.look(), Step("unmark"))
    assert list(stage.lock.line) == [ENTRIES[2].id, ENTRIES[3].id]


def test_a_move_that_has_ended_is_in_nobody_s_way(tmp_path: Path) -> None:
    """However it ended: a recovery drives one after the other under the same lock."""
    stage = Stage(tmp_path)
    stage.lock.turn = ENTRIES[1].id
    stage.lock.flying["uid-o1"] = "uid-r1"
    stage.api.remove(POD, "o1", NS)
    stage.api.remove(POD, "r1", NS)
    step = drive(stage.swaps[1], stage.api, stage.api.clock)
    assert step.code == "PodGone"
    assert (stage.lock.turn, stage.lock.flying) == ("", {})
    assert list(stage.lock.line) == [ENTRIES[2].id, ENTRIES[3].id]


def test_while_another_is_evicted_nobody_is_handed_over(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.lock.turn = "another"
    assert (stage.go().verb, stage.gone()) == (WAIT, [])
