# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the table at the head of moves/shadow.py: what is seen, what is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import (
    WAIT,
    Step,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.swap import (
    ADOPTION_SECONDS,
    LEAVING_SECONDS,
)
from tests.unit.moves.adopt_stage import case, old, other
from tests.unit.moves.objects import Object
from tests.unit.moves.shadow_stage import Stage, new, temporary
from tests.unit.moves.swap_rows import assert_decides, shared

FAILED: dict[str, Any] = {"phase": "Failed", "ready": False}
QUOTA = 'pods "web-" is forbidden: exceeded quota: pods'
TABLE = [
    *shared(new, "loose", temporary()),
    case(
        "S without a pod, refused: roll back",
        "roll_back",
        temporary(refused=QUOTA),
        old(),
        other(),
        code="QuotaExceeded",
    ),
    case("S without a pod: wait", WAIT, temporary(), old(), other()),
    case(
        "S without a pod at the deadline: roll back",
        "roll_back",
        temporary(),
        old(),
        other(),
        seconds=0,
        code="Timeout",
    ),
    case(
        "S without a pod, in a recovery: roll back",
        "roll_back",
        temporary(),
        old(),
        other(),
        resume=True,
        code="RolledBack",
    ),
    case("S without a pod, O gone: roll back", "roll_back", temporary(), other(), code="PodGone"),
    case(
        "S without a pod, owner gone: roll back",
        "roll_back",
        temporary(),
        old(),
        owner=None,
        code="OwnerGone",
    ),
    case("S goes, without a pod: wait", WAIT, temporary(going=True), old(), other()),
    case("R held by S, failed: halt", "halt", temporary(), new(**FAILED), old(), other()),
    case(
        "R held by S, failed, and another one came: halt",
        "halt",
        temporary(),
        new(),
        new(name="failed", **FAILED),
        old(),
        other(),
    ),
    case(
        "R held by S, failed, S halted: roll back",
        "roll_back",
        temporary(replicas=0),
        new(**FAILED),
        old(),
        other(),
        code="KubeletRefused: Failed",
    ),
    case(
        "R held by S that goes: wait for adoption",
        WAIT,
        temporary(going=True),
        new(),
        old(marked=True),
        other(),
    ),
    case("R loose, failed: try again", "retry", new(loose=True, **FAILED), old(), other()),
    case("R of an S that is gone: wait for the garbage collector", WAIT, new(), old(), other()),
    case(
        "R adopted, S goes: wait until it is gone",
        WAIT,
        temporary(going=True),
        new(adopted=True),
        other(),
    ),
    case(
        "R adopted, S there to stay: delete S",
        "dismiss",
        temporary(),
        new(adopted=True),
        new(name="more"),
        other(),
    ),
    case(
        "R adopted, and a failed one is loose: finalize",
        "finalize",
        new(adopted=True),
        new(name="failed", loose=True, **FAILED),
        other(),
    ),
    case(
        "R finished, and a failed one is loose: delete that",
        "retry",
        new(finished=True),
        new(name="failed", loose=True, **FAILED),
        other(),
    ),
]


@pytest.mark.parametrize(("objects", "how", "verb", "code"), TABLE)
def test_what_is_seen_is_what_is_done(
    objects: tuple[Object, ...], how: dict[str, Any], verb: str, code: str, tmp_path: Path
) -> None:
    assert_decides(Stage(tmp_path, *objects, **how), verb, code)


@pytest.mark.parametrize(
    ("objects", "seconds", "verb", "code"),
    [
        pytest.param(
            [temporary(), old(), other()],
            ADOPTION_SECONDS,
            "roll_back",
            "ControllerNotResponding",
            id="nobody makes the pod",
        ),
        pytest.param(
            [temporary(going=True), new(), old(), other()],
            ADOPTION_SECONDS,
            "undo",
            "ControllerNotResponding",
            id="nobody cuts it loose",
        ),
        pytest.param(
            [new(loose=True), old(), other()],
            ADOPTION_SECONDS,
            "undo",
            "ControllerNotResponding",
            id="nobody adopts it",
        ),
        pytest.param(
            [temporary(going=True), old(), other()],
            ADOPTION_SECONDS,
            "strip",
            "",
            id="nobody takes the finalizer",
        ),
        pytest.param(
            [temporary(going=True), new(adopted=True), other()],
            ADOPTION_SECONDS,
            "strip",
            "",
            id="nobody takes the finalizer, R adopted",
        ),
        pytest.param(
            [new(), old(), other()], LEAVING_SECONDS, "undo", "RolledBack", id="nobody deletes it"
        ),
    ],
)
def test_a_controller_manager_that_does_nothing_is_not_waited_for_without_end(
    objects: list[Object], seconds: float, verb: str, code: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, *objects)
    assert stage.step().verb == WAIT
    stage.api.clock.sleep(seconds)
    step = stage.step()
    assert (step.verb, step.code) == (verb, code)


@pytest.mark.parametrize(
    ("objects", "verb"),
    [
        ([temporary(), old(), other()], "roll_back"),
        ([temporary(), new(), old(), other()], "roll_back"),
        ([temporary(), new(), other()], "hand_over"),
        ([temporary(going=True), new(), old(marked=True), other()], WAIT),
        ([new(loose=True), old(marked=True), other()], WAIT),
        ([new(adopted=True), other()], "finalize"),
    ],
)
def test_a_task_that_is_cancelled_goes_back_before_the_hand_over_and_on_after_it(
    objects: list[Object], verb: str, tmp_path: Path
) -> None:
    stage = Stage(tmp_path, *objects)
    stage.machine.stop()
    step = stage.step()
    assert step.verb == verb
    if verb == "roll_back":
        stage.machine.act(verb, stage.machine.look(), step)
        assert stage.machine.failure is not None
        assert stage.machine.failure.code == "Cancelled"


def test_what_is_there_when_all_is_undone(tmp_path: Path) -> None:
    """Nobody came: R goes by our hand, S loses the last finalizer, O its mark."""
    stage = Stage(tmp_path, temporary(going=True), new(), old(marked=True), other())
    stage.act("undo", Step("undo", "nobody came", "ControllerNotResponding"))
    stage.api.clock.sleep(ADOPTION_SECONDS)
    assert stage.step().verb == "strip"
