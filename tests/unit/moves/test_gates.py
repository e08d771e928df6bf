# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards that must all hold at the moment of the swap."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import TooManyRequests
from ansible_collections.podplacement.core.plugins.module_utils.moves.gates import closed_gate
from ansible_collections.podplacement.core.plugins.module_utils.moves.scene import (
    WAIT,
    Scene,
    Step,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    ENDPOINT_SLICE,
    PDB,
    POD,
)
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, Object, controller, endpoints, entry, pod

OWNER = controller()


def scene(*siblings: Object, **changes: Any) -> Scene:
    """Two wanted pods: the old one and `other`, both fine; and the replacement."""
    found: dict[str, Any] = {
        "old": pod("old", owner=OWNER),
        "new": pod("new", on="b"),
        "owner": OWNER,
        "siblings": list(siblings) or [pod("other", owner=OWNER)],
    }
    return Scene(**(found | changes))


def gate(api: FakeApi, seen: Scene, *, accept: bool = False) -> Step | None:
    return closed_gate(api, NS, entry(), seen, accept_differences=accept)


def world(*objects: Object) -> FakeApi:
    return FakeApi(pod("old", owner=OWNER), *objects)


def budget(**labels: str) -> Object:
    return {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": NS},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}},
    }


@pytest.mark.parametrize(
    ("budgets", "asked"),
    [([], []), ([budget(app="db")], []), ([budget(app="web")], ["pods/eviction"])],
)
def test_all_gates_open_and_the_eviction_was_only_asked_about(
    budgets: list[Object], asked: list[str]
) -> None:
    api = world(*budgets)
    assert gate(api, scene()) is None
    assert api.writes() == []
    assert [c.resource for c in api.calls if c.dry_run] == asked


def test_a_replacement_that_differs_is_the_end_unless_accepted() -> None:
    other = pod("new", on="b")
    other["spec"]["containers"][0]["image"] = "x:2"
    step = gate(world(), scene(new=other))
    assert step is not None
    assert (step.verb, step.code) == ("roll_back", "ReplacementDiffers")
    assert gate(world(), scene(new=other), accept=True) is None


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (scene(pod("other", owner=OWNER, ready=False)), "unready pods of the workload: other"),
        (scene(pod("x"), pod("y")), "desired number"),
        (scene(owner=controller(replicas=3)), "desired number"),
        (scene(owner=controller(replicas=0)), "desired number"),
        (scene(owner={**OWNER, "status": {"observedGeneration": 0}}), "newest spec"),
        (scene(owner={**OWNER, "status": {}}), "newest spec"),
    ],
)
def test_a_workload_that_is_not_settled_is_waited_for(seen: Scene, words: str) -> None:
    """Its controller would delete another pod in the old one's place, or none."""
    api = world()
    step = gate(api, seen)
    assert step is not None
    assert (step.verb, step.code, step.kind) == (WAIT, "WorkloadNotReady", POD)
    assert words in step.why
    assert api.calls == []


@pytest.mark.parametrize(
    ("found", "waits_for"),
    [
        ([endpoints("web", old=True)], "web"),
        ([endpoints("web", old=None, new=False)], "web"),
        ([endpoints("web", old=True, new=True), endpoints("api", old=True)], "api"),
        ([endpoints("b", old=True), endpoints("a", old=True)], "a, b"),
    ],
)
def test_every_service_must_send_to_the_replacement(found: list[Object], waits_for: str) -> None:
    seen = scene()
    step = gate(world(*found), seen)
    assert step is not None
    assert (step.verb, step.code, step.kind) == (WAIT, "EndpointMissing", ENDPOINT_SLICE)
    assert f"Service {waits_for} sends" in step.why
    assert ENDPOINT_SLICE.kind in seen.versions


@pytest.mark.parametrize(
    "found",
    [
        [],
        [endpoints("web", old=True, new=True)],
        [endpoints("web", old=True, new=None)],
        [endpoints("web", old=False)],
        [endpoints("web", other=True)],
        [endpoints("web", old=True) | {"endpoints": None}],
        [endpoints("web") | {"endpoints": [{"addresses": ["10.0.0.1"]}]}],
    ],
)
def test_a_service_that_does_not_send_to_the_old_pod_need_not_send_to_the_new(
    found: list[Object],
) -> None:
    assert gate(world(*found), scene()) is None


def test_a_service_may_have_several_slices() -> None:
    second = endpoints("web", new=True)
    second["metadata"]["name"] = "web-2"
    assert gate(world(endpoints("web", old=True), second), scene()) is None


def test_a_budget_must_have_counted_the_replacement() -> None:
    api = world(budget(app="web"))
    api.before("create", "pods/eviction", TooManyRequests(429, "TooManyRequests", "the budget"))
    seen = scene()
    step = gate(api, seen)
    assert step is not None
    assert (step.verb, step.code, step.kind, step.why) == (WAIT, "PdbBlocked", PDB, "the budget")
    assert PDB.kind in seen.versions
    assert gate(api, seen) is None


def test_an_old_pod_that_is_gone_by_then_is_looked_at_again() -> None:
    step = gate(FakeApi(budget(app="web")), scene())
    assert step is not None
    assert (step.verb, step.code) == (WAIT, "")
