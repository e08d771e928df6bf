# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One move from the name to the report: what a user asks for, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    MOVED_FROM_NAME,
    MOVED_FROM_UID,
    lease_name,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.run import (
    already_there,
    find,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    DEPLOYMENT,
    LEASE,
    NODE,
    POD,
    REPLICA_SET,
)
from tests.unit.moves.objects import (
    NS,
    Object,
    budget,
    entry,
    holder,
    lease,
    node,
    pod,
)
from tests.unit.moves.run_stage import (
    ORDER,
    OWNER,
    STRATEGIES,
    failure,
    order_for,
    problem,
    run,
    world,
)
from tests.unit.moves.world import World, leftovers


def moved_pod(name: str, *names: str, **more: Any) -> Object:
    found = pod(name, annotations={MOVED_FROM_NAME: json.dumps(names)}, **more)
    found["metadata"]["labels"][MOVED_FROM_UID] = "uid-x"
    return found


# ---- which pod is meant


def test_the_named_pod_or_what_a_move_made_of_it() -> None:
    api = World(pod("old"), moved_pod("heir", "gone"), moved_pod("other", "going"))
    api.put(pod("going", terminating=True))
    api.put(pod("alone", terminating=True))
    found = {
        name: (find(api, Order(NS, name, "b")) or {"metadata": {"name": None}})["metadata"]["name"]
        for name in ("old", "gone", "going", "alone", "never")
    }
    assert found == {
        "old": "old",
        "gone": "heir",
        "going": "other",
        "alone": "alone",
        "never": None,
    }


@pytest.mark.parametrize(
    ("order", "there"),
    [
        (Order(NS, "p", "a"), True),
        (Order(NS, "p", "b"), False),
        (Order(NS, "p", scheduler_name="default-scheduler"), True),
        (Order(NS, "p", scheduler_name="by-hand"), False),
        (Order(NS, "p", "a", scheduler_name="by-hand"), False),
        (Order(NS, "p"), False),
        (Order(NS, "its-former-name"), True),
    ],
)
def test_nothing_to_do(order: Order, there: bool) -> None:
    assert already_there(pod("p", on="a"), order) == there
    assert not already_there(pod("p", on="a", terminating=True), order)


def test_a_pod_that_never_was(tmp_path: Path) -> None:
    err = failure(World(node("b")), tmp_path)
    assert (err.code, err.changed) == ("PodNotFound", False)


def test_a_pod_that_is_being_deleted_and_left_no_heir(tmp_path: Path) -> None:
    assert failure(World(node("b"), pod("old", terminating=True)), tmp_path).code == (
        "PodTerminating"
    )


# ---- what is reported


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_report_of_a_move(strategy: str, tmp_path: Path) -> None:
    api = world(strategy)
    foretold = run(api, tmp_path, order_for(strategy), check=True)
    assert api.writes() == []
    report = run(api, tmp_path, order_for(strategy))
    moved = report.moved
    assert moved is not None
    assert (moved["pod"], moved["uid"], moved["from_node"]) == ("old", "uid-old", "a")
    now = api.get(POD, moved["new_pod"], NS)
    assert (moved["new_uid"], moved["to_node"]) == (now["metadata"]["uid"], "b")
    assert {"created", "scheduled", "ready"} <= set(moved["timings"])
    assert (moved["downtime"] > 0) == (strategy == "recreate")
    assert foretold.moved is not None
    assert set(foretold.moved) == set(moved)
    assert (foretold.changed, foretold.before, foretold.after) == (
        report.changed,
        report.before,
        report.after,
    )
    assert foretold.plan == report.plan


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_task_again_follows_the_pods_name(strategy: str, tmp_path: Path) -> None:
    api = world(strategy)
    run(api, tmp_path, order_for(strategy))
    before = len(api.writes())
    again = run(api, tmp_path, order_for(strategy))
    assert (again.changed, again.moved, again.plan) == (False, None, None)
    assert again.before == again.after
    assert len(api.writes()) == before


def test_moved_on_and_on_by_its_first_name(tmp_path: Path) -> None:
    api = world("adopt", node("c"))
    for target in ("b", "c", "b"):
        assert run(api, tmp_path, Order(NS, "old", target)).changed
        assert not run(api, tmp_path, Order(NS, "old", target)).changed
    names = [p["metadata"]["name"] for p in api.pods()]
    assert all(len(name) == len("web-5d4f-m12345") for name in names if name != "other")
    assert leftovers(api) == []


def test_another_scheduler_is_in_the_diff(tmp_path: Path) -> None:
    api = world("recreate")
    order = Order(NS, "old", scheduler_name="by-hand")
    report = run(api, tmp_path, order)
    assert report.before["schedulerName"] == "default-scheduler"
    assert report.after == {
        "pod": "old",
        "node": "chosen by the scheduler",
        "schedulerName": "by-hand",
    }
    assert not run(api, tmp_path, order).changed


@pytest.mark.parametrize("limit", [0.1, 1000.0])
def test_a_downtime_that_was_not_allowed(limit: float, tmp_path: Path) -> None:
    api = world("recreate")
    if limit > 1:
        assert run(api, tmp_path, max_downtime=limit).changed
        return
    err = failure(api, tmp_path, max_downtime=limit)
    assert (err.code, err.changed) == ("DowntimeExceeded", True)
    assert err.result["moved"][0]["to_node"] == "b"
    assert leftovers(api) == []


# ---- the world moves meanwhile


@pytest.mark.parametrize(
    ("happens", "codes"),
    [
        (lambda api: api.remove(NODE, "b"), {"NodeNotFound"}),
        (lambda api: api.put(node("b", ready=False)), {"NodeNotReady"}),
        (lambda api: api.put(node("b", unschedulable=True)), {"NodeUnschedulable"}),
        (lambda api: api.remove(REPLICA_SET, "web-5d4f", NS), {"OwnerGone", "PodGone"}),
        (lambda api: api.remove(DEPLOYMENT, "web", NS), {"OwnerGone", "PodGone"}),
        (lambda api: api.remove(POD, "old", NS), {"PodGone"}),
        (
            lambda api: api.change(
                DEPLOYMENT,
                "web",
                NS,
                {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "2"}}},
            ),
            {"RolloutInProgress"},
        ),
    ],
)
def test_what_goes_wrong_before_the_swap_is_rolled_back(
    happens: Any, codes: set[str], tmp_path: Path
) -> None:
    api = world()
    api.before("watch", "pods", lambda: happens(api))
    err = failure(api, tmp_path)
    assert err.code in codes
    assert not err.changed
    assert err.result["rolled_back"] is True
    api.settle()
    assert leftovers(api) == []


@pytest.mark.parametrize("replicas", [1, 3])
def test_scaled_meanwhile_it_is_finished_or_the_pod_is_gone(replicas: int, tmp_path: Path) -> None:
    api = world()
    patch = {"spec": {"replicas": replicas}}
    api.before("watch", "pods", lambda: api.change(REPLICA_SET, "web-5d4f", NS, patch))
    err = problem(api, tmp_path, ORDER)
    assert err is None or (err.code, replicas) == ("PodGone", 1)
    api.settle()
    assert len(api.pods()) == replicas
    assert leftovers(api) == []
    assert api.lowest >= min(2, replicas)


def test_a_budget_at_its_limit_lets_the_move_through(tmp_path: Path) -> None:
    api = world("adopt", budget(minimum=2))
    assert run(api, tmp_path).changed
    assert api.lowest == 2


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_refused_target_leaves_the_pod_where_it_was(strategy: str, tmp_path: Path) -> None:
    api = world(strategy)
    api.refuses = {"b": "OutOfcpu"}
    err = failure(api, tmp_path, order_for(strategy))
    assert err.code == "KubeletRefused: OutOfcpu"
    assert err.changed == (strategy == "recreate")
    api.settle()
    assert {p["spec"]["nodeName"] for p in api.pods()} == {"a"}
    assert leftovers(api) == []


# ---- other runs


def test_a_plan_that_another_run_made_stale_is_made_again(tmp_path: Path) -> None:
    """It moved the pod between our look and our lock."""
    api = world("recreate")

    def moved_by_another() -> None:
        found = pod("old", on="b")
        found["metadata"]["uid"] = "uid-2"
        api.put(found)

    api.before("create", "leases", moved_by_another)
    assert not run(api, tmp_path).changed
    assert leftovers(api) == []


def test_a_pod_that_vanishes_between_look_and_lock(tmp_path: Path) -> None:
    api = world("recreate")
    api.before("create", "leases", lambda: api.remove(POD, "old", NS))
    assert failure(api, tmp_path).code == "PodNotFound"
    assert leftovers(api) == []


def dead_lease(folder: Path, strategy: str) -> Object:
    moved = entry(strategy, owner_uid=OWNER["metadata"]["uid"] if strategy == "adopt" else "")
    return lease(moved, holder=holder(folder, started=1).identity)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_check_mode_tells_of_an_interrupted_move_and_leaves_it(
    strategy: str, tmp_path: Path
) -> None:
    api = world(strategy, dead_lease(tmp_path, strategy))
    report = run(api, tmp_path, order_for(strategy), check=True)
    assert report.changed
    assert [item["outcome"] for item in report.recovered] == ["interrupted"]
    assert api.writes() == []
    done = run(api, tmp_path, order_for(strategy))
    assert [item["outcome"] for item in done.recovered] == ["rolled_back"]
    assert done.moved is not None


def test_a_live_run_is_waited_for_and_then_there_is_nothing_to_do(tmp_path: Path) -> None:
    api = World(node("a"), node("b"), pod("old"), lease(entry("recreate"), seconds=60))

    def finished() -> None:
        found = pod("old", on="b")
        found["metadata"]["uid"] = "uid-2"
        api.put(found)
        api.remove(LEASE, lease_name("uid-old"), NS)

    api.later(10.0, finished)
    assert not run(api, tmp_path).changed


def test_a_live_run_that_does_not_end_in_time(tmp_path: Path) -> None:
    api = World(node("a"), node("b"), pod("old"), lease(entry("recreate"), seconds=600))
    assert failure(api, tmp_path, seconds=5).code == "LockedBy"


def test_runs_that_keep_coming_in_between_are_given_up(tmp_path: Path) -> None:
    api = world("recreate")

    def another() -> None:
        found = pod("old")
        found["metadata"]["uid"] = f"uid-{len(api.calls)}"
        api.put(found)

    for _again in range(30):
        api.before("create", "leases", another)
    assert failure(api, tmp_path).code == "Conflict"


def test_a_dead_runs_lock_that_shows_up_only_when_ours_is_written(tmp_path: Path) -> None:
    """It moved another pod of this workload: that is made good first, then ours is done."""
    api = world()
    other = entry(pod="other", pod_uid="uid-other")
    theirs = lease(other, holder=holder(tmp_path, started=1).identity)
    api.before("create", "leases", lambda: api.put(theirs))
    report = run(api, tmp_path)
    assert [(r["pod"], r["outcome"]) for r in report.recovered] == [("other", "rolled_back")]
    assert report.moved is not None
    assert leftovers(api) == []
