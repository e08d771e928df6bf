# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe pod: what proves that a scheduler lives, and that no probe stays behind."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    OutcomeUnknown,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.probe import (
    LABEL,
    manifest,
    prove_alive,
    rehearse,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import EVENT, POD
from ansible_collections.podplacement.core.plugins.module_utils.scheduled_event import scheduled_by
from tests.unit.fake_api import FakeApi
from tests.unit.scheduler_name.objects import NAMESPACE, pod

CREATED = "2026-01-01T01:00:00Z"


def judge(api: FakeApi, **condition: Any) -> None:
    """What a scheduler does to the probe."""
    (probe,) = api.list(POD, NAMESPACE, label_selector=f"{LABEL}=true")[0]
    status = {"status": {"conditions": [{"type": "PodScheduled", **condition}]}}
    api.change(POD, probe["metadata"]["name"], NAMESPACE, status)


class Server(FakeApi):
    """The fake server, which says when a pod was created."""

    def put(self, obj: Any) -> Any:
        found = {"creationTimestamp": CREATED, **obj["metadata"]}
        return super().put({**obj, "metadata": found})


def server(*others: Any) -> FakeApi:
    """A server with these pods."""
    return Server(*others)


def prove(api: FakeApi, seconds: float = 300.0) -> None:
    prove_alive(api, api.clock, NAMESPACE, "new", seconds)


def probes(api: FakeApi) -> int:
    return len(api.list(POD, NAMESPACE, label_selector=f"{LABEL}=true")[0])


@pytest.mark.parametrize(
    "condition",
    [{"status": "True"}, {"status": "False", "reason": "Unschedulable"}],
    ids=["placed", "no-room"],
)
def test_a_scheduler_that_judges_the_probe_is_alive(condition: dict[str, str]) -> None:
    api = server()
    api.later(5, lambda: judge(api, **condition))
    prove(api)
    assert [c.verb for c in api.writes()] == ["create", "delete"]
    assert probes(api) == 0


def test_silence_and_a_gate_prove_nothing() -> None:
    api = server()
    api.later(5, lambda: judge(api, status="False", reason="SchedulingGated"))
    with pytest.raises(PlacementError) as raised:
        prove(api)
    assert (raised.value.code, raised.value.changed) == ("SchedulerNotAlive", False)
    assert (api.clock.monotonic(), probes(api)) == (1030, 0)


def test_the_tasks_own_limit_counts_when_it_is_shorter() -> None:
    api = server()
    with pytest.raises(PlacementError):
        prove(api, 3)
    assert api.clock.monotonic() == 1003


def test_a_probe_that_somebody_deletes_proves_nothing() -> None:
    api = server()
    api.later(1, lambda: api.remove(POD, api.calls[0].name, NAMESPACE))
    with pytest.raises(PlacementError) as raised:
        prove(api)
    assert raised.value.code == "SchedulerNotAlive"


def test_the_probe_is_removed_whatever_happens() -> None:
    """Also when the reply to its creation is lost, or watching it is forbidden."""
    api = server()

    def lose() -> None:
        api.put(manifest(NAMESPACE, api.calls[-1].name, "new"))
        raise OutcomeUnknown(0, "OutcomeUnknown", "the connection broke")

    api.before("create", "pods", lose)
    api.later(1, lambda: judge(api, status="True"))
    prove(api)
    assert probes(api) == 0

    api = server()
    api.before("watch", "pods", Forbidden(403, "Forbidden", "no", request="watch pods"))
    with pytest.raises(Forbidden):
        prove(api)
    assert probes(api) == 0


def test_leftovers_of_killed_runs_go_and_probes_of_live_ones_stay() -> None:
    def left(name: str, created: str) -> Any:
        return pod(name, labels={LABEL: "true"}, creationTimestamp=created)

    api = server(left("old", "2026-01-01T00:57:59Z"), left("young", "2026-01-01T00:58:01Z"))
    api.later(1, lambda: api.change(POD, api.calls[0].name, NAMESPACE, placed()))
    prove(api)
    kept = [p["metadata"]["name"] for p in api.list(POD, NAMESPACE)[0]]
    assert kept == ["young"]


def placed() -> dict[str, Any]:
    return {"status": {"conditions": [{"type": "PodScheduled", "status": "True"}]}}


def test_check_mode_sends_a_dry_run_and_says_that_it_proves_nothing() -> None:
    api = FakeApi()
    assert "cannot prove that a scheduler named new is alive" in rehearse(api, NAMESPACE, "new")
    assert api.writes() == []


@pytest.mark.parametrize(
    ("reporter", "expected"),
    [
        ({"reportingComponent": "new", "source": {}}, "new"),
        ({"reportingComponent": "", "source": {"component": "old-style"}}, "old-style"),
    ],
)
def test_the_event_says_who_placed_a_pod(reporter: dict[str, Any], expected: str) -> None:
    api = FakeApi()
    event = {
        "kind": "Event",
        "metadata": {"name": "e", "namespace": NAMESPACE},
        "involvedObject": {"uid": "web-1"},
        "reason": "Scheduled",
        **reporter,
    }
    api.later(3, lambda: api.put(event))
    assert scheduled_by(api, api.clock, pod("web-1"), 60) == expected
    assert api.list(EVENT, NAMESPACE)[0]


def test_a_missing_event_is_not_waited_for_long() -> None:
    api = FakeApi()
    assert scheduled_by(api, api.clock, pod("web-1"), 300) is None
    assert api.clock.monotonic() == 1010
    assert scheduled_by(api, api.clock, pod("web-1"), 0) is None
    assert api.clock.monotonic() == 1010
