# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lost reply, or a request that never arrived, changes nothing of what a move does in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cases import CASES, ledger
from tests.faults.proxy import Action, Reply, When, Write
from tests.faults.referee import watching
from tests.faults.world import World, answer, drop

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

# One of each way to write; the others run the same code.
STRATEGIES = (
    "adopt-deployment",
    "shadow-replicaset",
    "replace-deployment",
    "evict-unknown-owner",
    "recreate",
    "surge",
    "bind",
    "pod-scheduler",
)
LOST = [
    pytest.param(strategy, n, id=f"{strategy}-{n}")
    for strategy in STRATEGIES
    for n in range(1, ledger()[strategy]["writes"] + 1)
]


def _finish(
    strategy: str, world: World, folder: Path, fault: Action, *, at: int, when: When
) -> None:
    """Run a case with a fault at one write (0: at every other one): it still does its work."""
    case = CASES[strategy](world)
    with watching(world.cluster.kubeconfig, world.namespace, folder) as referee:
        run = case.run()
        if at:
            run.proxy.at(at, when, fault)
        else:
            run.proxy.at(_odd, when, fault, times=100)
        result = run.start().finish()
        assert not result.get("failed"), f"{result}\n{run}"
        assert case.again()["changed"] is False
        case.check(referee.history())


def _odd(write: Write) -> bool:
    return write.n % 2 == 1


@pytest.mark.parametrize(("strategy", "n"), LOST)
def test_a_lost_reply_is_found_out(strategy: str, n: int, world: World, tmp_path: Path) -> None:
    """The write was done, but nobody said so."""
    _finish(strategy, world, tmp_path, drop, at=n, when="after")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "fault", [Reply(0), Reply(503, "ServiceUnavailable"), Reply(429, "TooManyRequests")], ids=str
)
def test_a_request_that_was_not_served_is_sent_again(
    strategy: str, fault: Reply, world: World, tmp_path: Path
) -> None:
    """Every other write fails before the server has it: broken connection, outage, rate limit."""
    _finish(strategy, world, tmp_path, answer(fault.status, fault.reason), at=0, when="before")
