# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads for the tests of the cluster itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.cluster import Cluster, provider_name
from tests.cluster.kube import Object

# what a test of the embedded cluster needs is not there on a real one
simulated = pytest.mark.skipif(provider_name() != "kwok", reason="needs simulated nodes")


def pod(cluster: Cluster, name: str, *, spec: dict[str, Any] | None = None, **hints: str) -> Object:
    """A pod with annotations of the stages: ready_after="2s"."""
    annotations = {f"test.podplacement.io/{k.replace('_', '-')}": v for k, v in hints.items()}
    container = {"name": "main", "image": cluster.image}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 30} | (spec or {}),
    }


def deployment(cluster: Cluster, name: str, replicas: int) -> Object:
    """A Deployment of pods with the label app=NAME."""
    template = pod(cluster, name)
    template["metadata"].pop("name")
    labels = {"matchLabels": {"app": name}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": labels,
            "template": {
                "metadata": template["metadata"],
                "spec": {"containers": template["spec"]["containers"]},
            },
        },
    }


def condition(item: Object, kind: str) -> str | None:
    """The status of one of an object's conditions."""
    found = [c["status"] for c in item["status"].get("conditions", []) if c["type"] == kind]
    return found[0] if found else None
