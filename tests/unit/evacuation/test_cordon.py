# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cordon tells whose it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.clock import Deadline
from ansible_collections.podplacement.core.plugins.module_utils.errors import (
    Conflict,
    OutcomeUnknown,
    PlacementError,
)
from ansible_collections.podplacement.core.plugins.module_utils.evacuation.cordon import (
    CORDON,
    await_ready,
    cordon,
    is_cordoned,
    is_ours,
    uncordon,
    uncordoned,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import NODE
from tests.unit.fake_api import FakeApi
from tests.unit.moves.objects import node


def test_a_cordon_is_written_with_its_mark_and_taken_back_with_it() -> None:
    api = FakeApi(node("a"))
    found, did = cordon(api, "a", api.clock)
    assert (did, is_cordoned(found), is_ours(found)) == (True, True, True)
    assert json.loads(found["metadata"]["annotations"][CORDON])["was_unschedulable"] is False
    assert len(api.writes()) == 1
    assert cordon(api, "a", api.clock)[1] is False
    assert uncordon(api, "a") is True
    assert uncordon(api, "a") is False
    now = api.get(NODE, "a")
    assert (is_cordoned(now), is_ours(now), len(api.writes())) == (False, False, 2)


def test_somebody_else_s_cordon_stays() -> None:
    api = FakeApi(node("a", unschedulable=True))
    found, did = cordon(api, "a", api.clock)
    assert (did, is_ours(found), uncordon(api, "a"), api.writes()) == (False, False, False, [])
    assert uncordoned(found) is found


@pytest.mark.parametrize("error", [Conflict(409, "x", "x"), OutcomeUnknown(0, "x", "x")])
def test_a_write_that_lost_a_race_is_looked_at_again(error: Exception) -> None:
    api = FakeApi(node("a"))
    for _turn in range(2):
        api.before("patch", "nodes", error)
        assert cordon(api, "a", api.clock)[1] is True
        api.before("patch", "nodes", error)
        assert uncordon(api, "a") is True


def test_a_node_for_show_is_as_it_will_be() -> None:
    api = FakeApi(node("a", taints=[{"key": "node.kubernetes.io/unschedulable"}, {"key": "k"}]))
    found = uncordoned(cordon(api, "a", api.clock)[0])
    assert not is_cordoned(found)
    assert found["spec"]["taints"] == [{"key": "k"}]


def ready(**spec: Any) -> dict[str, Any]:
    return node("a", **spec)


def test_a_node_that_comes_back_is_waited_for() -> None:
    api = FakeApi(node("a", ready=False))
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    api.later(3, lambda: api.put(ready(taints=[taint])))
    api.later(3, lambda: api.put(ready()))
    assert await_ready(api, "a", Deadline(api.clock, 60))["spec"] == {}
    assert api.clock.now == 1006.0


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (node("a", ready=False), "NodeNotReady"),
        (ready(taints=[{"key": "node.kubernetes.io/unreachable"}]), "NodeNotReady"),
        (ready(unschedulable=True), "NodeUnschedulable"),
        (node("b"), "NodeNotFound"),
    ],
)
def test_a_node_that_does_not_come_back_is_said(found: dict[str, Any], code: str) -> None:
    api = FakeApi(found)
    with pytest.raises(PlacementError) as caught:
        await_ready(api, "a", Deadline(api.clock, 10))
    assert (caught.value.code, bool(caught.value.hint)) == (code, True)
