# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process around a daemon: connections, signals, pages for people, and a watchdog's thread."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Mapping
from random import Random

import msgspec

from .api.client import connect
from .app import Daemon, LeadershipLost, Surroundings, lease_name
from .clock import LoopClock
from .config import Configuration, seconds
from .engine.explain import explain
from .framework.guard import Guard
from .framework.loader import load
from .observe.access import Access
from .observe.metrics import Metrics
from .observe.server import Answer, Page, Server
from .watchdog import Watchdog, budget

log = logging.getLogger(__name__)
# Hardly anything here is part of a cycle: measured, the collector runs once in 5,000 pods. When it
# does, it must not walk through the whole cache.
COLLECTOR = (50_000, 50, 50)


async def serve(config: Configuration) -> int:
    """Run until a signal; the exit code. Raises ConfigError before anything has started."""
    plugins = load(config.user_plugins)
    metrics = Metrics(lease_name(config))
    guard = Guard(
        budget=seconds(config.user_plugins.budget),
        max_overruns=config.user_plugins.max_overruns,
        blocked=plugins.blocked,
        metrics=metrics,
    )

    def may_write() -> bool:
        """Asked of the daemon that is made below, with this client."""
        return daemon.may_write()

    # Events have connections of their own, so that they never keep a binding waiting.
    client = connect(
        config.client_connection,
        connections=2 * config.parallel_binds,
        gate=may_write,
    )
    try:
        daemon = Daemon(
            config,
            Surroundings(
                client=client,
                clock=LoopClock(),
                rng=Random(),
                metrics=metrics,
                guard=guard,
                user_plugins=plugins,
                host=socket.gethostname(),
            ),
        )
        watchdog = Watchdog(
            lambda: guard.running,
            budget=_patience(config),
            deadline=seconds(config.leader_election.renew_deadline),
            files=plugins.files,
            state_directory=config.user_plugins.state_directory,
            metrics=metrics,
        )
        return await _serve(daemon, watchdog, metrics)
    finally:
        await client.close()


async def _serve(daemon: Daemon, watchdog: Watchdog, metrics: Metrics) -> int:
    config, client = daemon.config, daemon.around.client
    access = Access(client, LoopClock()) if config.server.authorization else None
    server = Server(config.server, ready=daemon.ready, pages=pages(daemon, metrics), access=access)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await server.start()
    watchdog.start()
    try:
        await daemon.run(stop, on_synced=settle)
    except LeadershipLost as err:
        log.error("%s: the process ends, another replica goes on", err)
        return 1
    finally:
        watchdog.stop()
        await server.close()
    return 0


def settle() -> None:
    """What has been read by now stays: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR)


def pages(daemon: Daemon, metrics: Metrics) -> dict[str, Page]:
    """What is served to those who may see it."""

    async def show_metrics(_query: Mapping[str, str]) -> Answer:
        return Answer(metrics.text(), "text/plain; version=0.0.4; charset=utf-8")

    async def show_config(_query: Mapping[str, str]) -> Answer:
        return Answer(msgspec.json.encode(daemon.config))

    async def show_plugins(_query: Mapping[str, str]) -> Answer:
        off = daemon.around.guard.off
        told = {
            name: {plugin: off.get(plugin, "") for plugin in profile.plugins}
            for name, profile in daemon.profiles.items()
        }
        return Answer(msgspec.json.encode(told))

    async def show_queue(_query: Mapping[str, str]) -> Answer:
        told = {"places": daemon.queue.sizes(), "wrong": daemon.queue.check()}
        return Answer(msgspec.json.encode(told))

    async def show_explanation(query: Mapping[str, str]) -> Answer:
        """`/explain?pod=NAMESPACE/NAME`, of a pod that waits; the command explains all others."""
        wanted = query.get("pod", "")
        for entry in daemon.queue:
            pod = entry.pod
            if f"{pod.namespace}/{pod.name}" == wanted:
                plan = daemon.decider.plans[pod.scheduler_name]
                found = explain(plan, pod, daemon.cluster.table)
                return Answer(msgspec.json.encode(found.as_object()))
        return Answer(b'{"error": "no pod of this name waits here"}', status=404)

    return {
        "/metrics": show_metrics,
        "/explain": show_explanation,
        "/configz": show_config,
        "/plugins": show_plugins,
        "/queue": show_queue,
    }


def _patience(config: Configuration) -> float:
    """How long a plugin may hold the loop before the process ends."""
    election = config.leader_election
    return budget(seconds(election.renew_deadline), seconds(election.retry_period))
