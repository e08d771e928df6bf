# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of a recreation write; and that S outlives everything that needs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Conflict,
    Forbidden,
    Invalid,
    PlacementError,
    TooManyRequests,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.journal import decode
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    EPOCH,
    MOVE,
    MOVE_ID,
    MOVED_FROM_UID,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.recreate import saved_moves
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import DONE, Step
from ansible_collections.podplacement.core.plugins.module_utils.resources import LEASE, POD, SECRET
from tests.unit.moves.objects import IMAGE, NS, Object, entry, node
from tests.unit.moves.recreate_stage import BACK, FORWARD, REFUSED, Stage, foreign, new, old

QUOTA = Forbidden(403, "Forbidden", "exceeded quota: pods")


class CutShortError(Exception):
    """Something that ends the run right there."""


def the_pod(stage: Stage) -> Any:
    return stage.api.get(POD, "old", NS)


def test_the_journal_has_everything_and_no_owner(tmp_path: Path) -> None:
    """Whoever deletes the Lease must not delete the last copy of a pod with it."""
    stage = Stage(tmp_path, old(labels={"app": "db"}))
    stage.act("save")
    (secret,) = stage.secrets()
    assert "ownerReferences" not in secret["metadata"]
    assert secret["metadata"]["labels"] == {MOVE: "true"}
    manifest = json.loads(stage.manifest_text())
    assert manifest["metadata"]["uid"] == "uid-old"
    assert manifest["metadata"]["labels"] == {"app": "db"}
    assert manifest["spec"]["containers"][0]["image"] == IMAGE
    assert saved_moves(secret) == [FORWARD]


def test_a_journal_that_is_out_of_date_is_written_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, old(labels={"app": "new"}), saved=True)
    stage.act("save")
    assert json.loads(stage.manifest_text())["metadata"]["labels"] == {"app": "new"}
    scene = stage.machine.look()
    stage.api.change(SECRET, stage.lock.name, NS, {"metadata": {"labels": {"x": "y"}}})
    with pytest.raises(Conflict):
        stage.machine.act("save", scene, Step("save"))


def test_the_new_pod_has_the_old_ones_name_and_is_pinned(tmp_path: Path) -> None:
    stage = Stage(tmp_path, saved=True)
    stage.act("create")
    made = the_pod(stage)
    assert made["metadata"]["labels"] == {
        "app": "web",
        MOVED_FROM_UID: "uid-old",
        MOVE_ID: FORWARD.id,
    }
    assert "nodeAffinity" in made["spec"]["affinity"]
    assert "ownerReferences" not in made["metadata"]


@pytest.mark.parametrize(
    ("nodes", "where"), [("ab", "a"), ("b", None)], ids=["its node is there", "its node is gone"]
)
def test_on_the_way_back_it_goes_where_it_was(
    nodes: str, where: str | None, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, saved=True, move=BACK, nodes=nodes)
    stage.act("create")
    made = the_pod(stage)
    assert made["spec"].get("nodeName") == where
    assert "affinity" not in made["spec"]
    assert made["metadata"]["labels"][MOVE_ID] == BACK.id


def test_its_own_scheduler_is_restored(tmp_path: Path) -> None:
    there = entry("recreate", target="", scheduler="by-hand")
    stage = Stage(tmp_path, saved=True, move=there)
    stage.act("create")
    assert the_pod(stage)["spec"]["schedulerName"] == "by-hand"
    back = Stage(tmp_path, saved=True, move=there.going_back("x|y"), nodes="b")
    back.act("create")
    assert the_pod(back)["spec"]["schedulerName"] == "default-scheduler"


def test_a_node_that_is_not_ready_does_not_get_it_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path, node("a", ready=False), saved=True, move=BACK, nodes="")
    stage.act("create")
    assert "nodeName" not in the_pod(stage)["spec"]


def test_a_node_that_refuses_it_the_second_time_is_not_asked_again(tmp_path: Path) -> None:
    """Somebody took its room: rather anywhere than nowhere."""
    stage = Stage(tmp_path, new(BACK, on="a", **REFUSED), saved=True, move=BACK)
    assert stage.step().verb == "turn_back"
    stage.act("turn_back")
    assert stage.step().verb == "create"
    stage.act("create")
    assert "nodeName" not in the_pod(stage)["spec"]
    assert len(stage.secrets()) == 1


@pytest.mark.parametrize(
    ("error", "code"), [(QUOTA, "QuotaExceeded"), (Invalid(422, "Invalid", "no"), "Invalid")]
)
def test_a_create_that_is_refused_turns_back_and_then_tells(
    error: Any, code: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, saved=True)
    stage.api.before("create", "pods", error)
    stage.act("create")
    assert decode(stage.lock.held())[0].restoring.startswith(f"{code}|")
    assert stage.machine.entry.id == BACK.id
    stage.api.before("create", "pods", error)
    with pytest.raises(PlacementError) as caught:
        stage.act("create")
    assert (caught.value.code, caught.value.step) == (code, "restore")
    assert len(stage.secrets()) == 1


def test_the_journal_says_back_before_the_new_pod_goes(tmp_path: Path) -> None:
    stage = Stage(tmp_path, new(ready=False), saved=True)
    stage.api.before("delete", "pods", CutShortError())
    with pytest.raises(CutShortError):
        stage.act("turn_back", Step("turn_back", "too slow", "NotReady"))
    (lease,) = stage.api.list(LEASE, NS)[0]
    assert decode(lease) == [BACK]


def test_there_and_back_and_it_is_told_why(tmp_path: Path) -> None:
    stage = Stage(tmp_path, new(ready=False), saved=True)
    stage.act("turn_back", Step("turn_back", "too slow", "NotReady"))
    stage.act("create")
    stage.api.change(POD, "old", NS, {"status": new()["status"]})
    for verb in ("finalize", "forget"):
        assert stage.step().verb == verb
        stage.act(verb)
    assert stage.step() == Step(DONE, "too slow", "NotReady")
    assert the_pod(stage)["metadata"]["labels"] == {"app": "web", MOVED_FROM_UID: "uid-old"}


def test_finalize_takes_id_and_fence_off(tmp_path: Path) -> None:
    stage = Stage(tmp_path, new(annotations={EPOCH: "1", "note": "kept"}))
    stage.act("finalize")
    assert the_pod(stage)["metadata"]["annotations"] == {"note": "kept"}


@pytest.mark.parametrize(("seconds", "failed"), [(300, False), (0, True)])
def test_a_budget_that_says_no_until_the_deadline(
    seconds: float, failed: bool, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, old(), saved=True, seconds=seconds)
    stage.api.before("create", "pods/eviction", TooManyRequests(429, "", "the budget"))
    stage.act("evict")
    step = stage.step()
    assert (step.verb == "forget") == failed
    if failed:
        assert stage.machine.failure == Step(DONE, "the budget", "PdbBlocked")


def test_the_grace_period_is_the_tasks(tmp_path: Path) -> None:
    stage = Stage(tmp_path, old(), saved=True, terminate_grace_period=7)
    stage.act("evict")
    assert stage.api.list(POD, NS)[0] == []


# ---- the lock is lost


def abandoned(folder: Path, *objects: Object, **how: Any) -> Stage:
    """S was written under our lock; then somebody took it, or deleted the Lease."""
    stage = Stage(folder, *objects, saved=True, **how)
    stage.api.remove(LEASE, stage.lock.name, NS)
    stage.machine.abandon()
    return stage


@pytest.mark.parametrize("who", [old(), new(), new(final=True)])
def test_a_journal_that_came_too_late_is_taken_back(who: Object, tmp_path: Path) -> None:
    assert abandoned(tmp_path, who).secrets() == []


@pytest.mark.parametrize(
    "objects",
    [
        pytest.param((), id="no pod"),
        pytest.param((old(terminating=True),), id="O stops"),
        pytest.param((new(terminating=True),), id="N stops"),
        pytest.param((foreign(),), id="another pod of that name"),
    ],
)
def test_a_journal_that_may_be_all_there_is_of_the_pod_stays(
    objects: tuple[Object, ...], tmp_path: Path
) -> None:
    """Somebody deleted the Lease by hand in the middle of the move."""
    assert len(abandoned(tmp_path, *objects).secrets()) == 1


def test_while_another_holds_the_lock_its_journal_is_left_alone(tmp_path: Path) -> None:
    stage = Stage(tmp_path, old(), saved=True)
    stage.machine.abandon()
    assert len(stage.secrets()) == 1


def test_a_journal_that_another_lock_adopted_is_left_alone(tmp_path: Path) -> None:
    stage = Stage(tmp_path, old())
    stage.save(lease="uid-of-theirs")
    stage.api.remove(LEASE, stage.lock.name, NS)
    stage.machine.abandon()
    assert len(stage.secrets()) == 1


# ---- reading S


@pytest.mark.parametrize("data", [{"moves.json": "/w=="}, {"moves.json": "e30="}])
def test_a_secret_that_cannot_be_read_is_an_error_that_says_which(data: Any) -> None:
    secret = {"metadata": {"name": "podmove-x", "namespace": NS}, "data": data}
    with pytest.raises(PlacementError) as caught:
        saved_moves(secret)
    assert caught.value.code == "JournalUnreadable"
    assert caught.value.object == f"Secret {NS}/podmove-x"


@pytest.mark.parametrize("data", [None, {}, {"other": "eA=="}])
def test_a_secret_without_moves_has_none(data: Any) -> None:
    assert saved_moves({"metadata": {"name": "x"}, "data": data}) == []
