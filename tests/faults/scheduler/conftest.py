# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: an arena for each test, and the times of recovery in the summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube
from tests.faults.scheduler.arena import Arena

PROPERTY = "recovery"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long each recovery took: the tests that measured one left a property."""
    reports = [r for name in ("passed", "failed") for r in terminalreporter.getreports(name)]
    lines = [text for report in reports for key, text in report.user_properties if key == PROPERTY]
    if lines:
        terminalreporter.section("recovery of the daemon")
        terminalreporter.write_line("\n".join(sorted(str(line) for line in lines)))


@pytest.fixture
def recovered(record_property: Callable[[str, object], None]) -> Callable[[str, float], None]:
    """Note how long something took to be well again."""

    def note(what: str, seconds: float) -> None:
        record_property(PROPERTY, f"{what}: {seconds:.1f} s")

    return note


@pytest.fixture
def arena(cluster: Cluster, kube: Kube, namespace: str) -> Iterator[Arena]:
    """A pool of nodes and a scheduler name of the test's own."""
    if cluster.provider != "kwok":
        pytest.skip("the fault tests make nodes, and end servers")
    found = Arena(cluster, kube, namespace)
    yield found
    found.close()
