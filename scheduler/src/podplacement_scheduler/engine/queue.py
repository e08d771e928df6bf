# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every pod of ours is in exactly one place, and every place has a way out.

Active pods are taken in the order of QueueSort. Those that failed wait: in back-off for a time, or
parked until something happens that one of the plugins that refused them has asked for. Gated ones
wait outside until their gates open. What happens while a pod is in flight is not lost: the number
of the last event of each sort is remembered, so an attempt that failed finds out that the world
has changed since it began. A pod in flight leaves only when the watch says that it is bound or
gone, or when its attempt puts it back.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from ..framework.interface import ALL_EVENTS, Event, Plugin, Status
from .entry import Entry, Place, differs, sort_key

if TYPE_CHECKING:
    from ..cache.objects import Pod
    from ..clock import Clock

PARKED_AT_MOST = 300.0
FLUSH_EVERY = 30.0
PENDING = (Place.ACTIVE, Place.BACKOFF, Place.UNSCHEDULABLE, Place.GATED)


class Metrics(Protocol):
    """What the queue tells."""

    def incoming(self, queue: str, event: str) -> None: ...


class Queue:
    """The pods that wait, and those in flight; a Listener of the cluster."""

    def __init__(
        self,
        sort: Plugin,
        *,
        gate: Callable[[Pod], Status],
        hints: Mapping[str, frozenset[Event]],
        clock: Clock,
        initial_backoff: float = 1.0,
        maximum_backoff: float = 10.0,
        metrics: Metrics | None = None,
    ) -> None:
        """`gate` runs the PreEnqueue plugins; `hints` are the `events` of each plugin by name."""
        self._key = sort_key(sort)
        self._gate = gate
        self._hints = hints
        self._clock = clock
        self._initial = initial_backoff
        self._maximum = maximum_backoff
        self._metrics = metrics
        self._entries: dict[str, Entry] = {}
        self._active: list[tuple[Any, int, Entry]] = []
        self._backoff: list[tuple[float, int, Entry]] = []
        # Unschedulable and gated pods by the plugins that refused them: an event is matched
        # against these few sets, not against every pod.
        self._parked: dict[frozenset[str], dict[str, Entry]] = {}
        self._sizes: Counter[Place] = Counter()
        self._tickets = count(1)
        self._moment = 0
        self._last: dict[Event, int] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    # What the cluster tells (Listener)

    def pod_pending(self, pod: Pod) -> None:
        """A pod of ours is new or has changed."""
        entry = self._entries.get(pod.uid)
        if entry is None:
            entry = self._entries[pod.uid] = Entry(pod, self._clock.monotonic())
            self._enter(entry, "PodAdd")
            return
        changed = differs(entry.pod, pod)
        entry.pod = pod
        if not changed:
            return
        if entry.place is Place.IN_FLIGHT:
            entry.changed = True
        elif entry.place in (Place.UNSCHEDULABLE, Place.GATED):
            self._wake(entry, Event.POD_CHANGED.value)
        elif entry.place is Place.ACTIVE and not self._gate(pod).ok:
            self._leave(entry)
            self._enter(entry, Event.POD_CHANGED.value)

    def pod_gone(self, pod: Pod) -> None:
        """The pod is bound, deleted or over: nothing is left to do for it."""
        entry = self._entries.pop(pod.uid, None)
        if entry is not None:
            self._leave(entry)
            entry.pod = pod

    def event(self, event: Event) -> None:
        """Something happened: those pods are tried again whose refusing plugins asked for it."""
        if event is Event.POD_CHANGED:
            return  # is about one pod: `pod_pending` brings it
        self._moment += 1
        self._last[event] = self._moment
        for plugins in [plugins for plugins in self._parked if self._helps(plugins, event)]:
            for entry in list(self._parked.get(plugins, {}).values()):
                self._wake(entry, event.value)

    def activate(self, uid: str) -> None:
        """Try a pod now, back-off or not, that a plugin believes can be placed."""
        entry = self._entries.get(uid)
        if entry is None or entry.place in (Place.ACTIVE, Place.GONE):
            return
        if entry.place is Place.IN_FLIGHT:
            entry.changed = True
            return
        self._leave(entry)
        self._enter(entry, Event.OTHER.value)

    # What the scheduler does

    def pop_now(self) -> Entry | None:
        """The first active pod, now in flight; None if there is none."""
        active = self._active
        while active:
            ticket, entry = heapq.heappop(active)[1:]
            if entry.ticket == ticket and entry.place is Place.ACTIVE:
                self._sizes[Place.ACTIVE] -= 1
                self._sizes[Place.IN_FLIGHT] += 1
                entry.place = Place.IN_FLIGHT
                entry.attempts += 1
                entry.moment = self._moment
                entry.changed = False
                entry.bound_at = None
                return entry
        return None

    async def ready(self) -> None:
        """Return when there may be an active pod."""
        if self._sizes[Place.ACTIVE]:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def pass_on(self) -> None:
        """Who was woken and cannot take a pod lets another one be woken."""
        if self._sizes[Place.ACTIVE]:
            self._wake_one()

    def park(self, entry: Entry, refused_by: frozenset[str]) -> None:
        """No node fits: wait for an event, unless one came while it was tried."""
        if entry.place is not Place.IN_FLIGHT:
            return
        self._set_backoff(entry)
        if self.missed(entry, refused_by):
            self._retry(entry, "ScheduleAttemptFailure")
        else:
            self._hold(entry, Place.UNSCHEDULABLE, refused_by, "ScheduleAttemptFailure")

    def retry(self, entry: Entry) -> None:
        """The attempt failed for a reason that passes by itself: again after its back-off."""
        if entry.place is Place.IN_FLIGHT:
            self._set_backoff(entry)
            self._retry(entry, "ScheduleAttemptFailure")

    def missed(self, entry: Entry, refused_by: frozenset[str]) -> bool:
        """Whether something that may help came while it was tried."""
        return entry.changed or self._happened_since(entry.moment, refused_by)

    def catch_up(self, entry: Entry, *, missed: bool) -> None:
        """What has happened until now is no news for this pod: it was its own doing."""
        entry.moment = self._moment
        entry.changed = missed

    def flush(self) -> None:
        """Try what has been parked for long, should an event have been missed or not exist."""
        limit = self._clock.monotonic() - PARKED_AT_MOST
        for group in list(self._parked.values()):
            for entry in list(group.values()):
                if entry.timestamp <= limit:
                    self._wake(entry, "UnschedulableTimeout")

    async def keep_flushing(self) -> None:
        """The safety net under the hints; forever."""
        while True:
            await asyncio.sleep(FLUSH_EVERY)
            self.flush()

    # What others look at

    def __contains__(self, uid: object) -> bool:
        return uid in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def pending(self) -> dict[str, int]:
        """For scheduler_pending_pods."""
        return {place.value: self._sizes[place] for place in PENDING}

    def sizes(self) -> dict[str, int]:
        """The same, and the pods in flight."""
        return {**self.pending(), Place.IN_FLIGHT.value: self._sizes[Place.IN_FLIGHT]}

    def check(self) -> list[str]:
        """What is wrong: pods in no place, in two, or in one that does not hold them. All O(n)."""
        held: dict[str, list[Place]] = {uid: [] for uid in self._entries}
        for place, heap in ((Place.ACTIVE, self._active), (Place.BACKOFF, self._backoff)):
            for waiting in heap:
                ticket, entry = waiting[1:]
                if entry.place is place and entry.ticket == ticket:
                    held.setdefault(entry.pod.uid, []).append(place)
        for group in self._parked.values():
            for uid, entry in group.items():
                held.setdefault(uid, []).append(entry.place)
        wrong = []
        for uid, places in held.items():
            entry_or_none = self._entries.get(uid)
            place_now = entry_or_none.place if entry_or_none else Place.GONE
            expected = [] if place_now is Place.IN_FLIGHT else [place_now]
            if places != expected:
                wrong.append(f"{uid} is {place_now.value}, and is held by {places}")
        counted = Counter(entry.place for entry in self._entries.values())
        if counted != +self._sizes:
            wrong.append(f"the sizes are {dict(+self._sizes)}, and there are {dict(counted)}")
        return wrong

    # How pods move

    def _enter(self, entry: Entry, event: str) -> None:
        """Into the active heap, or outside if a gate is closed."""
        status = self._gate(entry.pod)
        if status.ok:
            self._activate(entry, event)
            return
        entry.timestamp = self._clock.monotonic()
        self._hold(entry, Place.GATED, frozenset((status.plugin,)), event)

    def _hold(self, entry: Entry, place: Place, refused_by: frozenset[str], event: str) -> None:
        entry.refused_by = refused_by
        self._move(entry, place)
        self._parked.setdefault(refused_by, {})[entry.pod.uid] = entry
        self._tell(place, event)

    def _activate(self, entry: Entry, event: str) -> None:
        entry.timestamp = self._clock.monotonic()
        self._move(entry, Place.ACTIVE)
        entry.ticket = ticket = next(self._tickets)
        heapq.heappush(self._active, (self._key(entry), ticket, entry))
        self._tell(Place.ACTIVE, event)
        if self._waiters:
            self._wake_one()

    def _retry(self, entry: Entry, event: str) -> None:
        """Active again, or first to the end of its back-off."""
        if entry.ready_at <= self._clock.monotonic():
            self._enter(entry, event)
            return
        self._move(entry, Place.BACKOFF)
        entry.ticket = ticket = next(self._tickets)
        heapq.heappush(self._backoff, (entry.ready_at, ticket, entry))
        self._tell(Place.BACKOFF, event)
        if self._backoff[0][2] is entry:
            self._arm()

    def _wake(self, entry: Entry, event: str) -> None:
        """Out of where it was parked; gates are asked again."""
        gated = entry.place is Place.GATED
        self._leave(entry)
        if gated:
            self._enter(entry, event)
        else:
            self._retry(entry, event)

    def _leave(self, entry: Entry) -> None:
        """Out of the place that holds it; heaps let go of it when they come to it."""
        if entry.place in (Place.UNSCHEDULABLE, Place.GATED):
            group = self._parked[entry.refused_by]
            del group[entry.pod.uid]
            if not group:
                del self._parked[entry.refused_by]
        self._move(entry, Place.GONE)
        for heap in (self._active, self._backoff):
            if len(heap) > 2 * len(self._entries) + 64:
                heap[:] = [waiting for waiting in heap if waiting[2].ticket == waiting[1]]
                heapq.heapify(heap)

    def _move(self, entry: Entry, place: Place) -> None:
        if entry.place is not Place.GONE:
            self._sizes[entry.place] -= 1
        if place is not Place.GONE:
            self._sizes[place] += 1
        else:
            entry.ticket = 0
        entry.place = place

    # Back-off

    def _set_backoff(self, entry: Entry) -> None:
        """Doubles with each attempt, and ends with a full second: pods that failed together are
        active together again, and the most important of them is first (as in backoff_queue.go)."""
        duration = min(self._initial * 2.0 ** min(entry.attempts - 1, 30), self._maximum)
        entry.timestamp = self._clock.monotonic()
        entry.ready_at = math.ceil(entry.timestamp + duration)

    def _arm(self) -> None:
        """One timer for the first of the heap."""
        while self._backoff and not self._is_current(self._backoff[0]):
            heapq.heappop(self._backoff)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._backoff:
            delay = max(0.0, self._backoff[0][0] - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._release)

    def _release(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        while self._backoff and self._backoff[0][0] <= now:
            waiting = heapq.heappop(self._backoff)
            if self._is_current(waiting):
                self._enter(waiting[2], "BackoffComplete")
        self._arm()

    @staticmethod
    def _is_current(waiting: tuple[float, int, Entry]) -> bool:
        return waiting[2].ticket == waiting[1] and waiting[2].place is Place.BACKOFF

    # Events

    def _helps(self, plugins: frozenset[str], event: Event) -> bool:
        """Nobody in particular refused it: anything may help."""
        if event is Event.OTHER or not plugins:
            return True
        return any(event in self._hints.get(plugin, ALL_EVENTS) for plugin in plugins)

    def _happened_since(self, moment: int, plugins: frozenset[str]) -> bool:
        return any(
            number > moment and self._helps(plugins, event) for event, number in self._last.items()
        )

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _tell(self, place: Place, event: str) -> None:
        if self._metrics is not None:
            self._metrics.incoming(place.value, event)
