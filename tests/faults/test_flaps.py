# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand swaps while pods flap: each ends on its target, or the controller took another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.kube import Kube, Object
from tests.cluster.nodes import create_nodes, node
from tests.faults import verdicts, workloads
from tests.faults.flapper import Flapper, Judge, Theft
from tests.faults.referee import of_kind, watching
from tests.faults.world import World
from tests.integration.nursery import start
from tests.integration.runner import Result

pytestmark = [pytest.mark.cluster, pytest.mark.faults, pytest.mark.slow]

APPS, REPLICAS, ROUNDS = 40, 5, 5
SWAPS = APPS * REPLICAS * ROUNDS
MOST_THEFTS = SWAPS // 100
EVERY = 144  # changes of pods to a flap: a swap is some twelve
# In hand at a time. More of them keep the controller longer between a swap and its deletion, and a
# flap in between is a mismatch that nobody can prevent.
FORKS = 20
SEED = 20261122
SECONDS = 600
ONLY = "test.podplacement.io/flaps"


@pytest.fixture
def nodes(kube: Kube, namespace: str) -> Iterator[tuple[str, str]]:
    """Two big nodes for this test alone."""
    names = (f"{namespace}-a", f"{namespace}-b")
    own = {"key": ONLY, "value": namespace, "effect": "NoSchedule"}
    labels = {ONLY: namespace}
    big = [node(n, cpu="500", pods="1000", labels=labels, taints=[own]) for n in names]
    create_nodes(kube, big)
    yield names
    for name in names:
        kube.delete("Node", name)


def application(number: int, namespace: str) -> Object:
    """A ReplicaSet whose pods start at once, on the nodes of this test."""
    place = {
        "nodeSelector": {ONLY: namespace},
        "tolerations": [{"key": ONLY, "operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
    }
    found = workloads.replica_set(REPLICAS, {"ready_after": "50ms", "stop_after": "50ms"}, **place)
    name = f"app-{number:03}"
    found["metadata"]["name"] = name
    labels = {"app": name, "a-spare": "key"}  # of several spare keys the first is taken
    found["spec"]["selector"]["matchLabels"] = found["spec"]["template"]["metadata"]["labels"] = (
        labels
    )
    return found


def test_a_thousand_swaps_among_flapping_pods(
    world: World, nodes: tuple[str, str], tmp_path: Path
) -> None:
    """From one node to the other and back, by evacuations; at most one in a hundred mismatches."""
    here, there = nodes
    world.kube.patch("Node", there, {"spec": {"unschedulable": True}})
    world.create(*[application(number, world.namespace) for number in range(APPS)])
    world.kube.wait_ready(world.namespace, count=APPS * REPLICAS, timeout=60)
    thefts: list[Theft] = []
    mismatches: list[object] = []
    moved = 0
    for number in range(ROUNDS):
        world.kube.patch("Node", there, {"spec": {"unschedulable": False}})
        folder = tmp_path / str(number)
        folder.mkdir()
        stolen, result = one_round(world, folder, here, there, seed=SEED + 100 * number)
        thefts += stolen
        moved += len(result["moved"])
        mismatches += [item for item in result["moved"] if item["victim_mismatch"]]
        here, there = there, here
    # A pod that its controller took in another's place has gone without a swap of its own.
    assert SWAPS - len(thefts) <= moved <= SWAPS, thefts
    assert len(mismatches) <= len(thefts) <= MOST_THEFTS, (mismatches, thefts)
    assert bool(mismatches) is bool(thefts), thefts
    assert all(theft.unavoidable for theft in thefts), thefts
    assert verdicts.leftovers(world.kube, world.namespace) == []


def one_round(
    world: World, folder: Path, here: str, there: str, *, seed: int
) -> tuple[list[Theft], Result]:
    """Evacuate a node."""
    args = {"node": here, "target_nodes": [there], "forks": FORKS}
    args["record_namespace"] = world.namespace
    judge = Judge(REPLICAS)
    with watching(world.cluster.kubeconfig, world.namespace, folder) as referee:
        with Flapper(world.kube, world.namespace, seed=seed, every=EVERY) as flapper:
            out, err = start(world.cluster, "k8s_node_evacuate", args).communicate(timeout=SECONDS)
            result: Result = json.loads(out or err)
        world.kube.wait_ready(world.namespace, count=APPS * REPLICAS)
        history = referee.history()
    judge.read(history)
    assert not result.get("failed"), result
    assert flapper.flaps > 0
    assert judge.short == []
    after = world.pods()
    assert {pod["spec"]["nodeName"] for pod in after} == {there}
    before = {pod["metadata"]["uid"] for pod in of_kind(history.first, "Pod")}
    assert not before & {pod["metadata"]["uid"] for pod in after}
    return judge.thefts, result
