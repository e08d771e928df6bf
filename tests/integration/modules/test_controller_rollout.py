# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running pods, when k8s_controller_scheduler changes the name: never fewer than desired."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube
from tests.cluster.watcher import watching
from tests.integration.controllers import DEFAULT, MODULE, NOBODY, Stage, item
from tests.integration.manifests import scheduler_of
from tests.integration.runner import kill_group, run_module, start_module
from tests.integration.scenario import code_of, performed, refused, surprised, warnings_of

pytestmark = pytest.mark.cluster
ROLLED_BY_US = ("ReplicationController", "ReplicaSet")


@pytest.fixture
def stage(cluster: Cluster, kube: Kube, namespace: str) -> Stage:
    return Stage(cluster, kube, namespace)


# ---- running pods of ReplicationController and ReplicaSet


@pytest.mark.parametrize("kind", ROLLED_BY_US)
def test_without_roll_only_future_pods_get_the_name(
    stage: Stage, audit: Audit, second_scheduler: str, kind: str
) -> None:
    stage.make(kind)
    before = stage.names()
    args = stage.args(kind, scheduler_name=second_scheduler)
    result = performed(stage.cluster, audit, MODULE, args)
    assert item(result)["rolled"] is False
    assert stage.names() == before
    assert stage.schedulers() == {DEFAULT}
    stage.kube.patch(kind, "web", {"spec": {"replicas": 3}}, stage.namespace)
    stage.kube.wait_ready(stage.namespace, "app=web", count=3)
    assert stage.schedulers() == {DEFAULT, second_scheduler}

    with watching(stage.cluster, stage.namespace, "app=web", 3) as watch:
        rolled = performed(stage.cluster, audit, MODULE, {**args, "roll": True})
    assert (item(rolled)["before"], item(rolled)["rolled"]) == (second_scheduler, True)
    assert (watch.summary.min_ready, watch.summary.ready) == (3, 3)
    assert stage.schedulers() == {second_scheduler}
    stage.nothing_left()


@pytest.mark.parametrize("kind", ROLLED_BY_US)
def test_a_roll_never_goes_below_the_desired_number(
    stage: Stage, second_scheduler: str, kind: str
) -> None:
    """Also for one replica, and the controller's spec has nothing but the new name."""
    slow = {"test.podplacement.io/ready-after": "1s"}
    for name, replicas in (("one", 1), ("three", 3)):
        made = stage.make(kind, name, replicas=replicas, pod_annotations=slow)
        before = stage.names(name)
        with watching(stage.cluster, stage.namespace, f"app={name}", replicas) as watch:
            result = stage.run(kind, name, scheduler_name=second_scheduler, roll=True)
        assert not result.get("failed"), result
        assert watch.summary.min_ready >= replicas
        assert watch.summary.ready == replicas
        assert watch.summary.unavailable_seconds == 0
        assert stage.schedulers(name) == {second_scheduler}
        assert not stage.names(name) & before
        now = stage.get(kind, name)
        made["spec"]["template"]["spec"]["schedulerName"] = second_scheduler
        assert now["spec"] == made["spec"]
        assert now["metadata"]["generation"] == made["metadata"]["generation"] + 1
    stage.nothing_left()


def test_a_pod_that_never_served_is_simply_replaced(
    stage: Stage, audit: Audit, second_scheduler: str
) -> None:
    """Pods that wait for a scheduler nobody runs have nothing to lose."""
    stage.make("ReplicaSet", scheduler=NOBODY, ready=False)
    stage.kube.wait_list("Pod", lambda pods: len(pods) == 2, stage.namespace, selector="app=web")
    args = stage.args("ReplicaSet", scheduler_name=second_scheduler, roll=True)
    assert performed(stage.cluster, audit, MODULE, args)["changed"]
    assert len(stage.kube.wait_ready(stage.namespace, "app=web", count=2)) == 2
    assert stage.schedulers() == {second_scheduler}


def test_a_roll_that_was_killed_goes_on_at_the_next_run(
    stage: Stage, second_scheduler: str
) -> None:
    stage.make("ReplicationController", replicas=3)
    args = stage.args("ReplicationController", scheduler_name=second_scheduler, roll=True)
    with watching(stage.cluster, stage.namespace, "app=web", 3) as watch:
        process = start_module(stage.cluster, MODULE, args)
        stage.kube.wait_list(
            "Pod",
            lambda pods: any(p["spec"]["schedulerName"] == second_scheduler for p in pods),
            stage.namespace,
            selector="app=web",
        )
        kill_group(process)
        process.communicate()
        result = run_module(stage.cluster, MODULE, args)
    assert (result["changed"], item(result)["before"]) == (True, second_scheduler)
    assert watch.summary.min_ready >= 3
    stage.kube.wait_ready(stage.namespace, "app=web", count=3)
    assert stage.schedulers() == {second_scheduler}
    assert not run_module(stage.cluster, MODULE, args)["changed"]
    stage.nothing_left()


def test_a_roll_that_cannot_be_is_refused_before_the_template_changes(
    stage: Stage, audit: Audit
) -> None:
    """All selector keys are a Service's: a replacement would have to leave it."""
    stage.make("ReplicaSet")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web", "replica": "web"}, "ports": [{"port": 80}]},
    }
    stage.kube.create(service, stage.namespace)
    args = stage.args("ReplicaSet", scheduler_name="other", roll=True)
    assert code_of(refused(stage.cluster, audit, MODULE, args)) == "NoDetachKey"
    assert scheduler_of(stage.get("ReplicaSet")) == DEFAULT


# ---- controllers that roll by themselves


def test_it_waits_until_a_deployment_has_rolled_itself(stage: Stage, second_scheduler: str) -> None:
    stage.make("Deployment", pod_annotations={"test.podplacement.io/ready-after": "2s"})
    result = stage.run("Deployment", scheduler_name=second_scheduler)
    assert item(result)["rolled"] is True
    status = stage.get("Deployment")["status"]
    assert status["updatedReplicas"] == status["availableReplicas"] == status["replicas"] == 2
    assert stage.schedulers() == {second_scheduler}


def test_without_wait_it_returns_during_the_rollout(stage: Stage, second_scheduler: str) -> None:
    stage.make("Deployment", pod_annotations={"test.podplacement.io/ready-after": "5s"})
    result = stage.run("Deployment", scheduler_name=second_scheduler, wait=False)
    assert (result["changed"], item(result)["rolled"]) == (True, False)
    assert DEFAULT in stage.schedulers()
    again = stage.run("Deployment", scheduler_name=second_scheduler)
    assert again["changed"] is False
    assert stage.schedulers() == {second_scheduler}


def test_a_rollout_that_the_deployment_gives_up_is_a_failure(stage: Stage, audit: Audit) -> None:
    stage.make("Deployment", progressDeadlineSeconds=1)
    args = stage.args("Deployment", scheduler_name=NOBODY)
    result = surprised(stage.cluster, audit, MODULE, args)
    assert (code_of(result), result["changed"]) == ("RolloutFailed", True)
    assert f"no scheduler named {NOBODY} has looked at it" in result["msg"]
    assert item(result)["after"] == NOBODY
    back = stage.run("Deployment", state="restored")
    assert (back["changed"], item(back)["after"]) == (True, DEFAULT)
    assert stage.schedulers() == {DEFAULT}


def test_a_rollout_that_takes_too_long_is_a_failure(stage: Stage, audit: Audit) -> None:
    stage.make("StatefulSet")
    args = stage.args("StatefulSet", scheduler_name=NOBODY, wait_timeout=8)
    result = surprised(stage.cluster, audit, MODULE, args)
    assert (code_of(result), result["changed"]) == ("RolloutTimeout", True)
    assert f"no scheduler named {NOBODY} has looked at it" in result["msg"]
    assert list(result["diff"]["after"].values()) == [{"schedulerName": NOBODY}]


def test_a_paused_deployment_is_reported_and_not_waited_for(
    stage: Stage, audit: Audit, second_scheduler: str
) -> None:
    stage.make("Deployment", paused=True, ready=False)
    stage.kube.patch("Deployment", "web", {"spec": {"paused": False}}, stage.namespace)
    stage.kube.wait_ready(stage.namespace, "app=web", count=2)
    stage.kube.patch("Deployment", "web", {"spec": {"paused": True}}, stage.namespace)
    args = stage.args("Deployment", scheduler_name=second_scheduler)
    result = performed(stage.cluster, audit, MODULE, args)
    assert (item(result)["pending_unpause"], item(result)["rolled"]) == (True, False)
    assert any("paused" in text for text in warnings_of(result))
    assert stage.schedulers() == {DEFAULT}
    again = run_module(stage.cluster, MODULE, args)
    assert item(again)["pending_unpause"] is True
    stage.kube.patch("Deployment", "web", {"spec": {"paused": False}}, stage.namespace)
    resumed = run_module(stage.cluster, MODULE, args)
    assert (resumed["changed"], item(resumed)["pending_unpause"]) == (False, False)
    assert stage.schedulers() == {second_scheduler}


@pytest.mark.parametrize(
    ("strategy", "replaced"),
    [
        ({"type": "OnDelete"}, set()),
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}, {"web-1"}),
    ],
    ids=["on-delete", "partition"],
)
def test_pods_that_the_update_strategy_keeps_are_reported(
    stage: Stage, audit: Audit, second_scheduler: str, strategy: dict[str, Any], replaced: set[str]
) -> None:
    stage.make("StatefulSet", updateStrategy=strategy)
    args = stage.args("StatefulSet", scheduler_name=second_scheduler)
    result = performed(stage.cluster, audit, MODULE, args)
    assert (item(result)["pending"], item(result)["rolled"]) == (True, False)
    moved = {p["metadata"]["name"] for p in stage.pods() if p["spec"]["schedulerName"] != DEFAULT}
    assert moved == replaced
