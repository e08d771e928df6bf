# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the table at the head of moves/recreate.py: what is seen, what is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import EPOCH
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import DONE, WAIT, Step
from tests.unit.moves.objects import Object
from tests.unit.moves.recreate_stage import BACK, FAILED, FORWARD, REFUSED, Stage, foreign, new, old


def case(sentence: str, verb: str, *objects: Object, code: str = "", **how: Any) -> Any:
    return pytest.param(objects, how, verb, code, id=sentence)


TABLE = [
    case("O serves, no S: save S", "save", old()),
    case("O serves, S is O's manifest: evict O", "evict", old(), saved=True),
    case(
        "O serves, S is O's manifest as it was: save S",
        "save",
        old(annotations={"note": "new"}),
        saved=True,
    ),
    case(
        "O serves, S saved, no time: forget S",
        "forget",
        old(),
        saved=True,
        seconds=0,
    ),
    case("O serves, no S, in a recovery: done", DONE, old(), resume=True, code="RolledBack"),
    case("O serves, S, in a recovery: forget S", "forget", old(), saved=True, resume=True),
    case(
        "O serves, fenced, in a recovery: take the fence off",
        "unmark",
        old(annotations={EPOCH: "1"}),
        resume=True,
    ),
    case("O terminating: wait until it is gone", WAIT, old(terminating=True), saved=True),
    case(
        "O terminating, in a recovery: wait until it is gone",
        WAIT,
        old(terminating=True),
        saved=True,
        resume=True,
    ),
    case("no pod, no S: done, gone", DONE, code="PodGone"),
    case("no pod, S: create N", "create", saved=True),
    case("no pod, S, in a recovery: create N", "create", saved=True, resume=True),
    case("no pod, S, on the way back: create N", "create", saved=True, move=BACK),
    case(
        "N failed: turn back",
        "turn_back",
        new(**FAILED),
        saved=True,
        code="KubeletRefused: Failed",
    ),
    case(
        "N's target gone: turn back", "turn_back", new(ready=False), nodes="a", code="NodeNotFound"
    ),
    case("N on another node: turn back", "turn_back", new(on="z"), code="WrongNode"),
    case("N late: turn back", "turn_back", new(ready=False), seconds=0, code="NotReady"),
    case("N not Ready: wait", WAIT, new(ready=False), saved=True),
    case("N soaks: wait", WAIT, new(), saved=True, soak=5.0),
    case("N Ready: finalize N", "finalize", new(), saved=True),
    case("N Ready, in a recovery: finalize N", "finalize", new(), saved=True, resume=True),
    case("N has done its work: finalize N", "finalize", new(phase="Succeeded"), saved=True),
    case("N final, S: delete S", "forget", new(final=True), saved=True),
    case("N final, no S: done, moved", DONE, new(final=True)),
    case("N terminating: wait until it is gone", WAIT, new(terminating=True), saved=True),
    case("on the way back, N of the way there: turn back", "turn_back", new(), move=BACK),
    case("on the way back, N not Ready: wait", WAIT, new(BACK, ready=False), move=BACK),
    case("on the way back, N Ready: finalize N", "finalize", new(BACK), move=BACK),
    case(
        "on the way back, N refused where it was: once more, where the scheduler likes",
        "turn_back",
        new(BACK, on="a", **REFUSED),
        move=BACK,
        code="KubeletRefused: OutOfcpu",
    ),
    case(
        "on the way back, N failed by itself: wait",
        WAIT,
        new(BACK, on="a", **FAILED),
        move=BACK,
        code="",
    ),
    case(
        "on the way back, N final: done, restored",
        DONE,
        new(BACK, final=True),
        move=BACK,
        code="NotReady",
    ),
]


@pytest.mark.parametrize(("objects", "how", "verb", "code"), TABLE)
def test_what_is_seen_is_what_is_done(
    objects: tuple[Object, ...], how: dict[str, Any], verb: str, code: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, *objects, **how)
    step = stage.step()
    assert (step.verb, step.code) == (verb, code), step.why


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize("resume", [True, False])
def test_another_pod_of_that_name_is_for_a_person_to_judge(
    saved: bool, resume: bool, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, foreign(), saved=saved, resume=resume)
    with pytest.raises(PlacementError) as caught:
        stage.step()
    assert caught.value.code == "NameTaken"
    assert caught.value.changed
    assert stage.lock.name in caught.value.hint
    assert len(stage.secrets()) == saved


@pytest.mark.parametrize("who", [old(terminating=True), new(terminating=True)])
def test_a_pod_that_does_not_end_in_time_is_an_error_and_nothing_is_lost(
    who: Object, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, who, saved=True, seconds=0)
    with pytest.raises(PlacementError) as caught:
        stage.step()
    assert caught.value.code == "TerminationTimeout"
    assert stage.lock.name in caught.value.hint
    assert len(stage.secrets()) == 1


def test_the_way_back_has_time_of_its_own(tmp_path: Path) -> None:
    """The task's time is often used up when it begins; in the end N stays, Ready or not."""
    stage = Stage(tmp_path, new(BACK, ready=False), move=BACK, seconds=0)
    assert stage.step().verb == WAIT
    stage.api.clock.sleep(121)
    assert stage.step().verb == "finalize"


def test_a_failure_before_the_eviction_leaves_no_trace(tmp_path: Path) -> None:
    stage = Stage(tmp_path, old(annotations={EPOCH: "1"}), saved=True)
    stage.machine.failure = Step(DONE, "because", "Code")
    for verb in ("forget", "unmark"):
        assert stage.step().verb == verb
        stage.act(verb)
    assert stage.step() == Step(DONE, "because", "Code")
    assert stage.secrets() == []


def test_without_time_nothing_is_begun(tmp_path: Path) -> None:
    stage = Stage(tmp_path, old(), saved=True, seconds=0)
    assert stage.step().verb == "forget"
    stage.act("forget")
    step = stage.step()
    assert (step.verb, step.code) == (DONE, "Timeout")


def test_a_secret_of_another_lock_is_not_this_runs_journal(tmp_path: Path) -> None:
    stage = Stage(tmp_path, old())
    stage.save(lease="uid-of-a-lease-that-is-gone")
    assert stage.step().verb == "save"
    stage.act("save")
    assert stage.step().verb == "evict"
    assert len(stage.secrets()) == 1


def test_ids_of_there_and_back_differ() -> None:
    """The pod that failed on the target must not pass for the restored one."""
    assert FORWARD.id != BACK.id
