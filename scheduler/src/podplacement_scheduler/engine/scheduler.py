# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each lane takes a pod, decides, keeps the place on the node, and writes the binding.

From the moment a pod is taken until its place is kept nothing is awaited, so two lanes never decide
on the same state of the cluster. A lane then waits for the API server's answer to its own binding:
there are as many lanes as bindings may be under way, and a pod costs no task and no timer of its
own. Whatever fails ends with the pod back in the queue or gone; nothing that a plugin does to one
pod reaches another one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from ..framework.guard import PluginFailed
from ..framework.interface import SUCCESS, Code, Event, FitError, Status
from .attempt import Attempt
from .binder import Binder, Ending, Outcome
from .entry import Entry, Place

if TYPE_CHECKING:
    from ..cache.cluster import Cluster
    from ..cache.objects import Pod
    from ..clock import Clock
    from ..framework.profile import Profile
    from .decide import Decider
    from .events import Recorder
    from .queue import Queue
    from .waiting import Waiting
    from .window import Window

log = logging.getLogger(__name__)
PRE_ENQUEUE = "pre_enqueue"
POST_FILTER = "post_filter"
# Of so many bindings one is timed, as of decisions.
SAMPLED = 10
BUG = "internal error; see the scheduler's log"


class Metrics(Protocol):
    """What the scheduler tells."""

    def attempt(self, result: str, profile: str, seconds: float) -> None: ...
    def algorithm(self, seconds: float) -> None: ...
    def placed(self, attempts: int, seconds: float) -> None: ...
    def extension_point(self, point: str, status: str, profile: str, seconds: float) -> None: ...


class Gates:
    """The PreEnqueue plugins of all profiles: what keeps a pod out of the queue."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self._profiles = profiles

    def __call__(self, pod: Pod) -> Status:
        profile = self._profiles[pod.scheduler_name]
        for plugin in profile.pre_enqueues:
            function = getattr(plugin, PRE_ENQUEUE)
            try:
                status: Status = profile.guard.call(plugin, PRE_ENQUEUE, function, pod)
            except PluginFailed as err:
                status = Status(Code.ERROR, (str(err),))
            if not status.ok:
                return replace(status, plugin=plugin.name)
        return SUCCESS


class Scheduler:
    """The loop, in lanes; also the Listener of the cluster."""

    def __init__(
        self,
        *,
        queue: Queue,
        cluster: Cluster,
        decider: Decider,
        profiles: Mapping[str, Profile],
        binder: Binder,
        recorder: Recorder,
        window: Window,
        waiting: Waiting,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._queue = queue
        self._cluster = cluster
        self._decider = decider
        self._profiles = profiles
        self._binder = binder
        self._recorder = recorder
        self._window = window
        self._waiting = waiting
        self._clock = clock
        self._metrics = metrics
        self._lanes: dict[int, asyncio.Task[None]] = {}
        self._idle: set[int] = set()
        self._detached: set[asyncio.Task[None]] = set()
        self._group = asyncio.TaskGroup()
        self._stopping = False
        self._bindings = 0

    # What the cluster tells (Listener)

    def pod_pending(self, pod: Pod) -> None:
        """New or changed."""
        self._queue.pod_pending(pod)

    def pod_gone(self, pod: Pod) -> None:
        """Bound, deleted or over."""
        self._queue.pod_gone(pod)
        if not pod.node_name:
            self._recorder.forget(pod.uid)
        if len(self._waiting):
            self._waiting.reject(pod.uid, "the pod is gone")

    def event(self, event: Event) -> None:
        """Something happened that pods may wait for."""
        self._queue.event(event)

    # Lanes

    async def run(self) -> None:
        """Serve the queue until `stop`; raises what a lane raised, which none should."""
        async with self._group:
            for lane in range(self._window.maximum):
                self._lanes[lane] = self._group.create_task(self._lane(lane))

    async def stop(self, within: float) -> bool:
        """Take no more pods, and let what is under way end; whether all of it did in time."""
        self._stopping = True
        self._waiting.reject_all("the scheduler stops")
        for lane in self._idle:
            self._lanes[lane].cancel()
        tasks = {*self._lanes.values(), *self._detached}
        unfinished = (await asyncio.wait(tasks, timeout=within))[1] if tasks else set()
        for task in unfinished:
            task.cancel()
        return not unfinished

    async def _lane(self, lane: int) -> None:
        while not self._stopping:
            if not self._window.is_open(lane):
                self._queue.pass_on()
                await self._rest(lane, self._window.opening(lane))
                continue
            entry = self._queue.pop_now()
            if entry is None:
                await self._rest(lane, self._queue.ready())
            else:
                await self._serve(entry)

    async def _rest(self, lane: int, until: Coroutine[Any, Any, None]) -> None:
        self._idle.add(lane)
        try:
            await until
        finally:
            self._idle.discard(lane)

    # One pod

    async def _serve(self, entry: Entry) -> None:
        profile = self._profiles[entry.pod.scheduler_name]
        attempt = Attempt(entry, profile, self._clock.monotonic())
        if not self._decide(attempt):
            await asyncio.sleep(0)  # a thousand pods that fit nowhere do not stop the loop
            return
        status, seconds = attempt.permit() if profile.permits else (SUCCESS, 0.0)
        if status.code is Code.WAIT:
            waits = self._waiting.wait(attempt.pod.uid, status.plugin, seconds)
            task = self._group.create_task(self._after(waits, attempt))
            self._detached.add(task)
            task.add_done_callback(self._detached.discard)
        elif status.ok:
            await self._commit(attempt)
        else:
            self._undo(attempt, status.plugin)
            self._blame(attempt, status)

    def _decide(self, attempt: Attempt) -> bool:
        """Whether there is a node, whose room for the pod is kept from now on; if there is none,
        the pod is in the queue again."""
        try:
            found = self._decider.decide(attempt.pod)
            self._metrics.algorithm(self._clock.monotonic() - attempt.began)
            if isinstance(found, FitError):
                self._unfit(attempt, found)
                return False
            attempt.node, attempt.state = found.node, found.state
            status = attempt.reserve() if attempt.profile.reserves else SUCCESS
            if not status.ok:
                self._blame(attempt, status)
                return False
            self._cluster.assume(attempt.pod, found.node)
            return True
        except PluginFailed as err:
            self._error(attempt, str(err))
        except Exception:
            log.exception("a pod could not be decided about", extra=attempt.about())
            self._error(attempt, BUG)
        return False

    async def _after(self, waits: Coroutine[Any, Any, Status], attempt: Attempt) -> None:
        """The rest of the way of a pod that waits in Permit; on a task of its own."""
        status = await waits
        if status.ok:
            await self._commit(attempt)
        else:
            self._undo(attempt, status.plugin)
            self._blame(attempt, status)

    async def _commit(self, attempt: Attempt) -> None:
        """PreBind, Bind and PostBind; the place on the node is given back if they fail."""
        try:
            if attempt.profile.pre_binds:
                status = await attempt.pre_bind()
                if not status.ok:
                    self._undo(attempt, status.plugin)
                    self._blame(attempt, status)
                    return
            outcome = await self._bind(attempt)
        except PluginFailed as err:
            outcome = Outcome(Ending.REFUSED, str(err))
        except Exception:
            log.exception("a pod could not be bound", extra=attempt.about())
            outcome = Outcome(Ending.REFUSED, BUG)
        if outcome.ending is Ending.BOUND:
            now = self._clock.monotonic()
            entry = attempt.entry
            entry.bound_at = now
            self._recorder.scheduled(attempt.pod, attempt.node)
            self._metrics.attempt("scheduled", attempt.pod.scheduler_name, now - attempt.began)
            self._metrics.placed(entry.attempts, now - entry.began)
            if attempt.profile.post_binds:
                await attempt.post_bind()
            return
        self._undo(attempt)
        if outcome.ending is Ending.REFUSED:
            self._error(attempt, f"binding rejected: {outcome.message}")
        else:
            # The watch will say so too and end it; until then it waits as any other.
            log.info("not bound: %s", outcome.message, extra=attempt.about())
            self._queue.retry(attempt.entry)

    async def _bind(self, attempt: Attempt) -> Outcome:
        """By a plugin of the profile, or by us; some are timed."""
        sampled = self._bindings % SAMPLED == 0
        self._bindings += 1
        began = self._clock.monotonic() if sampled else 0.0
        outcome = await attempt.bind() if attempt.profile.binds else None
        if outcome is None:
            outcome = await self._binder.bind(attempt)
        if sampled:
            code = Code.SUCCESS if outcome.ending is Ending.BOUND else Code.ERROR
            seconds = self._clock.monotonic() - began
            name = attempt.pod.scheduler_name
            self._metrics.extension_point("Bind", code.value, name, seconds)
        return outcome

    # Failures

    def _unfit(self, attempt: Attempt, error: FitError) -> None:
        """No node fits. PostFilter may make room, for the next attempt."""
        profile = attempt.profile
        for plugin in profile.post_filters:
            function = getattr(plugin, POST_FILTER)
            args = (error.state, attempt.pod, error.statuses)
            profile.guard.call(plugin, POST_FILTER, function, *args)
        self._failed(attempt, error.message(), "unschedulable")
        self._queue.park(attempt.entry, frozenset(error.plugins))

    def _undo(self, attempt: Attempt, refused_by: str = "") -> None:
        """The room on the node is free again, which is news for all pods but this one."""
        attempt.unreserve()
        uid = attempt.pod.uid
        missed = self._queue.missed(attempt.entry, frozenset((refused_by,)))
        self._cluster.forget(uid)
        self._queue.catch_up(attempt.entry, missed=missed)
        latest = self._cluster.pods.get(uid)
        if latest is not None and uid in self._queue:
            self._queue.pod_pending(latest)  # of an assumed pod we are not told what changes

    def _blame(self, attempt: Attempt, status: Status) -> None:
        """A plugin said no after a node was found."""
        message = ", ".join(status.reasons) or f"{status.plugin} refused it"
        if status.code is Code.ERROR:
            self._error(attempt, message)
            return
        self._failed(attempt, message, "unschedulable")
        self._queue.park(attempt.entry, frozenset((status.plugin,)))

    def _error(self, attempt: Attempt, message: str) -> None:
        """Not a matter of room: tried again after its back-off."""
        self._failed(attempt, message, "error")
        self._queue.retry(attempt.entry)

    def _failed(self, attempt: Attempt, message: str, result: str) -> None:
        seconds = self._clock.monotonic() - attempt.began
        self._metrics.attempt(result, attempt.pod.scheduler_name, seconds)
        if attempt.entry.place is Place.IN_FLIGHT:
            reason = "Unschedulable" if result == "unschedulable" else "SchedulerError"
            self._recorder.failed(attempt.entry.pod, message, reason=reason)
            log.debug("not placed: %s", message, extra=attempt.about())
