# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_controller_scheduler on a real API server: names set, recorded, restored and refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.scheduler_calls import API_CALLS
from tests.cluster.audit import Audit
from tests.cluster.cluster import Cluster
from tests.cluster.kube import Kube
from tests.integration.accounts import account
from tests.integration.controllers import DEFAULT, MODULE, NOBODY, Stage, item
from tests.integration.manifests import API_VERSIONS, controller, scheduler_of
from tests.integration.runner import run_module
from tests.integration.scenario import called, code_of, performed, refused, surprised, warnings_of

pytestmark = pytest.mark.cluster


@pytest.fixture
def stage(cluster: Cluster, kube: Kube, namespace: str) -> Stage:
    return Stage(cluster, kube, namespace)


# ---- set and restore, every kind


@pytest.mark.parametrize("kind", list(API_VERSIONS))
def test_the_name_is_set_recorded_and_put_back_exactly(
    stage: Stage, audit: Audit, second_scheduler: str, kind: str
) -> None:
    """A custom scheduler survives: setting the default one and restoring leads back to it."""
    stage.make(kind, scheduler=second_scheduler)
    named = f"{kind} {stage.namespace}/web"
    args = stage.args(kind, scheduler_name=DEFAULT, roll=True, verify_scheduler=True)
    result = performed(stage.cluster, audit, MODULE, args)
    replaced = kind != "CronJob"
    assert item(result) == {
        "kind": kind,
        "namespace": stage.namespace,
        "name": "web",
        "before": second_scheduler,
        "after": DEFAULT,
        "rolled": replaced,
        "pending": False,
        "pending_unpause": False,
    }
    assert result["diff"] == {
        "before": {named: {"schedulerName": second_scheduler}},
        "after": {named: {"schedulerName": DEFAULT}},
    }
    assert scheduler_of(stage.get(kind)) == DEFAULT
    assert stage.record(kind) == second_scheduler
    assert stage.schedulers() == ({DEFAULT} if replaced else set())

    back = performed(stage.cluster, audit, MODULE, stage.args(kind, state="restored", roll=True))
    assert (item(back)["before"], item(back)["after"]) == (DEFAULT, second_scheduler)
    assert scheduler_of(stage.get(kind)) == second_scheduler
    assert stage.record(kind) is None
    assert stage.schedulers() == ({second_scheduler} if replaced else set())
    stage.nothing_left()


def test_the_first_name_is_kept_however_often_it_is_set(stage: Stage) -> None:
    stage.make("CronJob", scheduler="first")
    for name in ("second", "third"):
        assert stage.run("CronJob", scheduler_name=name)["changed"]
        assert stage.record("CronJob") == "first"
    assert item(stage.run("CronJob", state="restored"))["after"] == "first"
    assert (scheduler_of(stage.get("CronJob")), stage.record("CronJob")) == ("first", None)


def test_setting_the_first_name_again_needs_no_record(stage: Stage) -> None:
    stage.make("CronJob", scheduler="first")
    for name in ("second", "first"):
        assert stage.run("CronJob", scheduler_name=name)["changed"]
    assert stage.record("CronJob") is None
    assert not stage.run("CronJob", state="restored")["changed"]


def test_a_template_without_a_name_has_the_default_one(stage: Stage, audit: Audit) -> None:
    stage.make("CronJob")
    audit.mark()
    result = stage.run("CronJob", scheduler_name=DEFAULT, verify_scheduler=True)
    assert (result["changed"], item(result)["before"]) == (False, DEFAULT)
    assert not audit.entries(namespace=stage.namespace, agent="podplacement/", writes=True)


# ---- which controllers


def test_label_selectors_change_all_that_match_and_no_others(stage: Stage, audit: Audit) -> None:
    for name, team in (("a", "data"), ("b", "data"), ("c", "web")):
        stage.make("CronJob", name, metadata={"labels": {"team": team}})
    args = stage.args("CronJob", label_selectors=["team=data"], scheduler_name="other")
    result = performed(stage.cluster, audit, MODULE, args)
    assert [c["name"] for c in result["controllers"]] == ["a", "b"]
    found = {name: scheduler_of(stage.get("CronJob", name)) for name in "abc"}
    assert found == {"a": "other", "b": "other", "c": DEFAULT}


def test_a_selector_that_matches_nothing_is_a_warning(stage: Stage) -> None:
    result = stage.run("Deployment", label_selectors=["team=none"], scheduler_name="other")
    assert (result["changed"], result["controllers"]) == (False, [])
    assert any("team=none" in text for text in warnings_of(result))


def test_one_refusal_leaves_every_controller_as_it_is(stage: Stage, audit: Audit) -> None:
    labels = {"team": "data"}
    stop = {"podplacement.io/do-not-move": "true"}
    stage.make("CronJob", "a", metadata={"labels": labels})
    stage.make("CronJob", "b", metadata={"labels": labels, "annotations": stop})
    args = stage.args("CronJob", label_selectors=["team=data"], scheduler_name="other")
    assert code_of(refused(stage.cluster, audit, MODULE, args)) == "OptedOut"
    assert scheduler_of(stage.get("CronJob", "a")) == DEFAULT


# ---- refusals


def test_a_replica_set_of_a_deployment_is_refused_and_the_deployment_named(
    stage: Stage, audit: Audit
) -> None:
    stage.make("Deployment")
    (owned,) = stage.kube.list("ReplicaSet", stage.namespace)
    for force in (False, True):
        args = stage.args(
            "ReplicaSet", owned["metadata"]["name"], scheduler_name="other", force=force
        )
        result = refused(stage.cluster, audit, MODULE, args)
        assert code_of(result) == "OwnedByDeployment"
        assert f"Deployment {stage.namespace}/web" in result["error"]["hint"]


def test_a_controller_that_someone_else_controls_is_refused(stage: Stage, audit: Audit) -> None:
    uid = stage.kube.get("ConfigMap", "kube-root-ca.crt", stage.namespace)["metadata"]["uid"]
    owner = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "kube-root-ca.crt",
        "uid": uid,
        "controller": True,
    }
    stage.make("CronJob", metadata={"ownerReferences": [owner]})
    args = stage.args("CronJob", scheduler_name="other")
    assert code_of(refused(stage.cluster, audit, MODULE, args)) == "OwnedBy: ConfigMap"
    assert performed(stage.cluster, audit, MODULE, {**args, "force": True})["changed"]


def test_a_field_that_another_manager_applied_is_refused(stage: Stage, audit: Audit) -> None:
    applied = controller("CronJob", scheduler="theirs")
    stage.kube.patch("CronJob", "web", applied, stage.namespace, patch_type="apply")
    args = stage.args("CronJob", scheduler_name="other")
    result = refused(stage.cluster, audit, MODULE, args)
    assert code_of(result) == "FieldManagedBy"
    assert "field manager tests" in result["msg"]
    assert performed(stage.cluster, audit, MODULE, {**args, "force": True})["changed"]


def test_an_opted_out_controller_is_refused_unless_forced(stage: Stage, audit: Audit) -> None:
    stage.make("CronJob", metadata={"annotations": {"podplacement.io/do-not-move": "true"}})
    args = stage.args("CronJob", scheduler_name="other")
    assert code_of(refused(stage.cluster, audit, MODULE, args)) == "OptedOut"
    assert performed(stage.cluster, audit, MODULE, {**args, "force": True})["changed"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"name": "none", "scheduler_name": "other"}, "ControllerNotFound"),
        ({"scheduler_name": ""}, "InvalidSchedulerName"),
        ({"scheduler_name": "Not_A_Name"}, "InvalidSchedulerName"),
        ({"scheduler_name": "x" * 254}, "InvalidSchedulerName"),
        ({"label_selectors": [" "], "scheduler_name": "other"}, "InvalidSelector"),
        ({"label_selectors": ["a b"], "scheduler_name": "other"}, "Invalid"),
    ],
    ids=["unknown", "empty", "upper-case", "too-long", "no-selector", "bad-selector"],
)
def test_bad_input_is_one_clear_error(
    stage: Stage, audit: Audit, more: dict[str, Any], code: str
) -> None:
    stage.make("CronJob")
    args = {**stage.args("CronJob", **more), **more}
    assert code_of(refused(stage.cluster, audit, MODULE, args)) == code


def test_options_that_contradict_each_other_are_told(stage: Stage) -> None:
    assert "scheduler_name" in stage.run("CronJob")["msg"]
    both = stage.args("CronJob") | {"label_selectors": ["a=b"], "scheduler_name": "other"}
    assert "mutually exclusive" in run_module(stage.cluster, MODULE, both)["msg"]
    assert "value of kind" in stage.run("Pod", scheduler_name="other")["msg"]


# ---- the probe


def test_a_scheduler_that_nobody_runs_is_found_out_before_anything_changes(
    stage: Stage, audit: Audit
) -> None:
    made = stage.make("CronJob")
    args = stage.args("CronJob", scheduler_name=NOBODY, verify_scheduler=True, wait_timeout=6)
    result = surprised(stage.cluster, audit, MODULE, args)
    assert (code_of(result), result["changed"]) == ("SchedulerNotAlive", False)
    assert (
        stage.get("CronJob")["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    )
    stage.nothing_left()
    calls = audit.entries(namespace=stage.namespace, agent="podplacement/", writes=True)
    assert [(c.verb, c.resource) for c in calls] == [("create", "pods"), ("delete", "pods")]


def test_a_scheduler_that_finds_no_room_is_alive(stage: Stage, second_scheduler: str) -> None:
    """In a namespace of the restricted standard; the probe asks for a quota that nothing fills."""
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    stage.kube.patch("Namespace", stage.namespace, {"metadata": {"labels": enforce}})
    stage.make("CronJob")
    result = stage.run("CronJob", scheduler_name=second_scheduler, verify_scheduler=True)
    assert result["changed"], result
    stage.nothing_left()


def test_check_mode_says_that_it_cannot_prove_a_scheduler(stage: Stage) -> None:
    stage.make("CronJob")
    args = stage.args("CronJob", scheduler_name=NOBODY, verify_scheduler=True)
    result = run_module(stage.cluster, MODULE, args, check=True)
    assert result["changed"]
    assert any("cannot prove" in text and NOBODY in text for text in warnings_of(result))


# ---- rights


def test_a_user_without_the_right_gets_its_name(stage: Stage, tmp_path: Path) -> None:
    stage.make("CronJob")
    read = [("get", "batch", "cronjobs")]
    with account(stage.kube, stage.namespace, tmp_path, read) as user:
        result = run_module(user, MODULE, stage.args("CronJob", scheduler_name="other"))
    assert (code_of(result), result["changed"]) == ("RbacDenied: cronjobs patch", False)


def test_the_calls_that_are_declared_are_the_calls_that_are_made(
    stage: Stage, audit: Audit, tmp_path: Path, second_scheduler: str
) -> None:
    """A user with exactly these rights can do everything; nothing else is asked of the server."""
    stage.make("ReplicaSet")
    stage.make("Deployment", "dep")
    with account(stage.kube, stage.namespace, tmp_path, set(API_CALLS[MODULE])) as user:
        for kind, name in (("ReplicaSet", "web"), ("Deployment", "dep")):
            args = stage.args(
                kind, name, scheduler_name=second_scheduler, roll=True, verify_scheduler=True
            )
            result = run_module(user, MODULE, args)
            assert not result.get("failed"), result
        made = {called(entry) for entry in audit.entries(user=user.name)}
    assert made <= set(API_CALLS[MODULE])
