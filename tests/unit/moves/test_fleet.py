# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many moves at a time: what may be in hand, what is begun no more, and one outcome for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.clock import Deadline
from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    ApiError,
    Forbidden,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.fleet import Limits
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    DELETION_COST,
    GOES_FIRST,
    is_mark,
    lease_name,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import LEASE, POD, Kind
from tests.unit.moves.fleet_stage import (
    Voyage,
    cluster,
    codes,
    in_hand,
    on,
    states,
    workload,
)
from tests.unit.moves.objects import NS, Object, entry, lease, pod
from tests.unit.moves.world import World, leftovers

QUOTA = Forbidden(403, "Forbidden", "exceeded quota: pods=1")


def test_all_pods_of_all_workloads_are_moved_and_nothing_is_left(tmp_path: Path) -> None:
    api = cluster(*workload("web"), *workload("db", 2))
    voyage = Voyage(api, tmp_path)
    outcomes = voyage.run()
    assert states(outcomes) == ["moved"] * 5
    assert (on(api, "a"), on(api, "b"), api.lowest) == (0, 5, 3)
    assert leftovers(api) == []
    moved = [o.moved for o in outcomes if o.moved]
    assert [m["pod"] for m in moved] == [o.plan.entry.pod for o in outcomes]
    assert {m["downtime"] for m in moved} == {0.0}


def test_a_workload_has_one_lease_with_all_its_moves(tmp_path: Path) -> None:
    api = cluster(*workload("web"))
    Voyage(api, tmp_path).run()
    verbs = [c.verb for c in api.writes() if c.resource == "leases"]
    assert [v for v in verbs if v != "patch"] == ["create", "delete"]


def start_all(api: World) -> None:
    """All replacements are Ready at a time."""
    while api._schedule() or api._start():
        pass


def test_a_victim_that_goes_before_its_turn_is_replaced_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each old pod has a cost of its own, in the order of the swaps. Should the controller take the
    second when it has the first replacement only, the second is handed over none the less.
    """
    api = cluster(*workload("web"))
    voyage = Voyage(api, tmp_path)
    voyage.meanwhile = lambda: start_all(api)
    costs: list[int] = []
    real = api.patch

    def patch(kind: Kind, name: str, body: Any, *more: Any, **how: Any) -> Object:
        answer = real(kind, name, body, *more, **how)
        cost = (body["metadata"].get("annotations") or {}).get(DELETION_COST)
        if kind is POD and name.startswith("web-") and is_mark(cost):
            costs.append(int(cost))
            if len(costs) == 2:
                api._reconcile(workload("web")[0])  # has the first replacement
                api._stop(name)
        return answer

    monkeypatch.setattr(api, "patch", patch)
    assert states(voyage.run()) == ["moved"] * 3
    assert costs == [int(GOES_FIRST) + place for place in range(3)]
    assert len([c for c in api.writes() if (c.verb, c.resource) == ("create", "pods")]) == 3
    assert leftovers(api) == []


def test_a_swap_does_not_wait_for_the_controllers_answer_to_another(tmp_path: Path) -> None:
    api = cluster(*workload("web"))
    voyage = Voyage(api, tmp_path)
    waiting: list[int] = []

    def look() -> None:
        start_all(api)
        free = [p for p in api.pods() if not p["metadata"].get("ownerReferences")]
        waiting.append(sum({"app", "tier"} <= {*p["metadata"]["labels"]} for p in free))

    voyage.meanwhile = look
    assert states(voyage.run()) == ["moved"] * 3
    assert max(waiting) == 3
    assert api.lowest == 3


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        (Limits(workers=0), 5),
        (Limits(forks=2, workers=0), 2),
        (Limits(surge=1, workers=0), 2),
        (Limits(forks=1, surge=3, workers=0), 1),
    ],
)
def test_no_more_is_in_hand_than_allowed(tmp_path: Path, limits: Limits, most: int) -> None:
    api = cluster(*workload("web"), *workload("db", 2))
    voyage = Voyage(api, tmp_path, limits)
    seen: list[int] = []
    voyage.meanwhile = lambda: seen.append(in_hand(api))
    assert states(voyage.run()) == ["moved"] * 5
    assert max(seen) == most
    assert leftovers(api) == []


def test_a_stop_takes_back_what_is_begun_and_begins_nothing_more(tmp_path: Path) -> None:
    api = cluster(*workload("web"), *workload("db", 2))
    api.holds = {"b"}
    voyage = Voyage(api, tmp_path, Limits(forks=3, workers=0), stop=lambda: api.clock.now > 1003)
    outcomes = voyage.run()
    assert sorted(states(outcomes)) == ["cancelled"] * 3 + ["not_started"] * 2
    assert set(codes(outcomes)) == {"Cancelled"}
    assert voyage.told("stopped") == [("stopped", "")]
    api.settle()
    assert (on(api, "a"), on(api, "b")) == (5, 0)
    assert leftovers(api) == []


def test_a_swap_that_is_past_the_point_of_no_return_is_finished(tmp_path: Path) -> None:
    api = cluster(*workload("web", 1))
    handed_over = False

    def stop() -> bool:
        nonlocal handed_over
        new = [p for p in api.pods() if p["metadata"]["name"] != "web-0"]
        handed_over = handed_over or any({"app", "tier"} <= {*p["metadata"]["labels"]} for p in new)
        return handed_over

    assert states(Voyage(api, tmp_path, stop=stop).run()) == ["moved"]
    assert leftovers(api) == []


def test_after_so_many_failures_nothing_is_begun(tmp_path: Path) -> None:
    api = cluster(*workload("web"))
    api.refuses = {"b": "OutOfcpu"}
    outcomes = Voyage(api, tmp_path, Limits(forks=1, max_failures=2, workers=0)).run()
    assert states(outcomes) == ["failed", "failed", "not_started"]
    assert codes(outcomes) == ["KubeletRefused: OutOfcpu"] * 2 + ["MaxFailures"]
    assert leftovers(api) == []


def test_nothing_is_begun_that_would_not_be_done_in_time(tmp_path: Path) -> None:
    api = cluster(*workload("web"))
    limits = Limits(forks=1, workers=0, deadline=Deadline(api.clock, 20.0))
    outcomes = Voyage(api, tmp_path, limits).run()
    assert states(outcomes)[0] == "moved"
    assert (states(outcomes)[-1], codes(outcomes)[-1]) == ("not_started", "DeadlineReached")
    assert "s are left" in str(outcomes[-1].error)
    assert leftovers(api) == []


def test_a_full_quota_makes_a_move_wait_for_another_to_end(tmp_path: Path) -> None:
    api = cluster(*workload("web"))
    voyage = Voyage(api, tmp_path)
    plans = voyage.plans()
    api.before("create", "pods", lambda: None)
    api.before("create", "pods", QUOTA)
    api.before("create", "pods", QUOTA)
    assert states(voyage.run(plans)) == ["moved"] * 3
    assert api.lowest == 3
    assert leftovers(api) == []


def test_a_quota_that_nobody_will_free_is_a_failure(tmp_path: Path) -> None:
    api = cluster(*workload("web"))
    voyage = Voyage(api, tmp_path)
    plans = voyage.plans()
    for _try in range(6):
        api.before("create", "pods", QUOTA)
    outcomes = voyage.run(plans)
    assert states(outcomes) == ["failed"] * 3
    assert set(codes(outcomes)) == {"QuotaExceeded"}
    assert leftovers(api) == []


def test_a_workload_that_another_run_has_does_not_keep_the_others(tmp_path: Path) -> None:
    api = cluster(*workload("web"), *workload("db", 2))
    voyage = Voyage(api, tmp_path, seconds=15)
    plans = voyage.plans()
    api.put(lease(entry(owner_uid="uid-db"), name=lease_name("uid-db"), seconds=60))
    outcomes = voyage.run(plans)
    assert sorted(zip(states(outcomes), codes(outcomes), strict=True)) == [
        *[("failed", "LockedBy")] * 2,
        *[("moved", "")] * 3,
    ]


def test_a_dead_runs_moves_are_finished_first(tmp_path: Path) -> None:
    api = cluster(*workload("web"))
    voyage = Voyage(api, tmp_path)
    plans = voyage.plans()
    api.put(lease(*(p.entry for p in plans), name=lease_name("uid-web"), seconds=1))
    assert states(voyage.run(plans)) == ["moved"] * 3
    assert [r["outcome"] for r in voyage.fleet.recovered] == ["rolled_back"] * 3
    assert leftovers(api) == []


def test_who_loses_his_lock_harms_nobody_else(tmp_path: Path) -> None:
    api = cluster(*workload("web"), *workload("db", 2))
    voyage = Voyage(api, tmp_path, seconds=600)
    thief = {"spec": {"holderIdentity": "thief", "leaseTransitions": 1}}
    thieves = [thief]

    def steal() -> None:
        if thieves:
            api.change(LEASE, lease_name("uid-db"), NS, thieves.pop())

    voyage.meanwhile = steal
    outcomes = voyage.run()
    found = {(o.plan.entry.owner_name, o.state, o.error and o.error.code) for o in outcomes}
    assert found == {("web", "moved", None), ("db", "failed", "LockLost")}


def test_an_api_error_turns_one_move_round(tmp_path: Path) -> None:
    api = cluster(*workload("web"))
    voyage = Voyage(api, tmp_path)
    plans = voyage.plans()
    api.before("create", "pods", ApiError(500, "InternalError", "etcd is away"))
    outcomes = voyage.run(plans)
    assert sorted(states(outcomes)) == ["failed", "moved", "moved"]
    assert leftovers(api) == []


def test_a_pod_that_is_gone_by_then_fails_and_one_that_was_moved_is_done(tmp_path: Path) -> None:
    api = cluster(*workload("web"))
    voyage = Voyage(api, tmp_path)
    plans = voyage.plans()
    api.remove(POD, "web-0", NS)
    moved = pod("web-1-m", on="b", owner=workload("web")[0])
    moved["metadata"]["labels"]["podplacement.io/moved-from-uid"] = "uid-web-1"
    api.remove(POD, "web-1", NS)
    api.put(moved)
    outcomes = voyage.run(plans)
    assert states(outcomes)[:2] == ["failed", "moved"]
    assert codes(outcomes)[0] == "PodGone"
    assert outcomes[1].moved is not None
    assert outcomes[1].moved["new_pod"] == "web-1-m"


def test_progress_is_told_with_counts(tmp_path: Path) -> None:
    api = cluster(*workload("web", 2))
    voyage = Voyage(api, tmp_path)
    voyage.run()
    kinds = [event for event, pod_name in voyage.told()]
    assert [kinds.count(k) for k in ("planned", "started", "moved", "failed")] == [2, 2, 2, 0]
    last = voyage.events[-1]
    assert (last["done"], last["total"], last["failed"], last["left"]) == (2, 2, 0, 0.0)
    assert {e["node"] for e in voyage.events} == {"b"}


def test_no_plans_are_no_work(tmp_path: Path) -> None:
    assert Voyage(World(), tmp_path).run([]) == []


def test_what_nobody_expected_is_raised(tmp_path: Path) -> None:
    api = cluster(*workload("web"))
    voyage = Voyage(api, tmp_path)
    plans = voyage.plans()
    api.before("create", "leases", RuntimeError("a mistake"))
    with pytest.raises(RuntimeError, match="a mistake"):
        voyage.run(plans)


def test_the_error_of_a_lock_is_one_of_the_moves(tmp_path: Path) -> None:
    api = cluster(*workload("web", 1))
    voyage = Voyage(api, tmp_path)
    plans = voyage.plans()
    api.before("create", "leases", Forbidden(403, "Forbidden", "leases is forbidden"))
    outcome = voyage.run(plans)[0]
    assert isinstance(outcome.error, PlacementError)
    assert outcome.error.code.startswith("RbacDenied")
    assert outcome.state == "failed"


def test_a_move_that_ends_in_its_turn_gives_it_back(tmp_path: Path) -> None:
    """Its old pod was marked, and its replacement could not be handed over: others can."""
    voyage = Voyage(cluster(*workload("web")), tmp_path)
    plans = voyage.plans()
    voyage.api.before("patch", "pods", lambda: None)
    voyage.api.before("patch", "pods", Forbidden(403, "Forbidden", "no"))
    outcomes = voyage.run(plans)
    assert sorted(states(outcomes)) == ["failed", "moved", "moved"]
    assert voyage.api.lowest == 3
