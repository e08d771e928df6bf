# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fake API server keeps: objects, one revision for all writes, and the whole history.

Objects are never changed in place: each write makes a new one. So the history is the state at every
revision, which is what pages, watches and the judges of a simulation read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

Object = dict[str, Any]
Key = tuple[str, str]  # namespace and name


@dataclass(frozen=True, slots=True)
class Change:
    """One write; `before` is None for the first, `raw` the object as watches send it."""

    revision: int
    at: float
    resource: str
    type: str
    object: Object
    before: Object | None
    raw: bytes
    writer: str = ""

    @property
    def key(self) -> Key:
        """Where the object is."""
        return key_of(self.object)


def key_of(found: Mapping[str, Any]) -> Key:
    """Namespace and name."""
    meta = found["metadata"]
    return meta.get("namespace", ""), meta["name"]


def with_meta(found: Object, **fields: Any) -> Object:
    """A copy with other metadata."""
    return {**found, "metadata": {**found["metadata"], **fields}}


class Store:
    """Objects by resource (its plural) and key."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.revision = 1
        # Whoever asks for what was before this revision is told that it is gone.
        self.compacted = 0
        self._objects: dict[str, dict[Key, Object]] = {}
        self._history: dict[str, list[Change]] = {}
        self.listeners: list[Callable[[Change], None]] = []

    def get(self, resource: str, key: Key) -> Object | None:
        """The object as it is now."""
        return self._objects.get(resource, {}).get(key)

    def all(self, resource: str) -> Iterator[Object]:
        """What there is now, ordered by key."""
        objects = self._objects.get(resource, {})
        return (objects[key] for key in sorted(objects))

    def write(self, resource: str, found: Object, *, writer: str = "") -> Object:
        """Create or replace; what changes nothing is no write."""
        before = self.get(resource, key_of(found))
        if before is not None and with_meta(found, resourceVersion="") == with_meta(
            before, resourceVersion=""
        ):
            return before
        kind = "MODIFIED" if before else "ADDED"
        return self._commit(resource, kind, found, before, writer)

    def remove(self, resource: str, key: Key, *, writer: str = "") -> Object:
        """Delete for good."""
        before = self._objects[resource][key]
        return self._commit(resource, "DELETED", before, before, writer)

    def _commit(
        self, resource: str, kind: str, found: Object, before: Object | None, writer: str
    ) -> Object:
        self.revision += 1
        stored = with_meta(found, resourceVersion=str(self.revision))
        objects = self._objects.setdefault(resource, {})
        if kind == "DELETED":
            del objects[key_of(stored)]
        else:
            objects[key_of(stored)] = stored
        raw = msgspec.json.encode(stored)
        change = Change(self.revision, self._now(), resource, kind, stored, before, raw, writer)
        self._history.setdefault(resource, []).append(change)
        for listener in list(self.listeners):
            listener(change)
        return stored

    def since(self, resource: str, revision: int) -> list[Change]:
        """All changes after a revision."""
        history = self._history.get(resource, [])
        return history[bisect_right(history, revision, key=lambda change: change.revision) :]

    def at(self, resource: str, revision: int) -> list[Object]:
        """What there was at a revision, ordered by key."""
        objects = dict(self._objects.get(resource, {}))
        for change in reversed(self.since(resource, revision)):
            if change.before is None:
                objects.pop(change.key, None)
            else:
                objects[change.key] = change.before
        return [objects[key] for key in sorted(objects)]

    def compact(self) -> None:
        """Forget, for those who ask, what was before now."""
        self.compacted = self.revision
