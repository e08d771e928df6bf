# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of a class is asked again when something has changed that it depends on."""

from __future__ import annotations

from typing import Any

import pytest

from podplacement_scheduler.plugins.node import NodeAffinity

from ..cache.objects import node, pod
from ..cache.test_state_property import APP, KEEPS_AWAY
from .seat import Seat

IMAGE = {"registry.example/app:1": 500 << 20}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pods that NodeAffinity was asked about."""
    pods: list[str] = []
    real = NodeAffinity.pre_filter

    def pre_filter(self: NodeAffinity, state: Any, one: Any) -> Any:
        pods.append(one.name)
        return real(self, state, one)

    monkeypatch.setattr(NodeAffinity, "pre_filter", pre_filter)
    return pods


def test_a_class_is_asked_about_once(asked: list[str]) -> None:
    seat = Seat(node("node-1"))
    for uid in ("a", "b", "c"):
        assert seat.chosen(uid=uid) == "node-1"
    seat.chosen(uid="d", labels=APP)
    assert asked == ["a", "d"]


def test_what_pods_take_is_no_reason_to_ask_again(asked: list[str]) -> None:
    seat = Seat(node("node-1"))
    seat.chosen(uid="a")
    seat.pods("ADDED", pod("there", node="node-1"))
    seat.chosen(uid="b")
    assert asked == ["a"]


def test_a_pod_that_keeps_others_away_is_noticed_when_it_comes_and_when_it_goes() -> None:
    seat = Seat(node("node-1"), node("node-2"))
    assert {seat.chosen(labels=APP) for dummy in range(40)} == {"node-1", "node-2"}
    jealous = pod("jealous", node="node-1", affinity=KEEPS_AWAY, cpu="0", memory="0")
    seat.pods("ADDED", jealous)
    assert {seat.chosen(labels=APP) for dummy in range(20)} == {"node-2"}
    seat.pods("DELETED", jealous)
    assert {seat.chosen(labels=APP) for dummy in range(40)} == {"node-1", "node-2"}


def test_an_image_that_was_pulled_is_noticed() -> None:
    seat = Seat(*[node(f"node-{i}") for i in range(3)])
    assert len({seat.chosen() for dummy in range(60)}) == 3
    seat.nodes("MODIFIED", node("node-1", version=2, images=IMAGE))
    assert {seat.chosen() for dummy in range(20)} == {"node-1"}


def test_who_uses_a_claim_is_asked_for_each_pod(asked: list[str]) -> None:
    seat = Seat(node("node-1"))
    mounts = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    for uid in ("a", "b"):
        seat.refused(uid=uid, volumes=mounts)
    assert asked == ["a", "b"]
