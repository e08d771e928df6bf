# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting costs less than half a microsecond; the text is made when somebody asks for it.

Names, labels and buckets are those of kube-scheduler (pkg/scheduler/metrics/metrics.go) wherever
that has the same thing, so that dashboards and alerts work unchanged; what only this daemon has
begins with `podplacement_scheduler_`. All of it is written on the event loop: no locks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

_MANY_ATTEMPTS = 15
_OWN = "podplacement_scheduler_"


def exponential(start: float, factor: float, count: int) -> tuple[float, ...]:
    """As ExponentialBuckets of the Prometheus client for Go."""
    return tuple(start * factor**power for power in range(count))


class Counter:
    """How often something happened, by labels."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...] = ()) -> None:
        self.name, self.text, self.labels = name, text, labels
        self.values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}

    def add(self, labels: tuple[str, ...] = (), n: float = 1) -> None:
        """Count."""
        self.values[labels] = self.values.get(labels, 0.0) + n

    def collect(self) -> Metric:
        """As the client library wants it."""
        family = CounterMetricFamily(self.name, self.text, labels=self.labels)
        for labels, value in self.values.items():
            family.add_metric(labels, value)
        return family


class Gauge:
    """What something is now, by labels."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...] = ()) -> None:
        self.name, self.text, self.labels = name, text, labels
        self.values: Callable[[], Mapping[tuple[str, ...], float]] = dict

    def collect(self) -> Metric:
        """As the client library wants it."""
        family = GaugeMetricFamily(self.name, self.text, labels=self.labels)
        for labels, value in self.values().items():
            family.add_metric(labels, value)
        return family


class Histogram:
    """How values spread over buckets, by labels."""

    def __init__(
        self, name: str, text: str, bounds: tuple[float, ...], labels: tuple[str, ...] = ()
    ) -> None:
        self.name, self.text, self.bounds, self.labels = name, text, bounds, labels
        self.counts: dict[tuple[str, ...], list[int]] = {}
        self.sums: dict[tuple[str, ...], float] = {}

    def observe(self, value: float, labels: tuple[str, ...] = ()) -> None:
        """Count one value; the last bucket is for what is beyond all bounds."""
        counts = self.counts.get(labels)
        if counts is None:
            counts = self.counts[labels] = [0] * (len(self.bounds) + 1)
            self.sums[labels] = 0.0
        counts[bisect_left(self.bounds, value)] += 1
        self.sums[labels] += value

    def collect(self) -> Metric:
        """As the client library wants it."""
        family = HistogramMetricFamily(self.name, self.text, labels=self.labels)
        names = [f"{bound:.12g}" for bound in self.bounds] + ["+Inf"]
        for labels, counts in self.counts.items():
            buckets = list(zip(names, map(float, accumulate(counts)), strict=True))
            family.add_metric(labels, buckets, sum_value=self.sums[labels])
        return family


class Metrics(Collector):
    """All that the daemon counts. `lease` is the name under which leadership is shown."""

    def __init__(self, lease: str = "") -> None:
        self._lease = lease
        self._leading = False
        self._lag = 0.0
        self._off: dict[tuple[str, ...], float] = {}
        self._families = (*self._placing(), *self._waiting(), *self._plugins(), *self._own())
        self._master.values = lambda: {(self._lease,): float(self._leading)}
        self._plugin_off.values = lambda: self._off
        self._loop_lag.values = lambda: {(): self._lag}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def _placing(self) -> Iterator[Counter | Gauge | Histogram]:
        prefix = "scheduler_"
        self._attempts = Counter(
            prefix + "schedule_attempts_total",
            "Number of attempts to schedule pods, by the result.",
            ("result", "profile"),
        )
        self._attempt_seconds = Histogram(
            prefix + "scheduling_attempt_duration_seconds",
            "Scheduling attempt latency in seconds (scheduling algorithm + binding).",
            exponential(0.001, 2, 15),
            ("result", "profile"),
        )
        self._algorithm = Histogram(
            prefix + "scheduling_algorithm_duration_seconds",
            "Scheduling algorithm latency in seconds.",
            exponential(0.001, 2, 15),
        )
        self._sli = Histogram(
            prefix + "pod_scheduling_sli_duration_seconds",
            "Seconds from when a pod enters the queue, over all attempts, until it is bound.",
            exponential(0.01, 2, 20),
            ("attempts",),
        )
        self._pod_attempts = Histogram(
            prefix + "pod_scheduling_attempts",
            "Number of attempts until a pod was bound.",
            exponential(1, 2, 5),
        )
        yield from (self._attempts, self._attempt_seconds, self._algorithm, self._sli)
        yield self._pod_attempts

    def _waiting(self) -> Iterator[Counter | Gauge | Histogram]:
        self._pending = Gauge("scheduler_pending_pods", "Pending pods, by queue.", ("queue",))
        self._incoming = Counter(
            "scheduler_queue_incoming_pods_total",
            "Number of pods added to queues, by event and queue.",
            ("queue", "event"),
        )
        self._sizes = Gauge("scheduler_cache_size", "What the cache holds, by type.", ("type",))
        self._master = Gauge(
            "leader_election_master_status", "1 where this process leads, 0 where not.", ("name",)
        )
        yield from (self._pending, self._incoming, self._sizes, self._master)

    def _plugins(self) -> Iterator[Counter | Gauge | Histogram]:
        self._points = Histogram(
            "scheduler_framework_extension_point_duration_seconds",
            "Latency of all plugins of an extension point.",
            exponential(0.0001, 2, 12),
            ("extension_point", "status", "profile"),
        )
        self._executions = Histogram(
            "scheduler_plugin_execution_duration_seconds",
            "Latency of one plugin at an extension point, sampled.",
            exponential(0.00001, 1.5, 20),
            ("plugin", "extension_point", "status"),
        )
        self._failures = Counter(
            _OWN + "plugin_failures_total",
            "Calls of a plugin that raised, overran their budget or answered nonsense.",
            ("plugin", "point", "reason"),
        )
        self._plugin_off = Gauge(
            _OWN + "plugin_off", "1 for a plugin that is switched off.", ("plugin",)
        )
        yield from (self._points, self._executions, self._failures, self._plugin_off)

    def _own(self) -> Iterator[Counter | Gauge | Histogram]:
        self._binds = Counter(_OWN + "bind_outcomes_total", "How bindings ended.", ("outcome",))
        self._events = Counter(
            _OWN + "events_total", "Events: written, dropped or failed.", ("result",)
        )
        self._relists = Counter(
            _OWN + "relists_total", "Full lists after the first one.", ("kind", "reason")
        )
        self._inconsistencies = Counter(
            _OWN + "inconsistencies_total", "Objects that were not as believed.", ("kind",)
        )
        self._loop_lag = Gauge(_OWN + "loop_lag_seconds", "How late the event loop is.")
        for result in ("written", "dropped", "failed"):
            self._events.add((result,), 0)
        yield from (self._binds, self._events, self._relists, self._inconsistencies, self._loop_lag)

    def attempt(self, result: str, profile: str, seconds: float) -> None:
        """An attempt ended: `scheduled`, `unschedulable` or `error`."""
        self._attempts.add((result, profile))
        self._attempt_seconds.observe(seconds, (result, profile))

    def algorithm(self, seconds: float) -> None:
        """A decision was made."""
        self._algorithm.observe(seconds)

    def placed(self, attempts: int, seconds: float) -> None:
        """A pod is bound, so long after it was first seen."""
        many = f"{_MANY_ATTEMPTS}+" if attempts >= _MANY_ATTEMPTS else str(attempts)
        self._sli.observe(seconds, (many,))
        self._pod_attempts.observe(attempts)

    def incoming(self, queue: str, event: str) -> None:
        """A pod entered a queue."""
        self._incoming.add((queue, event))

    def extension_point(self, point: str, status: str, profile: str, seconds: float) -> None:
        """All plugins of a point were asked."""
        self._points.observe(seconds, (point, status, profile))

    def plugin_execution(self, plugin: str, point: str, status: str, seconds: float) -> None:
        """One plugin was asked."""
        self._executions.observe(seconds, (plugin, point, status))

    def bind_outcome(self, outcome: str) -> None:
        """A binding ended."""
        self._binds.add((outcome,))

    def event(self, result: str, n: int = 1) -> None:
        """Events were written, dropped or failed."""
        self._events.add((result,), n)

    def relist(self, kind: str, reason: str) -> None:
        """All objects of a kind were listed again."""
        self._relists.add((kind, reason))

    def inconsistency(self, kind: str, n: int = 1) -> None:
        """So many objects were not as believed."""
        self._inconsistencies.add((kind,), n)

    def plugin_failed(self, plugin: str, point: str, reason: str) -> None:
        """A plugin raised, overran its budget, or answered nonsense."""
        self._failures.add((plugin, point, reason))

    def plugin_off(self, plugin: str) -> None:
        """A plugin is switched off, for good."""
        self._off[(plugin,)] = 1.0

    def leading(self, now: bool) -> None:
        """Does this process lead?"""
        self._leading = now

    def loop_lag(self, seconds: float) -> None:
        """How late the event loop was just now."""
        self._lag = seconds

    def pending_from(self, source: Callable[[], Mapping[str, int]]) -> None:
        """Who knows how many pods are in each queue."""
        self._pending.values = lambda: {(queue,): float(n) for queue, n in source().items()}

    def sizes_from(self, source: Callable[[], Mapping[str, int]]) -> None:
        """Who knows how many nodes, pods and assumed pods there are."""
        self._sizes.values = lambda: {(what,): float(n) for what, n in source().items()}

    def collect(self) -> Iterator[Metric]:
        """For the client library."""
        for family in self._families:
            yield family.collect()

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)
