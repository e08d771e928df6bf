# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod on its way to a node: what the queue knows of it, and how two of them compare."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from ..framework.interface import Plugin

if TYPE_CHECKING:
    from ..cache.objects import Pod


class Place(enum.StrEnum):
    """Where a pod is; the values are the label `queue` of scheduler_pending_pods."""

    ACTIVE = "active"
    BACKOFF = "backoff"
    UNSCHEDULABLE = "unschedulable"
    GATED = "gated"
    IN_FLIGHT = "in flight"
    GONE = "gone"


class Entry:
    """A pod on its way (QueuedPod); `began` and `timestamp` are monotonic seconds."""

    __slots__ = (
        "attempts",
        "began",
        "bound_at",
        "changed",
        "moment",
        "place",
        "pod",
        "ready_at",
        "refused_by",
        "ticket",
        "timestamp",
    )

    def __init__(self, pod: Pod, now: float) -> None:
        self.pod = pod
        self.began = now
        self.timestamp = now
        self.attempts = 0
        self.place = Place.GONE
        self.bound_at: float | None = None  # when the binding succeeded; the watch confirms it
        self.refused_by: frozenset[str] = frozenset()
        self.ready_at = 0.0  # the end of its back-off
        self.ticket = 0  # which push into a heap is the one that counts
        self.moment = 0  # the last event before its attempt began
        self.changed = False  # the pod itself, since its attempt began


class _Before:
    """Lets a heap order by the `less` of a plugin."""

    __slots__ = ("entry", "less")

    def __init__(self, less: Callable[[Entry, Entry], bool], entry: Entry) -> None:
        self.less = less
        self.entry = entry

    def __lt__(self, other: _Before) -> bool:
        return self.less(self.entry, other.entry)

    def __eq__(self, other: object) -> bool:
        """Neither is before the other: the heap then takes what came first."""
        return isinstance(other, _Before) and not (self < other or other < self)


class _QueueSort(Protocol):
    """A plugin with this extension point."""

    def less(self, a: Entry, b: Entry) -> bool: ...


def sort_key(sort: Plugin) -> Callable[[Entry], Any]:
    """What the active heap compares: the plugin's own `sort_key` where it has one, else `less`."""
    own: Callable[[Entry], Any] | None = getattr(sort, "sort_key", None)
    if own is not None:
        return own
    less = cast(_QueueSort, sort).less  # the profile has made sure of it
    return lambda entry: _Before(less, entry)


def differs(old: Pod, new: Pod) -> bool:
    """Whether what a plugin may look at has changed; the status that we write ourselves has not."""
    if old.pod_class is not new.pod_class or old.share is not new.share or old.gates != new.gates:
        return True
    return _annotations(old) != _annotations(new)


def _annotations(pod: Pod) -> dict[str, str]:
    found: dict[str, str] = pod.object.get("metadata", {}).get("annotations") or {}
    pod.release()
    return found
