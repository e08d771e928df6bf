# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an adoption does when the Deployment above changes, and when time passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import (
    DONE,
    WAIT,
    Step,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.swap import (
    ADOPTION_SECONDS,
    MAX_TRIES,
)
from tests.unit.moves.adopt_stage import Stage, changed, new, old, other
from tests.unit.moves.objects import (
    Object,
    controller,
    deployment,
    entry,
)

# ---- the Deployment above

ABOVE = deployment()
UNDER = controller(above=ABOVE)
OF_DEPLOYMENT = entry(deployment="web", revision="1", detach_key="pod-template-hash")


@pytest.mark.parametrize(
    ("above", "owner", "code"),
    [
        pytest.param(ABOVE, UNDER, "", id="as it was: go on"),
        pytest.param(None, UNDER, "OwnerGone", id="gone"),
        pytest.param(changed(ABOVE, uid="uid-2"), UNDER, "OwnerGone", id="another of that name"),
        pytest.param(
            changed(ABOVE, annotations={"deployment.kubernetes.io/revision": "2"}),
            UNDER,
            "RolloutInProgress",
            id="another revision",
        ),
        pytest.param(
            ABOVE,
            changed(UNDER, ownerReferences=[]),
            "OwnerGone",
            id="no longer the owner of this ReplicaSet",
        ),
        pytest.param(
            {**ABOVE, "spec": {**ABOVE["spec"], "paused": True}}, UNDER, "", id="paused: go on"
        ),
    ],
)
def test_the_deployment_above_is_guarded_too(
    above: Object | None, owner: Object, code: str, tmp_path: Path
) -> None:
    objects = [old(owner=UNDER), other(owner=UNDER), *([above] if above else [])]
    stage = Stage(tmp_path, *objects, owner=owner, moved=OF_DEPLOYMENT)
    step = stage.step()
    assert (step.verb, step.code) == (DONE if code else "create", code)
    starting = new(ready=False)
    starting["metadata"]["labels"]["tier"] = "front"
    waiting = Stage(tmp_path, starting, *objects, owner=owner, moved=OF_DEPLOYMENT)
    step = waiting.step()
    assert (step.verb, step.code) == ("roll_back" if code else WAIT, code or "NotReady")


# ---- time


def test_nobody_adopts_it_for_a_minute_undo(tmp_path: Path) -> None:
    stage = Stage(tmp_path, new(labelled=True), old(marked=True), other())
    assert stage.step().limit == ADOPTION_SECONDS
    stage.api.clock.sleep(ADOPTION_SECONDS)
    step = stage.step()
    assert (step.verb, step.code) == ("undo", "ControllerNotResponding")


def test_a_controller_that_adopts_and_then_stops_is_an_error(tmp_path: Path) -> None:
    stage = Stage(tmp_path, new(adopted=True), old(marked=True), other(), seconds=0)
    assert stage.step().verb == WAIT
    stage.api.clock.sleep(ADOPTION_SECONDS + 1)
    with pytest.raises(PlacementError, match="does not delete the old pod") as caught:
        stage.step()
    assert caught.value.code == "ControllerNotResponding"


def test_a_replacement_that_lingers_is_waited_for_on_the_way_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path, new(terminating=True), old(), other(), resume=True)
    assert stage.step().verb == WAIT
    stage.api.clock.sleep(31)
    assert stage.step().verb == DONE
    hasty = Stage(tmp_path, new(terminating=True), old(), other(), resume=True, wait=False)
    assert hasty.step().verb == DONE


def test_after_so_many_thefts_it_is_given_up(tmp_path: Path) -> None:
    stage = Stage(tmp_path, old(marked=True), other())
    stage.machine.tries = MAX_TRIES
    assert stage.step().verb == "unmark"
    stage.machine.act("unmark", stage.machine.look(), Step("unmark"))
    step = stage.step()
    assert (step.verb, step.code) == (DONE, "VictimMismatch")


def test_a_wish_that_is_never_followed_is_given_up(tmp_path: Path) -> None:
    stage = Stage(tmp_path, new(on="z"), old(), other())
    stage.machine.tries = MAX_TRIES - 1
    step = stage.step()
    assert (step.verb, step.code) == ("roll_back", "WrongNode")


def test_without_a_cache_one_pod_of_a_workload_is_marked_at_a_time(tmp_path: Path) -> None:
    """The next is marked when the controller has the one before; see test_together for more."""
    stage = Stage(tmp_path, new(), old(), other())
    lock, moved = stage.machine.lock, stage.machine.entry
    lock.line["another"] = stage.machine
    assert (stage.step().verb, stage.step().code) == (WAIT, "WorkloadNotReady")
    del lock.line["another"]
    lock.turn = "another"
    assert (stage.step().verb, stage.step().code) == (WAIT, "WorkloadNotReady")
    lock.turn = ""
    assert stage.step().verb == "mark"
    stage.machine.act("mark", stage.machine.look(), Step("mark"))
    assert stage.step().verb == "hand_over", "its own turn"
    assert list(lock.line) == [moved.id]
    stage.api.put(new(labelled=True))
    stage.step()
    assert lock.line == {}
