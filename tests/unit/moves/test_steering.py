# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way a pod is steered, what that puts in place, and how a recovery finds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Forbidden,
    NotFound,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.journal import Entry
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.recovery import recover
from ansible_collections.podplacement.core.plugins.module_utils.moves.steering import (
    HOSTNAME,
    STEER,
    prepare_steer,
    steered_pod,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.toolbox import (
    left_policies,
    tool_kinds,
    tools,
)
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import NS, Object, held_lock, holder, node, settings
from tests.unit.moves.steer_stage import NEW, OLD, SET, member, revision, stateful_set, steered

PODS = [member(f"db-{n}") for n in range(3)]
ORDER = Order(NS, "db-1", "b")


def installed(**matching: str) -> Object:
    """The binding that role placement_policies makes."""
    selector = {"namespaceSelector": {"matchLabels": matching}} if matching else {}
    return {
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": "podplacement-steering", "labels": {STEER: "true"}},
        "spec": {"matchResources": selector},
    }


def namespace(**labels: str) -> Object:
    return {"kind": "Namespace", "metadata": {"name": NS, "labels": labels}}


def api(*more: Object, owner: Object | None = None) -> FakeApi:
    target = node("b")
    target["metadata"]["labels"] = {HOSTNAME: "host-b"}
    return FakeApi(node("a"), target, owner or SET, *PODS, *more)


def prepare(
    found: FakeApi, folder: Path, order: Order = ORDER, owner: Object | None = None, **how: Any
) -> Entry:
    entry = replace(steered(""), node=order.node or "", placement=order.placement)
    options = settings(found.clock, holder(folder), **how)
    return prepare_steer(found, order, options, entry, PODS[1], owner or SET)


def refusal(*args: Any, **how: Any) -> PlacementError:
    with pytest.raises(PlacementError) as caught:
        prepare(*args, **how)
    return caught.value


@pytest.mark.parametrize(
    ("present", "denied", "wanted", "way"),
    [
        ([installed()], set(), "auto", "static"),
        ([installed(team="a"), namespace(team="a")], set(), "auto", "static"),
        ([installed(team="a"), namespace(team="b")], set(), "auto", "block"),
        ([], set(), "auto", "block"),
        ([installed()], {("create", "configmaps")}, "auto", "block"),
        ([installed()], {("create", "validatingadmissionpolicies")}, "auto", "static"),
        ([installed()], set(), "block", "block"),
        ([], set(), "policy", "policy"),
        ([], {("create", "validatingadmissionpolicies")}, "hold", "hold"),
    ],
)
def test_the_first_way_that_is_possible_is_taken(
    tmp_path: Path, present: list[Object], denied: set[tuple[str, str]], wanted: str, way: str
) -> None:
    found = api(*present)
    found.denied = denied
    assert prepare(found, tmp_path, steer=wanted).way == way


def test_policy_and_hold_are_never_chosen_unasked(tmp_path: Path) -> None:
    found = api()
    found.denied = {("create", "validatingadmissionpolicies")}
    problem = refusal(found, tmp_path)
    assert problem.code == "SteerUnavailable"
    assert "not installed for namespace shop" in problem.message
    assert "no right to create validatingadmissionpolicies" in problem.message
    assert "placement_policies" in problem.hint


def test_an_older_cluster_says_so(tmp_path: Path) -> None:
    found = api()
    found.before("list", "mutatingadmissionpolicybindings", NotFound(404, "NotFound", "no API"))
    assert "serves no MutatingAdmissionPolicy" in refusal(found, tmp_path, steer="policy").message


def test_a_namespace_that_cannot_be_read_is_left_to_the_probe(tmp_path: Path) -> None:
    found = api(installed(team="a"))
    found.before("get", "namespaces", Forbidden(403, "Forbidden", "no"))
    assert prepare(found, tmp_path).way == "static"


def test_a_mere_wish_cannot_be_pinned(tmp_path: Path) -> None:
    order = replace(ORDER, placement="prefer")
    assert prepare(api(installed()), tmp_path, order).way == "block"


def test_a_node_without_a_host_name_cannot_be_pinned_to(tmp_path: Path) -> None:
    found = api(installed(), node("b"))
    assert "has no label" in refusal(found, tmp_path, steer="static").message


def test_any_node_needs_no_way(tmp_path: Path) -> None:
    assert prepare(api(), tmp_path, replace(ORDER, node=None, away=True)).way == "plain"


def test_a_scheduler_name_is_the_sets_own(tmp_path: Path) -> None:
    problem = refusal(api(), tmp_path, replace(ORDER, scheduler_name="other"))
    assert problem.code == "StrategyUnavailable"


def test_another_revision_is_refused_or_taken_knowingly(tmp_path: Path) -> None:
    owner = stateful_set(
        updateStrategy={"type": "OnDelete"}, status={"currentRevision": NEW, "updateRevision": OLD}
    )
    found = api(owner=owner)
    assert refusal(found, tmp_path, owner=owner).code == "RolloutInProgress"
    taken = prepare(found, tmp_path, owner=owner, accept_differences=True)
    assert taken.revision == OLD


def test_the_plan_shows_the_pod_of_its_own_revision() -> None:
    newer = stateful_set(status={"updateRevision": "db-newer"})
    newer["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2"
    images = [
        steered_pod(steered(revision=wanted), PODS[1], newer)["spec"]["containers"][0]["image"]
        for wanted in ("db-newer", NEW)
    ]
    assert images == ["app:2", PODS[1]["spec"]["containers"][0]["image"]]


def test_policies_are_for_one_pod_of_one_namespace(tmp_path: Path) -> None:
    found = api()
    for way in ("block", "policy"):
        move = steered(way)
        lock = held_lock(found, holder(tmp_path), move)
        (kind, policy), (bound, binding) = tools(move, lock, "host-b", "2026-01-01T00:00:00Z")
        here = {"matchLabels": {"kubernetes.io/metadata.name": NS}}
        assert policy["spec"]["matchConstraints"]["namespaceSelector"] == here
        assert binding["spec"]["matchResources"]["namespaceSelector"] == here
        assert policy["spec"]["failurePolicy"] == "Ignore"
        assert "'db-1'" in policy["spec"]["matchConditions"][0]["expression"]
        assert binding["spec"]["policyName"] == policy["metadata"]["name"], (kind, bound)
        lock.release()


@pytest.mark.parametrize("where", [NS, None])
@pytest.mark.parametrize("way", ["static", "block", "policy"])
def test_what_was_put_in_place_is_recovered_without_a_lease(
    tmp_path: Path, way: str, where: str | None
) -> None:
    found = api(revision())
    move = steered(way)
    lock = held_lock(found, holder(tmp_path), move)
    for tool in tools(move, lock, "host-b", "2026-01-01T00:00:00Z"):
        found.put(tool[1])
    lock.release()
    options = settings(found.clock, holder(tmp_path))
    assert recover(found, options, "elsewhere") == []
    (item,) = recover(found, options, where)
    assert (item["pod"], item["outcome"]) == ("db-1", "rolled_back")
    assert [o for kind in tool_kinds(way) for o in found.list(kind)[0]] == []


def test_whoever_may_not_see_policies_recovers_without(tmp_path: Path) -> None:
    found = api()
    found.before(
        "list", "validatingadmissionpolicies", Forbidden(403, "Forbidden", "no", request="x")
    )
    assert left_policies(found, None) == []
    assert recover(found, settings(found.clock, holder(tmp_path)), None) == []
