# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook is ended while a module moves pods: the module ends what it has in hand.

SIGTERM and SIGINT reach the module. ansible-runner, and so AWX, sends SIGKILL to the process group
of ansible-playbook, which the module is not in: it finds out that it was deserted.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults import verdicts
from tests.faults.case_fleet import PODS, deployment, heir_of
from tests.faults.processes import tree
from tests.faults.proxy import Write
from tests.faults.referee import watching
from tests.faults.test_playbook import start_playbook
from tests.faults.world import World, creates

pytestmark = [pytest.mark.cluster, pytest.mark.faults]
SECONDS = 60.0


class Strike:
    """An action that sends a signal to ansible-playbook's group, and knows who was there then."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number
        self.leader = 0
        self._ends: list[int] = []

    def __call__(self, _write: Write) -> None:
        for pid in tree(self.leader):
            with suppress(ProcessLookupError):
                self._ends.append(os.pidfd_open(pid))
        os.killpg(self.leader, self.number)

    def wait(self) -> None:
        """Until all of them have ended, the module too."""
        for end in self._ends:
            assert select.select([end], [], [], SECONDS)[0], "a process is still there"
            os.close(end)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=str)
def test_the_move_in_hand_is_ended_and_no_other_is_begun(
    number: signal.Signals, world: World, tmp_path: Path
) -> None:
    case = deployment(world, forks=1)
    with watching(world.cluster.kubeconfig, world.namespace, tmp_path) as referee:
        run = world.run(case.module, case.args, start_playbook)
        strike = Strike(number)
        run.proxy.at(creates("pods"), "after", strike)
        strike.leader = run.start().process.pid
        run.process.communicate(timeout=SECONDS)
        strike.wait()
        after = world.wait_idle(PODS)
        assert verdicts.leftovers(world.kube, world.namespace) == [], str(run)
        moved = [old for old in case.pods if any(heir_of(pod, old) for pod in after)]
        assert len(moved) < PODS, str(run)
        assert not case.again().get("failed")
        case.check(referee.history())
