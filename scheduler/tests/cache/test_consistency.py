# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delay is not a fault; a belief that stays wrong is counted and repaired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from podplacement_scheduler.api.client import Page
from podplacement_scheduler.api.kinds import NODES, PODS
from podplacement_scheduler.cache.consistency import Consistency
from podplacement_scheduler.cache.reflector import Reflector
from podplacement_scheduler.errors import Unreached
from podplacement_scheduler.testing.loop import run

State = dict[str, str]


class World:
    """A server's state, and what is believed of it; `between` happens from list to list."""

    def __init__(self, actual: State, believed: State) -> None:
        self.actual = actual
        self.believed = believed
        self.between: Callable[[], None] = lambda: None
        self.lists = 0
        self.refreshed = 0
        self.counted: list[tuple[str, int]] = []
        self.down = False
        self.synced = asyncio.Event()
        self.synced.set()

    def reflector(self) -> Reflector:
        return cast(
            Reflector,
            SimpleNamespace(
                client=self,
                kind=PODS,
                namespace=None,
                field_selector="a!=b",
                synced=self.synced,
                refresh=self.refresh,
            ),
        )

    async def pages(self, kind: Any, *, namespace: Any, field_selector: str) -> AsyncIterator[Page]:
        assert (kind, namespace, field_selector) == (PODS, None, "a!=b")
        if self.down:
            raise Unreached("GET pods: refused")
        if self.lists:
            self.between()
        self.lists += 1
        for uid, version in self.actual.items():
            meta = {"metadata": {"uid": uid, "resourceVersion": version}}
            yield Page([msgspec.json.encode(meta)], "9")

    def fingerprint(self, kind: Any) -> State:
        return self.believed if kind == PODS else {}

    async def refresh(self) -> None:
        self.refreshed += 1
        self.believed = dict(self.actual)

    def inconsistency(self, kind: str, n: int = 1) -> None:
        self.counted.append((kind, n))

    def consistency(self, interval: float = 300.0) -> Consistency:
        return Consistency(self, [self.reflector()], interval=interval, rng=Random(1), metrics=self)


def check(world: World) -> int:
    return run(world.consistency().check())


def test_what_agrees_is_listed_once() -> None:
    world = World({"a": "1", "b": "2"}, {"a": "1", "b": "2"})
    assert check(world) == 0
    assert (world.lists, world.refreshed) == (1, 0)


@pytest.mark.parametrize(
    "believed",
    [{"a": "1"}, {"a": "1", "b": "1"}, {"a": "1", "b": "2", "ghost": "3"}],
    ids=["missing", "old", "gone"],
)
def test_what_stays_wrong_is_counted_and_repaired(believed: State) -> None:
    world = World({"a": "1", "b": "2"}, believed)
    assert check(world) == 1
    assert world.counted == [("pods", 1)]
    assert world.believed == world.actual
    assert check(world) == 0


def test_a_belief_that_stays_while_the_server_goes_on_is_wrong() -> None:
    world = World({"a": "5"}, {"a": "1"})
    world.between = lambda: world.actual.update(a="6")
    assert check(world) == 1


def test_delay_is_not_a_fault() -> None:
    world = World({"a": "5", "new": "4"}, {"a": "4", "ghost": "3"})

    def catch_up() -> None:
        world.believed = {"a": "5", "new": "4"}
        world.actual = {"a": "6", "new": "4"}  # and it has gone on meanwhile

    world.between = catch_up
    assert check(world) == 0
    assert (world.lists, world.refreshed, world.counted) == (2, 0, [])


def test_a_server_that_is_down_is_no_fault_either() -> None:
    world = World({"a": "5"}, {})
    world.down = True
    assert check(world) == 0


def test_what_is_not_synced_is_not_checked() -> None:
    world = World({"a": "5"}, {})
    world.synced.clear()
    assert check(world) == 0
    assert world.lists == 0


def test_it_checks_every_interval() -> None:
    world = World({"a": "1"}, {"a": "1"})

    async def main() -> None:
        work = asyncio.create_task(world.consistency(100.0).run())
        await asyncio.sleep(1050.0)
        work.cancel()

    run(main())
    assert 8 <= world.lists <= 12


def test_an_interval_of_zero_is_never() -> None:
    world = World({"a": "1"}, {})
    run(world.consistency(0.0).run())
    assert world.lists == 0
    assert world.reflector().kind != NODES
