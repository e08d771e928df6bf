# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods whose volume one node, or one pod, has to itself: their replacement has its place first."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.calls import API_CALLS
from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object, is_ready
from tests.integration.accounts import account
from tests.integration.runner import finish, run_module, start_module
from tests.integration.scenario import called, performed, refused, warnings_of
from tests.integration.volumes import CSI, attachment, bound_claim, local, with_claim
from tests.integration.webhook import evacuating, until_effective

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_move"
ONCE, ONCE_POD = "ReadWriteOnce", "ReadWriteOncePod"


def started(kube: Kube, namespace: str, manifest: Object, count: int = 1) -> Object:
    """Create a controller; its first pod, when all are Ready."""
    kube.create(manifest, namespace)
    return kube.wait_ready(namespace, "app=web", count=count)[0]


def order(cluster: Cluster, namespace: str, pod: Object, **more: Any) -> dict[str, Any]:
    """The options that move the pod to a node that it is not on."""
    node = next(n for n in cluster.nodes if n != pod["spec"]["nodeName"])
    name = pod["metadata"]["name"]
    return {"namespace": namespace, "name": name, "node": node, "wait_timeout": 60} | more


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("Deployment", ONCE), ("Deployment", ONCE_POD), ("ReplicationController", ONCE)],
)
def test_a_pod_with_a_volume_of_its_own_is_moved_and_its_controller_is_not_touched(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, kind: str, mode: str
) -> None:
    bound_claim(kube, namespace, mode)
    old = started(kube, namespace, with_claim(kind))
    before = kube.get(kind, "web", namespace)
    args = order(cluster, namespace, old)
    result = performed(cluster, audit, MODULE, args)
    moved, plan = result["moved"][0], result["plan"][0]
    assert (moved["strategy"], moved["to_node"]) == ("replace", args["node"])
    assert plan["loses_availability"] is True
    assert moved["downtime"] > 0
    pods = kube.list("Pod", namespace)
    assert [p["metadata"]["name"] for p in pods] == [moved["new_pod"]]
    assert pods[0]["spec"]["nodeName"] == args["node"]
    after = kube.get(kind, "web", namespace)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


def test_a_volume_that_cannot_follow_is_refused(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    bound_claim(kube, namespace, ONCE, **local(cluster.nodes[0]))
    old = started(kube, namespace, with_claim())
    args = order(cluster, namespace, old)
    assert refused(cluster, audit, MODULE, args)["error"]["code"] == "VolumeNodeAffinityConflict"


def test_a_volume_that_pods_elsewhere_use_is_refused(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    """It could never attach to the target while they run."""
    bound_claim(kube, namespace, ONCE)
    old = started(kube, namespace, with_claim(replicas=2), count=2)
    used = {pod["spec"]["nodeName"] for pod in kube.list("Pod", namespace)}
    free = next(node for node in cluster.nodes if node not in used)
    args = order(cluster, namespace, old, node=free)
    result = refused(cluster, audit, MODULE, args)
    assert result["error"]["code"] == "VolumeInUse"
    assert "claim data" in result["msg"]


def test_a_pod_that_took_longer_to_start_than_it_may_be_away_is_not_touched(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    bound_claim(kube, namespace, ONCE)
    old = started(kube, namespace, with_claim())
    args = order(cluster, namespace, old, max_downtime=0)
    assert refused(cluster, audit, MODULE, args)["error"]["code"] == "DowntimeNotAllowed"


def test_the_old_node_s_attachment_is_waited_for(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    """The driver, played by this test, detaches late; the module does not end before that."""
    bound_claim(kube, namespace, ONCE, **CSI)
    old = started(kube, namespace, with_claim())
    kube.create(attachment(namespace, old["spec"]["nodeName"]))
    running = start_module(cluster, MODULE, order(cluster, namespace, old))
    kube.wait_list("Pod", lambda pods: len(pods) == 1 and _is_adopted(pods[0]), namespace)
    assert len(kube.list("Lease", namespace)) == 1
    kube.delete("VolumeAttachment", namespace)
    result = finish(running)
    assert result["changed"], result
    assert warnings_of(result) == []
    assert [e for e in audit.entries(agent="podplacement/") if e.resource == "volumeattachments"]


@pytest.mark.parametrize("strategy", ["replace", "evict"])
def test_the_documented_rights_suffice_and_no_other_call_is_made(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, tmp_path: Path, strategy: str
) -> None:
    bound_claim(kube, namespace, ONCE, **CSI)
    old = started(kube, namespace, with_claim())
    needed = [c for c in API_CALLS[strategy] if c[2] != "selfsubjectaccessreviews"]
    with account(kube, namespace, tmp_path, needed) as user:
        audit.mark()
        args = order(cluster, namespace, old, strategy=strategy)
        result = run_module(user, MODULE, args)
        assert result["changed"], result
        made = {called(entry) for entry in audit.entries(user=user.name)}
    assert made <= set(API_CALLS[strategy])


def _is_adopted(pod: Object) -> bool:
    """A replacement that is its controller's, and Ready."""
    moved = "podplacement.io/moved-from-uid" in pod["metadata"]["labels"]
    return moved and "ownerReferences" in pod["metadata"] and is_ready(pod)


def test_an_operator_that_answers_with_an_evacuation_is_waited_for(
    cluster: Cluster, kube: Kube, namespace: str, tmp_path: Path
) -> None:
    """Also where a budget is asked for show first: nothing is evacuated by that."""
    bound_claim(kube, namespace, ONCE_POD)
    old = started(kube, namespace, with_claim())
    budget = {"minAvailable": 0, "selector": {"matchLabels": {"app": "web"}}}
    kube.create(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "web"},
            "spec": budget,
        },
        namespace,
    )
    name = old["metadata"]["name"]

    def evacuate(_request: Object) -> None:
        threading.Timer(0.3, kube.delete, ("Pod", name, namespace)).start()

    args = order(cluster, namespace, old)
    with evacuating(kube, namespace, tmp_path, evacuate):
        until_effective(kube, old)
        result = run_module(cluster, MODULE, args)
    assert not result.get("failed"), result
    assert (result["moved"][0]["strategy"], result["moved"][0]["to_node"]) == (
        "replace",
        args["node"],
    )
    assert kube.find("Pod", name, namespace) is None
