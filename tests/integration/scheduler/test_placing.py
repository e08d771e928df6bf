# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods go where the rules let them, in their order, or are told why they do not."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from tests.cluster.daemon import Daemon
from tests.cluster.kube import Kube
from tests.integration.scheduler.ground import POOL, WITHIN, Ground

pytestmark = pytest.mark.cluster
SOME = {"cpu": "100m", "memory": "64Mi"}


def test_pods_of_one_class_and_of_many_are_spread_and_say_so(ground: Ground, kube: Kube) -> None:
    ground.nodes(a={}, b={}, c={})
    same = [ground.pod(f"same-{number}", requests=SOME) for number in range(15)]
    other = [
        ground.pod(f"other-{number}", requests={"cpu": f"{50 + number}m"}) for number in range(15)
    ]
    ground.create(*same, *other)
    names = [pod["metadata"]["name"] for pod in same + other]
    nodes = ground.bound(*names)
    assert Counter(nodes.values()).keys() == {"a", "b", "c"}
    for pod in kube.list("Pod", ground.namespace):
        name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
        stamp = pod["metadata"]["annotations"]["podplacement.io/scheduled-at"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", stamp)
        [event] = ground.events(name, "Scheduled")
        assert event["message"] == f"Successfully assigned {ground.namespace}/{name} to {node}"
        assert event["reportingComponent"] == ground.scheduler


def test_each_pod_goes_to_the_only_node_that_its_rules_allow(ground: Ground) -> None:
    gpu = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    ground.nodes(
        small={"cpu": "500m"},
        big={"cpu": "16", "labels": {"disk": "ssd"}, "taints": [gpu]},
        closed={"cpu": "64", "unschedulable": True},
        far={"labels": {"disk": "tape"}},
    )
    tape = {"key": "disk", "operator": "In", "values": ["tape"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [tape]}]}
    tolerant = {"key": "gpu", "operator": "Exists"}
    ground.create(
        ground.pod("fills-small", requests={"cpu": "400m"}, nodeName=ground.name("small")),
        ground.pod("tolerates", requests={"cpu": "12"}, tolerations=[tolerant]),
        ground.pod("selects", nodeSelector={"disk": "ssd"}, tolerations=[tolerant]),
        ground.pod(
            "affine",
            affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}},
        ),
        ground.pod("no-room-in-small", requests={"cpu": "200m"}),
    )
    assert ground.bound("tolerates", "selects", "affine", "no-room-in-small") == {
        "tolerates": "big",
        "selects": "big",
        "affine": "far",
        "no-room-in-small": "far",
    }


def test_a_host_port_is_given_once_on_a_node(ground: Ground, kube: Kube) -> None:
    ground.nodes(a={}, b={})
    port = [{"containerPort": 80, "hostPort": 8080}]
    ground.create(*(ground.pod(name, ports=port) for name in ("one", "two", "three")))
    held = "didn't have free ports"
    found: list[str] = []

    def two_bound(items: list[dict[str, Any]]) -> bool:
        found[:] = [item["spec"].get("nodeName", "") for item in items]
        return len([name for name in found if name]) == 2

    kube.wait_list("Pod", two_bound, ground.namespace, timeout=WITHIN)
    assert sorted(found) == ["", ground.name("a"), ground.name("b")]
    [waiting] = [p for p in kube.list("Pod", ground.namespace) if not p["spec"].get("nodeName")]
    assert held in ground.pending(waiting["metadata"]["name"], held)
    winner = next(p for p in kube.list("Pod", ground.namespace) if p["spec"].get("nodeName"))
    kube.delete("Pod", winner["metadata"]["name"], ground.namespace, grace=0)
    assert ground.bound(waiting["metadata"]["name"])


def test_a_gated_pod_waits_until_its_last_gate_is_open(
    ground: Ground, kube: Kube, shared: Daemon
) -> None:
    ground.nodes(a={})
    ground.create(
        ground.pod("gated", schedulingGates=[{"name": "quota"}, {"name": "image"}]),
        ground.pod("free"),
    )
    ground.bound("free")
    gated = 'scheduler_pending_pods{queue="gated"}'
    assert shared.metrics()[gated] == 1
    kube.patch("Pod", "gated", {"spec": {"schedulingGates": [{"name": "image"}]}}, ground.namespace)
    ground.create(ground.pod("later"))
    ground.bound("later")
    assert not kube.get("Pod", "gated", ground.namespace)["spec"].get("nodeName")
    kube.patch("Pod", "gated", {"spec": {"schedulingGates": []}}, ground.namespace)
    assert ground.bound("gated") == {"gated": "a"}
    assert shared.metrics()[gated] == 0


def test_a_pod_without_room_says_why_and_goes_when_there_is_some(
    ground: Ground, kube: Kube
) -> None:
    ground.nodes(a={"cpu": "1"})
    ground.create(ground.pod("first", requests={"cpu": "800m"}))
    ground.bound("first")
    ground.create(
        ground.pod("freed", requests={"cpu": "700m"}),
        ground.pod("added", requests={"cpu": "2"}),
    )
    for name in ("freed", "added"):
        message = ground.pending(name, "Insufficient cpu")
        assert re.fullmatch(r"0/\d+ nodes are available: .*1 Insufficient cpu.*\.", message)
        [event] = ground.events(name, "FailedScheduling")
        assert (event["type"], event["message"]) == ("Warning", message)
    kube.delete("Pod", "first", ground.namespace, grace=0)
    assert ground.bound("freed") == {"freed": "a"}
    ground.nodes(b={"cpu": "4"})
    assert ground.bound("added") == {"added": "b"}
    # What was tried again and failed for the same reason wrote nothing new.
    assert len(ground.events("freed", "FailedScheduling")) == 1


def test_a_change_of_the_pod_or_of_a_node_is_enough(ground: Ground, kube: Kube) -> None:
    ground.nodes(a={"taints": [{"key": "broken", "value": "", "effect": "NoSchedule"}]})
    ground.create(ground.pod("tolerant-later"), ground.pod("patient"))
    for name in ("tolerant-later", "patient"):
        ground.pending(name, "untolerated taint")
    pod = kube.get("Pod", "tolerant-later", ground.namespace)
    tolerations = [*pod["spec"]["tolerations"], {"key": "broken", "operator": "Exists"}]
    kube.patch("Pod", "tolerant-later", {"spec": {"tolerations": tolerations}}, ground.namespace)
    assert ground.bound("tolerant-later") == {"tolerant-later": "a"}
    kube.patch("Node", ground.name("a"), {"spec": {"taints": [ground.taint]}})
    assert ground.bound("patient") == {"patient": "a"}


def test_what_is_not_supported_is_refused_in_words(ground: Ground) -> None:
    ground.nodes(a={})
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "spread"}},
    }
    near = {"labelSelector": {}, "topologyKey": POOL}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [near]}
    ground.create(
        ground.pod("spread", topologySpreadConstraints=[spread]),
        ground.pod("near", affinity={"podAffinity": required}),
        ground.pod("plain"),
    )
    ground.bound("plain")
    for name in ("spread", "near"):
        message = ground.pending(name)
        assert "not support" in message, message
        [event] = ground.events(name, "FailedScheduling")
        assert event["message"] == message
