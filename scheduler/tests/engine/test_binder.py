# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a binding is known or read, never guessed; and the server sets the pace."""

from __future__ import annotations

import asyncio
from random import Random

import msgspec
import pytest

from podplacement_scheduler.api.transport import Response
from podplacement_scheduler.engine.binder import TRIES, Binder, Ending, Outcome
from podplacement_scheduler.engine.entry import Place
from podplacement_scheduler.engine.window import Window
from podplacement_scheduler.errors import Unknown, Unreached
from podplacement_scheduler.testing.loop import VirtualClock, run

from .parts import CREATED, Answer, Counts, Nursery, Server, refusal

PODS = Nursery()
FREE = Response(200, PODS.raw("p"))
OURS = Response(200, PODS.raw("p", spec__nodeName="n1"))
THEIRS = Response(200, PODS.raw("p", spec__nodeName="n2"))
GOING = Response(200, PODS.raw("p", metadata__deletionTimestamp="2026-01-01T00:00:00Z"))
ANOTHER = Response(200, PODS.raw("p", metadata__uid="uid-of-another"))


def bind(*answers: Answer) -> tuple[Outcome, Server, Window, float]:
    """The end, with the server and the time that it took."""
    server = Server(*answers)

    async def main() -> tuple[Outcome, Server, Window, float]:
        clock = VirtualClock()
        window = Window(8, clock=clock)
        binder = Binder(server.client(), window, clock=clock, rng=Random(1), metrics=Counts())
        outcome = await binder.bind(PODS.attempt(timestamp=True))
        return outcome, server, window, clock.monotonic()

    return run(main())


def test_the_pod_is_bound_in_one_write_that_carries_the_annotations() -> None:
    outcome, server, *rest = bind()
    assert outcome.ending is Ending.BOUND
    [(method, path, body)] = server.requests
    assert (method, path) == ("POST", "/api/v1/namespaces/ns/pods/p/binding")
    assert body["target"] == {"apiVersion": "v1", "kind": "Node", "name": "n1"}
    assert body["metadata"] == {
        "name": "p",
        "namespace": "ns",
        "uid": "uid-p",
        "annotations": {
            "podplacement.io/scheduled-at": "2026-01-01T00:00:00.000000Z",
            "Scheduler-Timestamp": "1767225600000000000",
        },
    }
    assert rest


@pytest.mark.parametrize(
    ("answers", "ending", "binds", "reads"),
    [
        ([Unknown("lost"), OURS], Ending.BOUND, 1, 1),
        ([Unknown("lost"), FREE, CREATED], Ending.BOUND, 2, 1),
        ([Unknown("lost"), THEIRS], Ending.LOST, 1, 1),
        ([Unknown("lost"), GOING], Ending.GONE, 1, 1),
        ([Unknown("lost"), ANOTHER], Ending.GONE, 1, 1),
        ([Unknown("lost"), refusal(404)], Ending.GONE, 1, 1),
        ([Unknown("lost"), Unknown("too"), Unreached("so"), OURS], Ending.BOUND, 1, 3),
        ([refusal(500), OURS], Ending.BOUND, 1, 1),
        ([refusal(504), FREE, CREATED], Ending.BOUND, 2, 1),
        ([refusal(409, "Conflict"), OURS], Ending.BOUND, 1, 1),
        ([refusal(409, "Conflict"), THEIRS], Ending.LOST, 1, 1),
        ([refusal(409, "Conflict"), ANOTHER], Ending.GONE, 1, 1),
        ([refusal(409, "Conflict"), FREE], Ending.REFUSED, 1, 1),
        ([refusal(404, "NotFound")], Ending.GONE, 1, 0),
        ([refusal(403, "Forbidden")], Ending.REFUSED, 1, 0),
        ([refusal(429), refusal(429), CREATED], Ending.BOUND, 3, 0),
        ([Unreached("down"), Unreached("down"), CREATED], Ending.BOUND, 3, 0),
        ([refusal(500), FREE] * TRIES, Ending.REFUSED, TRIES, TRIES),
    ],
)
def test_every_answer_has_its_end(
    answers: list[Answer], ending: Ending, binds: int, reads: int
) -> None:
    outcome, server, *rest = bind(*answers)
    assert outcome.ending is ending
    assert len(server.sent("POST", "/binding")) == binds
    assert len(server.sent("GET", "/pods/p")) == reads
    assert len({msgspec.json.encode(body) for body in server.sent("POST")}) == 1
    assert rest


def test_the_time_that_the_server_names_is_kept() -> None:
    outcome, _server, window, seconds = bind(refusal(429, retry_after=7), CREATED)
    assert outcome.ending is Ending.BOUND
    assert seconds > 7
    assert window.limit == 4


def test_what_the_watch_shows_ends_the_retries() -> None:
    server = Server(always=Unreached("down"))

    async def main() -> tuple[Outcome, Outcome]:
        clock = VirtualClock()
        binder = Binder(
            server.client(), Window(8, clock=clock), clock=clock, rng=Random(1), metrics=Counts()
        )
        bound, deleted = PODS.attempt(), PODS.attempt()
        tries = [asyncio.create_task(binder.bind(attempt)) for attempt in (bound, deleted)]
        await asyncio.sleep(20)
        for attempt, node in ((bound, "n1"), (deleted, "")):
            attempt.entry.pod = PODS.pod("p", spec__nodeName=node)
            attempt.entry.place = Place.GONE
        first, second = await asyncio.gather(*tries)
        return first, second

    first, second = run(main())
    assert (first.ending, second.ending) == (Ending.BOUND, Ending.GONE)


def test_the_window_halves_once_a_round_and_grows_again() -> None:
    async def main() -> None:
        window = Window(8, clock=VirtualClock())
        for _count in range(5):
            window.refused(None)
        assert window.limit == 4
        assert [window.is_open(lane) for lane in (3, 4)] == [True, False]
        opening = asyncio.create_task(window.opening(4))
        for _count in range(4):
            assert window.limit == 4
            window.answered()
        await opening
        assert window.limit == 5
        await asyncio.sleep(2)
        window.refused(3.0)
        assert window.limit == 2
        assert not window.is_open(0)
        await window.opening(0)
        assert asyncio.get_running_loop().time() == pytest.approx(5.0)
        for _count in range(1000):
            window.answered()
        assert window.limit == 8
        for _count in range(9):
            await asyncio.sleep(2)
            window.refused(None)
        assert window.limit == 1

    run(main())
