# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is moved. Services and budgets select by `app`; `track` is the spare selector key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.cluster.cluster import DEFAULT_IMAGE
from tests.cluster.kube import Object

LABELS = {"app": "web", "track": "stable"}


def template(annotations: Mapping[str, str] | None = None, **spec: Any) -> Object:
    """A pod template. `annotations` are those of the stages, without domain (ready_after)."""
    own = {f"test.podplacement.io/{k.replace('_', '-')}": v for k, v in (annotations or {}).items()}
    return {
        "metadata": {"labels": dict(LABELS), "annotations": own},
        "spec": {
            "terminationGracePeriodSeconds": 5,
            "containers": [
                {
                    "name": "main",
                    "image": DEFAULT_IMAGE,
                    "env": [{"name": "GREETING", "value": "hello"}],
                }
            ],
            **spec,
        },
    }


def pod(name: str = "web", annotations: Mapping[str, str] | None = None, **spec: Any) -> Object:
    """A bare pod."""
    found = template(annotations, **spec)
    found["metadata"]["name"] = name
    return {"apiVersion": "v1", "kind": "Pod", **found}


def deployment(
    replicas: int = 2, annotations: Mapping[str, str] | None = None, **spec: Any
) -> Object:
    """A Deployment that may not go below its replicas in a rollout either."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": LABELS["app"]}},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": template(annotations, **spec),
        },
    }


def replica_set(
    replicas: int = 2, annotations: Mapping[str, str] | None = None, **spec: Any
) -> Object:
    """A ReplicaSet without a Deployment."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(LABELS)},
            "template": template(annotations, **spec),
        },
    }


def replication_controller(
    replicas: int = 2, annotations: Mapping[str, str] | None = None, **spec: Any
) -> Object:
    """The oldest controller of all."""
    return {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": dict(LABELS),
            "template": template(annotations, **spec),
        },
    }


def stateful_set(
    replicas: int = 2, annotations: Mapping[str, str] | None = None, **spec: Any
) -> Object:
    """A StatefulSet that makes one pod after the other."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "serviceName": "web",
            "selector": {"matchLabels": dict(LABELS)},
            "template": template(annotations, **spec),
        },
    }


def service() -> Object:
    """A Service in front of the pods: its selector leaves `track` free."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": LABELS["app"]}, "ports": [{"port": 80}]},
    }


def budget(min_available: int = 2) -> Object:
    """A budget that allows no disruption as long as nobody brings one pod more."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {
            "minAvailable": min_available,
            "selector": {"matchLabels": {"app": LABELS["app"]}},
        },
    }


def quota(pods: int) -> Object:
    """A quota on the number of pods."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "pods"},
        "spec": {"hard": {"pods": str(pods)}},
    }
