# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_node_evacuate on a real control plane: away, and back."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.cluster.watcher import watching
from tests.integration.estate import MODULE, Estate, bare, codes, workload
from tests.integration.manifests import controller, template_of
from tests.integration.runner import finish, start_module

pytestmark = pytest.mark.cluster
CORDON = "podplacement.io/cordon"


def owners(estate: Estate, name: str) -> Counter[str]:
    """How many pods of each app are on a node."""
    found = estate.kube.list("Pod", estate.namespace, fields=f"spec.nodeName={name}")
    return Counter(str(p["metadata"]["labels"]["app"]) for p in found)


def test_a_node_is_emptied_and_filled_again(estate: Estate) -> None:
    shapes = [workload("web", 3), workload("rs", 2, "ReplicaSet"), bare("alone")]
    estate.fill(*shapes)
    estate.open()
    before = {p["metadata"]["uid"] for p in estate.pods()}
    result = estate.evacuated()
    assert len(result["moved"]) == result["summary"]["moved"] == 6
    assert (estate.on(estate.source), estate.is_cordoned()) == ([], True)
    assert not before & {p["metadata"]["uid"] for p in estate.pods()}
    assert [p["pinned"] for p in result["plan"]] == [False] * 6
    assert [p["strategy"] for p in result["plan"]] == ["adopt"] * 5 + ["recreate"]
    (record,) = estate.records()
    assert result["record"]["name"] == record["metadata"]["name"]
    state = json.loads(record["data"]["state.json"])
    counts = {c["kind"]: c["count"] for c in state["controllers"]}
    assert counts == {"Deployment": 3, "ReplicaSet": 2}
    assert [p["name"] for p in state["pods"]] == ["alone"]

    back = estate.evacuated(state="returned")
    assert owners(estate, estate.source) == {"web": 3, "rs": 2, "alone": 1}
    assert (estate.is_cordoned(), estate.records()) == (False, [])
    assert {m["to_node"] for m in back["moved"]} == {estate.source}
    assert CORDON not in estate.kube.get("Node", estate.source)["metadata"].get("annotations", {})


def test_nothing_is_missing_while_thirty_pods_go(estate: Estate) -> None:
    shapes = [workload(f"web-{n}", 5) for n in range(6)]
    for shape in shapes:
        template_of(shape)["metadata"]["labels"]["all"] = "yes"
        template_of(shape)["metadata"]["annotations"]["test.podplacement.io/ready-after"] = "1s"
    estate.fill(*shapes)
    estate.open()
    with watching(estate.cluster, estate.namespace, "all=yes", 30) as referee:
        result = estate.run(target_nodes=[estate.first, estate.second])
    assert not result.get("failed"), result
    seen = referee.summary
    assert (seen.min_ready, seen.unavailable_seconds, seen.gaps) == (30, 0.0, 0)
    assert estate.on(estate.source) == []
    # The replicas of each are spread, and no target got more than its part.
    assert [len(estate.on(n)) for n in (estate.first, estate.second)] == [15, 15]
    assert all(1 < count < 4 for count in owners(estate, estate.first).values())


def test_who_stays_and_why(estate: Estate) -> None:
    daemon = controller("DaemonSet", "agent")
    job = estate.homed(job_of("work"))
    dear = bare("dear", annotations={"podplacement.io/do-not-move": "true"})
    estate.fill(workload("web"), daemon, dear, bare("bare"))
    estate.kube.create(job, estate.namespace)
    estate.kube.wait_ready(estate.namespace, "app=work", count=1)
    estate.open()
    work = next(n for n in estate.on(estate.source) if n.startswith("work"))
    planned = estate.run(state="planned")
    assert planned["changed"] is False
    assert not planned.get("failed")
    assert (estate.is_cordoned(), estate.records()) == (False, [])
    result = estate.refused()
    assert result["error"]["code"] == "NotEvacuated"
    agent = next(n for n in estate.on(estate.source) if n.startswith("agent"))
    left = {
        "dear": "OptedOut",
        work: "OwnerUnsupported: Job",
        agent: "OwnerUnsupported: DaemonSet",
    }
    assert codes(result) == codes(planned) == left
    assert estate.on(estate.source) == sorted(left)
    assert all(item["hint"] and item["reason"] for item in result["leftovers"])
    reported = estate.run(on_leftovers="report")
    assert (reported["changed"], codes(reported)) == (False, left)
    assert result["summary"] | {"seconds": 0} == {
        "total": 5,
        "moved": 3,
        "failed": 0,
        "refused": 2,
        "not_started": 0,
        "seconds": 0,
    }
    estate.kube.delete("Pod", "dear", estate.namespace)
    estate.kube.delete("Job", "work", estate.namespace)
    estate.kube.wait_list(
        "Pod",
        lambda pods: len(pods) == 1,
        estate.namespace,
        fields=f"spec.nodeName={estate.source}",
    )
    assert estate.run()["changed"] is False


def job_of(name: str) -> dict[str, Any]:
    """A Job of one pod."""
    found = controller("CronJob", name)
    template = template_of(found)
    labels = found["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": labels,
        "spec": {"template": template},
    }


def test_jobs_are_waited_for(estate: Estate) -> None:
    estate.kube.create(estate.homed(job_of("work")), estate.namespace)
    (work,) = estate.kube.wait_ready(estate.namespace, "app=work", count=1)
    running = start_module(estate.cluster, MODULE, estate.args(jobs="wait"))
    # The record is written after the look, in which the pod was at work.
    estate.kube.wait_list("ConfigMap", lambda _: estate.records(), estate.namespace)
    estate.kube.annotate("Pod", work["metadata"]["name"], estate.namespace, complete_after="0s")
    result = finish(running)
    assert not result.get("failed"), result
    assert set(codes(result).values()) == {"PodFinished"}


def test_one_that_waits_can_be_stopped(estate: Estate) -> None:
    estate.kube.create(estate.homed(job_of("work")), estate.namespace)
    estate.kube.wait_ready(estate.namespace, "app=work", count=1)
    running = start_module(estate.cluster, MODULE, estate.args(jobs="wait", on_stop="uncordon"))
    estate.kube.wait_list("ConfigMap", lambda _: estate.records(), estate.namespace)
    running.terminate()
    result = finish(running)
    assert result["error"]["code"] == "Cancelled"
    assert set(codes(result).values()) == {"JobRunning"}
    assert (result["cordoned"], estate.is_cordoned()) == (False, False)


def test_pods_of_jobs_are_evicted(estate: Estate) -> None:
    estate.kube.create(estate.homed(job_of("work")), estate.namespace)
    estate.kube.wait_ready(estate.namespace, "app=work", count=1)
    estate.open()
    result = estate.run(jobs="evict")
    assert not result.get("failed"), result
    assert [m["strategy"] for m in result["moved"]] == ["evict"]
    assert estate.on(estate.source) == []


def test_who_has_an_unknown_owner_is_evicted_where_that_is_wanted(estate: Estate) -> None:
    owner = {"apiVersion": "example.org/v1", "kind": "Rollout", "name": "r", "controller": True}
    metadata = {"ownerReferences": [{**owner, "uid": estate.namespace}]}
    estate.fill(workload("web", 2, "ReplicaSet", metadata={"labels": {"app": "web"}, **metadata}))
    estate.open()
    planned = estate.run(state="planned")
    assert set(codes(planned).values()) == {"OwnerUnsupported: Rollout"}
    result = estate.run(fallback="evict")
    assert not result.get("failed"), result
    assert [p["loses_availability"] for p in result["plan"]] == [True, True]
    assert [m["strategy"] for m in result["moved"]] == ["evict", "evict"]
    assert owners(estate, estate.source) == {}
    assert len(estate.pods()) == 2


def test_a_cordon_of_somebody_else_is_left_as_it_is(estate: Estate) -> None:
    estate.fill(workload("web"))
    estate.kube.patch("Node", estate.source, {"spec": {"unschedulable": True}})
    estate.open()
    result = estate.run()
    assert (result["cordoned"], estate.on(estate.source)) == (False, [])
    back = estate.run(state="returned")
    assert back["error"]["code"] == "NodeUnschedulable"
    assert (estate.is_cordoned(), len(estate.records())) == (True, 1)


def test_only_the_pods_that_are_chosen_go(estate: Estate) -> None:
    estate.fill(workload("web"), workload("db", 1))
    estate.open()
    chosen = {"label_selectors": ["app in (web)"], "target_nodes": [estate.second]}
    result = estate.evacuated(cordon=False, **chosen)
    assert owners(estate, estate.second) == {"web": 2}
    assert owners(estate, estate.source) == {"db": 1}
    assert (estate.is_cordoned(), result["cordoned"]) == (False, False)


def test_what_was_scaled_down_or_deleted_meanwhile_is_told_and_no_failure(estate: Estate) -> None:
    estate.fill(workload("web", 2), workload("gone", 1), bare("alone"))
    estate.open()
    assert not estate.run().get("failed")
    estate.kube.delete("Deployment", "gone", estate.namespace)
    estate.kube.delete("Pod", "alone", estate.namespace)
    estate.kube.patch("Deployment", "web", {"spec": {"replicas": 1}}, estate.namespace)
    estate.kube.wait_list("Pod", lambda pods: len(pods) == 1, estate.namespace)
    result = estate.evacuated(state="returned")
    left = {"web": "TooFewReplicas", "gone": "ControllerNotFound", "alone": "PodNotFound"}
    assert codes(result) == left
    assert (len(estate.on(estate.source)), estate.records()) == (1, [])
