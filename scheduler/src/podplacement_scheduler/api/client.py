# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of the API on top of a transport: objects stay raw JSON, errors are of three kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from ..config import ClientConnection
from ..errors import ApiError, Unknown, Unreached
from .credentials import credentials
from .http import HttpTransport
from .kinds import PODS, Kind
from .refusal import Status, refusal, refused
from .transport import JSON, MERGE_PATCH, Ending, Request, Response, Transport
from .writer import WriterPool

# The API server is told to end each watch within its seconds; one that is silent for longer than
# this is dead, even if no packet says so.
IDLE_SECONDS = 55.0
LIST_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. Items of lists carry neither apiVersion nor kind."""

    items: list[bytes]
    version: str


class _ListMeta(msgspec.Struct):
    resource_version: str = msgspec.field(name="resourceVersion", default="")
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _WatchEvent(msgspec.Struct):
    type: str
    object: msgspec.Raw


_LIST = msgspec.json.Decoder(_List)
_EVENT = msgspec.json.Decoder(_WatchEvent)
_STATUS = msgspec.json.Decoder(Status)


class Client:
    """The API server, for everyone in this process.

    Every method raises ApiError (Gone) where the server refused, Unreached where nothing was sent,
    and Unknown where only a read can tell what came of it. `hot` carries bindings and events; a
    watch is given up after `idle_timeout` seconds of silence.
    """

    def __init__(
        self,
        transport: Transport,
        hot: Transport | None = None,
        *,
        idle_timeout: float = IDLE_SECONDS,
    ) -> None:
        self._transport = transport
        self._hot = hot or transport
        self._idle_timeout = idle_timeout

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | object | None = None,
        *,
        content_type: str = JSON,
        timeout: float = 10.0,
        hot: bool = False,
    ) -> bytes:
        """One request; `body` is JSON already, or an object to encode."""
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        transport = self._hot if hot else self._transport
        response = await transport.request(
            method, path, data, content_type=content_type, timeout=timeout
        )
        if not 200 <= response.status < 300:
            raise refusal(response, f"{method} {path.partition('?')[0]}")
        return response.body

    async def get(
        self, kind: Kind, name: str, namespace: str | None = None, *, timeout: float = 10.0
    ) -> bytes:
        """The object as it is now."""
        return await self.call("GET", kind.path(namespace, name), timeout=timeout)

    async def pages(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        version: str | None = None,
        field_selector: str = "",
        label_selector: str = "",
        limit: int = 500,
    ) -> AsyncIterator[Page]:
        """A list in parts; raises Gone where it became too old to go on with.

        Version None asks for the most recent state, "0" for any that the server has at hand; limit
        0 asks for all at once.
        """
        query = _selectors(field_selector, label_selector)
        if limit:
            query["limit"] = str(limit)
        if version is not None:
            query["resourceVersion"] = version
        path = kind.path(namespace)
        while True:
            raw = await self.call("GET", f"{path}?{urlencode(query)}", timeout=LIST_TIMEOUT)
            page = _decode_list(raw, path)
            items = [bytes(item) for item in page.items or ()]
            yield Page(items, page.metadata.resource_version)
            if not page.metadata.continue_:
                return
            query["continue"] = page.metadata.continue_
            query.pop("resourceVersion", None)

    def watch(
        self,
        kind: Kind,
        *,
        version: str,
        initial: bool = False,
        namespace: str | None = None,
        field_selector: str = "",
        label_selector: str = "",
        seconds: int = 300,
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, bytes]]]:
        """Yield (type, object) of what changes after `version`, bookmarks included.

        With `initial` the state itself comes first, as ADDED events and a bookmark that is
        annotated `k8s.io/initial-events-end`; it is the most recent state where version is "". An
        ERROR event is raised as ApiError or Gone. The server ends the watch after `seconds`.
        """
        query = _selectors(field_selector, label_selector)
        query |= {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        if version:
            query["resourceVersion"] = version
        if initial:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        return self._watch(f"{kind.path(namespace)}?{urlencode(query)}")

    @asynccontextmanager
    async def _watch(self, path: str) -> AsyncIterator[AsyncIterator[tuple[str, bytes]]]:
        async with self._transport.stream(path, idle_timeout=self._idle_timeout) as lines:
            yield _events(lines, f"watch {path.partition('?')[0]}")

    async def create(
        self,
        kind: Kind,
        body: bytes | object,
        namespace: str | None = None,
        name: str = "",
        subresource: str = "",
        *,
        timeout: float = 10.0,
    ) -> bytes:
        """POST: a new object, or a request to a subresource of `name`."""
        path = kind.path(namespace, name, subresource)
        return await self.call("POST", path, body, timeout=timeout)

    async def update(
        self,
        kind: Kind,
        body: bytes | object,
        namespace: str | None = None,
        name: str = "",
        subresource: str = "",
        *,
        timeout: float = 10.0,
    ) -> bytes:
        """PUT: the whole object, at the resourceVersion that it names."""
        path = kind.path(namespace, name, subresource)
        return await self.call("PUT", path, body, timeout=timeout)

    async def patch(
        self,
        kind: Kind,
        body: bytes | object,
        namespace: str | None = None,
        name: str = "",
        subresource: str = "",
        *,
        content_type: str = MERGE_PATCH,
        timeout: float = 10.0,
    ) -> bytes:
        """PATCH, as a merge unless `content_type` says otherwise."""
        path = kind.path(namespace, name, subresource)
        return await self.call("PATCH", path, body, content_type=content_type, timeout=timeout)

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        body: bytes | object | None = None,
        *,
        timeout: float = 10.0,
    ) -> bytes:
        """DELETE; `body` may hold preconditions."""
        return await self.call("DELETE", kind.path(namespace, name), body, timeout=timeout)

    async def bind(self, namespace: str, name: str, body: bytes, *, timeout: float = 10.0) -> None:
        """Send a Binding. Unknown means that the pod may be bound: read it."""
        path = PODS.path(namespace, name, "binding")
        await self.call("POST", path, body, timeout=timeout, hot=True)

    async def burst(
        self, requests: Sequence[Request], *, timeout: float = 10.0
    ) -> list[ApiError | Unreached | Unknown | None]:
        """Hot requests that are in no hurry, see `Transport.burst`; what went wrong with each."""
        endings = await self._hot.burst(requests, timeout=timeout)
        return [_error(*both) for both in zip(requests, endings, strict=True)]

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()
        if self._hot is not self._transport:
            await self._hot.close()


def connect(
    settings: ClientConnection,
    *,
    connections: int,
    gate: Callable[[], bool] | None = None,
) -> Client:
    """A client with the identity that the settings name; raises ConfigError.

    Bindings and events use at most `connections`; `gate` is asked in the moment before their bytes
    are written, and where it says no they end as Unreached.
    """
    identity = credentials(settings)
    hot: Transport
    if identity.current.proxy:
        hot = HttpTransport(identity, gate=gate)
    else:
        hot = WriterPool(identity, connections=connections, gate=gate)
    return Client(HttpTransport(identity), hot)


def _error(request: Request, ending: Ending) -> ApiError | Unreached | Unknown | None:
    if not isinstance(ending, Response):
        return ending
    if 200 <= ending.status < 300:
        return None
    return refusal(ending, f"{request.method} {request.path.partition('?')[0]}")


def _selectors(field_selector: str, label_selector: str) -> dict[str, str]:
    both = {"fieldSelector": field_selector, "labelSelector": label_selector}
    return {key: value for key, value in both.items() if value}


def _decode_list(raw: bytes, path: str) -> _List:
    try:
        return _LIST.decode(raw)
    except msgspec.MsgspecError as err:
        raise Unknown(f"GET {path}: the answer is not a list") from err


async def _events(lines: AsyncIterator[bytes], told: str) -> AsyncIterator[tuple[str, bytes]]:
    async for line in lines:
        try:
            event = _EVENT.decode(line)
            status = _STATUS.decode(event.object) if event.type == "ERROR" else None
        except msgspec.MsgspecError as err:
            raise Unknown(f"{told}: a line is not a watch event") from err
        if status is not None:
            raise refused(status, told)
        yield event.type, bytes(event.object)
