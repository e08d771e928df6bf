# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The label whose absence hides a replacement from its controller, and from nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.moves.detach import (
    choose_key,
    refuse_other_claimer,
)
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import (
    HASH,
    NS,
    Object,
    budget,
    controller,
    deployment,
    service,
)

LABELS = {"app": "web", "tier": "front"}


def policy(**spec: Any) -> Object:
    return {"kind": "NetworkPolicy", "metadata": {"name": "n", "namespace": NS}, "spec": spec}


def peer(direction: str, side: str, **peer_: Any) -> Object:
    return policy(podSelector={}, **{direction: [{side: [peer_]}]})


def on(key: str) -> Object:
    return {"matchLabels": {key: LABELS[key]}}


def choice(*others: Object, kind: str = "ReplicaSet", **owner: Any) -> tuple[str, str]:
    return choose_key(FakeApi(*others), kind, controller(kind, **owner))


def test_of_a_deployment_it_is_always_the_hash() -> None:
    """Not a single request is needed for that."""
    api = FakeApi(service(**{HASH: "5d4f"}))
    assert choose_key(api, "ReplicaSet", controller(above=deployment())) == (HASH, "5d4f")
    assert api.calls == []


def test_a_hash_that_is_only_a_label_does_not_count() -> None:
    owner = controller(labels={"app": "web"})
    owner["metadata"]["labels"] = {HASH: "5d4f"}
    assert choose_key(FakeApi(), "ReplicaSet", owner) == ("app", "web")


@pytest.mark.parametrize("kind", ["ReplicaSet", "ReplicationController"])
def test_of_a_bare_controller_it_is_the_first_key_that_nobody_else_selects_on(kind: str) -> None:
    assert choice(kind=kind) == ("app", "web")
    assert choice(service(app="web"), kind=kind) == ("tier", "front")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(service(app="web"), id="Service"),
        pytest.param(budget(app="web"), id="PodDisruptionBudget"),
        pytest.param(policy(podSelector=on("app")), id="NetworkPolicy of these pods"),
        pytest.param(peer("ingress", "from", podSelector=on("app")), id="ingress from them"),
        pytest.param(peer("egress", "to", podSelector=on("app")), id="egress to them"),
        pytest.param(
            policy(podSelector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
            id="expression",
        ),
    ],
)
def test_a_key_that_anyone_selects_on_is_not_taken(other: Object) -> None:
    assert choice(other) == ("tier", "front")
    with pytest.raises(PlacementError) as caught:
        choice(other, service("second", tier="front"))
    assert caught.value.code == "NoDetachKey"
    assert caught.value.object == f"ReplicaSet {NS}/web-5d4f"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(service(app="other"), id="selects other pods"),
        pytest.param({**service(), "spec": {}}, id="Service without selector"),
        pytest.param({**service(), "spec": {"selector": None}}, id="selector null"),
        pytest.param({**budget(), "spec": {"selector": {}}}, id="budget of all pods"),
        pytest.param({**budget(), "spec": {}}, id="budget of none"),
        pytest.param({"kind": "NetworkPolicy", "metadata": {"name": "n", "namespace": NS}}, id="x"),
        pytest.param(policy(podSelector={}), id="policy for all pods"),
        pytest.param(peer("ingress", "from", ipBlock={"cidr": "10.0.0.0/8"}), id="no pods"),
        pytest.param(policy(podSelector={}, ingress=[{}], egress=None), id="rule for everybody"),
        pytest.param(service(app="web") | {"metadata": {"name": "s", "namespace": "x"}}, id="far"),
    ],
)
def test_who_selects_with_and_without_it_does_not_matter(other: Object) -> None:
    assert choice(other) == ("app", "web")


def test_one_who_selects_only_pods_without_it_matters() -> None:
    absent = {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}
    assert choice(policy(podSelector=absent)) == ("tier", "front")


def test_a_requirement_that_holds_without_the_label_detaches_nothing() -> None:
    selector = {
        "matchExpressions": [
            {"key": "app", "operator": "NotIn", "values": ["x"]},
            {"key": "tier", "operator": "In", "values": ["front", "back"]},
        ]
    }
    assert choice(selector=selector) == ("tier", "front")
    with pytest.raises(PlacementError):
        choice(service(tier="front"), selector=selector)


# ---- a third party


@pytest.mark.parametrize(
    "kind", ["ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job"]
)
def test_another_controller_of_the_same_pods_is_refused(kind: str) -> None:
    api = FakeApi(controller(), controller(kind, "thief", labels={"app": "web"}))
    with pytest.raises(PlacementError) as caught:
        refuse_other_claimer(api, NS, "uid-web-5d4f", {"app": "web"})
    assert caught.value.code == "SelectorOverlap"
    assert caught.value.object == f"{kind} {NS}/thief"


def test_the_owner_itself_the_unconcerned_and_the_unnamed_are_no_thieves() -> None:
    api = FakeApi(
        controller(labels={"app": "web"}),
        controller(name="older", labels={"app": "web", HASH: "0000"}),
        controller("Job", "empty", selector={}),
        controller("DaemonSet", "none", selector=None),
    )
    refuse_other_claimer(api, NS, "uid-web-5d4f", {"app": "web"})
