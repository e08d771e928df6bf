# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events wait behind bindings, in a queue that does not grow, and say each thing once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from podplacement_scheduler.api.transport import Response
from podplacement_scheduler.engine.events import Recorder, shortened
from podplacement_scheduler.engine.window import Window
from podplacement_scheduler.errors import Unknown, Unreached
from podplacement_scheduler.testing.loop import VirtualClock, run

from .parts import CREATED, Answer, Counts, Nursery, Server, recorder, refusal

OK = Response(200, b"{}")
WHY = '0/3 nodes are available: 3 node(s) had "odd" taints.'


class Desk:
    """A recorder at work."""

    def __init__(self, *answers: Answer, maximum: int = 8, **options: Any) -> None:
        self.pods = Nursery()
        self.counts = Counts()
        self.server = Server(*answers)
        self.window = Window(maximum, clock=VirtualClock())
        self.recorder: Recorder = recorder(self.server, self.window, self.counts, **options)
        self.work = asyncio.create_task(self.recorder.outbox.run())

    async def done(self) -> list[Any]:
        """The events written so far."""
        await self.recorder.outbox.drain()
        return self.server.sent("POST", "/events")

    def results(self) -> dict[str, int]:
        return {name.removeprefix("event "): n for name, n in self.counts.seen.items() if n}


def at_work(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """The test in virtual time."""

    def started() -> None:
        async def main() -> None:
            await test()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        run(main())

    started.__name__ = test.__name__
    return started


@at_work
async def test_a_bound_pod_has_an_event_in_the_words_of_upstream() -> None:
    desk = Desk()
    desk.recorder.scheduled(desk.pods.pod("p"), "n1")
    [event] = await desk.done()
    name = event["metadata"].pop("name")
    assert name.startswith("p.")
    assert int(name.removeprefix("p."), 16) > 0
    assert event == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": "ns"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "ours",
        "reportingInstance": "ours-here",
        "action": "Binding",
        "reason": "Scheduled",
        "type": "Normal",
        "regarding": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": "p",
            "namespace": "ns",
            "uid": "uid-p",
            "resourceVersion": "1",
        },
        "note": "Successfully assigned ns/p to n1",
    }


@at_work
async def test_no_two_events_have_one_name() -> None:
    desk = Desk()
    for _count in range(50):
        desk.recorder.scheduled(desk.pods.pod("p" * 253), "n1")
    names = {event["metadata"]["name"] for event in await desk.done()}
    assert len(names) == 50
    assert max(map(len, names)) <= 253


@at_work
async def test_a_refusal_is_told_once_and_then_as_a_series() -> None:
    desk = Desk()
    pod = desk.pods.pod("p")
    for _count in range(2):
        desk.recorder.failed(pod, WHY)
    [event] = await desk.done()
    assert (event["reason"], event["type"], event["note"]) == ("FailedScheduling", "Warning", WHY)
    for _count in range(100):
        await asyncio.sleep(10.1)
        desk.recorder.failed(pod, WHY)
    await desk.done()
    [condition] = desk.server.sent("PATCH", "/pods/p/status")
    assert condition["metadata"] == {"uid": "uid-p"}
    assert condition["status"]["conditions"] == [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": WHY,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ]
    series = desk.server.sent("PATCH", f"/events/{event['metadata']['name']}")
    assert [one["series"]["count"] for one in series] == [2, 32, 62, 92]
    assert len(desk.server.requests) == 2 + len(series)


@at_work
async def test_another_refusal_is_another_event_and_no_new_transition() -> None:
    desk = Desk()
    pod = desk.pods.pod("p")
    desk.recorder.failed(pod, WHY)
    desk.recorder.failed(pod, "0/3 nodes are available: 3 Insufficient cpu.")
    assert len(await desk.done()) == 2
    first, second = desk.server.sent("PATCH", "/status")
    assert "lastTransitionTime" in first["status"]["conditions"][0]
    assert "lastTransitionTime" not in second["status"]["conditions"][0]


@at_work
async def test_a_condition_that_is_already_there_is_not_written() -> None:
    desk = Desk()
    present = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    pod = desk.pods.pod("p", status__conditions=[{**present, "message": WHY}])
    desk.recorder.failed(pod, WHY)
    assert len(await desk.done()) == 1
    assert desk.server.sent("PATCH") == []


@at_work
async def test_what_finds_no_room_is_dropped_and_counted() -> None:
    desk = Desk(length=5)
    for number in range(12):
        desk.recorder.scheduled(desk.pods.pod(str(number)), "n1")
    assert len(await desk.done()) == 5
    assert desk.results() == {"written": 5, "dropped": 7}


@pytest.mark.parametrize(("mode", "events"), [("all", 2), ("failures", 1), ("off", 0)])
def test_the_mode_says_which_events_there_are(mode: str, events: int) -> None:
    async def main() -> None:
        desk = Desk(mode=mode)
        desk.recorder.failed(desk.pods.pod("p"), WHY)
        desk.recorder.scheduled(desk.pods.pod("q"), "n1")
        assert len(await desk.done()) == events
        assert len(desk.server.sent("PATCH", "/status")) == 1
        desk.work.cancel()

    run(main())


@pytest.mark.parametrize(
    ("answers", "result", "requests"),
    [
        ([Unreached("down")] * 40 + [CREATED], "written", 41),
        ([refusal(503), refusal(429), CREATED], "written", 3),
        ([Unknown("lost"), refusal(409, "AlreadyExists")], "written", 2),
        ([refusal(409, "AlreadyExists")], "failed", 1),
        ([refusal(404, "NotFound")], "failed", 1),
        ([refusal(500)] * 40, "failed", 8),
    ],
)
def test_a_write_that_fails_is_tried_again_if_that_can_help(
    answers: list[Answer], result: str, requests: int
) -> None:
    async def main() -> None:
        desk = Desk(*answers)
        desk.recorder.scheduled(desk.pods.pod("p"), "n1")
        await desk.done()
        assert desk.results() == {result: 1}
        assert len(desk.server.requests) == requests
        desk.work.cancel()

    run(main())


@at_work
async def test_bindings_have_the_greater_part_of_the_lanes() -> None:
    desk = Desk(maximum=8, length=1000)
    desk.window.writing = 8
    for number in range(200):
        desk.recorder.scheduled(desk.pods.pod(str(number)), "n1")
    await desk.done()
    assert desk.server.most_bursts == 2
    desk.window.writing = 0
    for number in range(200):
        desk.recorder.scheduled(desk.pods.pod(str(number)), "n1")
    await desk.done()
    assert desk.server.most_bursts == 8


@at_work
async def test_a_long_queue_of_events_gets_more_lanes() -> None:
    desk = Desk(maximum=8, length=400)
    desk.window.writing = 8
    for number in range(390):
        desk.recorder.scheduled(desk.pods.pod(str(number)), "n1")
    await desk.done()
    assert desk.server.most_bursts == 8


@at_work
async def test_of_many_pods_only_so_many_are_remembered() -> None:
    desk = Desk(length=100000)
    for number in range(5000):
        desk.recorder.failed(desk.pods.pod(str(number)), WHY)
    assert len(desk.recorder._told) == 4096
    desk.recorder.forget("uid-4999")
    assert len(desk.recorder._told) == 4095


def test_a_note_is_cut_to_what_the_server_takes() -> None:
    note = "é" * Random(1).randrange(600, 700)
    cut = shortened(note)
    assert len(cut.encode()) <= 1024
    assert cut.endswith("...")
    assert shortened("short") == "short"
    assert OK.status == 200
