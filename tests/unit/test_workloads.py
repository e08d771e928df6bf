# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owners, templates, selectors, and what counts as a rollout."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    DEPLOYMENT,
    REPLICA_SET,
)
from ansible_collections.podplacement.core.plugins.module_utils.workloads import (
    active_pods,
    controller_ref,
    deployment_of,
    desired,
    is_paused,
    known_kind,
    min_ready_seconds,
    owned_by,
    owner_chain,
    ready_pods,
    rollout_in_progress,
    selector,
    selector_string,
    template,
    template_hash,
    template_path,
)
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import Object, controller, deployment, pod, reference

ABOVE = deployment()
OWNER = controller(above=ABOVE)


@pytest.mark.parametrize(
    ("kind", "api_version", "known"),
    [
        ("Deployment", "apps/v1", True),
        ("Deployment", "apps/v1beta1", True),
        ("Deployment", "example.org/v1", False),
        ("ReplicationController", "v1", True),
        ("ReplicationController", "apps/v1", False),
        ("ReplicaSet", "", False),
        ("Job", "batch/v1", True),
        ("Pod", "v1", False),
    ],
)
def test_a_kind_is_known_in_its_own_group_only(kind: str, api_version: str, known: bool) -> None:
    assert (known_kind(kind, api_version) is not None) == known


def test_the_controller_is_the_owner_that_says_so() -> None:
    both = [{"kind": "Lease", "uid": "l"}, reference(OWNER), {"controller": False, "uid": "x"}]
    found = {"metadata": {"ownerReferences": both}}
    assert controller_ref(found) == reference(OWNER)
    assert controller_ref({"metadata": {"ownerReferences": both[:1]}}) is None
    assert controller_ref({"metadata": {}}) is None
    assert owned_by(found, OWNER["metadata"]["uid"])
    assert not owned_by(found, "another")
    assert not owned_by(pod("p"), "another")


def test_the_chain_of_a_deployments_pod() -> None:
    chain = owner_chain(FakeApi(ABOVE, OWNER), pod("p", owner=OWNER))
    assert [(o.kind, o.name, o.resource) for o in chain] == [
        ("ReplicaSet", "web-5d4f", REPLICA_SET),
        ("Deployment", "web", DEPLOYMENT),
    ]
    found = deployment_of(chain)
    assert found is not None
    assert found.name == "web"
    assert deployment_of(chain[:1]) is None
    assert owner_chain(FakeApi(), pod("p")) == []


def test_a_chain_ends_where_an_owner_is_gone_replaced_or_unknown() -> None:
    old = pod("p", owner=OWNER)
    (gone,) = owner_chain(FakeApi(ABOVE), old)
    assert gone.obj is None
    another = {**OWNER, "metadata": {**OWNER["metadata"], "uid": "uid-2"}}
    (replaced,) = owner_chain(FakeApi(another), old)
    assert replaced.obj is None
    old["metadata"]["ownerReferences"][0]["apiVersion"] = "example.org/v1"
    (unknown,) = owner_chain(FakeApi(OWNER), old)
    assert (unknown.resource, unknown.obj) == (None, None)


def test_a_replica_set_of_something_that_is_no_deployment() -> None:
    rollout = {**reference(ABOVE), "apiVersion": "argoproj.io/v1alpha1"}
    found = {**OWNER, "metadata": {**OWNER["metadata"], "ownerReferences": [rollout]}}
    chain = owner_chain(FakeApi(found), pod("p", owner=OWNER))
    assert deployment_of(chain) is None


def test_where_the_template_lies() -> None:
    inner: Object = {"spec": {"schedulerName": "x"}}
    cron = {"spec": {"jobTemplate": {"spec": {"template": inner}}}}
    assert template("CronJob", cron) == inner
    assert template("Deployment", {"spec": {"template": inner}}) == inner
    assert template("Deployment", {}) == {}
    assert template_path("CronJob") == ("spec", "jobTemplate", "spec", "template")


def test_a_plain_map_is_a_selector_too() -> None:
    labels = {"app": "web"}
    assert selector("ReplicationController", {"spec": {"selector": labels}}) == {
        "matchLabels": labels
    }
    assert selector("ReplicationController", {"spec": {}}) == {"matchLabels": {}}
    assert selector("ReplicaSet", {"spec": {"selector": {"matchLabels": labels}}}) == {
        "matchLabels": labels
    }
    assert selector("ReplicaSet", {}) == {}


def expression(key: str, operator: str, *values: str) -> Object:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("wanted", "without", "text"),
    [
        ({}, "", ""),
        ({"matchLabels": {"b": "2", "a": "1"}}, "", "a=1,b=2"),
        ({"matchLabels": {"b": "2", "a": "1"}}, "a", "b=2"),
        ({"matchExpressions": [expression("k", "In", "x", "y")]}, "", "k in (x,y)"),
        ({"matchExpressions": [expression("k", "NotIn", "x")]}, "", "k notin (x)"),
        ({"matchExpressions": [expression("k", "Exists")]}, "", "k"),
        ({"matchExpressions": [{"key": "k", "operator": "DoesNotExist"}]}, "", "!k"),
        (
            {"matchLabels": {"a": "1"}, "matchExpressions": [expression("k", "In", "x")]},
            "k",
            "a=1",
        ),
    ],
)
def test_a_selector_as_a_query(wanted: Object, without: str, text: str) -> None:
    assert selector_string(wanted, without=without) == text


@pytest.mark.parametrize(
    ("spec", "count"), [({}, 1), ({"replicas": None}, 1), ({"replicas": 0}, 0)]
)
def test_how_many_pods_are_wanted(spec: Object, count: int) -> None:
    assert desired({"spec": spec}) == count


def test_small_answers() -> None:
    assert desired({}) == 1
    assert min_ready_seconds({}) == 0
    assert min_ready_seconds({"spec": {"minReadySeconds": 7}}) == 7
    assert is_paused({"spec": {"paused": True}})
    assert not is_paused({})
    assert template_hash(OWNER) == "5d4f"
    assert template_hash(controller()) == ""


def test_which_pods_count() -> None:
    pods = [
        pod("fine", owner=OWNER),
        pod("unready", owner=OWNER, ready=False),
        pod("failed", owner=OWNER, phase="Failed"),
        pod("stops", owner=OWNER, terminating=True),
        pod("other"),
    ]
    owner_uid = OWNER["metadata"]["uid"]
    assert [p["metadata"]["name"] for p in active_pods(pods, owner_uid)] == ["fine", "unready"]
    assert [p["metadata"]["name"] for p in ready_pods(pods, owner_uid)] == ["fine"]


@pytest.mark.parametrize(
    ("status", "rolls"),
    [
        ({}, False),
        ({"observedGeneration": 0}, True),
        ({"observedGeneration": None}, True),
        ({"updatedReplicas": 1}, True),
        ({"updatedReplicas": None}, True),
        ({"replicas": 3}, True),
        ({"availableReplicas": 0}, False),
    ],
)
def test_a_rollout_is_one_template_giving_way_to_another(
    status: dict[str, Any], rolls: bool
) -> None:
    found = deployment()
    found["status"] |= status
    assert rollout_in_progress(found) == rolls
    found["spec"]["paused"] = True
    assert not rollout_in_progress(found)
