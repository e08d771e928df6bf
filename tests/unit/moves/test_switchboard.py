# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An event wakes the crew that it concerns, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podplacement.core.plugins.module_utils.moves.names import (
    MOVE_ID,
    MOVED_FROM_UID,
)
from ansible_collections.podplacement.core.plugins.module_utils.moves.plan import Plan
from ansible_collections.podplacement.core.plugins.module_utils.moves.switchboard import Switchboard
from ansible_collections.podplacement.core.plugins.module_utils.resources import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    PDB,
    POD,
    REPLICA_SET,
    Kind,
)
from tests.unit.moves.objects import NS, Object, budget, controller, endpoints, entry, pod

WEB = controller()
OLD = pod("old", owner=WEB)
MOVE = entry()
Heard = list[tuple[str, str]]


@pytest.fixture
def heard() -> Heard:
    return []


@pytest.fixture
def board(heard: Heard) -> Switchboard:
    other = pod("bare", labels={"app": "db"})
    bare = entry("recreate", id="other", pod="bare", pod_uid="uid-bare")
    plans = [Plan(MOVE, OLD, WEB, {}), Plan(bare, other, None, {})]
    return Switchboard(plans, lambda workload, about: heard.append((workload, about)))


def replacement(**more: Any) -> Object:
    return pod("new", on="b", labels={MOVED_FROM_UID: "uid-old", "app": "web"}, **more)


def temporary(move_id: str) -> Object:
    return {"metadata": {"name": "tmp", "namespace": NS, "labels": {MOVE_ID: move_id}}}


@pytest.mark.parametrize(
    ("kind", "obj", "woken"),
    [
        (POD, replacement(), [("uid-web-5d4f", "uid-old")]),
        (POD, pod("sibling", owner=WEB), [("uid-web-5d4f", "")]),
        (POD, pod("bare"), [("uid-bare", "uid-bare")]),
        (POD, pod("stranger"), []),
        (REPLICA_SET, temporary(MOVE.id), [("uid-web-5d4f", "uid-old")]),
        (REPLICA_SET, temporary("another"), []),
        (ENDPOINT_SLICE, endpoints("web", old=True, stranger=True), [("uid-web-5d4f", "")]),
        (ENDPOINT_SLICE, endpoints("web", stranger=True), []),
        (PDB, budget(app="web") | {"metadata": {"uid": "b"}}, [("uid-web-5d4f", "")]),
        (PDB, budget(app="cache") | {"metadata": {"uid": "c"}}, []),
        (DEPLOYMENT, {"metadata": {"uid": "uid-web-5d4f"}}, []),
    ],
)
def test_who_is_woken(
    board: Switchboard, heard: Heard, kind: Kind, obj: Object, woken: list[tuple[str, str]]
) -> None:
    board.hear(kind, NS, obj)
    assert heard == woken


def test_an_old_pod_wakes_its_move_and_its_siblings(board: Switchboard, heard: Heard) -> None:
    board.hear(POD, NS, OLD)
    assert heard == [("uid-web-5d4f", "uid-old"), ("uid-web-5d4f", "")]


def test_a_replacement_in_an_endpoint_slice_is_known_once_it_was_seen(
    board: Switchboard, heard: Heard
) -> None:
    board.hear(POD, NS, replacement())
    board.hear(ENDPOINT_SLICE, NS, endpoints("web", new=True))
    assert heard == [("uid-web-5d4f", "uid-old"), ("uid-web-5d4f", "")]
