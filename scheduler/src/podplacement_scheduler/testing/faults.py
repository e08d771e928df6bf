# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded faults: what a network, an API server and an etcd in trouble do to a daemon."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from random import Random

from .wire import WELL, Fate, Network, refusing

_NEVER = 1e9


@dataclass(frozen=True)
class Severity:
    """How likely a request meets each fault, and how often the rest happens (seconds between)."""

    unreached: float = 0.02
    lost: float = 0.03
    late: float = 0.03
    refused_for_load: float = 0.03
    error_before: float = 0.02
    error_after: float = 0.02
    refused: float = 0.01
    disturbance_every: float = 3.0
    outage_every: float = 60.0

    def scaled(self, factor: float) -> Severity:
        """So many times as bad; 0: no faults at all."""
        often = {
            name: getattr(self, name) * factor
            for name in vars(self)
            if name not in ("disturbance_every", "outage_every")
        }
        rarely = 1 / factor if factor else _NEVER
        return replace(
            self,
            **often,
            disturbance_every=self.disturbance_every * rarely,
            outage_every=self.outage_every * rarely,
        )


class Faults:
    """Makes trouble on a network until `stop`."""

    def __init__(self, network: Network, rng: Random, severity: Severity | None = None) -> None:
        self.network = network
        self.happened: dict[str, int] = {}
        self._rng = rng
        self._severity = severity or Severity()
        self._on = False

    def start(self) -> list[asyncio.Task[None]]:
        """From now on; the tasks are to be cancelled by who asked."""
        self._on = True
        self.network.fate = self._fate
        loop = asyncio.get_running_loop()
        context = self.network.context
        return [loop.create_task(part, context=context) for part in (self._disturb(), self._fail())]

    def stop(self) -> None:
        """All is well from now on; what is held or stalled stays so until somebody notices."""
        self._on = False
        self.network.fate = lambda _method, _path: WELL
        for _process, watch in self.network.watches:
            watch.release()
        if not self.network.up:
            self.network.restart()

    def _count(self, what: str) -> None:
        self.happened[what] = self.happened.get(what, 0) + 1

    def _fate(self, method: str, path: str) -> Fate:
        rng, severity = self._rng, self._severity
        dice = rng.random()
        fates = (
            ("unreached", severity.unreached, Fate(unreached=True)),
            ("lost after", severity.lost / 2, Fate(lost=True)),
            ("lost before", severity.lost / 2, Fate(lost=True, executed=False)),
            ("late", severity.late, Fate(delay=rng.choice((0.5, 3.0)))),
            ("429", severity.refused_for_load, self._too_many()),
            ("5xx before", severity.error_before, self._error(executed=False)),
            ("5xx after", severity.error_after, self._error(executed=True)),
            ("4xx", severity.refused, self._refusal(path)),
        )
        for what, likely, fate in fates:
            if dice < likely:
                self._count(what)
                return fate
            dice -= likely
        return WELL

    def _too_many(self) -> Fate:
        answer = refusing(429, "TooManyRequests", retry_after=self._rng.choice((0, 1, 2)))
        return Fate(refused=answer, executed=False)

    def _error(self, *, executed: bool) -> Fate:
        code, reason = self._rng.choice(
            ((500, "InternalError"), (503, "ServiceUnavailable"), (504, "Timeout"))
        )
        return Fate(refused=refusing(code, reason), executed=executed)

    def _refusal(self, path: str) -> Fate:
        """By an admission webhook, or a conflict that was about nothing we know of."""
        code, reason = self._rng.choice(((403, "Forbidden"), (409, "Conflict")))
        if not path.endswith("/binding"):
            code, reason = 403, "Forbidden"
        return Fate(refused=refusing(code, reason), executed=False)

    async def _disturb(self) -> None:
        """Now and then something happens to one watch."""
        rng = self._rng
        while self._on:
            await asyncio.sleep(rng.expovariate(1 / self._severity.disturbance_every))
            watches = [watch for _process, watch in self.network.watches if watch.is_open]
            if not watches or not self._on:
                continue
            watch = rng.choice(watches)
            what = rng.choice(
                ("cut", "end", "expire", "stall", "repeat", "hold", "hold", "compact")
            )
            self._count(what)
            if what == "compact":
                self.network.server.store.compact()
            elif what == "hold":
                watch.hold()
                loop = asyncio.get_running_loop()
                loop.call_later(rng.uniform(0.1, 10.0), watch.release)
            else:
                getattr(watch, what)()

    async def _fail(self) -> None:
        """Now and then the API server dies, and is back after a while."""
        while self._on:
            await asyncio.sleep(self._rng.expovariate(1 / self._severity.outage_every))
            if not self._on:
                return
            self._count("outage")
            self.network.crash()
            await asyncio.sleep(self._rng.uniform(0.5, 8.0))
            if self._on:
                self.network.restart()
