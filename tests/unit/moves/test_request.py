# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's parameters to orders and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.errors import PlacementError
from ansible_collections.podplacement.core.plugins.module_utils.moves import request
from ansible_collections.podplacement.core.plugins.module_utils.moves.order import Order
from ansible_collections.podplacement.core.plugins.module_utils.moves.request import (
    orders_from,
    own_pod,
    pod_move,
    settings_from,
)
from tests.unit.fake_api import VirtualClock
from tests.unit.moves.objects import NS, controller, deployment, node, pod
from tests.unit.moves.world import World

Params = dict[str, Any]
BASE: Params = {"state": "present", "strategy": "auto", "placement": "schedule"}
P: Params = {**BASE, "namespace": NS, "name": "p", "node": "b"}


def bad(call: Any, *args: Any, **how: Any) -> str:
    with pytest.raises(PlacementError) as caught:
        call(*args, **how)
    assert (caught.value.code, caught.value.step) == ("BadRequest", "options")
    assert caught.value.hint
    return caught.value.message


def test_one_order_or_many() -> None:
    assert orders_from(P) == [Order(NS, "p", "b", "auto", "schedule")]
    moves = [{"name": "p", "node": "b"}, {"namespace": "other", "name": "p", "node": "c"}]
    assert orders_from({**BASE, "namespace": NS, "moves": moves}) == [
        Order(NS, "p", "b"),
        Order("other", "p", "c"),
    ]
    assert orders_from({**BASE, "moves": []}) == []


@pytest.mark.parametrize("missing", ["namespace", "name", "node"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_move_needs_namespace_name_and_node(missing: str, value: str | None) -> None:
    assert "needs" in bad(orders_from, {**P, missing: value})


def test_a_pod_is_named_once() -> None:
    move = {"name": "p", "node": "b"}
    params = {**BASE, "namespace": NS, "moves": [move, {**move, "node": "c"}]}
    assert f"{NS}/p is named twice" in bad(orders_from, params)


@pytest.mark.parametrize(
    "params",
    [
        {"soak": -1.0},
        {"max_downtime": -0.1},
        {"wait_timeout": -1},
        {"terminate_grace_period": -1},
        {"forks": -1},
        {"lock_duration": 0.5},
        {"lock_duration": 0},
    ],
)
def test_times_that_cannot_be_meant(params: Params) -> None:
    bad(settings_from, params, VirtualClock(), check=False)


def test_what_the_module_does_not_have_keeps_its_default() -> None:
    clock = VirtualClock()
    plain = settings_from({"soak": None}, clock, check=True)
    assert (plain.soak, plain.lock_duration, plain.wait, plain.check) == (0.0, 30.0, True, True)
    assert plain.deadline.seconds == 0
    zero = {"terminate_grace_period": 0, "max_downtime": 0.0, "soak": 0.0, "wait": False}
    told = settings_from({**zero, "wait_timeout": 7, "force": True}, clock, check=False)
    assert (told.terminate_grace_period, told.max_downtime, told.wait) == (0, 0.0, False)
    assert (told.deadline.seconds, told.force) == (7.0, True)


@pytest.mark.parametrize(
    "extra",
    [
        {"name": "p"},
        {"moves": [{"name": "p"}]},
        {"controller": {"kind": "Deployment", "name": "web"}},
    ],
)
def test_a_recovery_names_no_pods(extra: Params) -> None:
    api = World()
    bad(pod_move, {**BASE, "state": "recovered", **extra}, api, api.clock, False)


def test_the_module_moves_and_recovers() -> None:
    api = World(node("a"), node("b"), pod("p"))
    done = pod_move({**P, "wait_timeout": 60}, api, api.clock, False)
    assert done["changed"]
    assert pod_move({**P, "wait_timeout": 60}, api, api.clock, False)["changed"] is False
    recovered = {"state": "recovered", "namespace": NS, "name": None, "moves": None}
    assert pod_move(recovered, api, api.clock, False)["changed"] is False


@pytest.mark.parametrize(
    "missing", [{"namespace": None}, {"node": None}, {"count": None}, {"count": -1}]
)
def test_a_controller_needs_namespace_node_and_count(missing: Params) -> None:
    api = World()
    wish = {"controller": {"kind": "Deployment", "name": "web"}, "count": 1}
    bad(pod_move, {**BASE, "namespace": NS, "node": "b", **wish, **missing}, api, api.clock, False)


def test_a_controller_has_its_pods_where_it_should() -> None:
    above = deployment()
    owner = controller(above=above)
    pods = [pod(name, owner=owner) for name in ("one", "two")]
    api = World(node("a"), node("b"), above, owner, *pods)
    wish = {"controller": {"kind": "Deployment", "name": "web"}, "count": 1, "node": "b"}
    params = {**BASE, "namespace": NS, **wish, "wait_timeout": 60}
    foretold = pod_move(params, api, api.clock, True)
    assert api.writes() == []
    done = pod_move(params, api, api.clock, False)
    assert (done["changed"], done["diff"]) == (True, foretold["diff"])
    assert [m["to_node"] for m in done["moved"]] == ["b"]
    assert pod_move(params, api, api.clock, False)["changed"] is False


def test_the_pod_that_we_run_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert own_pod() is None
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setattr(request, "_NAMESPACE_FILE", str(tmp_path / "namespace"))
    assert own_pod() is None
    (tmp_path / "namespace").write_text("awx\n", encoding="utf-8")
    monkeypatch.setenv("HOSTNAME", "job-1")
    assert own_pod() == ("awx", "job-1")
    monkeypatch.delenv("HOSTNAME")
    found = own_pod()
    assert found is not None
    assert found[1]
