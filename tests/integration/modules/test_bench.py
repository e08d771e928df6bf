# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`bench/moves` measures what it says, with five pods in place of a hundred."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.evacuation import trial
from bench.moves import judge
from tests.cluster.cluster import Cluster, provider_name
from tests.cluster.kube import Kube, Object

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(provider_name() != "kwok", reason="needs simulated nodes"),
]
SOON = (0.2, 0.4)
LATE = (1.5, 1.5)


@pytest.mark.parametrize("budgets", ["none", "replicas"])
def test_this_collection_empties_a_node_at_no_cost(cluster: Cluster, budgets: str) -> None:
    """Who hands over a pod that is not Ready loses that one, and pays with another round of writes.
    One round is 6 for each pod, and 4 for the cordon, the record, and the lock.
    """
    one = trial(cluster, "ours", budgets, 5, ready=LATE)
    assert (one.ended, one.left, one.lowest_ready, one.unavailable_pod_seconds) == (
        "done",
        0,
        1.0,
        0.0,
    )
    assert 3 <= one.writes_per_pod < 8
    assert [text for text, met in judge([one]) if not met and "writes" not in text] == []


@contextmanager
def others_at_work(cluster: Cluster, namespace: str) -> Iterator[list[Object]]:
    """Somebody with the same user agent writes elsewhere, all the time; what was written."""
    other = Kube(cluster.kubeconfig, user_agent="kubectl/of-somebody-else")
    over, written = threading.Event(), list[Object]()

    def write() -> None:
        while not over.wait(0.02):
            name = {"name": f"made-{len(written)}"}
            made: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name}
            written.append(other.create(made, namespace))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield written
    finally:
        over.set()
        writing.join()


def test_a_drain_costs_availability_and_one_write_a_pod(cluster: Cluster, namespace: str) -> None:
    with others_at_work(cluster, namespace) as written:
        one = trial(cluster, "kubectl", "none", 5, ready=SOON)
    assert len(written) > one.pods
    assert (one.ended, one.left) == ("done", 0)
    assert one.lowest_ready < 1.0
    assert one.unavailable_pod_seconds > 0
    assert 1 <= one.writes_per_pod < 2  # an eviction a pod, and the cordon
