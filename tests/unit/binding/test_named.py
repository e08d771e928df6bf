# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One named pod, also when the world moves between reading and writing."""

from __future__ import annotations

from functools import partial

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    ApiError,
    Forbidden,
    Invalid,
    Unreachable,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import POD
from tests.unit.binding.harness import (
    FORBIDDEN,
    NO_ANSWER,
    ONE,
    Options,
    bind_from_outside,
    node_of,
    refusal,
    run,
)
from tests.unit.binding.objects import Object, claim, mounts, node, pod, volume
from tests.unit.fake_api import FakeApi


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
