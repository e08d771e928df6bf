# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes leave in bursts, and each of them ends for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

from podplacement_scheduler.api.transport import Ending, Request
from podplacement_scheduler.engine.outbox import BURST, GATHER_SECONDS, Outbox
from podplacement_scheduler.engine.window import Window
from podplacement_scheduler.errors import Unknown, Unreached
from podplacement_scheduler.testing.loop import VirtualClock, run

from .parts import CREATED, Answer, Counts, Server, refusal


class Bursts(Server):
    """Keeps which requests came together."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(*answers)
        self.came: list[list[str]] = []

    async def burst(self, requests: Sequence[Request], *, timeout: float = 10.0) -> list[Ending]:
        self.came.append([one.path for one in requests])
        return await super().burst(requests, timeout=timeout)


class Desk:
    """An outbox at work."""

    def __init__(self, *answers: Answer, length: int = 1000, maximum: int = 4) -> None:
        self.server = Bursts(*answers)
        self.counts = Counts()
        self.window = Window(maximum, clock=VirtualClock())
        self.outbox = Outbox(
            self.server.client(), self.window, rng=Random(1), metrics=self.counts, length=length
        )

    async def __aenter__(self) -> Desk:
        self.work = asyncio.create_task(self.outbox.run())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.work.cancel()

    def put(self, *names: str, method: str = "POST") -> None:
        for name in names:
            self.outbox.put(Request(method, name, b"{}"))

    def results(self) -> dict[str, int]:
        return {name.removeprefix("event "): n for name, n in self.counts.seen.items() if n}


def test_what_comes_within_a_moment_leaves_together() -> None:
    async def main() -> None:
        async with Desk() as desk:
            desk.put("a", "b")
            await asyncio.sleep(GATHER_SECONDS / 2)
            desk.put("c")
            await asyncio.sleep(GATHER_SECONDS)
            desk.put("d")
            await desk.outbox.drain()
            assert desk.server.came == [["a", "b", "c"], ["d"]]
            assert desk.results() == {"written": 4}

    run(main())


def test_a_full_burst_does_not_wait_and_is_no_longer_than_allowed() -> None:
    async def main() -> None:
        async with Desk() as desk:
            desk.put(*(str(number) for number in range(2 * BURST + 1)))
            for _turn in range(5):
                await asyncio.sleep(0)  # no time goes by
            assert list(map(len, desk.server.came)) == [BURST, BURST]
            await desk.outbox.drain()
            assert list(map(len, desk.server.came)) == [BURST, BURST, 1]

    run(main())


def test_what_came_while_others_gathered_has_lanes_of_its_own() -> None:
    async def main() -> None:
        async with Desk() as desk:
            desk.put("first")
            await asyncio.sleep(GATHER_SECONDS / 2)
            desk.put(*(str(number) for number in range(3 * BURST)))
            await desk.outbox.drain()
            assert desk.server.most_bursts == 4

    run(main())


def test_only_what_failed_is_tried_again_and_by_itself() -> None:
    async def main() -> None:
        first = (CREATED, refusal(503), refusal(404), Unknown("lost"), Unreached("down"), CREATED)
        again = (CREATED, refusal(409, "AlreadyExists"), CREATED)
        async with Desk(*first, *again) as desk:
            desk.put("a", "b", "c", "d", "e", "f")
            await desk.outbox.drain()
            assert desk.server.came == [["a", "b", "c", "d", "e", "f"], ["b"], ["d"], ["e"]]
            assert desk.results() == {"written": 5, "failed": 1}

    run(main())


def test_a_conflict_is_only_a_success_of_the_try_before() -> None:
    """What a patch conflicts with is not its own first try."""

    async def main() -> None:
        answers: list[Answer] = [refusal(409), Unknown("lost"), refusal(409)]
        async with Desk(*answers) as desk:
            desk.put("a")
            await desk.outbox.drain()
            desk.put("b", method="PATCH")
            await desk.outbox.drain()
            assert desk.results() == {"failed": 2}

    run(main())


def test_the_server_names_the_time_of_the_next_try() -> None:
    async def main() -> None:
        answers = [refusal(429, retry_after=7), refusal(429, retry_after=3)]
        async with Desk(*answers) as desk:
            began = VirtualClock().monotonic()
            desk.put("a", "b")
            await desk.outbox.drain()
            assert 7 <= VirtualClock().monotonic() - began < 10
            assert desk.window.limit == 2, "the pace of bindings, too"

    run(main())


def test_what_is_abandoned_is_counted_wherever_it_is() -> None:
    async def main() -> None:
        async with Desk(CREATED, *[Unreached("down")] * 100, length=4 * BURST) as desk:
            desk.window.writing = desk.window.maximum
            desk.put(*(str(number) for number in range(BURST)))
            await asyncio.sleep(1.0)
            assert desk.results() == {"written": 1}
            desk.work.cancel()
            await asyncio.wait({desk.work})
            desk.put("x", "y")
            desk.outbox.abandon()
            assert desk.results() == {"written": 1, "dropped": BURST - 1 + 2}

    run(main())
