# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A move says when its controller deleted another pod than the old one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.results import moved_item
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import Step
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.unit.moves.adopt_stage import OWNER, Stage, new, old, other
from tests.unit.moves.objects import NS, Object, controller, entry

FAILED = {"phase": "Failed", "ready": False}


def handed_over(
    folder: Path, *, adopted: Object, owner: Object | None = None, lost: str = ""
) -> Stage:
    """A swap after its last look: the controller has the new pod; one may be lost since."""
    stage = Stage(folder, new(), old(marked=True), other())
    step = stage.step()
    assert step.verb == "hand_over"
    stage.machine.act("hand_over", stage.machine.look(), step)
    if lost:
        stage.api.remove(POD, lost, NS)
    for obj in (owner or OWNER, adopted):
        stage.api.put(obj)
    return stage


@pytest.mark.parametrize(
    ("lost", "replacement", "owner", "mismatch"),
    [
        pytest.param("other", new(adopted=True), OWNER, True, id="a pod beside it went"),
        pytest.param("", new(adopted=True, **FAILED), OWNER, True, id="the replacement failed"),
        pytest.param(
            "", new(adopted=True), controller(replicas=3), False, id="scaled up: nobody went"
        ),
    ],
)
def test_a_pod_that_was_spared(
    lost: str, replacement: Object, owner: Object, mismatch: bool, tmp_path: Path
) -> None:
    stage = handed_over(tmp_path, adopted=replacement, owner=owner, lost=lost)
    step = stage.step()
    assert step.verb == "spare"
    stage.machine.act("spare", stage.machine.look(), step)
    assert moved_item(entry(), NS, stage.machine)["victim_mismatch"] is mismatch


def test_a_replacement_that_the_controller_deleted_again(tmp_path: Path) -> None:
    stage = handed_over(tmp_path, adopted=new(adopted=True))
    stage.api.remove(POD, "new", NS)
    assert stage.step().verb == "create"
    assert stage.machine.mismatch


def test_a_replacement_that_this_run_deleted_itself(tmp_path: Path) -> None:
    stage = handed_over(tmp_path, adopted=new(labelled=True))
    stage.machine.act("retry", stage.machine.look(), Step("retry"))
    stage.step()
    assert not stage.machine.mismatch


def test_a_swap_that_hit_the_old_pod(tmp_path: Path) -> None:
    stage = handed_over(tmp_path, adopted=new(adopted=True), lost="old")
    assert stage.step().verb == "finalize"
    assert moved_item(entry(), NS, stage.machine)["victim_mismatch"] is False
    assert moved_item(entry(), NS)["victim_mismatch"] is False
