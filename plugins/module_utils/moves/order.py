# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a move is asked to do, with what limits, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Set, Tuple

from ..clock import Clock, Deadline
from .holder import Holder

Data = Dict[str, Any]


def never() -> bool:
    """Nobody asks this run to stop."""
    return False


def nobody(_event: Mapping[str, Any]) -> None:
    """Nobody listens to what a run tells of its progress."""


@dataclass(frozen=True)
class Order:
    """Move pod ``name`` to ``node``; without a node, replace it wherever its scheduler puts the new
    one, and with ``away`` anywhere but where it is.

    ``fallback: evict`` sends a pod that no lossless strategy can move through an eviction;
    ``jobs`` says what happens to the pods of a Job: ``leave``, ``wait`` or ``evict``. ``assigned``:
    the node was chosen with all moves of a plan in view, so that what other pods demand of it was
    judged then, and cannot be judged by one move.
    """

    namespace: str
    name: str
    node: Optional[str] = None
    strategy: str = "auto"
    placement: str = "schedule"
    scheduler_name: Optional[str] = None
    away: bool = False
    fallback: str = "refuse"
    jobs: str = "leave"
    assigned: bool = False

    def destination(self) -> str:
        """What the move's id is made of, beside the pod's uid."""
        return self.node or "scheduler:" + (self.scheduler_name or "")


@dataclass(frozen=True)
class Settings:
    """Limits and permissions of a run. Seconds are floats; ``own_pod`` is the pod that this process
    runs in; ``stop`` is asked between steps whether to come to an end; ``say`` is told of progress;
    ``steer`` names how a StatefulSet's pod is brought to its node (see steering); ``silent`` are
    the namespaces in which this user may not create events.
    """

    clock: Clock
    deadline: Deadline
    holder: Holder
    check: bool = False
    wait: bool = True
    validate: str = "strict"
    soak: float = 0.0
    max_downtime: Optional[float] = None
    lock_duration: float = 30.0
    delete_emptydir_data: bool = False
    force: bool = False
    accept_differences: bool = False
    system_pods: bool = False
    terminate_grace_period: Optional[int] = None
    own_pod: Optional[Tuple[str, str]] = None
    steer: str = "auto"
    stop: Callable[[], bool] = never
    say: Callable[[Mapping[str, Any]], None] = nobody
    silent: Set[str] = field(default_factory=set)


@dataclass
class Report:
    """What one move did. ``before`` and ``after`` feed the diff; ``moved`` and ``plan`` are result
    items.
    """

    changed: bool = False
    moved: Optional[Data] = None
    plan: Optional[Data] = None
    recovered: List[Data] = field(default_factory=list)
    warnings: List[str] = field(default_factory=list)
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
