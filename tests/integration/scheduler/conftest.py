# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One scheduler for all tests of a module that only place pods; each test has nodes of its own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from tests.cluster.auditor import auditing
from tests.cluster.cluster import Cluster
from tests.cluster.daemon import Daemon
from tests.cluster.kube import Kube
from tests.integration.scheduler.ground import Ground, own_daemon


@pytest.fixture(scope="module")
def shared_name() -> str:
    """The scheduler's name."""
    return f"ours-{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="module")
def shared(cluster: Cluster, shared_name: str) -> Iterator[Daemon]:
    """The scheduler; whatever the tests did, the auditor has nothing to say in the end."""
    with auditing(cluster, shared_name) as audited, own_daemon(cluster, shared_name) as running:
        yield running
        assert json.loads(running.get("/queue"))["wrong"] == []
        assert not [one for one in running.records() if one["level"] == "error"]
        # An event of a pod that a test deleted may come when its namespace is being removed: it is
        # refused, and counted. Those of all others are there.
        lost = running.metrics().get('podplacement_scheduler_events_total{result="failed"}', 0)
    assert audited.check(drops=int(lost)).bound > 0


@pytest.fixture
def ground(
    cluster: Cluster, kube: Kube, namespace: str, shared_name: str, shared: Daemon
) -> Iterator[Ground]:
    """Nodes and pods for the shared scheduler."""
    made = Ground(cluster, kube, namespace, shared_name)
    yield made
    made.settle()
    made.remove()


@pytest.fixture
def own_ground(cluster: Cluster, kube: Kube, namespace: str) -> Iterator[Ground]:
    """Nodes and pods for schedulers that the test starts; the auditor judges what these do.

    Nothing is broken here: no placement is wrong, and none is without its event.
    """
    made = Ground(cluster, kube, namespace, f"own-{uuid.uuid4().hex[:6]}")
    with auditing(cluster, *made.names) as audited:
        yield made
    made.remove()
    audited.check()
