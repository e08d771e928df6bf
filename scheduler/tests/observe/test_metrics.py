# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dashboards made for kube-scheduler find their names, labels and buckets here."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from podplacement_scheduler.observe.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_an_attempt_is_counted_and_timed() -> None:
    metrics = Metrics()
    metrics.attempt("scheduled", "own", 0.003)
    metrics.attempt("scheduled", "own", 0.001)
    metrics.attempt("scheduled", "own", 100.0)
    found = samples(metrics)
    labels = (("profile", "own"), ("result", "scheduled"))
    name = "scheduler_scheduling_attempt_duration_seconds"
    assert found["scheduler_schedule_attempts_total", labels] == 3
    assert found[name + "_count", labels] == 3
    assert found[name + "_sum", labels] == 100.004
    buckets = {
        dict(key)["le"]: value
        for (sample, key), value in found.items()
        if sample == f"{name}_bucket"
    }
    assert list(buckets)[:3] == ["0.001", "0.002", "0.004"]
    assert list(buckets.values())[:3] == [1, 1, 2]  # a value on a bound belongs to its bucket
    assert buckets["16.384"] == 2
    assert buckets["+Inf"] == 3


def test_a_placed_pod_counts_its_attempts_up_to_a_bound() -> None:
    metrics = Metrics()
    for attempts in (1, 14, 15, 400):
        metrics.placed(attempts, 0.5)
    found = samples(metrics)
    name = "scheduler_pod_scheduling_sli_duration_seconds_count"
    assert found[name, (("attempts", "1"),)] == 1
    assert found[name, (("attempts", "14"),)] == 1
    assert found[name, (("attempts", "15+"),)] == 2
    assert found["scheduler_pod_scheduling_attempts_count", ()] == 4


def test_gauges_ask_when_they_are_read() -> None:
    metrics = Metrics(lease="own")
    pending = {"active": 1, "gated": 0}
    metrics.pending_from(lambda: pending)
    metrics.sizes_from(lambda: {"nodes": 3, "pods": 4, "assumed_pods": 1})
    assert samples(metrics)["leader_election_master_status", (("name", "own"),)] == 0
    metrics.leading(True)
    pending["active"] = 7
    found = samples(metrics)
    assert found["scheduler_pending_pods", (("queue", "active"),)] == 7
    assert found["scheduler_cache_size", (("type", "assumed_pods"),)] == 1
    assert found["leader_election_master_status", (("name", "own"),)] == 1
    metrics.leading(False)
    assert samples(metrics)["leader_election_master_status", (("name", "own"),)] == 0


def test_what_upstream_does_not_have_is_there_too() -> None:
    metrics = Metrics()
    metrics.algorithm(0.1)
    metrics.incoming("active", "NodeAdd")
    metrics.extension_point("Filter", "Success", "own", 0.1)
    metrics.plugin_execution("Fit", "Filter", "Success", 0.1)
    metrics.bind_outcome("created")
    metrics.event("dropped", 5)
    metrics.relist("pods", "gone")
    metrics.inconsistency("pods", 2)
    metrics.plugin_failed("Mine", "Score", "raised")
    metrics.plugin_off("Mine")
    metrics.loop_lag(0.25)
    found = samples(metrics)
    own = "podplacement_scheduler_"
    event = (("event", "NodeAdd"), ("queue", "active"))
    failure = (("plugin", "Mine"), ("point", "Score"), ("reason", "raised"))
    assert found["scheduler_scheduling_algorithm_duration_seconds_count", ()] == 1
    assert found["scheduler_queue_incoming_pods_total", event] == 1
    assert found[own + "bind_outcomes_total", (("outcome", "created"),)] == 1
    assert found[own + "events_total", (("result", "dropped"),)] == 5
    assert found[own + "events_total", (("result", "failed"),)] == 0  # there before it happens
    assert found[own + "relists_total", (("kind", "pods"), ("reason", "gone"))] == 1
    assert found[own + "inconsistencies_total", (("kind", "pods"),)] == 2
    assert found[own + "plugin_failures_total", failure] == 1
    assert found[own + "plugin_off", (("plugin", "Mine"),)] == 1
    assert found[own + "loop_lag_seconds", ()] == 0.25
    assert ("process_cpu_seconds_total", ()) in found


def test_two_daemons_in_one_process_do_not_share_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.event("written")
    labels = (("result", "written"),)
    assert samples(other)["podplacement_scheduler_events_total", labels] == 0
