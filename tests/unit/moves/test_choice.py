# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner and volumes choose the strategy; what cannot move is refused with a code."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.moves.choice import (
    choose_strategy,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.workloads import Owner
from tests.unit.moves.objects import NS, Object, controller, deployment, pod
from tests.unit.moves.test_refusals import code_of, link


def chosen(
    strategy: str,
    *chain: Owner,
    old: Object | None = None,
    volumes: str = "shared",
    **more: Any,
) -> str:
    order = Order(NS, "old", "b", strategy, **more)
    return choose_strategy(order, old or pod("old"), list(chain), lambda: volumes)


ABOVE = deployment()
OF_DEPLOYMENT = (link(controller(above=ABOVE)), link(ABOVE))
BARE_RS = (link(controller()),)
BARE_RC = (link(controller("ReplicationController")),)


@pytest.mark.parametrize("chain", [OF_DEPLOYMENT, BARE_RS, BARE_RC])
@pytest.mark.parametrize("strategy", ["auto", "adopt"])
def test_a_controllers_pod_is_adopted(chain: tuple[Owner, ...], strategy: str) -> None:
    assert chosen(strategy, *chain) == "adopt"


@pytest.mark.parametrize(
    ("asked", "got"), [("auto", "recreate"), ("recreate", "recreate"), ("surge", "surge")]
)
def test_a_bare_pod_is_recreated_or_surged(asked: str, got: str) -> None:
    assert chosen(asked) == got


@pytest.mark.parametrize("chain", [OF_DEPLOYMENT, BARE_RS, BARE_RC])
@pytest.mark.parametrize("volumes", ["one_node", "one_pod"])
def test_a_pod_with_a_volume_of_its_own_is_replaced(chain: tuple[Owner, ...], volumes: str) -> None:
    assert chosen("auto", *chain, volumes=volumes) == "replace"


def test_a_controller_creates_the_pod_where_admission_asks_who_does() -> None:
    old = pod("old", annotations={"openshift.io/scc": "restricted"})
    assert chosen("auto", *OF_DEPLOYMENT, old=old) == "shadow"


@pytest.mark.parametrize("asked", ["auto", "steer"])
@pytest.mark.parametrize("volumes", ["shared", "one_node", "one_pod"])
def test_a_stateful_pod_is_steered(asked: str, volumes: str) -> None:
    assert chosen(asked, link(controller("StatefulSet")), volumes=volumes) == "steer"


@pytest.mark.parametrize(
    ("asked", "chain"),
    [
        ("adopt", ()),
        ("evict", ()),
        ("steer", ()),
        ("recreate", BARE_RS),
        ("surge", OF_DEPLOYMENT),
        ("steer", BARE_RS),
        ("adopt", (link(controller("StatefulSet")),)),
    ],
)
def test_a_strategy_of_another_family_is_refused(asked: str, chain: tuple[Owner, ...]) -> None:
    assert code_of(chosen, asked, *chain) == "StrategyUnavailable"


@pytest.mark.parametrize(
    ("asked", "chain"), [("adopt", BARE_RS), ("shadow", OF_DEPLOYMENT), ("surge", ())]
)
@pytest.mark.parametrize("volumes", ["one_node", "one_pod"])
def test_two_pods_at_once_cannot_have_one_volume(
    asked: str, chain: tuple[Owner, ...], volumes: str
) -> None:
    assert code_of(lambda: chosen(asked, *chain, volumes=volumes)) == "VolumeSingleNode"


def test_a_bare_pod_keeps_its_volume_when_it_is_stopped_first() -> None:
    assert chosen("auto", volumes="one_pod") == "recreate"


@pytest.mark.parametrize("fallback", ["refuse", "evict"])
def test_a_daemon_sets_pod_never_moves(fallback: str) -> None:
    daemon = link(controller("DaemonSet"))
    code = code_of(lambda: chosen("auto", daemon, fallback=fallback, jobs="evict"))
    assert code == "OwnerUnsupported: DaemonSet"


@pytest.mark.parametrize(
    ("jobs", "code"), [("leave", "OwnerUnsupported: Job"), ("wait", "JobRunning")]
)
def test_a_jobs_pod_is_left_alone(jobs: str, code: str) -> None:
    job = link(controller("Job"))
    assert code_of(lambda: chosen("auto", job, jobs=jobs, fallback="evict")) == code


def test_a_jobs_pod_is_evicted_by_wish() -> None:
    job = link(controller("Job"))
    assert chosen("auto", job, jobs="evict") == chosen("evict", job) == "evict"


@pytest.mark.parametrize("chain", [OF_DEPLOYMENT, BARE_RS, (link(controller("StatefulSet")),)])
def test_any_controllers_pod_is_evicted_by_wish(chain: tuple[Owner, ...]) -> None:
    assert chosen("evict", *chain) == "evict"


def test_unknown_owners_are_evicted_where_the_user_allows_it() -> None:
    alien = Owner("CloneSet", "apps.kruise.io/v1", "x", "u")
    assert chosen("auto", alien, fallback="evict") == "evict"
    assert chosen("auto", BARE_RS[0], alien, fallback="evict") == "evict"


@pytest.mark.parametrize("name", ["CloneSet", "ReplicaSet", "Deployment"])
def test_a_controller_of_another_api_group(name: str) -> None:
    alien = Owner(name, "example.org/v1", "x", "u")
    assert code_of(chosen, "auto", alien) == f"OwnerUnsupported: {name}"


@pytest.mark.parametrize("name", ["Rollout", "Deployment"])
def test_a_replica_set_of_another_operator(name: str) -> None:
    rollout = Owner(name, "argoproj.io/v1alpha1", "x", "u")
    assert code_of(chosen, "auto", BARE_RS[0], rollout) == f"OwnerUnsupported: {name}"


def test_an_owner_that_is_gone() -> None:
    assert code_of(chosen, "auto", link(controller(), gone=True)) == "OwnerGone"


def test_a_deployment_that_is_gone() -> None:
    """Its ReplicaSet is still there, but the garbage collector is on its way."""
    assert code_of(chosen, "auto", OF_DEPLOYMENT[0], link(ABOVE, gone=True)) == "OwnerGone"


def test_a_static_pod_belongs_to_its_node() -> None:
    old = pod("old", annotations={"kubernetes.io/config.mirror": "x"})
    with pytest.raises(PlacementError) as caught:
        chosen("auto", old=old)
    assert caught.value.code == "OwnerUnsupported: Node"
