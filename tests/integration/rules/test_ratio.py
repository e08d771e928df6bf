# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kube-scheduler that has no score but RequestedToCapacityRatio goes where ours is highest."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.rules import View, check_fit
from ansible_collections.podplacement.core.plugins.module_utils.rules.requests import (
    nonzero_requests,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.scores import (
    Demand,
    requested_to_capacity_ratio,
)
from ansible_collections.podplacement.core.plugins.module_utils.rules.usage import NodeUsage
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.cluster.nodes import create_nodes, node
from tests.cluster.second_scheduler import scheduler

pytestmark = pytest.mark.cluster
OWN = "test.podplacement.io/ratio"
# Up and down, with a slope that does not divide.
SHAPE = ((5, 1), (40, 10), (70, 3), (100, 0))
SIZES = (("1", "3Gi"), ("2", "2Gi"), ("3", "1Gi"), ("2", "5Gi"), ("4", "4Gi"))
WEIGHTS = {"cpu": 3, "memory": 2}
PODS = 24


def profile() -> dict[str, Any]:
    """For kube-scheduler: this plugin and no other gives scores."""
    shape = [{"utilization": used, "score": score} for used, score in SHAPE]
    strategy = {
        "type": "RequestedToCapacityRatio",
        "resources": [{"name": name, "weight": weight} for name, weight in WEIGHTS.items()],
        "requestedToCapacityRatio": {"shape": shape},
    }
    only = {"disabled": [{"name": "*"}], "enabled": [{"name": "NodeResourcesFit", "weight": 1}]}
    args = {"name": "NodeResourcesFit", "args": {"scoringStrategy": strategy}}
    return {"plugins": {"score": only}, "pluginConfig": [args]}


def liked(pod: Object, nodes: list[Object], there: list[Object]) -> set[str]:
    """The nodes with the highest of our scores, of those that have room."""
    scores = {}
    for each in nodes:
        name, offered = each["metadata"]["name"], each["status"]["allocatable"]
        on_node = [one for one in there if one["spec"].get("nodeName") == name]
        if check_fit(pod, View(node=each, pods_on_node=on_node)):
            continue
        usage, wanted = NodeUsage(on_node), nonzero_requests(pod)
        held = usage.nonzero_cpu, usage.nonzero_memory
        rooms = 1000 * int(offered["cpu"]), int(offered["memory"].removesuffix("Gi")) << 30
        demands = [
            Demand(before + more, before, room, weight)
            for before, more, room, weight in zip(
                held, wanted, rooms, WEIGHTS.values(), strict=True
            )
        ]
        scores[name] = requested_to_capacity_ratio(demands, SHAPE)
    return {name for name, score in scores.items() if score == max(scores.values())}


def test_the_highest_score_is_where_kube_scheduler_goes(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    if cluster.bin_dir is None or not (cluster.bin_dir / "kube-scheduler").exists():
        pytest.skip(f"no kube-scheduler binary is at hand for a {cluster.provider} cluster")
    token, dice = uuid.uuid4().hex[:6], random.Random(4)
    taint = {"key": OWN, "value": token, "effect": "NoSchedule"}
    made = [
        node(f"{token}-{n}", cpu=cpu, memory=memory, labels={OWN: token}, taints=[taint])
        for n, (cpu, memory) in enumerate(SIZES)
    ]
    create_nodes(kube, made)
    choices = []
    try:
        with scheduler(cluster, f"ratio-{token}", profile()):
            for number in range(PODS):
                there = kube.list("Pod", namespace)
                cpu, memory = dice.choice((0, 100, 170, 300)), dice.choice((0, 100, 300))
                pod = pod_of(f"p-{number}", token, cpu, memory)
                kube.create(pod, namespace)
                found = kube.wait(
                    "Pod", f"p-{number}", lambda one: one["spec"].get("nodeName"), namespace
                )
                choices.append((liked(pod, made, there), found["spec"]["nodeName"]))
    finally:
        kube.delete_all("Pod", namespace, grace=0)
        for each in made:
            kube.delete("Node", each["metadata"]["name"])
    assert [choice for choice in choices if choice[1] not in choice[0]] == []
    assert sum(len(best) == 1 for best, _node in choices) > PODS // 2, "it says next to nothing"
    assert len({name for _best, name in choices}) > 1


def pod_of(name: str, token: str, cpu: int, memory: int) -> Object:
    """A pod for these nodes; what is 0 is not asked for, and counts a little all the same."""
    asked = {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}
    requests = {key: text for key, text in asked.items() if not text.startswith("0")}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "schedulerName": f"ratio-{token}",
            "terminationGracePeriodSeconds": 0,
            "nodeSelector": {OWN: token},
            "tolerations": [{"key": OWN, "operator": "Exists"}],
            "containers": [{"name": "c", "image": "app:1", "resources": {"requests": requests}}],
        },
    }
