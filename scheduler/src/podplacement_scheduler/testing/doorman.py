# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's plugin that makes pods wait, changes its mind, and counts what it was given back.

Of the pods that come to its door some go in at once, some are let in after a while, and some are
turned away the first time, after they have been called back while they still waited: what happens
to a pod in flight must not be lost.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

from ..framework.interface import (
    SUCCESS,
    Code,
    CycleState,
    Event,
    Handle,
    NodeInfo,
    Plugin,
    PodView,
    Status,
)

_OPENS_AFTER = 1.0
_PATIENCE = 2.5


class Doorman(Plugin):
    """Every point that a decision passes after Filter."""

    name = "Doorman"
    # Nothing that happens in the cluster changes its mind: it calls pods back by itself.
    events: ClassVar[frozenset[Event]] = frozenset()

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        super().__init__(args, handle)
        self.held: Counter[str] = Counter()  # uid -> places that were reserved and not given back
        self._visits: Counter[str] = Counter()

    def filter(self, state: CycleState, pod: PodView, node: NodeInfo) -> Status:
        return SUCCESS

    def reserve(self, state: CycleState, pod: PodView, node_name: str) -> Status:
        self.held[pod.uid] += 1
        return SUCCESS

    def unreserve(self, state: CycleState, pod: PodView, node_name: str) -> None:
        self.held[pod.uid] -= 1

    def permit(self, state: CycleState, pod: PodView, node_name: str) -> tuple[Status, float]:
        self._visits[pod.uid] += 1
        manner = zlib.crc32(pod.name.encode()) % 4
        soon = asyncio.get_running_loop().call_later
        if manner == 0:
            soon(_OPENS_AFTER, self._open, pod.uid)
            return Status(Code.WAIT), _PATIENCE
        if manner == 1 and self._visits[pod.uid] == 1:
            soon(_OPENS_AFTER, self.handle.activate, pod.uid)
            return Status(Code.WAIT), _PATIENCE
        return SUCCESS, 0.0

    def _open(self, uid: str) -> None:
        """Now, or when it comes again: a process that was frozen may open when time is up."""
        self.handle.allow(uid)
        self.handle.activate(uid)

    async def pre_bind(self, state: CycleState, pod: PodView, node_name: str) -> Status:
        await asyncio.sleep(0.05)
        return SUCCESS

    async def post_bind(self, state: CycleState, pod: PodView, node_name: str) -> None:
        self.held[pod.uid] -= 1

    def wrong(self) -> list[str]:
        """Places that were reserved and neither used nor given back, or given back twice."""
        held = self.held.items()
        return [f"the doorman has {count} places for {uid}" for uid, count in held if count]
