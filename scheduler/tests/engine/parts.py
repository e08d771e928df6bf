# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real pods, and an API server that answers as it is told to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, cast

import msgspec

from podplacement_scheduler.api.client import Client
from podplacement_scheduler.api.transport import Ending, Request, Response, all_at_once
from podplacement_scheduler.cache.objects import Pod, decode_pod
from podplacement_scheduler.cache.podclass import Interner
from podplacement_scheduler.engine.attempt import Attempt
from podplacement_scheduler.engine.entry import Entry, Place
from podplacement_scheduler.engine.events import Recorder
from podplacement_scheduler.engine.window import Window
from podplacement_scheduler.framework.guard import Guard
from podplacement_scheduler.framework.profile import Profile
from podplacement_scheduler.testing.loop import VirtualClock

Answer = Response | Exception
CREATED = Response(201, b'{"kind":"Status","status":"Success"}')


class Counts:
    """Metrics that are only counted."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., None]:
        def count(*args: Any) -> None:
            if name == "event":
                self.seen[f"event {args[0]}"] += args[1] if len(args) > 1 else 1
            else:
                self.seen[" ".join([name, *(arg for arg in args if isinstance(arg, str))])] += 1

        return count


class Server:
    """A transport: `answers` are given in turn, and then `always`; every request is kept."""

    def __init__(self, *answers: Answer, always: Answer = CREATED, delay: float = 0.01) -> None:
        self.answers = list(answers)
        self.always = always
        self.delay = delay
        self.requests: list[tuple[str, str, Any]] = []
        self.under_way = self.most_under_way = 0
        self.bursts = self.most_bursts = 0

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content_type: str = "",
        timeout: float = 10.0,
    ) -> Response:
        self.requests.append((method, path, msgspec.json.decode(body) if body else None))
        answer = self.answers.pop(0) if self.answers else self.always
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.under_way -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def burst(self, requests: Sequence[Request], *, timeout: float = 10.0) -> list[Ending]:
        self.bursts += 1
        self.most_bursts = max(self.most_bursts, self.bursts)
        try:
            return await all_at_once(self, requests, timeout=timeout)
        finally:
            self.bursts -= 1

    def stream(self, path: str, *, idle_timeout: float) -> Any:
        raise LookupError(path)

    async def close(self) -> None:
        """Nothing is open."""

    def sent(self, method: str, part: str = "") -> list[Any]:
        """The bodies of the requests whose path contains `part`."""
        return [body for verb, path, body in self.requests if verb == method and part in path]

    def client(self) -> Client:
        return Client(self)


def refusal(code: int, reason: str = "", *, retry_after: int | None = None) -> Response:
    """What the API server sends when it does not do it."""
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "no"}
    headers = {"retry-after": str(retry_after)} if retry_after else {}
    return Response(code, msgspec.json.encode(body), headers)


class Nursery:
    """Makes pods as the watch would show them."""

    def __init__(self) -> None:
        self.interner = Interner()
        self.version = 0

    def raw(self, name: str, **changes: Any) -> bytes:
        """JSON; `changes` by a path such as spec__priority."""
        self.version += 1
        pod: dict[str, Any] = {
            "metadata": {
                "name": name,
                "namespace": "ns",
                "uid": f"uid-{name}",
                "resourceVersion": str(self.version),
            },
            "spec": {"schedulerName": "ours", "containers": [{"name": "c", "image": "i"}]},
            "status": {"phase": "Pending"},
        }
        for path, value in changes.items():
            section, key = path.split("__")
            pod[section][key] = value
        return msgspec.json.encode(pod)

    def pod(self, name: str, **changes: Any) -> Pod:
        return decode_pod(self.raw(name, **changes), self.interner)

    def attempt(self, name: str = "p", node: str = "n1", *, timestamp: bool = False) -> Attempt:
        entry = Entry(self.pod(name), 0.0)
        entry.place = Place.IN_FLIGHT
        attempt = Attempt(entry, profile(timestamp_annotation=timestamp), 0.0)
        attempt.node = node
        return attempt


def profile(**changes: Any) -> Profile:
    """A profile without a plugin, but for what `changes` says."""
    points = [
        "pre_enqueues",
        *("pre_filters", "filters", "post_filters", "pre_scores", "scores"),
        *("reserves", "permits", "pre_binds", "binds", "post_binds"),
    ]
    fields: dict[str, Any] = dict.fromkeys(points, ())
    fields |= {"scheduler_name": "ours", "timestamp_annotation": False}
    fields["guard"] = Guard(budget=1.0, max_overruns=3)
    return cast(Profile, type("Bare", (), fields | changes)())


def recorder(server: Server, window: Window, counts: Counts, **options: Any) -> Recorder:
    return Recorder(
        server.client(),
        window,
        clock=VirtualClock(),
        rng=Random(1),
        metrics=counts,
        host="here",
        **options,
    )
