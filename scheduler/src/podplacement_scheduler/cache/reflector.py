# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reflector holds a sink to what the API server has, through everything that can break a watch.

List, then watch from there; when the watch ends, watch on from the last version that was heard of.
Only where the server no longer knows that version (410), or nothing ever comes of it, list again:
the sink finds out what differs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Protocol

import msgspec

from ..api.client import Client
from ..api.kinds import Kind
from ..api.retry import Backoff
from ..clock import Clock
from ..errors import ApiError, Gone, SchedulerError, Unknown

# A watch is asked to end within this time: then silence for longer (IDLE_SECONDS of the client)
# proves that the connection is dead, whether or not the kind changes.
WATCH_SECONDS = (30, 45)
# The first state of a big cluster may take longer than that to send.
INITIAL_SECONDS = 600
# So many watches in a row that bring nothing at all: the server may have forgotten the version
# without saying so (kubernetes issue 137089).
BARREN_WATCHES = 3
# A watch that ends sooner than this is not followed by the next one at once.
SHORT_SECONDS = 1.0
PAGE = 500
INITIAL_END = "k8s.io/initial-events-end"

log = logging.getLogger(__name__)


class Sink(Protocol):
    """What the reflector fills."""

    def read(self, raw: bytes) -> Any:
        """What is kept of an object of a list while the rest of the list comes in.

        The text is many times as long as what is kept of it, and a list is all of a cluster.
        """

    def replace(self, items: Iterable[Any]) -> None:
        """What was read is the whole state; the difference to what was known is the sink's."""

    def apply(self, event: str, raw: bytes) -> None:
        """ADDED, MODIFIED or DELETED; the same event may come twice."""


class Metrics(Protocol):
    """What a reflector tells of itself."""

    def relist(self, kind: str, reason: str) -> None: ...


class _Meta(msgspec.Struct, gc=False):
    uid: str = ""
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    annotations: dict[str, str] | None = None


class _Object(msgspec.Struct):
    metadata: _Meta


class _VersionMeta(msgspec.Struct, gc=False):
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Version(msgspec.Struct, gc=False):
    """All that is read of an ordinary event here: the sink decodes the rest."""

    metadata: _VersionMeta


_OBJECT = msgspec.json.Decoder(_Object)
_VERSION = msgspec.json.Decoder(_Version)


class Reflector:
    """One kind; `run` it as a task. `synced` is set after the first complete list.

    `version` is what the sink is at, `heard` when the server last said anything (monotonic).
    """

    def __init__(
        self,
        client: Client,
        kind: Kind,
        sink: Sink,
        *,
        clock: Clock,
        rng: Random,
        namespace: str | None = None,
        field_selector: str = "",
        metrics: Metrics | None = None,
    ) -> None:
        self.client = client
        self.kind = kind
        self.sink = sink
        self.namespace = namespace
        self.field_selector = field_selector
        self.synced = asyncio.Event()
        self.heard = 0.0
        self._clock = clock
        self._rng = rng
        self._metrics = metrics
        self._backoff = Backoff(0.2, 5.0, rng)
        self._version = ""
        self._latest: bytes | None = None  # the last object, while nobody has asked for its version
        self._reason = "start"  # why the next step is a list; empty: it is a watch
        self._streams = True  # the server serves streaming lists, as far as known
        self._pages_next = False
        self._barren = 0
        self._wanted: list[asyncio.Future[None]] = []
        self._scope: asyncio.Timeout | None = None

    @property
    def version(self) -> str:
        """Of the last object that was heard of."""
        if self._latest is not None:
            self._version = _VERSION.decode(self._latest).metadata.resource_version or self._version
            self._latest = None
        return self._version

    async def run(self) -> None:
        """For ever; ends only when it is cancelled."""
        try:
            while True:
                pause = await self._step()
                if pause > 0:
                    await self._pause(pause)
        finally:
            for future in self._wanted:
                future.cancel()

    async def refresh(self) -> None:
        """List again now, and give the sink the whole state; returns when it has it.

        The list is the most recent one, and begins after this call.
        """
        done = asyncio.get_running_loop().create_future()
        self._wanted.append(done)
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())
        await done

    async def _step(self) -> float:
        """One list or one watch; how long to wait before the next step."""
        try:
            if self._reason or self._wanted:
                await self._list()
                return 0.0
            return await self._watch()
        except Gone as err:
            log.info("%s: the version is too old: %s", self.kind.plural, err)
            self._reason = "gone"
            return self._backoff.next()
        except ApiError as err:
            log.warning("%s: %s", self.kind.plural, err)
            self._count_barren("refused", at_once=_is_from_the_future(err))
            return self._backoff.next(err.retry_after)
        except SchedulerError as err:
            log.info("%s: %s", self.kind.plural, err)
            return self._backoff.next()

    async def _list(self) -> None:
        """Give the sink the most recent state."""
        wanted, self._wanted = self._wanted, []
        try:
            items, version = await self._collect()
            self.sink.replace(items)
        except BaseException:
            self._wanted = wanted + self._wanted
            raise
        self._version, self._latest = version, None
        reason, self._reason = self._reason or "refresh", ""
        self._barren = 0
        if self._metrics is not None:
            self._metrics.relist(self.kind.plural, reason)
        log.info("%s: listed %d at %s (%s)", self.kind.plural, len(items), version, reason)
        self.synced.set()
        for done in wanted:
            if not done.done():
                done.set_result(None)

    async def _collect(self) -> tuple[list[Any], str]:
        """A streaming list where served, else pages; after a stream that broke, pages once."""
        if self._streams and not self._pages_next:
            try:
                return await self._collect_stream()
            except Unknown:
                self._pages_next = True
                raise
            except ApiError as err:
                if err.status not in (400, 422):
                    raise
                log.info("%s: no streaming lists here: %s", self.kind.plural, err.message)
                self._streams = False
        self._pages_next = False
        try:
            return await self._collect_pages(PAGE)
        except Gone:
            # The list was compacted away between two pages: all at once cannot suffer that.
            return await self._collect_pages(0)

    async def _collect_stream(self) -> tuple[list[Any], str]:
        """The state as ADDED events; what changes meanwhile may come before its end, too."""
        found: dict[str, Any] = {}
        async with self.client.watch(
            self.kind,
            version="",
            initial=True,
            namespace=self.namespace,
            field_selector=self.field_selector,
            seconds=INITIAL_SECONDS,
        ) as events:
            async for event, raw in events:
                self.heard = self._clock.monotonic()
                meta = _OBJECT.decode(raw).metadata
                if event == "BOOKMARK":
                    if meta.annotations and meta.annotations.get(INITIAL_END) == "true":
                        return list(found.values()), meta.resource_version
                elif event == "DELETED":
                    found.pop(meta.uid, None)
                else:
                    found[meta.uid] = self.sink.read(raw)
        raise Unknown(f"{self.kind.plural}: the streaming list ended before its end")

    async def _collect_pages(self, limit: int) -> tuple[list[Any], str]:
        items: list[Any] = []
        version = ""
        async for page in self.client.pages(
            self.kind,
            namespace=self.namespace,
            field_selector=self.field_selector,
            limit=limit,
        ):
            self.heard = self._clock.monotonic()
            items += map(self.sink.read, page.items)
            version = page.version
        return items, version

    async def _watch(self) -> float:
        """Follow the changes until the watch ends; how long to wait before the next one."""
        began = self._clock.monotonic()
        heard = 0
        async with (
            self._interruptible(),
            self.client.watch(
                self.kind,
                version=self.version,
                namespace=self.namespace,
                field_selector=self.field_selector,
                seconds=self._rng.randint(*WATCH_SECONDS),
            ) as events,
        ):
            async for event, raw in events:
                heard += 1
                self._take(event, raw)
        if self._wanted:
            return 0.0
        if heard:
            self._backoff.reset()
        else:
            self._count_barren("silent")
        short = self._clock.monotonic() - began < SHORT_SECONDS
        return self._backoff.next() if short else 0.0

    def _take(self, event: str, raw: bytes) -> None:
        self.heard = self._clock.monotonic()
        self._barren = 0
        if event != "BOOKMARK":
            self.sink.apply(event, raw)
        self._latest = raw

    def _count_barren(self, reason: str, *, at_once: bool = False) -> None:
        """A watch that brought nothing; after a few of them the version is not believed."""
        self._barren += 1
        if at_once or self._barren >= BARREN_WATCHES:
            self._reason = self._reason or reason

    async def _pause(self, seconds: float) -> None:
        async with self._interruptible():
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def _interruptible(self) -> AsyncIterator[None]:
        """What `refresh` may cut short."""
        try:
            async with asyncio.timeout(None) as self._scope:
                yield
        except TimeoutError:
            if self._scope is None or not self._scope.expired():
                raise
        finally:
            self._scope = None


def _is_from_the_future(err: ApiError) -> bool:
    """The server has not come to our version, and may never: etcd was restored from a backup."""
    return "too large resource version" in err.message.lower()
