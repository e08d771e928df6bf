# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit log tells dry runs from writes, and a test's own requests from those of others."""

from __future__ import annotations

import pytest

from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import ApiError, Kube

from .workloads import pod, simulated

pytestmark = [pytest.mark.cluster, simulated]


@pytest.fixture
def somebody(cluster: Cluster, namespace: str) -> Kube:
    """Of this test alone: a review has no namespace that tells whose it is."""
    return Kube(cluster.kubeconfig, user_agent=f"{namespace}/1")


def test_a_dry_run_is_no_write(
    cluster: Cluster, namespace: str, audit: Audit, somebody: Kube
) -> None:
    somebody.create(pod(cluster, "web"), namespace, dry_run=True)
    entry = audit.entries(namespace=namespace, agent=somebody.user_agent)[0]
    assert (entry.verb, entry.resource, entry.code, entry.dry_run) == ("create", "pods", 201, True)
    assert "dryRun=All" in entry.uri
    assert audit.entries(namespace=namespace, writes=True) == []
    somebody.create(pod(cluster, "web"), namespace)
    assert [e.verb for e in audit.entries(namespace=namespace, writes=True)] == ["create"]


def test_a_dry_run_of_a_deletion_is_one_by_its_body(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, somebody: Kube
) -> None:
    """The API server looks at the query of a deletion only where there is no body."""
    kube.create(pod(cluster, "web", stop_after="never"), namespace)
    somebody.delete("Pod", "web", namespace, dry_run=True)
    assert audit.entries(namespace=namespace, agent=somebody.user_agent, writes=True) == []
    assert "deletionTimestamp" not in kube.get("Pod", "web", namespace)["metadata"]
    path = f"api/v1/namespaces/{namespace}/pods/web"
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 30}
    somebody.request("DELETE", path, options, query={"dryRun": "All"})
    (entry,) = audit.entries(namespace=namespace, agent=somebody.user_agent, writes=True)
    assert (entry.verb, entry.dry_run) == ("delete", False)
    assert "deletionTimestamp" in kube.get("Pod", "web", namespace)["metadata"]


def test_a_review_is_no_write(namespace: str, audit: Audit, somebody: Kube) -> None:
    attributes = {"namespace": namespace, "verb": "create", "resource": "pods"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    path = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert somebody.request("POST", path, review)["status"]["allowed"]
    asked = [e.resource for e in audit.entries(agent=somebody.user_agent)]
    assert asked == ["selfsubjectaccessreviews"]
    assert audit.entries(agent=somebody.user_agent, writes=True) == []


def test_a_refused_request_has_its_code(namespace: str, audit: Audit, somebody: Kube) -> None:
    with pytest.raises(ApiError):
        somebody.delete("Pod", "absent", namespace)
    (entry,) = audit.entries(namespace=namespace, agent=somebody.user_agent, writes=True)
    assert (entry.verb, entry.name, entry.code) == ("delete", "absent", 404)


def test_a_subresource_is_told(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, somebody: Kube
) -> None:
    kube.create(pod(cluster, "waiting", spec={"schedulerName": "nobody"}), namespace)
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "waiting"},
        "target": {"kind": "Node", "name": cluster.nodes[0]},
    }
    path = f"api/v1/namespaces/{namespace}/pods/waiting/binding"
    somebody.request("POST", path, binding)
    (entry,) = audit.entries(namespace=namespace, agent=somebody.user_agent)
    assert (entry.verb, entry.resource, entry.subresource) == ("create", "pods", "binding")


def test_the_tests_and_the_control_plane_are_left_out_until_asked_for(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit
) -> None:
    kube.create(pod(cluster, "web"), namespace)
    kube.wait_ready(namespace)
    assert audit.entries(namespace=namespace) == []
    assert audit.entries(namespace=namespace, agent="podplacement-tests", writes=True)
    assert audit.entries(namespace=namespace, agent="kube-scheduler", writes=True)


def test_a_mark_forgets_the_past(
    cluster: Cluster, namespace: str, audit: Audit, somebody: Kube
) -> None:
    somebody.create(pod(cluster, "web"), namespace)
    audit.mark()
    assert audit.entries(namespace=namespace) == []
    somebody.get("Pod", "web", namespace)
    assert [e.verb for e in audit.entries(namespace=namespace)] == ["get"]
