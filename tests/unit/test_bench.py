# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts: a trial's own writes, and of a contender's rounds the median."""

from __future__ import annotations

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.evacuation.record import record_name
from bench.evacuation import _own
from bench.scheduler.run import judge, medians
from bench.scheduler.trial import Outcome
from tests.cluster.audit import Entry

SOURCE = "bench-1-source"


def entry(namespace: str, name: str) -> Entry:
    return Entry("create", "", 201, "", "podplacement/", "", "", namespace, name, False, "")


@pytest.mark.parametrize(
    ("namespace", "name", "counts"),
    [
        ("bench-1", "app-0-xyz", True),
        ("", SOURCE, True),
        ("default", record_name(SOURCE), True),
        ("bench-2", "app-0-xyz", False),
        ("", "bench-2-source", False),
        ("default", record_name("bench-2-source"), False),
    ],
)
def test_a_trial_counts_its_own_writes(namespace: str, name: str, counts: bool) -> None:
    assert bool(_own([entry(namespace, name)], "bench-1", SOURCE)) is counts


def outcome(label: str, pods_per_second: float, *, classes: int = 1) -> Outcome:
    """With p50 and p99 where it watches."""
    wait = None if label == "bare loop" else pods_per_second / 100
    return Outcome(label, 1000, classes, 4000, pods_per_second, 0.4, 2.0, 0.5, wait, wait, 80.0, 9)


def test_a_slow_round_does_not_count() -> None:
    """Each figure's median, for each number of classes alone."""
    rates = (100.0, 900.0, 880.0)
    rounds = [outcome(label, rate) for rate in rates for label in ("bare loop", "ours")]
    middle = medians([*rounds, outcome("ours", 500.0, classes=100)])
    assert [(one.contender, one.classes, one.pods_per_second, one.p50_ms) for one in middle] == [
        ("bare loop", 1, 880.0, None),
        ("ours", 1, 880.0, 8.8),
        ("ours", 100, 500.0, 5.0),
    ]


@pytest.mark.parametrize(("rate", "met"), [(84.9, False), (85.0, True)])
def test_the_bar_is_a_part_of_the_bare_loops_rate(rate: float, met: bool) -> None:
    (judged,) = judge([outcome("bare loop", 100.0), outcome("ours", rate)])
    assert judged["met"] is met
