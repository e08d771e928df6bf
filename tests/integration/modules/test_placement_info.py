# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_placement_info on a real control plane: every kind of owner, who placed what, and why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.placement.run import API_CALLS
from ansible_collections.podplacement.core.plugins.module_utils.rules.fit import NOT_REPEATED, RULES
from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.integration.accounts import account
from tests.integration.manifests import controller, pod, pod_spec
from tests.integration.modules.conftest import Yard
from tests.integration.runner import Result, run_module
from tests.integration.scenario import called, code_of, warnings_of

pytestmark = pytest.mark.cluster
MODULE = "k8s_placement_info"


def info(cluster: Any, **args: Any) -> Result:
    """A run of the module, which reads: it never fails here, and never changes anything."""
    result = run_module(cluster, MODULE, args)
    assert not result.get("failed"), result
    assert result["changed"] is False
    return result


def by_app(result: Result) -> dict[str, Any]:
    """The pods by the name of their app, or their own where they are bare."""
    return {
        item["owners"][-1]["name"] if item["owners"] else item["name"]: item
        for item in result["pods"]
    }


def job(name: str) -> Object:
    spec = {"template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec(restart="Never")}}
    return {"kind": "Job", "apiVersion": "batch/v1", "metadata": {"name": name}, "spec": spec}


def daemon_set(name: str, node: str) -> Object:
    made = controller("DaemonSet", name)
    made["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
    return made


def widget_pod(kube: Kube, namespace: str) -> Object:
    """A pod of an operator; its owner is some object that exists, or it would be collected."""
    account_uid = kube.get("ServiceAccount", "default", namespace)["metadata"]["uid"]
    owner = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": account_uid}
    return pod("widget", ownerReferences=[{**owner, "controller": True}])


def claimed(kube: Kube, namespace: str, mode: str, node: str) -> Object:
    """A pod with a claim on a volume that only this node can reach."""
    shape = {"accessModes": [mode], "storageClassName": namespace}
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}}
    size, source = {"storage": "1Gi"}, {"hostPath": {"path": "/data"}}
    volume = {"kind": "PersistentVolume", "apiVersion": "v1", "metadata": {"name": namespace}}
    kube.create(volume | {"spec": shape | source | {"capacity": size, "nodeAffinity": affinity}})
    claim = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "data"}}
    kube.create(claim | {"spec": shape | {"resources": {"requests": size}}}, namespace)
    made = pod("claimed")
    made["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    return made


def create_every_kind(kube: Kube, namespace: str, node: str) -> None:
    """One of each, when all run that can."""
    scratch = pod("scratch")
    scratch["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    for manifest in (
        controller("Deployment", "deployment", replicas=1),
        controller("ReplicaSet", "replicaset", replicas=1),
        controller("ReplicationController", "legacy", replicas=1),
        controller("StatefulSet", "db", replicas=1),
        daemon_set("agent", node),
        job("work"),
        pod("bare"),
        scratch,
        pod("fixed", annotations={"podplacement.io/do-not-move": "true"}),
        widget_pod(kube, namespace),
        claimed(kube, namespace, "ReadWriteOnce", node),
        pod("waiting", "nobody-serves-this"),
    ):
        kube.create(manifest, namespace)
    kube.wait_list("Pod", lambda pods: len(running(pods)) == 11, namespace)


def test_every_kind_of_owner(cluster: Cluster, kube: Kube, namespace: str) -> None:
    create_every_kind(kube, namespace, cluster.nodes[0])
    pods = by_app(info(cluster, namespace=namespace))
    assert {
        name: item["move"]["strategy"] or item["move"]["code"] for name, item in pods.items()
    } == {
        "deployment": "adopt",
        "replicaset": "adopt",
        "legacy": "adopt",
        "db": "steer",
        "agent": "OwnerUnsupported: DaemonSet",
        "work": "OwnerUnsupported: Job",
        "bare": "recreate",
        "scratch": "LocalData",
        "fixed": "OptedOut",
        "w": "OwnerUnsupported: Widget",
        "claimed": "recreate",
        "waiting": "PodNotRunning",
    }
    deployed = pods["deployment"]
    assert [owner["kind"] for owner in deployed["owners"]] == ["ReplicaSet", "Deployment"]
    assert (deployed["ready"], deployed["phase"]) == (True, "Running")
    assert deployed["node"] in cluster.nodes
    assert deployed["placed"]["by"] == deployed["scheduler"] == "default-scheduler"
    assert deployed["placed"]["source"] == "event"
    assert deployed["placed"]["at"]
    assert (deployed["move"]["loses_availability"], deployed["move"]["expected_downtime"]) == (
        False,
        0,
    )
    assert pods["bare"]["move"]["loses_availability"]
    assert pods["bare"]["move"]["expected_downtime"] > 0
    assert "emptydir" in pods["scratch"]["move"]["hint"]
    assert pods["waiting"]["placed"] == {"by": "", "at": "", "source": ""}
    (out,) = pods["fixed"]["opt_outs"]
    assert out["annotation"] == "podplacement.io/do-not-move"
    assert out["object"] == f"Pod {namespace}/fixed"
    (volume,) = pods["claimed"]["volumes"]
    assert volume["claim"] == "data"
    assert volume["access_modes"] == ["ReadWriteOnce"]
    assert volume["persistent_volume"] == namespace
    assert (volume["attaches"], volume["node_bound"]) == ("one_node", True)
    kube.delete("PersistentVolume", namespace)


def running(pods: list[Object]) -> list[Object]:
    """Those that run."""
    return [found for found in pods if found["status"].get("phase") == "Running"]


def test_pods_by_node_label_and_name(cluster: Cluster, kube: Kube, namespace: str) -> None:
    for name in ("one", "two"):
        kube.create(pod(name), namespace)
    kube.wait_ready(namespace, count=2)
    one = kube.get("Pod", "one", namespace)

    def names(**args: Any) -> set[str]:
        found = info(cluster, **args)["pods"]
        return {item["name"] for item in found if item["namespace"] == namespace}

    assert names(namespace=namespace) == {"one", "two"}
    assert names(namespace=namespace, name="one") == {"one"}
    assert names(label_selectors=["app=two"]) == {"two"}
    assert names() == {"one", "two"}
    assert "one" in names(node=one["spec"]["nodeName"])
    other = next(n for n in cluster.nodes if n != one["spec"]["nodeName"])
    assert "one" not in names(node=other)


def test_a_pod_that_the_collection_bound(cluster: Cluster, yard: Yard) -> None:
    yard.pod("p")
    run_module(cluster, "k8s_pod_bind", yard.one())
    (item,) = info(cluster, namespace=yard.namespace)["pods"]
    bound = yard.get("p")["metadata"]["annotations"]["podplacement.io/scheduled-at"]
    assert item["placed"]["by"] == "podplacement.io/k8s_pod_bind"
    assert item["placed"]["source"] == "event"
    yard.kube.delete_all("Event", yard.namespace)
    (item,) = info(cluster, namespace=yard.namespace)["pods"]
    assert item["placed"] == {
        "by": "podplacement.io/k8s_pod_bind",
        "at": bound,
        "source": "annotation",
    }


def test_nodes(cluster: Cluster, yard: Yard) -> None:
    yard.pod("p", cpu="500m")
    run_module(cluster, "k8s_pod_bind", yard.one())
    yard.change_node(0, unschedulable=True)
    result = info(cluster, node=yard.nodes[0], gather=["pods", "nodes"])
    assert [item["name"] for item in result["pods"]] == ["p"]
    (node,) = result["nodes"]
    assert (node["ready"], node["cordoned"], node["pods"]) == (True, True, 1)
    assert yard.namespace in {taint["key"] for taint in node["taints"]}
    assert (node["allocatable"]["cpu"], node["requested"]["cpu"]) == ("2", "500m")
    assert (node["free"]["cpu"], node["requested_percent"]["cpu"]) == ("1500m", 25.0)
    whole = {n["name"]: n for n in info(cluster, gather=["pods", "nodes"])["nodes"]}
    assert whole[yard.nodes[0]] == node
    assert set(whole) >= {*yard.nodes, *cluster.nodes}


def test_a_pod_and_a_node_explained_rule_by_rule(cluster: Cluster, yard: Yard) -> None:
    yard.pod("p", cpu="1500m")
    run_module(cluster, "k8s_pod_bind", yard.one())
    yard.kube.wait_ready(yard.namespace, count=1)
    yard.pod("big", cpu="1")
    run_module(cluster, "k8s_pod_bind", yard.one(name="big", node=yard.nodes[1]))
    yard.change_node(2, unschedulable=True)
    question = {"pod": f"{yard.namespace}/p", "nodes": [*yard.nodes, cluster.nodes[0]]}
    result = info(cluster, gather=[], explain=question)
    assert (result["pods"], result["nodes"]) == ([], [])
    here, full, cordoned, foreign = result["explain"]
    assert (here["fits"], here["here"], here["judged"]) == (True, True, "replacement")
    assert verdicts(here)["NodeResourcesFit"] == ["passed"]
    assert (full["fits"], full["here"]) == (False, False)
    assert verdicts(full)["NodeResourcesFit"] == ["rejected", "InsufficientCpu"]
    assert verdicts(full)["NodeUnschedulable"] == ["passed"]
    assert verdicts(cordoned)["NodeUnschedulable"] == ["rejected", "NodeUnschedulable"]
    assert foreign["fits"]
    assert list(verdicts(here)) == ["NodeReady", *(name for name, _rule in RULES), *NOT_REPEATED]
    assert verdicts(here)["InterPodAffinity"] == ["passed"]
    assert verdicts(here)["DynamicResources"] == ["not_judged"]
    everywhere = info(cluster, namespace=yard.namespace, gather=[], explain={"pod": "p"})["explain"]
    assert {item["node"]: item for item in everywhere}[yard.nodes[1]] == full


def verdicts(item: dict[str, Any]) -> dict[str, list[str]]:
    """Of each rule the verdict, and the codes of its rejections."""
    return {r["rule"]: [r["verdict"], *(x["code"] for x in r["rejections"])] for r in item["rules"]}


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"gather": ["nodes"], "node": "nowhere"}, "NodeNotFound"),
        ({"explain": {"pod": "nothing"}}, "BadRequest"),
        ({"explain": {"pod": "default/nothing"}}, "PodNotFound"),
    ],
)
def test_a_question_that_has_no_answer(cluster: Cluster, args: dict[str, Any], code: str) -> None:
    assert code_of(run_module(cluster, MODULE, args)) == code


def test_the_documented_rights_suffice_and_no_other_call_is_made(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, tmp_path: Path
) -> None:
    kube.create(controller("Deployment", replicas=3), namespace)
    kube.create(controller("ReplicaSet", "other", replicas=1), namespace)
    kube.create(claimed(kube, namespace, "ReadWriteOnce", cluster.nodes[0]), namespace)
    kube.wait_ready(namespace, count=5)
    with account(kube, namespace, tmp_path, API_CALLS) as user:
        audit.mark()
        question = {"pod": f"{namespace}/claimed"}
        info(user, namespace=namespace, gather=["pods", "nodes"], explain=question)
        entries = audit.entries(user=user.name)
    assert {called(entry) for entry in entries} <= set(API_CALLS)
    assert not [entry for entry in entries if entry.writes]
    uris = [entry.uri for entry in entries]
    assert len(uris) == len(set(uris)), uris
    kube.delete("PersistentVolume", namespace)


def test_without_events_there_is_a_warning(
    cluster: Cluster, kube: Kube, namespace: str, tmp_path: Path
) -> None:
    kube.create(pod("one"), namespace)
    kube.wait_ready(namespace, count=1)
    calls = [call for call in API_CALLS if call[2] != "events"]
    with account(kube, namespace, tmp_path, calls) as user:
        result = info(user, namespace=namespace)
    assert "events" in " ".join(warnings_of(result))
    (item,) = result["pods"]
    assert (item["placed"]["by"], item["placed"]["source"]) == ("", "condition")
    assert item["placed"]["at"]


def test_check_mode_tells_the_same(cluster: Cluster, kube: Kube, namespace: str) -> None:
    kube.create(pod("one"), namespace)
    kube.wait_ready(namespace, count=1)
    args = {"namespace": namespace}
    assert run_module(cluster, MODULE, args, check=True)["pods"] == info(cluster, **args)["pods"]
