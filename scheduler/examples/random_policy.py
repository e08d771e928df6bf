# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smallest policy that is fun: a coin for each node, then a number, and the highest wins.

The built-in plugin `RandomScore` is the same with a seed and with more words in its log. To use
this file, put it into the folder of `userPlugins` and name it in a profile:

    profiles:
      - schedulerName: random-scheduler
        plugins:
          multiPoint:
            enabled: [{name: CoinAndDice}]
          score:
            enabled: [{name: CoinAndDice}]
            disabled: [{name: "*"}]
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping

from podplacement_scheduler.framework.interface import (
    SUCCESS,
    CycleState,
    NodeInfo,
    Plugin,
    PodView,
    Status,
    unschedulable,
)

log = logging.getLogger(__name__)


class CoinAndDice(Plugin):
    """No facets, no rows, no signature: it is asked anew for each pod and each node."""

    name = "CoinAndDice"

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        """Heads: the node is in the draw."""
        return SUCCESS if random.random() < 0.5 else unschedulable("node(s) lost the toss")

    def post_filter(self, state: CycleState, pod: PodView, statuses: Mapping[str, Status]) -> None:
        """All coins fell wrong: throw them again soon, whatever happens in the cluster."""
        self.handle.activate(pod.uid)

    def score(self, state: CycleState, pod: PodView, node: NodeInfo) -> int:
        """The dice."""
        return random.randrange(100)

    def normalize_score(
        self, state: CycleState, pod: PodView, scores: dict[str, int]
    ) -> dict[str, int]:
        """Called once with the scores of all nodes: a good place for one line of log."""
        log.info("calculated priorities of %s/%s: %s", pod.namespace, pod.name, scores)
        return scores
