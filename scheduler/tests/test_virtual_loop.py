# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time that costs nothing is still time: what simulations stand on."""

from __future__ import annotations

import asyncio

import pytest

from podplacement_scheduler.testing.loop import (
    Deadlock,
    Livelock,
    VirtualClock,
    VirtualLoop,
    process_context,
    run,
)


async def ticks(name: str, told: list[tuple[str, float]]) -> None:
    while True:
        await asyncio.sleep(1)
        told.append((name, asyncio.get_running_loop().time()))


def test_a_year_of_sleep_is_over_at_once() -> None:
    async def main() -> float:
        await asyncio.sleep(365 * 86400)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await asyncio.Event().wait()
        return VirtualClock().monotonic()

    assert run(main()) == 365 * 86400 + 60


def test_a_frozen_process_does_nothing_while_others_go_on() -> None:
    async def main() -> None:
        told: list[tuple[str, float]] = []
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        tasks = [
            loop.create_task(ticks(name, told), context=process_context(name)) for name in "ab"
        ]
        await asyncio.sleep(1.5)
        loop.freeze("a")
        await asyncio.sleep(3)
        loop.thaw("a")
        await asyncio.sleep(1.1)
        for task in tasks:
            task.cancel()
        assert [at for name, at in told if name == "b"] == [1, 2, 3, 4, 5]
        assert [at for name, at in told if name == "a"] == [1, 4.5, 5.5]

    run(main())


def test_waiting_for_nothing_is_an_error() -> None:
    with pytest.raises(Deadlock):
        run(asyncio.Event().wait())


def test_running_for_nothing_is_an_error() -> None:
    async def main() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Livelock):
        run(main())


def test_what_nobody_caught_is_raised_at_the_end() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    with pytest.raises(ZeroDivisionError):
        run(main())
