# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop: what is no error, what ends it, and why a frozen run cannot write."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    ApiError,
    Conflict,
    NotFound,
    OutcomeUnknown,
    PlacementError,
    Unreachable,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.engine import (
    MAX_LOST_REPLIES,
    MAX_RACES,
    drive,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.machine import Machine
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import (
    DONE,
    TICK_SECONDS,
    WAIT,
    Scene,
    Step,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    LEASE,
    PDB,
    POD,
)
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, entry, held_lock, holder, pod, settings


class Script(Machine):
    """A machine that does what a list says: a step to decide on, or an error to meet."""

    steps: list[Step | Exception]
    acted: int = 0

    def look(self) -> Scene:
        return Scene(versions={POD.kind: self.api.list(POD, NS)[1]})

    def decide(self, scene: Scene) -> Step:
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def do_write(self, scene: Scene, step: Step) -> None:
        self.acted += 1
        self.patch_pod(self.api.get(POD, "old", NS), {"labels": {"n": str(self.acted)}})


def script(api: FakeApi, folder: Path, *steps: Step | Exception) -> Script:
    who = holder(folder)
    machine = Script(api, held_lock(api, who, entry()), entry(), settings(api.clock, who))
    machine.steps = list(steps)
    return machine


def world() -> FakeApi:
    return FakeApi(pod("old"))


def test_it_ends_with_the_step_that_is_done(tmp_path: Path) -> None:
    api = world()
    machine = script(api, tmp_path, Step("write"), Step(DONE, "because", "Code"))
    assert drive(machine, api, api.clock) == Step(DONE, "because", "Code")
    assert machine.acted == 1


@pytest.mark.parametrize(
    "race", [Conflict(409, "Conflict", "changed"), NotFound(404, "NotFound", "gone")]
)
def test_a_lost_race_is_a_reason_to_look_again(race: ApiError, tmp_path: Path) -> None:
    api = world()
    machine = script(api, tmp_path, Step("write"), Step("write"), Step(DONE))
    api.before("patch", "pods", race)
    assert drive(machine, api, api.clock).verb == DONE
    assert machine.acted == 2


def test_a_lost_reply_is_a_reason_to_look_again(tmp_path: Path) -> None:
    api = world()
    machine = script(api, tmp_path, Step("write"), Step(DONE))
    api.before("patch", "pods", OutcomeUnknown(0, "OutcomeUnknown", "broke"))
    assert drive(machine, api, api.clock).verb == DONE


@pytest.mark.parametrize(
    ("error", "limit", "code"),
    [
        (OutcomeUnknown(0, "OutcomeUnknown", "broke"), MAX_LOST_REPLIES, "OutcomeUnknown"),
        (Conflict(409, "Conflict", "changed"), MAX_RACES, "Conflict"),
    ],
)
def test_what_never_stops_is_given_up(
    error: ApiError, limit: int, code: str, tmp_path: Path
) -> None:
    api = world()
    machine = script(api, tmp_path, *[error] * limit, Step(DONE))
    with pytest.raises(PlacementError) as caught:
        drive(machine, api, api.clock)
    assert caught.value.code == code


def test_progress_in_between_starts_the_count_anew(tmp_path: Path) -> None:
    api = world()
    broke = OutcomeUnknown(0, "OutcomeUnknown", "broke")
    some: list[Step | Exception] = [broke] * (MAX_LOST_REPLIES - 1)
    machine = script(api, tmp_path, *some, Step("write"), *some, Step(DONE))
    assert drive(machine, api, api.clock).verb == DONE


def test_a_long_wait_is_cut_for_the_renewals_and_for_the_wish_to_stop(tmp_path: Path) -> None:
    api = world()
    machine = script(api, tmp_path, *[Step(WAIT, kind=PDB, limit=1000.0)] * 45, Step(DONE))
    began = api.clock.now
    drive(machine, api, api.clock)
    assert api.clock.now - began == pytest.approx(45 * TICK_SECONDS)
    renewals = [c for c in api.writes() if c.resource == "leases" and c.verb == "patch"]
    assert len(renewals) == 8


def test_a_wait_for_what_was_not_listed_is_a_pause(tmp_path: Path) -> None:
    api = world()
    machine = script(api, tmp_path, Step(WAIT, kind=PDB, limit=1.0), Step(DONE))
    began = api.clock.now
    drive(machine, api, api.clock)
    assert api.clock.now - began == pytest.approx(1.0)
    assert "watch" not in {c.verb for c in api.calls}


@pytest.mark.parametrize("verb", ["write", WAIT])
def test_a_run_that_was_frozen_before_its_look_writes_nothing(verb: str, tmp_path: Path) -> None:
    """It would read the overtaker's versions: only the clock can tell it that it slept."""
    api = world()
    machine = script(api, tmp_path, Step(verb), Step(DONE))

    def frozen_and_overtaken() -> None:
        api.clock.sleep(60.0)
        api.change(LEASE, machine.lock.name, NS, {"spec": {"holderIdentity": "other"}})

    api.before("list", "pods", frozen_and_overtaken)
    with pytest.raises(PlacementError) as caught:
        drive(machine, api, api.clock)
    assert caught.value.code == "LockLost"
    assert machine.acted == 0


def test_errors_that_are_none_of_these_come_through(tmp_path: Path) -> None:
    api = world()
    machine = script(api, tmp_path, Step("write"))
    api.before("patch", "pods", ApiError(500, "InternalError", "broken"))
    with pytest.raises(ApiError, match="broken"):
        drive(machine, api, api.clock)


def test_a_lost_lock_is_told_even_if_nothing_can_be_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = world()
    machine = script(api, tmp_path, Step("write"))
    api.clock.sleep(60.0)
    api.remove(LEASE, machine.lock.name, NS)

    def abandon() -> None:
        raise Unreachable(0, "ApiUnreachable", "no connection")

    monkeypatch.setattr(machine, "abandon", abandon)
    with pytest.raises(PlacementError) as caught:
        drive(machine, api, api.clock)
    assert caught.value.code == "LockLost"
