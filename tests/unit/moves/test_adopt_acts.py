# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of an adoption write, and what they make of a refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.adopt import Adopt
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    DELETION_COST,
    EPOCH,
    GOES_FIRST,
    GOES_LAST,
    MOVE_ID,
    MOVED_FROM_NAME,
    MOVED_FROM_UID,
    replacement_name,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import DONE, Step
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import (
    NS,
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
FIRST = replacement_name("web-5d4f", entry().id, 0)
SECOND = replacement_name("web-5d4f", entry().id, 1)


def replacement(name: str = FIRST, **labels: str) -> Object:
    found = {"app": "web", MOVED_FROM_UID: "uid-old", MOVE_ID: entry().id, **labels}
    return pod(name, on="b", labels=found)


def machine(folder: Path, *objects: Object, cost: str | None = None) -> Adopt:
    annotations = {DELETION_COST: cost} if cost is not None else {}
    old = pod("old", owner=OWNER, annotations=annotations)
    api = FakeApi(node("b"), OWNER, old, pod("other", owner=OWNER), *objects)
    who = holder(folder)
    moved = entry(cost=cost)
    return Adopt(api, held_lock(api, who, moved), moved, settings(api.clock, who), OWNER)


def act(moving: Adopt, verb: str, step: Step | None = None) -> None:
    moving.act(verb, moving.look(), step or Step(verb))


def found(moving: Adopt, name: str) -> Any:
    return moving.api.get(POD, name, NS)["metadata"]


def test_the_replacement_is_tied_to_the_lease_and_hidden_from_its_controller(
    tmp_path: Path,
) -> None:
    moving = machine(tmp_path)
    act(moving, "create")
    made = found(moving, FIRST)
    assert made["ownerReferences"] == [moving.lock.owner_reference()]
    assert made["labels"] == {"app": "web", MOVED_FROM_UID: "uid-old", MOVE_ID: entry().id}
    assert json.loads(made["annotations"][MOVED_FROM_NAME]) == ["old"]


@pytest.mark.parametrize(
    ("taken", "made"),
    [
        pytest.param(replacement(), [FIRST], id="an earlier try of this move: that is it"),
        pytest.param(pod(FIRST), [FIRST, SECOND], id="somebody else's: the next name"),
        pytest.param(pod(FIRST, terminating=True), [FIRST, SECOND], id="one that still stops"),
    ],
)
def test_a_name_that_is_taken(taken: Object, made: list[str], tmp_path: Path) -> None:
    moving = machine(tmp_path, taken)
    act(moving, "create")
    if SECOND in made:
        act(moving, "create")
    names = {p["metadata"]["name"] for p in moving.api.list(POD, NS)[0]}
    assert names == {"old", "other", *made}


def test_a_name_that_is_free_again_when_we_look_is_left_alone(tmp_path: Path) -> None:
    moving = machine(tmp_path)
    assert isinstance(moving.api, FakeApi)
    moving.api.before("create", "pods", AlreadyExists(409, "AlreadyExists", "taken"))
    act(moving, "create")
    act(moving, "create")
    assert found(moving, SECOND)["labels"][MOVE_ID] == entry().id


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Forbidden(403, "Forbidden", "exceeded quota: pods"), "QuotaExceeded"),
        (Forbidden(403, "Forbidden", "no", request="pods create"), "RbacDenied: pods create"),
        (Invalid(422, "Invalid", "spec.x"), "Invalid"),
    ],
)
def test_a_create_that_is_refused_is_the_way_back(
    error: ApiError, code: str, tmp_path: Path
) -> None:
    moving = machine(tmp_path)
    assert isinstance(moving.api, FakeApi)
    moving.api.before("create", "pods", error)
    act(moving, "create")
    step = moving.decide(moving.look())
    assert (step.verb, step.code) == (DONE, code)


@pytest.mark.parametrize("cost", [None, "7", "0"])
def test_the_mark_and_its_removal(cost: str | None, tmp_path: Path) -> None:
    moving = machine(tmp_path, cost=cost)
    act(moving, "mark")
    assert found(moving, "old")["annotations"][DELETION_COST] == GOES_FIRST
    moving.api.patch(POD, "old", {"metadata": {"annotations": {EPOCH: "1"}}}, NS)
    act(moving, "unmark")
    assert found(moving, "old")["annotations"] == ({} if cost is None else {DELETION_COST: cost})


def test_a_cost_that_its_user_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    moving = machine(tmp_path)
    moving.api.patch(POD, "old", {"metadata": {"annotations": {DELETION_COST: "9"}}}, NS)
    act(moving, "unmark")
    assert found(moving, "old")["annotations"] == {DELETION_COST: "9"}


def test_hand_over_is_one_write(tmp_path: Path) -> None:
    tied = replacement()
    tied["metadata"]["ownerReferences"] = [{"kind": "Lease", "name": "l", "uid": "u"}]
    moving = machine(tmp_path, tied)
    act(moving, "hand_over")
    now = found(moving, FIRST)
    assert now["labels"]["tier"] == "front"
    assert now["annotations"] == {DELETION_COST: GOES_LAST}
    assert "ownerReferences" not in now


def test_undo_takes_the_hand_over_back(tmp_path: Path) -> None:
    moving = machine(tmp_path, replacement(tier="front"))
    act(moving, "undo", Step("undo", "nobody came", "ControllerNotResponding"))
    now = found(moving, FIRST)
    assert "tier" not in now["labels"]
    assert now["ownerReferences"] == [moving.lock.owner_reference()]
    step = moving.decide(moving.look())
    assert (step.verb, step.code) == ("roll_back", "ControllerNotResponding")


@pytest.mark.parametrize("cost", [None, "7"])
def test_the_heir_is_an_ordinary_pod_with_the_old_ones_cost(
    cost: str | None, tmp_path: Path
) -> None:
    moving = machine(tmp_path, replacement(tier="front"), cost=cost)
    moving.api.patch(POD, FIRST, {"metadata": {"annotations": {EPOCH: "1"}}}, NS)
    act(moving, "finalize")
    now = found(moving, FIRST)
    assert now["labels"] == {"app": "web", "tier": "front", MOVED_FROM_UID: "uid-old"}
    assert now["annotations"] == ({} if cost is None else {DELETION_COST: cost})


def test_a_theft_is_reported_and_counted(tmp_path: Path) -> None:
    moving = machine(tmp_path, replacement(tier="front"))
    act(moving, "spare")
    assert MOVE_ID not in found(moving, FIRST)["labels"]
    assert (moving.tries, moving.attempt) == (1, 1)
    assert "another pod" in moving.warnings[0]


@pytest.mark.parametrize("verb", ["roll_back", "retry"])
def test_a_replacement_goes_only_as_it_was_seen(verb: str, tmp_path: Path) -> None:
    """A frozen run must not delete what another made good in the meantime."""
    moving = machine(tmp_path, replacement())
    scene = moving.look()
    moving.api.patch(POD, FIRST, {"metadata": {"annotations": {EPOCH: "1"}}}, NS)
    with pytest.raises(Conflict):
        moving.act(verb, scene, Step(verb))
    act(moving, verb)
    assert {p["metadata"]["name"] for p in moving.api.list(POD, NS)[0]} == {"old", "other"}
