# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run that is no more has left on a node is ended; what a live one does is left to it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.podplacement.core.plugins.module_utils.evacuation.interrupted import (
    settle_interrupted,
)
from ansible_collections.podplacement.core.plugins.module_utils.resources import LEASE
from tests.unit.moves.objects import (
    NS,
    controller,
    deployment,
    entry,
    holder,
    lease,
    node,
    pod,
    settings,
)
from tests.unit.moves.world import World

ABOVE = deployment()
OWNER = controller(above=ABOVE)


def world(**more: Any) -> World:
    """A move from a to b that somebody on another host began, and one that concerns neither."""
    mine = [pod(name, owner=OWNER) for name in ("old", "other")]
    elsewhere = lease(entry(from_node="x", node="y", owner_uid="uid-far"), name="podmove-far")
    begun = lease(entry(), holder="another/host/1/2/3", **more)
    return World(node("a"), node("b"), ABOVE, OWNER, *mine, begun, elsewhere)


def test_a_lock_of_another_host_is_waited_for_and_its_move_ended(tmp_path: Path) -> None:
    api = world(seconds=90)  # longer than our own would be
    how = settings(api.clock, holder(tmp_path), seconds=600)
    (item,) = settle_interrupted(api, api, how, "a")
    assert (item["pod"], item["outcome"]) == ("old", "rolled_back")
    assert [found["metadata"]["name"] for found in api.list(LEASE, NS)[0]] == ["podmove-far"]
    assert settle_interrupted(api, api, how, "a") == []


def test_both_ends_of_a_move_concern_a_node_and_no_other(tmp_path: Path) -> None:
    api = world()
    how = settings(api.clock, holder(tmp_path), check=True)
    for name, count in (("a", 1), ("b", 1), ("c", 0)):
        found = settle_interrupted(api, api, how, name)
        assert [item["outcome"] for item in found] == ["interrupted"] * count
    assert api.writes() == []


def test_who_is_at_work_is_left_alone(tmp_path: Path) -> None:
    api = world()
    how = settings(api.clock, holder(tmp_path), seconds=20)
    name = lease(entry())["metadata"]["name"]
    for beat in range(12):
        renewal = {"spec": {"renewTime": f"beat {beat}"}}
        api.later(5, partial(api.change, LEASE, name, NS, renewal))
    before = api.clock.now
    assert settle_interrupted(api, api, how, "a") == []
    assert api.clock.now - before < 40
    tried = {(call.verb, call.resource) for call in api.writes()}
    assert tried == {("create", "leases")}  # to no avail
