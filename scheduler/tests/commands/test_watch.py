# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`watch` tells each thing once, and what went while nobody watched."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import msgspec

from podplacement_scheduler.cache.sinks import fill
from podplacement_scheduler.commands.watch import Printer, watch

from ..misbehaving import Exchange, Server, served


def pod(name: str, phase: str = "Pending", **meta: Any) -> bytes:
    return msgspec.json.encode(
        {
            "metadata": {"name": name, "namespace": "n", "uid": f"uid-{name}", **meta},
            "spec": {"schedulerName": "mine", "nodeName": "n1" if phase == "Running" else ""},
            "status": {"phase": phase},
        }
    )


def test_each_thing_is_told_once() -> None:
    out = io.StringIO()
    printer = Printer(out, "text")
    fill(printer, [pod("a"), pod("b")])
    printer.apply("MODIFIED", pod("a", resourceVersion="7"))
    printer.apply("MODIFIED", pod("a", "Running"))
    fill(printer, [pod("a", "Running")])
    assert out.getvalue().splitlines() == [
        "pod: 'n/a', phase: 'Pending', scheduler: 'mine'",
        "pod: 'n/b', phase: 'Pending', scheduler: 'mine'",
        "pod: 'n/a', phase: 'Running' on 'n1', scheduler: 'mine'",
        "pod: 'n/b', phase: 'Deleted', scheduler: 'mine'",
    ]


def test_an_end_has_two_parts() -> None:
    out = io.StringIO()
    printer = Printer(out, "json")
    fill(printer, [pod("a")])
    going = pod("a", deletionTimestamp="2026-01-01T00:00:00Z")
    printer.apply("MODIFIED", going)
    printer.apply("DELETED", going)
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["phase"] for line in told] == ["Pending", "Terminating", "Deleted"]
    assert {line["schedulerName"] for line in told} == {"mine"}


class Closed(io.StringIO):
    """The pipe of `watch | head`."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


@served
async def test_it_ends_when_nobody_reads(server: Server) -> None:
    async def first(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.event("ADDED", msgspec.json.decode(pod("a")))
        meta = {"resourceVersion": "9", "annotations": {"k8s.io/initial-events-end": "true"}}
        await exchange.event("BOOKMARK", {"metadata": meta})
        await exchange.hang()

    server.script = [first]
    async with server.client() as client:
        await asyncio.wait_for(watch(client, namespace="n", out=Closed()), 10)
    assert server.requests[0].path == "/api/v1/namespaces/n/pods"
