# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is believed is compared with what the server says: no watch is trusted for ever.

Between a list and a belief there is always some delay, so one difference proves nothing. Only a
belief that stays the same, and wrong, over two lists with a pause between them is a fault: it is
counted, told, and repaired by a new list.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from random import Random
from typing import Protocol

import msgspec

from ..api.kinds import Kind
from ..errors import SchedulerError
from .reflector import Reflector

# Longer than a healthy watch lags behind, shorter than people wait for a pod.
SETTLE_SECONDS = 10.0
_SHOWN = 5

log = logging.getLogger(__name__)


class Beliefs(Protocol):
    """What is checked (`cache.cluster.Cluster`)."""

    def fingerprint(self, kind: Kind) -> Mapping[str, str]:
        """uid -> resource version, of every object that the sink of the kind was given."""


class Metrics(Protocol):
    """Who counts."""

    def inconsistency(self, kind: str, n: int = 1) -> None: ...


class _Meta(msgspec.Struct, gc=False):
    uid: str = ""
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Object(msgspec.Struct, gc=False):
    metadata: _Meta


_OBJECT = msgspec.json.Decoder(_Object)


class Consistency:
    """Checks every kind once in `interval` seconds; 0 never does."""

    def __init__(
        self,
        beliefs: Beliefs,
        reflectors: Iterable[Reflector],
        *,
        interval: float,
        rng: Random,
        metrics: Metrics | None = None,
    ) -> None:
        self._beliefs = beliefs
        self._reflectors = tuple(reflectors)
        self._interval = interval
        self._rng = rng
        self._metrics = metrics

    async def run(self) -> None:
        """For ever; ends only when it is cancelled, or at once where there is nothing to do."""
        while self._interval > 0:
            # Replicas must not all list at the same time.
            await asyncio.sleep(self._interval * (0.9 + 0.2 * self._rng.random()))
            await self.check()

    async def check(self) -> int:
        """Check every kind now, one after the other; how many objects were not as believed."""
        total = 0
        for reflector in self._reflectors:
            if not reflector.synced.is_set():
                continue
            try:
                total += await self._check(reflector)
            except SchedulerError as err:
                log.info("%s: not checked this time: %s", reflector.kind.plural, err)
        return total

    async def _check(self, reflector: Reflector) -> int:
        first = await self._differences(reflector)
        if not first:
            return 0
        await asyncio.sleep(SETTLE_SECONDS)
        second = await self._differences(reflector)
        wrong = sorted(uid for uid in first if uid in second and first[uid] == second[uid])
        if not wrong:
            return 0
        plural = reflector.kind.plural
        shown = ", ".join(f"{uid} (believed at {first[uid] or 'none'})" for uid in wrong[:_SHOWN])
        log.error("%s: %d not as believed, listing again: %s", plural, len(wrong), shown)
        if self._metrics is not None:
            self._metrics.inconsistency(plural, len(wrong))
        await reflector.refresh()
        return len(wrong)

    async def _differences(self, reflector: Reflector) -> dict[str, str]:
        """uid -> the version believed ("" for none), of what the server does not say the same.

        The most recent state is asked for, in pages: with resourceVersion=0 the server ignores the
        limit, and all pods of a big cluster at once are hundreds of megabytes.
        """
        actual: dict[str, str] = {}
        pages = reflector.client.pages(
            reflector.kind,
            namespace=reflector.namespace,
            field_selector=reflector.field_selector,
        )
        async for page in pages:
            for raw in page.items:
                meta = _OBJECT.decode(raw).metadata
                actual[meta.uid] = meta.resource_version
        believed = self._beliefs.fingerprint(reflector.kind)
        return {
            uid: believed.get(uid, "")
            for uid in actual.keys() | believed.keys()
            if actual.get(uid) != believed.get(uid)
        }
