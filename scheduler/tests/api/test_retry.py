# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits, waits longer each time, and never shorter than the server asked for."""

from __future__ import annotations

from random import Random

from podplacement_scheduler.api.retry import Backoff


def test_delays_double_up_to_the_maximum_with_jitter() -> None:
    backoff = Backoff(1.0, 8.0, Random(1))
    delays = [backoff.next() for _failure in range(200)]
    for delay, base in zip(delays, (1, 2, 4, 8, 8, 8), strict=False):
        assert base * 0.5 <= delay <= min(8, base * 1.5)
    assert max(delays) <= 8.0
    assert len(set(delays[:4])) == 4


def test_success_begins_anew() -> None:
    backoff = Backoff(1.0, 8.0, Random(1))
    for _failure in range(9):
        backoff.next()
    backoff.reset()
    assert backoff.next() <= 1.5


def test_the_servers_time_is_the_least() -> None:
    backoff = Backoff(1.0, 8.0, Random(1))
    delays = [backoff.next(30.0) for _failure in range(50)]
    assert min(delays) >= 30.0
    assert max(delays) <= 37.5
    assert len(set(delays)) > 40


def test_two_do_not_come_in_step() -> None:
    one, other = Backoff(1.0, 8.0, Random(1)), Backoff(1.0, 8.0, Random(2))
    assert [one.next() for _n in range(5)] != [other.next() for _n in range(5)]
