# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster in memory, and one who decides on it with the real plugins."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from podplacement_scheduler import config
from podplacement_scheduler.cache.objects import Pod, decode_pod
from podplacement_scheduler.engine.decide import Decider, Decision
from podplacement_scheduler.engine.explain import Explanation, explain
from podplacement_scheduler.engine.handle import SchedulerHandle
from podplacement_scheduler.engine.waiting import Waiting
from podplacement_scheduler.framework.guard import Guard
from podplacement_scheduler.framework.interface import FitError, Plugin
from podplacement_scheduler.framework.profile import build_profiles

from ..cache.objects import OURS, World, pod, raw

Plugins = Mapping[str, type[Plugin]]


class Seat(World):
    """A cluster, and one who decides on it."""

    def __init__(
        self,
        *nodes: dict[str, Any],
        plugins: Plugins | None = None,
        only: bool = False,
        percentage: int = 0,
        **rest: Any,
    ) -> None:
        super().__init__(*nodes, **rest)
        self.guard = Guard(budget=60, max_overruns=3)
        enabled = [{"name": name} for name in plugins or {}]
        disabled = [{"name": "*"}] if only else []
        point = {"enabled": enabled, "disabled": disabled}
        if only:
            enabled.append({"name": "PrioritySort"})
        profile = {"schedulerName": OURS, "plugins": {"multiPoint": point}}
        self.profiles = build_profiles(
            config.parse({"profiles": [profile]}),
            SchedulerHandle(self.cluster, Waiting()),
            plugins or {},
            self.guard,
        )
        self.decider = self.another(percentage)

    def another(self, percentage: int = 0) -> Decider:
        return Decider(self.cluster, self.profiles, percentage=percentage, rng=Random(7))

    def pod(self, uid: str = "new", **needs: Any) -> Pod:
        """A pod that waits, as the queue has it."""
        return decode_pod(raw(pod(uid, **needs)), self.cluster.interner)

    def decide(self, **needs: Any) -> Decision | FitError:
        return self.decider.decide(self.pod(**needs))

    def chosen(self, **needs: Any) -> str:
        found = self.decide(**needs)
        assert isinstance(found, Decision), found
        return found.node

    def refused(self, **needs: Any) -> FitError:
        found = self.decide(**needs)
        assert isinstance(found, FitError), found
        return found

    def explained(self, **needs: Any) -> Explanation:
        return explain(self.decider.plans[OURS], self.pod(**needs), self.cluster.table)


TAINT = {"key": "example.com/gpu", "value": "yes", "effect": "NoSchedule"}
TOLERATES = [{"key": "example.com/gpu", "operator": "Exists"}]
