# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reflector keeps a store equal to the server: list once, watch from there, and begin again only
when the server has forgotten where the watch stood.

A watch is never trusted to be alive: the server ends it after some twenty seconds, and a connection
that is silent for longer than that is taken for dead (a firewall that dropped it says nothing).
Going on costs one request.

Note that this module util is PRIVATE to the collection: it can have breaking changes at any time.
"""

from __future__ import annotations

import random
import threading
from typing import Any, Generator, List, Mapping, Optional, Protocol, Tuple

from .api import Object
from .cache import Store
from .errors import ApiError, Forbidden, Gone, NotFound
from .resources import Kind

WATCH_SECONDS = 20  # and at random up to a half more, so that not all end at once
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


class Source(Protocol):
    """The two requests of a reflector."""

    def list(
        self,
        kind: Kind,
        namespace: Optional[str] = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Tuple[List[Object], str]:
        """See ``api.Api.list``."""

    def events(
        self, kind: Kind, namespace: Optional[str], *, resource_version: str, seconds: int
    ) -> Generator[Mapping[str, Any], None, None]:
        """See ``client.KubeApi.events``."""


class Reflector:
    """Follows one kind in one namespace, or in the whole cluster when ``namespace`` is None.

    ``usable`` is False when this user may not list or watch it: then the store says nothing.
    """

    def __init__(self, source: Source, kind: Kind, namespace: Optional[str], store: Store) -> None:
        self.kind = kind
        self.namespace = namespace
        self.store = store
        self.usable = True
        self._source = source
        self._closing = threading.Event()
        self._pause = 0.0

    def start(self) -> None:
        """Take the first list in the caller's thread, so that its error is the caller's; then
        follow.
        """
        try:
            self.refill()
        except (Forbidden, NotFound):
            self.usable = False
            return
        name = "watch %s %s" % (self.kind.plural, self.namespace or "")
        threading.Thread(target=self.follow, name=name, daemon=True).start()

    def close(self) -> None:
        """Let the thread end with its present watch; nobody waits for the store any more."""
        self._closing.set()
        self.store.wake()

    def refill(self) -> None:
        """List, and let the store find out what is new and what is gone."""
        items, version = self._source.list(self.kind, self.namespace)
        self.store.replace(items, version)

    def follow(self) -> None:
        """Watch until closed."""
        while not self._closing.is_set() and self.usable:
            self.turn()
            if self._pause:
                self._closing.wait(self._pause * random.uniform(0.5, 1.0))

    def turn(self) -> None:
        """One watch, to its end; sets how long to pause before the next."""
        seen = 0
        try:
            for event in self._events():
                if self._closing.is_set():
                    return
                self.store.apply(event["type"], event["object"])
                seen += 1
            self._pause = 0.0
        except Gone:
            self._again()
        except Forbidden:
            self.usable = False
            self.store.wake()
        except (ApiError, ValueError):
            self._pause = self._longer()

    def _again(self) -> None:
        """The server no longer knows our version: only a list can tell what was missed."""
        try:
            self.refill()
            self._pause = 0.0
        except ApiError:
            self._pause = self._longer()

    def _events(self) -> Generator[Mapping[str, Any], None, None]:
        return self._source.events(
            self.kind,
            self.namespace,
            resource_version=self.store.version,
            seconds=random.randint(WATCH_SECONDS, WATCH_SECONDS * 3 // 2),
        )

    def _longer(self) -> float:
        return min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * self._pause))
