# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves by way of a temporary ReplicaSet: when, for whom, and under which budgets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.calls import API_CALLS
from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import ApiError, Kube, Object
from tests.integration.accounts import account
from tests.integration.manifests import controller, pod
from tests.integration.runner import run_module
from tests.integration.scenario import called, performed, refused, warnings_of

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_move"
LABELS = {"app": "web", "replica": "web"}
SERVICE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": LABELS, "ports": [{"port": 80}]},
}


def budget(**spec: Any) -> Object:
    """A budget for the workload."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": LABELS}, **spec},
    }


def ready(kube: Kube, namespace: str, *manifests: Object) -> Object:
    """Create them; the first pod, when two are Ready."""
    for manifest in manifests:
        kube.create(manifest, namespace)
    return kube.wait_ready(namespace, "app=web", count=2)[0]


def order(cluster: Cluster, namespace: str, found: Object, **more: Any) -> dict[str, Any]:
    """The options that move the pod to a node that it is not on."""
    node = next(n for n in cluster.nodes if n != found["spec"]["nodeName"])
    name = found["metadata"]["name"]
    return {"namespace": namespace, "name": name, "node": node, "wait_timeout": 60, **more}


@pytest.mark.parametrize("kind", ["ReplicaSet", "ReplicationController"])
def test_a_controller_that_can_spare_no_selector_key_is_moved_that_way(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, kind: str
) -> None:
    old = ready(kube, namespace, controller(kind), SERVICE)
    before = kube.get(kind, "web", namespace)
    args = order(cluster, namespace, old)
    result = performed(cluster, audit, MODULE, args)
    moved = result["moved"][0]
    assert (moved["strategy"], moved["to_node"]) == ("shadow", args["node"])
    assert (moved["downtime"], result["plan"][0]["loses_availability"]) == (0.0, False)
    after = kube.get(kind, "web", namespace)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    refused(cluster, audit, MODULE, order(cluster, namespace, new(kube, namespace, moved)) | ADOPT)


ADOPT = {"strategy": "adopt"}


def new(kube: Kube, namespace: str, moved: Object) -> Object:
    """The pod that the move made."""
    return kube.get("Pod", moved["new_pod"], namespace)


@pytest.mark.parametrize("placement", ["schedule", "prefer", "bind"])
def test_it_leaves_the_marks_that_idempotence_needs_and_no_other(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, placement: str
) -> None:
    old = ready(kube, namespace, controller("Deployment"))
    args = order(cluster, namespace, old, strategy="shadow", placement=placement)
    result = performed(cluster, audit, MODULE, args)
    made = new(kube, namespace, result["moved"][0])
    found = made["metadata"]
    assert made["spec"]["nodeName"] == args["node"]
    labels = dict(found["labels"])
    assert labels.pop("podplacement.io/moved-from-uid") == old["metadata"]["uid"]
    assert {k: v for k, v in labels.items() if "topology" not in k} == {
        k: v for k, v in old["metadata"]["labels"].items() if "topology" not in k
    }
    own = {k: v for k, v in found["annotations"].items() if not k.startswith("test.")}
    assert own == {"podplacement.io/moved-from-name": json.dumps([old["metadata"]["name"]])}
    assert [ref["kind"] for ref in found["ownerReferences"]] == ["ReplicaSet"]
    assert [s["spec"]["replicas"] for s in kube.list("ReplicaSet", namespace)] == [2]
    assert kube.list("Lease", namespace) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"maxUnavailable": 0},
        {"maxUnavailable": "50%"},
        {"minAvailable": "100%"},
        {"minAvailable": 2},
    ],
    ids=str,
)
def test_a_budget_at_its_limit_is_kept_because_the_replacement_counts(
    cluster: Cluster, kube: Kube, namespace: str, spec: Object
) -> None:
    old = ready(kube, namespace, controller("Deployment"), budget(**spec))
    args = order(cluster, namespace, old, strategy="shadow")
    result = run_module(cluster, MODULE, args)
    assert result["changed"], result
    assert new(kube, namespace, result["moved"][0])["spec"]["nodeName"] == args["node"]


@contextmanager
def controllers_only(kube: Kube, namespace: str) -> Iterator[None]:
    """A policy against bare pods, and so against the pods that people create."""
    group = "admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"]}
    allowed = "object.metadata.?ownerReferences.orValue([]).exists(r, r.?controller.orValue(false))"
    policy: Object = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {"resourceRules": [rule | {"resources": ["pods"]}]},
            "validations": [{"expression": allowed, "message": "let a controller create it"}],
        },
    }
    where = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    binding: Object = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": namespace},
        "spec": {
            "policyName": namespace,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": where},
        },
    }
    path = f"apis/{group}/validatingadmissionpolic"
    kube.request("POST", f"{path}ies", policy)
    kube.request("POST", f"{path}ybindings", binding)
    try:
        while not _refused(kube, namespace):
            pass
        yield
    finally:
        kube.request("DELETE", f"{path}ybindings/{namespace}")
        kube.request("DELETE", f"{path}ies/{namespace}")


def _refused(kube: Kube, namespace: str) -> bool:
    try:
        kube.create(pod("probe"), namespace, dry_run=True)
    except ApiError as err:
        return "let a controller" in str(err)
    return False


def test_where_only_controllers_may_create_pods_one_creates_the_replacement(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    old = ready(kube, namespace, controller("Deployment"))
    args = order(cluster, namespace, old)
    with controllers_only(kube, namespace):
        refused(cluster, audit, MODULE, args)
        result = performed(cluster, audit, MODULE, args | {"strategy": "shadow"})
    assert "its controller must" in warnings_of(result)[0]
    assert new(kube, namespace, result["moved"][0])["spec"]["nodeName"] == args["node"]


def test_the_documented_rights_suffice_and_no_other_call_is_made(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, tmp_path: Path
) -> None:
    workload = controller("ReplicationController")
    old = ready(kube, namespace, workload, SERVICE, budget(maxUnavailable=0))
    documented = set(API_CALLS["shadow"])
    needed = [call for call in documented if call[2] != "selfsubjectaccessreviews"]
    with account(kube, namespace, tmp_path, needed) as user:
        audit.mark()
        result = run_module(user, MODULE, order(cluster, namespace, old))
        assert result["changed"], result
        made = {called(entry) for entry in audit.entries(user=user.name)}
    assert made <= documented
    rare = {
        ("patch", "coordination.k8s.io", "leases"),  # renewed in a long move only
        ("get", "coordination.k8s.io", "leases"),  # read when another run holds it
        ("patch", "apps", "replicasets"),  # the way back
        ("delete", "", "pods"),  # the way back
        ("get", "", "persistentvolumeclaims"),
        ("get", "", "persistentvolumes"),
        ("get", "apps", "replicasets"),
        ("get", "apps", "deployments"),
        ("list", "", "nodes"),  # for a spread or an affinity between pods
        ("list", "", "namespaces"),
        ("get", "", "namespaces"),
    }
    assert {call for call in documented - made if call[0] != "watch"} <= rare
