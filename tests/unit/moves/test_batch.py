# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several moves in one task: refused together, done one after the other, reported in any case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.moves.batch import carry_out_all
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import DO_NOT_MOVE
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from tests.unit.moves.objects import (
    NS,
    budget,
    controller,
    deployment,
    endpoints,
    holder,
    lease,
    node,
    pod,
    settings,
)
from tests.unit.moves.world import World

Result = dict[str, Any]


def world(*names: str) -> World:
    return World(node("a"), node("b"), *(pod(n, labels={"app": n}) for n in names))


def orders(*names: str, target: str = "b", strategy: str = "auto") -> list[Order]:
    return [Order(NS, name, target, strategy) for name in names]


def run(api: World, folder: Path, wanted: list[Order], **how: Any) -> Result:
    return carry_out_all(api, wanted, settings(api.clock, holder(folder), **how))


def failure(api: World, folder: Path, wanted: list[Order], **how: Any) -> PlacementError:
    with pytest.raises(PlacementError) as caught:
        run(api, folder, wanted, **how)
    return caught.value


def test_all_are_moved_and_reported_in_order(tmp_path: Path) -> None:
    api = world("p", "q")
    result = run(api, tmp_path, orders("q", "p"))
    assert result["changed"]
    assert [m["pod"] for m in result["moved"]] == ["q", "p"]
    assert [p["pod"] for p in result["plan"]] == ["q", "p"]
    assert result["diff"]["after"] == {
        "pods": [{"pod": "q", "node": "b"}, {"pod": "p", "node": "b"}]
    }
    assert result["leftovers"] == []


def test_check_mode_foretells_the_run(tmp_path: Path) -> None:
    api = world("p", "q")
    foretold = run(api, tmp_path, orders("p", "q"), check=True)
    assert api.writes() == []
    done = run(api, tmp_path, orders("p", "q"))
    assert foretold["diff"] == done["diff"]
    assert foretold["changed"] == done["changed"]
    again = run(api, tmp_path, orders("p", "q"))
    assert (again["changed"], again["moved"], again["plan"]) == (False, [], [])
    assert again["diff"]["before"] == again["diff"]["after"]


def test_nothing_to_do_is_no_change(tmp_path: Path) -> None:
    api = world()
    assert run(api, tmp_path, [])["changed"] is False


@pytest.mark.parametrize("check", [True, False])
def test_all_refusals_are_told_before_anything_is_begun(check: bool, tmp_path: Path) -> None:
    api = world("p")
    for name in ("q", "r"):
        api.put(pod(name, annotations={DO_NOT_MOVE: "true"}))
    err = failure(api, tmp_path, orders("p", "q", "r", "s"), check=check)
    assert err.code == "OptedOut"
    assert err.message.endswith("(and 2 more, see leftovers)")
    assert [(one["name"], one["code"]) for one in err.result["leftovers"]] == [
        ("q", "OptedOut"),
        ("r", "OptedOut"),
        ("s", "PodNotFound"),
    ]
    assert not err.changed
    assert api.writes() == []


@pytest.mark.parametrize("check", [True, False])
def test_a_single_refusal_is_told_as_it_is(check: bool, tmp_path: Path) -> None:
    err = failure(world("p"), tmp_path, orders("p", "s"), check=check)
    assert err.code == "PodNotFound"
    assert "leftovers" not in err.message
    alone = failure(world(), tmp_path, orders("s"), check=check)
    assert (alone.code, alone.message) == ("PodNotFound", err.message)


def test_what_time_may_cure_does_not_stop_a_batch(tmp_path: Path) -> None:
    """The rollout is over by the time its turn comes."""
    above = deployment(updatedReplicas=1)
    owner = controller(above=above)
    api = world("p")
    for one in (above, owner, pod("w1", owner=owner), pod("w2", owner=owner)):
        api.put(one)
    api.before("create", "leases", lambda: api.put(deployment()))
    result = run(api, tmp_path, orders("p", "w1"))
    assert [m["pod"] for m in result["moved"]] == ["p", "w1"]
    busy = world("p")
    for one in (above, owner, pod("w1", owner=owner), pod("w2", owner=owner)):
        busy.put(one)
    err = failure(busy, tmp_path, orders("p", "w1"), check=True)
    assert err.code == "RolloutInProgress"


def test_a_failure_halfway_tells_what_was_done(tmp_path: Path) -> None:
    api = world("p", "q")
    api.put(budget(minimum=1, app="q"))
    err = failure(api, tmp_path, orders("p", "q"), seconds=20)
    assert err.code == "PdbBlocked"
    assert err.changed
    assert [m["pod"] for m in err.result["moved"]] == ["p"]
    assert err.result["rolled_back"] is True
    assert "changed" not in err.result


def test_a_move_that_took_too_long_is_reported_beside_the_ones_before(tmp_path: Path) -> None:
    """The move is done, and so were the others: a report must not hide them."""
    api = world("p", "q")
    err = failure(api, tmp_path, orders("p", "q"), max_downtime=0.1)
    assert err.code == "DowntimeExceeded"
    assert [m["pod"] for m in err.result["moved"]] == ["p"]
    slow = World(node("a"), node("b"), pod("p"), pod("q"))
    wanted = [*orders("p", strategy="surge"), *orders("q")]
    err = failure(slow, tmp_path, wanted, max_downtime=0.1)
    assert [m["pod"] for m in err.result["moved"]] == ["p", "q"]


def test_a_task_in_a_row_finds_its_own_abandoned_lock(tmp_path: Path) -> None:
    """The first move failed and left its Lease to the next run: that may be the same process."""
    api = world("p")
    api.put(lease(name="podmove-x", holder=holder(tmp_path).identity))
    assert run(api, tmp_path, orders("p"))["changed"]


def test_warnings_are_told_once(tmp_path: Path) -> None:
    api = World(node("a"), node("b", unschedulable=True), pod("p"), pod("q"))
    wanted = orders("p", "q")
    result = run(api, tmp_path, wanted, validate="warn", check=True)
    assert len(result["warnings"]) == 2
    assert len(set(result["warnings"])) == 2


def test_endpoints_of_others_do_not_matter(tmp_path: Path) -> None:
    api = world("p")
    api.put(endpoints("web", p=True))
    assert run(api, tmp_path, orders("p"))["changed"]
