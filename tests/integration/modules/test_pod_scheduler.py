# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_pod_scheduler on a real API server, with a real second scheduler."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.scheduler_calls import API_CALLS
from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube, Object
from tests.cluster.second_scheduler import scheduler
from tests.cluster.watcher import watching
from tests.integration.accounts import account
from tests.integration.manifests import controller, pod, scheduler_of
from tests.integration.runner import Result, finish, kill_group, run_module, start_module
from tests.integration.scenario import called, code_of, performed, refused, surprised, warnings_of

pytestmark = pytest.mark.cluster
MODULE = "k8s_pod_scheduler"
DEFAULT = "default-scheduler"
NOBODY = "nobody-runs-this"
OTHER = "other"


class Stage:
    """One test's namespace and the pods in it."""

    def __init__(self, cluster: Cluster, kube: Kube, namespace: str) -> None:
        self.cluster, self.kube, self.namespace = cluster, kube, namespace

    def bare(self, name: str = "bare", **metadata: Any) -> Object:
        self.kube.create(pod(name, **metadata), self.namespace)
        return self.kube.wait_ready(self.namespace, f"app={name}", count=1, timeout=60)[0]

    def owned(self, kind: str, **spec: Any) -> list[Object]:
        """The Ready pods of a new controller, by name."""
        self.kube.create(controller(kind, **spec), self.namespace)
        count = len(self.cluster.nodes) if kind == "DaemonSet" else spec.get("replicas", 2)
        return self.kube.wait_ready(self.namespace, "app=web", count=count, timeout=60)

    def args(self, name: str, wanted: str = OTHER, **more: Any) -> dict[str, Any]:
        own = {"namespace": self.namespace, "name": name, "scheduler_name": wanted}
        return {**own, "wait_timeout": 120, **more}

    def run(self, name: str, wanted: str = OTHER, **more: Any) -> Result:
        return run_module(self.cluster, MODULE, self.args(name, wanted, **more))

    def pods(self) -> list[Object]:
        pods = self.kube.list("Pod", self.namespace)
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def get(self, name: str) -> Object:
        return self.kube.get("Pod", name, self.namespace)

    def schedulers(self) -> list[str]:
        return sorted(pod["spec"]["schedulerName"] for pod in self.pods())

    def nothing_left(self) -> None:
        moves = "podplacement.io/move=true"
        for kind in ("Lease", "Secret"):
            assert self.kube.list(kind, self.namespace, selector=moves) == []
        self.kube.wait_list(
            "Pod", lambda pods: not pods, self.namespace, selector="podplacement.io/probe=true"
        )


@pytest.fixture
def stage(cluster: Cluster, kube: Kube, namespace: str) -> Stage:
    return Stage(cluster, kube, namespace)


def name_of(obj: Object) -> str:
    return str(obj["metadata"]["name"])


# ---- bare pods


def test_a_bare_pod_is_made_anew_and_its_event_says_by_whom(
    stage: Stage, audit: Audit, second_scheduler: str
) -> None:
    before = stage.bare(annotations={"note": "kept"})
    result = performed(stage.cluster, audit, MODULE, stage.args("bare", second_scheduler))
    assert (result["pod"], result["new_pod"]) == ("bare", "bare")
    assert result["scheduled_by"] == second_scheduler
    named = f"Pod {stage.namespace}/bare"
    assert result["diff"] == {
        "before": {named: {"schedulerName": DEFAULT}},
        "after": {named: {"schedulerName": second_scheduler}},
    }
    now = stage.get("bare")
    assert now["metadata"]["uid"] != before["metadata"]["uid"]
    assert now["metadata"]["annotations"]["note"] == "kept"
    assert now["spec"]["schedulerName"] == second_scheduler
    stage.nothing_left()
    again = stage.run("bare", second_scheduler)
    assert (again["changed"], again["scheduled_by"]) == (False, second_scheduler)


def test_a_bare_pod_is_not_touched_for_a_scheduler_that_nobody_runs(
    stage: Stage, audit: Audit
) -> None:
    before = stage.bare()
    args = stage.args("bare", NOBODY, wait_timeout=6)
    result = surprised(stage.cluster, audit, MODULE, args)
    assert (code_of(result), result["changed"]) == ("SchedulerNotAlive", False)
    assert stage.get("bare")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    stage.nothing_left()


def test_a_bare_pod_that_the_new_scheduler_does_not_place_comes_back(stage: Stage) -> None:
    """The scheduler answers the probe and then stops: the pod runs under the former one again."""
    before = stage.bare()
    name = f"dying-{stage.namespace[-6:]}"
    probe = "podplacement.io/probe=true"
    with scheduler(stage.cluster, name) as dying:
        process = start_module(stage.cluster, MODULE, stage.args("bare", name, wait_timeout=8))
        stage.kube.wait_list("Pod", len, stage.namespace, selector=probe, timeout=60)
        stage.kube.wait_list("Pod", lambda p: not p, stage.namespace, selector=probe, timeout=60)
        os.kill(dying.pid, signal.SIGSTOP)
        result = finish(process)
    # Which of the two depends on whose time is up first, the scheduler's or the task's.
    assert code_of(result) in ("NotScheduled", "NotReady")
    assert "scheduler" in result["msg"]
    stage.kube.wait_ready(stage.namespace, "app=bare", count=1)
    now = stage.get("bare")
    assert now["spec"]["schedulerName"] == DEFAULT
    assert now["metadata"]["uid"] != before["metadata"]["uid"]
    stage.nothing_left()


def test_a_bare_pod_survives_the_death_of_the_task(stage: Stage, second_scheduler: str) -> None:
    stage.bare()
    args = stage.args("bare", second_scheduler)
    process = start_module(stage.cluster, MODULE, args)
    stage.kube.wait_list(
        "Secret", len, stage.namespace, selector="podplacement.io/move=true", timeout=60
    )
    kill_group(process)
    process.communicate()
    result = run_module(stage.cluster, MODULE, args)
    assert not result.get("failed"), result
    assert result["changed"]
    stage.kube.wait_ready(stage.namespace, "app=bare", count=1)
    assert stage.get("bare")["spec"]["schedulerName"] == second_scheduler
    assert not run_module(stage.cluster, MODULE, args)["changed"]
    stage.nothing_left()


# ---- pods of controllers


@pytest.mark.parametrize("kind", ["ReplicationController", "ReplicaSet"])
def test_only_this_pod_of_a_replica_set_is_replaced(
    stage: Stage, audit: Audit, second_scheduler: str, kind: str
) -> None:
    chosen, other = stage.owned(kind)
    args = stage.args(name_of(chosen), second_scheduler)
    with watching(stage.cluster, stage.namespace, "app=web", 2) as watch:
        result = performed(stage.cluster, audit, MODULE, args)
    assert watch.summary.min_ready >= 2
    assert result["scheduled_by"] == second_scheduler
    assert {name_of(p) for p in stage.pods()} == {name_of(other), result["new_pod"]}
    assert stage.schedulers() == sorted([DEFAULT, second_scheduler])
    assert scheduler_of(stage.kube.get(kind, "web", stage.namespace)) == second_scheduler
    again = stage.run(name_of(chosen), second_scheduler)
    assert (again["changed"], again["new_pod"]) == (False, result["new_pod"])
    stage.nothing_left()


def test_a_pod_that_never_served_is_kept_in_check_mode_and_then_replaced(
    stage: Stage, second_scheduler: str
) -> None:
    """It has nothing to lose, so it is deleted and its controller makes another."""
    stage.kube.create(controller("ReplicaSet", scheduler=NOBODY), stage.namespace)
    before = {
        pod["metadata"]["uid"]: name_of(pod)
        for pod in stage.kube.wait_list("Pod", lambda p: len(p) == 2, stage.namespace)
    }
    args = stage.args(min(before.values()), second_scheduler)
    assert run_module(stage.cluster, MODULE, args, check=True)["changed"]
    assert {p["metadata"]["uid"] for p in stage.pods()} == set(before)
    assert run_module(stage.cluster, MODULE, args)["changed"]
    assert stage.schedulers() == sorted([NOBODY, second_scheduler])
    kept = {p["metadata"]["uid"]: name_of(p) for p in stage.pods()}.items() & before.items()
    assert [name for _uid, name in kept] == [max(before.values())]
    stage.nothing_left()


def test_a_deployment_replaces_all_of_its_pods_and_a_warning_says_so(
    stage: Stage, audit: Audit, second_scheduler: str
) -> None:
    chosen, other = stage.owned("Deployment")
    args = stage.args(name_of(chosen), second_scheduler)
    with watching(stage.cluster, stage.namespace, "app=web", 2) as watch:
        result = performed(stage.cluster, audit, MODULE, args)
    assert watch.summary.min_ready >= 2
    assert any("replaces all of its pods" in text for text in warnings_of(result))
    assert result["scheduled_by"] == second_scheduler
    assert result["new_pod"] in {name_of(p) for p in stage.pods()}
    assert set(stage.schedulers()) == {second_scheduler}
    # Its sibling went with it: asking for that one too is nothing to do.
    sibling = stage.run(name_of(other), second_scheduler)
    assert sibling["changed"] is False
    assert any(f"Deployment {stage.namespace}/web" in text for text in warnings_of(sibling))


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_the_pod_of_a_set_comes_back_in_its_place(
    stage: Stage, audit: Audit, second_scheduler: str, kind: str
) -> None:
    chosen = stage.owned(kind)[0]
    result = performed(stage.cluster, audit, MODULE, stage.args(name_of(chosen), second_scheduler))
    heir = stage.get(result["new_pod"])
    if kind == "StatefulSet":
        assert name_of(heir) == name_of(chosen)
    else:
        assert heir["spec"]["nodeName"] == chosen["spec"]["nodeName"]
    assert heir["metadata"]["uid"] != chosen["metadata"]["uid"]
    assert result["scheduled_by"] == second_scheduler


# ---- refusals


def test_pods_that_cannot_change_are_refused(stage: Stage, audit: Audit) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "job"},
        "spec": {
            "template": {
                "metadata": {"labels": {"app": "job"}},
                "spec": pod("job")["spec"] | {"restartPolicy": "Never"},
            }
        },
    }
    stage.kube.create(job, stage.namespace)
    owner = stage.kube.get("ConfigMap", "kube-root-ca.crt", stage.namespace)["metadata"]
    foreign = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": owner["name"],
        "uid": owner["uid"],
        "controller": True,
    }
    stage.bare("foreign", ownerReferences=[foreign])
    stage.bare("opted-out", annotations={"podplacement.io/do-not-move": "true"})
    (of_job,) = stage.kube.wait_ready(stage.namespace, "app=job", count=1)
    for name, code in (
        (name_of(of_job), "OwnerUnsupported: Job"),
        ("foreign", "OwnerUnsupported: ConfigMap"),
        ("opted-out", "OptedOut"),
        ("unknown", "PodNotFound"),
        ("web-12345", "PodNotFound"),
    ):
        assert code_of(refused(stage.cluster, audit, MODULE, stage.args(name))) == code
    bad = refused(stage.cluster, audit, MODULE, stage.args("opted-out", "No_Name"))
    assert code_of(bad) == "InvalidSchedulerName"


@pytest.mark.parametrize(
    ("kind", "spec", "code"),
    [
        ("Deployment", {"paused": True}, "DeploymentPaused"),
        (
            "StatefulSet",
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}},
            "UpdateOnDelete",
        ),
        (
            "StatefulSet",
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}},
            "PartitionHolds",
        ),
    ],
    ids=["paused", "on-delete", "partition"],
)
def test_a_controller_that_would_keep_the_pod_is_not_changed(
    stage: Stage, audit: Audit, kind: str, spec: dict[str, Any], code: str
) -> None:
    name = name_of(stage.owned(kind)[0])
    stage.kube.patch(kind, "web", {"spec": spec}, stage.namespace)
    assert code_of(refused(stage.cluster, audit, MODULE, stage.args(name))) == code
    assert scheduler_of(stage.kube.get(kind, "web", stage.namespace)) == DEFAULT


def test_an_ended_pod_is_refused(stage: Stage, audit: Audit) -> None:
    ended = pod("ended", annotations={"test.podplacement.io/refuse": "OutOfcpu"})
    stage.kube.create(ended, stage.namespace)
    stage.kube.wait("Pod", "ended", lambda p: p["status"]["phase"] == "Failed", stage.namespace)
    assert code_of(refused(stage.cluster, audit, MODULE, stage.args("ended"))) == "PodFinished"


# ---- rights


def test_the_calls_that_are_declared_are_the_calls_that_are_made(
    stage: Stage, audit: Audit, tmp_path: Path, second_scheduler: str
) -> None:
    """A user with exactly these rights can do everything; nothing else is asked of the server."""
    stage.bare()
    owned = name_of(stage.owned("ReplicaSet", replicas=1)[0])
    with account(stage.kube, stage.namespace, tmp_path, set(API_CALLS[MODULE])) as user:
        for name in ("bare", owned):
            result = run_module(user, MODULE, stage.args(name, second_scheduler))
            assert not result.get("failed"), result
        made = {called(entry) for entry in audit.entries(user=user.name)}
    assert made <= set(API_CALLS[MODULE])
