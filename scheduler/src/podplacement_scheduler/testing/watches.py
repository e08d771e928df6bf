# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches of the fake API server: what each one is sent, and how a network may disturb it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context

import msgspec

from .admission import Refused
from .fake import FakeServer, Target, selector, target
from .store import Change, Object, with_meta

INITIAL_END = "k8s.io/initial-events-end"
_LAST_BOOKMARK = 2.0  # so long before a watch ends, as the real one sends it
_TOO_OLD = "too old resource version"


class Broken(Exception):
    """The connection of a watch is gone."""


class Watch:
    """One watch; `lines` is what was sent and not read yet: None for an orderly end.

    Opened in the server's context: its timers go on while the reader is frozen.
    """

    def __init__(self, server: FakeServer, path: str, context: Context) -> None:
        self.where: Target = target(path)
        self.lines: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._server = server
        self._fits: Callable[[Object], bool] = selector(self.where)
        self.is_open = True
        self._mute = False
        self._held: list[bytes] | None = None
        self._last: bytes | None = None
        self._begin()
        server.store.listeners.append(self._hear)
        seconds = float(self.where.query.get("timeoutSeconds", "1800"))
        loop = asyncio.get_running_loop()
        if self._bookmarks():
            loop.call_later(max(0.0, seconds - _LAST_BOOKMARK), self.bookmark, context=context)
        loop.call_later(seconds, self.end, context=context)

    # What the server does

    def _begin(self) -> None:
        store, query = self._server.store, self.where.query
        version = query.get("resourceVersion", "")
        if query.get("sendInitialEvents") == "true":
            if not self._server.streams:
                message = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch"
                raise Refused(422, "Invalid", message)
            if query.get("resourceVersionMatch") != "NotOlderThan":
                message = "resourceVersionMatch: Required value: sendInitialEvents requires it"
                raise Refused(422, "Invalid", message)
            self._send_all()
            self.bookmark(initial=True)
        elif version in ("", "0"):
            self._send_all()
        elif int(version) < store.compacted:
            self._fail(Refused(410, "Expired", f"{_TOO_OLD}: {version} ({store.compacted})"))
        else:
            for change in store.since(self.where.kind.plural, int(version)):
                self._hear(change)

    def _send_all(self) -> None:
        for found in self._server.store.all(self.where.kind.plural):
            if self._fits(found):
                self._send("ADDED", msgspec.json.encode(found))

    def _hear(self, change: Change) -> None:
        """What a change means for those who see only what the selector lets through."""
        if change.resource != self.where.kind.plural:
            return
        before = change.before is not None and self._fits(change.before)
        after = change.type != "DELETED" and self._fits(change.object)
        if after:
            self._send("MODIFIED" if before else "ADDED", change.raw)
        elif before and change.before is not None:
            # The last state that the watch may see, at the version of the change that hid it.
            last = with_meta(change.before, resourceVersion=str(change.revision))
            self._send("DELETED", msgspec.json.encode(last))

    def bookmark(self, *, initial: bool = False) -> None:
        """Tell the revision without an object."""
        meta: Object = {"resourceVersion": str(self._server.store.revision)}
        if initial:
            meta["annotations"] = {INITIAL_END: "true"}
        kind = self.where.kind
        found = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
        self._send("BOOKMARK", msgspec.json.encode(found))

    def end(self) -> None:
        """As after timeoutSeconds."""
        if self.is_open:
            self.release()
            self._close(None)

    def close(self) -> None:
        """The reader went away."""
        self.is_open = False
        if self._hear in self._server.store.listeners:
            self._server.store.listeners.remove(self._hear)

    # What a network or a server in trouble does

    def cut(self) -> None:
        """The connection breaks, what was on its way is lost."""
        if self.is_open:
            self._close(Broken("the connection was reset"))

    def stall(self) -> None:
        """Half open: nothing comes any more, and nobody says so."""
        self._mute = True

    def expire(self) -> None:
        """The server says that the version is too old."""
        if self.is_open:
            self._fail(Refused(410, "Expired", _TOO_OLD))

    def repeat(self) -> None:
        """The last event comes twice."""
        if self._last is not None:
            self._put(self._last)

    def hold(self) -> None:
        """Events are late: they wait until `release`, in order."""
        if self._held is None:
            self._held = []

    def release(self) -> None:
        """What was held comes now."""
        held, self._held = self._held, None
        for line in held or ():
            self._put(line)

    def _bookmarks(self) -> bool:
        return self.where.query.get("allowWatchBookmarks") == "true"

    def _fail(self, refused: Refused) -> None:
        self._send("ERROR", msgspec.json.encode(refused.status()))
        self.end()

    def _send(self, kind: str, raw: bytes) -> None:
        line = b'{"type":"%s","object":%s}' % (kind.encode(), raw)
        if kind not in ("BOOKMARK", "ERROR"):
            self._last = line
        self._put(line)

    def _put(self, line: bytes) -> None:
        if not self.is_open or self._mute:
            return
        if self._held is not None:
            self._held.append(line)
        else:
            self.lines.put_nowait(line)

    def _close(self, last: Exception | None) -> None:
        self.close()
        if not self._mute:
            self.lines.put_nowait(last)
