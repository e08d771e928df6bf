# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All pods that wait for a scheduler name, also when others take some of them meanwhile."""

from __future__ import annotations

from functools import partial

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    Unreachable,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.unit.binding.harness import (
    ALL,
    FORBIDDEN,
    Options,
    batch,
    node_of,
    placed,
    refusal,
    run,
)
from tests.unit.binding.objects import Object, node, pod
from tests.unit.fake_api import FakeApi


def test_all_pending_pods_of_the_name_in_the_namespace_are_bound_and_no_others() -> None:
    api = batch()
    result = run(api, ALL)
    assert placed(result) == {"p0": "a", "p1": "b", "p2": "a"}
    (leftover,) = result["leftovers"]
    assert (leftover["name"], leftover["code"]) == ("p3", "Unschedulable")
    assert leftover["reason"] == "0/2 nodes are available: 2 Insufficient cpu."
    assert result["changed"]
    assert node_of(api, "stranger") == ""
    assert api.get(POD, "elsewhere", "other")["spec"].get("nodeName") is None


def test_without_a_namespace_the_whole_cluster_is_served() -> None:
    api = batch(1)
    assert set(placed(run(api, ALL, namespace=None))) == {"p0", "elsewhere"}


def test_a_second_run_over_what_is_left_changes_nothing() -> None:
    api = batch()
    run(api, ALL)
    again = run(api, ALL)
    assert (again["changed"], again["bound"], len(again["leftovers"])) == (False, [], 1)


@pytest.mark.parametrize("policy", ["spread", "random", "least_allocated"])
@pytest.mark.parametrize("validate", ["strict", "warn", "none"])
def test_check_mode_predicts_the_run_and_writes_nothing(policy: str, validate: str) -> None:
    api = batch()
    predicted = run(api, ALL, policy=policy, validate=validate, check=True)
    assert api.writes() == []
    assert run(api, ALL, policy=policy, validate=validate) == predicted


def test_node_names_and_selectors_limit_the_choice() -> None:
    labelled = node("c")
    labelled["metadata"]["labels"]["disk"] = "fast"
    api = batch(2)
    api.put(labelled)
    assert set(placed(run(api, ALL, nodes=["b", "c"], check=True)).values()) == {"b", "c"}
    assert set(placed(run(api, ALL, node_selectors=["disk=fast"])).values()) == {"c"}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"nodes": ["a", "nowhere"]}, "NodeNotFound"),
        ({"node_selectors": ["disk=none"]}, "NoNodes"),
        ({"nodes": []}, "NoNodes"),
        ({"scheduler_name": ""}, "InvalidArgument"),
    ],
)
def test_a_choice_of_nodes_that_makes_no_sense_is_refused(options: Options, code: str) -> None:
    api = batch()
    assert refusal(api, ALL, **options).code == code
    assert api.writes() == []


def test_a_pod_that_another_scheduler_took_is_left_and_the_rest_goes_on() -> None:
    api = batch(2)
    patch = {"spec": {"nodeName": "b"}}
    api.before("create", "pods/binding", lambda: api.change(POD, "p0", "shop", patch))
    result = run(api, ALL)
    assert placed(result) == {"p1": "b"}
    assert [(s["name"], s["code"]) for s in result["leftovers"]] == [("p0", "AlreadyBound")]


def test_a_pod_that_a_policy_refuses_is_left_and_the_rest_goes_on() -> None:
    api = batch(2)
    api.before(
        "create", "pods/binding", Forbidden(403, "Forbidden", "the policy denied the request")
    )
    result = run(api, ALL)
    assert placed(result) == {"p1": "b"}
    assert result["leftovers"][0]["code"] == "AdmissionDenied"


def test_a_right_that_is_lost_halfway_is_a_failure_and_not_a_leftover() -> None:
    api = batch(2)
    api.before("create", "pods/binding", FORBIDDEN)
    assert refusal(api, ALL).code == "RbacDenied: pods/binding create"


def test_a_pod_that_was_bound_between_two_readings_is_no_leftover() -> None:
    api = batch(2)
    api.before("list", "pods", lambda: None)
    patch = {"spec": {"nodeName": "b"}}
    api.before("list", "pods", lambda: api.change(POD, "p0", "shop", patch))
    result = run(api, ALL)
    assert (placed(result), result["leftovers"]) == ({"p1": "a"}, [])


def test_the_room_goes_to_the_pod_of_higher_priority() -> None:
    api = FakeApi(node("a", cpu="1"), pod("old"), pod("urgent", priority=1))
    assert placed(run(api, ALL)) == {"urgent": "a"}


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"schedulingGates": [{"name": "wait"}]}, "SchedulingGated"),
        ({"nodeSelector": {"disk": "fast"}}, "NodeSelectorMismatch"),
    ],
)
def test_a_pod_of_many_that_changed_is_judged_anew(spec: Object, code: str) -> None:
    api = batch(2)
    change = partial(api.change, POD, "p0", "shop", {"spec": spec})
    api.before("create", "pods/binding", change)
    result = run(api, ALL)
    assert [(s["name"], s["code"]) for s in result["leftovers"]] == [("p0", code)]
    assert placed(result) == {"p1": "b"}


def test_a_failure_halfway_reports_what_was_done() -> None:
    api = batch(2)
    api.before("create", "pods/binding", lambda: None)
    api.before("create", "pods/binding", Unreachable(0, "ApiUnreachable", "gone"))
    error = refusal(api, ALL)
    assert (error.code, error.changed) == ("ApiUnreachable", True)
    assert placed(error.result) == {"p0": "a"}
