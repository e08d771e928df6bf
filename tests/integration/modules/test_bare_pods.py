# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare pod comes through a move with everything that can be set on a pod."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.pod_fields import (
    METADATA,
    SPEC,
    VOLUMES,
)
from tests.cluster.audit import Audit
from tests.cluster.cluster import DEFAULT_IMAGE, Cluster
from tests.cluster.kube import Kube, Object
from tests.integration.manifests import pod
from tests.integration.scenario import performed
from tests.integration.volumes import CLAIM, bound_claim

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_move"
CORE = "io.k8s.api.core.v1"
TOKEN = "kube-api-access-"
CONTAINER_FIELDS = {
    "command": ["run"],
    "args": ["it"],
    "workingDir": "/w",
    "env": [{"name": "SELF", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "envFrom": [{"configMapRef": {"name": "any", "optional": True}}],
    "ports": [{"name": "web", "containerPort": 80}],
    "resources": {"requests": {"cpu": "10m"}, "limits": {"cpu": "20m"}},
    "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
    "lifecycle": {"preStop": {"exec": {"command": ["true"]}}},
    "livenessProbe": {"tcpSocket": {"port": 80}},
    "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
    "startupProbe": {"exec": {"command": ["true"]}},
    "terminationMessagePolicy": "FallbackToLogsOnError",
    "imagePullPolicy": "Never",
    "securityContext": {"readOnlyRootFilesystem": True},
    "stdin": True,
    "tty": True,
}
SELECTED = {"labelSelector": {"matchLabels": {"app": "web"}}, "matchLabelKeys": ["rev"]}
ELSEWHERE = {"topologyKey": "kubernetes.io/hostname", **SELECTED}
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def volumes() -> list[Object]:
    """One of each kind that needs nothing else."""
    token = {"serviceAccountToken": {"path": "t", "audience": "me", "expirationSeconds": 600}}
    return [
        {"name": "config", "configMap": {"name": "any", "optional": True}},
        {"name": "secret", "secret": {"secretName": "any", "optional": True}},
        {"name": "down", "downwardAPI": {"items": [_field("labels")]}},
        {"name": "token", "projected": {"sources": [token]}},
        {"name": "host", "hostPath": {"path": "/tmp", "type": "Directory"}},
        {"name": "nfs", "nfs": {"server": "nfs", "path": "/"}},
        {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    ]


def _field(name: str) -> Object:
    return {"path": name, "fieldRef": {"fieldPath": f"metadata.{name}"}}


def full_spec(namespace: str) -> Object:
    """Everything of a pod's spec that does not exclude something else of it."""
    main = {"name": "main", "image": DEFAULT_IMAGE, **CONTAINER_FIELDS}
    main["volumeMounts"] = [{"name": "config", "mountPath": "/c", "readOnly": True}]
    sidecar = {"name": "side", "image": DEFAULT_IMAGE, "restartPolicy": "Always"}
    wish = {"weight": 7, "podAffinityTerm": ELSEWHERE}
    return {
        "containers": [main],
        "initContainers": [sidecar],
        "volumes": volumes(),
        "activeDeadlineSeconds": 3600,
        "affinity": {"podAntiAffinity": {PREFERRED: [wish]}},
        "automountServiceAccountToken": True,
        "dnsConfig": {"nameservers": ["192.0.2.1"], "options": [{"name": "ndots", "value": "2"}]},
        "dnsPolicy": "None",
        "enableServiceLinks": False,
        "hostAliases": [{"ip": "192.0.2.2", "hostnames": ["a.example"]}],
        "hostUsers": False,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "os": {"name": "linux"},
        "priorityClassName": namespace,
        "resources": {"requests": {"cpu": "50m"}, "limits": {"cpu": "60m"}},
        "restartPolicy": "Always",
        "runtimeClassName": namespace,
        "securityContext": {"runAsUser": 1000, "sysctls": [], "fsGroup": 7},
        "serviceAccountName": "default",
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"key": "mine", "operator": "Exists", "effect": "NoSchedule"}],
        "topologySpreadConstraints": [
            {"maxSkew": 3, "whenUnsatisfiable": "ScheduleAnyway", **ELSEWHERE}
        ],
    }


def classes(kube: Kube, namespace: str) -> None:
    """A priority class, a runtime class with overhead, and a pull secret for the service account;
    the garbage collector takes them with the namespace.
    """
    owner = kube.get("Namespace", namespace)["metadata"]["uid"]
    ref = {"apiVersion": "v1", "kind": "Namespace", "name": namespace, "uid": owner}
    found: Object = {"name": namespace, "ownerReferences": [ref]}
    priority = {"value": 100, "preemptionPolicy": "Never"}
    runtime = {"handler": "any", "overhead": {"podFixed": {"cpu": "5m"}}}
    for group, plural, body in (
        ("scheduling.k8s.io", "priorityclasses", priority),
        ("node.k8s.io", "runtimeclasses", runtime),
    ):
        kube.request("POST", f"apis/{group}/v1/{plural}", {"metadata": found, **body})
    secrets = {"imagePullSecrets": [{"name": "registry"}]}
    kube.patch("ServiceAccount", "default", secrets, namespace)


def resize(kube: Kube, namespace: str) -> None:
    """In place, on a node that says it can do that."""
    able = [{"name": "main", "resources": CONTAINER_FIELDS["resources"]}]
    wanted = [{"name": "main", "resources": {"requests": {"cpu": "12m"}}}]
    for subresource, body in (
        ("status", {"status": {"containerStatuses": able}}),
        ("resize", {"spec": {"containers": wanted}}),
    ):
        kube.patch("Pod", "web", body, namespace, patch_type="strategic", subresource=subresource)


def identity(found: Object) -> Object:
    """What must be the same afterwards: all but the place, the name, and our own marks."""
    metadata, spec = found["metadata"], copy.deepcopy(found["spec"])
    for field in ("nodeName", "ephemeralContainers"):
        spec.pop(field, None)
    spec["affinity"].pop("nodeAffinity", None)
    spec["volumes"] = [v for v in spec["volumes"] if not v["name"].startswith(TOKEN)]
    for container in spec["containers"] + spec["initContainers"]:
        mounts = container.get("volumeMounts", [])
        container["volumeMounts"] = [m for m in mounts if not m["name"].startswith(TOKEN)]
    return {
        "labels": _own(metadata["labels"]),
        "annotations": _own(metadata["annotations"]),
        "owners": metadata["ownerReferences"],
        "spec": spec,
    }


def _own(marks: Object) -> Object:
    ours = ("podplacement.io/", "topology.kubernetes.io/")
    return {k: v for k, v in marks.items() if not k.startswith(ours)}


@pytest.mark.parametrize("strategy", ["recreate", "surge"])
def test_a_pod_with_everything_that_can_be_set_is_the_same_afterwards(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, strategy: str
) -> None:
    if cluster.provider != "kwok":
        pytest.skip("a real kubelet cannot run all of it at once")
    classes(kube, namespace)
    owner: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}}
    owned = kube.create(owner, namespace)["metadata"]["uid"]
    named = {"hostname": "me", "subdomain": "web"} if strategy == "recreate" else {}
    manifest = pod("web", annotations={"note": "mine"})
    manifest["metadata"] |= {
        "labels": {"app": "web", "rev": "1"},
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owned}
        ],
    }
    manifest["spec"] = full_spec(namespace) | named
    ports = manifest["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "protocol": "TCP"}]
    ports[0]["hostPort"] = {"recreate": 18080, "surge": 18081}[strategy]
    kube.create(manifest, namespace)
    kube.wait_ready(namespace, "app=web", count=1)
    resize(kube, namespace)
    debug = {"ephemeralContainers": [{"name": "debug", "image": DEFAULT_IMAGE}]}
    kube.patch(
        "Pod",
        "web",
        {"spec": debug},
        namespace,
        patch_type="strategic",
        subresource="ephemeralcontainers",
    )
    old = kube.get("Pod", "web", namespace)
    node = next(n for n in cluster.nodes if n != old["spec"]["nodeName"])
    args: dict[str, Any] = {"namespace": namespace, "name": "web", "node": node}
    args |= {"strategy": strategy, "delete_emptydir_data": True, "wait_timeout": 60}
    result = performed(cluster, audit, MODULE, args)
    new = kube.get("Pod", result["moved"][0]["new_pod"], namespace)
    assert new["spec"]["nodeName"] == node
    assert old["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert old["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "12m"
    assert identity(new) == identity(old)
    assert "ephemeralContainers" not in new["spec"]
    assert (new["metadata"]["name"] == "web") is (strategy == "recreate")


@pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteOncePod"])
def test_a_volume_of_one_node_or_one_pod_moves_along(
    cluster: Cluster, kube: Kube, namespace: str, audit: Audit, mode: str
) -> None:
    bound_claim(kube, namespace, mode)
    manifest = pod("web")
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}}
    manifest["spec"]["volumes"] = [volume]
    kube.create(manifest, namespace)
    (old,) = kube.wait_ready(namespace, "app=web", count=1)
    node = next(n for n in cluster.nodes if n != old["spec"]["nodeName"])
    args = {"namespace": namespace, "name": "web", "node": node, "wait_timeout": 60}
    moved = performed(cluster, audit, MODULE, args)["moved"][0]
    assert (moved["strategy"], moved["to_node"]) == ("recreate", node)
    assert volume in kube.get("Pod", "web", namespace)["spec"]["volumes"]


@pytest.mark.parametrize(
    ("schema", "known"),
    [
        (f"{CORE}.PodSpec", SPEC),
        (f"{CORE}.Volume", {"name": "", **VOLUMES}),
        ("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", METADATA),
    ],
    ids=["spec", "volumes", "metadata"],
)
def test_every_field_of_this_server_has_a_fate(kube: Kube, schema: str, known: Object) -> None:
    """A new one: decide what becomes of it, in pod_fields.py and docs/bare-pods.md."""
    found = kube.request("GET", "openapi/v3/api/v1")["components"]["schemas"][schema]
    assert set(found["properties"]) - set(known) == set()
