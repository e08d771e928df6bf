# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events about moves are told as long as somebody lets us, and a move never depends on one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    ApiError,
    Forbidden,
    OutcomeUnknown,
    PlacementError,
    TooManyRequests,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.announce import Announcer
from ansible_collections.podplacement.core.plugins.module_utils.resources import EVENT
from tests.unit.fake_api import Call, FakeApi
from tests.unit.moves.objects import NS, Object, entry, holder, pod, settings
from tests.unit.moves.run_stage import failure, run, world

DENIED = Forbidden(403, "Forbidden", "user may not create events")


def events(api: FakeApi) -> list[Object]:
    """As an operator sees them, oldest first."""
    return sorted(api.list(EVENT, NS)[0], key=lambda e: int(e["metadata"]["resourceVersion"]))


def attempts(api: FakeApi) -> list[Call]:
    """The creates of events, also those that were refused."""
    return [call for call in api.calls if (call.verb, call.resource) == ("create", "events")]


def test_a_move_is_told_on_the_old_pod_and_on_the_new_one(tmp_path: Path) -> None:
    api = world()
    moved = run(api, tmp_path).moved or {}
    begun, done = events(api)
    assert (begun["reason"], done["reason"]) == ("Moving", "Moved")
    assert begun["involvedObject"]["uid"] == moved["uid"]
    assert done["involvedObject"]["uid"] == moved["new_uid"]
    assert "node a" in begun["message"]
    assert "node b" in begun["message"]
    assert "pod old" in done["message"]
    assert {e["reportingComponent"] for e in (begun, done)} == {"podplacement"}
    assert {e["type"] for e in (begun, done)} == {"Normal"}


def test_a_move_that_goes_back_says_why(tmp_path: Path) -> None:
    api = world()
    api.refuses["b"] = "OutOfcpu"
    assert failure(api, tmp_path).result["rolled_back"]
    begun, back = events(api)
    assert (begun["reason"], back["reason"]) == ("Moving", "MoveRolledBack")
    assert back["type"] == "Warning"
    assert back["message"].startswith("KubeletRefused: OutOfcpu: ")
    assert back["involvedObject"]["name"] == "old"


def test_a_move_that_stops_halfway_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_args: object) -> None:
        raise PlacementError("OutcomeUnknown", "no more answers")

    monkeypatch.setattr(
        "ansible_collections.podplacement.core.plugins.module_utils.moves.run._drive", stop
    )
    api = world()
    assert failure(api, tmp_path).code == "OutcomeUnknown"
    assert [e["reason"] for e in events(api)] == ["Moving", "MoveFailed"]


def test_a_refusal_and_check_mode_are_no_events(tmp_path: Path) -> None:
    api = world()
    assert run(api, tmp_path, check=True).changed
    Announcer(api, settings(api.clock, holder(tmp_path), check=True), NS).moving(entry())
    assert attempts(api) == []


def test_without_the_right_there_is_one_warning_and_one_attempt(tmp_path: Path) -> None:
    api = FakeApi(pod("old"))
    told = settings(api.clock, holder(tmp_path))
    api.before("create", "events", DENIED)
    first, second = Announcer(api, told, NS), Announcer(api, told, NS)
    first.moving(entry())
    first.moved(entry(), pod("new"))
    second.moving(entry())
    assert len(attempts(api)) == 1
    assert len(first.warnings) == 1
    assert "may not create events" in first.warnings[0]
    assert second.warnings == []
    Announcer(api, told, "elsewhere").moving(entry())
    assert len(attempts(api)) == 2


def test_the_warning_is_in_the_report_of_the_move(tmp_path: Path) -> None:
    api = world()
    api.before("create", "events", DENIED)
    report = run(api, tmp_path)
    assert report.changed
    assert "events" in " ".join(report.warnings)
    assert events(api) == []


@pytest.mark.parametrize(
    "problem",
    [
        TooManyRequests(429, "TooManyRequests", "busy"),
        OutcomeUnknown(0, "OutcomeUnknown", "broke"),
        ApiError(500, "InternalError", "oops"),
    ],
    ids=lambda err: type(err).__name__,
)
def test_an_event_that_cannot_be_written_is_left_out(problem: ApiError, tmp_path: Path) -> None:
    api = world()
    api.before("create", "events", problem)
    report = run(api, tmp_path)
    assert report.changed
    assert report.warnings == []
    assert [e["reason"] for e in events(api)] == ["Moved"]
