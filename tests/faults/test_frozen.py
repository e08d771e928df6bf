# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that stands still while another overtakes it does no harm when it wakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cases import CASES, ledger
from tests.faults.proxy import When
from tests.faults.referee import watching
from tests.faults.world import World, creates

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

LOCK_SECONDS = 3
FROZEN = [
    pytest.param(strategy, n, when, id=f"{strategy}-{when}-{n}")
    for strategy in (
        "adopt-deployment",
        "shadow-replicaset",
        "replace-deployment",
        "evict-unknown-owner",
        "steer-static",
        "steer-block",
        "recreate",
        "surge",
    )
    for n in range(1, ledger()[strategy]["writes"] + 1)
    for when in ("before", "after")
]


@pytest.mark.parametrize(("strategy", "n", "when"), FROZEN)
def test_a_run_that_was_overtaken_does_no_harm(
    strategy: str, n: int, when: When, world: World, tmp_path: Path
) -> None:
    """Its write that was under way, and what it would do next, meet a guard."""
    case = CASES[strategy](world)
    case.args["lock_duration"] = LOCK_SECONDS
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        first = case.run()
        stop = first.freeze()
        first.proxy.at(n, when, stop)
        first.start()
        stop.wait()
        second = case.again()
        assert not second.get("failed"), f"{second}\n{first}"
        stop.wake()
        overtaken = first.finish()
        if overtaken.get("failed"):
            assert overtaken["error"]["code"] == "LockLost", f"{overtaken}\n{first}"
        assert case.again()["changed"] is False
        case.check(referee.history())


def test_a_live_run_keeps_its_lock_beyond_the_duration(world: World, tmp_path: Path) -> None:
    """A run that waits for a slow pod renews its Lease, so another one waits for it."""
    case = CASES["recreate"](world)
    pod = case.pods[0]["metadata"]["name"]
    world.kube.annotate("Pod", pod, world.namespace, ready_after="7s")
    case.args["lock_duration"] = LOCK_SECONDS  # less, and a busy machine may well lose it
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        first = case.run()
        held = first.proxy.hold(creates("pods"), "after")
        first.start()
        held.wait()
        held.release()
        second = case.again()
        assert first.finish()["changed"]
        assert second["changed"] is False
        history = referee.history()
    assert history.created("Pod") == [pod]


def test_a_lock_that_is_not_let_go_is_an_error_with_its_holder(world: World) -> None:
    """Another run that lives does not end in time: LockedBy, and nothing was done."""
    case = CASES["adopt-deployment"](world)
    first = case.run()
    held = first.proxy.hold(creates("pods"))
    first.start()
    held.wait()
    case.args["wait_timeout"] = 1
    refused = case.again()
    assert refused["error"]["code"] == "LockedBy"
    assert refused["changed"] is False
    held.release()
    assert first.finish()["changed"]
