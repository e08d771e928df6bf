# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose scheduler name it is, and what a request makes of it: pure functions."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.scheduler_guards import (
    applied_by,
    check_controller,
    check_name,
)
from ansible_collections.podplacement.core.plugins.module_utils.scheduler_name import (
    KINDS,
    PREVIOUS,
    Change,
    plan_change,
)
from tests.unit.scheduler_name.objects import controller

DEFAULT = "default-scheduler"


@pytest.mark.parametrize("name", ["a", "default-scheduler", "x.y-z.9", "9", "a" * 253])
def test_a_dns_subdomain_can_be_a_schedulers_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [None, "", " ", "A", "a_b", "-a", "a-", "a..b", ".a", "a.", "a b", "a\n", "a" * 254, "ä"],
)
def test_anything_else_cannot(name: str | None) -> None:
    with pytest.raises(PlacementError) as raised:
        check_name(name)
    assert raised.value.code == "InvalidSchedulerName"


def annotated(value: str) -> dict[str, Any]:
    return {"annotations": {PREVIOUS: value}}


@pytest.mark.parametrize(
    ("scheduler", "recorded", "wanted", "expected"),
    [
        (None, None, "new", Change(DEFAULT, "new", None, DEFAULT)),
        ("own", None, "new", Change("own", "new", None, "own")),
        ("second", "own", "third", Change("second", "third", "own", "own")),
        ("second", "own", "own", Change("second", "own", "own", None)),
        ("own", None, "own", Change("own", "own", None, "own")),
        (None, None, DEFAULT, Change(DEFAULT, DEFAULT, None, DEFAULT)),
    ],
    ids=["default", "custom", "twice", "back", "same", "same-default"],
)
@pytest.mark.parametrize("kind", list(KINDS))
def test_the_first_name_is_recorded(
    kind: str, scheduler: str | None, recorded: str | None, wanted: str, expected: Change
) -> None:
    metadata = annotated(recorded) if recorded else {}
    obj = controller(kind, scheduler=scheduler, metadata=metadata)
    change = plan_change(KINDS[kind], obj, wanted, restore=False)
    assert (change.before, change.after) == (expected.before, expected.after)
    assert change.writes is (expected.before != expected.after)
    if change.writes:
        assert (change.recorded, change.record) == (expected.recorded, expected.record)


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_recorded_name_is_restored_and_forgotten(kind: str) -> None:
    obj = controller(kind, scheduler="new", metadata=annotated("own"))
    change = plan_change(KINDS[kind], obj, None, restore=True)
    assert change == Change("new", "own", "own", None)
    nothing = plan_change(KINDS[kind], controller(kind, scheduler="new"), None, restore=True)
    assert not nothing.writes


def test_a_record_that_cannot_be_a_name_is_not_restored() -> None:
    obj = controller("Deployment", metadata=annotated("No_Name"))
    with pytest.raises(PlacementError) as raised:
        plan_change(KINDS["Deployment"], obj, None, restore=True)
    assert (raised.value.code, raised.value.object) == (
        "InvalidSchedulerName",
        "Deployment shop/web",
    )


def owned(kind: str, api_version: str) -> dict[str, Any]:
    ref = {"kind": kind, "apiVersion": api_version, "name": "above", "uid": "u", "controller": True}
    return {"ownerReferences": [ref]}


@pytest.mark.parametrize(
    ("kind", "metadata", "code", "forced"),
    [
        ("ReplicaSet", owned("Deployment", "apps/v1"), "OwnedByDeployment", "OwnedByDeployment"),
        ("ReplicaSet", owned("Deployment", "example.org/v1"), "OwnedBy: Deployment", ""),
        ("ReplicaSet", owned("Rollout", "argoproj.io/v1alpha1"), "OwnedBy: Rollout", ""),
        (
            "ReplicationController",
            owned("DeploymentConfig", "apps/v1"),
            "OwnedBy: DeploymentConfig",
            "",
        ),
        ("StatefulSet", {"annotations": {"podplacement.io/do-not-move": "true"}}, "OptedOut", ""),
        ("StatefulSet", {"annotations": {"podplacement.io/do-not-move": "false"}}, "", ""),
        ("StatefulSet", {"ownerReferences": [{"kind": "App", "name": "a", "uid": "u"}]}, "", ""),
    ],
    ids=["deployment", "namesake", "rollout", "config", "opted-out", "opted-in", "not-controlled"],
)
def test_who_may_forbid_a_change(kind: str, metadata: Any, code: str, forced: str) -> None:
    obj = controller(kind, metadata=metadata)
    for force, expected in ((False, code), (True, forced)):
        found = ""
        try:
            check_controller(KINDS[kind], obj, force=force)
        except PlacementError as err:
            found = err.code
        assert found == expected


def managed(kind: str, operation: str, subresource: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {"f:spec": {"f:schedulerName": {}}}
    fields = {"f:spec": {"f:template": fields}}
    if kind == "CronJob":
        fields = {"f:spec": {"f:jobTemplate": fields}}
    entry = {"manager": "argo", "operation": operation, "fieldsV1": fields}
    return {"managedFields": [{**entry, **({"subresource": subresource} if subresource else {})}]}


@pytest.mark.parametrize("kind", list(KINDS))
def test_only_a_server_side_apply_of_this_field_holds_it(kind: str) -> None:
    def manager(metadata: dict[str, Any]) -> str:
        return applied_by(KINDS[kind], controller(kind, metadata=metadata))

    assert manager(managed(kind, "Apply")) == "argo"
    assert manager(managed(kind, "Update")) == ""
    assert manager(managed(kind, "Apply", "status")) == ""
    other = {"manager": "argo", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    assert manager({"managedFields": [other]}) == ""
    obj = controller(kind, metadata=managed(kind, "Apply"))
    with pytest.raises(PlacementError) as raised:
        check_controller(KINDS[kind], obj, force=False)
    assert raised.value.code == "FieldManagedBy"
