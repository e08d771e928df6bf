# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many moves in hand at a time: killed, stopped or in company, no pod is short and nothing left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults import verdicts
from tests.faults.case_fleet import PODS, WRITES, deployment
from tests.faults.proxy import Match, When, Write
from tests.faults.referee import watching
from tests.faults.world import Run, World, creates, hands_over

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

KILLS: list[tuple[int, When]] = [
    (1, "after"),
    (3, "before"),
    (5, "after"),
    (7, "after"),
    (9, "before"),
    (WRITES, "before"),
]


def test_three_moves_have_one_lock_and_four_writes_each(world: World, tmp_path: Path) -> None:
    case = deployment(world)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = case.run().start()
        result = run.finish()
        assert len(result["moved"]) == PODS, f"{result}\n{run}"
        assert not case.again()["changed"]
        case.check(referee.history())
    assert len(run.proxy.writes) == WRITES, str(run)


@pytest.mark.parametrize(("n", "when"), KILLS)
def test_a_killed_fleet_is_finished_by_the_next_run(
    n: int, when: When, world: World, tmp_path: Path
) -> None:
    case = deployment(world)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        killed = case.run()
        killed.proxy.at(n, when, killed.kill)
        killed.start().died()
        second = case.again()
        assert not second.get("failed"), f"{second}\n{killed}"
        third = case.again()
        assert third["changed"] is False, f"{third}\n{killed}"
        case.check(referee.history())


def stops(run: Run) -> None:
    """The wish to end, as ansible-playbook sends it on."""
    os.killpg(run.process.pid, signal.SIGTERM)


@pytest.mark.parametrize("n", [1, 3, 6, 9, WRITES])
def test_a_stopped_fleet_leaves_every_pod_moved_or_untouched(
    n: int, world: World, tmp_path: Path
) -> None:
    """What was begun is finished or taken back, the lock is released, and the next run goes on."""
    case = deployment(world)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = case.run()
        run.proxy.at(n, "after", lambda _write: stops(run))
        result = run.start().finish()
        moved = len(result.get("moved", []))
        assert moved == 0 or n > PODS, f"{result}\n{run}"  # not all replacements were made yet
        if moved < PODS:
            assert result["error"]["code"] == "Cancelled", f"{result}\n{run}"
        world.wait_idle(PODS)
        assert verdicts.leftovers(world.kube, world.namespace) == [], str(run)
        again = case.again()
        assert not again.get("failed"), f"{again}\n{run}"
        case.check(referee.history())


@pytest.mark.parametrize("match", [creates("pods"), hands_over], ids=["created", "handed-over"])
def test_a_stopped_move_is_taken_back_before_the_swap_and_finished_after_it(
    match: Match, world: World, tmp_path: Path
) -> None:
    case = deployment(world)
    name, node = case.args["moves"][0]["name"], case.args["moves"][0]["node"]
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = world.move(name, node)

        def stop(_write: Write) -> None:
            stops(run)

        run.proxy.at(match, "after", stop)
        result = run.start().finish()
        after = world.wait_idle(PODS)
        if match is hands_over:
            verdicts.assert_moved_once(case.pods, after, case.pods[0], node)
        else:
            assert result["error"]["code"] == "Cancelled", f"{result}\n{run}"
            world.assert_as_before(case.pods)
        verdicts.assert_never_short(referee.history(), "web", PODS)
    assert verdicts.leftovers(world.kube, world.namespace) == []


def test_two_fleets_on_one_deployment_take_turns(world: World, tmp_path: Path) -> None:
    """Each moves what it was told to, the second when the first has released the lock."""
    case = deployment(world)
    first, *others = case.args["moves"]
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        runs = [
            world.run(case.module, {**case.args, "moves": moves}) for moves in ([first], others)
        ]
        for run in runs:
            run.start()
        for run in runs:
            result = run.finish()
            assert not result.get("failed"), f"{result}\n{run}"
        case.check(referee.history())
