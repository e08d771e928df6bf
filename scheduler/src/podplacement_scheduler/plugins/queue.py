# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods may enter the queue, and which of them goes first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..framework.interface import (
    SUCCESS,
    Event,
    Handle,
    Plugin,
    PodView,
    QueuedPod,
    Status,
    unresolvable,
)
from .base import Args, parse


class SchedulingGates(Plugin):
    """A gated pod waits outside; the API server would refuse to bind it."""

    name = "SchedulingGates"
    events: ClassVar[frozenset[Event]] = frozenset({Event.POD_CHANGED})

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        parse(self.name, args, Args)
        super().__init__(args, handle)

    def pre_enqueue(self, pod: PodView) -> Status:
        """Upstream's text, as Go prints a list."""
        if not pod.gates:
            return SUCCESS
        return unresolvable(f"waiting for scheduling gates: [{' '.join(pod.gates)}]")


class PrioritySort(Plugin):
    """The highest priority first, then the one that has waited longest."""

    name = "PrioritySort"

    def __init__(self, args: Mapping[str, Any], handle: Handle) -> None:
        parse(self.name, args, Args)
        super().__init__(args, handle)

    def less(self, a: QueuedPod, b: QueuedPod) -> bool:
        """Whether `a` goes before `b`."""
        return self.sort_key(a) < self.sort_key(b)

    def sort_key(self, queued: QueuedPod) -> tuple[int, float]:
        """The same order, for a heap."""
        return -queued.pod.priority, queued.timestamp
