# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key is worked on by one worker at a time, and never forgotten."""

from __future__ import annotations

import threading

from ansible_collections.podplacement.core.plugins.module_utils.moves.workqueue import WorkQueue
from tests.unit.fake_api import VirtualClock


def queue() -> tuple[WorkQueue, VirtualClock]:
    clock = VirtualClock()
    return WorkQueue(clock, lambda seconds: clock.sleep(seconds or 0.0)), clock


def test_what_is_added_twice_is_given_out_once() -> None:
    found, _clock = queue()
    for key in ("a", "b", "a"):
        found.add(key)
    assert [found.take(), found.take()] == ["a", "b"]
    found.add_after("c", 1.0)
    assert found.take() == "c"


def test_what_is_added_while_it_is_worked_on_is_given_out_afterwards() -> None:
    found, _clock = queue()
    found.add("a")
    assert found.take() == "a"
    found.add("a")
    found.add("b")
    assert found.take() == "b"
    found.done("a")
    assert found.take() == "a"
    found.done("a")
    found.add_after("z", 5.0)
    assert found.take() == "z"


def test_the_shortest_time_counts_and_an_earlier_turn_ends_it() -> None:
    found, clock = queue()
    found.add_after("a", 9.0)
    found.add_after("a", 3.0)
    found.add_after("a", 6.0)
    began = clock.now
    assert found.take() == "a"
    assert clock.now - began == 3.0
    found.done("a")
    found.add_after("a", 4.0)
    found.add("a")
    assert (found.take(), clock.now - began) == ("a", 3.0)
    found.done("a")
    found.add_after("b", 20.0)
    assert (found.take(), clock.now - began) == ("b", 23.0)


def test_closing_lets_every_worker_go() -> None:
    found = WorkQueue(VirtualClock())
    left: list[object] = []
    workers = [threading.Thread(target=lambda: left.append(found.take())) for _n in range(3)]
    for worker in workers:
        worker.start()
    found.close()
    for worker in workers:
        worker.join()
    assert left == [None] * 3
