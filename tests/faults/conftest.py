# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube
from tests.faults.world import World

PROPERTY = "kill points"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many kill points each strategy has: the tests that counted them left a property."""
    reports = [r for name in ("passed", "failed") for r in terminalreporter.getreports(name)]
    lines = [text for report in reports for key, text in report.user_properties if key == PROPERTY]
    if lines:
        terminalreporter.section("kill points")
        terminalreporter.write_line("\n".join(sorted(str(line) for line in lines)))


@pytest.fixture
def world(cluster: Cluster, kube: Kube, namespace: str, tmp_path: Path) -> Iterator[World]:
    """A namespace of its own and runs that end with the test."""
    if cluster.provider != "kwok":
        pytest.skip("the fault tests tell simulated kubelets what to do")
    found = World(cluster, kube, namespace, tmp_path)
    yield found
    found.end()
