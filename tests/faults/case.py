# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all cases have in common: a workload, a task, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.cluster.kube import Object
from tests.faults import verdicts
from tests.faults.referee import History
from tests.faults.world import Run, World
from tests.integration.runner import Result

REPLICAS = 2


@dataclass
class Case:
    """A workload that is ready to be moved."""

    world: World
    module: str
    args: dict[str, Any]
    pods: list[Object]
    controllers: dict[tuple[str, str], Object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.controllers = verdicts.controllers(self.world.kube, self.world.namespace)

    def run(self) -> Run:
        """The task, behind a proxy."""
        return self.world.run(self.module, self.args)

    def again(self) -> Result:
        """The task, straight to the API server."""
        return self.world.task(self.module, self.args)

    def check(self, history: History) -> None:
        """Assert what must hold in the end and at every moment before."""
        world = self.world
        after = world.wait_idle(len(self.pods))
        assert verdicts.leftovers(world.kube, world.namespace) == []
        self.check_result(after, history)

    def check_result(self, after: list[Object], history: History) -> None:
        """What is particular to the case."""
        raise AssertionError("each case has its own")
