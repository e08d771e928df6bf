# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the table at the head of moves/evict.py: what is seen, what is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    PlacementError,
    TooManyRequests,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.evict import (
    Evict,
    prepare_evict,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.journal import Entry
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    EPOCH,
    MOVED_FROM_NAME,
    MOVED_FROM_UID,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import (
    DONE,
    WAIT,
    Step,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import PDB, POD
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import (
    NS,
    Object,
    controller,
    entry,
    held_lock,
    holder,
    pod,
    settings,
)

OWNER = controller()
JOB = controller("Job")
UNKNOWN: Object = {**OWNER, "kind": "CloneSet", "apiVersion": "apps.kruise.io/v1alpha1"}
ENTRY = replace(entry(), strategy="evict", node="", owner_api="apps/v1")
STARTING: dict[str, Any] = {"phase": "Pending", "ready": False}


def mine(name: str, owner: Object | None = None, **more: Any) -> Object:
    """A pod of the owner, as old as the old one."""
    return pod(name, owner=owner or OWNER, **more)


def young(
    name: str = "x", owner: Object | None = None, *, heir_of: str = "", **more: Any
) -> Object:
    """A pod that the owner made after the eviction."""
    found = mine(name, owner, **more)
    if heir_of:
        found["metadata"]["labels"][MOVED_FROM_UID] = heir_of
    return found


class Stage:
    """A machine before these pods, with its lock held."""

    def __init__(self, folder: Path, *objects: Object, **how: Any) -> None:
        owner: Object = how.pop("owner", OWNER)
        resume: bool = how.pop("resume", False)
        asked: bool = how.pop("asked", False)
        moved = replace(ENTRY, owner_kind=owner["kind"], owner_api=owner["apiVersion"])
        moved = replace(moved, way=how.pop("wish", ""))
        owners = [] if how.pop("no_owner", False) else [owner]
        self.api = FakeApi(*owners, *objects)
        who = holder(folder)
        lock = held_lock(self.api, who, moved)
        noted: list[str] | None = how.pop("noted", ["other", "third"])
        if noted is not None:
            lock.note_company(f"uid-{name}" for name in noted)
        options = settings(self.api.clock, who, **how)
        self.machine = Evict(self.api, lock, moved, options, owner, resume=resume)
        self.machine.asked = asked

    def step(self) -> Step:
        return self.machine.decide(self.machine.look())

    def act(self, verb: str) -> Step | None:
        return self.machine.act(verb, self.machine.look(), Step(verb))


def case(sentence: str, verb: str, *objects: Object, code: str = "", **how: Any) -> Any:
    return pytest.param(objects, how, verb, code, id=sentence)


GOING = mine("old", terminating=True)
FENCED = mine("old", annotations={EPOCH: "1"})
ENDED = {**JOB, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
FAILED = {**JOB, "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
TABLE = [
    case("O serves: evict", "evict", mine("old"), mine("other")),
    case("O serves, siblings not noted: note them", "note", mine("old"), mine("x")),
    case("O serves, no siblings, not noted: note it", "note", mine("old"), noted=None),
    case("O serves, in a recovery: done", DONE, mine("old"), resume=True, code="RolledBack"),
    case("O fenced, in a recovery: unmark", "unmark", FENCED, resume=True),
    case("O serves, no time: done", DONE, mine("old"), seconds=0, code="Timeout"),
    case("O terminating: wait", WAIT, GOING, asked=True),
    case("O terminating, not to be waited for: done", DONE, GOING, asked=True, wait=False),
    case(
        "O terminating for too long: say so",
        DONE,
        GOING,
        asked=True,
        seconds=0,
        code="TerminationTimeout",
    ),
    case("O gone, not by us: say so", DONE, mine("other"), code="PodGone"),
    case("O gone, no S: wait", WAIT, asked=True),
    case("O gone, no S in time: say so", DONE, asked=True, seconds=0, code="NotReplaced"),
    case("O gone, no S, not to be waited for: done", DONE, asked=True, wait=False),
    case("O gone, S not Ready: wait", WAIT, young(**STARTING), asked=True),
    case(
        "O gone, S not Ready in time: say so",
        "finalize",
        young(**STARTING),
        asked=True,
        seconds=0,
        code="NotReady",
    ),
    case("O gone, S Ready: finalize", "finalize", young(), asked=True),
    case(
        "O gone, S of an unknown owner: finalize",
        "finalize",
        young(owner=UNKNOWN),
        asked=True,
        owner=UNKNOWN,
    ),
    case("O gone, S is the heir of another: wait", WAIT, young(heir_of="uid-another"), asked=True),
    case("O gone, heir: done", DONE, young(heir_of="uid-old"), asked=True),
    case("O gone, S, in a recovery: finalize", "finalize", young(), resume=True),
    case(
        "O gone, never evicted, in a recovery: say so",
        DONE,
        young(),
        noted=None,
        resume=True,
        code="PodGone",
    ),
    case("O gone, its owner too: done", DONE, asked=True, no_owner=True),
    case("O gone, its Job complete: done", DONE, asked=True, owner=ENDED),
    case("O gone, its Job failed: say so", DONE, asked=True, owner=FAILED, code="JobFailed"),
    case(
        "O gone, S of a Job has done its work: finalize",
        "finalize",
        young(owner=JOB, phase="Succeeded"),
        asked=True,
        owner=JOB,
    ),
]


@pytest.mark.parametrize(("objects", "how", "verb", "code"), TABLE)
def test_what_is_seen_decides(
    objects: tuple[Object, ...], how: dict[str, Any], verb: str, code: str, tmp_path: Path
) -> None:
    step = Stage(tmp_path, *objects, **how).step()
    assert step.verb == verb, step
    assert verb == WAIT or step.code == code, step


def test_as_many_must_be_ready_as_before(tmp_path: Path) -> None:
    pods = [mine("other", ready=False), young()]
    stage = Stage(tmp_path, *pods, asked=True)
    stage.machine.before = 2
    assert stage.step().verb == WAIT
    stage.api.put(mine("other"))
    assert stage.step().verb == "finalize"


def test_the_eviction_remembers_how_many_were_ready(tmp_path: Path) -> None:
    pods = [mine("old"), mine("other"), mine("third", ready=False)]
    stage = Stage(tmp_path, *pods)
    stage.act("evict")
    assert stage.machine.before == 2
    assert stage.machine.asked


def test_a_job_whose_pods_come_to_their_end_need_not_have_as_many(tmp_path: Path) -> None:
    stage = Stage(tmp_path, young(owner=JOB), asked=True, owner=JOB)
    stage.machine.before = 3
    assert stage.step().verb == "finalize"


def test_no_more_than_the_owner_wants_must_be_ready(tmp_path: Path) -> None:
    stage = Stage(tmp_path, young(), asked=True, owner=controller(replicas=1))
    stage.machine.before = 2
    assert stage.step().verb == "finalize"


def successor(stage: Stage) -> str:
    """The name of the pod that is taken for it."""
    found = stage.machine.look().new
    return str(found["metadata"]["name"]) if found is not None else ""


def test_a_pod_that_was_there_before_is_no_successor_however_young(tmp_path: Path) -> None:
    stage = Stage(tmp_path, mine("old"), mine("other"), young("young"), noted=None)
    assert successor(stage) == ""
    for verb in ("note", "evict"):
        assert stage.step().verb == verb
        stage.act(verb)
    assert successor(stage) == ""
    stage.api.put(young("x"))
    assert successor(stage) == "x"


def test_a_recovery_tells_them_by_what_was_noted(tmp_path: Path) -> None:
    """Also where a sibling was made in the very second of the lock."""
    stage = Stage(tmp_path, mine("y"), young("x"), noted=["y"], resume=True)
    assert successor(stage) == "x"
    assert len(stage.machine.look().siblings) == 2


def test_a_recovery_does_not_wait_for_ever_for_a_successor(tmp_path: Path) -> None:
    stage = Stage(tmp_path, resume=True)
    assert stage.step().verb == WAIT
    stage.api.clock.sleep(31)
    assert stage.step() == Step(DONE)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("it would violate the budget", "PdbBlocked"),
        ("Eviction Triggered Evacuation", "EvacuationTriggered"),
    ],
)
def test_an_answer_that_is_not_a_yes_is_waited_for_and_told_at_the_deadline(
    message: str, code: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, mine("old"), seconds=60)
    stage.api.before("create", "pods/eviction", TooManyRequests(429, "TooManyRequests", message))
    waiting = stage.act("evict")
    assert waiting is not None
    assert (waiting.verb, waiting.code) == (WAIT, code)
    again = stage.step()
    assert again.verb == ("evict" if code == "PdbBlocked" else WAIT)
    stage.api.clock.sleep(61)
    assert (stage.step().verb, stage.step().code) == (DONE, code)
    assert stage.machine.disrupted is False


def test_the_budget_is_named(tmp_path: Path) -> None:
    stage = Stage(tmp_path, mine("old"))
    body = {"details": {"causes": [{"message": "The disruption budget web needs 1"}]}}
    err = TooManyRequests(429, "TooManyRequests", "Cannot evict pod", body=body)
    stage.api.before("create", "pods/eviction", err)
    waiting = stage.act("evict")
    assert waiting is not None
    assert waiting.kind is PDB
    assert "disruption budget web" in waiting.why


@pytest.mark.parametrize(("wish", "warned"), [("c", True), ("a", False), ("", False)])
def test_the_successor_is_noted_and_a_wish_that_was_not_met_is_told(
    wish: str, warned: bool, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, young(), asked=True, wish=wish)
    stage.act("finalize")
    found = stage.api.get(POD, "x", NS)["metadata"]
    assert found["labels"][MOVED_FROM_UID] == "uid-old"
    assert found["annotations"][MOVED_FROM_NAME] == '["old"]'
    assert bool(stage.machine.warnings) is warned


def test_a_soft_stop_comes_too_late_after_the_eviction(tmp_path: Path) -> None:
    before = Stage(tmp_path, mine("old"))
    before.machine.stop()
    assert (before.step().verb, before.step().code) == (DONE, "Cancelled")
    after = Stage(tmp_path, young(), asked=True)
    after.machine.stop()
    assert after.step().verb == "finalize"


def plan(job: Object, folder: Path) -> Entry:
    """What the plan makes of the eviction of a Job's pod."""
    moved = replace(ENTRY, owner_kind="Job", owner_api="batch/v1")
    api = FakeApi()
    options = settings(api.clock, holder(folder))
    return prepare_evict(api, Order(NS, "old", "b"), options, moved, pod("old"), job)


IGNORED = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
COUNTED = {"rules": [{"action": "Count", "onPodConditions": [{"type": "DisruptionTarget"}]}]}


@pytest.mark.parametrize(
    ("spec", "failed", "survives"),
    [
        ({}, 0, True),
        ({}, 5, True),
        ({}, 6, False),
        ({"backoffLimit": 0}, 0, False),
        ({"backoffLimit": 1}, 0, True),
        ({"backoffLimit": 0, "podFailurePolicy": IGNORED}, 0, True),
        ({"backoffLimit": 0, "podFailurePolicy": COUNTED}, 0, False),
        ({"backoffLimit": 0, "backoffLimitPerIndex": 1}, 0, True),
    ],
)
def test_a_job_must_survive_one_more_failure(
    spec: Object, failed: int, survives: bool, tmp_path: Path
) -> None:
    job = {"kind": "Job", "spec": spec, "status": {"failed": failed}}
    if survives:
        assert (plan(job, tmp_path).node, plan(job, tmp_path).way) == ("", "b")
        return
    with pytest.raises(PlacementError) as caught:
        plan(job, tmp_path)
    assert caught.value.code == "JobWouldFail"


def test_an_eviction_that_does_not_show_yet_is_not_asked_for_again(tmp_path: Path) -> None:
    """Caches are a little behind."""
    stage = Stage(tmp_path, mine("old"))
    stage.machine.granted = True
    assert stage.step().verb == WAIT


def test_one_pod_of_a_workload_goes_at_a_time(tmp_path: Path) -> None:
    """With a budget or without: until its successor serves, the others wait."""
    stage = Stage(tmp_path, mine("old"), mine("other"))
    stage.machine.lock.turn = "another"
    assert stage.step().verb == WAIT
    stage.machine.lock.turn = ""
    stage.act("evict")
    assert stage.machine.lock.turn == ENTRY.id
    stage.api.put(young())
    stage.act("finalize")
    assert stage.machine.lock.turn == ""
