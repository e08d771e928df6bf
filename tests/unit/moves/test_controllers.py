# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From "so many pods on that node" to moves."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.moves.controllers import (
    Controller,
    orders_for,
    settle_controller,
    top_controller,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.workloads import owner_chain
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import (
    NS,
    Object,
    controller,
    deployment,
    entry,
    holder,
    lease,
    pod,
    settings,
)

ABOVE = deployment(replicas=4)
OWNER = controller(above=ABOVE, replicas=4)
WEB = Controller(NS, "Deployment", "web")
LIKE = Order("", "", placement="bind")


def web(name: str, on: str, **more: Any) -> Object:
    return pod(name, on=on, owner=OWNER, **more)


def names(
    count: int, *pods: Object, who: Controller = WEB, owner: Object | None = None
) -> list[str]:
    found = orders_for(FakeApi(ABOVE, owner or OWNER, *pods), who, "n", count, LIKE)
    assert all((o.namespace, o.node, o.placement) == (NS, "n", "bind") for o in found)
    return [order.name for order in found]


def test_as_many_as_are_missing_from_the_fullest_nodes() -> None:
    pods = [web("p-1", "a"), web("p-2", "b"), web("p-3", "b"), web("p-4", "n")]
    assert names(0, *pods) == names(1, *pods) == []
    assert names(2, *pods) == ["p-2"]
    assert names(4, *pods) == ["p-2", "p-3", "p-1"]


@pytest.mark.parametrize("state", [{"ready": False}, {"terminating": True}])
def test_only_ready_pods_that_stay_count(state: dict[str, Any]) -> None:
    assert names(1, web("p-1", "n", **state), web("p-2", "b")) == ["p-2"]
    assert refusal(2, web("p-1", "b", **state), web("p-2", "b")) == "WorkloadNotReady"


def refusal(count: int, *pods: Object, who: Controller = WEB) -> str:
    with pytest.raises(PlacementError) as caught:
        names(count, *pods, who=who)
    assert caught.value.hint
    assert caught.value.object == str(who)
    return caught.value.code


def test_what_cannot_be_is_refused() -> None:
    assert refusal(5) == "TooFewReplicas"
    assert refusal(1, who=Controller(NS, "Deployment", "none")) == "ControllerNotFound"


def test_of_a_statefulset_the_highest_ordinals_go() -> None:
    owner = controller("StatefulSet", "db", replicas=12)
    pods = [pod(f"db-{n}", on="a" if n else "b", owner=owner) for n in (0, 9, 10)]
    who = Controller(NS, "StatefulSet", "db")
    assert names(2, *pods, who=who, owner=owner) == ["db-10", "db-9"]


@pytest.mark.parametrize("kind", ["ReplicaSet", "ReplicationController"])
def test_pods_of_others_are_left_alone(kind: str) -> None:
    owner = controller(kind, "rs", labels={"app": "web"})
    pods = [pod("mine", on="b", owner=owner), pod("stranger", on="b")]
    who = Controller(NS, kind, "rs")
    assert names(1, *pods, who=who, owner=owner) == ["mine"]


def test_people_know_the_controller_at_the_top() -> None:
    api = FakeApi(ABOVE, OWNER)
    owner = top_controller(owner_chain(api, web("p", "a")))
    assert owner is not None
    assert (owner.kind, owner.name) == ("Deployment", "web")
    odd = {**controller(), "apiVersion": "example.org/v1"}
    assert top_controller(owner_chain(api, pod("p", owner=odd))) is None
    assert top_controller([]) is None


def test_interrupted_moves_of_the_controller_are_named_or_ended(tmp_path: Any) -> None:
    begun = lease(entry(node="b"), holder="dead")
    other = lease(entry(owner_uid="uid-other"), name="podmove-other")
    api = FakeApi(ABOVE, OWNER, web("old", "a"), web("more", "a"), begun, other)
    how = settings(api.clock, holder(tmp_path))
    checking = settings(api.clock, holder(tmp_path), check=True)
    assert [r["pod"] for r in settle_controller(api, checking, WEB)] == ["old"]
    assert api.writes() == []
    assert [r["outcome"] for r in settle_controller(api, how, WEB)] == ["rolled_back"]
    assert settle_controller(api, how, WEB) == []
    assert settle_controller(api, how, Controller(NS, "Deployment", "none")) == []
