# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A move tells of itself on the pods, where the user of the task may write events."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.calls import API_CALLS
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.integration.accounts import account
from tests.integration.manifests import controller
from tests.integration.runner import run_module
from tests.integration.scenario import warnings_of

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_move"


def moves(cluster: Cluster, kube: Kube, namespace: str, count: int) -> list[dict[str, str]]:
    """Each pod of a Deployment with so many pods, to a node that it is not on."""
    kube.create(controller("Deployment", replicas=count), namespace)
    pods = kube.wait_ready(namespace, count=count)
    return [
        {
            "name": pod["metadata"]["name"],
            "node": next(n for n in cluster.nodes if n != pod["spec"]["nodeName"]),
        }
        for pod in pods
    ]


def told(kube: Kube, namespace: str) -> list[Object]:
    """The events about moves."""
    events = kube.list("Event", namespace)
    return [event for event in events if event.get("reportingComponent") == "podplacement"]


def test_a_list_of_moves_tells_two_events_a_pod(
    cluster: Cluster, kube: Kube, namespace: str
) -> None:
    wanted = moves(cluster, kube, namespace, 2)
    result = run_module(cluster, MODULE, {"namespace": namespace, "moves": wanted})
    assert result["changed"], result
    events = told(kube, namespace)
    about = {(e["reason"], e["involvedObject"]["name"]): e for e in events}
    assert set(about) == {
        (reason, item[key])
        for item in result["moved"]
        for reason, key in (("Moving", "pod"), ("Moved", "new_pod"))
    }
    for item in result["moved"]:
        assert about["Moving", item["pod"]]["involvedObject"]["uid"] == item["uid"]
        assert about["Moved", item["new_pod"]]["involvedObject"]["uid"] == item["new_uid"]
        assert item["to_node"] in about["Moved", item["new_pod"]]["message"]


def test_without_the_right_to_write_events_there_is_one_warning(
    cluster: Cluster, kube: Kube, namespace: str, tmp_path: Path
) -> None:
    wanted = moves(cluster, kube, namespace, 2)
    calls = [call for call in API_CALLS["adopt"] if call[2] != "events"]
    with account(kube, namespace, tmp_path, calls) as user:
        result = run_module(user, MODULE, {"namespace": namespace, "moves": wanted})
    assert result["changed"], result
    assert len([text for text in warnings_of(result) if "events" in text]) == 1
    assert told(kube, namespace) == []
