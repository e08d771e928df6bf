# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests of one small workload of each kind; what a test sets is what matters to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.cluster.cluster import DEFAULT_IMAGE
from tests.cluster.kube import Object

API_VERSIONS = {
    "ReplicationController": "v1",
    "ReplicaSet": "apps/v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "CronJob": "batch/v1",
}


def pod_spec(scheduler: str | None = None, *, restart: str = "Always") -> dict[str, Any]:
    """One container; the scheduler's name only where it is given."""
    spec: dict[str, Any] = {
        "restartPolicy": restart,
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": DEFAULT_IMAGE}],
    }
    return spec | ({"schedulerName": scheduler} if scheduler else {})


def pod(name: str, scheduler: str | None = None, **metadata: Any) -> Object:
    """A bare pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}, **metadata},
        "spec": pod_spec(scheduler),
    }


def controller(
    kind: str,
    name: str = "web",
    *,
    scheduler: str | None = None,
    replicas: int = 2,
    pod_annotations: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Object:
    """A controller of that kind; its selector has two keys, of which a move can spare one."""
    labels = {"app": name, "replica": name}
    template: dict[str, Any] = {
        "metadata": {"labels": labels, "annotations": dict(pod_annotations or {})},
        "spec": pod_spec(scheduler, restart="Never" if kind == "CronJob" else "Always"),
    }
    own: dict[str, Any] = {"template": template}
    if kind == "CronJob":
        own = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": own}}
    else:
        own["selector"] = labels if kind == "ReplicationController" else {"matchLabels": labels}
        own |= {} if kind == "DaemonSet" else {"replicas": replicas}
    if kind == "StatefulSet":
        own["serviceName"] = name
    return {
        "apiVersion": API_VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": name, "labels": {"app": name}, **(metadata or {})},
        "spec": own | spec,
    }


def template_of(obj: Object) -> dict[str, Any]:
    """The pod template of any of them."""
    spec: dict[str, Any] = obj["spec"]
    found: dict[str, Any] = (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)[
        "template"
    ]
    return found


def scheduler_of(obj: Object) -> str:
    """The scheduler name in a controller's template."""
    return str(template_of(obj)["spec"]["schedulerName"])
