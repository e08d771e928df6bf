# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each node draws a number, and the highest wins: the policy of the random-scheduler.

That one throws a coin for every node before it draws, and forgets a pod for which all coins fell
wrong. Here such a pod is tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from random import Random
from typing import Annotated, Any

import msgspec

from ..framework.interface import (
    SUCCESS,
    CycleState,
    Handle,
    NodeInfo,
    Plugin,
    PodView,
    Status,
    unschedulable,
)
from .base import Args, parse

LOG = logging.getLogger(__name__)
_REASON = "node(s) lost the toss"


class RandomArgs(Args, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """`seed` makes the draws repeat; `predicate` is the chance of a node to be in the draw."""

    seed: int | None = None
    predicate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5


class RandomScore(Plugin):
    """The whole policy: a toss for each node, a number for those that are left."""

    name = "RandomScore"

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        super().__init__(args, handle)
        parsed = parse(self.name, args, RandomArgs)
        self._random = Random(parsed.seed)
        self._chance = parsed.predicate

    def pre_filter(self, state: CycleState, pod: PodView) -> Status:
        """Says what it is about to place."""
        LOG.info("found a pod to schedule: %s / %s", pod.namespace, pod.name)
        return SUCCESS

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        """Heads or tails."""
        return SUCCESS if self._random.random() < self._chance else unschedulable(_REASON)

    def post_filter(
        self, state: CycleState, pod: PodView, statuses: Mapping[str, Status]
    ) -> Status:
        """Luck may turn at once: no event of the cluster has to come first."""
        self.handle.activate(pod.uid)
        return unschedulable()

    def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
        """0 to 99."""
        return self._random.randrange(100)

    def normalize_score(
        self, state: CycleState, pod: PodView, scores: dict[str, int]
    ) -> dict[str, int]:
        """All priorities in one line, as the random-scheduler logs them."""
        told = " ".join(f"{name}:{score}" for name, score in sorted(scores.items()))
        LOG.info("calculated priorities: map[%s]", told)
        return scores

    async def post_bind(self, state: CycleState, pod: PodView, node_name: str) -> None:
        """Said once it is true."""
        LOG.info("Placed pod [%s/%s] on %s", pod.namespace, pod.name, node_name)
