# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a StatefulSet's controller makes a pod again, and how."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.stateful import (
    next_pod,
    obstacle,
    ordinal,
    revision_for,
)
from tests.unit.moves.objects import NS
from tests.unit.moves.steer_stage import NEW, OLD, SET, member, stateful_set, steered

ROLLING: dict[str, Any] = {"currentRevision": OLD, "updateRevision": NEW}
ON_DELETE = {"type": "OnDelete"}


def partition(number: int) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": number}}


def test_the_ordinal_is_the_last_number_of_the_name() -> None:
    assert (ordinal("db-1"), ordinal("db-2-10")) == (1, 10)


@pytest.mark.parametrize(
    ("spec", "number", "wanted"),
    [
        ({}, 0, NEW),
        ({"updateStrategy": partition(0)}, 0, NEW),
        ({"updateStrategy": partition(2)}, 1, OLD),
        ({"updateStrategy": partition(2)}, 2, NEW),
        ({"updateStrategy": partition(2), "ordinals": {"start": 5}}, 6, OLD),
        ({"updateStrategy": partition(2), "ordinals": {"start": 5}}, 7, NEW),
        ({"updateStrategy": ON_DELETE}, 0, NEW),
    ],
)
def test_the_partition_decides_the_revision(spec: dict[str, Any], number: int, wanted: str) -> None:
    assert revision_for(stateful_set(status=ROLLING, **spec), number) == wanted


THREE = [member(f"db-{n}") for n in range(3)]


@pytest.mark.parametrize(
    ("spec", "pods", "name", "code"),
    [
        ({}, THREE, "db-1", ""),
        ({"replicas": 1}, THREE, "db-1", "PodGone"),
        ({"ordinals": {"start": 2}}, THREE, "db-1", "PodGone"),
        ({"status": {"observedGeneration": 0}}, THREE, "db-1", "RolloutInProgress"),
        # the next pod would be another
        ({"status": {"updateRevision": OLD}}, THREE, "db-1", "RolloutInProgress"),
        # another pod is still to be replaced
        ({}, [THREE[0], THREE[1], member("db-2", revision=OLD)], "db-1", "RolloutInProgress"),
        (
            {"updateStrategy": ON_DELETE},
            [THREE[0], THREE[1], member("db-2", revision=OLD)],
            "db-1",
            "",
        ),
        # the controller comes to an ordinal when all before it are Ready
        ({}, [member("db-0", ready=False), *THREE[1:]], "db-1", "WorkloadNotReady"),
        ({}, THREE[1:], "db-1", "WorkloadNotReady"),
        ({}, [*THREE[:2], member("db-2", ready=False)], "db-1", ""),
        ({"podManagementPolicy": "Parallel"}, THREE[1:], "db-1", ""),
        ({}, THREE[1:], "db-0", ""),
    ],
)
def test_what_the_controller_would_not_replace(
    spec: dict[str, Any], pods: list[Any], name: str, code: str
) -> None:
    found = obstacle(stateful_set(**spec), pods, name, NEW)
    assert (found[0] if found else "") == code


def test_a_set_that_is_gone_replaces_nothing() -> None:
    found = obstacle(None, THREE, "db-1", NEW)
    assert found is not None
    assert found[0] == "OwnerGone"


def test_the_next_pod_has_its_identity_and_its_own_claims() -> None:
    owner = stateful_set(volumeClaimTemplates=[{"metadata": {"name": "data"}}])
    template: dict[str, Any] = {
        "metadata": {"labels": {"app": "db"}, "annotations": {"a": "b"}},
        "spec": {"volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]},
    }
    made = next_pod(owner, template, steered("block"))
    found = made["metadata"]
    assert (found["name"], found["namespace"]) == ("db-1", NS)
    assert found["annotations"] == {"a": "b"}
    assert found["labels"]["statefulset.kubernetes.io/pod-name"] == "db-1"
    assert found["labels"]["apps.kubernetes.io/pod-index"] == "1"
    assert found["labels"]["controller-revision-hash"] == NEW
    assert made["spec"]["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    assert template["spec"]["volumes"][0] == {"name": "data", "emptyDir": {}}


def test_a_set_without_a_service_has_pods_without_a_subdomain() -> None:
    owner = stateful_set(serviceName=None)
    assert "subdomain" not in next_pod(owner, SET["spec"]["template"], steered())["spec"]
