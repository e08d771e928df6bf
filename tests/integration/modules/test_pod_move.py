# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_pod_move on a real control plane: what it does, and that check mode foretells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.calls import API_CALLS
from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.integration.accounts import account
from tests.integration.manifests import controller, pod, pod_spec
from tests.integration.runner import run_ansible, run_module
from tests.integration.scenario import called, performed, predict, warnings_of

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_move"
KINDS = ("Deployment", "ReplicaSet", "ReplicationController")


def create(kube: Kube, namespace: str, *manifests: Object) -> None:
    """Create them all."""
    for manifest in manifests:
        kube.create(manifest, namespace)


def ready(kube: Kube, namespace: str, app: str = "web", count: int = 2) -> list[Object]:
    """The pods of that app, when so many are Ready."""
    kube.wait_ready(namespace, f"app={app}", count=count)
    return kube.list("Pod", namespace, selector=f"app={app}")


def elsewhere(cluster: Cluster, *pods: Object) -> str:
    """A node that none of the pods is on."""
    taken = {found["spec"]["nodeName"] for found in pods}
    return next(name for name in cluster.nodes if name not in taken)


def order(namespace: str, found: Object, node: str, **more: Any) -> dict[str, Any]:
    """The options that move one pod."""
    name = found["metadata"]["name"]
    return {"namespace": namespace, "name": name, "node": node, "wait_timeout": 60, **more}


def node_of(kube: Kube, namespace: str, name: str) -> str:
    """Where the pod is."""
    return str(kube.get("Pod", name, namespace)["spec"]["nodeName"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("placement", ["schedule", "bind"])
def test_a_pod_of_a_controller_is_moved_and_its_controller_is_not_touched(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, kind: str, placement: str
) -> None:
    before = kube.create(controller(kind), namespace)
    old = ready(kube, namespace)[0]
    args = order(namespace, old, elsewhere(cluster, old), placement=placement)
    result = performed(cluster, audit, MODULE, args)
    moved = result["moved"][0]
    assert (moved["pod"], moved["to_node"]) == (args["name"], args["node"])
    assert (moved["strategy"], moved["downtime"]) == ("adopt", 0.0)
    assert node_of(kube, namespace, moved["new_pod"]) == args["node"]
    after = kube.get(kind, "web", namespace)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    names = {p["metadata"]["name"] for p in kube.list("Pod", namespace)}
    assert moved["new_pod"] in names
    assert args["name"] not in names


def test_the_marks_that_stay_are_those_that_idempotence_needs(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    create(kube, namespace, controller("Deployment"))
    old = ready(kube, namespace)[0]
    result = run_module(cluster, MODULE, order(namespace, old, elsewhere(cluster, old)))
    new = kube.get("Pod", result["moved"][0]["new_pod"], namespace)["metadata"]
    ours = {k: v for k, v in new["labels"].items() if "podplacement.io" in k}
    assert ours == {"podplacement.io/moved-from-uid": old["metadata"]["uid"]}
    annotations = {k: v for k, v in new["annotations"].items() if not k.startswith("test.")}
    assert annotations == {"podplacement.io/moved-from-name": json.dumps([old["metadata"]["name"]])}
    assert [ref["kind"] for ref in new["ownerReferences"]] == ["ReplicaSet"]
    assert kube.list("Lease", namespace) == []
    assert [s for s in kube.list("Secret", namespace) if "journal" in s["type"]] == []


def test_a_preference_of_a_node_that_the_scheduler_follows_leaves_no_pin(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    create(kube, namespace, controller("Deployment", replicas=1))
    old = ready(kube, namespace, count=1)[0]
    args = order(namespace, old, elsewhere(cluster, old), placement="prefer")
    result = performed(cluster, audit, MODULE, args)
    new = kube.get("Pod", result["moved"][0]["new_pod"], namespace)
    assert new["spec"]["nodeName"] == args["node"]
    assert "requiredDuringSchedulingIgnoredDuringExecution" not in str(new["spec"]["affinity"])
    assert result["plan"][0]["pinned"] is False


@pytest.mark.parametrize("strategy", ["recreate", "surge"])
def test_a_bare_pod_is_moved_with_all_that_its_user_wrote(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, strategy: str
) -> None:
    spec: dict[str, Any] = pod_spec() | {
        "tolerations": [{"key": "mine", "operator": "Exists"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
    }
    create(kube, namespace, {**pod("web", annotations={"note": "keep"}), "spec": spec})
    old = ready(kube, namespace, count=1)[0]
    args = order(namespace, old, elsewhere(cluster, old), strategy=strategy)
    result = performed(cluster, audit, MODULE, args)
    new = kube.get("Pod", result["moved"][0]["new_pod"], namespace)
    assert (new["metadata"]["name"] == "web") is (strategy == "recreate")
    assert new["metadata"]["labels"]["app"] == "web"
    assert new["metadata"]["annotations"]["note"] == "keep"
    assert new["spec"]["nodeSelector"] == spec["nodeSelector"]
    assert {"key": "mine", "operator": "Exists"} in new["spec"]["tolerations"]
    assert "ownerReferences" not in new["metadata"]


def test_a_moved_pod_can_be_moved_again_and_is_found_under_each_of_its_names(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    create(kube, namespace, controller("Deployment", replicas=1))
    first = ready(kube, namespace, count=1)[0]
    there, further = [n for n in cluster.nodes if n != first["spec"]["nodeName"]][:2]
    one = run_module(cluster, MODULE, order(namespace, first, there))
    two = run_module(cluster, MODULE, order(namespace, first, further))
    assert two["moved"][0]["pod"] == one["moved"][0]["new_pod"]
    for name in (first["metadata"]["name"], two["moved"][0]["pod"], two["moved"][0]["new_pod"]):
        found = {"metadata": {"name": name}}
        again = run_module(cluster, MODULE, order(namespace, found, further))
        assert again["changed"] is False


def test_several_moves_in_one_task(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    create(kube, namespace, controller("Deployment"), pod("alone"))
    pods = [*ready(kube, namespace), *ready(kube, namespace, "alone", 1)]
    moves = [{"name": p["metadata"]["name"], "node": elsewhere(cluster, p)} for p in pods]
    args = {"namespace": namespace, "moves": moves, "wait_timeout": 90}
    result = performed(cluster, audit, MODULE, args)
    assert [m["to_node"] for m in result["moved"]] == [m["node"] for m in moves]
    assert [m["strategy"] for m in result["moved"]] == ["adopt", "adopt", "recreate"]


def test_a_refusal_in_a_list_stops_all_before_the_first(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    create(kube, namespace, pod("web"))
    found = ready(kube, namespace, count=1)[0]
    moves = [
        {"name": "web", "node": elsewhere(cluster, found)},
        {"name": "nobody", "node": "nowhere"},
    ]
    args = {"namespace": namespace, "moves": moves}
    check = predict(cluster, audit, MODULE, args)
    result = run_module(cluster, MODULE, args)
    for refused in (check, result):
        assert refused["failed"]
        assert refused["error"]["code"] == "PodNotFound"
        assert [item["name"] for item in refused["leftovers"]] == ["nobody"]
    assert kube.get("Pod", "web", namespace)["metadata"]["uid"] == found["metadata"]["uid"]


def test_a_warning_in_place_of_a_refusal(cluster: Cluster, kube: Kube, namespace: str) -> None:
    create(kube, namespace, controller("Deployment", replicas=1))
    old = ready(kube, namespace, count=1)[0]
    spec: dict[str, Any] = {"nodeSelector": {"test.podplacement.io/none": "here"}}
    change = {"spec": {"paused": True, "template": {"spec": spec}}}
    kube.patch("Deployment", "web", change, namespace)
    # The template of the paused Deployment is not the one of the pod's ReplicaSet: that one counts.
    args = order(namespace, old, elsewhere(cluster, old), validate="warn")
    result = run_module(cluster, MODULE, args)
    assert result["changed"], result
    assert warnings_of(result) == []


def test_the_user_s_own_deletion_cost_goes_with_the_pod(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    create(kube, namespace, controller("ReplicaSet"))
    old = ready(kube, namespace)[0]
    cost = {"controller.kubernetes.io/pod-deletion-cost": "42"}
    name = old["metadata"]["name"]
    kube.patch("Pod", name, {"metadata": {"annotations": cost}}, namespace)
    result = run_module(cluster, MODULE, order(namespace, old, elsewhere(cluster, old)))
    new = kube.get("Pod", result["moved"][0]["new_pod"], namespace)
    assert cost.items() <= new["metadata"]["annotations"].items()


def test_a_custom_scheduler_name_survives(
    cluster: Cluster, kube: Kube, namespace: str, second_scheduler: str
) -> None:
    name = second_scheduler
    create(kube, namespace, controller("Deployment", scheduler=name))
    old = ready(kube, namespace)[0]
    result = run_module(cluster, MODULE, order(namespace, old, elsewhere(cluster, old)))
    new = kube.get("Pod", result["moved"][0]["new_pod"], namespace)
    assert new["spec"]["schedulerName"] == name
    template = kube.get("Deployment", "web", namespace)["spec"]["template"]
    assert template["spec"]["schedulerName"] == name


@pytest.mark.parametrize("strategy", ["adopt", "recreate", "surge"])
def test_the_documented_rights_suffice_and_no_other_call_is_made(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, tmp_path: Path, strategy: str
) -> None:
    owned = strategy == "adopt"
    create(kube, namespace, controller("ReplicationController") if owned else pod("web"))
    if owned:  # without a budget nobody asks it
        spec = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
        budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": spec}
        create(kube, namespace, {**budget, "metadata": {"name": "web"}})
    old = ready(kube, namespace, count=2 if owned else 1)[0]
    reviews = "selfsubjectaccessreviews"
    needed = [call for call in API_CALLS[strategy] if call[2] != reviews]
    with account(kube, namespace, tmp_path, needed) as user:
        audit.mark()
        args = order(namespace, old, elsewhere(cluster, old), strategy=strategy)
        result = run_module(user, MODULE, args)
        assert result["changed"], result
        made = {called(entry) for entry in audit.entries(user=user.name)}
    assert made <= set(API_CALLS[strategy])
    unused = {call for call in set(API_CALLS[strategy]) - made if call[0] != "watch"}
    rare = {
        ("patch", "coordination.k8s.io", "leases"),  # renewed in a long move only
        ("get", "coordination.k8s.io", "leases"),  # read when another run holds it
        ("patch", "", "secrets"),  # written again when the pod changed after the first time
        ("delete", "", "pods"),  # the way back
        ("get", "", "persistentvolumeclaims"),
        ("get", "", "persistentvolumes"),
        ("get", "apps", "replicasets"),
        ("get", "apps", "deployments"),
        ("get", "", "nodes"),
        ("list", "", "nodes"),  # for a spread or an affinity between pods
        ("list", "", "namespaces"),
        ("get", "", "namespaces"),
    }
    assert unused <= rare, unused


def test_a_task_through_ansible_returns_what_is_documented(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    create(kube, namespace, controller("Deployment"))
    old = ready(kube, namespace)[0]
    args = order(namespace, old, elsewhere(cluster, old))
    done = run_ansible(cluster, MODULE, args, "--diff")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.partition(" => ")[2])
    assert set(result) >= {"changed", "cluster", "moved", "plan", "leftovers", "recovered"}
    assert f'"node": "{args["node"]}"' in done.stdout
