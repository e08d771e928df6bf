# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon is its parts and the order in which they start and end; nothing decides outside of it.

It watches first, leads then, and lists everything once more before the first decision: what a
standby has heard may be older than what the leader before it has done. When leadership is lost, all
writing stops in that moment and the daemon ends; when it is asked to stop, what is under way is
brought to its end first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from .api.kinds import (
    ATTACHMENTS,
    CLAIMS,
    CSI_NODES,
    NODES,
    PODS,
    STORAGE_CLASSES,
    VOLUMES,
    Kind,
)
from .cache.cluster import Cluster
from .cache.consistency import Consistency
from .cache.reflector import Reflector
from .config import Configuration, seconds
from .engine.audit import Audit
from .engine.binder import Binder
from .engine.decide import Decider
from .engine.events import Recorder
from .engine.handle import SchedulerHandle
from .engine.queue import Queue
from .engine.scheduler import Gates, Scheduler
from .engine.waiting import Waiting
from .engine.window import Window
from .errors import SchedulerError
from .framework.guard import Guard
from .framework.profile import Profile, build_profiles
from .leader import AlwaysLeader, Leader, own_identity

if TYPE_CHECKING:
    from .api.client import Client
    from .clock import Clock
    from .framework.interface import Plugin
    from .observe.metrics import Metrics

log = logging.getLogger(__name__)

# Nothing runs or is paid for on a node that is over: what is terminal is not even sent.
ACTIVE_PODS = "status.phase!=Succeeded,status.phase!=Failed"
KINDS: Mapping[Kind, str] = MappingProxyType(
    {
        PODS: ACTIVE_PODS,
        NODES: "",
        CLAIMS: "",
        VOLUMES: "",
        CSI_NODES: "",
        ATTACHMENTS: "",
        STORAGE_CLASSES: "",
    }
)
BINDINGS_END_WITHIN = 10.0
EVENTS_END_WITHIN = 5.0
LEADERSHIP = "leadership"


class LeadershipLost(SchedulerError):
    """Another replica may lead now: this one must end."""


class Leadership(Protocol):
    """`Leader` or `AlwaysLeader`; who is `alone` need not list again what others have changed."""

    alone: bool

    def may_write(self) -> bool: ...
    async def acquire(self) -> None: ...
    async def keep(self) -> None: ...
    async def release(self) -> None: ...


@dataclass(frozen=True)
class Surroundings:
    """What a daemon does not make itself: a simulation gives it others."""

    client: Client
    clock: Clock
    rng: Random
    metrics: Metrics
    guard: Guard
    user_plugins: Mapping[str, type[Plugin]]
    host: str


class Daemon:
    """One replica of the scheduler."""

    def __init__(self, config: Configuration, around: Surroundings) -> None:
        """Raises ConfigError where a profile cannot be built."""
        self.config = config
        self.around = around
        client, clock, rng, metrics = around.client, around.clock, around.rng, around.metrics
        names = frozenset(profile.scheduler_name for profile in config.profiles)
        self.cluster = Cluster(
            scheduler_names=names, node_selector=config.node_selector, clock=clock
        )
        self.reflectors = {
            kind: Reflector(
                client,
                kind,
                self.cluster.sink(kind),
                clock=clock,
                rng=rng,
                field_selector=selector,
                metrics=metrics,
            )
            for kind, selector in KINDS.items()
        }
        self.leader = leadership(config, around)
        self.waiting = Waiting()
        handle = SchedulerHandle(self.cluster, self.waiting)
        self.profiles = build_profiles(config, handle, around.user_plugins, around.guard)
        self.queue = handle.queue = queue_of(self.profiles, config, around)
        self.window = Window(config.parallel_binds, clock=clock)
        self.recorder = recorder_of(self.window, config, around)
        binder = Binder(client, self.window, clock=clock, rng=rng, metrics=metrics)
        self.decider = Decider(
            self.cluster,
            self.profiles,
            percentage=config.percentage_of_nodes_to_score,
            rng=rng,
            metrics=metrics,
        )
        self.scheduler = Scheduler(
            queue=self.queue,
            cluster=self.cluster,
            decider=self.decider,
            profiles=self.profiles,
            binder=binder,
            recorder=self.recorder,
            window=self.window,
            waiting=self.waiting,
            clock=clock,
            metrics=metrics,
        )
        self.cluster.listener = self.scheduler
        self.audit = Audit(
            self.queue, self.cluster, binder, scheduler_names=names, clock=clock, metrics=metrics
        )
        self.leading = False
        self._tasks: dict[asyncio.Task[None], str] = {}
        metrics.pending_from(self.queue.pending)
        metrics.sizes_from(self.sizes)

    # What others ask

    def may_write(self) -> bool:
        """Asked in the moment before each write."""
        return self.leader.may_write()

    def sizes(self) -> dict[str, int]:
        """For scheduler_cache_size."""
        cluster = self.cluster
        return {
            "nodes": cluster.table.count,
            "pods": len(cluster.pods),
            "assumed_pods": len(cluster.assumed()),
        }

    def ready(self) -> dict[str, str]:
        """What /readyz looks at: a standby that is in sync is ready, too."""
        behind = [kind.plural for kind, one in self.reflectors.items() if not one.synced.is_set()]
        checks = {"informer-sync": f"waiting for {', '.join(behind)}" if behind else ""}
        # Told, and no reason to take the whole daemon away.
        return checks | {f"without plugin {name}": "" for name in self.around.guard.off}

    # Its life

    async def run(
        self, stop: asyncio.Event, *, on_synced: Callable[[], None] | None = None
    ) -> None:
        """Until `stop` is set; raises LeadershipLost, or what a part of it raised."""
        try:
            for kind, reflector in self.reflectors.items():
                self._start(f"watch {kind.plural}", reflector.run())
            await self._or_stop(stop, self._synced())
            if stop.is_set():
                return
            if on_synced is not None:
                on_synced()
            await self._or_stop(stop, self.leader.acquire())
            if stop.is_set():
                await self.leader.release()
            else:
                await self._lead(stop)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _lead(self, stop: asyncio.Event) -> None:
        self._start(LEADERSHIP, self.leader.keep())
        if not self.leader.alone:
            await self._or_stop(stop, self._refreshed())
        if stop.is_set():
            await self._release()
            return
        interval = seconds(self.config.consistency_interval)
        consistency = Consistency(
            self.cluster,
            self.reflectors.values(),
            interval=interval,
            rng=self.around.rng,
            metrics=self.around.metrics,
        )
        self.leading = True
        self._start("scheduler", self.scheduler.run())
        self._start("events", self.recorder.outbox.run())
        self._start("queue", self.queue.keep_flushing())
        self._start("audit", self.audit.run())
        if interval:
            self._start("consistency", consistency.run())
        log.info("scheduling", extra={"profiles": sorted(self.profiles), **self.sizes()})
        await self._or_stop(stop, asyncio.Event().wait())
        await self._wind_up()

    async def _wind_up(self) -> None:
        """Asked to stop: take no more, finish what is under way, and let another one lead."""
        if not await self.scheduler.stop(BINDINGS_END_WITHIN):
            log.warning("not all bindings ended within %s seconds", BINDINGS_END_WITHIN)
        try:
            async with asyncio.timeout(EVENTS_END_WITHIN):
                await self.recorder.outbox.drain()
        except TimeoutError:
            self.recorder.outbox.abandon()
            log.warning("not all events were written within %s seconds", EVENTS_END_WITHIN)
        self.leading = False
        await self._release()
        log.info("stopped", extra=self.queue.sizes())

    async def _release(self) -> None:
        """The last renewal must be over: it would take the Lease again."""
        for task, name in self._tasks.items():
            if name == LEADERSHIP:
                task.cancel()
                await asyncio.wait([task])
        await self.leader.release()

    async def _synced(self) -> None:
        await asyncio.gather(*(reflector.synced.wait() for reflector in self.reflectors.values()))

    async def _refreshed(self) -> None:
        await asyncio.gather(*(reflector.refresh() for reflector in self.reflectors.values()))

    def _start(self, name: str, part: Coroutine[Any, Any, None]) -> None:
        self._tasks[asyncio.create_task(part, name=name)] = name

    async def _or_stop(self, stop: asyncio.Event, work: Coroutine[Any, Any, Any]) -> None:
        """Until the work is done or `stop` is set; no part may end before."""
        ours = [asyncio.create_task(work), asyncio.create_task(stop.wait())]
        try:
            done, _pending = await asyncio.wait(
                [*ours, *self._tasks], return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in ours:
                task.cancel()
        for task in done:
            task.result()
            if task in self._tasks:
                if not self.leader.may_write():
                    raise LeadershipLost("leadership was lost")
                raise SchedulerError(f"part {self._tasks[task]} ended")


def queue_of(profiles: Mapping[str, Profile], config: Configuration, around: Surroundings) -> Queue:
    """One for all profiles, which agree on its order."""
    return Queue(
        next(iter(profiles.values())).queue_sort,
        gate=Gates(profiles),
        hints=hints(profiles),
        clock=around.clock,
        initial_backoff=config.pod_initial_backoff_seconds,
        maximum_backoff=config.pod_max_backoff_seconds,
        metrics=around.metrics,
    )


def recorder_of(window: Window, config: Configuration, around: Surroundings) -> Recorder:
    """Events as the configuration wants them."""
    return Recorder(
        around.client,
        window,
        clock=around.clock,
        rng=around.rng,
        metrics=around.metrics,
        mode=config.events.mode,
        length=config.events.queue_length,
        host=around.host,
    )


def hints(profiles: Mapping[str, Profile]) -> dict[str, frozenset[Any]]:
    """Which events may turn the refusal of which plugin."""
    return {
        name: plugin.events
        for profile in profiles.values()
        for name, plugin in profile.plugins.items()
    }


def leadership(config: Configuration, around: Surroundings) -> Leadership:
    """As the configuration wants it; the Lease bears the name of the first profile."""
    election = config.leader_election
    if not election.leader_elect:
        return AlwaysLeader()
    return Leader(
        around.client,
        around.clock,
        around.rng,
        namespace=election.resource_namespace,
        name=lease_name(config),
        identity=own_identity(),
        lease_duration=seconds(election.lease_duration),
        renew_deadline=seconds(election.renew_deadline),
        retry_period=seconds(election.retry_period),
        metrics=around.metrics,
    )


def lease_name(config: Configuration) -> str:
    """What is written, or the name of the first profile."""
    return config.leader_election.resource_name or config.profiles[0].scheduler_name
