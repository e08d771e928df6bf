# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What k8s_pod_bind does when the world moves between its reading and its writing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.binding.run import bind_pods
from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    ApiError,
    Forbidden,
    Invalid,
    OutcomeUnknown,
    PlacementError,
    Unreachable,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.unit.binding.objects import SCHEDULER, Object, claim, mounts, node, pod, volume
from tests.unit.fake_api import FakeApi

Options = dict[str, Any]
COMMON: Options = {"validate": "strict", "wait": False, "wait_timeout": 60, "policy": "spread"}
ONE: Options = {**COMMON, "namespace": "shop", "name": "p", "node": "a"}
ALL: Options = {**COMMON, "namespace": "shop", "scheduler_name": SCHEDULER}
FORBIDDEN = Forbidden(403, "Forbidden", "not for you", request="pods/binding create")
NO_ANSWER = OutcomeUnknown(0, "OutcomeUnknown", "the connection broke")


def run(api: FakeApi, options: Options, *, check: bool = False, **more: Any) -> Options:
    return bind_pods({**options, **more}, api, api.clock, check)


def refusal(api: FakeApi, options: Options, **more: Any) -> PlacementError:
    with pytest.raises(PlacementError) as caught:
        run(api, options, **more)
    return caught.value


def bind_from_outside(api: FakeApi, target: str, **annotations: str) -> Callable[[], None]:
    patch = {"metadata": {"annotations": annotations}, "spec": {"nodeName": target}}
    return lambda: api.change(POD, "p", "shop", patch)


def set_phase(api: FakeApi, name: str, **status: Any) -> Callable[[], None]:
    return lambda: api.change(POD, name, "shop", {"status": status})


def node_of(api: FakeApi, name: str = "p") -> str:
    return str(api.get(POD, name, "shop")["spec"].get("nodeName", ""))


# ---- one named pod


def test_the_pod_gets_its_node_a_time_stamp_and_an_event() -> None:
    api = FakeApi(node("a"), pod("p"))
    result = run(api, ONE)
    assert result["changed"]
    assert result["bound"] == [
        {"namespace": "shop", "name": "p", "uid": "uid-p", "node": "a"},
    ]
    assert result["diff"] == {
        "before": {"pods": {"shop/p": {"node": ""}}},
        "after": {"pods": {"shop/p": {"node": "a"}}},
    }
    bound = api.get(POD, "p", "shop")
    assert bound["spec"]["nodeName"] == "a"
    assert bound["metadata"]["annotations"]["podplacement.io/scheduled-at"].startswith("2026-")
    assert [(c.verb, c.resource) for c in api.writes()] == [
        ("create", "pods/binding"),
        ("create", "events"),
    ]


def test_a_second_run_changes_nothing() -> None:
    api = FakeApi(node("a"), pod("p"))
    run(api, ONE)
    before = len(api.writes())
    result = run(api, ONE)
    assert (result["changed"], result["bound"], len(api.writes())) == (False, [], before)
    assert (
        result["diff"]["before"] == result["diff"]["after"] == {"pods": {"shop/p": {"node": "a"}}}
    )


def test_a_pod_on_another_node_is_for_k8s_pod_move() -> None:
    error = refusal(FakeApi(node("a"), pod("p", on="b")), ONE)
    assert error.code == "AlreadyBound"
    assert "podplacement.core.k8s_pod_move" in error.hint


@pytest.mark.parametrize(
    ("options", "code"),
    [({"name": "nobody"}, "PodNotFound"), ({"node": "nowhere"}, "NodeNotFound")],
)
@pytest.mark.parametrize("validate", ["strict", "warn", "none"])
def test_what_does_not_exist_is_refused(options: Options, code: str, validate: str) -> None:
    api = FakeApi(node("a"), pod("p"))
    assert refusal(api, ONE, validate=validate, **options).code == code
    assert api.writes() == []


@pytest.mark.parametrize("field", ["name", "namespace", "node"])
def test_an_empty_name_is_refused_before_any_request(field: str) -> None:
    api = FakeApi(node("a"), pod("p"))
    assert refusal(api, ONE, **{field: " "}).code == "InvalidArgument"
    assert api.calls == []


@pytest.mark.parametrize("validate", ["strict", "warn", "none"])
@pytest.mark.parametrize(
    ("code", "made"),
    [
        ("SchedulingGated", pod("p", schedulingGates=[{"name": "wait"}])),
        ("ResourceClaims", pod("p", resourceClaims=[{"name": "gpu"}])),
        ("VolumeUnbound", pod("p", volumes=mounts("free"))),
        ("VolumeClaimNotFound", pod("p", volumes=mounts("missing"))),
        ("VolumeInUse", pod("p", volumes=mounts("taken"))),
        ("PodNotPending", pod("p", phase="Failed")),
    ],
)
def test_a_pod_that_must_not_be_bound_is_refused_with_a_reason(
    code: str, made: Object, validate: str
) -> None:
    api = FakeApi(
        node("a"),
        made,
        claim("free"),
        claim("taken", volume="pv", mode="ReadWriteOncePod"),
        volume("pv"),
        pod("holder", on="a", volumes=mounts("taken")),
    )
    assert refusal(api, ONE, validate=validate).code == code
    assert api.writes() == []


def test_a_terminating_pod_is_refused() -> None:
    made = pod("p")
    made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert refusal(FakeApi(node("a"), made), ONE).code == "PodTerminating"


def test_strict_tells_every_reason() -> None:
    tainted = node("a", cpu="1", taints=[{"key": "k", "effect": "NoSchedule"}], unschedulable=True)
    api = FakeApi(tainted, pod("p", cpu="2"))
    error = refusal(api, ONE)
    assert error.code == "NodeUnschedulable"
    assert error.step == "preflight"
    for reason in ("node(s) were unschedulable", "k:NoSchedule", "Insufficient cpu"):
        assert reason in error.message
    assert api.writes() == []


def test_warn_binds_and_tells_every_reason() -> None:
    api = FakeApi(node("a", cpu="1", unschedulable=True), pod("p", cpu="2"))
    result = run(api, ONE, validate="warn")
    assert node_of(api) == "a"
    (warning,) = result["warnings"]
    assert "unschedulable" in warning
    assert "Insufficient cpu" in warning


def test_none_binds_without_reading_other_pods() -> None:
    api = FakeApi(node("a", cpu="1"), pod("p", cpu="2"))
    assert run(api, ONE, validate="none")["warnings"] == []
    assert node_of(api) == "a"
    assert "list" not in {call.verb for call in api.calls}


# ---- races and lost answers


def test_a_pod_that_changed_is_judged_anew_and_bound() -> None:
    api = FakeApi(node("a"), pod("p"))
    label = {"metadata": {"labels": {"touched": "yes"}}}
    api.before("create", "pods/binding", lambda: api.change(POD, "p", "shop", label))
    assert run(api, ONE)["changed"]
    assert node_of(api) == "a"


def test_a_pod_that_was_gated_meanwhile_is_refused() -> None:
    api = FakeApi(node("a"), pod("p"))
    gates = {"spec": {"schedulingGates": [{"name": "wait"}]}}
    api.before("create", "pods/binding", lambda: api.change(POD, "p", "shop", gates))
    assert refusal(api, ONE).code == "SchedulingGated"
    assert node_of(api) == ""


def test_a_pod_that_never_stays_the_same_is_given_up() -> None:
    api = FakeApi(node("a"), pod("p"))
    for n in range(10):
        label = {"metadata": {"labels": {"touched": str(n)}}}
        api.before("create", "pods/binding", partial(api.change, POD, "p", "shop", label))
    assert refusal(api, ONE).code == "Conflict"
    assert node_of(api) == ""


@pytest.mark.parametrize(("winner", "code"), [("a", None), ("b", "AlreadyBound")])
def test_a_scheduler_that_is_faster(winner: str, code: str | None) -> None:
    api = FakeApi(node("a"), node("b"), pod("p"))
    api.before("create", "pods/binding", bind_from_outside(api, winner))
    if code is None:
        assert not run(api, ONE)["changed"]
    else:
        assert refusal(api, ONE).code == code
    assert node_of(api) == winner


def test_a_pod_that_is_deleted_meanwhile() -> None:
    api = FakeApi(node("a"), pod("p"))
    api.before("create", "pods/binding", lambda: api.remove(POD, "p", "shop"))
    assert refusal(api, ONE).code == "PodNotFound"


def test_another_pod_under_the_same_name_is_left_alone() -> None:
    api = FakeApi(node("a"), pod("p"))

    def replace() -> None:
        api.remove(POD, "p", "shop")
        successor = pod("p")
        successor["metadata"]["uid"] = "uid-successor"
        api.put(successor)

    api.before("create", "pods/binding", replace)
    assert refusal(api, ONE).code == "PodReplaced"
    assert node_of(api) == ""


def test_a_lost_answer_to_a_binding_that_happened_is_a_success() -> None:
    api = FakeApi(node("a"), pod("p"))

    def bind_then_break() -> None:
        stamp = api.clock.wall()
        bind_from_outside(api, "a", **{"podplacement.io/scheduled-at": stamp})()
        raise NO_ANSWER

    api.before("create", "pods/binding", bind_then_break)
    result = run(api, ONE)
    assert result["changed"]
    assert result["bound"][0]["node"] == "a"


def test_a_lost_answer_to_a_binding_that_did_not_happen_is_sent_again() -> None:
    api = FakeApi(node("a"), pod("p"))
    api.before("create", "pods/binding", NO_ANSWER)
    assert run(api, ONE)["changed"]
    assert node_of(api) == "a"


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (FORBIDDEN, "RbacDenied: pods/binding create"),
        (Forbidden(403, "Forbidden", "admission said no"), "AdmissionDenied"),
        (Invalid(422, "Invalid", "no such field"), "Invalid"),
        (Unreachable(0, "ApiUnreachable", "gone"), "ApiUnreachable"),
    ],
)
def test_an_answer_that_is_final_is_a_failure_with_its_code(problem: ApiError, code: str) -> None:
    api = FakeApi(node("a"), pod("p"))
    api.before("create", "pods/binding", problem)
    error = refusal(api, ONE)
    assert (error.code, error.changed) == (code, False)


def test_missing_rights_are_refused_before_the_first_write() -> None:
    api = FakeApi(node("a"), pod("p"))
    api.denied |= {("create", "pods/binding"), ("watch", "pods")}
    error = refusal(api, ONE, wait=True)
    assert error.code == "RbacDenied: pods/binding create"
    assert "pods watch in namespace shop" in error.message
    assert api.writes() == []


def test_without_the_right_to_write_events_the_task_warns_alike_in_both_modes() -> None:
    api = FakeApi(node("a"), pod("p"))
    api.denied.add(("create", "events"))
    predicted = run(api, ONE, check=True)["warnings"]
    api.before("create", "events", FORBIDDEN)
    assert run(api, ONE)["warnings"] == predicted != []
    assert node_of(api) == "a"


# ---- all pods of a scheduler name


def batch(api_objects: int = 4) -> FakeApi:
    pods = [pod(f"p{i}", created=f"2026-01-0{i + 1}T00:00:00Z") for i in range(api_objects)]
    stranger = pod("stranger")
    stranger["spec"]["schedulerName"] = "default-scheduler"
    elsewhere = pod("elsewhere", namespace="other")
    return FakeApi(node("a", cpu="2"), node("b", cpu="1"), *pods, stranger, elsewhere)


def placed(result: Options) -> dict[str, str]:
    return {b["name"]: b["node"] for b in result["bound"]}


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


# ---- waiting


def test_it_waits_until_the_pod_runs() -> None:
    api = FakeApi(node("a"), pod("p"))
    api.later(5, set_phase(api, "p", containerStatuses=[{"name": "app"}]))
    api.later(7, set_phase(api, "p", phase="Running"))
    assert run(api, ONE, wait=True)["changed"]
    assert api.clock.now == 1012


def test_a_pod_that_the_kubelet_refuses_is_a_failure_with_its_reason() -> None:
    api = FakeApi(node("a"), pod("p"))
    refused = {"phase": "Failed", "reason": "OutOfcpu", "message": "not enough cpu"}
    api.later(1, set_phase(api, "p", **refused))
    error = refusal(api, ONE, wait=True)
    assert error.code == "KubeletRefused: OutOfcpu"
    assert error.step == "wait for Running"
    assert "not enough cpu" in error.message
    assert error.changed
    assert error.result["bound"][0]["name"] == "p"


@pytest.mark.parametrize("check", [False, True])
def test_the_next_run_does_not_call_a_refused_pod_placed(check: bool) -> None:
    api = FakeApi(node("a"), pod("p", on="a", phase="Failed"))
    assert refusal(api, ONE, wait=True, check=check).code == "KubeletRefused: Failed"


def test_a_container_that_ran_and_failed_is_not_the_kubelets_refusal() -> None:
    api = FakeApi(node("a"), pod("p"))
    ended = {"phase": "Failed", "containerStatuses": [{"name": "app"}]}
    api.later(1, set_phase(api, "p", **ended))
    assert refusal(api, ONE, wait=True).code == "PodFailed: Failed"


def test_a_timeout_says_at_which_step_and_what_the_pod_waits_for() -> None:
    api = FakeApi(node("a"), pod("p"))
    state = {"waiting": {"reason": "ErrImagePull"}}
    pulling = set_phase(api, "p", containerStatuses=[{"name": "app", "state": state}])
    api.later(1, pulling)
    error = refusal(api, ONE, wait=True, wait_timeout=30)
    assert (error.code, error.step, error.changed) == ("Timeout", "wait for Running", True)
    assert "container app waits: ErrImagePull" in error.message
    assert api.clock.now == 1030


def test_a_pod_that_is_deleted_while_it_is_waited_for() -> None:
    api = FakeApi(node("a"), pod("p"))
    api.later(1, lambda: api.remove(POD, "p", "shop"))
    assert refusal(api, ONE, wait=True).code == "PodGone"


def test_of_many_all_are_waited_for_and_the_refused_ones_reported_together() -> None:
    api = batch(3)
    api.later(1, set_phase(api, "p0", phase="Failed", reason="OutOfpods"))
    api.later(1, set_phase(api, "p1", phase="Running"))
    api.later(1, set_phase(api, "p2", phase="Failed", reason="NodeAffinity"))
    error = refusal(api, ALL, wait=True)
    assert error.code == "KubeletRefused: OutOfpods"
    assert "shop/p0" in error.message
    assert "shop/p2" in error.message
    assert len(error.result["bound"]) == 3


@pytest.mark.parametrize(
    ("options", "made"),
    [(ONE, pod("p")), (ONE, pod("p", on="a", phase="Pending")), (ALL, pod("p"))],
)
def test_check_mode_does_not_wait(options: Options, made: Object) -> None:
    api = FakeApi(node("a"), made)
    run(api, options, wait=True, check=True)
    assert api.clock.now == 1000
    assert "watch" not in {call.verb for call in api.calls}
