# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of a plan, in the order of its usefulness, and not one write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    ApiError,
    Forbidden,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.calls import RIGHTS
from ansible_collections.podplacement.core.plugins.module_utils.moves.names import DELETION_COST
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.plan import (
    Plan,
    make_plan,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    DEPLOYMENT,
    POD,
    REPLICA_SET,
)
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import (
    HASH,
    NS,
    Object,
    budget,
    controller,
    deployment,
    holder,
    node,
    pod,
    settings,
)

ABOVE = deployment()
OWNER = controller(above=ABOVE)
OLD = pod("old", owner=OWNER, annotations={DELETION_COST: "7"})


def world(*more: Object, above: Object | None = None, old: Object | None = None) -> FakeApi:
    given = (ABOVE if above is None else above, OWNER, OLD if old is None else old)
    return FakeApi(node("a"), node("b"), *given, pod("other", owner=OWNER), *more)


def bare(*more: Object, **spec: Any) -> FakeApi:
    return FakeApi(node("a"), node("b"), pod("old", **spec), *more)


def plan(api: FakeApi, folder: Path, *, target: str | None = "b", **how: Any) -> Plan:
    order = Order(
        NS,
        "old",
        target,
        how.pop("strategy", "auto"),
        how.pop("placement", "schedule"),
        how.pop("scheduler", None),
    )
    options = settings(api.clock, holder(folder), **how)
    try:
        return make_plan(api, order, options, api.get(POD, "old", NS))
    finally:
        assert api.writes() == []


def refusal(api: FakeApi, folder: Path, **how: Any) -> PlacementError:
    with pytest.raises(PlacementError) as caught:
        plan(api, folder, **how)
    assert caught.value.hint
    return caught.value


def test_the_plan_of_a_deployments_pod(tmp_path: Path) -> None:
    found = plan(world(), tmp_path)
    entry = found.entry
    assert (entry.strategy, entry.deployment, entry.revision) == ("adopt", "web", "1")
    assert (entry.detach_key, entry.detach_value, entry.cost) == (HASH, "5d4f", "7")
    item = found.as_item()
    assert item["owner"] == "ReplicaSet/web-5d4f"
    assert (item["from_node"], item["to_node"], item["pinned"]) == ("a", "b", True)
    assert item["new_pod"].startswith("web-5d4f-m")
    assert not item["loses_availability"]


@pytest.mark.parametrize(
    ("strategy", "name", "loses"), [("auto", "old", True), ("surge", "old-m", False)]
)
def test_the_plan_of_a_bare_pod(strategy: str, name: str, loses: bool, tmp_path: Path) -> None:
    item = plan(bare(), tmp_path, strategy=strategy).as_item()
    assert item["new_pod"].startswith(name)
    assert (item["owner"], item["loses_availability"]) == ("", loses)


@pytest.mark.parametrize("placement", ["prefer", "bind"])
def test_only_schedule_leaves_a_pin(placement: str, tmp_path: Path) -> None:
    found = plan(bare(), tmp_path, placement=placement)
    assert not found.as_item()["pinned"]
    assert found.replacement["spec"].get("nodeName") == ("b" if placement == "bind" else None)


def test_without_a_target_only_the_scheduler_changes(tmp_path: Path) -> None:
    found = plan(bare(), tmp_path, target=None, scheduler="by-hand")
    assert found.replacement["spec"]["schedulerName"] == "by-hand"
    assert "affinity" not in found.replacement["spec"]
    assert found.warnings == []


# ---- refusals that are decided here


@pytest.mark.parametrize("strategy", ["adopt", "shadow", "recreate", "surge"])
def test_each_missing_right_is_named(strategy: str, tmp_path: Path) -> None:
    for verb, kind, subresource in RIGHTS[strategy]:
        api = world() if strategy in ("adopt", "shadow") else bare()
        resource = "/".join(filter(None, (kind.plural, subresource)))
        api.denied.add((verb, resource))
        err = refusal(api, tmp_path, strategy=strategy)
        assert err.code == f"RbacDenied: {resource} {verb}"
        assert f"to {verb} {resource}" in err.message


def test_recreate_without_any_downtime_is_impossible(tmp_path: Path) -> None:
    assert refusal(bare(), tmp_path, max_downtime=0.0).code == "DowntimeNotAllowed"
    plan(bare(), tmp_path, max_downtime=0.0, strategy="surge")
    plan(bare(), tmp_path, max_downtime=1.0)


@pytest.mark.parametrize("field", ["hostname", "subdomain"])
def test_a_pod_that_is_reached_by_name_keeps_it(field: str, tmp_path: Path) -> None:
    api = bare(**{field: "db"})
    assert refusal(api, tmp_path, strategy="surge").code == "NameMatters"
    plan(api, tmp_path)


def test_two_budgets_make_the_eviction_api_fail(tmp_path: Path) -> None:
    err = refusal(world(budget("one"), budget("two", tier="front")), tmp_path)
    assert err.code == "MultiplePdbs"
    assert "one, two" in err.message
    plan(world(budget("one"), budget("two", app="other")), tmp_path)


def test_another_controller_would_take_the_replacement(tmp_path: Path) -> None:
    thief = controller("StatefulSet", "thief", labels={"app": "web"})
    assert refusal(world(thief), tmp_path).code == "SelectorOverlap"


def test_no_key_to_detach_by(tmp_path: Path) -> None:
    owner = controller(labels={"app": "web"})
    api = FakeApi(node("b"), owner, pod("old", owner=owner), budget())
    assert refusal(api, tmp_path, strategy="adopt").code == "NoDetachKey"
    item = plan(api, tmp_path).as_item()
    assert (item["strategy"], item["new_pod"], item["loses_availability"]) == ("shadow", "", False)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (node("b", unschedulable=True), "NodeUnschedulable"),
        (node("b", ready=False), "NodeNotReady"),
        (
            node("b", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]),
            "UntoleratedTaint",
        ),
    ],
)
def test_a_target_that_does_not_fit(target: Object, code: str, tmp_path: Path) -> None:
    api = world(target)
    assert refusal(api, tmp_path).code == code
    (warning,) = plan(api, tmp_path, validate="warn").warnings
    assert "does not fit" in warning
    assert plan(api, tmp_path, validate="none").warnings == []
    assert refusal(api, tmp_path, placement="bind").code == code


@pytest.mark.parametrize("validate", ["strict", "warn", "none"])
def test_a_target_that_is_not_there_is_refused_in_any_case(validate: str, tmp_path: Path) -> None:
    assert refusal(world(), tmp_path, target="z", validate=validate).code == "NodeNotFound"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Forbidden(403, "Forbidden", "exceeded quota: pods"), "QuotaExceeded"),
        (Forbidden(403, "Forbidden", "admission webhook denied the request"), "AdmissionDenied"),
        (ApiError(500, "InternalError", "broken"), "ApiError"),
    ],
)
def test_the_server_is_asked_for_show(error: ApiError, code: str, tmp_path: Path) -> None:
    api = world()
    api.before("create", "pods", error)
    err = refusal(api, tmp_path)
    assert (err.code, err.step) == (code, "dry run")
    assert err.object.startswith(f"Pod {NS}/")


def test_a_template_that_makes_another_pod(tmp_path: Path) -> None:
    old = pod("old", owner=OWNER)
    old["spec"]["containers"].append({"name": "mesh", "image": "mesh:1"})
    err = refusal(world(old=old), tmp_path)
    assert err.code == "ReplacementDiffers"
    assert "container mesh is missing" in err.message
    plan(world(old=old), tmp_path, accept_differences=True)


# ---- rollouts


def finish(api: FakeApi) -> None:
    api.put(deployment())


@pytest.mark.parametrize(
    "state",
    [{"observedGeneration": 0}, {"updatedReplicas": 1}, {"replicas": 3}],
)
def test_a_rollout_is_waited_for(state: dict[str, int], tmp_path: Path) -> None:
    above = deployment()
    above["status"] |= state
    api = world(above=above)
    api.later(20.0, lambda: finish(api))
    began = api.clock.now
    plan(api, tmp_path)
    assert api.clock.now - began == pytest.approx(20)


def test_a_rollout_that_does_not_end_in_time(tmp_path: Path) -> None:
    api = world(above=deployment(updatedReplicas=1))
    began = api.clock.now
    assert refusal(api, tmp_path, seconds=12).code == "RolloutInProgress"
    assert api.clock.now - began == pytest.approx(12, abs=0.1)
    assert refusal(api, tmp_path, check=True).code == "RolloutInProgress"


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (lambda api: api.remove(POD, "old", NS), "PodGone"),
        (lambda api: api.put({**OLD, "metadata": {**OLD["metadata"], "uid": "u2"}}), "PodGone"),
        (lambda api: api.put(pod("old", owner=OWNER, terminating=True)), "PodTerminating"),
    ],
)
def test_a_rollout_that_takes_the_pod_with_it(happens: Any, code: str, tmp_path: Path) -> None:
    api = world(above=deployment(updatedReplicas=1))

    def rolled_out() -> None:
        finish(api)
        happens(api)

    api.later(5.0, rolled_out)
    assert refusal(api, tmp_path).code == code


def test_a_deployment_that_goes_while_its_rollout_is_waited_for(tmp_path: Path) -> None:
    api = world(above=deployment(updatedReplicas=1))
    api.later(5.0, lambda: api.remove(DEPLOYMENT, "web", NS))
    assert refusal(api, tmp_path).code == "OwnerGone"


def test_a_paused_deployment_is_not_rolling(tmp_path: Path) -> None:
    above = deployment(updatedReplicas=1)
    above["spec"]["paused"] = True
    plan(world(above=above), tmp_path)


def test_an_owner_that_is_gone_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    api = world()
    api.remove(REPLICA_SET, "web-5d4f", NS)
    assert refusal(api, tmp_path).code == "OwnerGone"
