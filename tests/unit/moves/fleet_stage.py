# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet in a small cluster, where time and controllers go on while it waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.podplacement.core.plugins.module_utils.moves.fleet import (
    Fleet,
    Limits,
    Outcome,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.plan import Plan, make_plan
from ansible_collections.podplacement.core.plugins.module_utils.moves.workqueue import WorkQueue
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.unit.moves.objects import NS, Object, controller, holder, node, pod, settings
from tests.unit.moves.world import STEP_SECONDS, World


def workload(name: str, replicas: int = 3) -> list[Object]:
    """A ReplicaSet with all its pods on node a."""
    labels = {"app": name, "tier": "front"}
    owner = controller(name=name, replicas=replicas, labels=labels)
    return [owner, *(pod(f"{name}-{i}", owner=owner) for i in range(replicas))]


def cluster(*objects: Object) -> World:
    return World(node("a"), node("b"), *objects)


class Voyage:
    """One run of a fleet, with the API and the settings of it."""

    def __init__(self, api: World, folder: Path, limits: Limits | None = None, **how: Any) -> None:
        self.api = api
        self.events: list[dict[str, Any]] = []
        self.settings = settings(api.clock, holder(folder), say=self._hear, **how)
        self.fleet = Fleet(api, self.settings, limits or Limits(workers=0))
        self.fleet.queue = WorkQueue(api.clock, self._pause)
        self.meanwhile: Callable[[], object] = lambda: None

    def _hear(self, event: Any) -> None:
        self.events.append(dict(event))

    def _pause(self, seconds: float | None) -> None:
        self.meanwhile()
        if self.api.act():
            self.api.clock.sleep(STEP_SECONDS)
        else:
            self.api.clock.sleep(0.1 if seconds is None else seconds)

    def plans(self, names: Sequence[str] = ()) -> list[Plan]:
        """A move to node b for each of these pods, or for all of node a."""
        found = [p for p in self.api.pods() if p["spec"].get("nodeName") == "a"]
        wanted = [p for p in found if not names or p["metadata"]["name"] in names]
        orders = [Order(NS, p["metadata"]["name"], "b") for p in wanted]
        return [
            make_plan(self.api, order, self.settings, pod)
            for order, pod in zip(orders, wanted, strict=True)
        ]

    def run(self, plans: Sequence[Plan] | None = None) -> list[Outcome]:
        return self.fleet.run(self.plans() if plans is None else plans)

    def told(self, *kinds: str) -> list[tuple[str, str]]:
        return [(e["event"], e["pod"]) for e in self.events if not kinds or e["event"] in kinds]


def states(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.state for outcome in outcomes]


def codes(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.error.code if outcome.error else "" for outcome in outcomes]


def in_hand(api: World) -> int:
    """How many replacements there are that still carry their move's id."""
    marked = [p for p in api.pods() if "podplacement.io/move-id" in p["metadata"]["labels"]]
    return len(marked)


def on(api: World, node_name: str) -> int:
    return sum(p["spec"].get("nodeName") == node_name for p in api.pods())


def names(api: World) -> set[str]:
    return {api.get(POD, p["metadata"]["name"], NS)["metadata"]["name"] for p in api.pods()}
