# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_node_evacuate within limits: what there is room for, what is allowed, and when to stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.evacuation.calls import API_CALLS
from tests.cluster.watcher import watching
from tests.integration.accounts import account
from tests.integration.estate import AGENT, MODULE, Estate, bare, codes, workload
from tests.integration.runner import finish, run_module, start_module
from tests.integration.scenario import called

pytestmark = pytest.mark.cluster
SLOW = {"test.podplacement.io/ready-after": "1s"}
KUBELET_REFUSES = {"test.podplacement.io/refuse": "OutOfcpu"}


def quota(estate: Estate, pods: int) -> None:
    """No more than so many pods in the namespace, and counted so far."""
    spec = {"hard": {"pods": str(pods)}}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": spec}
    estate.kube.create(body, estate.namespace)
    estate.kube.wait(
        "ResourceQuota",
        "q",
        lambda q: "pods" in q.get("status", {}).get("used", {}),
        estate.namespace,
    )


def spoil(estate: Estate, name: str, annotations: dict[str, str] | None) -> None:
    """From now on the pods of this ReplicaSet are made like that."""
    change = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    estate.kube.patch("ReplicaSet", name, change, estate.namespace)


def test_the_room_of_each_target_is_given_away_once(estate: Estate) -> None:
    estate.fill(workload("web", 3), workload("api", 2))
    full: dict[str, Any] = {"taints": [{"key": "other", "effect": "NoSchedule"}]}
    estate.open(first={"pods": "4"}, second=full)
    both = [estate.first, estate.second]
    result = estate.refused(target_nodes=both, wait=False)
    assert result["summary"]["moved"] == 4
    assert sorted(codes(result).values()) == ["NoRoom"]
    assert (len(estate.on(estate.first)), len(estate.on(estate.second))) == (4, 0)


def test_a_target_must_exist(estate: Estate) -> None:
    result = estate.refused(target_nodes=["nowhere"])
    assert (result["error"]["code"], estate.is_cordoned()) == ("NodeNotFound", False)


def test_room_that_comes_later_is_waited_for(estate: Estate) -> None:
    estate.fill(workload("web", 2), bare("alone"))
    estate.open(unschedulable=True)
    planned = estate.run(state="planned")
    assert [item["room"] for item in planned["plan"]] == [False, False]
    assert codes(planned) == {"alone": "NoRoom"}  # it would be stopped before there is any
    running = start_module(estate.cluster, MODULE, estate.args())
    estate.kube.wait_list("Pod", lambda pods: len(pods) > 3, estate.namespace)
    estate.kube.patch("Node", estate.second, {"spec": {"unschedulable": None}})
    result = finish(running)
    assert not result.get("failed"), result
    assert len(estate.on(estate.second)) == 3


def test_a_full_quota_refuses_and_a_narrow_one_delays(estate: Estate) -> None:
    estate.fill(workload("web", 3))
    estate.open()
    quota(estate, 3)
    assert set(codes(estate.refused()).values()) == {"QuotaExceeded"}
    estate.kube.patch("ResourceQuota", "q", {"spec": {"hard": {"pods": "4"}}}, estate.namespace)
    estate.kube.wait(
        "ResourceQuota", "q", lambda q: q["status"]["hard"]["pods"] == "4", estate.namespace
    )
    result = estate.run()
    assert result["summary"]["moved"] == 3, result


def test_as_many_replacements_at_a_time_as_surge_allows(estate: Estate, tmp_path: Path) -> None:
    estate.fill(workload("web", 4, pod_annotations=SLOW))
    estate.open()
    seen = tmp_path / "seen"
    with watching(estate.cluster, estate.namespace, "app=web", 4, out=seen) as referee:
        result = estate.run(surge=1)
    assert result["summary"]["moved"] == 4, result
    assert (referee.summary.min_ready, referee.summary.unavailable_seconds) == (4, 0.0)
    alive = [
        sum("terminating" not in state for state in json.loads(line)["pods"].values())
        for line in seen.read_text().splitlines()
    ]
    assert max(alive) == 5


def test_nothing_more_is_begun_after_so_many_failures(estate: Estate) -> None:
    estate.fill(*(workload(name, 2, "ReplicaSet") for name in ("one", "two")))
    estate.open()
    for name in ("one", "two"):
        spoil(estate, name, KUBELET_REFUSES)
    before = estate.on(estate.source)
    result = estate.run(max_failures=1, forks=1, on_stop="uncordon")
    assert result["error"]["code"] == "MaxFailures"
    counts = result["summary"]
    assert (counts["failed"], counts["not_started"], counts["moved"]) == (1, 3, 0)
    assert sorted(set(codes(result).values())) == ["KubeletRefused: OutOfcpu", "MaxFailures"]
    assert (estate.on(estate.source), estate.is_cordoned()) == (before, False)
    for name in ("one", "two"):
        spoil(estate, name, None)
    assert not estate.run().get("failed")
    assert estate.on(estate.source) == []


def test_nothing_is_begun_that_the_window_does_not_suffice_for(estate: Estate) -> None:
    estate.fill(workload("web", 2))
    estate.open()
    before = estate.on(estate.source)
    result = estate.run(deadline=2)  # the swap alone is reckoned with more
    assert result["error"]["code"] == "DeadlineReached"
    assert result["summary"]["not_started"] == 2
    assert (estate.on(estate.source), estate.is_cordoned()) == (before, True)
    reported = estate.run(deadline=2, on_leftovers="report")
    assert set(codes(reported).values()) == {"DeadlineReached"}
    assert not reported.get("failed")
    assert estate.run(deadline=3600)["summary"]["moved"] == 2


def test_a_pod_that_comes_meanwhile_goes_as_well(estate: Estate) -> None:
    estate.fill(workload("web", 2, pod_annotations=SLOW))
    estate.open()
    running = start_module(estate.cluster, MODULE, estate.args())
    estate.kube.wait_list("Pod", lambda pods: len(pods) > 2, estate.namespace)
    late = estate.homed(bare("late"))
    late["spec"]["nodeName"] = estate.source  # past the scheduler, and so past the cordon
    estate.kube.create(late, estate.namespace)
    result = finish(running)
    assert not result.get("failed"), result
    assert result["summary"]["moved"] == 3
    assert estate.on(estate.source) == []


def test_the_documented_rights_suffice_and_no_other_call_is_made(
    estate: Estate, tmp_path: Path
) -> None:
    estate.fill(workload("web", 2, "ReplicaSet"), bare("alone"))
    estate.open()
    allowed = {*API_CALLS["adopt"], *API_CALLS["recreate"]}
    needed = [call for call in allowed if call[2] != "selfsubjectaccessreviews"]
    with account(estate.kube, estate.namespace, tmp_path, needed) as user:
        estate.audit.mark()
        results = [
            run_module(user, MODULE, estate.args(**more)) for more in ({}, {"state": "returned"})
        ]
        assert [r["summary"]["moved"] for r in results] == [3, 3], results
        made = {called(entry) for entry in estate.audit.entries(user=user.name, agent=AGENT)}
    assert made <= allowed, made - allowed


def test_a_missing_right_is_named_before_anything_is_touched(
    estate: Estate, tmp_path: Path
) -> None:
    estate.fill(workload("web", 1))
    needed = [c for c in API_CALLS["adopt"] if c != ("patch", "", "nodes")]
    with account(estate.kube, estate.namespace, tmp_path, needed) as user:
        result = run_module(user, MODULE, estate.args())
    assert result["error"]["code"] == "RbacDenied: nodes patch"
    assert (result["changed"], estate.is_cordoned()) == (False, False)


@pytest.mark.parametrize("kind", ["ReplicaSet", "StatefulSet"])
def test_a_controller_has_so_many_pods_on_a_node(estate: Estate, kind: str) -> None:
    estate.fill(workload("web", 3, kind))
    estate.open()
    wish = {"namespace": estate.namespace, "controller": {"kind": kind, "name": "web"}}
    args: dict[str, Any] = {**wish, "node": estate.first, "count": 2, "wait_timeout": 90}
    check = run_module(estate.cluster, "k8s_pod_move", args, check=True)
    result = run_module(estate.cluster, "k8s_pod_move", args)
    assert not result.get("failed"), result
    assert (check["changed"], check["diff"]) == (result["changed"], result["diff"])
    assert (len(estate.on(estate.first)), len(estate.on(estate.source))) == (2, 1)
    if kind == "StatefulSet":
        assert estate.on(estate.first) == ["web-1", "web-2"]
    for count in (2, 1):
        again = run_module(estate.cluster, "k8s_pod_move", {**args, "count": count})
        assert again["changed"] is False
    too_many = run_module(estate.cluster, "k8s_pod_move", {**args, "count": 4})
    assert too_many["error"]["code"] == "TooFewReplicas"


def test_the_pods_of_a_statefulset_come_back_under_their_names_elsewhere(estate: Estate) -> None:
    estate.fill(workload("db", 2, "StatefulSet"))
    estate.open()
    result = estate.run()
    assert not result.get("failed"), result
    assert estate.on(estate.source) == []
    assert sorted(p["metadata"]["name"] for p in estate.pods()) == ["db-0", "db-1"]

    back = estate.evacuated(state="returned")
    assert estate.on(estate.source) == ["db-0", "db-1"]
    assert {(m["strategy"], m["to_node"]) for m in back["moved"]} == {("steer", estate.source)}
    assert (estate.is_cordoned(), estate.records()) == (False, [])
