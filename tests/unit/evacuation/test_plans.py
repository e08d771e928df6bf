# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look: a plan or a reason for each pod, and what the look is worth as a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    PlacementError,
    Unreachable,
)
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.plans import (
    Item,
    plan_all,
)
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.report import (
    Report,
    broken_off,
    failure_of,
    result_of,
)
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.request import Request
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.snapshot import Snapshot
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.waves import Waves
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Settings
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, Object, controller, deployment, holder, node, pod, settings

ABOVE = deployment()
OWNER = controller(above=ABOVE)
AGENT = controller("DaemonSet", "agent", labels={"app": "agent"})
REQUEST = Request("a")


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., list[Item]]:
    def take(
        *objects: Object, request: Request = REQUEST, how: dict[str, Any] | None = None
    ) -> list[Item]:
        api = FakeApi(node("a"), ABOVE, OWNER, AGENT, *objects)
        snapshot = Snapshot(api, "a", request.targets)
        wanted = [(p, request.order(NS, p["metadata"]["name"])) for p in snapshot.pods()]
        told = settings(api.clock, holder(tmp_path), **(how or {}))
        items = plan_all(snapshot, wanted, told)
        assert api.writes() == []
        return items

    return take


def web(*names: str) -> list[Object]:
    return [pod(name, owner=OWNER) for name in names]


def fates(items: list[Item]) -> dict[str, str]:
    """Name -> node, or the code of its refusal."""
    return {
        i.pod["metadata"]["name"]: i.error.code if i.error else i.plan.entry.node if i.plan else "?"
        for i in items
    }


def test_lossless_moves_come_first_and_nothing_pins(look: Callable[..., list[Item]]) -> None:
    items = look(node("b"), pod("a-bare"), *web("web-1", "web-2"), pod("agent", owner=AGENT))
    assert fates(items) == {
        "web-1": "",
        "web-2": "",
        "a-bare": "",
        "agent": "OwnerUnsupported: DaemonSet",
    }
    assert list(fates(items)) == ["web-1", "web-2", "a-bare", "agent"]
    assert [i.as_item()["pinned"] for i in items[:3]] == [False] * 3
    assert all(i.plan is None or i.plan.entry.away for i in items)


def test_targets_are_given_away(look: Callable[..., list[Item]]) -> None:
    request = replace(REQUEST, targets=("b", "c"))
    narrow = node("b")
    narrow["status"]["allocatable"]["pods"] = "1"
    items = look(narrow, node("c", unschedulable=True), *web("web-1", "web-2"), request=request)
    assert sorted(fates(items).values()) == ["NoRoom", "b"]


def test_without_room_who_needs_no_stop_may_wait_for_it(look: Callable[..., list[Item]]) -> None:
    items = look(pod("bare"), *web("web-1", "web-2"))
    assert fates(items) == {"web-1": "", "web-2": "", "bare": "NoRoom"}
    assert [i.room for i in items] == [False] * 3


def test_the_pod_of_the_task_itself_is_refused(look: Callable[..., list[Item]]) -> None:
    items = look(node("b"), pod("mine"), how={"own_pod": (NS, "mine")})
    assert fates(items) == {"mine": "OwnPod"}


def told(settings: Settings, items: list[Item], **more: Any) -> tuple[Waves, dict[str, Any]]:
    api, request = FakeApi(), replace(REQUEST, **more)
    waves = Waves(api, request, settings, lambda: items)
    waves.take_look()
    return waves, result_of(request, Report(), waves)


@pytest.fixture
def quiet(tmp_path: Path) -> Settings:
    api = FakeApi()
    return settings(api.clock, holder(tmp_path))


def refused(name: str, code: str) -> Item:
    return Item(pod(name), error=PlacementError(code, "because", hint="do"))


def test_who_stays_by_nature_is_told_and_no_failure(quiet: Settings) -> None:
    items = [refused("agent", "OwnerUnsupported: DaemonSet"), refused("over", "PodFinished")]
    result = told(quiet, items)[1]
    assert [i["name"] for i in result["leftovers"]] == ["agent", "over"]
    assert result["summary"]["total"] == result["summary"]["refused"] == 0
    assert failure_of(REQUEST, result, "") is None


@pytest.mark.parametrize(
    ("more", "stopped", "code"),
    [
        ({}, "", "NotEvacuated"),
        ({"state": "returned"}, "", "NotReturned"),
        ({}, "MaxFailures", "MaxFailures"),
        ({"on_leftovers": "report"}, "", ""),
        ({"on_leftovers": "report"}, "DeadlineReached", ""),
        ({"on_leftovers": "report"}, "Cancelled", "Cancelled"),
        ({"on_leftovers": "report"}, "MaxFailures", "MaxFailures"),
    ],
)
def test_what_leftovers_mean(
    quiet: Settings, more: dict[str, Any], stopped: str, code: str
) -> None:
    result = told(quiet, [refused("p", "OptedOut")], **more)[1]
    problem = failure_of(replace(REQUEST, **more), result, stopped)
    assert ("" if problem is None else problem.code) == code
    if problem is not None:
        assert f"{NS}/p: OptedOut, because" in problem.message
        assert problem.result["leftovers"] == result["leftovers"]


def test_a_run_that_was_stopped_at_the_end_of_its_work_was_stopped_all_the_same(
    quiet: Settings,
) -> None:
    result = told(quiet, [])[1]
    problem = failure_of(REQUEST, result, "Cancelled")
    assert problem is not None
    assert problem.code == "Cancelled"


@pytest.mark.parametrize(
    ("err", "code"),
    [
        (Unreachable(0, "ApiUnreachable", "gone", request="pods list"), "ApiUnreachable"),
        (PlacementError("LockLost", "lost", result={"rolled_back": False}), "LockLost"),
    ],
)
def test_an_error_halfway_tells_what_was_done(quiet: Settings, err: Exception, code: str) -> None:
    waves = told(quiet, [refused("p", "OptedOut")])[0]
    waves.moved = [{"pod": "q"}]
    problem = broken_off(err, REQUEST, Report(), waves)
    assert (problem.code, problem.changed) == (code, True)
    assert problem.result["moved"] == [{"pod": "q"}]
    assert [i["name"] for i in problem.result["leftovers"]] == ["p"]
    assert problem.result.get("rolled_back", False) is False


def test_a_foretold_run_has_moved_what_is_planned(
    quiet: Settings, look: Callable[..., list[Item]]
) -> None:
    items = look(node("b"), *web("web-1"), pod("agent", owner=AGENT))
    waves, before = told(quiet, items)
    assert before["summary"]["not_started"] == 1
    assert [i["code"] for i in before["leftovers"]] == ["NotStarted", "OwnerUnsupported: DaemonSet"]
    waves.foretell()
    result = result_of(REQUEST, Report(), waves)
    assert [m["pod"] for m in result["moved"]] == ["web-1"]
    assert [i["name"] for i in result["leftovers"]] == ["agent"]
    assert result["diff"]["before"]["pods_to_move"] == [f"{NS}/web-1"]
    assert result["diff"]["after"]["pods_to_move"] == []
    assert result["changed"]


def test_what_was_not_judged_for_want_of_rights_is_a_warning_of_the_plan(tmp_path: Path) -> None:
    term = {
        "labelSelector": {"matchLabels": {"app": "web"}},
        "topologyKey": "kubernetes.io/hostname",
        "namespaceSelector": {"matchLabels": {"team": "x"}},
    }
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    bare = pod("bare", affinity={"podAntiAffinity": {key: [term]}})
    api = FakeApi(node("a"), node("b"), bare)
    api.before("list", "namespaces", Forbidden(403, "Forbidden", "no"))
    snapshot = Snapshot(api, "a", ("b",))
    waves = Waves(
        api,
        REQUEST,
        settings(api.clock, holder(tmp_path)),
        lambda: plan_all(
            snapshot,
            [(p, REQUEST.order(NS, p["metadata"]["name"])) for p in snapshot.pods()],
            settings(api.clock, holder(tmp_path)),
        ),
    )
    waves.take_look()
    assert fates(waves.items) == {"bare": "b"}
    assert [w for w in waves.warnings if "may not list namespaces" in w] == waves.warnings
    assert len(waves.warnings) == 1
