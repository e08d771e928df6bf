# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods are read slim, and equal needs become one class."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from podplacement_scheduler._rules import NodeUsage
from podplacement_scheduler.cache.objects import Pod, decode_pod
from podplacement_scheduler.cache.podclass import Interner

from .objects import OTHERS, pod, raw


@pytest.fixture
def interner() -> Interner:
    return Interner()


def read(interner: Interner, thing: dict[str, Any]) -> Pod:
    return decode_pod(raw(thing), interner)


def test_what_matters_of_a_pod_is_read(interner: Interner) -> None:
    found = read(
        interner,
        pod(
            "web-1/u1",
            version=7,
            labels={"app": "web"},
            priority=5,
            schedulingGates=[{"name": "example.com/wait"}],
        ),
    )
    assert (found.uid, found.namespace, found.name) == ("web-1/u1", "shop", "web-1")
    assert (found.resource_version, found.scheduler_name, found.node_name) == ("7", "ours", "")
    assert (found.priority, found.labels, found.gates) == (5, {"app": "web"}, ("example.com/wait",))
    assert found.created == 1795341600.0
    assert found.requests == {"cpu": 100, "memory": 64 << 20}
    assert (found.phase, found.terminating, found.terminal) == ("Pending", False, False)


def test_a_pod_that_waits_is_whole_but_for_its_managed_fields(interner: Interner) -> None:
    sent = pod("web-1", managed=True, terminationGracePeriodSeconds=30)
    found = read(interner, sent)
    del sent["metadata"]["managedFields"]
    assert found.object == {"apiVersion": "v1", "kind": "Pod", **sent}


def test_a_pod_with_a_node_keeps_no_text_and_still_has_an_object(interner: Interner) -> None:
    found = read(interner, pod("web-1", node="node-1", labels={"app": "web"}))
    assert found.raw is None
    assert found.object["metadata"]["uid"] == "web-1"
    assert found.object["metadata"]["labels"] == {"app": "web"}
    assert found.object["spec"]["nodeName"] == "node-1"
    assert NodeUsage([found.object]).requested["cpu"] == 100


def test_pods_that_need_the_same_are_of_one_class(interner: Interner) -> None:
    def token(name: str) -> list[dict[str, Any]]:
        return [{"name": name, "projected": {"sources": []}}]

    one = read(interner, pod("web-1", volumes=token("kube-api-access-a")))
    two = read(interner, pod("web-2", volumes=token("kube-api-access-b"), node="node-1"))
    assert one.pod_class is two.pod_class
    assert one.share is two.share


@pytest.mark.parametrize(
    "other",
    [
        pod("x", cpu="200m"),
        pod("x", labels={"app": "other"}),
        pod("x", priority=1),
        pod("x", nodeSelector={"disk": "ssd"}),
        pod("x", tolerations=[{"operator": "Exists"}]),
        pod("x", affinity={"podAffinity": {}}),
        pod("x", topologySpreadConstraints=[{"maxSkew": 1}]),
        pod("x", overhead={"cpu": "1m"}),
        pod("x", resources={"requests": {"cpu": "1"}}),
        pod("x", resourceClaims=[{"name": "gpu"}]),
        pod("x", schedulingGroup={"podGroupName": "team"}),
        pod("x", ports=[80]),
        pod("x", initContainers=[{"name": "init", "restartPolicy": "Always"}]),
        pod("x", initContainers=[{"name": "main", "restartPolicyRules": [{"action": "Restart"}]}]),
        pod("x", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}}]),
        pod("x", volumes=[{"name": "disk", "awsElasticBlockStore": {"volumeID": "v"}}]),
    ],
)
def test_whatever_a_rule_reads_makes_another_class(
    interner: Interner, other: dict[str, Any]
) -> None:
    plain = read(interner, pod("web-1"))
    assert read(interner, other).pod_class is not plain.pod_class


def test_needs_are_shared_across_labels_and_across_namespaces_only_without_claims(
    interner: Interner,
) -> None:
    def found(namespace: str, labels: dict[str, str], **spec: Any) -> object:
        thing = pod("x", labels=labels, **spec)
        thing["metadata"]["namespace"] = namespace
        kept.append(read(interner, thing))
        return kept[-1].pod_class.needs

    kept: list[Pod] = []
    claim = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}
    assert found("shop", {"job": "1"}) is found("shop", {"job": "2"}) is found("bank", {})
    assert found("shop", {}) is not found("shop", {}, cpu="7")
    assert found("shop", {}, **claim) is found("shop", {"job": "1"}, **claim)
    assert found("shop", {}, **claim) is not found("bank", {}, **claim)


def test_claims_of_ephemeral_volumes_have_the_name_of_the_pod(interner: Interner) -> None:
    volumes = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}}]
    pods = [read(interner, pod(name, volumes=volumes)) for name in ("web-1", "web-2")]
    assert [found.pod_class.claims for found in pods] == [("web-1-scratch",), ("web-2-scratch",)]


def test_a_class_goes_with_its_last_pod(interner: Interner) -> None:
    pods = [read(interner, pod(f"web-{i}", labels={"job": str(i)})) for i in range(5)]
    assert interner.size == 5
    del pods[1:]
    assert interner.size == 1


def test_a_resize_counts_the_most_of_what_is_asked_granted_and_in_force(
    interner: Interner,
) -> None:
    def resized(allocated: str, actual: str, **status: Any) -> dict[str, Any]:
        statuses = [
            {
                "name": "main",
                "allocatedResources": {"cpu": allocated},
                "resources": {"requests": {"cpu": actual}},
            }
        ]
        return pod("web-1", node="node-1", status={"containerStatuses": statuses, **status})

    calm, shrinking = read(interner, resized("100m", "100m")), read(interner, resized("2", "1"))
    assert calm.share is read(interner, pod("web-2")).share
    assert shrinking.pod_class is calm.pod_class
    assert shrinking.requests["cpu"] == 2000
    pending = {"conditions": [{"type": "PodResizePending", "reason": "Infeasible"}]}
    infeasible = read(interner, resized("50m", "50m", **pending))
    assert infeasible.requests["cpu"] == 50


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda p: p["spec"]["containers"][0]["resources"].update(requests={"cpu": "much"}),
            "much",
        ),
        (lambda p: p["spec"].update(containers="none"), "cannot be read"),
        (lambda p: p["metadata"].update(creationTimestamp="yesterday"), "cannot be read"),
    ],
)
def test_a_malformed_pod_says_so_and_counts_for_the_worst(
    interner: Interner, change: Any, said: str
) -> None:
    broken = pod("web-1", node="node-1", scheduler=OTHERS)
    change(broken)
    found = read(interner, broken)
    assert said in found.pod_class.error
    assert (found.uid, found.node_name, found.scheduler_name) == ("web-1", "node-1", OTHERS)
    assert min(found.share.requests[name] for name in ("cpu", "memory")) > 1 << 40


@pytest.mark.parametrize("text", [b"[]", b"{}", b"no JSON", b'{"metadata":{"uid":7}}'])
def test_what_has_no_uid_is_no_pod(interner: Interner, text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_pod(text, interner)


def test_decoded_objects_are_kept_only_while_held(interner: Interner) -> None:
    found = read(interner, pod("web-1"))
    assert found.object is not found.object
    found.hold()
    assert found.object is found.object
    found.release()
    assert found.decoded is None
    assert json.loads(found.raw or b"")["metadata"]["uid"] == "web-1"
