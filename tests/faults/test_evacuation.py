# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An evacuation that is killed or stopped anywhere is taken up where it was, from anywhere."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.audit import Audit
from tests.faults import verdicts
from tests.faults.processes import signal_tree
from tests.faults.proxy import Match, When, Write
from tests.faults.referee import watching
from tests.faults.world import World, creates, hands_over
from tests.integration.estate import MODULE, Estate, bare, codes, workload

pytestmark = [pytest.mark.cluster, pytest.mark.faults]
REPLICAS = 3
SLOW = {"test.podplacement.io/ready-after": "1s"}


@pytest.fixture
def estate(world: World, audit: Audit) -> Iterator[Estate]:
    """Pods of one Deployment and a bare one on a node, and two nodes that are empty."""
    found = Estate(world.cluster, world.kube, world.namespace, audit)
    found.fill(workload("web", REPLICAS, pod_annotations=SLOW), bare("alone"))
    found.open()
    yield found
    found.remove()


def cordons(write: Write) -> bool:
    """Matches the cordon, and the end of it."""
    return write.method == "PATCH" and write.resource == "nodes"


def stops_the_bare_pod(write: Write) -> bool:
    """Matches the end of the pod that has nothing but its journal then."""
    return write.resource == "pods/eviction" and write.name == "alone"


def forgets(write: Write) -> bool:
    """Matches the deletion of the record."""
    return write.method == "DELETE" and write.resource == "configmaps"


AWAY: list[tuple[str, Match, When]] = [
    ("cordon", cordons, "after"),
    ("record", creates("configmaps"), "after"),
    ("journal", creates("leases"), "after"),
    ("hand over", hands_over, "after"),
    ("bare pod", stops_the_bare_pod, "after"),
]
BACK: list[tuple[str, Match, When]] = [
    ("uncordon", cordons, "after"),
    ("hand over", hands_over, "before"),
    ("record", forgets, "before"),
]


@pytest.mark.parametrize(("match", "when"), [p[1:] for p in AWAY], ids=[p[0] for p in AWAY])
def test_an_evacuation_that_was_killed_is_finished_by_the_next_run(
    match: Match, when: When, world: World, estate: Estate, tmp_path: Path
) -> None:
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        killed = world.run(MODULE, estate.args())
        killed.proxy.at(match, when, killed.kill)
        killed.start().died()
        result = world.task(MODULE, estate.args())
        assert not result.get("failed"), f"{result}\n{killed}"
        history = referee.history()
    assert (estate.on(estate.source), estate.is_cordoned()) == ([], True)
    assert_whole(world, estate)
    verdicts.assert_never_short(history, "web", REPLICAS)
    assert not history.lost("alone")
    (record,) = estate.records()
    state = json.loads(record["data"]["state.json"])
    assert [c["count"] for c in state["controllers"]] == [REPLICAS]
    assert [p["name"] for p in state["pods"]] == ["alone"]
    assert state["was_unschedulable"] is False
    assert world.task(MODULE, estate.args())["changed"] is False


@pytest.mark.parametrize(("match", "when"), [p[1:] for p in BACK], ids=[p[0] for p in BACK])
def test_a_return_that_was_killed_is_finished_by_the_next_run(
    match: Match, when: When, world: World, estate: Estate
) -> None:
    assert not world.task(MODULE, estate.args()).get("failed")
    back = estate.args(state="returned")
    killed = world.run(MODULE, back)
    killed.proxy.at(match, when, killed.kill)
    killed.start().died()
    result = world.task(MODULE, back)
    assert not result.get("failed"), f"{result}\n{killed}"
    assert len(estate.on(estate.source)) == REPLICAS + 1
    assert (estate.is_cordoned(), estate.records()) == (False, [])
    assert_whole(world, estate)
    assert world.task(MODULE, back)["changed"] is False


def test_one_that_is_told_to_stop_ends_what_it_began_and_says_what_is_left(
    world: World, estate: Estate, tmp_path: Path
) -> None:
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        stopped = world.run(MODULE, estate.args(forks=1, on_stop="uncordon"))
        held = stopped.proxy.hold(creates("pods"), "after")
        stopped.start()
        held.wait()
        signal_tree(stopped.process.pid, signal.SIGTERM)
        held.release()
        result = stopped.finish()
        history = referee.history()
    assert result["error"]["code"] == "Cancelled", result
    assert set(codes(result).values()) == {"Cancelled"}
    assert result["summary"]["moved"] + len(result["leftovers"]) == REPLICAS + 1
    assert (result["cordoned"], estate.is_cordoned()) == (False, False)
    verdicts.assert_never_short(history, "web", REPLICAS)
    assert_whole(world, estate)
    assert not world.task(MODULE, estate.args()).get("failed")
    assert estate.on(estate.source) == []


def assert_whole(world: World, estate: Estate) -> None:
    """As many pods as there were, all Ready, and no trace of a move."""
    world.wait_idle(REPLICAS + 1)
    assert verdicts.leftovers(estate.kube, estate.namespace) == []
